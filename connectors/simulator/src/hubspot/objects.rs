//! Records one by one: list, make, get, change, archive.

use super::{
    HubSpot,
    check::Claims,
    record::{View, Wanted},
    request::{Answer, Call, Problem, Reply, Version},
    schema::Object,
};
use crate::world::{Actor, Row};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Type of the association that every lead has to its contact. Source: HubSpot, leads guide.
const LEAD_TO_CONTACT: u32 = 578;

impl HubSpot {
    /// `/crm/objects/{version}/{type}/…`.
    pub(super) fn objects(
        &mut self,
        call: &Call<'_>,
        version: Version,
        object: Object,
        rest: &[&str],
    ) -> Answer {
        match (call.method, rest) {
            (&Method::GET, []) => self.list(call, object),
            (&Method::POST, []) => self.create_one(call, version, object),
            (&Method::POST, ["search"]) => self.search(call, object),
            (&Method::POST, ["merge"]) => self.merge_two(call, object),
            (&Method::POST, ["gdpr-delete"]) => self.gdpr_delete(call, object),
            (&Method::POST, ["batch", verb]) => self.batch(call, version, object, verb),
            (&Method::GET, [id]) => self.get_one(call, object, id),
            (&Method::PATCH, [id]) => self.update_one(call, version, object, id),
            (&Method::DELETE, [id]) => {
                self.archive(object, id, Self::CALLER, call.now);
                Ok(Reply::nothing())
            }
            (_, [id, "associations", rest @ ..]) => {
                self.associations_of(call, version, object, id, rest)
            }
            _ => Err(Problem::no_route()),
        }
    }

    fn list(&mut self, call: &Call<'_>, object: Object) -> Answer {
        let wanted = wanted(call);
        let limit = call.limit(10, if wanted.history.is_empty() { 100 } else { 50 })?;
        let archived = call.flag("archived");
        let shows = |row: &&Row| match archived {
            // What was merged away is not archived: it lives on in the winner.
            true => row.deleted.is_some() && !row.purged && row.merged_into.is_none(),
            false => row.is_live(),
        };
        let table = self.world.table(object.table());
        let mut rows = table
            .after(call.query("after").unwrap_or_default())
            .filter(shows);
        let page: Vec<&Row> = rows.by_ref().take(limit).collect();
        let mut body = json!({
            "results": page.iter().map(|row| self.render(object, &View::now(row), &wanted)).collect::<Vec<_>>(),
        });
        if let (Some(last), Some(_)) = (page.last(), rows.next()) {
            body["paging"] =
                json!({ "next": { "after": last.id, "link": format!("?after={}", last.id) } });
        }
        Ok(Reply::ok(body))
    }

    fn get_one(&mut self, call: &Call<'_>, object: Object, id: &str) -> Answer {
        let row = match call.query("idProperty") {
            Some(property) if property != "hs_object_id" => {
                self.unique_row(object, property, id)?
            }
            _ if call.flag("archived") => self
                .world
                .get(object.table(), id)
                .filter(|row| row.deleted.is_some() && !row.purged && row.merged_into.is_none()),
            _ => self.lookup(object, id),
        };
        let row = row.ok_or_else(Problem::not_found)?;
        Ok(Reply::ok(self.render(
            object,
            &View::now(row),
            &wanted(call),
        )))
    }

    /// The record by a unique property; refused where the property is not unique.
    pub(super) fn unique_row(
        &self,
        object: Object,
        property: &str,
        value: &str,
    ) -> Result<Option<&Row>, Problem> {
        if !self.properties[&object]
            .get(property)
            .is_some_and(|property| property.unique)
        {
            return Err(Problem::invalid(format!(
                "{property} is not a unique property of {}",
                object.table()
            )));
        }
        Ok(self.by_unique(object, property, value))
    }

    fn create_one(&mut self, call: &Call<'_>, version: Version, object: Object) -> Answer {
        let input = call.json()?;
        let id = self.create_from(object, version, &input, &mut Claims::new(), call.now)?;
        Ok(Reply::created(self.shown(
            object,
            &id,
            &input["properties"],
        )))
    }

    /// Checks one create without carrying it out.
    pub(super) fn check_create(
        &self,
        object: Object,
        version: Version,
        input: &Value,
        claims: &mut Claims,
    ) -> Result<super::record::Changes, Problem> {
        let asked = HubSpot::asked_associations(input, object)?;
        for (to, id, _) in &asked {
            if self.lookup(*to, id).is_none() {
                return Err(Problem::invalid(format!(
                    "{} {id} to associate with does not exist",
                    to.singular()
                )));
            }
        }
        if object == Object::Lead
            && !asked
                .iter()
                .any(|(_, _, types)| types.contains(&LEAD_TO_CONTACT))
        {
            return Err(Problem::invalid(format!(
                "a lead must be associated with a contact (type {LEAD_TO_CONTACT}) when it is made"
            )));
        }
        self.check(object, version, None, &input["properties"], claims)
    }

    /// Makes a record as an input asks. Returns its id.
    pub(super) fn create_from(
        &mut self,
        object: Object,
        version: Version,
        input: &Value,
        claims: &mut Claims,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let changes = self.check_create(object, version, input, claims)?;
        let id = self.fresh_id();
        self.insert(object, &id, changes, Self::CALLER, now);
        for (to, other, types) in HubSpot::asked_associations(input, object)? {
            self.associate((object, &id), (to, &other), &types, Self::CALLER, now)?;
        }
        Ok(id)
    }

    fn update_one(
        &mut self,
        call: &Call<'_>,
        version: Version,
        object: Object,
        id: &str,
    ) -> Answer {
        let input = call.json()?;
        let row = match call.query("idProperty") {
            Some(property) if property != "hs_object_id" => {
                self.unique_row(object, property, id)?
            }
            _ => self.lookup(object, id),
        };
        let row = row.ok_or_else(Problem::not_found)?;
        let id = row.id.clone();
        let changes = self.check(
            object,
            version,
            Some(row),
            &input["properties"],
            &mut Claims::new(),
        )?;
        self.write(object, &id, changes, Self::CALLER, call.now);
        Ok(Reply::ok(self.shown(object, &id, &input["properties"])))
    }

    /// The record after a write: the defaults and what was written.
    pub(super) fn shown(&self, object: Object, id: &str, written: &Value) -> Value {
        let mut wanted = Wanted::default();
        wanted
            .properties
            .extend(object.defaults().iter().map(|name| (*name).to_owned()));
        wanted.properties.extend(
            written
                .as_object()
                .into_iter()
                .flat_map(|written| written.keys().cloned()),
        );
        match self.world.get(object.table(), id) {
            Some(row) => self.render(object, &View::now(row), &wanted),
            None => Value::Null,
        }
    }

    /// Archives a live record and lets go of what it was associated with. `false` where there is none: archiving twice is no error.
    pub(super) fn archive(
        &mut self,
        object: Object,
        id: &str,
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let Some(id) = self.lookup(object, id).map(|row| row.id.clone()) else {
            return false;
        };
        self.let_go(object, &id, actor, now);
        self.world.delete(object.table(), &id, actor, now)
    }
}

fn wanted(call: &Call<'_>) -> Wanted {
    Wanted {
        properties: call.list("properties"),
        history: call.list("propertiesWithHistory"),
        associations: call
            .list("associations")
            .iter()
            .filter_map(|name| Object::parse(name))
            .collect(),
    }
}
