//! Search: a lagging index with filters, one order, and a floor that it does not reach below.
//!
//! Source: HubSpot, search the CRM. What it shows is what the index knew [`super::Knobs::index_lag`] ago.

use super::{
    HubSpot,
    record::{View, Wanted},
    request::{Answer, Call, Problem, Reply, parse_time, scalar, texts},
    schema::{Object, Property},
};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::{cmp::Ordering, collections::BTreeMap};

const MOST_RESULTS: usize = 10_000;
const LONGEST_PAGE: u64 = 200;
const LONGEST_BODY: usize = 3_000;
const MOST_GROUPS: usize = 5;
const MOST_FILTERS: usize = 6;
const MOST_FILTERS_IN_ALL: usize = 18;

/// A value that can be put in order, by the property's type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sortable {
    Number(Decimal),
    Time(i64),
    Text(String),
}

struct Filter<'a> {
    property: &'a Property,
    operator: String,
    value: Option<Sortable>,
    high: Option<Sortable>,
    values: Vec<Sortable>,
    token: String,
}

impl HubSpot {
    pub(super) fn search(&mut self, call: &Call<'_>, object: Object) -> Answer {
        if call.body.len() > LONGEST_BODY {
            return Err(Problem::invalid(format!(
                "the request body may have at most {LONGEST_BODY} characters"
            )));
        }
        let body = call.json()?;
        let limit = body["limit"].as_u64().unwrap_or(10);
        if limit > LONGEST_PAGE || limit == 0 {
            return Err(Problem::invalid(format!(
                "limit must be between 1 and {LONGEST_PAGE}, got {limit}"
            )));
        }
        let limit = limit as usize;
        let after = match scalar(&body["after"]).filter(|after| !after.is_empty()) {
            Some(after) => after
                .parse()
                .map_err(|_| Problem::invalid(format!("after is not a position: {after}")))?,
            None => 0_usize,
        };
        if after + limit > MOST_RESULTS {
            return Err(Problem::invalid(format!(
                "a search reaches its first {MOST_RESULTS} results only"
            )));
        }
        let groups = self.groups(object, &body["filterGroups"])?;
        let order = self.order(object, &body["sorts"])?;
        let words = body["query"].as_str().unwrap_or_default().to_lowercase();

        let candidates = self.candidates(object, &groups, call.now);
        let matches = |view: &View<'_>| {
            (groups.is_empty()
                || groups
                    .iter()
                    .any(|group| group.iter().all(|filter| filter.holds(object, view))))
                && (words.is_empty() || has_words(view, &words))
        };
        let mut found: Vec<View<'_>> = candidates.into_iter().filter(matches).collect();
        match order {
            // Candidates come by id.
            None => {}
            Some((property, false)) if property.name == "hs_object_id" => {}
            Some((property, descending)) => found.sort_by_cached_key(|view| Direction {
                key: key(object, property, view),
                descending,
            }),
        }
        let wanted = Wanted {
            properties: texts(&body["properties"]),
            ..Wanted::default()
        };
        let page = found.iter().skip(after).take(limit);
        let results: Vec<Value> = page
            .map(|view| self.render(object, view, &wanted))
            .collect();
        let mut reply = json!({ "total": found.len(), "results": results });
        if after + limit < found.len() {
            reply["paging"] = json!({ "next": { "after": (after + limit).to_string() } });
        }
        Ok(Reply::ok(reply))
    }

    /// Records that could match, as the index sees them, by id. Narrowed where a filter on the time of change or a unique value allows.
    fn candidates(
        &self,
        object: Object,
        groups: &[Vec<Filter<'_>>],
        now: Timestamp,
    ) -> Vec<View<'_>> {
        let table = self.world.table(object.table());
        let whole = || {
            table
                .rows()
                .filter_map(|row| View::indexed(row, now))
                .collect()
        };
        let mut rows = BTreeMap::new();
        for group in groups {
            if let Some(floor) = group.iter().find_map(|filter| filter.floor(object)) {
                rows.extend(
                    table
                        .modified_since(floor)
                        .map(|row| (row.id.as_str(), row)),
                );
            } else if let Some((property, values)) = group.iter().find_map(Filter::unique) {
                rows.extend(
                    values
                        .iter()
                        .flat_map(|value| table.find(property, value))
                        .map(|row| (row.id.as_str(), row)),
                );
                // What changed too recently for the index may still stand in it under its old value.
                let recent = now.checked_sub(self.knobs.index_lag).unwrap_or(now);
                rows.extend(
                    table
                        .modified_since(recent)
                        .map(|row| (row.id.as_str(), row)),
                );
            } else {
                return whole();
            }
        }
        match groups.is_empty() {
            true => whole(),
            false => rows
                .into_values()
                .filter_map(|row| View::indexed(row, now))
                .collect(),
        }
    }

    fn groups(&self, object: Object, groups: &Value) -> Result<Vec<Vec<Filter<'_>>>, Problem> {
        let groups: Vec<&Value> = groups.as_array().into_iter().flatten().collect();
        if groups.len() > MOST_GROUPS {
            return Err(Problem::invalid(format!(
                "a search has at most {MOST_GROUPS} filterGroups"
            )));
        }
        let mut parsed = Vec::new();
        for group in groups {
            let filters: Vec<&Value> = group["filters"].as_array().into_iter().flatten().collect();
            if filters.len() > MOST_FILTERS {
                return Err(Problem::invalid(format!(
                    "a filterGroup has at most {MOST_FILTERS} filters"
                )));
            }
            parsed.push(
                filters
                    .into_iter()
                    .map(|filter| self.filter(object, filter))
                    .collect::<Result<Vec<_>, _>>()?,
            );
        }
        if parsed.iter().map(Vec::len).sum::<usize>() > MOST_FILTERS_IN_ALL {
            return Err(Problem::invalid(format!(
                "a search has at most {MOST_FILTERS_IN_ALL} filters in all"
            )));
        }
        Ok(parsed)
    }

    fn filter(&self, object: Object, filter: &Value) -> Result<Filter<'_>, Problem> {
        let name = filter["propertyName"].as_str().unwrap_or_default();
        let property = self.searchable(object, name)?;
        let operator = filter["operator"].as_str().unwrap_or_default().to_owned();
        let read = |value: &Value| -> Result<Option<Sortable>, Problem> {
            let Some(text) = scalar(value) else {
                return Ok(None);
            };
            let value = sortable(property, &text);
            value.map(Some).ok_or_else(|| {
                Problem::invalid(format!(
                    "{text} is not a {} to compare {name} with",
                    property.kind
                ))
            })
        };
        let token = scalar(&filter["value"]).unwrap_or_default().to_lowercase();
        let tokens = matches!(operator.as_str(), "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN");
        let value = if tokens {
            None
        } else {
            read(&filter["value"])?
        };
        let high = read(&filter["highValue"])?;
        let values: Vec<Sortable> = match &filter["values"] {
            Value::Array(values) => values
                .iter()
                .filter_map(|value| read(value).transpose())
                .collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        let complete = match operator.as_str() {
            "EQ" | "NEQ" | "LT" | "LTE" | "GT" | "GTE" => value.is_some(),
            "BETWEEN" => value.is_some() && high.is_some(),
            "IN" | "NOT_IN" => !values.is_empty(),
            "HAS_PROPERTY" | "NOT_HAS_PROPERTY" => true,
            "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN" => !token.is_empty(),
            _ => {
                return Err(Problem::invalid(format!(
                    "{operator:?} is not a search operator"
                )));
            }
        };
        if !complete {
            return Err(Problem::invalid(format!(
                "the filter {operator} on {name} lacks its value"
            )));
        }
        Ok(Filter {
            property,
            operator,
            value,
            high,
            values,
            token,
        })
    }

    fn order(&self, object: Object, sorts: &Value) -> Result<Option<(&Property, bool)>, Problem> {
        let sorts: Vec<&Value> = sorts.as_array().into_iter().flatten().collect();
        match sorts[..] {
            [] => Ok(None),
            [sort] => {
                // A plain name is accepted too, a minus before it for the reverse.
                let (name, descending) = match sort.as_str() {
                    Some(name) => (name.trim_start_matches('-'), name.starts_with('-')),
                    None => (
                        sort["propertyName"].as_str().unwrap_or_default(),
                        sort["direction"] == "DESCENDING",
                    ),
                };
                Ok(Some((self.searchable(object, name)?, descending)))
            }
            _ => Err(Problem::invalid("a search has one sort at most")),
        }
    }

    fn searchable(&self, object: Object, name: &str) -> Result<&Property, Problem> {
        let property = self.properties[&object].get(name);
        property.ok_or_else(|| {
            Problem::invalid(format!(
                "There was a problem with the request: property {name:?} does not exist"
            ))
        })
    }
}

