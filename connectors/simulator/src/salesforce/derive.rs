//! What the vendor fills in by itself: stages close opportunities, tasks close by their status, histories grow.

use super::{Salesforce, parse::Changes};
use crate::world::{Actor, Row, Values, World};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The fields of an opportunity whose changes its history records.
const TRACKED: [&str; 4] = ["StageName", "Amount", "CloseDate", "Probability"];

/// Adds to the changes of a record what follows from them. `current` are its values before; empty for a new one.
pub(super) fn complete(
    world: &World,
    object: &str,
    current: &Values,
    changes: &mut Changes,
    now: Timestamp,
) {
    let value = |changes: &Changes, field: &str| -> Option<String> {
        changes
            .get(field)
            .cloned()
            .unwrap_or_else(|| current.get(field).cloned())
    };
    match object {
        "Opportunity" if changes.contains_key("StageName") => {
            let stage = value(changes, "StageName");
            let stage = stage.and_then(|stage| {
                world
                    .table("OpportunityStage")
                    .find("ApiName", &stage)
                    .into_iter()
                    .next()
            });
            let flag = |field: &str| {
                Some(
                    stage
                        .and_then(|stage| stage.field(field))
                        .unwrap_or("false")
                        .to_owned(),
                )
            };
            let moved = value(changes, "StageName").as_ref() != current.get("StageName");
            if moved && !changes.contains_key("Probability") {
                let probability = stage.and_then(|stage| stage.field("DefaultProbability"));
                changes.insert("Probability".to_owned(), probability.map(str::to_owned));
            }
            if moved && !changes.contains_key("ForecastCategoryName") {
                let category = stage.and_then(|stage| stage.field("ForecastCategoryName"));
                changes.insert(
                    "ForecastCategoryName".to_owned(),
                    category.map(str::to_owned),
                );
            }
            changes.insert("IsClosed".to_owned(), flag("IsClosed"));
            changes.insert("IsWon".to_owned(), flag("IsWon"));
        }
        "Lead"
            if value(changes, "IsConverted").as_deref() == Some("true")
                && value(changes, "ConvertedDate").is_none() =>
        {
            let today = now.to_string()[..10].to_owned();
            changes.insert("ConvertedDate".to_owned(), Some(today));
        }
        "Task" if changes.contains_key("Status") => {
            let closed = value(changes, "Status").as_deref() == Some("Completed");
            changes.insert("IsClosed".to_owned(), Some(closed.to_string()));
        }
        "CampaignMember" if changes.contains_key("Status") => {
            let responded = value(changes, "Status").as_deref() == Some("Responded");
            changes.insert("HasResponded".to_owned(), Some(responded.to_string()));
        }
        "User" if changes.contains_key("Name") && !changes.contains_key("LastName") => {
            let name = value(changes, "Name").unwrap_or_default();
            let (first, last) = name.rsplit_once(' ').unwrap_or(("", &name));
            changes.insert("FirstName".to_owned(), Some(first.to_owned()));
            changes.insert("LastName".to_owned(), Some(last.to_owned()));
        }
        "User" if changes.contains_key("FirstName") || changes.contains_key("LastName") => {
            let parts = [value(changes, "FirstName"), value(changes, "LastName")];
            let name: Vec<String> = parts.into_iter().flatten().collect();
            changes.insert("Name".to_owned(), Some(name.join(" ")));
        }
        _ => {}
    }
}

/// The values that a new record gets where none are given.
pub(super) fn defaults(world: &World, object: &str, owner: &str, changes: &mut Changes) {
    let mut default = |field: &str, value: &str| {
        if changes.get(field).is_none_or(Option::is_none) {
            changes.insert(field.to_owned(), Some(value.to_owned()));
        }
    };
    match object {
        "Lead" => {
            let statuses = world.table("LeadStatus");
            if let Some(status) = statuses
                .find("IsDefault", "true")
                .first()
                .and_then(|row| row.field("ApiName"))
            {
                default("Status", status);
            }
            default("OwnerId", owner);
        }
        "Task" => {
            default("Status", "Not Started");
            default("Priority", "Normal");
            default("TaskSubtype", "Task");
            default("OwnerId", owner);
        }
        "CampaignMember" => default("Status", "Sent"),
        "User" => {
            default("UserType", "Standard");
            default("TimeZoneSidKey", "UTC");
        }
        "Contact" | "Account" | "Opportunity" | "Campaign" => default("OwnerId", owner),
        _ => {}
    }
}

impl Salesforce {
    /// What follows elsewhere from a change of one record. `before` are the record's values before the change.
    pub(super) fn follow_up(
        &mut self,
        object: &str,
        id: &str,
        before: &Values,
        actor: Actor,
        now: Timestamp,
    ) {
        let Some(row) = self.world.get(object, id) else {
            return;
        };
        match object {
            "Opportunity"
                if TRACKED
                    .iter()
                    .any(|field| before.get(*field).map(String::as_str) != row.field(field)) =>
            {
                let mut fields: Values = TRACKED
                    .iter()
                    .filter_map(|field| Some(((*field).to_owned(), row.field(field)?.to_owned())))
                    .collect();
                fields.insert("OpportunityId".to_owned(), id.to_owned());
                let history = self.fresh_id("OpportunityHistory");
                self.world
                    .insert("OpportunityHistory", &history, fields, actor, now);
            }
            "Lead"
                if row.field("IsConverted") == Some("true")
                    && before.get("IsConverted").map(String::as_str) != Some("true") =>
            {
                if let Some(contact) = row.field("ConvertedContactId").map(str::to_owned) {
                    self.carry_over(id, &contact, actor, now);
                }
            }
            "OpportunityContactRole" if row.field("IsPrimary") == Some("true") => {
                let opportunity = row.field("OpportunityId").unwrap_or_default();
                let others: Vec<String> = self
                    .world
                    .table(object)
                    .find("OpportunityId", opportunity)
                    .into_iter()
                    .filter(|other| other.id != id && other.field("IsPrimary") == Some("true"))
                    .map(|other| other.id.clone())
                    .collect();
                for other in others {
                    self.world
                        .update(object, &other, &one("IsPrimary", "false"), actor, now);
                }
            }
            "Task" => {
                let day = row
                    .field("ActivityDate")
                    .map_or_else(|| now.to_string()[..10].to_owned(), str::to_owned);
                let about: Vec<String> = ["WhoId", "WhatId"]
                    .iter()
                    .filter_map(|field| row.field(field))
                    .map(str::to_owned)
                    .collect();
                for id in about {
                    self.touch_activity(&id, &day, now);
                }
            }
            _ => {}
        }
    }

    /// The last activity is a roll-up: it moves without a stamp.
    fn touch_activity(&mut self, id: &str, day: &str, now: Timestamp) {
        let Some(object) = super::schema::Object::of_id(id) else {
            return;
        };
        let moves = |row: &Row| row.field("LastActivityDate").is_none_or(|last| last < day);
        if self.world.get_live(object.name, id).is_some_and(moves) {
            self.world.update_quietly(
                object.name,
                id,
                &one("LastActivityDate", day),
                Actor::System,
                now,
            );
        }
    }
}

/// A change of one field.
pub(super) fn one(field: &str, value: &str) -> Changes {
    BTreeMap::from([(field.to_owned(), Some(value.to_owned()))])
}
