//! Records as the API shows them, and the one way in which they are written.

use super::{
    HubSpot,
    request::{iso, parse_time},
    schema::{LIFECYCLE, Object},
};
use crate::world::{Actor, FieldChange, Row, Values};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// New values; `None` clears.
pub(super) type Changes = BTreeMap<String, Option<String>>;

/// A record as seen from somewhere: as it is, or as an index still holds it.
pub(super) struct View<'a> {
    pub(super) row: &'a Row,
    pub(super) fields: Cow<'a, Values>,
    pub(super) modified: Timestamp,
}

impl<'a> View<'a> {
    pub(super) fn now(row: &'a Row) -> Self {
        View {
            row,
            fields: Cow::Borrowed(&row.fields),
            modified: row.modified,
        }
    }

    /// As the search index sees it: `None` while it does not know the record, or once it knows that it is gone.
    pub(super) fn indexed(row: &'a Row, now: Timestamp) -> Option<Self> {
        if row.visible_at <= now {
            return row.is_live().then(|| View::now(row));
        }
        let lag = row.visible_at.duration_since(row.modified);
        let known = now.checked_sub(lag).ok()?;
        if row.purged || row.deleted.is_some_and(|deleted| deleted <= known) {
            return None;
        }
        let fields = row.as_of(known)?;
        let modified = row
            .history
            .iter()
            .map(|change| change.at)
            .filter(|at| *at <= known)
            .max()
            .unwrap_or(row.created);
        Some(View {
            row,
            fields: Cow::Owned(fields),
            modified,
        })
    }

    /// A property's value, those that HubSpot works out itself included.
    pub(super) fn property(&self, object: Object, name: &str) -> Option<Cow<'_, str>> {
        if name == "hs_object_id" {
            return Some(Cow::Borrowed(&self.row.id));
        }
        if name == object.modified() {
            return Some(Cow::Owned(iso(self.modified)));
        }
        if let Some(value) = self.fields.get(name) {
            return Some(Cow::Borrowed(value));
        }
        (name == object.created() || name == "hs_createdate")
            .then(|| Cow::Owned(iso(self.created(object))))
    }

    /// A merged record keeps the date of its older half, as a value of its own.
    pub(super) fn created(&self, object: Object) -> Timestamp {
        self.fields
            .get(object.created())
            .and_then(|text| parse_time(text))
            .unwrap_or(self.row.created)
    }
}

/// What of a record is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) properties: Vec<String>,
    pub(super) history: Vec<String>,
    pub(super) associations: Vec<Object>,
}

impl HubSpot {
    /// A record in the API's form. Properties that are not known are left out silently, as HubSpot does.
    pub(super) fn render(&self, object: Object, view: &View<'_>, wanted: &Wanted) -> Value {
        let known = &self.properties[&object];
        let mut names: BTreeSet<&str> =
            [object.created(), object.modified(), "hs_object_id"].into();
        match wanted.properties.is_empty() {
            true => names.extend(object.defaults()),
            false => names.extend(
                wanted
                    .properties
                    .iter()
                    .map(String::as_str)
                    .filter(|name| known.contains_key(*name)),
            ),
        }
        let properties: Map<String, Value> = names
            .into_iter()
            .map(|name| {
                (
                    name.to_owned(),
                    view.property(object, name)
                        .map_or(Value::Null, |value| value.into_owned().into()),
                )
            })
            .collect();
        let mut json = json!({
            "id": view.row.id,
            "properties": properties,
            "createdAt": iso(view.created(object)),
            "updatedAt": iso(view.modified),
            "archived": view.row.deleted.is_some(),
        });
        if let Some(deleted) = view.row.deleted {
            json["archivedAt"] = iso(deleted).into();
        }
        if !wanted.history.is_empty() {
            let asked = wanted
                .history
                .iter()
                .filter(|name| known.contains_key(*name));
            json["propertiesWithHistory"] = asked
                .map(|name| (name.clone(), history(view.row, name)))
                .collect();
        }
        let mut associations = Map::new();
        for to in &wanted.associations {
            let results = self.associations.legacy(object, &view.row.id, *to);
            if !results.is_empty() {
                associations.insert(to.table().to_owned(), json!({ "results": results }));
            }
        }
        if !associations.is_empty() {
            json["associations"] = associations.into();
        }
        json
    }

    /// The live record that this id leads to: an id that was merged away leads to the survivor.
    pub(super) fn lookup(&self, object: Object, id: &str) -> Option<&Row> {
        self.world
            .resolve(object.table(), id)
            .filter(|row| row.is_live())
    }

    /// The live record with this value in a unique property.
    pub(super) fn by_unique(&self, object: Object, property: &str, value: &str) -> Option<&Row> {
        let table = self.world.table(object.table());
        let found = table.find(property, value.trim()).into_iter().next();
        if found.is_some() || property != "email" {
            return found;
        }
        let holder = self.additional_emails.get(&value.trim().to_lowercase())?;
        self.lookup(object, holder)
    }