impl Filter<'_> {
    fn holds(&self, object: Object, view: &View<'_>) -> bool {
        let text = || {
            view.property(object, &self.property.name)
                .filter(|text| !text.is_empty())
        };
        match self.operator.as_str() {
            "HAS_PROPERTY" => return text().is_some(),
            "NOT_HAS_PROPERTY" => return text().is_none(),
            "CONTAINS_TOKEN" => return text().is_some_and(|text| has_token(&text, &self.token)),
            "NOT_CONTAINS_TOKEN" => {
                return !text().is_some_and(|text| has_token(&text, &self.token));
            }
            _ => {}
        }
        let Some(held) = key(object, self.property, view) else {
            return self.operator == "NOT_IN";
        };
        let compared = self.value.as_ref().map(|value| held.cmp(value));
        match self.operator.as_str() {
            "EQ" => compared == Some(Ordering::Equal),
            "NEQ" => compared.is_some_and(|order| order != Ordering::Equal),
            "LT" => compared == Some(Ordering::Less),
            "LTE" => compared.is_some_and(Ordering::is_le),
            "GT" => compared == Some(Ordering::Greater),
            "GTE" => compared.is_some_and(Ordering::is_ge),
            "BETWEEN" => {
                compared.is_some_and(Ordering::is_ge)
                    && self.high.as_ref().is_some_and(|high| held <= *high)
            }
            "IN" => self.values.contains(&held),
            _ => !self.values.contains(&held),
        }
    }

    /// No match was last changed before this.
    fn floor(&self, object: Object) -> Option<Timestamp> {
        let bounded = matches!(self.operator.as_str(), "GT" | "GTE" | "EQ" | "BETWEEN");
        match &self.value {
            Some(Sortable::Time(at)) if bounded && self.property.name == object.modified() => {
                Timestamp::from_millisecond(*at).ok()
            }
            _ => None,
        }
    }

    /// Matches have one of these values in a unique property.
    fn unique(&self) -> Option<(&str, Vec<&str>)> {
        let wanted: Vec<&Sortable> = match self.operator.as_str() {
            "EQ" => self.value.iter().collect(),
            "IN" => self.values.iter().collect(),
            _ => return None,
        };
        let texts = wanted.into_iter().filter_map(|value| match value {
            Sortable::Text(text) => Some(text.as_str()),
            _ => None,
        });
        self.property
            .unique
            .then(|| (self.property.name.as_str(), texts.collect()))
    }
}

