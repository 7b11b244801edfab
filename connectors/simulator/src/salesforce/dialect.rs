//! The org as the simulator's other rooms see it: canonical names, and edits by people past the API.

use super::{
    Caller, Converted, Salesforce,
    convert::Conversion,
    derive, ids,
    parse::Changes,
    schema::{Object, Source},
};
use crate::world::{Actor, Dialect, Values, World, relation};
use bytes::Bytes;
use contract::{Kind, field};
use http::{Request, Response};
use jiff::Timestamp;

impl Dialect for Salesforce {
    fn vendor(&self) -> &'static str {
        "salesforce"
    }

    fn handle(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.run_jobs(now);
        self.respond(request, now)
    }

    fn world(&self) -> &World {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    fn table(&self, kind: Kind) -> Option<&'static str> {
        Some(match kind {
            Kind::Lead => "Lead",
            Kind::Contact => "Contact",
            Kind::Account => "Account",
            Kind::Opportunity => "Opportunity",
            Kind::Role => "OpportunityContactRole",
            Kind::User => "User",
            Kind::Note => "Task",
        })
    }

    fn native(&self, kind: Kind, canonical: &str) -> Option<&'static str> {
        let name = match (kind, canonical) {
            (Kind::Lead | Kind::Contact | Kind::Account, field::KEY) => "Leadloop_Key__c",
            (Kind::Lead | Kind::Contact | Kind::User, field::EMAIL) => "Email",
            (Kind::Lead | Kind::Contact | Kind::User, field::FIRST_NAME) => "FirstName",
            (Kind::Lead | Kind::Contact | Kind::User, field::LAST_NAME) => "LastName",
            (Kind::Account | Kind::Opportunity | Kind::User, field::NAME) => "Name",
            (Kind::Lead | Kind::Contact, field::TITLE) => "Title",
            (Kind::Lead | Kind::Contact | Kind::Account, field::PHONE) => "Phone",
            (Kind::Lead | Kind::Contact | Kind::Opportunity, field::LEAD_SOURCE) => "LeadSource",
            (Kind::Lead | Kind::Contact, field::OPT_OUT) => "HasOptedOutOfEmail",
            (Kind::Lead | Kind::Account, field::WEBSITE) => "Website",
            (Kind::Lead | Kind::Account, field::INDUSTRY) => "Industry",
            (Kind::Account | Kind::Opportunity, field::TYPE) => "Type",
            (Kind::Lead, field::COMPANY) => "Company",
            (Kind::Lead, field::COUNTRY) => "Country",
            (Kind::Lead, field::STATE) => "State",
            (Kind::Lead, field::CITY) => "City",
            (Kind::Lead, field::STATUS) => "Status",
            (Kind::Lead, field::STATUS_REASON) => "Status_Reason__c",
            (Kind::Lead, field::IS_CONVERTED) => "IsConverted",
            (Kind::Lead, relation::CONVERTED_CONTACT) => "ConvertedContactId",
            (Kind::Lead, relation::CONVERTED_ACCOUNT) => "ConvertedAccountId",
            (Kind::Lead, relation::CONVERTED_OPPORTUNITY) => "ConvertedOpportunityId",
            (Kind::Contact, field::COUNTRY) => "MailingCountry",
            (Kind::Contact, field::STATE) => "MailingState",
            (Kind::Contact, field::CITY) => "MailingCity",
            (Kind::Contact, field::STATUS) => "Contact_Status__c",
            (Kind::Contact, field::STATUS_REASON) => "Contact_Status_Reason__c",
            (Kind::Contact | Kind::Opportunity, relation::ACCOUNT) => "AccountId",
            (Kind::Account, field::COUNTRY) => "BillingCountry",
            (Kind::Account, field::STATE) => "BillingState",
            (Kind::Account, field::CITY) => "BillingCity",
            (Kind::Account, field::DOMAINS) => "Domains__c",
            (Kind::Account, relation::PARENT) => "ParentId",
            (Kind::Opportunity, field::STAGE) => "StageName",
            (Kind::Opportunity, field::AMOUNT) => "Amount",
            (Kind::Opportunity, field::CURRENCY) => "CurrencyIsoCode",
            (Kind::Opportunity, field::CLOSE_DATE) => "CloseDate",
            (Kind::Opportunity, field::IS_CLOSED) => "IsClosed",
            (Kind::Opportunity, field::IS_WON) => "IsWon",
            (Kind::Opportunity, field::LOST_REASON) => "Lost_Reason__c",
            (Kind::Role, relation::OPPORTUNITY) => "OpportunityId",
            (Kind::Role, relation::CONTACT) => "ContactId",
            (Kind::Role, field::IS_PRIMARY) => "IsPrimary",
            (Kind::User, field::ACTIVE) => "IsActive",
            (Kind::Note, field::SUBJECT) => "Subject",
            (Kind::Note, field::BODY) => "Description",
            (Kind::Note, relation::ABOUT) => "WhoId",
            (kind, relation::OWNER) if !matches!(kind, Kind::User | Kind::Role) => "OwnerId",
            (kind, field::LAST_ACTIVITY_AT)
                if !matches!(kind, Kind::User | Kind::Role | Kind::Note) =>
            {
                "LastActivityDate"
            }
            (_, field::CREATED_AT) => "CreatedDate",
            _ => return None,
        };
        Some(name)
    }

    fn new_id(&mut self, kind: Kind) -> String {
        let table = self.table(kind).unwrap_or_default();
        self.fresh_id(table)
    }

    fn get(&self, kind: Kind, id: &str, canonical: &str) -> Option<String> {
        let table = self.table(kind)?;
        let row = self.world.get(table, id)?;
        let name = self.native(kind, canonical).unwrap_or(canonical);
        match (kind, canonical) {
            (Kind::Note, relation::ABOUT) => {
                return row
                    .field("WhoId")
                    .or(row.field("WhatId"))
                    .map(str::to_owned);
            }
            (Kind::Opportunity, relation::CONTACT) => {
                let roles = self
                    .world
                    .table("OpportunityContactRole")
                    .find("OpportunityId", id);
                let contacts: Vec<&str> = roles
                    .iter()
                    .filter_map(|role| role.field("ContactId"))
                    .collect();
                return (!contacts.is_empty()).then(|| contacts.join(";"));
            }
            _ => {}
        }
        match Object::named(table)?.field(name) {
            Some(field) if field.source != Source::Stored => {
                let cell = self.view(row.modified).cell(field, row).text();
                Some(cell).filter(|text| !text.is_empty())
            }
            _ => row.field(name).map(str::to_owned),
        }
    }

    fn set(
        &mut self,
        kind: Kind,
        id: &str,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let Some(table) = self.table(kind) else {
            return false;
        };
        let Some(row) = self.world.get_live(table, id) else {
            return false;
        };
        let before = row.fields.clone();
        let (mut changes, contacts) = self.native_changes(kind, values);
        derive::complete(&self.world, table, &before, &mut changes, now);
        self.world.update(table, id, &changes, actor, now);
        self.follow_up(table, id, &before, actor, now);
        for contact in contacts {
            self.add_role(id, &contact, actor, now);
        }
        true
    }

    fn create(
        &mut self,
        kind: Kind,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) -> String {
        let table = self.table(kind).expect("every kind has a table here");
        let (mut changes, contacts) = self.native_changes(kind, values);
        let owner = self.people.user(actor).to_owned();
        derive::defaults(&self.world, table, &owner, &mut changes);
        if kind == Kind::User && !changes.contains_key("Username") {
            let username = changes.get("Email").cloned().flatten();
            changes.insert("Username".to_owned(), username);
        }
        derive::complete(&self.world, table, &Values::new(), &mut changes, now);
        let id = self.fresh_id(table);
        let fields = changes
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)))
            .collect();
        self.world.insert(table, &id, fields, actor, now);
        self.follow_up(table, &id, &Values::new(), actor, now);
        for contact in contacts {
            self.add_role(&id, &contact, actor, now);
        }
        id
    }

    fn delete(&mut self, kind: Kind, id: &str, actor: Actor, now: Timestamp) -> bool {
        self.table(kind)
            .is_some_and(|table| self.cascade(table, id, actor, now))
    }

    fn sign_out(&mut self) {
        self.expire_sessions();
    }

    fn merge(
        &mut self,
        kind: Kind,
        winner: &str,
        losers: &[&str],
        actor: Actor,
        now: Timestamp,
    ) -> Option<String> {
        let table = self.table(kind)?;
        let losers: Vec<String> = losers
            .iter()
            .filter(|loser| **loser != winner && self.world.get_live(table, loser).is_some())
            .map(|loser| (*loser).to_owned())
            .collect();
        // At the vendor's screens nobody else's lock stands in the way.
        let lock_chance = std::mem::take(&mut self.settings.lock_chance);
        let merged = self.merge_records(Object::named(table)?, winner, &losers, actor, now);
        self.settings.lock_chance = lock_chance;
        merged.ok()?;
        self.fill_from(table, winner, &losers, actor, now);
        Some(winner.to_owned())
    }
}

