//! What an operator may set for a Salesforce connection.

use contract::Kind;
use kit::{SecretRef, SettingsError};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{collections::BTreeMap, time::Duration};
use url::Url;

/// The settings of one connection, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) jwt: Option<Jwt>,
    #[serde(alias = "client-credentials")]
    pub(crate) client_credentials: Option<ClientCredentials>,
    #[serde(alias = "refresh-token")]
    pub(crate) refresh_token: Option<RefreshToken>,
    #[serde(default = "login_url", deserialize_with = "url")]
    pub(crate) login_url: Url,
    #[serde(default = "version")]
    pub(crate) version: String,
    #[serde(default = "share")]
    pub(crate) share: f64,
    pub(crate) daily_calls: Option<u64>,
    #[serde(default = "overlap", deserialize_with = "duration")]
    pub(crate) overlap: Duration,
    #[serde(default = "settle", deserialize_with = "duration")]
    pub(crate) settle: Duration,
    pub(crate) convert_status: Option<String>,
    pub(crate) convert_owner: Option<String>,
    #[serde(default)]
    pub(crate) assignment_rules: bool,
    #[serde(default)]
    pub(crate) fields: BTreeMap<Kind, BTreeMap<String, String>>,
    #[serde(default = "key_field")]
    pub(crate) key_field: String,
    #[serde(default = "note_status")]
    pub(crate) note_status: String,
}

/// JWT bearer flow: nothing to rotate and nobody to sign in, the best for a daemon.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jwt {
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) key: SecretRef,
    pub(crate) audience: Option<String>,
}

/// Client credentials flow: the app runs as the user its administrator chose.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCredentials {
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretRef,
}

/// Refresh token flow: somebody signed in once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshToken {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<SecretRef>,
    pub(crate) refresh_token: SecretRef,
}

/// The one way to sign in that was chosen.
pub(crate) enum SignIn {
    Jwt(Jwt),
    ClientCredentials(ClientCredentials),
    RefreshToken(RefreshToken),
}

impl Settings {
    /// Checks what types cannot say, and takes the way to sign in.
    pub(crate) fn check(&self, allow_insecure_loopback: bool) -> Result<SignIn, SettingsError> {
        self.check_login_url(allow_insecure_loopback)?;
        if !is_version(&self.version) {
            return wrong(
                "version",
                format!(
                    "version `{}` is not of the form `v68.0`, at least v50.0",
                    self.version
                ),
            );
        }
        if !(self.share > 0.0 && self.share <= 1.0) {
            return wrong(
                "share",
                format!("share {} must be above 0 and at most 1", self.share),
            );
        }
        if self.daily_calls == Some(0) {
            return wrong(
                "daily_calls",
                "daily_calls 0 would stop the connection; leave it out to use `share` alone"
                    .to_owned(),
            );
        }
        if self.overlap < Duration::from_secs(1) || self.overlap > Duration::from_secs(24 * 3600) {
            return wrong("overlap", "overlap must be between 1s and 24h".to_owned());
        }
        if self.settle < Duration::from_secs(1) || self.settle > Duration::from_secs(3600) {
            return wrong("settle", "settle must be between 1s and 1h".to_owned());
        }
        if !is_name(&self.key_field) {
            return wrong(
                "key_field",
                format!(
                    "key_field `{}` is not the API name of a field",
                    self.key_field
                ),
            );
        }
        if let Some(owner) = &self.convert_owner
            && !crate::wire::is_id(owner)
        {
            return wrong(
                "convert_owner",
                format!("convert_owner `{owner}` is not a user's id of 15 or 18 characters (005…)"),
            );
        }
        for (kind, fields) in &self.fields {
            if let Some((canonical, native)) = fields.iter().find(|(_, native)| !is_name(native)) {
                return wrong(
                    "fields",
                    format!(
                        "fields.{kind}.{canonical} = `{native}` is not the API name of a field"
                    ),
                );
            }
        }
        self.sign_in()
    }

    fn check_login_url(&self, allow_insecure_loopback: bool) -> Result<(), SettingsError> {
        let url = &self.login_url;
        let loopback = is_loopback(url);
        if url.scheme() != "https"
            && !(url.scheme() == "http" && loopback && allow_insecure_loopback)
        {
            return wrong(
                "login_url",
                format!("login_url `{url}` must begin with https://"),
            );
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.host_str().is_none()
            || !bare
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return wrong(
                "login_url",
                format!(
                    "login_url `{url}` must be a host alone, such as https://example.my.salesforce.com"
                ),
            );
        }
        if self.client_credentials.is_some() && is_login_host(url) {
            let message = format!(
                "client credentials are not accepted on {}: set login_url to the org's My Domain, https://<name>.my.salesforce.com",
                url.host_str().unwrap_or_default()
            );
            return wrong("login_url", message);
        }
        Ok(())
    }

    fn sign_in(&self) -> Result<SignIn, SettingsError> {
        match (
            self.jwt.clone(),
            self.client_credentials.clone(),
            self.refresh_token.clone(),
        ) {
            (Some(jwt), None, None) => Ok(SignIn::Jwt(jwt)),
            (None, Some(client), None) => Ok(SignIn::ClientCredentials(client)),
            (None, None, Some(refresh)) => Ok(SignIn::RefreshToken(refresh)),
            _ => wrong(
                "jwt",
                "set exactly one of `jwt`, `client_credentials` and `refresh_token`".to_owned(),
            ),
        }
    }
}