/// Blank values come last in either direction.
#[derive(PartialEq, Eq)]
struct Direction {
    key: Option<Sortable>,
    descending: bool,
}

impl Ord for Direction {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.key, &other.key) {
            (Some(one), Some(two)) if self.descending => two.cmp(one),
            (Some(one), Some(two)) => one.cmp(two),
            (one, two) => one.is_none().cmp(&two.is_none()),
        }
    }
}

impl PartialOrd for Direction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a record is compared by. The time of change needs no detour over text.
fn key(object: Object, property: &Property, view: &View<'_>) -> Option<Sortable> {
    if property.name == object.modified() {
        return Some(Sortable::Time(view.modified.as_millisecond()));
    }
    view.property(object, &property.name)
        .filter(|text| !text.is_empty())
        .and_then(|text| sortable(property, &text))
}

/// Times are compared by milliseconds, numbers by value, text without regard to case.
fn sortable(property: &Property, text: &str) -> Option<Sortable> {
    match property.kind.as_str() {
        "number" => text.parse().ok().map(Sortable::Number),
        "datetime" | "date" => parse_time(text).map(|at| Sortable::Time(at.as_millisecond())),
        _ => Some(Sortable::Text(text.to_lowercase())),
    }
}

fn has_words(view: &View<'_>, words: &str) -> bool {
    const SEARCHED: [&str; 8] = [
        "firstname",
        "lastname",
        "email",
        "phone",
        "company",
        "name",
        "domain",
        "dealname",
    ];
    words.split_whitespace().all(|word| {
        SEARCHED.iter().any(|name| {
            view.fields
                .get(*name)
                .is_some_and(|value| value.to_lowercase().contains(word))
        })
    })
}

/// Whether a word of the text is the token, where `*` stands for anything.
fn has_token(text: &str, token: &str) -> bool {
    let text = text.to_lowercase();
    let fits = |word: &str| {
        let mut parts = token.split('*');
        let Some(mut rest) = word.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else {
            return rest.is_empty();
        };
        for part in middle {
            match rest.find(part) {
                Some(place) => rest = &rest[place + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    };
    fits(&text)
        || text
            .split(|letter: char| !letter.is_alphanumeric())
            .any(fits)
}
