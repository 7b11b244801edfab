//! The face that a vendor shows to the daemon, and what the daemon hands to it.

use crate::{Clock, Keep, Secrets, SettingsError, Transport};
use contract::{Connector, Kind};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// Which side of a loop a connection stands on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Marketing automation.
    Marketing,
    /// The CRM.
    Crm,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Marketing => "marketing",
            Side::Crm => "crm",
        })
    }
}

/// What a connector is built with: everything that is not its settings.
#[derive(Clone)]
pub struct Tools {
    /// The connection's name, for logs and for what is kept.
    pub connection: String,
    /// On which side the connection stands in its loop.
    pub side: Side,
    /// Carries requests.
    pub transport: Arc<dyn Transport>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Resolves references to secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Keeps small values durably: rotated tokens, spent quota.
    pub keep: Arc<dyn Keep>,
    /// Fields that the agreement names beyond the canonical ones, by kind, under the vendor's own names. To be read too.
    pub extra_fields: BTreeMap<Kind, BTreeSet<String>>,
    /// Lets plain HTTP to the loopback interface pass, for simulators.
    pub allow_insecure_loopback: bool,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools")
            .field("connection", &self.connection)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// A vendor as the daemon's registry knows it.
pub trait Vendor: Send + Sync {
    /// The name that a connection's `connector` setting gives (`hubspot`).
    fn name(&self) -> &'static str;

    /// On which sides it can stand.
    fn sides(&self) -> &'static [Side];

    /// Commented settings for a new configuration: the TOML lines below `connector = "…"`, for this side.
    fn template(&self, side: Side) -> &'static str;

    /// Builds a connector from its settings (all keys of the connection but `connector`). Pure: asks nobody and reads nothing; secrets are resolved when first needed.
    ///
    /// # Errors
    /// Names the key that is wrong and what would be right.
    fn build(
        &self,
        settings: toml::Table,
        tools: Tools,
    ) -> Result<Arc<dyn Connector>, SettingsError>;
}
