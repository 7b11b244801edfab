//! Typed settings out of a configuration's table.

use serde::de::DeserializeOwned;

/// What is wrong with a connection's settings.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// The key, where one is to blame.
    pub key: Option<String>,
    /// What is wrong, and the remedy.
    pub message: String,
}

/// Reads a vendor's typed settings. The types deny unknown fields; serde's message lists what is
/// known.
///
/// # Errors
/// Names the key that is wrong.
pub fn parse<T: DeserializeOwned>(settings: toml::Table) -> Result<T, SettingsError> {
    let keys: Vec<String> = settings.keys().cloned().collect();
    settings.try_into().map_err(|error: toml::de::Error| {
        let message = error.message().to_owned();
        // The path of keys stands only in the error's whole text, on a line of its own; a message
        // on an unknown or missing key names it itself.
        let text = error.to_string();
        let path = text
            .lines()
            .find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
        let named = || {
            keys.into_iter()
                .find(|key| message.contains(&format!("`{key}`")))
        };
        let key = path.map(str::to_owned).or_else(named);
        let message = match &key {
            Some(key) if !message.contains(&format!("`{key}`")) => format!("`{key}`: {message}"),
            _ => message,
        };
        SettingsError { key, message }
    })
}
