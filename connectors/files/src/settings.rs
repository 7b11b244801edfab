use crate::dialect::Dialect;
use contract::Kind;
use kit::SettingsError;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// A connection's settings, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where the exports lie.
    pub folder: PathBuf,
    /// Where import files go; `import` below the folder if absent.
    pub out: Option<PathBuf>,
    /// Whose exports they are.
    #[serde(default)]
    pub format: Format,
    /// Own column headings, by kind and canonical name.
    #[serde(default)]
    pub columns: BTreeMap<Kind, BTreeMap<String, String>>,
    /// What separates cells; found out where absent.
    delimiter: Option<String>,
    /// How text is encoded.
    #[serde(default)]
    pub encoding: Encoding,
    /// What it means that a record is no longer in the exports.
    #[serde(default)]
    pub missing: Missing,
    /// Zone of times that carry none; UTC if absent.
    pub time_zone: Option<String>,
    /// Whether `1/2/2026` is the first of February.
    #[serde(default)]
    pub day_first: bool,
    /// Status that a converted lead gets; found out from converted leads where absent.
    pub converted_status: Option<String>,
}

/// Whose exports they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Found out from the headings.
    #[default]
    Auto,
    /// HubSpot's export of contacts, companies and deals.
    Hubspot,
    /// Salesforce's Data Loader, data export and reports.
    Salesforce,
    /// leadloop's own names.
    Canonical,
}

impl Format {
    /// The dialects that a file may be in.
    pub fn dialects(self) -> &'static [Dialect] {
        match self {
            Format::Auto => &[Dialect::Salesforce, Dialect::Hubspot, Dialect::Canonical],
            Format::Hubspot => &[Dialect::Hubspot],
            Format::Salesforce => &[Dialect::Salesforce],
            Format::Canonical => &[Dialect::Canonical],
        }
    }
}

/// How text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Encoding {
    /// UTF-8, and Windows-1252 for rows that are not.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// UTF-8 and nothing else.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows-1252, as older spreadsheets save.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// What it means that a record is no longer in the exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Missing {
    /// Nothing: exports are often partial.
    #[default]
    Kept,
    /// It was deleted: every export is complete.
    Deleted,
}

impl Settings {
    /// Reads and checks settings.
    pub fn read(settings: toml::Table) -> Result<Settings, SettingsError> {
        let settings: Settings = kit::parse(settings)?;
        let wrong = |key: &str, message: &str| SettingsError {
            key: Some(key.to_owned()),
            message: message.to_owned(),
        };
        if settings.folder.as_os_str().is_empty() {
            return Err(wrong(
                "folder",
                "`folder` is empty: name the folder that holds the CSV exports",
            ));
        }
        if settings.out() == settings.folder {
            return Err(wrong(
                "out",
                "`out` is the folder of the exports itself, where import files would be read as exports: name another",
            ));
        }
        if settings.delimiter.is_some() && settings.delimiter().is_none() {
            return Err(wrong(
                "delimiter",
                "`delimiter` is \",\", \";\" or \"tab\"; leave it out to have it found out",
            ));
        }
        Ok(settings)
    }

    /// Where import files go.
    pub fn out(&self) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| self.folder.join("import"))
    }

    /// What separates cells, where that is settled.
    pub fn delimiter(&self) -> Option<u8> {
        match self.delimiter.as_deref()? {
            "," => Some(b','),
            ";" => Some(b';'),
            "tab" | "\t" => Some(b'\t'),
            _ => None,
        }
    }
}