impl Salesforce {
    /// Converts a lead as somebody in sales does: into the given account and contact or into new ones, with an opportunity
    /// or without, and past the duplicate rules. A lead that a queue owns goes to the administrator.
    ///
    /// # Errors
    /// The vendor's words, where the lead cannot be converted.
    pub fn convert(
        &mut self,
        lead: &str,
        account: Option<&str>,
        contact: Option<&str>,
        opportunity: bool,
        actor: Actor,
        now: Timestamp,
    ) -> Result<Converted, String> {
        let owned_by_queue = self.world.get_live("Lead", lead).is_some_and(|row| {
            row.field("OwnerId")
                .is_none_or(|owner| !owner.starts_with("005"))
        });
        let conversion = Conversion {
            lead: lead.to_owned(),
            account: account.map(str::to_owned),
            contact: contact.map(str::to_owned),
            creates_opportunity: opportunity,
            owner: owned_by_queue.then(|| self.people.user(Actor::Person).to_owned()),
            skips_duplicate_rules: true,
            ..Conversion::default()
        };
        let caller = Caller {
            user: self.people.user(actor).to_owned(),
            base: String::new(),
            save_duplicates: true,
            record_details: false,
            in_batch: false,
        };
        let lock_chance = std::mem::take(&mut self.settings.lock_chance);
        let converted = self.convert_lead(&conversion, &caller, actor, now);
        self.settings.lock_chance = lock_chance;
        converted.map_err(|failure| format!("{}: {}", failure.code, failure.message))
    }

    /// Values by native names, and the contacts that an opportunity shall have roles for.
    fn native_changes(&self, kind: Kind, values: &[(&str, &str)]) -> (Changes, Vec<String>) {
        let mut changes = Changes::new();
        let mut contacts = Vec::new();
        for (name, value) in values {
            if kind == Kind::Opportunity && *name == relation::CONTACT {
                contacts.extend(
                    value
                        .split(';')
                        .filter(|id| !id.is_empty())
                        .map(str::to_owned),
                );
                continue;
            }
            let mut native = self.native(kind, name).unwrap_or(name);
            let value = (!value.is_empty()).then(|| (*value).to_owned());
            if native == "WhoId"
                && value
                    .as_ref()
                    .is_some_and(|id| !id.starts_with("003") && !id.starts_with("00Q"))
            {
                native = "WhatId";
            }
            let value = value.map(|value| {
                if native.ends_with("Id") {
                    ids::full(&value).unwrap_or(value)
                } else {
                    value
                }
            });
            changes.insert(native.to_owned(), value);
        }
        (changes, contacts)
    }
}
