//! Lead conversion.

use super::{Caller, Failure, Salesforce, derive, ids, parse::Changes, schema::Object};
use crate::world::{Actor, Row, Values};
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// What to convert, and into what.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversion {
    pub(super) lead: String,
    /// A lead status that means converted; the first one where absent.
    pub(super) status: Option<String>,
    pub(super) account: Option<String>,
    pub(super) contact: Option<String>,
    pub(super) opportunity: Option<String>,
    pub(super) opportunity_name: Option<String>,
    pub(super) creates_opportunity: bool,
    pub(super) owner: Option<String>,
    pub(super) overwrites_source: bool,
    pub(super) skips_duplicate_rules: bool,
}

/// What a lead became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The account, found or made.
    pub account: String,
    /// The contact, found or made.
    pub contact: String,
    /// The opportunity, where one was given or made.
    pub opportunity: Option<String>,
}

/// Lead fields and the contact fields they become. The key is the admin's own mapping.
const TO_CONTACT: [(&str, &str); 20] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Salutation", "Salutation"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("LeadSource", "LeadSource"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
    ("Description", "Description"),
    ("HasOptedOutOfEmail", "HasOptedOutOfEmail"),
    ("DoNotCall", "DoNotCall"),
    ("EmailBouncedReason", "EmailBouncedReason"),
    ("EmailBouncedDate", "EmailBouncedDate"),
    ("LastActivityDate", "LastActivityDate"),
    ("Leadloop_Key__c", "Leadloop_Key__c"),
];

