//! Answering lookups from the records themselves, never from the search index.

use crate::{
    connector::{BATCH, Portal, Question, odd, unsupported},
    mapping,
    notes::about_of,
    reply::results,
    wire::{entry, is_object_id, user},
};
use contract::{By, ConnectorError, Id, Kind, Lookup, Record, field};
use kit::Call;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::collections::{BTreeMap, BTreeSet};

impl Portal {
    /// The records that answer to a lookup.
    pub(crate) async fn look_up(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        match (lookup.kind, &lookup.by) {
            // A contact that was merged into another answers by its old id too, as the other.
            (Kind::Lead, By::Ids(ids)) => self.leads(None, &object_ids(ids)).await,
            (Kind::Lead, By::Keys(keys)) => {
                let keys: Vec<String> = unique(keys.iter().map(|key| key.0.clone()));
                self.leads(Some(self.mapping.key()), &keys).await
            }
            (Kind::Lead, By::Emails(emails)) => {
                self.leads(
                    Some(mapping::EMAIL),
                    &unique(emails.iter().filter_map(|email| address(email))),
                )
                .await
            }
            (Kind::Note, By::About(ids)) => self.notes_about(&object_ids(ids)).await,
            (Kind::User, By::Ids(ids)) => {
                let users = self.users().await?;
                Ok(users
                    .into_iter()
                    .filter(|user| ids.contains(&user.id))
                    .collect())
            }
            (Kind::User, By::Emails(emails)) => {
                let wanted: BTreeSet<String> =
                    emails.iter().filter_map(|email| address(email)).collect();
                let is_wanted = |user: &Record| {
                    user.fields
                        .text(field::EMAIL)
                        .and_then(address)
                        .is_some_and(|email| wanted.contains(&email))
                };
                Ok(self.users().await?.into_iter().filter(is_wanted).collect())
            }
            (kind, _) => Err(unsupported("this lookup", kind)),
        }
    }

    /// One page of owners, and where the next one starts.
    pub(crate) async fn owners(
        &self,
        archived: bool,
        after: Option<String>,
    ) -> Result<(Vec<Box<RawValue>>, Option<String>), ConnectorError> {
        let doing = "listing owners";
        let mut call = Call::get(format!("/crm/owners/{}", self.version))
            .query("limit", BATCH.to_string())
            .query("archived", archived.to_string())
            .doing(doing);
        if let Some(after) = after {
            call = call.query("after", after);
        }
        let answered = results(&self.session.call(call).await?, doing)?;
        let next = answered.after();
        Ok((answered.results, next))
    }

    async fn users(&self) -> Result<Vec<Record>, ConnectorError> {
        let mut users = Vec::new();
        for archived in [false, true] {
            let mut after = None;
            loop {
                let (raws, next) = self.owners(archived, after.clone()).await?;
                for raw in &raws {
                    users.push(user(raw).map_err(|unreadable| odd(unreadable, "listing owners"))?);
                }
                if next.is_none() || next == after {
                    break;
                }
                after = next;
            }
        }
        Ok(users)
    }

    /// leadloop's notes about contacts.
    async fn notes_about(&self, contacts: &[String]) -> Result<Vec<Record>, ConnectorError> {
        let abouts = self.note_ids(contacts).await?;
        let ids: Vec<String> = abouts.keys().cloned().collect();
        let properties = ["hs_note_body", "hs_timestamp", "hs_lastmodifieddate"].map(str::to_owned);
        let question = Question {
            object: "notes",
            id_property: None,
            properties: &properties,
            doing: "reading notes",
        };
        let mut notes = Vec::new();
        for raw in self.batch_read(&question, &ids).await? {
            let object = entry(&raw).map_err(|unreadable| odd(unreadable, question.doing))?;
            // Notes that people wrote bear no key and are none of ours.
            notes.extend(about_of(&object, &abouts));
        }
        Ok(notes)
    }

    /// The notes of each contact, by note.
    async fn note_ids(
        &self,
        contacts: &[String],
    ) -> Result<BTreeMap<String, Vec<Id>>, ConnectorError> {
        let doing = "listing the notes of contacts";
        let mut abouts: BTreeMap<String, Vec<Id>> = BTreeMap::new();
        let mut inputs: Vec<serde_json::Value> =
            contacts.iter().map(|id| json!({ "id": id })).collect();
        while !inputs.is_empty() {
            let chunk: Vec<_> = inputs.drain(..inputs.len().min(BATCH)).collect();
            let path = format!(
                "/crm/associations/{}/contacts/notes/batch/read",
                self.version
            );
            let call = Call::post_json(path, &json!({ "inputs": chunk }))
                .repeatable()
                .doing(doing);
            let answered = results(&self.session.call(call).await?, doing)?;
            for error in &answered.errors {
                let problem = crate::problem::Problem::of_value(error);
                // A contact without notes is told as an error of this kind.
                if !problem.is_gone()
                    && !problem
                        .codes
                        .iter()
                        .any(|code| code.contains("NO_ASSOCIATIONS_FOUND"))
                {
                    return Err(crate::reply::refused(&problem, doing));
                }
            }
            for raw in &answered.results {
                let associated: Associated =
                    entry(raw).map_err(|unreadable| odd(unreadable, doing))?;
                let Some(from) = associated.from.id else {
                    continue;
                };
                for note in associated
                    .to
                    .into_iter()
                    .filter_map(|to| to.to_object_id.or(to.id))
                    .filter(|id| is_object_id(id))
                {
                    abouts.entry(note).or_default().push(Id(from.clone()));
                }
                if let Some(after) = associated
                    .paging
                    .and_then(|paging| paging.next)
                    .and_then(|next| next.id)
                {
                    inputs.push(json!({ "id": from, "after": after }));
                }
            }
        }
        Ok(abouts)
    }
}