    /// Makes a record, with what HubSpot works out itself.
    pub(super) fn insert(
        &mut self,
        object: Object,
        id: &str,
        changes: Changes,
        actor: Actor,
        now: Timestamp,
    ) {
        let mut changes = changes;
        self.derive(object, &Values::new(), &mut changes, now);
        self.register_emails(id, &changes);
        let fields = changes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        self.world.insert(object.table(), id, fields, actor, now);
    }

    /// Changes a record, with what HubSpot works out itself.
    pub(super) fn write(
        &mut self,
        object: Object,
        id: &str,
        changes: Changes,
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let Some(row) = self.world.get_live(object.table(), id) else {
            return false;
        };
        let before = row.fields.clone();
        let mut changes = changes;
        self.derive(object, &before, &mut changes, now);
        self.register_emails(id, &changes);
        self.world.update(object.table(), id, &changes, actor, now)
    }

    fn register_emails(&mut self, id: &str, changes: &Changes) {
        let more = changes
            .get("hs_additional_emails")
            .and_then(Option::as_deref)
            .unwrap_or_default();
        for email in more.split(';').filter(|email| !email.is_empty()) {
            self.additional_emails
                .insert(email.to_lowercase(), id.to_owned());
        }
    }

    fn derive(&self, object: Object, before: &Values, changes: &mut Changes, now: Timestamp) {
        let changed = |changes: &Changes, name: &str| -> Option<Option<String>> {
            changes
                .get(name)
                .map(|value| value.clone().filter(|value| !value.is_empty()))
        };
        if changed(changes, "hubspot_owner_id").is_some_and(|owner| {
            owner.is_some() && owner.as_ref() != before.get("hubspot_owner_id")
        }) {
            changes.insert("hubspot_owner_assigneddate".to_owned(), Some(iso(now)));
        }
        match object {
            Object::Contact => {
                if let Some(email) = changed(changes, "email") {
                    let email = email.map(|email| email.to_lowercase());
                    let domain = email
                        .as_deref()
                        .and_then(|email| email.rsplit_once('@'))
                        .map(|(_, domain)| domain.to_owned());
                    changes.insert("hs_email_domain".to_owned(), domain);
                    let out = email
                        .as_deref()
                        .is_some_and(|email| self.unsubscribed.contains(email));
                    if out || before.contains_key("hs_email_optout") {
                        changes.insert("hs_email_optout".to_owned(), Some(out.to_string()));
                    }
                }
                if let Some(Some(stage)) = changed(changes, "lifecyclestage")
                    && LIFECYCLE.contains(&stage.as_str())
                {
                    let date = format!("hs_lifecyclestage_{stage}_date");
                    if !before.contains_key(&date) {
                        changes.insert(date, Some(iso(now)));
                    }
                }
            }
            Object::Deal => {
                let after = |name: &str| {
                    changed(changes, name).unwrap_or_else(|| before.get(name).cloned())
                };
                let stages = self.pipelines[&Object::Deal]
                    .iter()
                    .flat_map(|pipeline| &pipeline.stages);
                let stage = after("dealstage")
                    .and_then(|id| stages.into_iter().find(|stage| stage.id == id));
                let closed = stage.is_some_and(|stage| stage.closed);
                let won = stage.is_some_and(|stage| stage.probability == "1.0");
                let amount = after("amount");
                let closed_amount = if won {
                    amount.clone()
                } else {
                    Some("0".to_owned())
                };
                for (name, value) in [
                    ("hs_is_closed", Some(closed.to_string())),
                    ("hs_is_closed_won", Some(won.to_string())),
                    ("hs_closed_amount", closed_amount),
                    ("amount_in_home_currency", amount),
                ] {
                    changes.insert(name.to_owned(), value);
                }
            }
            _ => {}
        }
    }
}

/// Newest first. `sourceType` says who: a person's screen, an integration, or HubSpot itself.
fn history(row: &Row, name: &str) -> Value {
    row.history
        .iter()
        .rev()
        .filter(|change| change.field == name)
        .map(entry)
        .collect()
}

fn entry(change: &FieldChange) -> Value {
    let mut json =
        json!({ "value": change.value.clone().unwrap_or_default(), "timestamp": iso(change.at) });
    match change.actor {
        Actor::Person => {
            json["sourceType"] = "CRM_UI".into();
            json["sourceId"] = "userId:1".into();
            json["updatedByUserId"] = 1.into();
        }
        Actor::Integration => {
            json["sourceType"] = "INTEGRATION".into();
            json["sourceId"] = "1".into();
        }
        Actor::System => json["sourceType"] = "CALCULATED".into(),
    }
    json
}
