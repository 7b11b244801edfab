use crate::{agreement, registry};
use anyhow::{Context, bail};
use kit::Side;
use std::{fs, io::Write, path::Path, process::ExitCode};

pub fn init(marketing: &str, crm: &str, directory: &Path) -> anyhow::Result<ExitCode> {
    let template = |name: &str, side: Side| -> anyhow::Result<&'static str> {
        let offered: Vec<&str> = registry::vendors()
            .iter()
            .filter(|vendor| vendor.sides().contains(&side))
            .map(|vendor| vendor.name())
            .collect();
        match registry::vendor(name) {
            Some(vendor) if vendor.sides().contains(&side) => Ok(vendor.template(side)),
            _ => bail!(
                "no connector \"{name}\" for the {side} side; there are: {}",
                offered.join(", ")
            ),
        }
    };
    let text = configuration(
        (marketing, template(marketing, Side::Marketing)?),
        (crm, template(crm, Side::Crm)?),
    );
    fs::create_dir_all(directory)
        .with_context(|| format!("{} cannot be created", directory.display()))?;
    let files = [
        ("leadloop.toml", text.as_str()),
        ("agreement.toml", agreement::TEMPLATE),
    ];
    // Nothing is half-written: either both are new, or nothing happens.
    if let Some((name, _)) = files.iter().find(|(name, _)| directory.join(name).exists()) {
        bail!(
            "{} exists already; it is left as it is: name another directory, or move it away",
            directory.join(name).display()
        );
    }
    for (name, text) in files {
        let path = directory.join(name);
        let mut file = fs::File::create_new(&path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        file.write_all(text.as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        println!("wrote {}", path.display());
    }
    println!(
        "next: fill in the credentials and the agreement, then `leadloop check --config {}`",
        directory.join("leadloop.toml").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A commented configuration for two vendors.
fn configuration(marketing: (&str, &str), crm: (&str, &str)) -> String {
    format!(
        r#"# leadloop's configuration. Check it with `leadloop check`, preview a run with `leadloop plan`.
# Secrets are given by reference, never by value: {{ credential = "name" }} (a systemd credential),
# {{ file = "/path" }} (readable by its owner only) or {{ env = "NAME" }}.

# Where the state is kept. Under systemd this is the service's state directory, by itself.
# state = "state"

[admin]
# Health and metrics (Prometheus) on loopback, beside the Unix socket in the runtime directory.
# listen = "127.0.0.1:9464"

[log]
# auto (the journal under systemd, else text), text, json
format = "auto"
level = "info"

[connections.marketing]
connector = "{}"
{}
[connections.crm]
connector = "{}"
{}
# A loop keeps one marketing connection and one CRM connection in step under one agreement.
[loops.main]
marketing = "marketing"
crm = "crm"
agreement = "agreement.toml"
# The time between two polls.
every = "60s"
# The time in which every record is looked up again, to find what the vendors do not tell.
sweep_every = "24h"
"#,
        marketing.0,
        marketing.1.trim_start(),
        crm.0,
        crm.1.trim_start()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_beside_the_unit_is_what_init_writes() {
        let template = |name, side| {
            registry::vendor(name)
                .expect("is registered")
                .template(side)
        };
        let text = configuration(
            ("hubspot", template("hubspot", Side::Marketing)),
            ("salesforce", template("salesforce", Side::Crm)),
        );
        assert_eq!(
            text,
            include_str!("../../systemd/leadloop.toml"),
            "run `leadloop init` and copy what it writes"
        );
    }
}
