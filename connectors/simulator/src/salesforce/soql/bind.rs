use super::{
    SoqlError,
    parse::{Column, Field as Name, Filter, Group, Literal, Select},
    run::ids_of,
    token::Comparison,
};
use crate::salesforce::{
    ids,
    schema::{Child, Field, Object, Type},
    view::View,
};
use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use std::collections::HashSet;

/// A query after the schema has been asked: it can run.
#[derive(Clone, Debug)]
pub(in super::super) struct Plan {
    pub(in super::super) object: &'static Object,
    pub(in super::super) outputs: Vec<Output>,
    /// Whether only the number of rows is asked for.
    pub(in super::super) counts: bool,
    pub(super) test: Test,
    pub(super) order: Vec<Key>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// One thing to show of each row.
#[derive(Clone, Debug)]
pub(in super::super) enum Output {
    Field(Path),
    Child(&'static Child, Box<Plan>),
}

/// A field, perhaps of a parent.
#[derive(Clone, Debug)]
pub(in super::super) struct Path {
    /// The references to follow first.
    pub(in super::super) hops: Vec<&'static Field>,
    pub(in super::super) leaf: &'static Field,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) path: Path,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// A condition on a row.
#[derive(Clone, Debug)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Compare(Path, Comparison, Operand),
    In {
        path: Path,
        negated: bool,
        null: bool,
        texts: HashSet<String>,
        others: Vec<Operand>,
    },
    Like(Path, Vec<Wild>),
    Includes {
        path: Path,
        negated: bool,
        sets: Vec<Vec<String>>,
    },
}

/// A value to compare with, in the field's type.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    Number(Decimal),
    /// In lower case where the field's case does not matter.
    Text(String),
    Time(Timestamp),
    Date(Date),
    Moments(Timestamp, Timestamp),
    Days(Date, Date),
}

/// One piece of a `LIKE` pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wild {
    Character(char),
    One,
    Many,
}

impl Path {
    /// Whether text in this field is compared without regard to case.
    pub(super) fn folds(&self) -> bool {
        !self.leaf.kind.is_id() && self.leaf.kind != Type::Picklist
    }
}

/// Further back than this an offset is refused.
const FARTHEST: usize = 2_000;

/// Checks a query against the schema.
///
/// # Errors
/// `INVALID_TYPE`, `INVALID_FIELD` and others, with the place.
pub(in super::super) fn bind(
    query: &str,
    select: &Select,
    view: View<'_>,
) -> Result<Plan, SoqlError> {
    let object = Object::named(&select.from.name).ok_or_else(|| {
        let complaint = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the \
             '__c' after the entity name.",
            select.from.name
        );
        SoqlError::at("INVALID_TYPE", query, select.from.at, &complaint)
    })?;
    bind_on(query, select, object, view)
}

