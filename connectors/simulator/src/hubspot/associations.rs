//! Which records belong together. An association has both its ends' view: a type id for each direction.

use super::{
    HubSpot,
    links::is_primary,
    record::Changes,
    request::{Answer, Call, Problem, Reply, Version, iso, scalar},
    schema::{Object, association_types},
};
use crate::world::Actor;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most inputs of a batch. Source: HubSpot, associations v4.
const MOST_CREATED: usize = 2_000;
const MOST_READ: usize = 1_000;

/// The types that an unlabelled association gets. The first company of a contact or a deal becomes its primary one.
fn plain(from: Object, to: Object) -> Result<u32, Problem> {
    let types = association_types(from, to);
    let plain = types
        .iter()
        .find(|(_, label)| label.is_none())
        .or(types.first());
    plain.map(|(id, _)| *id).ok_or_else(|| {
        Problem::invalid(format!(
            "{} cannot be associated with {}",
            from.table(),
            to.table()
        ))
    })
}

impl HubSpot {
    /// Associates two live records.
    pub(super) fn associate(
        &mut self,
        from: (Object, &str),
        to: (Object, &str),
        types: &[u32],
        actor: Actor,
        now: Timestamp,
    ) -> Result<(), Problem> {
        for (object, id) in [from, to] {
            if self.lookup(object, id).is_none() {
                return Err(Problem::new(
                    404,
                    "OBJECT_NOT_FOUND",
                    format!("{} {id} does not exist", object.singular()),
                ));
            }
        }
        let known = association_types(from.0, to.0);
        for type_id in types {
            if !known.iter().any(|(id, _)| id == type_id) {
                return Err(Problem::invalid(format!(
                    "association type {type_id} does not exist from {} to {}",
                    from.0.table(),
                    to.0.table()
                )));
            }
            if is_primary(from.0, to.0, *type_id) {
                self.demote(from, to.0, *type_id);
            }
            self.associations.add(from, to, *type_id);
        }
        // Whatever its labels, an association is also the plain one; and a first company is the primary company.
        self.associations.add(from, to, plain(from.0, to.0)?);
        for (one, other) in [(from, to), (to, from)] {
            let single = matches!(
                (one.0, other.0),
                (Object::Contact | Object::Deal, Object::Company)
            );
            let primary = association_types(one.0, other.0)
                .iter()
                .find(|(_, label)| *label == Some("Primary"));
            if let (true, Some((type_id, _))) = (single, primary)
                && self
                    .associations
                    .one(one.0, one.1, other.0, *type_id)
                    .is_none()
            {
                self.associations.add(one, other, *type_id);
            }
        }
        self.world.note(
            from.0.table(),
            from.1,
            format!("associated with {} {}", to.0.singular(), to.1),
            actor,
            now,
        );
        self.show_company(from, to, actor, now);
        Ok(())
    }

    /// A record has one primary company at a time.
    fn demote(&mut self, from: (Object, &str), to: Object, type_id: u32) {
        if !matches!(to, Object::Company) {
            return;
        }
        if let Some(old) = self
            .associations
            .one(from.0, from.1, to, type_id)
            .map(str::to_owned)
        {
            self.associations.remove_type(from, (to, &old), type_id);
        }
    }

    /// A contact shows the id of its primary company as a property.
    fn show_company(
        &mut self,
        from: (Object, &str),
        to: (Object, &str),
        actor: Actor,
        now: Timestamp,
    ) {
        let contact = match (from.0, to.0) {
            (Object::Contact, Object::Company) => from.1,
            (Object::Company, Object::Contact) => to.1,
            _ => return,
        };
        let company = self
            .associations
            .one(Object::Contact, contact, Object::Company, 1)
            .map(str::to_owned);
        let shown = self
            .world
            .get(Object::Contact.table(), contact)
            .and_then(|row| row.field("associatedcompanyid"));
        if shown != company.as_deref() {
            let changes = Changes::from([("associatedcompanyid".to_owned(), company)]);
            self.write(Object::Contact, contact, changes, actor, now);
        }
    }

