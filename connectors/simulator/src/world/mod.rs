//! Neutral tables that any vendor's dialect stands on, and the face that a dialect shows.
//!
//! Values are text under the vendor's own field names; an absent field is null. Everything that happens is kept: each
//! row its field history, the world its log of operations, so that a checker can ask who did what and when. Time is an
//! argument, ids come from the dialect, and order is the order of ids: the same calls make the same world.

mod dialect;
mod row;
mod table;

#[cfg(test)]
mod tests;

pub use dialect::{Dialect, relation};
pub use row::{Actor, FieldChange, Row, Values};
pub use table::Table;

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What was done to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was made with these values.
    Created(Values),
    /// These fields were set (`None`: cleared). Fields written with the value they had already are not listed.
    Updated(BTreeMap<String, Option<String>>),
    /// It was deleted, restorably.
    Deleted,
    /// It came back.
    Restored,
    /// It was removed for good.
    Purged,
    /// It was merged into another, whose id this is, and is gone.
    MergedInto(String),
    /// These were merged into it.
    Merged(Vec<String>),
    /// Something of the vendor's own (a conversion, a subscription).
    Other(String),
}

/// One entry of the world's log.
#[derive(Clone, Debug)]
pub struct Operation {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// In which table.
    pub table: String,
    /// On which record.
    pub id: String,
    /// What.
    pub what: What,
}

