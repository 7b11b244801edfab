//! From a write that leadloop owes to what HubSpot is to be sent. Pure.

use crate::{
    find::address,
    mapping::{Mapping, OWNER, write_value},
    notes,
    wire::is_object_id,
};
use contract::{Kind, Operation, Relation, Relations, Remedy, Value, Write, field};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// What a batch does, entry by entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Changes contacts by id.
    Update,
    /// Makes or changes contacts by this unique property.
    Upsert { property: String },
    /// Puts notes on contacts.
    Note,
    /// Unsubscribes addresses from all e-mail.
    Unsubscribe,
}

impl Action {
    /// Whether an entry may be sent again after a doubt.
    pub fn repeatable(&self) -> bool {
        *self != Action::Note
    }

    /// What it does, in words.
    pub fn doing(&self) -> &'static str {
        match self {
            Action::Update => "updating contacts",
            Action::Upsert { .. } => "creating contacts",
            Action::Note => "writing notes",
            Action::Unsubscribe => "unsubscribing addresses",
        }
    }
}

/// One entry of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    /// Tells the entries of a batch apart in answers.
    pub trace: String,
    /// The contact's id, leadloop's key, the contact that a note is about, or the address.
    pub id: String,
    /// New values; empty text clears.
    pub properties: BTreeMap<String, String>,
}

impl Input {
    /// The entry as HubSpot takes it.
    pub fn json(&self, action: &Action) -> Json {
        match action {
            Action::Update => {
                json!({ "id": self.id, "properties": self.properties, "objectWriteTraceId": self.trace })
            }
            Action::Upsert { property } => {
                json!({ "id": self.id, "idProperty": property, "properties": self.properties, "objectWriteTraceId": self.trace })
            }
            Action::Note => json!({
                "properties": self.properties,
                "associations": [{
                    "to": { "id": self.id },
                    "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": notes::NOTE_TO_CONTACT }],
                }],
                "objectWriteTraceId": self.trace,
            }),
            Action::Unsubscribe => json!(self.id),
        }
    }
}

/// A write, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its place in the batch.
    pub place: usize,
    /// What is sent.
    pub input: Input,
    /// Whether the person's address is to be unsubscribed first.
    pub opt_out: bool,
    /// The address, where the write itself tells it.
    pub email: Option<String>,
}

/// Why a write is not sent at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub reason: String,
    pub remedy: Remedy,
}

fn unfit<T>(reason: impl Into<String>, remedy: Remedy) -> Result<T, Unfit> {
    Err(Unfit {
        reason: reason.into(),
        remedy,
    })
}

/// What the write at this place sends.
///
/// # Errors
/// Where it cannot be sent, and what would help.
pub(crate) fn plan(place: usize, write: &Write, mapping: &Mapping) -> Result<Planned, Unfit> {
    let trace = format!("{}.{place}", write.intent);
    match &write.operation {
        Operation::Update {
            kind: Kind::Lead,
            id,
            set,
            relations,
        } => {
            if !is_object_id(&id.0) {
                return unfit(format!("{id:?} is no contact's id"), Remedy::LookAgain);
            }
            let mut properties = owner(relations)?;
            let mut opt_out = false;
            for (name, value) in set {
                if name == field::OPT_OUT {
                    if value.as_ref().and_then(Value::as_bool) != Some(true) {
                        return unfit("an opt-out is never lifted from here", Remedy::AskArbiter);
                    }
                    opt_out = true;
                    continue;
                }
                let property = writable(name, mapping)?;
                properties.insert(
                    property.to_owned(),
                    value.as_ref().map(write_value).unwrap_or_default(),
                );
            }
            let input = Input {
                trace,
                id: id.0.clone(),
                properties,
            };
            Ok(Planned {
                place,
                input,
                opt_out,
                email: None,
            })
        }
        Operation::Create {
            kind: Kind::Lead,
            key,
            fields,
            relations,
        } => {
            let mut properties = owner(relations)?;
            for (name, value) in fields.iter().filter(|(name, _)| *name != field::OPT_OUT) {
                properties.insert(writable(name, mapping)?.to_owned(), write_value(value));
            }
            properties.insert(mapping.key().to_owned(), key.0.clone());
            let email = fields.text(field::EMAIL).and_then(address);
            // Without an address there is nothing to unsubscribe, and nothing that could be mailed.
            let opt_out = fields.is_true(field::OPT_OUT) && email.is_some();
            let input = Input {
                trace,
                id: key.0.clone(),
                properties,
            };
            Ok(Planned {
                place,
                input,
                opt_out,
                email,
            })
        }
        Operation::Note {
            key,
            kind: Kind::Lead,
            about,
            at,
            subject,
            body,
        } => {
            if !is_object_id(&about.0) {
                return unfit(format!("{about:?} is no contact's id"), Remedy::LookAgain);
            }
            let properties = BTreeMap::from([
                ("hs_timestamp".to_owned(), at.as_millisecond().to_string()),
                ("hs_note_body".to_owned(), notes::render(subject, body, key)),
            ]);
            let input = Input {
                trace,
                id: about.0.clone(),
                properties,
            };
            Ok(Planned {
                place,
                input,
                opt_out: false,
                email: None,
            })
        }
        operation => {
            let (what, kind) = operation.shape();
            unfit(
                format!("leadloop does not {what} a {kind} in HubSpot"),
                Remedy::FixMapping { fields: Vec::new() },
            )
        }
    }
}

