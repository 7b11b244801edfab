use super::{Object, Property, property::label};
use std::collections::BTreeMap;

/// The lifecycle stages of a fresh portal, in order: writes over the API only move forward along it.
pub(in crate::hubspot) const LIFECYCLE: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

const LEAD_STATUS: [&str; 8] = [
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "ATTEMPTED_TO_CONTACT",
    "CONNECTED",
    "BAD_TIMING",
];

const SOURCES: [&str; 11] = [
    "ORGANIC_SEARCH",
    "PAID_SEARCH",
    "EMAIL_MARKETING",
    "SOCIAL_MEDIA",
    "REFERRALS",
    "OTHER_CAMPAIGNS",
    "DIRECT_TRAFFIC",
    "OFFLINE",
    "PAID_SOCIAL",
    "AI_REFERRALS",
    "OTHER",
];

/// The properties of a fresh portal with leadloop's own added.
pub(in crate::hubspot) fn properties(object: Object) -> BTreeMap<String, Property> {
    let mut held = Properties {
        group: format!("{}information", object.singular()),
        map: BTreeMap::new(),
    };
    held.read_only(object.created(), "datetime");
    held.read_only(object.modified(), "datetime");
    if object.created() != "hs_createdate" {
        held.read_only("hs_createdate", "datetime");
    }
    held.read_only("hs_object_id", "number");
    held.read_only("hs_merged_object_ids", "enumeration");
    held.add("hubspot_owner_id", "enumeration", "select").owner = true;
    held.read_only("hubspot_owner_assigneddate", "datetime");
    match object {
        Object::Contact => contact(&mut held),
        Object::Company => {
            held.texts(&[
                "name",
                "domain",
                "hs_additional_domains",
                "website",
                "phone",
                "address",
                "address2",
                "city",
                "state",
                "zip",
                "country",
                "description",
                "about_us",
            ]);
            held.choice(
                "industry",
                &[
                    "COMPUTER_SOFTWARE",
                    "MANUFACTURING",
                    "BANKING",
                    "RETAIL",
                    "MACHINERY",
                    "CONSULTING",
                ],
            );
            held.choice(
                "type",
                &["PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"],
            );
            held.choice("lifecyclestage", &LIFECYCLE);
            held.numbers(&["annualrevenue", "numberofemployees"]);
            held.read_only("hs_parent_company_id", "number");
            held.read_only("num_associated_contacts", "number");
        }
        Object::Deal => {
            held.texts(&[
                "dealname",
                "description",
                "closed_lost_reason",
                "closed_won_reason",
            ]);
            held.choice("dealtype", &["newbusiness", "existingbusiness"]);
            held.choice("deal_currency_code", &["EUR", "USD", "GBP", "CHF"]);
            held.numbers(&["amount"]);
            held.add("closedate", "datetime", "date");
            held.add("pipeline", "enumeration", "select");
            held.add("dealstage", "enumeration", "radio");
            for name in ["hs_is_closed", "hs_is_closed_won"] {
                held.read_only(name, "bool");
            }
            for name in [
                "hs_closed_amount",
                "amount_in_home_currency",
                "num_associated_contacts",
            ] {
                held.read_only(name, "number");
            }
        }
        Object::Lead => {
            held.texts(&["hs_lead_name"]);
            held.choice("hs_lead_type", &["NEW BUSINESS", "UPSELL", "RE-ATTEMPTING"]);
            held.choice("hs_lead_label", &["HOT", "WARM", "COLD"]);
            held.add("hs_pipeline", "enumeration", "select");
            held.add("hs_pipeline_stage", "enumeration", "radio");
        }
        Object::Note => {
            held.texts(&["hs_note_body", "hs_attachment_ids"]);
            held.add("hs_timestamp", "datetime", "date");
        }
        Object::Task => {
            held.texts(&["hs_task_subject", "hs_task_body"]);
            held.choice(
                "hs_task_status",
                &[
                    "NOT_STARTED",
                    "IN_PROGRESS",
                    "WAITING",
                    "COMPLETED",
                    "DEFERRED",
                ],
            );
            held.choice("hs_task_priority", &["NONE", "LOW", "MEDIUM", "HIGH"]);
            held.choice("hs_task_type", &["EMAIL", "CALL", "TODO"]);
            held.add("hs_timestamp", "datetime", "date");
        }
    }
    if matches!(
        object,
        Object::Contact | Object::Company | Object::Deal | Object::Note
    ) {
        let key = held.add("leadloop_key", "string", "text");
        key.unique = true;
        key.custom = true;
    }
    held.map
}

