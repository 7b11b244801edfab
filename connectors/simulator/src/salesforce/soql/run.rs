use super::{
    bind::{Operand, Output, Path, Plan, Test, Wild},
    token::Comparison,
};
use crate::{
    salesforce::{
        schema::{Object, Source},
        view::{Cell, View, compare_folded},
    },
    world::Row,
};
use serde_json::{Map, Value, json};
use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashSet},
};

/// Which rows a query may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Scope {
    /// Those that are there.
    Live,
    /// Those in the recycle bin too.
    Deleted,
}

impl Plan {
    /// The rows that answer the query, in its order.
    pub(in super::super) fn rows<'w>(&self, view: View<'w>, scope: Scope) -> Vec<&'w Row> {
        let mut rows: Vec<&Row> = self
            .candidates(view, scope)
            .into_iter()
            .filter(|row| row.is_live() || (scope == Scope::Deleted && view.in_recycle_bin(row)))
            .filter(|row| self.test.holds(view, row))
            .collect();
        self.sort(&mut rows, view);
        let limit = self.limit.unwrap_or(usize::MAX);
        rows.into_iter().skip(self.offset).take(limit).collect()
    }

    /// Rows among which all answers are: by an index where the query's conditions allow it. In the order of ids.
    fn candidates<'w>(&self, view: View<'w>, scope: Scope) -> Vec<&'w Row> {
        let table = view.world.table(self.object.name);
        let alone = std::slice::from_ref(&self.test);
        let terms = if let Test::All(terms) = &self.test {
            terms.as_slice()
        } else {
            alone
        };
        let picked = |ids: BTreeSet<&str>| ids.into_iter().filter_map(|id| table.get(id)).collect();
        for term in terms {
            match term {
                Test::Compare(path, Comparison::Equal, Operand::Text(text))
                    if path.hops.is_empty() =>
                {
                    if path.leaf.source == Source::Id {
                        return table.get(text).into_iter().collect();
                    }
                    if scope == Scope::Live && path.leaf.source == Source::Stored {
                        return table.find(path.leaf.name, text);
                    }
                }
                Test::In {
                    path,
                    negated: false,
                    null: false,
                    texts,
                    others,
                } if path.hops.is_empty() && others.is_empty() => {
                    if path.leaf.source == Source::Id {
                        return picked(texts.iter().map(String::as_str).collect());
                    }
                    if scope == Scope::Live && is_indexed(self.object, path.leaf.name) {
                        let found = texts
                            .iter()
                            .flat_map(|text| table.find(path.leaf.name, text));
                        return picked(found.map(|row| row.id.as_str()).collect());
                    }
                }
                _ => {}
            }
        }
        for term in terms {
            if let Test::Compare(
                path,
                Comparison::Greater | Comparison::AtLeast | Comparison::Equal,
                Operand::Time(from) | Operand::Moments(from, _),
            ) = term
                && path.hops.is_empty()
                && path.leaf.source == Source::Modified
            {
                // A row's stamp is never later than the moment of its change.
                return picked(
                    table
                        .modified_since(*from)
                        .map(|row| row.id.as_str())
                        .collect(),
                );
            }
        }
        table.rows().collect()
    }

    fn sort(&self, rows: &mut Vec<&Row>, view: View<'_>) {
        if self.order.is_empty() {
            return;
        }
        let mut keyed: Vec<(Vec<Cell<'_>>, &Row)> = rows
            .iter()
            .map(|row| {
                (
                    self.order
                        .iter()
                        .map(|key| key.path.cell(view, row))
                        .collect(),
                    *row,
                )
            })
            .collect();
        keyed.sort_by(|(left, _), (right, _)| {
            for ((left, right), key) in left.iter().zip(right).zip(&self.order) {
                let ordering = match (left, right) {
                    (Cell::Null, Cell::Null) => Ordering::Equal,
                    (Cell::Null, _) if key.nulls_last => Ordering::Greater,
                    (Cell::Null, _) => Ordering::Less,
                    (_, Cell::Null) if key.nulls_last => Ordering::Less,
                    (_, Cell::Null) => Ordering::Greater,
                    _ => {
                        let ordering = match (left, right) {
                            (Cell::Text(left), Cell::Text(right))
                                if !key.path.leaf.kind.is_id() =>
                            {
                                compare_folded(left, right)
                            }
                            _ => left.cmp(right),
                        };
                        if key.descending {
                            ordering.reverse()
                        } else {
                            ordering
                        }
                    }
                };
                if ordering != Ordering::Equal {
                    return ordering;
                }
            }
            Ordering::Equal
        });
        *rows = keyed.into_iter().map(|(_, row)| row).collect();
    }

    /// One row as the query's answer shows it.
    pub(in super::super) fn record(&self, view: View<'_>, row: &Row, base: &str) -> Value {
        let mut record = Map::new();
        record.insert(
            "attributes".to_owned(),
            attributes(self.object, &row.id, base),
        );
        for output in &self.outputs {
            match output {
                Output::Field(path) => {
                    put(&mut record, &path.hops, path, self.object, row, view, base)
                }
                Output::Child(child, plan) => {
                    let rows: Vec<&Row> = plan.children(view, child.field, &row.id);
                    let records: Vec<Value> = rows
                        .iter()
                        .map(|row| plan.record(view, row, base))
                        .collect();
                    let shown = if records.is_empty() {
                        Value::Null
                    } else {
                        json!({"totalSize": records.len(), "done": true, "records": records})
                    };
                    record.insert(child.relationship.to_owned(), shown);
                }
            }
        }
        Value::Object(record)
    }

    fn children<'w>(&self, view: View<'w>, field: &str, parent: &str) -> Vec<&'w Row> {
        let mut rows: Vec<&Row> = view
            .world
            .table(self.object.name)
            .find(field, parent)
            .into_iter()
            .filter(|row| self.test.holds(view, row))
            .collect();
        self.sort(&mut rows, view);
        rows.into_iter()
            .skip(self.offset)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect()
    }
}

