//! Rehearsals: simulated vendors that leadloop can be tried on, by name. One line each.

use jiff::{SignedDuration, Timestamp};
use kit::{Side, SystemClock};
use simulator::{Dialect, Site, hubspot, salesforce};
use std::sync::Arc;

/// A vendor that can be simulated.
pub struct Rehearsal {
    /// The vendor's name, as in `connector = "…"`.
    pub vendor: &'static str,
    /// On which side it stands.
    pub side: Side,
    /// Builds the vendor's world.
    pub dialect: fn(seed: u64, now: Timestamp) -> Box<dyn Dialect>,
    /// Settings of a connection to it at this address.
    pub connection: fn(origin: &str) -> String,
    /// How a person signs in, in one line.
    pub sign_in: &'static str,
}

/// Every vendor that can be simulated.
pub const REHEARSALS: [Rehearsal; 2] = [
    Rehearsal {
        vendor: "hubspot",
        side: Side::Marketing,
        dialect: |_, _| {
            Box::new(hubspot::HubSpot::new(hubspot::Knobs {
                tokens: [(TOKEN.to_owned(), hubspot::Scopes::All)].into(),
                ..hubspot::Knobs::unlimited()
            }))
        },
        connection: hubspot_connection,
        sign_in: "token simulated-token",
    },
    Rehearsal {
        vendor: "salesforce",
        side: Side::Crm,
        dialect: |seed, now| Box::new(salesforce::Salesforce::new(salesforce_settings(seed), now)),
        connection: salesforce_connection,
        sign_in: "client simulated-client, secret simulated-secret, user integration@example.com, password simulated-password",
    },
];

/// The rehearsal of this vendor.
pub fn rehearsal(vendor: &str) -> Option<&'static Rehearsal> {
    REHEARSALS
        .iter()
        .find(|rehearsal| rehearsal.vendor == vendor)
}

/// Environment variables that carry the rehearsals' secrets; they protect nothing.
pub const SECRETS: [(&str, &str); 2] = [
    ("LEADLOOP_REHEARSAL_TOKEN", TOKEN),
    ("LEADLOOP_REHEARSAL_SECRET", "simulated-secret"),
];

const TOKEN: &str = "simulated-token";

fn salesforce_settings(seed: u64) -> salesforce::Settings {
    salesforce::Settings {
        consumer: salesforce::Consumer {
            key: "simulated-client".to_owned(),
            secret: "simulated-secret".to_owned(),
            public_key: None,
        },
        username: "integration@example.com".to_owned(),
        password: "simulated-password".to_owned(),
        daily_limit: 1_000_000,
        session_life: SignedDuration::from_mins(10),
        seed,
        ..salesforce::Settings::default()
    }
}

fn hubspot_connection(origin: &str) -> String {
    format!(
        r#"connector = "hubspot"
insecure_loopback = true
base_url = "{origin}"
token = {{ env = "LEADLOOP_REHEARSAL_TOKEN" }}
calls_per_10s = 250
overlap = "20s"
deletes_every = "10s"
"#
    )
}

fn salesforce_connection(origin: &str) -> String {
    format!(
        r#"connector = "salesforce"
insecure_loopback = true
login_url = "{origin}"
client_credentials = {{ client_id = "simulated-client", client_secret = {{ env = "LEADLOOP_REHEARSAL_SECRET" }} }}
overlap = "20s"
fields.contact = {{ status = "Contact_Status__c", status_reason = "Contact_Status_Reason__c" }}
fields.lead = {{ status_reason = "Status_Reason__c" }}
fields.account = {{ domains = "Domains__c" }}
fields.opportunity = {{ lost_reason = "Lost_Reason__c" }}
"#
    )
}

/// Two worlds with a believable population, deterministic by seed.
pub struct Worlds {
    /// Marketing's world.
    pub marketing: Site,
    /// The CRM's world.
    pub crm: Site,
    /// What was staged.
    pub staged: simulator::population::Staged,
}

impl Worlds {
    /// Builds and populates the worlds of two vendors.
    pub fn build(
        marketing: &Rehearsal,
        crm: &Rehearsal,
        seed: u64,
        leads: usize,
        accounts: usize,
    ) -> Worlds {
        let now = Timestamp::now();
        let clock = Arc::new(SystemClock);
        let mut marketing = (marketing.dialect)(seed, now);
        let mut crm = (crm.dialect)(seed, now);
        let options = simulator::population::Options {
            seed,
            leads,
            accounts,
            start: now,
        };
        let staged = simulator::population::populate(marketing.as_mut(), crm.as_mut(), &options);
        Worlds {
            marketing: Site::boxed(marketing, clock.clone()),
            crm: Site::boxed(crm, clock),
            staged,
        }
    }
}
