//! The rules that stand in the way of a write.

use super::{Caller, Failure, Salesforce, parse::Changes, schema::Object};
use crate::world::Values;
use jiff::Timestamp;
use rand::RngExt;
use serde_json::{Value, json};

impl Salesforce {
    /// Everything that may be wrong with a record's values before and after a change.
    pub(super) fn check(
        &self,
        object: &'static Object,
        id: Option<&str>,
        before: &Values,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut after = before.clone();
        for (field, value) in changes {
            match value {
                Some(value) => after.insert(field.clone(), value.clone()),
                None => after.remove(field),
            };
        }
        let missing: Vec<String> = object
            .fields()
            .filter(|field| field.required && !after.contains_key(field.name))
            .filter(|field| id.is_none() || changes.contains_key(field.name))
            .map(|field| field.name.to_owned())
            .collect();
        if !missing.is_empty() {
            let message = format!("Required fields are missing: [{}]", missing.join(", "));
            return Err(Failure {
                fields: missing,
                ..Failure::new("REQUIRED_FIELD_MISSING", message)
            });
        }
        if let Some(Some(owner)) = changes.get("OwnerId")
            && self
                .world
                .get("User", owner)
                .is_some_and(|user| user.field("IsActive") != Some("true"))
        {
            let message = format!(
                "operation performed with inactive user [{owner}] as owner of {}",
                object.name
            );
            return Err(Failure::new("INACTIVE_OWNER_OR_USER", message).on("OwnerId"));
        }
        self.check_shape(object, id, &after)?;
        self.check_unique(object, id, changes, now)?;
        if let Some(rule) = &self.settings.validation
            && let Some(complaint) = (rule.0)(object.name, &after)
        {
            return Err(Failure::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", complaint));
        }
        Ok(())
    }

    /// Rules about several fields of one record.
    fn check_shape(
        &self,
        object: &Object,
        id: Option<&str>,
        after: &Values,
    ) -> Result<(), Failure> {
        let starts = |field: &str, prefix: &str| {
            after
                .get(field)
                .is_some_and(|value| value.starts_with(prefix))
        };
        match object.name {
            "Task" if starts("WhoId", "00Q") && after.contains_key("WhatId") => {
                let message = "Related To ID: a task on a lead cannot be related to another record";
                Err(Failure::new("FIELD_INTEGRITY_EXCEPTION", message).on("WhatId"))
            }
            "Account" if id.is_some() && after.get("ParentId").map(String::as_str) == id => {
                let message = "Parent Account ID: an account cannot be its own parent";
                Err(Failure::new("FIELD_INTEGRITY_EXCEPTION", message).on("ParentId"))
            }
            "CampaignMember" if id.is_none() => {
                let person = match (after.get("LeadId"), after.get("ContactId")) {
                    (Some(lead), None) => ("LeadId", lead),
                    (None, Some(contact)) => ("ContactId", contact),
                    _ => {
                        let message = "A campaign member is exactly one of a lead and a contact";
                        return Err(Failure::new("REQUIRED_FIELD_MISSING", message)
                            .on("LeadId")
                            .on("ContactId"));
                    }
                };
                let members = self.world.table("CampaignMember").find(person.0, person.1);
                match members.iter().find(|member| {
                    member.field("CampaignId") == after.get("CampaignId").map(String::as_str)
                }) {
                    Some(_) => Err(Failure::new(
                        "DUPLICATE_VALUE",
                        "Already a campaign member.",
                    )),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Fields that bear each value once. Rows in the recycle bin do not count.
    pub(super) fn check_unique(
        &self,
        object: &'static Object,
        id: Option<&str>,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<(), Failure> {
        for field in self.view(now).fields(object).filter(|field| field.unique) {
            let Some(Some(value)) = changes.get(field.name) else {
                continue;
            };
            let twin = self
                .world
                .table(object.name)
                .find(field.name, value)
                .into_iter()
                .find(|row| Some(row.id.as_str()) != id);
            if let Some(twin) = twin {
                let message = format!(
                    "duplicate value found: {} duplicates value on record with id: {}",
                    field.name,
                    &twin.id[..15]
                );
                return Err(Failure::new("DUPLICATE_VALUE", message));
            }
        }
        Ok(())
    }

    pub(super) fn may_save_duplicates(&self, caller: &Caller) -> bool {
        !self.settings.duplicate_rules
            || (caller.save_duplicates && self.settings.duplicates_may_be_saved)
    }

    /// The org's duplicate rule: no second contact and no second open lead with one e-mail address.
    pub(super) fn check_duplicates(
        &self,
        object: &'static Object,
        changes: &Changes,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Some(Some(email)) = changes.get("Email") else {
            return Ok(());
        };
        if !matches!(object.name, "Lead" | "Contact") {
            return Ok(());
        }
        let twins: Vec<&str> = self
            .world
            .table(object.name)
            .find("Email", email)
            .into_iter()
            .filter(|row| row.field("IsConverted") != Some("true"))
            .map(|row| row.id.as_str())
            .collect();
        if twins.is_empty() {
            return Ok(());
        }
        let records: Vec<Value> = twins
            .iter()
            .map(|id| {
                let mut record = json!({
                    "attributes": super::soql::attributes(object, id, &caller.base),
                    "Id": id,
                });
                if caller.record_details
                    && let (Some(row), Some(record)) = (self.world.get(object.name, id), record.as_object_mut())
                {
                    let view = self.view(now);
                    for name in ["Name", "Email"] {
                        let value = object.field(name).map_or(Value::Null, |field| view.json(field, row));
                        record.insert(name.to_owned(), value);
                    }
                }
                json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record})
            })
            .collect();
        let message = "Use one of these records?";
        let result = json!({
            "allowSave": self.settings.duplicates_may_be_saved,
            "duplicateRule": format!("Standard_{}_Duplicate_Rule", object.name),
            "duplicateRuleEntityType": object.name,
            "errorMessage": message,
            "matchResults": [{
                "entityType": object.name,
                "errors": [],
                "matchEngine": "FuzzyMatchEngine",
                "matchRecords": records,
                "rule": format!("Standard_{}_Match_Rule_v1_1", object.name),
                "size": twins.len(),
                "success": true,
            }],
        });
        let mut failure = Failure::new("DUPLICATES_DETECTED", message);
        // The vendor misspells the key on single records, and spells it rightly in batches' rows.
        failure
            .extra
            .insert(caller.duplicates_key().to_owned(), result);
        Err(failure)
    }

    /// Somebody else's transaction may hold the row.
    pub(super) fn check_lock(
        &mut self,
        object: &Object,
        id: Option<String>,
    ) -> Result<(), Failure> {
        if self.settings.lock_chance <= 0.0
            || !self.chance.random_bool(self.settings.lock_chance.min(1.0))
        {
            return Ok(());
        }
        let id = id.unwrap_or_else(|| object.prefix.to_owned());
        let message =
            format!("unable to obtain exclusive access to this record or 1 records: {id}");
        Err(Failure::new("UNABLE_TO_LOCK_ROW", message))
    }
}
