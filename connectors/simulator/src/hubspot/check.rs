//! What a write must satisfy before it is carried out.

use super::{
    HubSpot,
    record::Changes,
    request::{Complaint, Problem, Version, iso, parse_time, scalar},
    schema::{Object, Property},
};
use crate::world::{Row, Values};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeSet;

/// Longest value of a text property in characters.
const LONGEST_TEXT: usize = 65_536;

/// Values that a batch has claimed for itself: `(property, value)`.
pub(super) type Claims = BTreeSet<(String, String)>;

impl HubSpot {
    /// Checks the properties of a create (`existing` is `None`) or an update, and brings them to HubSpot's form.
    pub(super) fn check(
        &self,
        object: Object,
        version: Version,
        existing: Option<&Row>,
        properties: &Value,
        claims: &mut Claims,
    ) -> Result<Changes, Problem> {
        let empty = serde_json::Map::new();
        let given = match properties {
            Value::Object(given) => given,
            Value::Null => &empty,
            _ => {
                return Err(Problem::invalid(
                    "properties must be an object of names and values",
                ));
            }
        };
        let mut changes = Changes::new();
        let mut complaints = Vec::new();
        for (name, value) in given {
            match self.check_value(object, name, value) {
                Ok(value) => {
                    changes.insert(name.clone(), value);
                }
                Err(complaint) => complaints.push(complaint),
            }
        }
        let before = existing.map(|row| &row.fields);
        self.check_stage(object, before, &mut changes, &mut complaints);
        if !complaints.is_empty() {
            return Err(Problem::properties(&complaints));
        }
        self.keep_forward(object, before, &mut changes);
        self.check_required(object, version, before, &changes)?;
        self.check_unique(object, existing, &changes, claims)?;
        Ok(changes)
    }

