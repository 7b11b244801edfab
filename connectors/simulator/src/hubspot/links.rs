//! The store of associations: each held from both its ends, with a type id for each direction.

use super::schema::{Object, association_types, reverse};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Ends = BTreeMap<String, BTreeSet<u32>>;

/// Every association, from both ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Associations(BTreeMap<(Object, Object), BTreeMap<String, Ends>>);

impl Associations {
    pub(super) fn add(&mut self, from: (Object, &str), to: (Object, &str), type_id: u32) {
        self.half(from, to).insert(type_id);
        if let Some(back) = reverse(type_id) {
            self.half(to, from).insert(back);
        }
    }

    fn half(&mut self, from: (Object, &str), to: (Object, &str)) -> &mut BTreeSet<u32> {
        let ends = self
            .0
            .entry((from.0, to.0))
            .or_default()
            .entry(from.1.to_owned())
            .or_default();
        ends.entry(to.1.to_owned()).or_default()
    }

    pub(super) fn remove(&mut self, from: (Object, &str), to: (Object, &str)) {
        for (one, other) in [(from, to), (to, from)] {
            if let Some(ends) = self
                .0
                .get_mut(&(one.0, other.0))
                .and_then(|map| map.get_mut(one.1))
            {
                ends.remove(other.1);
            }
        }
    }

    /// Takes one type off an association, at both ends.
    pub(super) fn remove_type(&mut self, from: (Object, &str), to: (Object, &str), type_id: u32) {
        for (one, other, type_id) in [(from, to, Some(type_id)), (to, from, reverse(type_id))] {
            let ends = self
                .0
                .get_mut(&(one.0, other.0))
                .and_then(|map| map.get_mut(one.1));
            if let (Some(ends), Some(type_id)) = (ends, type_id)
                && let Some(types) = ends.get_mut(other.1)
            {
                types.remove(&type_id);
                if types.is_empty() {
                    ends.remove(other.1);
                }
            }
        }
    }

    /// Where a record points, with the types.
    pub(super) fn of(
        &self,
        from: Object,
        id: &str,
        to: Object,
    ) -> impl Iterator<Item = (&str, &BTreeSet<u32>)> {
        let ends = self.0.get(&(from, to)).and_then(|map| map.get(id));
        ends.into_iter()
            .flatten()
            .map(|(id, types)| (id.as_str(), types))
    }

    /// The record that the type points to.
    pub(super) fn one(&self, from: Object, id: &str, to: Object, type_id: u32) -> Option<&str> {
        self.of(from, id, to)
            .find(|(_, types)| types.contains(&type_id))
            .map(|(id, _)| id)
    }

    /// The form of v3: one entry per type, with a name for it.
    pub(super) fn legacy(&self, from: Object, id: &str, to: Object) -> Vec<Value> {
        let named = |primary: bool| match primary {
            true => format!("{}_to_{}", from.singular(), to.singular()),
            false => format!("{}_to_{}_unlabeled", from.singular(), to.singular()),
        };
        let entries = self.of(from, id, to).flat_map(|(id, types)| {
            types.iter().map(
                move |type_id| json!({ "id": id, "type": named(is_primary(from, to, *type_id)) }),
            )
        });
        entries.collect()
    }

    /// Everything of one record now belongs to another.
    pub(super) fn repoint(&mut self, object: Object, loser: &str, winner: &str) {
        for to in Object::ALL {
            let ends: Vec<(String, BTreeSet<u32>)> = self
                .of(object, loser, to)
                .map(|(id, types)| (id.to_owned(), types.clone()))
                .collect();
            for (id, types) in ends {
                self.remove((object, loser), (to, &id));
                for type_id in types {
                    // A contact has one primary company: the winner's stays.
                    if is_primary(object, to, type_id)
                        && self.one(object, winner, to, type_id).is_some()
                    {
                        continue;
                    }
                    self.add((object, winner), (to, &id), type_id);
                }
            }
        }
    }

    /// Nothing points to this record any more.
    pub(super) fn forget(&mut self, object: Object, id: &str) {
        for to in Object::ALL {
            let ends: Vec<String> = self
                .of(object, id, to)
                .map(|(id, _)| id.to_owned())
                .collect();
            for other in ends {
                self.remove((object, id), (to, &other));
            }
        }
    }
}

pub(super) fn is_primary(from: Object, to: Object, type_id: u32) -> bool {
    association_types(from, to)
        .iter()
        .any(|(id, label)| *id == type_id && *label == Some("Primary"))
}