    pub(super) fn dissociate(
        &mut self,
        from: (Object, &str),
        to: (Object, &str),
        actor: Actor,
        now: Timestamp,
    ) {
        self.associations.remove(from, to);
        self.world.note(
            from.0.table(),
            from.1,
            format!("no longer associated with {} {}", to.0.singular(), to.1),
            actor,
            now,
        );
        self.show_company(from, to, actor, now);
    }

    /// A record that is about to go leaves its associations; contacts of a company no longer show it.
    pub(super) fn let_go(&mut self, object: Object, id: &str, actor: Actor, now: Timestamp) {
        let contacts: Vec<String> = match object {
            Object::Company => self
                .associations
                .of(object, id, Object::Contact)
                .map(|(id, _)| id.to_owned())
                .collect(),
            _ => Vec::new(),
        };
        self.associations.forget(object, id);
        for contact in contacts {
            self.show_company((object, id), (Object::Contact, &contact), actor, now);
        }
    }

    /// The form of v4: one entry per record, with all its types.
    fn ends(&self, from: Object, id: &str, to: Object) -> Vec<Value> {
        let label = |type_id: u32| {
            association_types(from, to)
                .iter()
                .find(|(id, _)| *id == type_id)
                .and_then(|(_, label)| *label)
        };
        let entry = |(id, types): (&str, &BTreeSet<u32>)| {
            let types: Vec<Value> = types
                .iter()
                .map(|type_id| json!({ "category": "HUBSPOT_DEFINED", "typeId": type_id, "label": label(*type_id) }))
                .collect();
            // Ids are JSON numbers here, and only here.
            json!({ "toObjectId": id.parse::<u64>().unwrap_or_default(), "associationTypes": types })
        };
        self.associations.of(from, id, to).map(entry).collect()
    }

    /// `/crm/objects/{version}/{type}/{id}/associations/…`.
    pub(super) fn associations_of(
        &mut self,
        call: &Call<'_>,
        version: Version,
        from: Object,
        id: &str,
        rest: &[&str],
    ) -> Answer {
        let id = self
            .lookup(from, id)
            .map(|row| row.id.clone())
            .ok_or_else(Problem::not_found)?;
        let parse = |name: &str| {
            Object::parse(name).ok_or_else(|| {
                Problem::invalid(format!("Unable to infer object type from: {name}"))
            })
        };
        match (call.method, rest) {
            (&Method::GET, [to]) => {
                let to = parse(to)?;
                let limit = call.limit(500, 500)?;
                let all = if version == Version::V3 {
                    self.associations.legacy(from, &id, to)
                } else {
                    self.ends(from, &id, to)
                };
                let start = call
                    .query("after")
                    .and_then(|after| after.parse().ok())
                    .unwrap_or(0_usize);
                let mut body =
                    json!({ "results": all.iter().skip(start).take(limit).collect::<Vec<_>>() });
                if start + limit < all.len() {
                    body["paging"] = json!({ "next": { "after": (start + limit).to_string() } });
                }
                Ok(Reply::ok(body))
            }
            (&Method::PUT, ["default", to, other]) => {
                let to = parse(to)?;
                let type_id = plain(from, to)?;
                self.associate((from, &id), (to, other), &[type_id], Self::CALLER, call.now)?;
                let results = json!([{
                    "from": { "id": id }, "to": { "id": other },
                    "associationSpec": { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id },
                }]);
                Ok(Reply::ok(batch(results, call.now)))
            }
            (&Method::PUT, [to, other]) => {
                let to = parse(to)?;
                let types = type_ids(&call.json()?)?;
                self.associate((from, &id), (to, other), &types, Self::CALLER, call.now)?;
                Ok(Reply::created(json!({
                    "fromObjectTypeId": from.type_id(), "fromObjectId": id.parse::<u64>().unwrap_or_default(),
                    "toObjectTypeId": to.type_id(), "toObjectId": other.parse::<u64>().unwrap_or_default(), "labels": [],
                })))
            }
            // The form of v3: the type is the last segment, by id or by name.
            (&Method::PUT, [to, other, type_id]) => {
                let to = parse(to)?;
                let type_id = type_id.parse().map_or_else(|_| plain(from, to), Ok)?;
                self.associate((from, &id), (to, other), &[type_id], Self::CALLER, call.now)?;
                let row = self.lookup(from, &id).ok_or_else(Problem::not_found)?;
                Ok(Reply::ok(self.render(
                    from,
                    &super::record::View::now(row),
                    &super::record::Wanted::default(),
                )))
            }
            (&Method::DELETE, [to, other] | [to, other, _]) => {
                self.dissociate((from, &id), (parse(to)?, other), Self::CALLER, call.now);
                Ok(Reply::nothing())
            }
            _ => Err(Problem::no_route()),
        }
    }