    fn check_value(
        &self,
        object: Object,
        name: &str,
        value: &Value,
    ) -> Result<Option<String>, Complaint> {
        let complain = |code: &'static str, message: String| Complaint {
            property: name.to_owned(),
            code,
            message,
        };
        let Some(property) = self.properties[&object].get(name) else {
            return Err(complain(
                "PROPERTY_DOESNT_EXIST",
                format!("Property \"{name}\" does not exist"),
            ));
        };
        if property.read_only {
            return Err(complain(
                "READ_ONLY_VALUE",
                format!("\"{name}\" is a read only property; its value cannot be set."),
            ));
        }
        let Some(text) = scalar(value).filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let not = |code, what: &str| Err(complain(code, format!("{text} was not a valid {what}.")));
        match property.kind.as_str() {
            "number" => match text.parse::<Decimal>() {
                Ok(_) => Ok(Some(text)),
                Err(_) => not("INVALID_INTEGER", "number"),
            },
            "datetime" => match parse_time(&text) {
                Some(at) => Ok(Some(iso(at))),
                None => not("INVALID_DATE", "time"),
            },
            "date" => match parse_time(&text) {
                Some(at) if at.as_millisecond().rem_euclid(86_400_000) == 0 => {
                    Ok(Some(iso(at)[..10].to_owned()))
                }
                _ => not("INVALID_DATE", "day at midnight UTC"),
            },
            "bool" => match text.as_str() {
                "true" | "false" => Ok(Some(text)),
                _ => not("INVALID_OPTION", "boolean"),
            },
            "enumeration" if property.owner => match self.world.get_live("owners", &text) {
                Some(owner) if owner.field("active") != Some("false") => Ok(Some(text)),
                _ => not("INVALID_OWNER_ID", "owner"),
            },
            "enumeration" => self.check_option(object, property, text),
            _ if name == "email" => {
                let email = text.trim().to_lowercase();
                match is_email(&email) {
                    true => Ok(Some(email)),
                    false => Err(complain(
                        "INVALID_EMAIL",
                        format!("Email address {text} is invalid"),
                    )),
                }
            }
            _ if text.chars().count() > LONGEST_TEXT => Err(complain(
                "VALUE_TOO_LONG",
                format!("a value may have at most {LONGEST_TEXT} characters"),
            )),
            _ => Ok(Some(text)),
        }
    }

    fn check_option(
        &self,
        object: Object,
        property: &Property,
        text: String,
    ) -> Result<Option<String>, Complaint> {
        let options: Vec<&str> = match (object, property.name.as_str()) {
            (Object::Deal, "pipeline") | (Object::Lead, "hs_pipeline") => self.pipelines[&object]
                .iter()
                .map(|pipeline| pipeline.id.as_str())
                .collect(),
            (Object::Deal, "dealstage") | (Object::Lead, "hs_pipeline_stage") => {
                let stages = self.pipelines[&object]
                    .iter()
                    .flat_map(|pipeline| &pipeline.stages);
                stages.map(|stage| stage.id.as_str()).collect()
            }
            _ => property
                .options
                .iter()
                .map(|(value, _)| value.as_str())
                .collect(),
        };
        let mut values = if property.is_multiple() {
            text.split(';').collect()
        } else {
            vec![text.as_str()]
        };
        values.retain(|value| !value.is_empty());
        match values.iter().find(|value| !options.contains(value)) {
            None => Ok(Some(text)),
            Some(stranger) => Err(Complaint {
                property: property.name.clone(),
                code: "INVALID_OPTION",
                message: format!(
                    "{stranger} was not one of the allowed options: [{}]",
                    options.join(", ")
                ),
            }),
        }
    }

    /// A stage must belong to its pipeline; without a pipeline, the first one is meant.
    fn check_stage(
        &self,
        object: Object,
        before: Option<&Values>,
        changes: &mut Changes,
        complaints: &mut Vec<Complaint>,
    ) {
        let (pipeline_name, stage_name) = match object {
            Object::Deal => ("pipeline", "dealstage"),
            Object::Lead => ("hs_pipeline", "hs_pipeline_stage"),
            _ => return,
        };
        let pipelines = &self.pipelines[&object];
        let held = |name: &str| before.and_then(|before| before.get(name)).cloned();
        let pipeline = changes
            .get(pipeline_name)
            .cloned()
            .flatten()
            .or_else(|| held(pipeline_name));
        let pipeline = pipeline.or_else(|| Some(pipelines.first()?.id.clone()));
        let Some(pipeline) = pipelines
            .iter()
            .find(|held| Some(&held.id) == pipeline.as_ref())
        else {
            return;
        };
        if before.is_none() {
            changes
                .entry(pipeline_name.to_owned())
                .or_insert_with(|| Some(pipeline.id.clone()));
            if object == Object::Lead {
                let first = pipeline.stages.first().map(|stage| stage.id.clone());
                changes.entry(stage_name.to_owned()).or_insert(first);
            }
        }
        if let Some(Some(stage)) = changes.get(stage_name)
            && !pipeline.stages.iter().any(|held| held.id == *stage)
        {
            complaints.push(Complaint {
                property: stage_name.to_owned(),
                code: "INVALID_OPTION",
                message: format!("{stage} is not a stage of the pipeline {}", pipeline.id),
            });
        }
    }

    /// Over the API a lifecycle stage only moves forward. A step back is dropped without a word; clearing is allowed.
    fn keep_forward(&self, object: Object, before: Option<&Values>, changes: &mut Changes) {
        let Some(property) = self.properties[&object].get("lifecyclestage") else {
            return;
        };
        let place = |stage: &String| {
            property
                .options
                .iter()
                .position(|(value, _)| value == stage)
        };
        let old = before
            .and_then(|before| before.get("lifecyclestage"))
            .and_then(place);
        let new = changes
            .get("lifecyclestage")
            .and_then(Option::as_ref)
            .and_then(place);
        if let (Some(old), Some(new)) = (old, new)
            && new < old
        {
            changes.remove("lifecyclestage");
        }
    }

    fn check_required(
        &self,
        object: Object,
        version: Version,
        before: Option<&Values>,
        changes: &Changes,
    ) -> Result<(), Problem> {
        let has = |name: &str| match changes.get(name) {
            Some(value) => value.is_some(),
            None => before.is_some_and(|before| before.contains_key(name)),
        };
        let value = |name: &str| match changes.get(name) {
            Some(value) => value.as_ref(),
            None => before.and_then(|before| before.get(name)),
        };
        let mut missing: Vec<&str> = Vec::new();
        if before.is_none() {
            missing.extend(object.required().iter().filter(|name| !has(name)));
            if version.is_strict() {
                missing.extend(object.form_required().iter().filter(|name| !has(name)));
            }
        }
        if version.is_strict() && object == Object::Deal {
            let touched = |name: &str| changes.contains_key(name);
            let rules = self.knobs.deal_rules.iter();
            let broken = rules.filter(|rule| {
                (touched(&rule.property) || touched(&rule.requires))
                    && value(&rule.property) == Some(&rule.value)
                    && !has(&rule.requires)
            });
            missing.extend(broken.map(|rule| rule.requires.as_str()));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let complaints: Vec<Complaint> = missing
            .into_iter()
            .map(|name| Complaint {
                property: name.to_owned(),
                code: "REQUIRED_FIELD",
                message: format!("{name} is required and must be set"),
            })
            .collect();
        Err(Problem::properties(&complaints))
    }

    fn check_unique(
        &self,
        object: Object,
        existing: Option<&Row>,
        changes: &Changes,
        claims: &mut Claims,
    ) -> Result<(), Problem> {
        for (name, value) in changes {
            let Some(value) = value else { continue };
            if !self.properties[&object]
                .get(name)
                .is_some_and(|property| property.unique)
            {
                continue;
            }
            let holder = self
                .by_unique(object, name, value)
                .filter(|row| existing.is_none_or(|existing| existing.id != row.id));
            if let Some(holder) = holder {
                return Err(taken(object, name, value, existing, &holder.id));
            }
            if !claims.insert((name.clone(), value.to_lowercase())) {
                return Err(Problem::invalid(format!(
                    "Duplicate {name} values in one batch: {value}"
                )));
            }
        }
        Ok(())
    }
}

