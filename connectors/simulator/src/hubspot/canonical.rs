//! HubSpot under leadloop's own names: for those who stage and compare worlds.

use super::{
    HubSpot,
    record::{Changes, View},
    request::truncate,
    schema::{Object, association_types},
};
use crate::world::{Actor, Dialect, World, relation};
use bytes::Bytes;
use contract::{Kind, field};
use http::{Request, Response};
use jiff::Timestamp;

fn object(kind: Kind) -> Option<Object> {
    match kind {
        Kind::Lead => Some(Object::Contact),
        Kind::Account => Some(Object::Company),
        Kind::Opportunity => Some(Object::Deal),
        Kind::Note => Some(Object::Note),
        Kind::Contact | Kind::Role | Kind::User => None,
    }
}

/// The object at the other end of a relation, where HubSpot keeps it as an association.
fn other_end(kind: Kind, canonical: &str) -> Option<Object> {
    match (kind, canonical) {
        (Kind::Lead | Kind::Opportunity, relation::ACCOUNT) => Some(Object::Company),
        (Kind::Account, relation::PARENT) => Some(Object::Company),
        (Kind::Opportunity, relation::CONTACT) | (Kind::Note, relation::ABOUT) => {
            Some(Object::Contact)
        }
        _ => None,
    }
}

impl HubSpot {
    fn related(&self, from: Object, id: &str, to: Object) -> Option<String> {
        let kept = association_types(from, to)
            .iter()
            .map(|(id, _)| *id)
            .max()?;
        let ids: Vec<&str> = match (from, to) {
            (Object::Contact, Object::Company) => {
                self.associations.one(from, id, to, 1).into_iter().collect()
            }
            (Object::Deal, Object::Company) => {
                self.associations.one(from, id, to, 5).into_iter().collect()
            }
            (Object::Company, Object::Company) => self
                .associations
                .one(from, id, to, kept)
                .into_iter()
                .collect(),
            _ => self
                .associations
                .of(from, id, to)
                .map(|(id, _)| id)
                .collect(),
        };
        (!ids.is_empty()).then(|| ids.join(";"))
    }

    fn relate(
        &mut self,
        from: (Object, &str),
        to: Object,
        ids: &str,
        actor: Actor,
        now: Timestamp,
    ) {
        let old: Vec<String> = self
            .associations
            .of(from.0, from.1, to)
            .map(|(id, _)| id.to_owned())
            .collect();
        for id in old
            .iter()
            .filter(|id| !ids.split(';').any(|kept| kept == *id))
        {
            self.dissociate(from, (to, id), actor, now);
        }
        let types = association_types(from.0, to);
        let Some(type_id) = types
            .iter()
            .find(|(_, label)| *label == Some("Primary"))
            .or(types.first())
        else {
            return;
        };
        for id in ids.split(';').filter(|id| !id.is_empty()) {
            // A world may be staged with pointers to nowhere; HubSpot itself cannot hold them.
            if self
                .associate(from, (to, id), &[type_id.0], actor, now)
                .is_err()
            {
                tracing::debug!(
                    from = from.1,
                    to = id,
                    "not associated: there is no such record"
                );
            }
        }
    }

    /// Splits values by where they are kept: properties, associations, and the address' subscription.
    fn put(
        &mut self,
        kind: Kind,
        object: Object,
        id: &str,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) {
        for (name, value) in values {
            if let Some(to) = other_end(kind, name) {
                self.relate((object, id), to, value, actor, now);
            } else if object == Object::Contact && *name == field::OPT_OUT {
                let email = self
                    .world
                    .get(object.table(), id)
                    .and_then(|row| row.field("email"))
                    .map(str::to_owned);
                match email {
                    Some(email) => self.set_unsubscribed(&email, *value == "true", actor, now),
                    None => {
                        let changes = Changes::from([(
                            "hs_email_optout".to_owned(),
                            Some((*value == "true").to_string()),
                        )]);
                        self.write(object, id, changes, actor, now);
                    }
                }
            }
        }
    }

    fn plain_values(&self, kind: Kind, values: &[(&str, &str)]) -> Changes {
        let plain = values
            .iter()
            .filter(|(name, _)| other_end(kind, name).is_none() && *name != field::OPT_OUT);
        plain
            .map(|(name, value)| {
                let native = self.native(kind, name).unwrap_or(name);
                let value = if native == "email" {
                    value.trim().to_lowercase()
                } else {
                    (*value).to_owned()
                };
                (native.to_owned(), (!value.is_empty()).then_some(value))
            })
            .collect()
    }
}