    /// `/crm/associations/{version}/{from}/{to}/…`.
    pub(super) fn associations_between(
        &mut self,
        call: &Call<'_>,
        version: Version,
        from: Object,
        to: Object,
        rest: &[&str],
    ) -> Answer {
        match (call.method, rest) {
            (&Method::GET, ["labels" | "types"]) => {
                let results: Vec<Value> = association_types(from, to)
                    .iter()
                    .map(|(id, label)| json!({ "category": "HUBSPOT_DEFINED", "typeId": id, "label": label }))
                    .collect();
                Ok(Reply::ok(json!({ "results": results })))
            }
            (&Method::POST, ["batch", "read"]) => self.read_associations(call, version, from, to),
            (&Method::POST, ["batch", "create"]) => self.each_pair(call, version, from, to, |hubspot, from, to, input| {
                let types = match version {
                    Version::V3 => vec![plain(from.0, to.0)?],
                    _ => type_ids(&input["types"])?,
                };
                hubspot.associate(from, to, &types, Self::CALLER, call.now)?;
                Ok(json!({
                    "fromObjectTypeId": from.0.type_id(), "fromObjectId": from.1.parse::<u64>().unwrap_or_default(),
                    "toObjectTypeId": to.0.type_id(), "toObjectId": to.1.parse::<u64>().unwrap_or_default(), "labels": [],
                }))
            }),
            (&Method::POST, ["batch", "associate", "default"]) => {
                self.each_pair(call, version, from, to, |hubspot, from, to, _| {
                    let type_id = plain(from.0, to.0)?;
                    hubspot.associate(from, to, &[type_id], Self::CALLER, call.now)?;
                    Ok(json!({
                        "from": { "id": from.1 }, "to": { "id": to.1 },
                        "associationSpec": { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id },
                    }))
                })
            }
            (&Method::POST, ["batch", "archive"]) => {
                for input in inputs(call, MOST_CREATED)? {
                    let start = scalar(&input["from"]["id"]).unwrap_or_default();
                    let ends = match &input["to"] {
                        Value::Array(ends) => ends.iter().filter_map(|end| scalar(&end["id"])).collect(),
                        end => scalar(&end["id"]).into_iter().collect::<Vec<_>>(),
                    };
                    for end in ends {
                        self.dissociate((from, &start), (to, &end), Self::CALLER, call.now);
                    }
                }
                Ok(Reply::nothing())
            }
            _ => Err(Problem::no_route()),
        }
    }

    fn read_associations(
        &mut self,
        call: &Call<'_>,
        version: Version,
        from: Object,
        to: Object,
    ) -> Answer {
        let mut results = Vec::new();
        let mut errors = Vec::new();
        for input in inputs(call, MOST_READ)? {
            let asked = scalar(&input["id"]).unwrap_or_default();
            let id = self.lookup(from, &asked).map(|row| row.id.clone());
            let ends = id.as_deref().map(|id| {
                if version == Version::V3 {
                    self.associations.legacy(from, id, to)
                } else {
                    self.ends(from, id, to)
                }
            });
            match ends {
                Some(ends) if !ends.is_empty() => results.push(json!({ "from": { "id": id }, "to": ends })),
                _ => errors.push(json!({
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                    "message": format!("No {} is associated with {} {asked}.", to.singular(), from.singular()),
                    "context": { "fromObjectId": [asked], "fromObjectType": [from.singular()], "toObjectType": [to.singular()] },
                })),
            }
        }
        let status = if errors.is_empty() {
            200
        } else {
            version.partial(200)
        };
        let mut body = batch(Value::Array(results), call.now);
        if !errors.is_empty() {
            body["numErrors"] = errors.len().into();
            body["errors"] = errors.into();
        }
        Ok(Reply {
            status,
            body: Some(body),
        })
    }