fn taken(object: Object, name: &str, value: &str, existing: Option<&Row>, holder: &str) -> Problem {
    if name == "email" {
        return Problem::new(
            409,
            "CONFLICT",
            format!("Contact already exists. Existing ID: {holder}"),
        );
    }
    let id = existing.map_or("a new record", |row| row.id.as_str());
    Problem::properties(&[Complaint {
        property: name.to_owned(),
        code: "CONFLICTING_UNIQUE_VALUE",
        message: format!(
            "Cannot set {name} of {} {id} to {value}. {holder} already has that value.",
            object.singular(),
        ),
    }])
}

/// Strict enough to refuse what HubSpot refuses: one `@`, no blanks, a domain with a dot and letters at its end.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains(|letter: char| letter.is_whitespace() || "@,;<>()\"".contains(letter))
    };
    let Some((name, last)) = domain.rsplit_once('.') else {
        return false;
    };
    let dots = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
    plain(local)
        && plain(domain)
        && dots(local)
        && dots(domain)
        && !name.is_empty()
        && last.chars().count() >= 2
        && last.chars().all(|letter| {
            letter.is_alphabetic()
                || (last.starts_with("xn--") && (letter == '-' || letter.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_are_judged_as_hubspot_judges_them() {
        for good in ["a@b.de", "first.last+tag@sub.example.com", "x@müller.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "a", "a@b", "a b@c.de", "a@@b.de", "a@b..de", ".a@b.de", "a@b.d", "a@b.c0m",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