fn writable<'a>(name: &'a str, mapping: &'a Mapping) -> Result<&'a str, Unfit> {
    let property = mapping.native(name);
    if Mapping::is_read_only(property) {
        return unfit(
            format!("HubSpot keeps the property {property} itself"),
            Remedy::FixMapping {
                fields: vec![name.to_owned()],
            },
        );
    }
    Ok(property)
}

fn owner(relations: &Relations) -> Result<BTreeMap<String, String>, Unfit> {
    let mut properties = BTreeMap::new();
    for (relation, ids) in relations.iter() {
        if relation != Relation::Owner {
            return unfit(
                format!("a contact's relation {relation:?} cannot be written"),
                Remedy::FixMapping { fields: Vec::new() },
            );
        }
        properties.insert(
            OWNER.to_owned(),
            ids.first().map(|id| id.0.clone()).unwrap_or_default(),
        );
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Fields, IntentId};

    fn planned(operation: Operation) -> Result<Planned, Unfit> {
        let mapping = Mapping::new(&BTreeMap::new(), None).unwrap();
        plan(
            3,
            &Write {
                intent: IntentId("i-1".into()),
                operation,
            },
            &mapping,
        )
    }

    fn update(set: &[(&str, Option<Value>)]) -> Result<Planned, Unfit> {
        let set = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        planned(Operation::Update {
            kind: Kind::Lead,
            id: "501".into(),
            set,
            relations: Relations::default().with(Relation::Owner, "77"),
        })
    }

    #[test]
    fn an_update_speaks_hubspots_names_and_clears_with_empty_text() {
        let planned = update(&[
            ("title", Some("CTO".into())),
            ("leadloop_amount", Some(Value::Number(1500.into()))),
            ("city", None),
        ])
        .unwrap();
        let expected = [
            ("city", ""),
            ("hubspot_owner_id", "77"),
            ("jobtitle", "CTO"),
            ("leadloop_amount", "1500"),
        ];
        assert!(
            planned
                .input
                .properties
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .eq(expected)
        );
        let json = planned.input.json(&Action::Update);
        assert_eq!(
            (json["id"].as_str(), json["objectWriteTraceId"].as_str()),
            (Some("501"), Some("i-1.3"))
        );
    }

    #[test]
    fn an_opt_out_is_no_property_and_never_lifted() {
        let planned = update(&[("opt_out", Some(true.into()))]).unwrap();
        assert!(planned.opt_out && !planned.input.properties.contains_key("hs_email_optout"));
        for lifted in [Some(Value::Bool(false)), None] {
            assert_eq!(
                update(&[("opt_out", lifted)]).unwrap_err().remedy,
                Remedy::AskArbiter
            );
        }
    }

    #[test]
    fn what_hubspot_keeps_itself_is_not_sent() {
        for name in [
            "lead_source",
            "created_at",
            "hs_email_optout",
            "lastmodifieddate",
        ] {
            assert_eq!(
                update(&[(name, Some("x".into()))]).unwrap_err().remedy,
                Remedy::FixMapping {
                    fields: vec![name.into()]
                }
            );
        }
    }

    #[test]
    fn a_create_goes_by_leadloops_key() {
        let fields = Fields::default()
            .with("email", "Ada@Example.com")
            .with("opt_out", true);
        let planned = planned(Operation::Create {
            kind: Kind::Lead,
            key: "k-1".into(),
            fields,
            relations: Relations::default(),
        })
        .unwrap();
        assert!(planned.opt_out);
        assert_eq!(planned.email.as_deref(), Some("ada@example.com"));
        let json = planned.input.json(&Action::Upsert {
            property: "leadloop_key".into(),
        });
        assert_eq!(
            (json["id"].as_str(), json["idProperty"].as_str()),
            (Some("k-1"), Some("leadloop_key"))
        );
        assert_eq!(json["properties"]["leadloop_key"], "k-1");
    }

    #[test]
    fn what_hubspot_does_not_hold_is_refused() {
        let operation = Operation::Convert {
            lead: "1".into(),
            account: "2".into(),
            contact: None,
            owner: None,
            seen_status: None,
        };
        assert!(matches!(
            planned(operation).unwrap_err().remedy,
            Remedy::FixMapping { .. }
        ));
    }
}