    fn each_pair(
        &mut self,
        call: &Call<'_>,
        version: Version,
        from: Object,
        to: Object,
        mut act: impl FnMut(
            &mut HubSpot,
            (Object, &str),
            (Object, &str),
            &Value,
        ) -> Result<Value, Problem>,
    ) -> Answer {
        let mut results = Vec::new();
        let mut errors = Vec::new();
        for input in inputs(call, MOST_CREATED)? {
            let start = scalar(&input["from"]["id"]).unwrap_or_default();
            let end = scalar(&input["to"]["id"]).unwrap_or_default();
            match act(self, (from, &start), (to, &end), &input) {
                Ok(result) => results.push(result),
                Err(problem) => {
                    let correlation = self.correlation();
                    let mut error = problem.json(&correlation);
                    error["context"] = json!({ "fromObjectId": [start], "toObjectId": [end] });
                    errors.push(error);
                }
            }
        }
        let status = if errors.is_empty() {
            201
        } else {
            version.partial(201)
        };
        let mut body = batch(Value::Array(results), call.now);
        if !errors.is_empty() {
            body["numErrors"] = errors.len().into();
            body["errors"] = errors.into();
        }
        Ok(Reply {
            status,
            body: Some(body),
        })
    }

    /// Type ids of the associations that a create asks for, with what they point to.
    pub(super) fn asked_associations(
        input: &Value,
        from: Object,
    ) -> Result<Vec<(Object, String, Vec<u32>)>, Problem> {
        let mut asked = Vec::new();
        for association in input["associations"].as_array().into_iter().flatten() {
            let id = scalar(&association["to"]["id"])
                .ok_or_else(|| Problem::invalid("an association needs to.id"))?;
            let types = type_ids(&association["types"])?;
            let fits = |to: &Object| {
                types.iter().all(|id| {
                    association_types(from, *to)
                        .iter()
                        .any(|(known, _)| known == id)
                })
            };
            let to = Object::ALL
                .into_iter()
                .find(fits)
                .filter(|_| !types.is_empty());
            let to = to.ok_or_else(|| {
                Problem::invalid(format!(
                    "no association of {} has the types {types:?}",
                    from.table()
                ))
            })?;
            asked.push((to, id, types));
        }
        Ok(asked)
    }
}

fn type_ids(types: &Value) -> Result<Vec<u32>, Problem> {
    let types = types
        .as_array()
        .ok_or_else(|| Problem::invalid("association types must be a list"))?;
    let id = |one: &Value| {
        one["associationTypeId"]
            .as_u64()
            .and_then(|id| u32::try_from(id).ok())
    };
    types
        .iter()
        .map(|one| id(one).ok_or_else(|| Problem::invalid("associationTypeId must be a number")))
        .collect()
}

pub(super) fn inputs(call: &Call<'_>, most: usize) -> Result<Vec<Value>, Problem> {
    let body = call.json()?;
    let inputs = body["inputs"]
        .as_array()
        .ok_or_else(|| Problem::invalid("inputs must be a list"))?;
    if inputs.is_empty() {
        return Err(Problem::invalid("inputs must not be empty"));
    }
    if inputs.len() > most {
        return Err(Problem::invalid(format!(
            "inputs must have at most {most} items, got {}",
            inputs.len()
        )));
    }
    Ok(inputs.clone())
}

/// The frame around the results of a batch.
pub(super) fn batch(results: Value, now: Timestamp) -> Value {
    json!({ "status": "COMPLETE", "results": results, "startedAt": iso(now), "completedAt": iso(now) })
}
