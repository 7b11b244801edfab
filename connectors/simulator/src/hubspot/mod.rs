//! The HubSpot dialect: the CRM object, association, metadata and subscription APIs that leadloop and published clients call.
//!
//! One store stands behind every generation of paths (`/crm/v3/objects/…`, `/crm/objects/2026-03/…`, `/crm/objects/2026-09/…`);
//! the few rules that differ are asked of the path's version. Deliberately absent: webhooks and their journal, forms,
//! custom objects, files.

mod request;
mod schema;

mod auth;
mod limits;

mod check;
mod links;
mod record;

mod associations;
mod batch;
mod lists;
mod merge;
mod metadata;
mod objects;
mod search;
mod subscriptions;

mod canonical;
mod legacy;

#[cfg(test)]
mod tests;

pub use auth::{App, Scopes};

use crate::world::{Actor, World};
use auth::{Caller, Gate, missing_scope};
use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use limits::{Caps, Limits};
use links::Associations;
use lists::Lists;
use request::{Answer, Call, Problem, Reply, Version, response, truncate};
use schema::{Object, Pipeline, Property};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The static token that a fresh portal accepts.
pub const TOKEN: &str = "simulated-service-key";

/// What differs between portals, and what a test may want to tighten.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// The portal's id.
    pub portal: u64,
    /// The portal's zone: its day ends at midnight there.
    pub zone: TimeZone,
    /// The portal's currency, ISO 4217.
    pub currency: String,
    /// Calls in ten seconds.
    pub ten_secondly: u32,
    /// Searches in one second.
    pub search_per_second: u32,
    /// Calls in a day, for all callers together.
    pub daily: u64,
    /// How long a change takes to show in searches.
    pub index_lag: SignedDuration,
    /// Whether a merge makes a record with a new id (as of 2025) or keeps the winner's.
    pub merge_makes_new_id: bool,
    /// Static bearer tokens with their scopes.
    pub tokens: BTreeMap<String, Scopes>,
    /// The OAuth app, where one is installed.
    pub app: Option<App>,
    /// Rules of the portal that bind API writes since 2026-09: where a property of deals has the value, another must be set.
    pub deal_rules: Vec<Rule>,
}

/// Where `property` has `value`, `requires` must be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The property that decides.
    pub property: String,
    /// Its value.
    pub value: String,
    /// What is then required.
    pub requires: String,
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            portal: 4_242_424,
            zone: TimeZone::UTC,
            currency: "EUR".to_owned(),
            ten_secondly: 190,
            search_per_second: 5,
            daily: 625_000,
            index_lag: SignedDuration::from_secs(2),
            merge_makes_new_id: true,
            tokens: BTreeMap::from([(TOKEN.to_owned(), Scopes::All)]),
            app: None,
            deal_rules: vec![Rule {
                property: "dealstage".to_owned(),
                value: "closedwon".to_owned(),
                requires: "closedate".to_owned(),
            }],
        }
    }
}

impl Knobs {
    fn caps(&self) -> Caps<'_> {
        Caps {
            ten_secondly: self.ten_secondly,
            search_per_second: self.search_per_second,
            daily: self.daily,
            zone: &self.zone,
        }
    }

    /// A portal that never makes its callers wait: for demonstrations and load.
    pub fn unlimited() -> Self {
        Knobs {
            ten_secondly: u32::MAX,
            search_per_second: u32::MAX,
            daily: u64::MAX,
            ..Knobs::default()
        }
    }
}

/// One HubSpot portal.
#[derive(Debug)]
pub struct HubSpot {
    knobs: Knobs,
    world: World,
    gate: Gate,
    limits: Limits,
    properties: BTreeMap<Object, BTreeMap<String, Property>>,
    pipelines: BTreeMap<Object, Vec<Pipeline>>,
    associations: Associations,
    lists: Lists,
    /// Addresses, in lower case, that have unsubscribed from all e-mail. The state belongs to the address, not to the contact.
    unsubscribed: BTreeSet<String>,
    /// The contact that came by an address in a merge.
    additional_emails: BTreeMap<String, String>,
}

impl HubSpot {
    /// An empty portal.
    pub fn new(knobs: Knobs) -> Self {
        let mut world = World::new();
        for object in Object::ALL {
            world.set_lag(object.table(), knobs.index_lag);
            world.index(object.table(), "leadloop_key");
        }
        world.index(Object::Contact.table(), "email");
        HubSpot {
            gate: Gate::new(knobs.tokens.clone(), knobs.app.clone()),
            world,
            limits: Limits::default(),
            properties: Object::ALL
                .into_iter()
                .map(|object| (object, schema::properties(object)))
                .collect(),
            pipelines: Object::ALL
                .into_iter()
                .map(|object| (object, schema::pipelines(object)))
                .collect(),
            associations: Associations::default(),
            lists: Lists::default(),
            unsubscribed: BTreeSet::new(),
            additional_emails: BTreeMap::new(),
            knobs,
        }
    }

