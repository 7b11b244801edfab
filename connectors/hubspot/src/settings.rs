//! The settings of a connection to HubSpot, checked once.

use jiff::SignedDuration;
use kit::{SecretRef, SettingsError};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt};
use url::Url;

/// Where HubSpot answers, whatever the region of the portal.
const HOME: &str = "https://api.hubapi.com";

/// A connection's settings as written in the configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Service key, or the token of an older private app.
    pub token: Option<SecretRef>,
    /// An app's OAuth grant, instead of `token`.
    pub oauth: Option<OAuthSettings>,
    /// Version of HubSpot's dated API.
    #[serde(default)]
    pub version: Version,
    /// Scheme, host and port.
    #[serde(default = "home")]
    pub base_url: Url,
    /// Share of the account's daily limit that leadloop may use, 0 to 1.
    #[serde(default = "half")]
    pub share: f64,
    /// At most so many calls a day, whatever the share.
    pub daily_calls: Option<u64>,
    /// At most so many calls in ten seconds.
    #[serde(default = "calls_per_10s")]
    pub calls_per_10s: u32,
    /// At most so many searches in a second; the account has five for everybody.
    #[serde(default = "searches_per_second")]
    pub searches_per_second: u32,
    /// How far each window of changes reaches back into the one before.
    #[serde(default = "overlap")]
    pub overlap: SignedDuration,
    /// How far a deep window reaches back, for what the search index shows late.
    #[serde(default = "deep_overlap")]
    pub deep_overlap: SignedDuration,
    /// How often a window is a deep one.
    #[serde(default = "ten_minutes")]
    pub deep_every: SignedDuration,
    /// How often the archived contacts are listed, to find deletions.
    #[serde(default = "ten_minutes")]
    pub deletes_every: SignedDuration,
    /// Canonical field name to HubSpot's property name, where it is not the usual one.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// An app's OAuth grant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthSettings {
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret.
    pub client_secret: SecretRef,
    /// The refresh token that the installation gave.
    pub refresh_token: SecretRef,
}

/// A dated version of HubSpot's API. The undated ones (v1 to v4) end in 2027 and are not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Version {
    /// March 2026: the account's validation rules do not apply to API writes.
    #[serde(rename = "2026-03")]
    March2026,
    /// September 2026: they do.
    #[default]
    #[serde(rename = "2026-09")]
    September2026,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::March2026 => "2026-03",
            Version::September2026 => "2026-09",
        })
    }
}

impl Settings {
    /// Reads and checks the settings.
    pub fn parse(table: toml::Table) -> Result<Settings, SettingsError> {
        let settings: Settings = kit::parse(table)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        match (&self.token, &self.oauth) {
            (None, None) => {
                return wrong(
                    "token",
                    "no credentials: give `token` (a service key) or `oauth`",
                );
            }
            (Some(_), Some(_)) => {
                return wrong(
                    "token",
                    "both `token` and `oauth` are given: keep one of them",
                );
            }
            _ => {}
        }
        if self
            .oauth
            .as_ref()
            .is_some_and(|oauth| oauth.client_id.trim().is_empty())
        {
            return wrong(
                "oauth",
                "oauth.client_id is empty: copy it from the app's auth page",
            );
        }
        if !matches!(self.base_url.path(), "" | "/")
            || self.base_url.query().is_some()
            || self.base_url.host().is_none()
        {
            return wrong(
                "base_url",
                "base_url is scheme, host and port only, such as https://api.hubapi.com",
            );
        }
        if !self.base_url.username().is_empty() || self.base_url.password().is_some() {
            return wrong(
                "base_url",
                "base_url bears no user and no password: use `token` or `oauth`",
            );
        }
        if !(self.share > 0.0 && self.share <= 1.0) {
            return wrong(
                "share",
                "share is a part of the daily limit: more than 0, at most 1",
            );
        }
        if self.daily_calls == Some(0) {
            return wrong(
                "daily_calls",
                "daily_calls = 0 would allow no call at all: leave it out for no cap",
            );
        }
        if !(1..=250).contains(&self.calls_per_10s) {
            return wrong(
                "calls_per_10s",
                "calls_per_10s is between 1 and 250, HubSpot's highest tier",
            );
        }
        if !(1..=5).contains(&self.searches_per_second) {
            return wrong(
                "searches_per_second",
                "searches_per_second is between 1 and 5, HubSpot's limit for the account",
            );
        }
        for (key, duration) in [
            ("overlap", self.overlap),
            ("deep_overlap", self.deep_overlap),
            ("deep_every", self.deep_every),
            ("deletes_every", self.deletes_every),
        ] {
            if duration < SignedDuration::from_secs(1) || duration > SignedDuration::from_hours(24)
            {
                return wrong(key, format!("{key} is between 1s and 24h"));
            }
        }
        if self.deep_overlap < self.overlap {
            return wrong(
                "deep_overlap",
                "deep_overlap is at least as long as overlap",
            );
        }
        Ok(())
    }
}

