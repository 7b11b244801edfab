//! What every org is founded with: its people, its lead statuses, its stages.

use super::Salesforce;
use crate::world::{Actor, Values};
use jiff::Timestamp;

impl Salesforce {
    /// What every org has from the start.
    pub(super) fn found(&mut self, now: Timestamp) {
        let profile = self.put("Profile", &[("Name", "System Administrator")], now);
        let username = self.settings.username.clone();
        let users = [
            ("Ada Admin", "admin@leadloop.example"),
            ("Integration User", username.as_str()),
            ("Automated Process", "autoproc@leadloop.example"),
        ];
        for (name, username) in users {
            let (first, last) = name.split_once(' ').unwrap_or(("", name));
            let values = [
                ("Username", username),
                ("Email", username),
                ("Name", name),
                ("FirstName", first),
                ("LastName", last),
                ("Alias", &first[..3]),
                ("IsActive", "true"),
                ("UserType", "Standard"),
                ("TimeZoneSidKey", "UTC"),
                ("ProfileId", &profile),
            ];
            self.put("User", &values, now);
        }
        let organization = [
            ("Name", "Example GmbH"),
            ("OrganizationType", "Enterprise Edition"),
            ("IsSandbox", "false"),
            ("InstanceName", "SIM1"),
            ("LanguageLocaleKey", "en_US"),
            ("TimeZoneSidKey", "UTC"),
            ("DefaultCurrencyIsoCode", "EUR"),
        ];
        self.put("Organization", &organization, now);
        let statuses = [
            ("Open - Not Contacted", "true", "false"),
            ("Working - Contacted", "false", "false"),
            ("Closed - Not Converted", "false", "false"),
            ("Recycled", "false", "false"),
            ("Closed - Converted", "false", "true"),
        ];
        for (order, (name, default, converted)) in (1..).zip(statuses) {
            self.put(
                "LeadStatus",
                &[
                    ("MasterLabel", name),
                    ("ApiName", name),
                    ("SortOrder", &order.to_string()),
                    ("IsDefault", default),
                    ("IsConverted", converted),
                ],
                now,
            );
        }
        let stages = [
            ("Prospecting", "10", "Pipeline", "false", "false"),
            ("Qualification", "10", "Pipeline", "false", "false"),
            ("Proposal/Price Quote", "75", "Best Case", "false", "false"),
            ("Negotiation/Review", "90", "Commit", "false", "false"),
            ("Closed Won", "100", "Closed", "true", "true"),
            ("Closed Lost", "0", "Omitted", "true", "false"),
        ];
        for (order, (name, probability, forecast, closed, won)) in (1..).zip(stages) {
            self.put(
                "OpportunityStage",
                &[
                    ("MasterLabel", name),
                    ("ApiName", name),
                    ("SortOrder", &order.to_string()),
                    ("DefaultProbability", probability),
                    ("ForecastCategoryName", forecast),
                    ("IsActive", "true"),
                    ("IsClosed", closed),
                    ("IsWon", won),
                ],
                now,
            );
        }
    }

    pub(super) fn put(&mut self, table: &str, values: &[(&str, &str)], now: Timestamp) -> String {
        let id = self.fresh_id(table);
        let fields: Values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.world.insert(table, &id, fields, Actor::System, now);
        id
    }
}