impl Dialect for HubSpot {
    fn vendor(&self) -> &'static str {
        "hubspot"
    }

    fn handle(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.respond(request, now)
    }

    fn world(&self) -> &World {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    fn table(&self, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::User => Some("owners"),
            _ => object(kind).map(Object::table),
        }
    }

    fn native(&self, kind: Kind, canonical: &str) -> Option<&'static str> {
        Some(match (kind, canonical) {
            (Kind::User, field::NAME) => "name",
            (Kind::User, field::EMAIL) => "email",
            (Kind::User, field::ACTIVE) => "active",
            (Kind::User, _) => return None,
            (_, field::KEY) => "leadloop_key",
            (_, relation::OWNER) => "hubspot_owner_id",
            (Kind::Note, field::BODY) => "hs_note_body",
            (Kind::Note, field::CREATED_AT) => "hs_createdate",
            (_, field::CREATED_AT) => "createdate",
            (Kind::Lead, field::EMAIL) => "email",
            (Kind::Lead, field::FIRST_NAME) => "firstname",
            (Kind::Lead, field::LAST_NAME) => "lastname",
            (Kind::Lead, field::TITLE) => "jobtitle",
            (Kind::Lead, field::COMPANY) => "company",
            (Kind::Lead | Kind::Account, field::PHONE) => "phone",
            (Kind::Lead | Kind::Account, field::COUNTRY) => "country",
            (Kind::Lead | Kind::Account, field::STATE) => "state",
            (Kind::Lead | Kind::Account, field::CITY) => "city",
            (Kind::Lead | Kind::Account, field::INDUSTRY) => "industry",
            (Kind::Lead, field::WEBSITE) => "website",
            (Kind::Account, field::WEBSITE) => "domain",
            (Kind::Account, field::DOMAINS) => "hs_additional_domains",
            (Kind::Lead, field::LEAD_SOURCE) => "hs_analytics_source",
            (Kind::Lead | Kind::Account, field::LIFECYCLE) => "lifecyclestage",
            (Kind::Lead, field::SCORE) => "hubspotscore",
            (Kind::Lead, field::STATUS) => "hs_lead_status",
            (Kind::Lead, field::OPT_OUT) => "hs_email_optout",
            (Kind::Lead, field::LAST_ACTIVITY_AT) => "notes_last_updated",
            (Kind::Lead, field::DISPOSITION) => "leadloop_disposition",
            (Kind::Lead, field::DISPOSITION_REASON) => "leadloop_reason",
            (Kind::Lead, field::DISPOSITION_AT) => "leadloop_disposition_at",
            (Kind::Lead, field::FUNNEL_STAGE) => "leadloop_stage",
            (Kind::Lead, field::SALES_STAGE) => "leadloop_sales_stage",
            (Kind::Lead, field::SALES_AMOUNT) => "leadloop_amount",
            (Kind::Lead, field::SALES_CURRENCY) => "leadloop_currency",
            (Kind::Lead, field::SALES_OWNER) => "leadloop_owner",
            (Kind::Lead, field::CRM_ID) => "leadloop_crm_id",
            (Kind::Account, field::NAME) => "name",
            (Kind::Account, field::TYPE) => "type",
            (Kind::Opportunity, field::NAME) => "dealname",
            (Kind::Opportunity, field::STAGE) => "dealstage",
            (Kind::Opportunity, field::AMOUNT) => "amount",
            (Kind::Opportunity, field::CURRENCY) => "deal_currency_code",
            (Kind::Opportunity, field::CLOSE_DATE) => "closedate",
            (Kind::Opportunity, field::IS_CLOSED) => "hs_is_closed",
            (Kind::Opportunity, field::IS_WON) => "hs_is_closed_won",
            (Kind::Opportunity, field::LOST_REASON) => "closed_lost_reason",
            _ => return None,
        })
    }

    fn new_id(&mut self, kind: Kind) -> String {
        match kind {
            Kind::User => (70_000_000 + self.world.next("owner") * 11).to_string(),
            _ => self.fresh_id(),
        }
    }

    fn get(&self, kind: Kind, id: &str, canonical: &str) -> Option<String> {
        let Some(object) = object(kind) else {
            let field = self.native(kind, canonical).unwrap_or(canonical);
            return self
                .world
                .get(self.table(kind)?, id)?
                .field(field)
                .map(str::to_owned);
        };
        if let Some(to) = other_end(kind, canonical) {
            return self.related(object, id, to);
        }
        let name = self.native(kind, canonical).unwrap_or(canonical);
        let row = self.world.get(object.table(), id)?;
        View::now(row)
            .property(object, name)
            .map(|value| value.into_owned())
    }

    fn set(
        &mut self,
        kind: Kind,
        id: &str,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let now = truncate(now);
        let Some(table) = self.table(kind) else {
            return false;
        };
        if self.world.get_live(table, id).is_none() {
            return false;
        }
        let changes = self.plain_values(kind, values);
        let Some(object) = object(kind) else {
            return self.world.update(table, id, &changes, actor, now);
        };
        if !changes.is_empty() {
            self.write(object, id, changes, actor, now);
        }
        self.put(kind, object, id, values, actor, now);
        true
    }

    fn create(
        &mut self,
        kind: Kind,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) -> String {
        let now = truncate(now);
        let table = self
            .table(kind)
            .expect("the caller asks only for kinds that the vendor has");
        let id = self.new_id(kind);
        let mut changes = self.plain_values(kind, values);
        match object(kind) {
            None => {
                let fields = changes
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                self.world.insert(table, &id, fields, actor, now);
            }
            Some(object) => {
                if object == Object::Deal {
                    changes
                        .entry("pipeline".to_owned())
                        .or_insert_with(|| Some("default".to_owned()));
                }
                self.insert(object, &id, changes, actor, now);
                self.put(kind, object, &id, values, actor, now);
            }
        }
        id
    }

    fn delete(&mut self, kind: Kind, id: &str, actor: Actor, now: Timestamp) -> bool {
        let Some(table) = self.table(kind) else {
            return false;
        };
        match object(kind) {
            Some(object) => self.archive(object, id, actor, truncate(now)),
            None => self.world.delete(table, id, actor, truncate(now)),
        }
    }

    fn sign_out(&mut self) {
        self.gate.revoke_issued();
    }

    fn merge(
        &mut self,
        kind: Kind,
        winner: &str,
        losers: &[&str],
        actor: Actor,
        now: Timestamp,
    ) -> Option<String> {
        let object = object(kind)?;
        let mut survivor = winner.to_owned();
        for loser in losers {
            survivor = self
                .merge_records(object, &survivor, loser, actor, truncate(now))
                .ok()?;
        }
        Some(survivor)
    }
}
