//! Two records become one; a person is forgotten.

use super::{
    HubSpot,
    record::{Changes, View, Wanted},
    request::{Answer, Call, Problem, Reply, iso, scalar},
    schema::Object,
};
use crate::world::Actor;
use jiff::Timestamp;
use std::collections::BTreeSet;

impl HubSpot {
    /// `POST …/merge`.
    pub(super) fn merge_two(&mut self, call: &Call<'_>, object: Object) -> Answer {
        let body = call.json()?;
        let winner = scalar(&body["primaryObjectId"]).unwrap_or_default();
        let loser = scalar(&body["objectIdToMerge"]).unwrap_or_default();
        let id = self.merge_records(object, &winner, &loser, Self::CALLER, call.now)?;
        let row = self.lookup(object, &id).ok_or_else(Problem::not_found)?;
        Ok(Reply::ok(self.render(
            object,
            &View::now(row),
            &Wanted::default(),
        )))
    }

    /// Merges the second record into the first. The survivor has the first one's values, blanks filled from the second,
    /// and, by [`super::Knobs::merge_makes_new_id`], an id of its own.
    pub(super) fn merge_records(
        &mut self,
        object: Object,
        winner: &str,
        loser: &str,
        actor: Actor,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let missing = |id: &str| {
            Problem::new(
                404,
                "OBJECT_NOT_FOUND",
                format!("{} {id} does not exist", object.singular()),
            )
        };
        let (first, second) = match (self.lookup(object, winner), self.lookup(object, loser)) {
            (Some(first), Some(second)) if first.id != second.id => (first, second),
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("a record cannot be merged with itself"));
            }
            (None, _) => return Err(missing(winner)),
            (_, None) => return Err(missing(loser)),
        };
        let (winner, loser) = (first.id.clone(), second.id.clone());
        let created = View::now(first)
            .created(object)
            .min(View::now(second).created(object));
        let mut fields = first.fields.clone();
        for (name, value) in &second.fields {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
        fields.insert(object.created().to_owned(), iso(created));
        let parts = |name: &str| {
            [first, second]
                .into_iter()
                .filter_map(|row| row.field(name))
                .flat_map(|text| text.split(';').map(str::to_owned))
                .collect::<BTreeSet<_>>()
        };
        let mut merged = parts("hs_merged_object_ids");
        merged.insert(loser.clone());
        if self.knobs.merge_makes_new_id {
            merged.insert(winner.clone());
        }
        fields.insert("hs_merged_object_ids".to_owned(), join(&merged));
        if object == Object::Contact {
            let mut emails = parts("hs_additional_emails");
            emails.extend(second.field("email").map(str::to_owned));
            emails.retain(|email| fields.get("email") != Some(email) && !email.is_empty());
            if !emails.is_empty() {
                fields.insert("hs_additional_emails".to_owned(), join(&emails));
            }
        }
        let changes: Changes = fields
            .into_iter()
            .map(|(name, value)| (name, Some(value)))
            .collect();
        let table = object.table();
        let survivor = if self.knobs.merge_makes_new_id {
            let id = self.fresh_id();
            self.insert(object, &id, changes, actor, now);
            self.world.merge(table, &id, &[&winner, &loser], actor, now);
            self.associations.repoint(object, &winner, &id);
            id
        } else {
            self.world.merge(table, &winner, &[&loser], actor, now);
            self.write(object, &winner, changes, actor, now);
            winner
        };
        self.associations.repoint(object, &loser, &survivor);
        Ok(survivor)
    }

    /// `POST …/gdpr-delete`: nothing of the contact is left.
    pub(super) fn gdpr_delete(&mut self, call: &Call<'_>, object: Object) -> Answer {
        let body = call.json()?;
        let id = scalar(&body["objectId"]).unwrap_or_default();
        let row = match body["idProperty"].as_str() {
            Some(property) if property != "hs_object_id" => {
                self.unique_row(object, property, &id)?
            }
            _ => self.lookup(object, &id),
        };
        if let Some(id) = row.map(|row| row.id.clone()) {
            self.let_go(object, &id, Self::CALLER, call.now);
            self.world
                .purge(object.table(), &id, Self::CALLER, call.now);
        }
        Ok(Reply::nothing())
    }
}

fn join(parts: &BTreeSet<String>) -> String {
    parts
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(";")
}