#[derive(Deserialize)]
struct Associated {
    from: End,
    #[serde(default)]
    to: Vec<End>,
    #[serde(default)]
    paging: Option<Paging>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct End {
    #[serde(default, deserialize_with = "crate::wire::lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "crate::wire::lenient")]
    to_object_id: Option<String>,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    next: Option<After>,
}

#[derive(Deserialize)]
struct After {
    #[serde(default, rename = "after", deserialize_with = "crate::wire::lenient")]
    id: Option<String>,
}

/// Ids that can be ids at all: a text that is none would fail the whole batch, and its record cannot exist.
fn object_ids(ids: &[Id]) -> Vec<String> {
    unique(
        ids.iter()
            .filter(|id| is_object_id(&id.0))
            .map(|id| id.0.clone()),
    )
}

/// An e-mail address as HubSpot keeps it; `None` where the text is none.
pub(crate) fn address(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    let plain = !local.is_empty()
        && !domain.is_empty()
        && !text
            .chars()
            .any(|character| character.is_whitespace() || character.is_control());
    plain.then_some(text)
}

/// Each once: an id that stands twice in a batch fails all of it.
fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::scripted::{START, Script};
    use contract::{By, ConnectorError, Kind, Lookup, Relation};
    use serde_json::json;

    fn contact(id: &str) -> serde_json::Value {
        json!({ "id": id, "updatedAt": START, "properties": { "lastmodifieddate": START, "hs_merged_object_ids": "4" } })
    }

    #[tokio::test(start_paused = true)]
    async fn ids_that_are_gone_or_cannot_be_are_left_out() {
        let errors = json!([{ "category": "OBJECT_NOT_FOUND", "message": "gone", "context": { "ids": ["5"] } }]);
        let script = Script::new(vec![(
            "contacts/batch/read",
            Some((
                207,
                json!({ "results": [contact("9")], "errors": errors, "numErrors": 1 }),
            )),
        )]);
        let by = By::Ids(vec!["4".into(), "5".into(), "4".into(), "no id".into()]);
        let found = script
            .connect("")
            .find(&Lookup {
                kind: Kind::Lead,
                by,
            })
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].relations.one(Relation::MergedFrom),
            Some(&"4".into()),
            "the survivor answers by the old id"
        );
        assert_eq!(
            script.asked()[0].body["inputs"],
            json!([{ "id": "4" }, { "id": "5" }]),
            "each once"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_and_keys_go_by_their_properties() {
        let script = Script::new(vec![
            ("batch/read", Some((200, json!({ "results": [] })))),
            ("batch/read", Some((200, json!({ "results": [] })))),
        ]);
        let connector = script.connect("fields = { leadloop_key = 'll_key' }");
        let emails = By::Emails(vec![
            " Ada@Example.com".into(),
            "not an address".into(),
            "ada@example.com".into(),
        ]);
        connector
            .find(&Lookup {
                kind: Kind::Lead,
                by: emails,
            })
            .await
            .unwrap();
        connector
            .find(&Lookup {
                kind: Kind::Lead,
                by: By::Keys(vec!["k-1".into()]),
            })
            .await
            .unwrap();
        let asked = script.asked();
        assert_eq!(
            (&asked[0].body["idProperty"], &asked[0].body["inputs"]),
            (&json!("email"), &json!([{ "id": "ada@example.com" }]))
        );
        assert_eq!(
            (&asked[1].body["idProperty"], &asked[1].body["inputs"]),
            (&json!("ll_key"), &json!([{ "id": "k-1" }]))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_key_property_is_an_error_and_not_an_absence() {
        let body = json!({ "category": "VALIDATION_ERROR", "message": "leadloop_key is not a unique property" });
        let script = Script::new(vec![("batch/read", Some((400, body)))]);
        let lookup = Lookup {
            kind: Kind::Lead,
            by: By::Keys(vec!["k-1".into()]),
        };
        assert!(matches!(
            script.connect("").find(&lookup).await,
            Err(ConnectorError::Refused { .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn our_notes_about_a_contact_are_found_on_every_page() {
        let script = Script::new(vec![
            (
                "POST /crm/associations/2026-09/contacts/notes/batch/read",
                Some((
                    207,
                    json!({ "results": [{ "from": { "id": "501" }, "to": [{ "toObjectId": 41 }], "paging": { "next": { "after": "a1" } } }], "errors": [{ "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND" }], "numErrors": 1 }),
                )),
            ),
            (
                "associations",
                Some((
                    200,
                    json!({ "results": [{ "from": { "id": "501" }, "to": [{ "toObjectId": "42" }] }] }),
                )),
            ),
            (
                "POST /crm/objects/2026-09/notes/batch/read",
                Some((
                    200,
                    json!({ "results": [
                    { "id": "41", "properties": { "hs_note_body": "<p>called them</p>" } },
                    { "id": "42", "updatedAt": START, "properties": { "hs_note_body": "<p><strong>Hi</strong></p><p>ref: n-1</p>" } },
                ] }),
                )),
            ),
        ]);
        let lookup = Lookup {
            kind: Kind::Note,
            by: By::About(vec!["501".into(), "502".into()]),
        };
        let found = script.connect("").find(&lookup).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key(), Some("n-1".into()));
        assert_eq!(found[0].relations.one(Relation::About), Some(&"501".into()));
        assert_eq!(
            script.asked()[1].body["inputs"],
            json!([{ "id": "501", "after": "a1" }])
        );
    }
}
