use crate::{
    agreement,
    config::{Config, Surroundings},
    daemon,
};
use contract::{Kind, Severity, field};
use serde_json::{Value, json};
use std::process::ExitCode;

pub async fn check(
    config: &Config,
    surroundings: &Surroundings,
    offline: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let connected = daemon::connect_keeping(
        config,
        surroundings,
        std::sync::Arc::new(kit::FileKeep::new(config.state.join("keep"), None)),
    )?;
    let mut lines = vec![format!("{}: good", config.file.display())];
    for settings in config.loops.values() {
        lines.push(format!(
            "{}: good (version {}, arbiter {})",
            settings.agreement_file.display(),
            settings.agreement.version,
            settings.agreement.arbiter
        ));
    }
    for settings in config.loops.values() {
        for name in settings.agreement.mql.own_fields() {
            if let Some(meant) = crate::suggest::nearest(name, &agreement::LEAD_TEXTS) {
                lines.push(format!("  note: the lead definition reads lead.{name}, a field of your own; did you mean lead.{meant}?"));
            }
        }
    }
    let mut failed = false;
    let mut probes = Vec::new();
    if !offline {
        for (name, connector) in &connected.connectors {
            match connector.probe().await {
                Ok(probe) => {
                    lines.push(format!(
                        "{name}: connected to {} as {}",
                        probe.account, probe.user
                    ));
                    let mut findings = probe.findings;
                    findings.extend(missing_fields(config, name, connector.as_ref()).await);
                    for finding in &findings {
                        failed |= finding.severity == Severity::Error;
                        let mark = match finding.severity {
                            Severity::Error => "error",
                            Severity::Warning => "warning",
                            Severity::Note => "note",
                        };
                        lines.push(format!(
                            "  {mark}: {}\n    {}",
                            finding.what, finding.remedy
                        ));
                    }
                    probes.push(json!({"connection": name, "account": probe.account, "user": probe.user, "findings": findings}));
                }
                Err(error) => {
                    failed = true;
                    lines.push(format!("{name}: {error}"));
                    probes.push(json!({"connection": name, "error": error.to_string()}));
                }
            }
        }
    }
    if json {
        println!(
            "{}",
            json!({"configuration": "good", "connections": Value::Array(probes), "ok": !failed})
        );
    } else {
        println!("{}", lines.join("\n"));
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Fields that the agreements name and the vendor does not have, or does not let us write.
async fn missing_fields(
    config: &Config,
    connection: &str,
    connector: &dyn contract::Connector,
) -> Vec<contract::Finding> {
    let mut findings = Vec::new();
    for kind in [Kind::Lead, Kind::Contact] {
        let mut wanted: Vec<&str> = Vec::new();
        let mut own: Vec<String> = Vec::new();
        for settings in config.loops.values() {
            for rule in &settings.agreement.fields {
                if settings.marketing == connection && kind == Kind::Lead {
                    wanted.push(&rule.marketing);
                } else if settings.crm == connection {
                    wanted.extend(if kind == Kind::Lead {
                        rule.lead.as_deref()
                    } else {
                        rule.contact.as_deref()
                    });
                }
            }
            if settings.marketing == connection && kind == Kind::Lead {
                wanted.extend(field::FEEDBACK);
                own.extend_from_slice(settings.agreement.mql.own_fields());
            }
        }
        wanted.extend(own.iter().map(String::as_str));
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() || !connector.capabilities().reads.contains(&kind) {
            continue;
        }
        let Ok(fields) = connector.describe(kind).await else {
            continue;
        };
        for name in wanted {
            if !fields.iter().any(|info| info.name == name) {
                findings.push(contract::Finding {
                    severity: Severity::Warning,
                    what: format!("the {kind} field {name} is not there, or not visible to us"),
                    remedy: "create it or grant access to it; or take it out of the agreement"
                        .to_owned(),
                });
            }
        }
    }
    findings
}