/// Lead fields and the account fields they become.
const TO_ACCOUNT: [(&str, &str); 13] = [
    ("Company", "Name"),
    ("Website", "Website"),
    ("Phone", "Phone"),
    ("Industry", "Industry"),
    ("Rating", "Rating"),
    ("AnnualRevenue", "AnnualRevenue"),
    ("NumberOfEmployees", "NumberOfEmployees"),
    ("LeadSource", "AccountSource"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
];

impl Salesforce {
    /// Converts a lead. Nothing is changed where it is refused.
    pub(super) fn convert_lead(
        &mut self,
        conversion: &Conversion,
        caller: &Caller,
        actor: Actor,
        now: Timestamp,
    ) -> Result<Converted, Failure> {
        let lead = self.open_lead(&conversion.lead)?.clone();
        let status = self.converted_status(conversion.status.as_deref())?;
        let account = conversion
            .account
            .as_deref()
            .map(|id| self.target("Account", id))
            .transpose()?;
        let contact = conversion
            .contact
            .as_deref()
            .map(|id| self.target("Contact", id))
            .transpose()?;
        let opportunity = conversion
            .opportunity
            .as_deref()
            .map(|id| self.target("Opportunity", id))
            .transpose()?;
        if let Some(contact) = &contact {
            let Some(account) = &account else {
                let message = "If contactId is specified, accountId must be specified too";
                return Err(Failure::new("INVALID_ID_FIELD", message).on("accountId"));
            };
            let held = self
                .world
                .get("Contact", contact)
                .and_then(|row| row.field("AccountId"));
            if held != Some(account.as_str()) {
                let message =
                    "The contact must belong to the account into which the lead is converted";
                return Err(Failure::new("INVALID_CROSS_REFERENCE_KEY", message).on("contactId"));
            }
        }
        let owner = self.converted_owner(conversion, &lead)?;
        let contact_changes = mapped(&lead, &TO_CONTACT);
        let contact_object = Object::named("Contact").expect("the schema has contacts");
        self.check_unique(contact_object, contact.as_deref(), &contact_changes, now)?;
        if contact.is_none()
            && !conversion.skips_duplicate_rules
            && !self.may_save_duplicates(caller)
        {
            self.check_duplicates(contact_object, &contact_changes, caller, now)?;
        }
        let lead_object = Object::named("Lead").expect("the schema has leads");
        self.check_lock(lead_object, Some(lead.id.clone()))?;

        let account = self.fill_or_create(
            "Account",
            account,
            mapped(&lead, &TO_ACCOUNT),
            &owner,
            actor,
            now,
        );
        let mut contact_changes = contact_changes;
        contact_changes.insert("AccountId".to_owned(), Some(account.clone()));
        if let (Some(contact), true, Some(source)) = (
            &contact,
            conversion.overwrites_source,
            lead.field("LeadSource"),
        ) {
            self.world.update(
                "Contact",
                contact,
                &derive::one("LeadSource", source),
                actor,
                now,
            );
        }
        let contact = self.fill_or_create("Contact", contact, contact_changes, &owner, actor, now);
        let opportunity = match opportunity {
            Some(opportunity) => Some(opportunity),
            None if conversion.creates_opportunity => {
                let name = conversion.opportunity_name.clone();
                let name = name
                    .unwrap_or_else(|| format!("{}-", lead.field("Company").unwrap_or_default()));
                Some(self.open_opportunity(&lead, &name, &account, &owner, actor, now))
            }
            None => None,
        };
        if let Some(opportunity) = &opportunity {
            self.add_role(opportunity, &contact, actor, now);
        }
        self.rehang(&lead.id, &contact, actor, now);
        let mut changes = Changes::from([
            ("IsConverted".to_owned(), Some("true".to_owned())),
            (
                "ConvertedDate".to_owned(),
                Some(now.to_string()[..10].to_owned()),
            ),
            ("ConvertedAccountId".to_owned(), Some(account.clone())),
            ("ConvertedContactId".to_owned(), Some(contact.clone())),
            ("Status".to_owned(), Some(status)),
        ]);
        if let Some(opportunity) = &opportunity {
            changes.insert(
                "ConvertedOpportunityId".to_owned(),
                Some(opportunity.clone()),
            );
        }
        self.world.update("Lead", &lead.id, &changes, actor, now);
        self.world.note(
            "Lead",
            &lead.id,
            format!("converted into contact {contact}"),
            actor,
            now,
        );
        Ok(Converted {
            account,
            contact,
            opportunity,
        })
    }

    fn open_lead(&self, id: &str) -> Result<&Row, Failure> {
        let id = self.target("Lead", id)?;
        let lead = self
            .world
            .get_live("Lead", &id)
            .ok_or_else(Failure::not_found)?;
        if lead.field("IsConverted") == Some("true") {
            return Err(Failure::new(
                "CANNOT_UPDATE_CONVERTED_LEAD",
                "cannot reference converted lead",
            ));
        }
        Ok(lead)
    }

    fn target(&self, object: &str, id: &str) -> Result<String, Failure> {
        let object = Object::named(object).expect("the callers name objects of the schema");
        if ids::full(id).is_none() {
            return Err(Failure::new(
                "INVALID_ID_FIELD",
                format!("invalid id: {id}"),
            ));
        }
        self.existing(object, id)
    }

    fn converted_status(&self, wanted: Option<&str>) -> Result<String, Failure> {
        let named = |row: &&Row, name: &str| {
            row.field("ApiName") == Some(name) || row.field("MasterLabel") == Some(name)
        };
        self.world
            .table("LeadStatus")
            .live()
            .filter(|row| row.field("IsConverted") == Some("true"))
            .find(|row| wanted.is_none_or(|wanted| named(row, wanted)))
            .and_then(|row| row.field("ApiName"))
            .map(str::to_owned)
            .ok_or_else(|| {
                let message = format!("invalid convertedStatus: {}", wanted.unwrap_or_default());
                Failure::new("INVALID_STATUS", message).on("convertedStatus")
            })
    }

    /// Queues own leads, but nothing that leads become.
    fn converted_owner(&self, conversion: &Conversion, lead: &Row) -> Result<String, Failure> {
        let owner = match &conversion.owner {
            Some(owner) => Some(self.target("User", owner)?),
            None => lead
                .field("OwnerId")
                .filter(|owner| owner.starts_with("005"))
                .map(str::to_owned),
        };
        let owner = owner.ok_or_else(|| {
            let message = "Converted objects can only be owned by users. If the lead is not owned by a user, you must \
                           specify a user for the Owner field.";
            Failure::new("INVALID_OWNER", message).on("ownerId")
        })?;
        let active = self
            .world
            .get("User", &owner)
            .is_none_or(|user| user.field("IsActive") == Some("true"));
        if !active {
            let message = format!("operation performed with inactive user [{owner}] as owner");
            return Err(Failure::new("INACTIVE_OWNER_OR_USER", message).on("ownerId"));
        }
        Ok(owner)
    }

    /// Fills what is empty in an existing record, or makes one.
    fn fill_or_create(
        &mut self,
        object: &str,
        id: Option<String>,
        mut changes: Changes,
        owner: &str,
        actor: Actor,
        now: Timestamp,
    ) -> String {
        let schema = Object::named(object).expect("the callers name objects of the schema");
        let Some(id) = id else {
            let id = self.fresh_id(object);
            changes.insert("OwnerId".to_owned(), Some(owner.to_owned()));
            let fields = changes
                .into_iter()
                .filter_map(|(field, value)| Some((field, value?)))
                .collect();
            self.world.insert(object, &id, fields, actor, now);
            return id;
        };
        if let Some(row) = self.world.get(object, &id) {
            // An unticked checkbox is a value, not an empty field: it stays.
            changes.retain(|field, _| {
                row.field(field).is_none()
                    && schema
                        .field(field)
                        .is_some_and(|field| field.kind != super::schema::Type::Bool)
            });
        }
        if !changes.is_empty() {
            self.world.update(object, &id, &changes, actor, now);
        }
        id
    }

    fn open_opportunity(
        &mut self,
        lead: &Row,
        name: &str,
        account: &str,
        owner: &str,
        actor: Actor,
        now: Timestamp,
    ) -> String {
        let stage = self
            .world
            .table("OpportunityStage")
            .live()
            .filter(|row| {
                row.field("IsClosed") != Some("true") && row.field("IsActive") == Some("true")
            })
            .min_by_key(|row| {
                row.field("SortOrder")
                    .and_then(|order| order.parse::<i64>().ok())
            })
            .and_then(|row| row.field("ApiName"))
            .unwrap_or("Prospecting")
            .to_owned();
        let today = now.to_zoned(TimeZone::UTC).date();
        // The vendor takes the last day of the quarter.
        let into_quarter = i32::from((today.month() - 1) % 3);
        let close = today
            .saturating_add((2 - into_quarter).months())
            .last_of_month();
        let mut changes = Changes::from([
            ("Name".to_owned(), Some(name.chars().take(120).collect())),
            ("StageName".to_owned(), Some(stage)),
            ("CloseDate".to_owned(), Some(close.to_string())),
            ("AccountId".to_owned(), Some(account.to_owned())),
            ("OwnerId".to_owned(), Some(owner.to_owned())),
            (
                "LeadSource".to_owned(),
                lead.field("LeadSource").map(str::to_owned),
            ),
        ]);
        derive::complete(
            &self.world,
            "Opportunity",
            &Values::new(),
            &mut changes,
            now,
        );
        let id = self.fresh_id("Opportunity");
        let fields = changes
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)))
            .collect();
        self.world.insert("Opportunity", &id, fields, actor, now);
        self.follow_up("Opportunity", &id, &Values::new(), actor, now);
        id
    }

    /// Ties a contact to an opportunity, as its primary one where it is the first.
    pub(super) fn add_role(
        &mut self,
        opportunity: &str,
        contact: &str,
        actor: Actor,
        now: Timestamp,
    ) {
        let roles = self
            .world
            .table("OpportunityContactRole")
            .find("OpportunityId", opportunity);
        if roles
            .iter()
            .any(|role| role.field("ContactId") == Some(contact))
        {
            return;
        }
        let primary = roles.is_empty();
        let fields = Values::from([
            ("OpportunityId".to_owned(), opportunity.to_owned()),
            ("ContactId".to_owned(), contact.to_owned()),
            ("IsPrimary".to_owned(), primary.to_string()),
        ]);
        let id = self.fresh_id("OpportunityContactRole");
        self.world
            .insert("OpportunityContactRole", &id, fields, actor, now);
    }

    /// What conversion carries over to the contact of a lead that somebody has marked as converted past the API.
    pub(super) fn carry_over(&mut self, lead: &str, contact: &str, actor: Actor, now: Timestamp) {
        let Some(row) = self.world.get("Lead", lead) else {
            return;
        };
        let changes = mapped(row, &TO_CONTACT);
        if self.world.get_live("Contact", contact).is_some() {
            self.fill_or_create("Contact", Some(contact.to_owned()), changes, "", actor, now);
            self.rehang(lead, contact, actor, now);
        }
    }

    /// Tasks and campaign memberships of the lead go on with the contact.
    fn rehang(&mut self, lead: &str, contact: &str, actor: Actor, now: Timestamp) {
        for (table, from, to) in [
            ("Task", "WhoId", "WhoId"),
            ("CampaignMember", "LeadId", "ContactId"),
        ] {
            let rows: Vec<String> = self
                .world
                .table(table)
                .find(from, lead)
                .iter()
                .map(|row| row.id.clone())
                .collect();
            for row in rows {
                self.world
                    .update(table, &row, &derive::one(to, contact), actor, now);
            }
        }
    }
}

fn mapped(lead: &Row, mapping: &[(&str, &str)]) -> Changes {
    mapping
        .iter()
        .filter_map(|(from, to)| Some(((*to).to_owned(), Some(lead.field(from)?.to_owned()))))
        .collect()
}