/// The `attributes` of a record.
pub(in super::super) fn attributes(object: &Object, id: &str, base: &str) -> Value {
    json!({"type": object.name, "url": format!("{base}/sobjects/{}/{id}", object.name)})
}

/// Puts a value at its place, inside its parents' objects.
fn put<'w>(
    record: &mut Map<String, Value>,
    hops: &[&'static crate::salesforce::schema::Field],
    path: &Path,
    object: &'static Object,
    row: &'w Row,
    view: View<'w>,
    base: &str,
) {
    let Some((hop, rest)) = hops.split_first() else {
        let value = object
            .field(path.leaf.name)
            .map_or(Value::Null, |field| view.json(field, row));
        record.insert(path.leaf.name.to_owned(), value);
        return;
    };
    let parent = match view.cell(hop, row) {
        Cell::Text(id) => {
            Object::of_id(&id).and_then(|target| Some((target, view.world.get(target.name, &id)?)))
        }
        _ => None,
    };
    let slot = record
        .entry(hop.relationship.to_owned())
        .or_insert(Value::Null);
    if let Some((target, parent)) = parent {
        if slot.is_null() {
            *slot = json!({"attributes": attributes(target, &parent.id, base)});
        }
        if let Value::Object(inner) = slot {
            put(inner, rest, path, target, parent, view, base);
        }
    }
}

/// The ids that a semi join selects; `None` where it does not select one id field.
pub(super) fn ids_of(plan: &Plan, view: View<'_>) -> Option<HashSet<String>> {
    let [Output::Field(path)] = plan.outputs.as_slice() else {
        return None;
    };
    if !path.leaf.kind.is_id() {
        return None;
    }
    let texts =
        plan.rows(view, Scope::Live)
            .into_iter()
            .filter_map(|row| match path.cell(view, row) {
                Cell::Text(id) => Some(id.into_owned()),
                _ => None,
            });
    Some(texts.collect())
}

/// The fields for which the dialect keeps an index, so that a list of values is looked up one by one.
fn is_indexed(object: &Object, field: &str) -> bool {
    crate::salesforce::INDEXES.contains(&(object.name, field))
}

