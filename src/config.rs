//! The configuration file: connections, loops, and where things are kept. One error names the file, the line and the remedy.

use crate::{
    agreement::{self, Agreement},
    registry,
    suggest::{nearest, with_suggestion},
};
use contract::{Connector, Kind, field};
use jiff::SignedDuration;
use kit::{Clock, Keep, Secrets, Side, Tools, Transport};
use serde::{Deserialize, Deserializer};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What is wrong with the configuration or an agreement.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {message}", .file.display(), .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct Error {
    /// Which file.
    pub file: PathBuf,
    /// Which line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong, and the remedy.
    pub message: String,
}

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Where the state is kept.
    pub state: PathBuf,
    /// The admin interface.
    pub admin: Admin,
    /// Logging.
    pub log: Log,
    /// Connections by name.
    pub connections: BTreeMap<String, Connection>,
    /// Loops by name.
    pub loops: BTreeMap<String, LoopConfig>,
    text: String,
}

/// The admin interface.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// The Unix socket; by default `admin.sock` in the runtime directory, else beside the state.
    pub socket: Option<PathBuf>,
    /// A loopback address for health and metrics, if wanted.
    pub listen: Option<SocketAddr>,
}

/// Logging.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `auto`: the journal under systemd, else text on the terminal. Or `text`, or `json`.
    pub format: LogFormat,
    /// What is logged: `info`, `debug`, or a filter such as `info,leadloop=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// The journal under systemd, else text.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Auto,
            level: "info".to_owned(),
        }
    }
}

/// One account at one vendor.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The vendor's name.
    pub connector: String,
    /// Lets plain HTTP to the loopback interface pass, for simulators.
    pub insecure_loopback: bool,
    /// The vendor's own settings.
    pub settings: toml::Table,
    /// The side on which its loops have it.
    pub side: Option<Side>,
}

/// One loop.
#[derive(Clone, Debug)]
pub struct LoopConfig {
    /// The marketing connection.
    pub marketing: String,
    /// The CRM connection.
    pub crm: String,
    /// The agreement's file.
    pub agreement_file: PathBuf,
    /// The agreement's text.
    pub agreement_text: String,
    /// The agreement.
    pub agreement: Arc<Agreement>,
    /// The time between two polls.
    pub every: Duration,
    /// The time in which every record held is looked up again.
    pub sweep_every: SignedDuration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    state: Option<PathBuf>,
    #[serde(default)]
    admin: Admin,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    connections: BTreeMap<String, toml::Table>,
    #[serde(default)]
    loops: BTreeMap<String, FileLoop>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLoop {
    marketing: String,
    crm: String,
    agreement: PathBuf,
    #[serde(default = "a_minute", deserialize_with = "duration")]
    every: SignedDuration,
    #[serde(default = "a_day", deserialize_with = "duration")]
    sweep_every: SignedDuration,
}

fn a_minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

fn a_day() -> SignedDuration {
    SignedDuration::from_hours(24)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map_err(serde::de::Error::custom)
}

/// A duration as people write it: `90s`, `15m`, `1h 30m`.
///
/// # Errors
/// In words, with an example.
pub fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| format!("\"{text}\" is not a duration: write 90s, 15m or 24h"))?;
    if duration.is_positive() {
        Ok(duration)
    } else {
        Err(format!(
            "\"{text}\" is not a positive duration: write 90s, 15m or 24h"
        ))
    }
}

/// What the process stands in: read once in `main`.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment.
    pub env: BTreeMap<String, String>,
}

impl Surroundings {
    fn directory(&self, name: &str) -> Option<PathBuf> {
        // systemd separates several directories by colons; ours is the first.
        self.env
            .get(name)
            .and_then(|value| value.split(':').next())
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }
}

