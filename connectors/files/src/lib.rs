//! A folder of CSV exports as either side of a loop, so that leadloop can be tried on one's own data without any
//! credentials: HubSpot's and Salesforce's exports are known by their headings, others by `columns`.
//!
//! What leadloop writes becomes files for the vendor's importer, in the vendor's own headings, one for each kind and
//! operation (`contacts-create.csv`). Whether they are imported is up to whoever looks at them. Until exports show it,
//! what was written counts as done: reading answers with the exports and the pending writes laid over them, so that a
//! second run owes nothing, even where leadloop's own state was deleted. What is pending is kept beside the import files
//! in `leadloop-pending.json`.
//!
//! | in the folder of import files | means |
//! |---|---|
//! | a file stays as it was made | its rows wait; new ones join them, and those that exports show are dropped |
//! | a file is moved away | it is being imported: its rows still count as done and are not written again |
//! | a file was edited | the same; it is put aside as `…-1.csv` before a new one is made |
//!
//! What leadloop made and no export shows yet has the id `new:<leadloop_key>`, and the contact of a conversion
//! `new:<lead id>`. Once an export shows them, the stream tells of it as a merge.
//!
//! HubSpot takes opt-outs by a list of its own ("opt-out list"), not by a column: rows of `leads-update.csv` in which
//! `Unsubscribed from all email` is true have to be imported as such a list too.
//!
//! Absent on purpose: other formats than CSV, folders in folders, and importing.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod connector;
mod describe;
mod dialect;
mod export;
mod find;
mod folder;
mod import;
mod labels;
mod overlay;
mod pending;
mod recognise;
mod settings;
mod sheet;
mod snapshot;
mod store;
mod table;
mod value;
mod view;
mod write;

use contract::Connector;
use kit::{SettingsError, Side, Tools, Vendor};
use std::sync::Arc;

/// Folders of CSV exports.
#[derive(Debug)]
pub struct Files;

impl Vendor for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn sides(&self) -> &'static [Side] {
        &[Side::Marketing, Side::Crm]
    }

    fn template(&self, side: Side) -> &'static str {
        match side {
            Side::Marketing => MARKETING,
            Side::Crm => CRM,
        }
    }

    fn build(
        &self,
        settings: toml::Table,
        tools: Tools,
    ) -> Result<Arc<dyn Connector>, SettingsError> {
        let settings = settings::Settings::read(settings)?;
        let folder = folder::Folder::new(settings, tools.side, tools.extra_fields.clone());
        Ok(Arc::new(connector::Exports::new(folder, &tools)))
    }
}

const MARKETING: &str = r#"# The folder that holds marketing's exports as CSV: all contacts, with their record ids.
folder = "/var/lib/leadloop/exports/marketing"
# Where files for the importer go. Import them, then move them away and put a new export into the folder.
# HubSpot takes opt-outs only as an opt-out list: import rows with "Unsubscribed from all email" as one, too.
# out = "/var/lib/leadloop/exports/marketing/import"
# Whose headings: "hubspot", "salesforce", "canonical" (leadloop's own names), or "auto".
# format = "auto"
# "deleted" if every export is complete, so that what is missing was deleted.
# missing = "kept"
# Zone of times that carry none, and whether 1/2/2026 is the first of February.
# time_zone = "Europe/Berlin"
# day_first = false
# Found out if absent: "," ";" or "tab". And "auto", "utf-8" or "windows-1252".
# delimiter = ","
# encoding = "auto"
# Headings of your own, by leadloop's name for the field.
# columns = { lead = { company = "Firma", opt_out = "Abgemeldet" } }
"#;

const CRM: &str = r#"# The folder that holds the CRM's exports as CSV: Account.csv, Contact.csv, Lead.csv, Opportunity.csv,
# OpportunityContactRole.csv and User.csv, with their ids.
folder = "/var/lib/leadloop/exports/crm"
# Where files for the importer go. Import them, then move them away and put new exports into the folder.
# out = "/var/lib/leadloop/exports/crm/import"
# Whose headings: "hubspot", "salesforce", "canonical" (leadloop's own names), or "auto".
# format = "auto"
# "deleted" if every export is complete, so that what is missing was deleted.
# missing = "kept"
# The status of converted leads; if absent, the one that most converted leads have.
# converted_status = "Closed - Converted"
# Zone of times that carry none, and whether 1/2/2026 is the first of February.
# time_zone = "Europe/Berlin"
# day_first = false
# Found out if absent: "," ";" or "tab". And "auto", "utf-8" or "windows-1252".
# delimiter = ","
# encoding = "auto"
# Headings of your own, by leadloop's name for the field.
# columns = { account = { domains = "E-mail domains" }, contact = { status = "Contact status" } }
"#;
