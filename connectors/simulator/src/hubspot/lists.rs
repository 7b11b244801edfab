//! Lists of contacts: made by hand, members put in and taken out. Dynamic ones cannot be written to.

use super::{
    HubSpot,
    request::{Answer, Call, Problem, Reply, iso, texts},
    schema::Object,
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The portal's lists by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists(BTreeMap<u64, List>);

#[derive(Clone, Debug)]
struct List {
    name: String,
    processing: String,
    object: Object,
    created: Timestamp,
    members: BTreeMap<String, Timestamp>,
}

impl List {
    fn json(&self, id: u64) -> Value {
        json!({
            "listId": id.to_string(), "name": self.name, "objectTypeId": self.object.type_id(),
            "processingType": self.processing, "processingStatus": "COMPLETE", "listVersion": 1,
            "createdAt": iso(self.created), "updatedAt": iso(self.created), "size": self.members.len(),
        })
    }
}

impl HubSpot {
    /// `/crm/lists/{version}/…`.
    pub(super) fn lists(&mut self, call: &Call<'_>, rest: &[&str]) -> Answer {
        match (call.method, rest) {
            (&Method::POST, []) => self.make_list(call),
            (&Method::POST, ["search"]) => {
                let words = call.json()?["query"]
                    .as_str()
                    .unwrap_or_default()
                    .to_lowercase();
                let found = self
                    .lists
                    .0
                    .iter()
                    .filter(|(_, list)| list.name.to_lowercase().contains(&words));
                let lists: Vec<Value> = found.map(|(id, list)| list.json(*id)).collect();
                Ok(Reply::ok(
                    json!({ "total": lists.len(), "offset": lists.len(), "hasMore": false, "lists": lists }),
                ))
            }
            (method, [id, rest @ ..]) => {
                let id: u64 = id.parse().map_err(|_| Problem::not_found())?;
                match (method, rest) {
                    (&Method::GET, []) => {
                        let list = self.lists.0.get(&id).ok_or_else(Problem::not_found)?;
                        Ok(Reply::ok(json!({ "list": list.json(id) })))
                    }
                    (&Method::DELETE, []) => {
                        self.lists.0.remove(&id);
                        Ok(Reply::nothing())
                    }
                    (&Method::GET, ["memberships"] | ["memberships", "join-order"]) => {
                        self.members(call, id)
                    }
                    (&Method::PUT, ["memberships", verb]) => self.change_members(call, id, verb),
                    _ => Err(Problem::no_route()),
                }
            }
            _ => Err(Problem::no_route()),
        }
    }

    fn make_list(&mut self, call: &Call<'_>) -> Answer {
        let body = call.json()?;
        let name = body["name"]
            .as_str()
            .ok_or_else(|| Problem::invalid("a list needs a name"))?;
        if self.lists.0.values().any(|list| list.name == name) {
            return Err(Problem::invalid(format!(
                "a list named {name} already exists"
            )));
        }
        let processing = body["processingType"].as_str().unwrap_or("MANUAL");
        if !["MANUAL", "SNAPSHOT", "DYNAMIC"].contains(&processing) {
            return Err(Problem::invalid(format!(
                "{processing} is not a processing type"
            )));
        }
        let object = body["objectTypeId"].as_str().and_then(Object::parse);
        let object = object
            .ok_or_else(|| Problem::invalid("a list needs the objectTypeId of its members"))?;
        let id = self.world.next("list");
        let list = List {
            name: name.to_owned(),
            processing: processing.to_owned(),
            object,
            created: call.now,
            members: BTreeMap::new(),
        };
        let json = list.json(id);
        self.lists.0.insert(id, list);
        Ok(Reply::ok(json!({ "list": json })))
    }

    fn members(&self, call: &Call<'_>, id: u64) -> Answer {
        let list = self.lists.0.get(&id).ok_or_else(Problem::not_found)?;
        let limit = call.limit(100, 250)?;
        let after = call.query("after").unwrap_or_default();
        let mut rest = list.members.iter().filter(|(id, _)| id.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let results: Vec<Value> = page
            .iter()
            .map(|(id, at)| json!({ "recordId": id, "membershipTimestamp": iso(**at) }))
            .collect();
        let mut body = json!({ "results": results, "total": list.members.len() });
        if let (Some((last, _)), Some(_)) = (page.last(), rest.next()) {
            body["paging"] = json!({ "next": { "after": last } });
        }
        Ok(Reply::ok(body))
    }

    fn change_members(&mut self, call: &Call<'_>, id: u64, verb: &str) -> Answer {
        let body = call.json()?;
        let (add, remove) = match verb {
            "add" => (texts(&body), Vec::new()),
            "remove" => (Vec::new(), texts(&body)),
            "add-and-remove" => (
                texts(&body["recordIdsToAdd"]),
                texts(&body["recordIdsToRemove"]),
            ),
            _ => return Err(Problem::no_route()),
        };
        let object = match self.lists.0.get(&id) {
            Some(list) if list.processing == "DYNAMIC" => {
                return Err(Problem::invalid(
                    "the members of a dynamic list follow from its filters",
                ));
            }
            Some(list) => list.object,
            None => return Err(Problem::not_found()),
        };
        let (known, missing): (Vec<String>, Vec<String>) = add
            .into_iter()
            .partition(|id| self.lookup(object, id).is_some());
        let list = self.lists.0.get_mut(&id).ok_or_else(Problem::not_found)?;
        let mut added = Vec::new();
        for member in known {
            if list.members.insert(member.clone(), call.now).is_none() {
                added.push(member);
            }
        }
        let removed: Vec<String> = remove
            .into_iter()
            .filter(|member| list.members.remove(member).is_some())
            .collect();
        // The odd plural is HubSpot's.
        Ok(Reply::ok(
            json!({ "recordsIdsAdded": added, "recordIdsRemoved": removed, "recordIdsMissing": missing }),
        ))
    }
}