impl Path {
    /// The value at the end of the path.
    pub(in super::super) fn cell<'w>(&self, view: View<'w>, row: &'w Row) -> Cell<'w> {
        let mut row = row;
        let mut leaf = self.leaf;
        for hop in &self.hops {
            let Cell::Text(id) = view.cell(hop, row) else {
                return Cell::Null;
            };
            let Some(object) = Object::of_id(&id) else {
                return Cell::Null;
            };
            let Some(parent) = view.world.get(object.name, &id) else {
                return Cell::Null;
            };
            row = parent;
            // What the reference points to may be of several objects, each with its own field of this name.
            if let Some(field) = object.field(self.leaf.name) {
                leaf = field;
            }
        }
        view.cell(leaf, row)
    }
}

impl Test {
    fn holds(&self, view: View<'_>, row: &Row) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|test| test.holds(view, row)),
            Test::Any(tests) => tests.iter().any(|test| test.holds(view, row)),
            Test::Not(test) => !test.holds(view, row),
            Test::Compare(path, comparison, operand) => {
                compares(&path.cell(view, row), *comparison, operand, path.folds())
            }
            Test::In {
                path,
                negated,
                null,
                texts,
                others,
            } => {
                let cell = path.cell(view, row);
                let found = match &cell {
                    Cell::Null => *null,
                    Cell::Text(text) if path.folds() => texts.contains(&text.to_lowercase()),
                    Cell::Text(text) => texts.contains(text.as_ref()),
                    _ => others
                        .iter()
                        .any(|other| compares(&cell, Comparison::Equal, other, false)),
                };
                found != *negated
            }
            Test::Like(path, pattern) => match path.cell(view, row) {
                Cell::Text(text) => {
                    let text: Vec<char> = text.to_lowercase().chars().collect();
                    matches_pattern(&text, pattern)
                }
                _ => false,
            },
            Test::Includes {
                path,
                negated,
                sets,
            } => {
                let cell = path.cell(view, row);
                let held: Vec<&str> = match &cell {
                    Cell::Text(text) => text.split(';').collect(),
                    _ => Vec::new(),
                };
                let found = sets
                    .iter()
                    .any(|set| set.iter().all(|value| held.contains(&value.as_str())));
                found != *negated
            }
        }
    }
}

fn compares(cell: &Cell<'_>, comparison: Comparison, operand: &Operand, folds: bool) -> bool {
    let ordering = match (cell, operand) {
        (Cell::Null, Operand::Null) => return comparison == Comparison::Equal,
        (Cell::Null, _) | (_, Operand::Null) => return comparison == Comparison::NotEqual,
        (Cell::Bool(left), Operand::Bool(right)) => left.cmp(right),
        (Cell::Number(left), Operand::Number(right)) => left.cmp(right),
        (Cell::Text(left), Operand::Text(right)) if folds => compare_folded(left, right),
        (Cell::Text(left), Operand::Text(right)) => left.as_ref().cmp(right.as_str()),
        (Cell::Time(left), Operand::Time(right)) => left.cmp(right),
        (Cell::Date(left), Operand::Date(right)) => left.cmp(right),
        (Cell::Time(time), Operand::Moments(first, end)) => {
            return within(time, first, end, comparison);
        }
        (Cell::Date(day), Operand::Days(first, end)) => return within(day, first, end, comparison),
        _ => return false,
    };
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::AtMost => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::AtLeast => ordering.is_ge(),
        Comparison::Like => false,
    }
}

fn within<T: Ord>(value: &T, first: &T, end: &T, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Equal => value >= first && value < end,
        Comparison::NotEqual => value < first || value >= end,
        Comparison::Less => value < first,
        Comparison::AtMost => value < end,
        Comparison::Greater => value >= end,
        Comparison::AtLeast => value >= first,
        Comparison::Like => false,
    }
}

/// Greedy matching that goes back only to the last `%`, so that no pattern takes exponential time.
fn matches_pattern(text: &[char], pattern: &[Wild]) -> bool {
    let (mut at, mut next) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(next) {
            Some(Wild::Many) => {
                resume = Some((at, next + 1));
                next += 1;
            }
            Some(Wild::One) => {
                at += 1;
                next += 1;
            }
            Some(Wild::Character(wanted)) if *wanted == text[at] => {
                at += 1;
                next += 1;
            }
            _ => match resume {
                Some((from, after)) => {
                    resume = Some((from + 1, after));
                    at = from + 1;
                    next = after;
                }
                None => return false,
            },
        }
    }
    pattern[next..].iter().all(|wild| *wild == Wild::Many)
}