impl Config {
    /// Reads a configuration and the agreements it names.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and remedy.
    pub fn load(file: &Path, surroundings: &Surroundings) -> Result<Config, Error> {
        let text = std::fs::read_to_string(file).map_err(|error| Error {
            file: file.to_path_buf(),
            line: None,
            message: match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "there is no such file; `leadloop init` writes one, --config names another"
                        .to_owned()
                }
                _ => format!("cannot be read: {error}"),
            },
        })?;
        Config::parse(file, text, surroundings)
    }

    fn parse(file: &Path, text: String, surroundings: &Surroundings) -> Result<Config, Error> {
        let at = |line: Option<usize>, message: String| Error {
            file: file.to_path_buf(),
            line,
            message,
        };
        let parsed: File = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            at(line, with_suggestion(error.message()))
        })?;
        let base = file.parent().unwrap_or(Path::new(""));
        let state = match parsed.state {
            Some(state) => base.join(state),
            None => surroundings
                .directory("STATE_DIRECTORY")
                .unwrap_or_else(|| base.join("state")),
        };
        let socket = parsed.admin.socket.map(|socket| base.join(socket));
        let socket = socket.or_else(|| {
            surroundings
                .directory("RUNTIME_DIRECTORY")
                .map(|directory| directory.join("admin.sock"))
        });
        let mut config = Config {
            file: file.to_path_buf(),
            admin: Admin {
                socket: Some(socket.unwrap_or_else(|| state.join("admin.sock"))),
                listen: parsed.admin.listen,
            },
            state,
            log: parsed.log,
            connections: BTreeMap::new(),
            loops: BTreeMap::new(),
            text,
        };
        for (name, table) in parsed.connections {
            let connection = connection(&name, table).map_err(|(key, message)| {
                at(
                    config.line(&format!("connections.{name}"), key.as_deref()),
                    message,
                )
            })?;
            config.connections.insert(name, connection);
        }
        for (name, parsed) in parsed.loops {
            config.add_loop(&name, parsed)?;
        }
        if config.loops.is_empty() {
            return Err(at(None, "there is no loop: add [loops.NAME] with marketing, crm and agreement; `leadloop init` writes an example".to_owned()));
        }
        Ok(config)
    }

    fn add_loop(&mut self, name: &str, parsed: FileLoop) -> Result<(), Error> {
        let section = format!("loops.{name}");
        let wrong = |config: &Config, key: &str, message: String| Error {
            file: config.file.clone(),
            line: config.line(&section, Some(key)),
            message,
        };
        if name.is_empty()
            || !name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return Err(wrong(
                self,
                "",
                format!(
                    "[loops.{name}]: a loop's name is written in a-z, 0-9 and -; it is part of every key that leadloop writes"
                ),
            ));
        }
        for (side, key, wanted) in [
            (Side::Marketing, "marketing", &parsed.marketing),
            (Side::Crm, "crm", &parsed.crm),
        ] {
            let names: Vec<&str> = self.connections.keys().map(String::as_str).collect();
            let Some(connection) = self.connections.get(wanted) else {
                let hint = nearest(wanted, &names).map_or_else(
                    || format!("there are: {}", names.join(", ")),
                    |name| format!("did you mean \"{name}\"?"),
                );
                return Err(wrong(
                    self,
                    key,
                    format!("no connection \"{wanted}\"; {hint}"),
                ));
            };
            let vendor = registry::vendor(&connection.connector);
            if vendor.is_some_and(|vendor| !vendor.sides().contains(&side)) {
                return Err(wrong(
                    self,
                    key,
                    format!("{} cannot stand on the {side} side", connection.connector),
                ));
            }
            if connection.side.is_some_and(|taken| taken != side) {
                return Err(wrong(
                    self,
                    key,
                    format!(
                        "connection \"{wanted}\" stands on both sides; make a second connection for the other side"
                    ),
                ));
            }
            if let Some(connection) = self.connections.get_mut(wanted) {
                connection.side = Some(side);
            }
        }
        let agreement_file = self
            .file
            .parent()
            .unwrap_or(Path::new(""))
            .join(&parsed.agreement);
        let agreement_text = std::fs::read_to_string(&agreement_file).map_err(|error| {
            wrong(
                self,
                "agreement",
                format!(
                    "the agreement {} cannot be read: {error}",
                    agreement_file.display()
                ),
            )
        })?;
        let agreement = agreement::parse(&agreement_text).map_err(|error| Error {
            file: agreement_file.clone(),
            line: Some(error.line),
            message: error.message,
        })?;
        let every = Duration::try_from(parsed.every)
            .map_err(|error| wrong(self, "every", error.to_string()))?;
        self.loops.insert(
            name.to_owned(),
            LoopConfig {
                marketing: parsed.marketing,
                crm: parsed.crm,
                agreement_file,
                agreement_text,
                agreement: Arc::new(agreement),
                every,
                sweep_every: parsed.sweep_every,
            },
        );
        Ok(())
    }

    /// This configuration with the state directory and the admin addresses of another, which cannot change while running.
    #[must_use]
    pub fn staying_at(self, other: &Config) -> Config {
        Config {
            state: other.state.clone(),
            admin: other.admin.clone(),
            ..self
        }
    }

    /// Builds every connection that a loop uses. Asks nobody; secrets are resolved when first needed.
    ///
    /// # Errors
    /// A vendor's settings are wrong.
    pub fn connect(
        &self,
        outside: &Outside,
    ) -> Result<BTreeMap<String, Arc<dyn Connector>>, Error> {
        let mut connectors = BTreeMap::new();
        for (name, connection) in &self.connections {
            let (Some(side), Some(vendor)) =
                (connection.side, registry::vendor(&connection.connector))
            else {
                continue;
            };
            let tools = Tools {
                connection: name.clone(),
                side,
                transport: if connection.insecure_loopback {
                    outside.loopback.clone()
                } else {
                    outside.network.clone()
                },
                clock: outside.clock.clone(),
                secrets: outside.secrets.clone(),
                keep: outside.keep.clone(),
                extra_fields: self.extra_fields(name, side),
                allow_insecure_loopback: connection.insecure_loopback,
            };
            let mut settings = connection.settings.clone();
            anchor_paths(&mut settings, self.file.parent().unwrap_or(Path::new("")));
            let connector = vendor.build(settings, tools).map_err(|error| Error {
                file: self.file.clone(),
                line: self.line(&format!("connections.{name}"), error.key.as_deref()),
                message: format!("connection {name}: {}", with_suggestion(&error.message)),
            })?;
            connectors.insert(name.clone(), connector);
        }
        Ok(connectors)
    }

    /// A fingerprint of what a connection is asked for: its settings and the fields read.
    pub fn asked(&self, connection: &str) -> String {
        use sha2::{Digest, Sha256};
        let Some(of) = self.connections.get(connection) else {
            return String::new();
        };
        let fields = of.side.map(|side| self.extra_fields(connection, side));
        let text = format!("{}\n{}\n{fields:?}", of.connector, of.settings);
        Sha256::digest(text.as_bytes())[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Fields that the agreements of a connection's loops name beyond the canonical ones.
    fn extra_fields(&self, connection: &str, side: Side) -> BTreeMap<Kind, BTreeSet<String>> {
        let mut extra: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
        let mut add = |kind, name: &str| {
            if !field::is_canonical(name) {
                extra.entry(kind).or_default().insert(name.to_owned());
            }
        };
        for config in self.loops.values() {
            if side == Side::Marketing && config.marketing == connection {
                config
                    .agreement
                    .mql
                    .own_fields()
                    .iter()
                    .for_each(|name| add(Kind::Lead, name));
                config
                    .agreement
                    .fields
                    .iter()
                    .for_each(|rule| add(Kind::Lead, &rule.marketing));
            }
            if side == Side::Crm && config.crm == connection {
                for rule in &config.agreement.fields {
                    rule.lead.iter().for_each(|name| add(Kind::Lead, name));
                    rule.contact
                        .iter()
                        .for_each(|name| add(Kind::Contact, name));
                }
            }
        }
        extra
    }

    /// The line of a key in a section of the file, or of the section, if either is found.
    fn line(&self, section: &str, key: Option<&str>) -> Option<usize> {
        let header = |line: &str| line.trim().starts_with(&format!("[{section}]"));
        let start = self.text.lines().position(header)?;
        let key = key
            .map(|key| key.split('.').next().unwrap_or(key))
            .filter(|key| !key.is_empty());
        let inside = self
            .text
            .lines()
            .enumerate()
            .skip(start + 1)
            .take_while(|(_, line)| {
                !line.trim_start().starts_with('[')
                    || line.trim_start().starts_with(&format!("[{section}."))
            });
        let found = key.and_then(|key| {
            inside
                .filter(|(_, line)| {
                    line.trim_start()
                        .trim_start_matches(&format!("[{section}."))
                        .starts_with(key)
                })
                .map(|(place, _)| place)
                .next()
        });
        Some(found.unwrap_or(start) + 1)
    }
}

/// What connections need from outside.
pub struct Outside {
    /// HTTPS only.
    pub network: Arc<dyn Transport>,
    /// Also plain HTTP to the loopback interface.
    pub loopback: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Small durable values.
    pub keep: Arc<dyn Keep>,
}

fn connection(name: &str, mut table: toml::Table) -> Result<Connection, (Option<String>, String)> {
    let names: Vec<&str> = registry::vendors()
        .iter()
        .map(|vendor| vendor.name())
        .collect();
    let connector = match table.remove("connector") {
        Some(toml::Value::String(connector)) => connector,
        Some(_) => {
            return Err((
                Some("connector".to_owned()),
                format!(
                    "connection {name}: connector is a name in quotes: {}",
                    names.join(", ")
                ),
            ));
        }
        None => {
            return Err((
                None,
                format!(
                    "connection {name} has no connector: add connector = \"…\", one of {}",
                    names.join(", ")
                ),
            ));
        }
    };
    if registry::vendor(&connector).is_none() {
        let hint = nearest(&connector, &names).map_or_else(
            || format!("there are: {}", names.join(", ")),
            |name| format!("did you mean \"{name}\"?"),
        );
        return Err((
            Some("connector".to_owned()),
            format!("connection {name}: no connector \"{connector}\"; {hint}"),
        ));
    }
    let insecure_loopback = match table.remove("insecure_loopback") {
        None => false,
        Some(toml::Value::Boolean(allowed)) => allowed,
        Some(_) => {
            return Err((
                Some("insecure_loopback".to_owned()),
                format!("connection {name}: insecure_loopback is true or false"),
            ));
        }
    };
    Ok(Connection {
        connector,
        insecure_loopback,
        settings: table,
        side: None,
    })
}

/// Relative paths in settings are meant relative to the configuration file.
fn anchor_paths(settings: &mut toml::Table, base: &Path) {
    for (key, value) in settings.iter_mut() {
        match value {
            toml::Value::String(path)
                if matches!(key.as_str(), "folder" | "out" | "file")
                    && Path::new(path.as_str()).is_relative() =>
            {
                *path = base.join(path.as_str()).to_string_lossy().into_owned();
            }
            toml::Value::Table(table) => anchor_paths(table, base),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
state = "state"

[connections.hub]
connector = "hubspot"
token = { env = "HUBSPOT_TOKEN" }

[connections.crm]
connector = "files"
folder = "exports"

[loops.main]
marketing = "hub"
crm = "crm"
agreement = "agreement.toml"
every = "90s"
"#;

    fn parse(text: &str) -> Result<Config, Error> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("agreement.toml"), agreement::TEMPLATE)
            .expect("written");
        Config::parse(
            &directory.path().join("leadloop.toml"),
            text.to_owned(),
            &Surroundings::default(),
        )
    }

    #[test]
    fn a_configuration_names_connections_and_loops() {
        let config = parse(GOOD).expect("is good");
        assert_eq!(config.loops["main"].every, Duration::from_secs(90));
        assert_eq!(config.connections["crm"].side, Some(Side::Crm));
        assert!(config.state.ends_with("state"));
    }

    #[test]
    fn each_mistake_is_told_with_its_line_and_remedy() {
        for (from, to, line, expected) in [
            (
                "every = \"90s\"",
                "evry = \"90s\"",
                16,
                "did you mean `every`",
            ),
            (
                "every = \"90s\"",
                "every = \"soon\"",
                16,
                "write 90s, 15m or 24h",
            ),
            (
                "connector = \"hubspot\"",
                "connector = \"hubsopt\"",
                5,
                "did you mean \"hubspot\"?",
            ),
            (
                "marketing = \"hub\"",
                "marketing = \"hubb\"",
                13,
                "did you mean \"hub\"?",
            ),
            (
                "crm = \"crm\"",
                "crm = \"hub\"",
                14,
                "cannot stand on the crm side",
            ),
            ("[loops.main]", "[loops.\"Main Loop\"]", 12, "a loop's name"),
            (
                "agreement = \"agreement.toml\"",
                "agreement = \"none.toml\"",
                15,
                "none.toml cannot be read",
            ),
            (
                "[connections.hub]\nconnector = \"hubspot\"",
                "[connections.hub]",
                4,
                "has no connector",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} stands in the example");
            let error = parse(&text).expect_err(to);
            assert!(error.message.contains(expected), "{to}: {error}");
            if to != "[loops.\"Main Loop\"]" {
                assert_eq!(error.line, Some(line), "{to}: {error}");
            }
        }
    }

    #[test]
    fn without_a_loop_there_is_nothing_to_do() {
        assert!(
            parse("")
                .expect_err("no loop")
                .message
                .contains("there is no loop")
        );
    }
}