impl Jwt {
    /// Whom the assertion is made out to: Salesforce takes the login host of the kind of org, not
    /// the My Domain.
    pub(crate) fn audience(&self, login_url: &Url) -> String {
        let host = login_url.host_str().unwrap_or_default();
        let sandbox = host == "test.salesforce.com" || host.contains(".sandbox.");
        let default = if sandbox {
            "https://test.salesforce.com"
        } else {
            "https://login.salesforce.com"
        };
        self.audience.clone().unwrap_or_else(|| default.to_owned())
    }
}

/// Whether a text is an API name, and so can stand in SOQL as it is.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 255
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .and_then(|rest| rest.strip_suffix(".0"))
        .and_then(|number| number.parse::<u16>().ok())
        .is_some_and(|number| (50..1000).contains(&number))
}

fn is_login_host(url: &Url) -> bool {
    matches!(
        url.host_str(),
        Some("login.salesforce.com" | "test.salesforce.com")
    )
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn wrong<T>(key: &str, message: String) -> Result<T, SettingsError> {
    Err(SettingsError {
        key: Some(key.to_owned()),
        message,
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let signed: jiff::SignedDuration = text.parse().map_err(|_| {
        D::Error::custom(format!("`{text}` is not a duration such as `10m` or `3s`"))
    })?;
    Duration::try_from(signed).map_err(|_| D::Error::custom(format!("`{text}` is negative")))
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    Url::parse(&text)
        .map_err(|error| D::Error::custom(format!("`login_url` is not a URL: {error}")))
}

fn login_url() -> Url {
    Url::parse("https://login.salesforce.com").expect("a literal that parses")
}

fn version() -> String {
    "v68.0".to_owned()
}

fn share() -> f64 {
    0.2
}

fn overlap() -> Duration {
    Duration::from_secs(600)
}

fn settle() -> Duration {
    Duration::from_secs(3)
}

fn key_field() -> String {
    "Leadloop_Key__c".to_owned()
}

fn note_status() -> String {
    "Completed".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<SignIn, String> {
        let table: toml::Table = text.parse().unwrap();
        let settings: Settings = kit::parse(table).map_err(|error| error.to_string())?;
        settings.check(false).map_err(|error| error.to_string())
    }

    fn refused(text: &str, word: &str) {
        let message = check(text)
            .err()
            .unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(message.contains(word), "{message}");
    }

    const JWT: &str = "jwt = { client_id = 'a', username = 'b', key = { env = 'K' } }\n";

    #[test]
    fn one_way_to_sign_in_is_enough_and_two_are_too_many() {
        assert!(matches!(check(JWT), Ok(SignIn::Jwt(_))));
        refused("", "exactly one");
        let both =
            format!("{JWT}refresh_token = {{ client_id = 'a', refresh_token = {{ env = 'R' }} }}");
        refused(&both, "exactly one");
    }

    #[test]
    fn client_credentials_need_my_domain() {
        let client = "client_credentials = { client_id = 'a', client_secret = { env = 'S' } }\n";
        refused(client, "My Domain");
        refused(
            &format!("{client}login_url = 'https://test.salesforce.com'"),
            "My Domain",
        );
        assert!(
            check(&format!(
                "{client}login_url = 'https://acme.my.salesforce.com'"
            ))
            .is_ok()
        );
    }

    #[test]
    fn what_cannot_work_is_refused_at_build() {
        refused(&format!("{JWT}version = 'latest'"), "v68.0");
        refused(&format!("{JWT}version = 'v40.0'"), "v50.0");
        refused(&format!("{JWT}share = 0.0"), "share");
        refused(&format!("{JWT}overlap = 'soon'"), "duration");
        refused(
            &format!("{JWT}login_url = 'http://acme.my.salesforce.com'"),
            "https",
        );
        refused(
            &format!("{JWT}login_url = 'https://acme.my.salesforce.com/x'"),
            "host alone",
        );
        refused(&format!("{JWT}key_field = 'Key__c FROM User'"), "key_field");
        refused(&format!("{JWT}convert_owner = 'Ada'"), "convert_owner");
        refused(
            &format!("{JWT}fields = {{ lead = {{ score = 'Score c' }} }}"),
            "fields.lead.score",
        );
        refused(&format!("{JWT}colour = 'red'"), "colour");
    }

    #[test]
    fn a_sandbox_is_addressed_as_such() {
        let jwt = Jwt {
            client_id: "a".into(),
            username: "b".into(),
            key: SecretRef::Env("K".into()),
            audience: None,
        };
        let audience = |url: &str| jwt.audience(&Url::parse(url).unwrap());
        assert_eq!(
            audience("https://acme.my.salesforce.com"),
            "https://login.salesforce.com"
        );
        assert_eq!(
            audience("https://acme--dev.sandbox.my.salesforce.com"),
            "https://test.salesforce.com"
        );
    }
}