fn bind_on(
    query: &str,
    select: &Select,
    object: &'static Object,
    view: View<'_>,
) -> Result<Plan, SoqlError> {
    let binder = Binder {
        query,
        object,
        view,
    };
    if select.offset > FARTHEST {
        let complaint = format!("Maximum SOQL offset allowed is {FARTHEST}");
        return Err(SoqlError {
            code: "NUMBER_OUTSIDE_VALID_RANGE",
            message: complaint,
        });
    }
    let mut outputs: Vec<Output> = Vec::new();
    let mut counts = false;
    for column in &select.columns {
        match column {
            Column::Count => counts = true,
            Column::Field(name) => outputs.push(Output::Field(binder.path(name)?)),
            Column::Fields(group) => {
                if *group != Group::Standard && select.limit.is_none_or(|limit| limit > 200) {
                    let complaint = "The SOQL FIELDS function must have a LIMIT of at most 200";
                    return Err(SoqlError::malformed(query, 0, complaint.to_owned()));
                }
                let wanted = view.fields(object).filter(|field| match group {
                    Group::All => true,
                    Group::Standard => !field.is_custom(),
                    Group::Custom => field.is_custom(),
                });
                outputs.extend(wanted.map(|leaf| {
                    Output::Field(Path {
                        hops: Vec::new(),
                        leaf,
                    })
                }));
            }
            Column::Child(inner) => {
                let child = object.child(&inner.from.name).ok_or_else(|| {
                    let complaint = format!(
                        "Didn't understand relationship '{}' in FROM part of query call.",
                        inner.from.name
                    );
                    SoqlError::at("INVALID_TYPE", query, inner.from.at, &complaint)
                })?;
                let target = Object::named(child.object)
                    .expect("the schema names existing objects in its relationships");
                outputs.push(Output::Child(
                    child,
                    Box::new(bind_on(query, inner, target, view)?),
                ));
            }
        }
    }
    if counts && select.columns.len() > 1 {
        let complaint = "Grouped query with COUNT() must not select other fields";
        return Err(SoqlError::malformed(query, 0, complaint.to_owned()));
    }
    let test = match &select.filter {
        Some(filter) => binder.test(filter)?,
        None => Test::All(Vec::new()),
    };
    let order = select
        .order
        .iter()
        .map(|order| {
            let path = binder.path(&order.field)?;
            if !path.leaf.is_filterable() {
                return Err(binder.field_error(
                    &order.field,
                    format!(
                        "field '{}' can not be sorted in a query call",
                        order.field.name
                    ),
                ));
            }
            Ok(Key {
                path,
                descending: order.descending,
                nulls_last: order.nulls_last,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Plan {
        object,
        outputs,
        counts,
        test,
        order,
        limit: select.limit,
        offset: select.offset,
    })
}

struct Binder<'q, 'w> {
    query: &'q str,
    object: &'static Object,
    view: View<'w>,
}

impl Binder<'_, '_> {
    fn field_error(&self, name: &Name, complaint: String) -> SoqlError {
        SoqlError::at("INVALID_FIELD", self.query, name.at, &complaint)
    }

    fn path(&self, name: &Name) -> Result<Path, SoqlError> {
        let mut parts: Vec<&str> = name.name.split('.').collect();
        // The object's own name may stand in front: `Lead.Email`.
        if parts.len() > 1
            && parts[0].eq_ignore_ascii_case(self.object.name)
            && self.object.relationship(parts[0]).is_none()
        {
            parts.remove(0);
        }
        let Some((leaf, relationships)) = parts.split_last() else {
            return Err(self.field_error(name, "unexpected token".to_owned()));
        };
        let mut hops = Vec::new();
        let mut objects = vec![self.object];
        for relationship in relationships {
            let hop = objects
                .iter()
                .find_map(|object| {
                    object
                        .relationship(relationship)
                        .filter(|hop| self.view.field(object, hop.name).is_some())
                })
                .ok_or_else(|| {
                    self.field_error(
                        name,
                        format!("Didn't understand relationship '{relationship}' in field path."),
                    )
                })?;
            objects = hop
                .references
                .iter()
                .filter_map(|name| Object::named(name))
                .collect();
            hops.push(hop);
        }
        if hops.len() > 5 {
            return Err(self.field_error(
                name,
                "only 5 levels of relationships are allowed".to_owned(),
            ));
        }
        let field = objects
            .iter()
            .find_map(|object| self.view.field(object, leaf));
        let leaf = field.ok_or_else(|| {
            let entity = objects.first().map_or("", |object| object.name);
            self.field_error(name, format!(
                "No such column '{leaf}' on entity '{entity}'. If you are attempting to use a custom field, be sure to \
                 append the '__c' after the custom field name."
            ))
        })?;
        Ok(Path { hops, leaf })
    }

    fn filterable(&self, name: &Name) -> Result<Path, SoqlError> {
        let path = self.path(name)?;
        if path.leaf.is_filterable() {
            return Ok(path);
        }
        Err(self.field_error(
            name,
            format!("field '{}' can not be filtered in a query call", name.name),
        ))
    }

    fn test(&self, filter: &Filter) -> Result<Test, SoqlError> {
        let all = |filters: &[Filter]| -> Result<Vec<Test>, SoqlError> {
            filters.iter().map(|filter| self.test(filter)).collect()
        };
        Ok(match filter {
            Filter::All(filters) => Test::All(all(filters)?),
            Filter::Any(filters) => Test::Any(all(filters)?),
            Filter::Not(filter) => Test::Not(Box::new(self.test(filter)?)),
            Filter::Compare(name, Comparison::Like, literal) => {
                let path = self.filterable(name)?;
                if path.leaf.kind.is_id() || path.leaf.kind.is_number() {
                    return Err(self.operator(name, &path, "like"));
                }
                match self.operand(name, &path, literal)? {
                    Operand::Text(_) => {}
                    _ => return Err(self.operator(name, &path, "like")),
                }
                let Literal::Text(pattern) = literal else {
                    return Err(self.operator(name, &path, "like"));
                };
                Test::Like(path, wildcards(pattern))
            }
            Filter::Compare(name, comparison, literal) => {
                let path = self.filterable(name)?;
                let operand = self.operand(name, &path, literal)?;
                let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
                let unordered = matches!(operand, Operand::Null | Operand::Bool(_));
                if !equality && unordered {
                    return Err(self.operator(name, &path, comparison.symbol()));
                }
                Test::Compare(path, *comparison, operand)
            }
            Filter::In {
                field,
                negated,
                values,
            } => {
                let path = self.filterable(field)?;
                let (mut null, mut texts, mut others) = (false, HashSet::new(), Vec::new());
                for value in values {
                    match self.operand(field, &path, value)? {
                        Operand::Null => null = true,
                        Operand::Text(text) => {
                            texts.insert(text);
                        }
                        other => others.push(other),
                    }
                }
                Test::In {
                    path,
                    negated: *negated,
                    null,
                    texts,
                    others,
                }
            }
            Filter::InSelect {
                field,
                negated,
                select,
            } => {
                let path = self.filterable(field)?;
                let plan = bind(self.query, select, self.view)?;
                let texts = ids_of(&plan, self.view).ok_or_else(|| {
                    self.field_error(field, "a semi join selects exactly one id field".to_owned())
                })?;
                Test::In {
                    path,
                    negated: *negated,
                    null: false,
                    texts,
                    others: Vec::new(),
                }
            }
            Filter::Includes {
                field,
                negated,
                values,
            } => {
                let path = self.filterable(field)?;
                let sets = values
                    .iter()
                    .map(|value| value.split(';').map(str::to_owned).collect())
                    .collect();
                Test::Includes {
                    path,
                    negated: *negated,
                    sets,
                }
            }
        })
    }

    fn operator(&self, name: &Name, path: &Path, operator: &str) -> SoqlError {
        let complaint = format!(
            "invalid operator on {} field: {operator}",
            path.leaf.kind.name()
        );
        SoqlError::at(
            "INVALID_QUERY_FILTER_OPERATOR",
            self.query,
            name.at,
            &complaint,
        )
    }

    fn operand(&self, name: &Name, path: &Path, literal: &Literal) -> Result<Operand, SoqlError> {
        let kind = path.leaf.kind;
        let now = self.view.now;
        let operand = match (kind, literal) {
            (_, Literal::Null) => Some(Operand::Null),
            (Type::Bool, Literal::Bool(truth)) => Some(Operand::Bool(*truth)),
            (kind, Literal::Number(number)) if kind.is_number() => Some(Operand::Number(*number)),
            (Type::Time, Literal::Time(time)) => Some(Operand::Time(*time)),
            (Type::Time, Literal::Range(range)) => {
                let (first, end) = range.moments(now);
                Some(Operand::Moments(first, end))
            }
            (Type::Date, Literal::Date(day)) => Some(Operand::Date(*day)),
            (Type::Date, Literal::Range(range)) => {
                let (first, end) = range.days(now);
                Some(Operand::Days(first, end))
            }
            (Type::Id | Type::Reference, Literal::Text(text)) if text.is_empty() => {
                Some(Operand::Null)
            }
            (Type::Id | Type::Reference, Literal::Text(text)) => {
                let id = ids::full(text).ok_or_else(|| {
                    let complaint = format!("invalid ID field: {text}");
                    SoqlError::at(
                        "INVALID_QUERY_FILTER_OPERATOR",
                        self.query,
                        name.at,
                        &complaint,
                    )
                })?;
                Some(Operand::Text(id))
            }
            (
                Type::Text
                | Type::TextArea
                | Type::Picklist
                | Type::Email
                | Type::Phone
                | Type::Url,
                Literal::Text(text),
            ) => Some(match (text.is_empty(), path.folds()) {
                // Blank text is stored as null.
                (true, _) => Operand::Null,
                (false, true) => Operand::Text(text.to_lowercase()),
                (false, false) => Operand::Text(text.clone()),
            }),
            _ => None,
        };
        operand.ok_or_else(|| {
            let (wanted, quotes) = match kind {
                Type::Time => ("dateTime", "should not be enclosed in quotes"),
                Type::Bool | Type::Date => (kind.name(), "should not be enclosed in quotes"),
                kind if kind.is_number() => (kind.name(), "should not be enclosed in quotes"),
                _ => ("string", "should be enclosed in quotes"),
            };
            self.field_error(name, format!(
                "value of filter criterion for field '{}' must be of type {wanted} and {quotes}",
                path.leaf.name
            ))
        })
    }
}

fn wildcards(pattern: &str) -> Vec<Wild> {
    let mut wild = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => wild.push(Wild::Many),
            '_' => wild.push(Wild::One),
            '\\' => wild.extend(characters.next().map(Wild::Character)),
            other => wild.extend(other.to_lowercase().map(Wild::Character)),
        }
    }
    wild
}