    /// How the portal is set up.
    pub fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// Ends a static token, as a rotated service key does.
    pub fn revoke_token(&mut self, token: &str) {
        self.gate.fixed.remove(token);
    }

    /// Whether this address has unsubscribed from all e-mail.
    pub fn is_unsubscribed(&self, address: &str) -> bool {
        self.unsubscribed.contains(&address.trim().to_lowercase())
    }

    fn respond(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let now = truncate(now);
        let call = Call::new(request, now);
        let is_search = call.segments.last().is_some_and(|last| last == "search")
            && call.method == Method::POST;
        let mut oauth = false;
        let answer = self.admit(&call, request, is_search, &mut oauth);
        let mut answer = match answer {
            Ok(reply) => response(reply.status, reply.body.as_ref()),
            Err(problem) => {
                let correlation = self.correlation();
                response(problem.status, Some(&problem.json(&correlation)))
            }
        };
        if !is_search && call.segments.first().is_some_and(|first| first != "oauth") {
            self.limits
                .headers(self.knobs.caps(), oauth, answer.headers_mut());
        }
        answer
    }

    fn admit(
        &mut self,
        call: &Call<'_>,
        request: &Request<Bytes>,
        is_search: bool,
        oauth: &mut bool,
    ) -> Answer {
        let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        if let ["oauth", version, "token"] = segments[..] {
            if Version::parse(version).is_none() || call.method != Method::POST {
                return Err(Problem::no_route());
            }
            return self.gate.token(call, self.knobs.portal);
        }
        let caller = self.gate.check(request.headers(), call.now)?;
        *oauth = caller.oauth;
        self.limits.spend(self.knobs.caps(), is_search, call.now)?;
        self.route(call, &segments, &caller)
    }

    fn route(&mut self, call: &Call<'_>, segments: &[&str], caller: &Caller) -> Answer {
        match segments {
            ["companies" | "deals" | "properties", ..] => self.legacy(call, segments),
            // There are no custom objects.
            ["crm", "v3", "schemas"] if call.method == Method::GET => {
                Ok(Reply::ok(json!({ "results": [] })))
            }
            ["crm", first, second, rest @ ..] => {
                let (area, version) = match (Version::parse(first), Version::parse(second)) {
                    (Some(version), _) => (*second, version),
                    (None, Some(version)) => (*first, version),
                    (None, None) => return Err(Problem::no_route()),
                };
                self.crm(call, area, version, rest, caller)
            }
            ["account-info", version, rest @ ..] if Version::parse(version).is_some() => {
                self.account_info(call, rest)
            }
            ["communication-preferences", version, rest @ ..] => match Version::parse(version) {
                Some(version) => self.communication_preferences(call, version, rest),
                None => Err(Problem::no_route()),
            },
            _ => Err(Problem::no_route()),
        }
    }

    fn crm(
        &mut self,
        call: &Call<'_>,
        area: &str,
        version: Version,
        rest: &[&str],
        caller: &Caller,
    ) -> Answer {
        match (area, rest) {
            ("objects", [name, rest @ ..]) => {
                let object = infer(name)?;
                let reads =
                    call.method == Method::GET || matches!(rest, ["search"] | ["batch", "read"]);
                let verb = if reads { "read" } else { "write" };
                // Notes and tasks need no scope of their own.
                if !matches!(object, Object::Note | Object::Task) {
                    caller.need(&format!("crm.objects.{}.{verb}", object.table()))?;
                }
                self.objects(call, version, object, rest)
            }
            ("associations", [from, to, rest @ ..]) => {
                self.associations_between(call, version, infer(from)?, infer(to)?, rest)
            }
            ("properties", [name, rest @ ..]) => self.properties_of(call, infer(name)?, rest),
            ("pipelines", [name, rest @ ..]) => self.pipelines_of(call, infer(name)?, rest),
            ("owners", rest) => {
                caller.need("crm.objects.owners.read")?;
                self.owners(call, rest)
            }
            ("lists", rest) => self.lists(call, rest),
            _ => Err(Problem::no_route()),
        }
    }

    /// An id for support requests: told in every refusal.
    fn correlation(&mut self) -> String {
        let count = self.world.next("correlation");
        format!("00000000-0000-4000-8000-{count:012x}")
    }

    /// Ids are decimal, in one sequence for all objects.
    fn fresh_id(&mut self) -> String {
        (100_000_000_000 + self.world.next("object") * 7).to_string()
    }

    /// Writes over the API come from an integration.
    const CALLER: Actor = Actor::Integration;
}

fn infer(name: &str) -> Result<Object, Problem> {
    if let Some(object) = Object::parse(name) {
        return Ok(object);
    }
    // Objects that HubSpot has and this dialect has not: as if the token had not been granted them.
    if [
        "tickets",
        "products",
        "line_items",
        "quotes",
        "calls",
        "emails",
        "meetings",
    ]
    .contains(&name)
    {
        return Err(missing_scope(&format!("crm.objects.{name}.read")));
    }
    Err(Problem::invalid(format!(
        "Unable to infer object type from: {name}"
    )))
}