fn contact(held: &mut Properties) {
    held.texts(&[
        "firstname",
        "lastname",
        "company",
        "phone",
        "mobilephone",
        "jobtitle",
        "website",
        "address",
        "city",
        "state",
        "zip",
        "country",
        "industry",
        "message",
    ]);
    held.add("email", "string", "text").unique = true;
    held.add("hs_additional_emails", "enumeration", "checkbox")
        .read_only = true;
    held.choice("lifecyclestage", &LIFECYCLE);
    held.choice("hs_lead_status", &LEAD_STATUS);
    held.choice("hs_analytics_source", &SOURCES);
    held.numbers(&["hubspotscore"]);
    for name in ["hs_email_optout", "hs_is_unworked"] {
        held.read_only(name, "bool");
    }
    for name in [
        "recent_conversion_date",
        "first_conversion_date",
        "notes_last_updated",
        "notes_last_contacted",
    ] {
        held.read_only(name, "datetime");
    }
    for stage in LIFECYCLE {
        held.read_only(&format!("hs_lifecyclestage_{stage}_date"), "datetime");
    }
    for name in ["num_conversion_events", "associatedcompanyid"] {
        held.read_only(name, "number");
    }
    for name in ["recent_conversion_event_name", "hs_email_domain"] {
        held.read_only(name, "string");
    }
    held.choice("hs_marketable_status", &["true", "false"]);
    if let Some(status) = held.map.get_mut("hs_marketable_status") {
        status.read_only = true;
    }
    held.custom(&[
        "leadloop_disposition",
        "leadloop_reason",
        "leadloop_stage",
        "leadloop_sales_stage",
        "leadloop_currency",
        "leadloop_owner",
        "leadloop_crm_id",
    ]);
    held.add("leadloop_disposition_at", "datetime", "date")
        .custom = true;
    held.add("leadloop_amount", "number", "number").custom = true;
}

struct Properties {
    group: String,
    map: BTreeMap<String, Property>,
}

impl Properties {
    fn add(&mut self, name: &str, kind: &str, field_type: &str) -> &mut Property {
        let property = Property::new(&self.group, name, kind, field_type);
        let slot = self
            .map
            .entry(name.to_owned())
            .or_insert_with(|| property.clone());
        *slot = property;
        slot
    }

    fn read_only(&mut self, name: &str, kind: &str) {
        let property = self.add(
            name,
            kind,
            if kind == "enumeration" {
                "checkbox"
            } else {
                "calculation_read_time"
            },
        );
        property.read_only = true;
        property.calculated = true;
    }

    fn texts(&mut self, names: &[&str]) {
        for name in names {
            self.add(name, "string", "text");
        }
    }

    fn custom(&mut self, names: &[&str]) {
        for name in names {
            self.add(name, "string", "text").custom = true;
        }
    }

    fn numbers(&mut self, names: &[&str]) {
        for name in names {
            self.add(name, "number", "number");
        }
    }

    fn choice(&mut self, name: &str, values: &[&str]) {
        let options = values
            .iter()
            .map(|value| ((*value).to_owned(), label(&value.to_lowercase())))
            .collect();
        self.add(name, "enumeration", "select").options = options;
    }
}
