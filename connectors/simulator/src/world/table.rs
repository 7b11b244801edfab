use super::{Actor, Row};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The records of one kind.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) by_modified: BTreeSet<(Timestamp, String)>,
    pub(super) indexes: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    pub(super) lag: SignedDuration,
}

impl Table {
    /// Every row that was ever made, by id.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values()
    }

    /// The rows that are neither deleted nor purged, by id.
    pub fn live(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values().filter(|row| row.is_live())
    }

    /// Rows with an id after this one, by id.
    pub fn after(&self, id: &str) -> impl Iterator<Item = &Row> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.rows
            .range::<str, _>((Excluded(id), Unbounded))
            .map(|(_, row)| row)
    }

    /// Rows, deleted ones too, that changed at this moment or later, oldest change first.
    pub fn modified_since(&self, at: Timestamp) -> impl Iterator<Item = &Row> {
        self.by_modified
            .range((at, String::new())..)
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// One row, deleted or not.
    pub fn get(&self, id: &str) -> Option<&Row> {
        self.rows.get(id)
    }

    /// Live rows with this value in this field, compared without regard to case: by index where [`super::World::index`] declared one.
    pub fn find(&self, field: &str, value: &str) -> Vec<&Row> {
        let wanted = value.to_lowercase();
        match self.indexes.get(field) {
            Some(index) => index
                .get(&wanted)
                .into_iter()
                .flatten()
                .filter_map(|id| self.rows.get(id))
                .collect(),
            None => self
                .live()
                .filter(|row| {
                    row.field(field)
                        .is_some_and(|held| held.to_lowercase() == wanted)
                })
                .collect(),
        }
    }

    /// How many rows are live.
    pub fn len(&self) -> usize {
        self.live().count()
    }

    /// Whether no row is live.
    pub fn is_empty(&self) -> bool {
        self.live().next().is_none()
    }

    pub(super) fn unindex(&mut self, id: &str) {
        let Some(row) = self.rows.get(id) else { return };
        self.by_modified.remove(&(row.modified, id.to_owned()));
        for (field, index) in &mut self.indexes {
            let Some(value) = row.fields.get(field).map(|value| value.to_lowercase()) else {
                continue;
            };
            if let Some(ids) = index.get_mut(&value) {
                ids.remove(id);
                if ids.is_empty() {
                    index.remove(&value);
                }
            }
        }
    }

    pub(super) fn reindex(&mut self, id: &str) {
        let Some(row) = self.rows.get(id) else { return };
        if !row.purged {
            self.by_modified.insert((row.modified, id.to_owned()));
        }
        if !row.is_live() {
            return;
        }
        for (field, index) in &mut self.indexes {
            if let Some(value) = row.fields.get(field) {
                index
                    .entry(value.to_lowercase())
                    .or_default()
                    .insert(id.to_owned());
            }
        }
    }

    /// Changes a row and keeps the indexes true. Each change stamps the row.
    pub(super) fn change(
        &mut self,
        id: &str,
        actor: Actor,
        now: Timestamp,
        change: impl FnOnce(&mut Row),
    ) -> bool {
        if !self.rows.contains_key(id) {
            return false;
        }
        self.unindex(id);
        let lag = self.lag;
        if let Some(row) = self.rows.get_mut(id) {
            change(row);
            row.modified = now;
            row.modified_by = actor;
            row.visible_at = now.saturating_add(lag).unwrap_or(now);
        }
        self.reindex(id);
        true
    }
}
