//! Merging records: the losers go, their children move without a trace of it on themselves.

use super::{Failure, Salesforce, derive::one, schema::Object};
use crate::world::Actor;
use jiff::Timestamp;

/// Fields of other objects that point to records which can be merged.
const POINTERS: [(&str, &str, &str); 14] = [
    ("Account", "Contact", "AccountId"),
    ("Account", "Opportunity", "AccountId"),
    ("Account", "Account", "ParentId"),
    ("Account", "Lead", "ConvertedAccountId"),
    ("Account", "Task", "WhatId"),
    ("Contact", "OpportunityContactRole", "ContactId"),
    ("Contact", "Contact", "ReportsToId"),
    ("Contact", "Lead", "ConvertedContactId"),
    ("Contact", "Task", "WhoId"),
    ("Contact", "CampaignMember", "ContactId"),
    ("Lead", "Task", "WhoId"),
    ("Lead", "CampaignMember", "LeadId"),
    ("Opportunity", "OpportunityContactRole", "OpportunityId"),
    ("Opportunity", "Task", "WhatId"),
];

impl Salesforce {
    /// Merges losers into a winner of the same object; the ids of the children that moved.
    pub(super) fn merge_records(
        &mut self,
        object: &'static Object,
        winner: &str,
        losers: &[String],
        actor: Actor,
        now: Timestamp,
    ) -> Result<Vec<String>, Failure> {
        if !object.mergeable {
            let message = format!("merge is not supported for {}", object.name);
            return Err(Failure::new("MERGE_FAILED", message));
        }
        let winner = self.existing(object, winner)?;
        let losers: Vec<String> = losers
            .iter()
            .map(|loser| self.existing(object, loser))
            .collect::<Result<_, _>>()?;
        if losers.contains(&winner) {
            return Err(Failure::new(
                "MERGE_FAILED",
                "a record cannot be merged into itself",
            ));
        }
        self.check_lock(object, Some(winner.clone()))?;
        let mut moved = Vec::new();
        for loser in &losers {
            for (_, table, field) in POINTERS
                .iter()
                .filter(|(pointed, ..)| *pointed == object.name)
            {
                let children: Vec<String> = self
                    .world
                    .table(table)
                    .find(field, loser)
                    .iter()
                    .map(|row| row.id.clone())
                    .collect();
                for child in children {
                    self.world.update_quietly(
                        table,
                        &child,
                        &one(field, &winner),
                        Actor::System,
                        now,
                    );
                    moved.push(child);
                }
            }
        }
        let borrowed: Vec<&str> = losers.iter().map(String::as_str).collect();
        self.world
            .merge(object.name, &winner, &borrowed, actor, now);
        Ok(moved)
    }

    /// Fills what is empty in the winner with the losers' values, as somebody at the merge screen does.
    pub(super) fn fill_from(
        &mut self,
        object: &str,
        winner: &str,
        losers: &[String],
        actor: Actor,
        now: Timestamp,
    ) {
        let Some(row) = self.world.get_live(object, winner) else {
            return;
        };
        let mut changes = super::parse::Changes::new();
        for loser in losers
            .iter()
            .filter_map(|loser| self.world.get(object, loser))
        {
            for (field, value) in &loser.fields {
                if row.field(field).is_none()
                    && !field.starts_with("Converted")
                    && field != "IsConverted"
                {
                    changes
                        .entry(field.clone())
                        .or_insert_with(|| Some(value.clone()));
                }
            }
        }
        if !changes.is_empty() {
            self.world.update(object, winner, &changes, actor, now);
        }
    }
}
