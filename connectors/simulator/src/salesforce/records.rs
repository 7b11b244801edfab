//! Making, changing and deleting single records, behind every rule that stands in the way.

use super::{
    Caller, Failure, Salesforce, derive, ids,
    parse::{self, Purpose},
    schema::Object,
};
use crate::world::{Actor, Values};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What came of an upsert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Upserted {
    Created(String),
    Updated(String),
    /// Several records bear the value: nothing was written.
    Ambiguous(Vec<String>),
}

impl Salesforce {
    /// Makes a record; returns its id.
    pub(super) fn create_record(
        &mut self,
        object: &'static Object,
        body: &Map<String, Value>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<String, Failure> {
        writable(object)?;
        if body.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
            let message = "cannot specify Id in an insert call";
            return Err(Failure::new("INVALID_FIELD_FOR_INSERT_UPDATE", message).on("Id"));
        }
        let mut changes = parse::changes(self.view(now), object, body, Purpose::Create, &[])?;
        derive::defaults(&self.world, object.name, &caller.user, &mut changes);
        derive::complete(&self.world, object.name, &Values::new(), &mut changes, now);
        let values = Values::new();
        self.check(object, None, &values, &changes, now)?;
        if !self.may_save_duplicates(caller) {
            self.check_duplicates(object, &changes, caller, now)?;
        }
        self.check_lock(object, changes.get("AccountId").cloned().flatten())?;
        let id = self.fresh_id(object.name);
        let fields = changes
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)))
            .collect();
        self.world
            .insert(object.name, &id, fields, Actor::Integration, now);
        self.follow_up(object.name, &id, &Values::new(), Actor::Integration, now);
        Ok(id)
    }

    /// Changes a record.
    pub(super) fn update_record(
        &mut self,
        object: &'static Object,
        id: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        writable(object)?;
        let id = self.existing(object, id)?;
        let mut changes = parse::changes(self.view(now), object, body, Purpose::Update, &["Id"])?;
        let row = self
            .world
            .get_live(object.name, &id)
            .ok_or_else(Failure::not_found)?;
        if row.field("IsConverted") == Some("true") {
            return Err(Failure::new(
                "CANNOT_UPDATE_CONVERTED_LEAD",
                "cannot reference converted lead",
            ));
        }
        let before = row.fields.clone();
        derive::complete(&self.world, object.name, &before, &mut changes, now);
        self.check(object, Some(&id), &before, &changes, now)?;
        self.check_lock(object, Some(id.clone()))?;
        self.world
            .update(object.name, &id, &changes, Actor::Integration, now);
        self.follow_up(object.name, &id, &before, Actor::Integration, now);
        Ok(())
    }

    /// Makes or changes the record that bears this value in this field.
    pub(super) fn upsert_record(
        &mut self,
        object: &'static Object,
        (field, value): (&str, &str),
        body: &Map<String, Value>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Upserted, Failure> {
        let field = self
            .view(now)
            .field(object, field)
            .filter(|field| field.external_id || field.id_lookup);
        let field = field.ok_or_else(|| {
            Failure::new(
                "NOT_FOUND",
                "Provided external ID field does not exist or is not accessible",
            )
        })?;
        if field.name == "Id" {
            self.update_record(object, value, body, now)?;
            return Ok(Upserted::Updated(ids::full(value).unwrap_or_default()));
        }
        let found: Vec<String> = self
            .world
            .table(object.name)
            .find(field.name, value)
            .into_iter()
            .map(|row| row.id.clone())
            .collect();
        match found.as_slice() {
            [] => {
                let mut body = body.clone();
                body.insert(field.name.to_owned(), json!(value));
                self.create_record(object, &body, caller, now)
                    .map(Upserted::Created)
            }
            [id] => self
                .update_record(object, id, body, now)
                .map(|()| Upserted::Updated(id.clone())),
            _ => Ok(Upserted::Ambiguous(found)),
        }
    }

    /// Deletes a record, and with it what hangs on it.
    pub(super) fn delete_record(
        &mut self,
        object: &'static Object,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        writable(object)?;
        let id = self.existing(object, id)?;
        self.check_lock(object, Some(id.clone()))?;
        self.cascade(object.name, &id, Actor::Integration, now);
        Ok(())
    }

    /// The full id of a record that is there.
    pub(super) fn existing(&self, object: &'static Object, id: &str) -> Result<String, Failure> {
        let full = ids::full(id).filter(|id| id.starts_with(object.prefix));
        let full =
            full.ok_or_else(|| Failure::new("MALFORMED_ID", format!("bad id {id}")).on("Id"))?;
        match self.world.get(object.name, &full) {
            Some(row) if row.is_live() => Ok(full),
            Some(row) if !row.purged => Err(Failure::new("ENTITY_IS_DELETED", "entity is deleted")),
            _ => Err(Failure::new(
                "INVALID_CROSS_REFERENCE_KEY",
                "invalid cross reference id",
            )),
        }
    }

    /// Deletes a row with the rows that cannot be without it.
    pub(super) fn cascade(&mut self, object: &str, id: &str, actor: Actor, now: Timestamp) -> bool {
        if !self.world.delete(object, id, actor, now) {
            return false;
        }
        let dependants: &[(&str, &str)] = match object {
            "Account" => &[("Contact", "AccountId"), ("Opportunity", "AccountId")],
            "Contact" => &[
                ("OpportunityContactRole", "ContactId"),
                ("CampaignMember", "ContactId"),
            ],
            "Opportunity" => &[
                ("OpportunityContactRole", "OpportunityId"),
                ("OpportunityHistory", "OpportunityId"),
            ],
            "Lead" => &[("CampaignMember", "LeadId")],
            "Campaign" => &[("CampaignMember", "CampaignId")],
            _ => &[],
        };
        for (table, field) in dependants {
            let rows: Vec<String> = self
                .world
                .table(table)
                .find(field, id)
                .iter()
                .map(|row| row.id.clone())
                .collect();
            for row in rows {
                self.cascade(table, &row, actor, now);
            }
        }
        true
    }
}

fn writable(object: &Object) -> Result<(), Failure> {
    if object.writable {
        return Ok(());
    }
    let message = format!(
        "entity type {} does not support this operation",
        object.name
    );
    Err(Failure::new(
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        message,
    ))
}