fn wrong<T>(key: &str, message: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError {
        key: Some(key.to_owned()),
        message: message.into(),
    })
}

fn home() -> Url {
    Url::parse(HOME).expect("a literal address parses")
}

fn half() -> f64 {
    0.5
}

fn calls_per_10s() -> u32 {
    100
}

fn searches_per_second() -> u32 {
    4
}

fn overlap() -> SignedDuration {
    SignedDuration::from_secs(60)
}

fn deep_overlap() -> SignedDuration {
    SignedDuration::from_mins(15)
}

fn ten_minutes() -> SignedDuration {
    SignedDuration::from_mins(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(text.parse().unwrap())
    }

    #[test]
    fn a_token_is_enough() {
        let settings = parse("token = { credential = 'hubspot.token' }").unwrap();
        assert_eq!(settings.version.to_string(), "2026-09");
        assert_eq!(settings.base_url.as_str(), "https://api.hubapi.com/");
        assert_eq!(
            (settings.calls_per_10s, settings.searches_per_second),
            (100, 4)
        );
        assert_eq!(settings.overlap, SignedDuration::from_secs(60));
    }

    #[test]
    fn durations_are_friendly() {
        let settings =
            parse("token = { env = 'T' }\noverlap = '90s'\ndeep_overlap = '1h 30m'").unwrap();
        assert_eq!(settings.overlap, SignedDuration::from_secs(90));
        assert_eq!(settings.deep_overlap, SignedDuration::from_mins(90));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, key, part) in [
            ("", "token", "no credentials"),
            (
                "token = { env = 'T' }\noauth = { client_id = 'x', client_secret = { env = 'S' }, refresh_token = { env = 'R' } }",
                "token",
                "keep one",
            ),
            ("token = { env = 'T' }\nshare = 1.5", "share", "at most 1"),
            (
                "token = { env = 'T' }\nbase_url = 'https://api.hubapi.com/crm'",
                "base_url",
                "only",
            ),
            (
                "token = { env = 'T' }\nbase_url = 'https://a:b@api.hubapi.com'",
                "base_url",
                "no password",
            ),
            (
                "token = { env = 'T' }\nsearches_per_second = 9",
                "searches_per_second",
                "5",
            ),
            ("token = { env = 'T' }\noverlap = '0s'", "overlap", "1s"),
            (
                "token = { env = 'T' }\noverlap = '1h'",
                "deep_overlap",
                "at least",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.key.as_deref(), Some(key), "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }

    #[test]
    fn unknown_keys_old_versions_and_plain_secrets_are_refused() {
        assert!(parse("token = { env = 'T' }\nspeed = 9").is_err());
        assert!(parse("token = { env = 'T' }\nversion = 'v3'").is_err());
        assert!(parse("token = 'pat-na1-0000'").is_err());
    }
}
