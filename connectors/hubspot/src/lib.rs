//! leadloop's connector to HubSpot.
//!
//! HubSpot stands on the marketing side: its contacts are leads, its owners are users, and its notes are what sales has
//! to say on a lead's timeline. Companies, deals and HubSpot's own lead objects are absent: they are the CRM's matter.
//!
//! Changes are found by search and read from the records themselves, since the search index lags. Writes go in batches of
//! 100 and are judged entry by entry. Only dated versions of the API are spoken; the undated ones end in 2027.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod settings;

mod mapping;

mod wire;

mod problem;

mod reply;

mod position;

mod connector;

mod read;

mod find;

mod notes;

mod plan;

mod judge;

mod send;

mod opt_out;

mod write;

mod probe;

#[cfg(test)]
mod scripted;

use crate::{connector::Portal, settings::Settings};
use contract::Connector;
use kit::{SettingsError, Side, Tools, Vendor};
use std::sync::Arc;

/// HubSpot, for the registry.
#[derive(Clone, Copy, Debug)]
pub struct HubSpot;

/// The one HubSpot there is.
pub static VENDOR: HubSpot = HubSpot;

impl Vendor for HubSpot {
    fn name(&self) -> &'static str {
        "hubspot"
    }

    fn sides(&self) -> &'static [Side] {
        &[Side::Marketing]
    }

    fn template(&self, _: Side) -> &'static str {
        include_str!("template.toml")
    }

    fn build(
        &self,
        settings: toml::Table,
        tools: Tools,
    ) -> Result<Arc<dyn Connector>, SettingsError> {
        let settings = Settings::parse(settings)?;
        Ok(Arc::new(Portal::new(settings, &tools)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_a_valid_configuration() {
        // What is commented out starts right after the sign; what explains has a blank there.
        let commented_in: String = VENDOR
            .template(Side::Marketing)
            .lines()
            .filter(|line| !line.starts_with("# ") && !line.starts_with("#oauth"))
            .map(|line| line.trim_start_matches('#').to_owned() + "\n")
            .collect();
        assert!(commented_in.contains("deep_every = "));
        for text in [VENDOR.template(Side::Marketing), &commented_in] {
            Settings::parse(text.parse().unwrap()).unwrap();
        }
    }
}
