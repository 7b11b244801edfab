use jiff::SignedDuration;
use std::{collections::BTreeSet, sync::Arc};

/// An app that may ask for tokens.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its key, the OAuth client id.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The public key (PEM) that its JWT assertions are checked with; without one the signature is not looked at.
    pub public_key: Option<String>,
}

/// How the simulated org is set up. Everything that a test may want to turn is here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The app that integrations use.
    pub consumer: Consumer,
    /// The integration's user; `client_credentials` runs as this user too.
    pub username: String,
    /// That user's password, for the password grant and SOAP `login`.
    pub password: String,
    /// The refresh token that is good at the start.
    pub refresh_token: String,
    /// Whether each refresh gives a new refresh token and ends the old one.
    pub rotates_refresh_tokens: bool,
    /// Whether the host that the requests come to is the org's My Domain. Elsewhere `client_credentials` is refused.
    pub my_domain: bool,
    /// How long an access token is good.
    pub session_life: SignedDuration,
    /// The longest time between a row's stamp and its appearance: rows get stamps up to this much older than the
    /// moment from which they can be read, each row its own share of it.
    pub commit_lag: SignedDuration,
    /// Calls per day.
    pub daily_limit: u64,
    /// The newest API version.
    pub newest_version: u32,
    /// The oldest API version that still answers; older ones answer 410.
    pub oldest_version: u32,
    /// Most rows on one page of a query.
    pub page_size: usize,
    /// How long a query locator is good.
    pub locator_life: SignedDuration,
    /// How far back the deletion log and the recycle bin reach.
    pub delete_log: SignedDuration,
    /// Whether the duplicate rules on e-mail (contacts, unconverted leads) are active for what the API creates.
    pub duplicate_rules: bool,
    /// Whether `Sforce-Duplicate-Rule-Header: allowSave=true` overrides them.
    pub duplicates_may_be_saved: bool,
    /// Whether picklists refuse values that they do not list.
    pub restricted_picklists: bool,
    /// Whether opportunities bear a currency.
    pub multi_currency: bool,
    /// Fields, as `Object.Field`, that field-level security hides from the integration.
    pub hidden_fields: BTreeSet<String>,
    /// A customer's validation rule.
    pub validation: Option<ValidationRule>,
    /// The chance, from 0 to 1, that a write finds its row locked.
    pub lock_chance: f64,
    /// What chance is drawn from.
    pub seed: u64,
    /// How long a bulk job takes after its upload.
    pub bulk_delay: SignedDuration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            consumer: Consumer {
                key: "3MVG9-leadloop-simulator".to_owned(),
                secret: "consumer-secret".to_owned(),
                public_key: None,
            },
            username: "integration@leadloop.example".to_owned(),
            password: "password".to_owned(),
            refresh_token: "5Aep861-first".to_owned(),
            rotates_refresh_tokens: false,
            my_domain: true,
            session_life: SignedDuration::from_hours(2),
            commit_lag: SignedDuration::from_secs(1),
            daily_limit: 100_000,
            newest_version: 68,
            oldest_version: 31,
            page_size: 2_000,
            locator_life: SignedDuration::from_hours(48),
            delete_log: SignedDuration::from_hours(15 * 24),
            duplicate_rules: true,
            duplicates_may_be_saved: true,
            restricted_picklists: false,
            multi_currency: false,
            hidden_fields: BTreeSet::new(),
            validation: None,
            lock_chance: 0.0,
            seed: 0,
            bulk_delay: SignedDuration::from_secs(2),
        }
    }
}

/// Looks at an object's name and the values a record is about to have, and says what is wrong with them.
#[derive(Clone)]
pub struct ValidationRule(pub Arc<Rule>);

/// The function inside a [`ValidationRule`].
pub type Rule = dyn Fn(&str, &crate::world::Values) -> Option<String> + Send + Sync;

impl std::fmt::Debug for ValidationRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ValidationRule")
    }
}