/// All tables of one account at one vendor, and all that was ever done to them.
#[derive(Clone, Debug, Default)]
pub struct World {
    tables: BTreeMap<String, Table>,
    counters: BTreeMap<String, u64>,
    log: Vec<Operation>,
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        World::default()
    }

    /// Makes [`Table::find`] on this field quick.
    pub fn index(&mut self, table: &str, field: &str) {
        let table = self.tables.entry(table.to_owned()).or_default();
        let mut index: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in table.rows.values().filter(|row| row.is_live()) {
            if let Some(value) = row.fields.get(field) {
                index
                    .entry(value.to_lowercase())
                    .or_default()
                    .insert(row.id.clone());
            }
        }
        table.indexes.insert(field.to_owned(), index);
    }

    /// How long changes of a table stay out of sight where the vendor lags: what [`Row::visible_at`] is made of.
    pub fn set_lag(&mut self, table: &str, lag: SignedDuration) {
        self.tables.entry(table.to_owned()).or_default().lag = lag;
    }

    /// A table; an empty one where nothing was put in yet.
    pub fn table(&self, table: &str) -> &Table {
        static EMPTY: Table = Table {
            rows: BTreeMap::new(),
            by_modified: BTreeSet::new(),
            indexes: BTreeMap::new(),
            lag: SignedDuration::ZERO,
        };
        self.tables.get(table).unwrap_or(&EMPTY)
    }

    /// The names of all tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Everything that was ever done, in order.
    pub fn log(&self) -> &[Operation] {
        &self.log
    }

    /// The next number of a counter, from 1.
    pub fn next(&mut self, counter: &str) -> u64 {
        let counter = self.counters.entry(counter.to_owned()).or_default();
        *counter += 1;
        *counter
    }

    /// One row, deleted or not.
    pub fn get(&self, table: &str, id: &str) -> Option<&Row> {
        self.table(table).get(id)
    }

    /// One row that is neither deleted nor purged.
    pub fn get_live(&self, table: &str, id: &str) -> Option<&Row> {
        self.get(table, id).filter(|row| row.is_live())
    }

    /// The row that this id leads to after merges, deleted or not.
    pub fn resolve(&self, table: &str, id: &str) -> Option<&Row> {
        let mut row = self.get(table, id)?;
        while let Some(next) = row
            .merged_into
            .as_deref()
            .and_then(|winner| self.get(table, winner))
        {
            row = next;
        }
        Some(row)
    }

    /// Makes a row. Empty values are left out. An id that was used before is overwritten: the dialect gives fresh ones.
    pub fn insert(&mut self, table: &str, id: &str, fields: Values, actor: Actor, now: Timestamp) {
        let fields: Values = fields
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let history = fields
            .iter()
            .map(|(field, value)| FieldChange {
                field: field.clone(),
                value: Some(value.clone()),
                at: now,
                actor,
            })
            .collect();
        let held = self.tables.entry(table.to_owned()).or_default();
        let row = Row {
            id: id.to_owned(),
            fields: fields.clone(),
            created: now,
            modified: now,
            visible_at: now.saturating_add(held.lag).unwrap_or(now),
            deleted: None,
            purged: false,
            merged_into: None,
            created_by: actor,
            modified_by: actor,
            history,
        };
        held.unindex(id);
        held.rows.insert(id.to_owned(), row);
        held.reindex(id);
        self.record(table, id, What::Created(fields), actor, now);
    }

    /// Sets fields (`None` or empty: clears them) and stamps the row, even where no value differs. `false` where there is no such row.
    pub fn update(
        &mut self,
        table: &str,
        id: &str,
        changes: &BTreeMap<String, Option<String>>,
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let mut real = BTreeMap::new();
        let Some(held) = self.tables.get_mut(table) else {
            return false;
        };
        let found = held.change(id, actor, now, |row| {
            for (field, value) in changes {
                let value = value.clone().filter(|value| !value.is_empty());
                if row.fields.get(field) == value.as_ref() {
                    continue;
                }
                match &value {
                    Some(value) => row.fields.insert(field.clone(), value.clone()),
                    None => row.fields.remove(field),
                };
                row.history.push(FieldChange {
                    field: field.clone(),
                    value: value.clone(),
                    at: now,
                    actor,
                });
                real.insert(field.clone(), value);
            }
        });
        if found {
            self.record(table, id, What::Updated(real), actor, now);
        }
        found
    }

    /// Sets fields as [`World::update`] does, but leaves the row's stamp as it was: what a vendor does behind its own change
    /// feed's back (children that follow a merge, rolled-up values).
    pub fn update_quietly(
        &mut self,
        table: &str,
        id: &str,
        changes: &BTreeMap<String, Option<String>>,
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let Some(row) = self.get(table, id) else {
            return false;
        };
        let (modified, modified_by, visible_at) = (row.modified, row.modified_by, row.visible_at);
        let found = self.update(table, id, changes, actor, now);
        if let Some(held) = self.tables.get_mut(table) {
            held.unindex(id);
            if let Some(row) = held.rows.get_mut(id) {
                row.modified = modified;
                row.modified_by = modified_by;
                row.visible_at = visible_at;
            }
            held.reindex(id);
        }
        found
    }

    /// Deletes a live row, restorably. `false` where there is none.
    pub fn delete(&mut self, table: &str, id: &str, actor: Actor, now: Timestamp) -> bool {
        self.change_life(
            table,
            id,
            actor,
            now,
            Row::is_live,
            |row| row.deleted = Some(now),
            What::Deleted,
        )
    }

    /// Brings a deleted row back. `false` where it is not deleted, merged, or purged.
    pub fn restore(&mut self, table: &str, id: &str, actor: Actor, now: Timestamp) -> bool {
        let restorable =
            |row: &Row| row.deleted.is_some() && !row.purged && row.merged_into.is_none();
        self.change_life(
            table,
            id,
            actor,
            now,
            restorable,
            |row| row.deleted = None,
            What::Restored,
        )
    }

    /// Removes a row for good, deleted before or not; its values are wiped. `false` where there is none.
    pub fn purge(&mut self, table: &str, id: &str, actor: Actor, now: Timestamp) -> bool {
        let wipe = |row: &mut Row| {
            row.deleted = row.deleted.or(Some(now));
            row.purged = true;
            row.fields.clear();
            row.history.clear();
        };
        self.change_life(table, id, actor, now, |row| !row.purged, wipe, What::Purged)
    }

    /// Marks rows as merged into the winner, deletes them and stamps the winner. Values are the dialect's to carry over
    /// (before or after, by [`World::update`]). `false` where the winner is not live; losers that are not live are left alone.
    pub fn merge(
        &mut self,
        table: &str,
        winner: &str,
        losers: &[&str],
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        if self.get_live(table, winner).is_none() {
            return false;
        }
        let mut merged = Vec::new();
        for loser in losers.iter().filter(|loser| **loser != winner) {
            let mark = |row: &mut Row| {
                row.deleted = Some(now);
                row.merged_into = Some(winner.to_owned());
            };
            if self.change_life(
                table,
                loser,
                actor,
                now,
                Row::is_live,
                mark,
                What::MergedInto(winner.to_owned()),
            ) {
                merged.push((*loser).to_owned());
            }
        }
        self.change_life(
            table,
            winner,
            actor,
            now,
            Row::is_live,
            |_| {},
            What::Merged(merged),
        )
    }

    /// Puts something of the vendor's own on the log.
    pub fn note(
        &mut self,
        table: &str,
        id: &str,
        what: impl Into<String>,
        actor: Actor,
        now: Timestamp,
    ) {
        self.record(table, id, What::Other(what.into()), actor, now);
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one private seam for four operations of the same form"
    )]
    fn change_life(
        &mut self,
        table: &str,
        id: &str,
        actor: Actor,
        now: Timestamp,
        allowed: impl FnOnce(&Row) -> bool,
        change: impl FnOnce(&mut Row),
        what: What,
    ) -> bool {
        if !self.get(table, id).is_some_and(allowed) {
            return false;
        }
        if let Some(held) = self.tables.get_mut(table) {
            held.change(id, actor, now, change);
        }
        self.record(table, id, what, actor, now);
        true
    }

    fn record(&mut self, table: &str, id: &str, what: What, actor: Actor, now: Timestamp) {
        self.log.push(Operation {
            at: now,
            actor,
            table: table.to_owned(),
            id: id.to_owned(),
            what,
        });
    }
}
