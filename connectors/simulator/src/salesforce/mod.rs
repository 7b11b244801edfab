//! A Salesforce org: REST, SOQL, batches, bulk jobs, the SOAP calls that REST lacks, and the rules behind them.
//!
//! What an org is built of and what its administrators may turn is in [`Settings`]. Rows bear native field names; what the
//! vendor derives (stages that close, full names, histories) is derived here too, also when a person edits past the API
//! through [`crate::Dialect::set`]. All that comes over the API is done by one integration user.
//!
//! Deliberately absent: SOSL (its index lags, so nothing should rely on it), Apex, Change Data Capture, sharing rules,
//! person accounts.

mod settings;

mod ids;
mod objects;
mod schema;
mod view;

mod auth;
mod bulk;
mod call;
mod checks;
mod collections;
mod composite;
mod convert;
mod derive;
mod describe;
mod dialect;
mod envelope;
mod failure;
mod found;
mod merge;
mod parse;
mod query;
mod records;
mod rest;
mod soap;
mod sobjects;
mod soql;

#[cfg(test)]
mod tests;

pub use convert::Converted;
pub use settings::{Consumer, Rule, Settings, ValidationRule};

use crate::world::World;
use auth::Auth;
use bytes::Bytes;
use call::{Call, Caller, Reply, origin};
use failure::Failure;
use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng, rngs::StdRng};
use schema::Object;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use view::{People, View};

/// Fields by which rows are found without looking at all of them.
pub(crate) const INDEXES: [(&str, &str); 30] = [
    ("Lead", "Email"),
    ("Lead", "Leadloop_Key__c"),
    ("Lead", "ConvertedAccountId"),
    ("Lead", "ConvertedContactId"),
    ("Lead", "OwnerId"),
    ("Contact", "Email"),
    ("Contact", "Leadloop_Key__c"),
    ("Contact", "AccountId"),
    ("Contact", "ReportsToId"),
    ("Account", "Name"),
    ("Account", "Website"),
    ("Account", "Leadloop_Key__c"),
    ("Account", "ParentId"),
    ("Opportunity", "AccountId"),
    ("Opportunity", "CampaignId"),
    ("OpportunityContactRole", "OpportunityId"),
    ("OpportunityContactRole", "ContactId"),
    ("OpportunityHistory", "OpportunityId"),
    ("Task", "WhoId"),
    ("Task", "WhatId"),
    ("CampaignMember", "CampaignId"),
    ("CampaignMember", "LeadId"),
    ("CampaignMember", "ContactId"),
    ("User", "Username"),
    ("User", "Email"),
    ("Group", "DeveloperName"),
    ("LeadStatus", "ApiName"),
    ("LeadStatus", "IsDefault"),
    ("OpportunityStage", "ApiName"),
    ("RecordType", "DeveloperName"),
];

/// A longer address is refused.
const LONGEST_URI: usize = 16_384;

/// One simulated org.
#[derive(Debug)]
pub struct Salesforce {
    world: World,
    settings: Settings,
    people: People,
    auth: Auth,
    locators: BTreeMap<String, query::Locator>,
    jobs: BTreeMap<String, bulk::Job>,
    chance: StdRng,
    calls_today: u64,
    day_began: Option<Timestamp>,
    delete_log_trimmed: Option<Timestamp>,
    described_at: Timestamp,
}

impl Salesforce {
    /// An org with its administrator, its integration user, lead statuses and stages, and no records yet.
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        let mut world = World::new();
        for (table, field) in INDEXES {
            world.index(table, field);
        }
        let people = People {
            organization: ids::id("00D", 1),
            person: ids::id("005", 1),
            integration: ids::id("005", 2),
            system: ids::id("005", 3),
        };
        let mut salesforce = Salesforce {
            world,
            people,
            auth: Auth::with_refresh_token(&settings.refresh_token),
            locators: BTreeMap::new(),
            jobs: BTreeMap::new(),
            chance: StdRng::seed_from_u64(settings.seed),
            calls_today: 0,
            day_began: None,
            delete_log_trimmed: None,
            described_at: view::seconds(now),
            settings,
        };
        salesforce.found(now);
        salesforce
    }

    /// How the org is set up, to change it.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// How the org is set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends every session: the next call answers 401.
    pub fn expire_sessions(&mut self) {
        self.auth.expire();
    }

    /// Ends every query locator.
    pub fn expire_locators(&mut self) {
        self.locators.clear();
    }

    /// The refresh tokens that are good.
    pub fn refresh_tokens(&self) -> Vec<String> {
        self.auth.refresh_tokens().map(str::to_owned).collect()
    }

    /// Trims the deletion log, as the vendor does when it grows large: what was deleted before is listed no more.
    pub fn trim_delete_log(&mut self, before: Timestamp) {
        self.delete_log_trimmed = Some(before);
    }

    /// How many API calls were counted against the daily limit.
    pub fn calls_today(&self) -> u64 {
        self.calls_today
    }

    /// Makes a queue that may own leads; returns its id.
    pub fn create_queue(&mut self, name: &str, now: Timestamp) -> String {
        let developer_name = name.replace(' ', "_");
        self.put(
            "Group",
            &[
                ("Name", name),
                ("DeveloperName", &developer_name),
                ("Type", "Queue"),
            ],
            now,
        )
    }

    /// A fresh id for a row of this table.
    fn fresh_id(&mut self, table: &str) -> String {
        let prefix = Object::named(table).map_or("000", |object| object.prefix);
        let number = self.world.next(&format!("id {prefix}"));
        ids::id(prefix, number)
    }

    fn view(&self, now: Timestamp) -> View<'_> {
        View {
            world: &self.world,
            settings: &self.settings,
            people: &self.people,
            now,
        }
    }

    fn answer(&mut self, request: &Request<Bytes>, now: Timestamp) -> Reply {
        let path = request.uri().path().trim_end_matches('/');
        let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
        match pieces.as_slice() {
            ["services", "oauth2", "token"] if request.method() == Method::POST => {
                self.token(request, now)
            }
            ["services", "oauth2", "revoke"] => self.revoke(request),
            ["services", "oauth2", "userinfo"] | ["id", _, _] => {
                match self.caller(request, "", now) {
                    Ok(caller) => Reply::json(200, self.userinfo(&caller.user, &origin(request))),
                    Err(_) => Reply::text(403, "text/plain", "Bad_OAuth_Token".to_owned()),
                }
            }
            ["services", "Soap", "u", version, ..] => self.soap(request, version, now),
            ["services", "data"] => self.versions(),
            ["services", "data", version, ..] => self
                .api(request, version, now)
                .unwrap_or_else(Reply::from)
                .with("Sforce-Limit-Info", self.limit_info()),
            _ => Failure::not_found().into(),
        }
    }

    fn versions(&self) -> Reply {
        let versions: Vec<Value> = (self.settings.oldest_version..=self.settings.newest_version)
            .map(|version| {
                json!({
                    "label": format!("Version {version}"),
                    "url": format!("/services/data/v{version}.0"),
                    "version": format!("{version}.0"),
                })
            })
            .collect();
        Reply::json(200, json!(versions))
    }

    fn api(
        &mut self,
        request: &Request<Bytes>,
        version: &str,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        self.check_version(version)?;
        let length = request
            .uri()
            .path_and_query()
            .map_or(0, |uri| uri.as_str().len());
        if length > LONGEST_URI {
            return Ok(Reply::text(
                414,
                "text/html",
                "<html><body>URI Too Long</body></html>".to_owned(),
            ));
        }
        let caller = self.caller(request, &format!("/services/data/{version}"), now)?;
        self.count(now)?;
        let call = Call::read(request);
        let segments = call.segments.clone();
        let path: Vec<&str> = segments.iter().skip(3).map(String::as_str).collect();
        self.rest(&call, &path, &caller, now)
    }

    /// Old versions are gone for good, others were never there.
    fn check_version(&self, version: &str) -> Result<(), Failure> {
        let number = version
            .strip_prefix('v')
            .and_then(|version| version.strip_suffix(".0"));
        let number: u32 = number
            .and_then(|number| number.parse().ok())
            .ok_or_else(Failure::not_found)?;
        if number < self.settings.oldest_version {
            let message = format!("API version {number}.0 is retired");
            return Err(Failure::new("UNSUPPORTED_API_VERSION", message));
        }
        if number > self.settings.newest_version {
            Err(Failure::not_found())
        } else {
            Ok(())
        }
    }

    fn caller(
        &self,
        request: &Request<Bytes>,
        base: &str,
        now: Timestamp,
    ) -> Result<Caller, Failure> {
        let user = auth::bearer(request).and_then(|token| self.auth.user(token, now));
        let user =
            user.ok_or_else(|| Failure::new("INVALID_SESSION_ID", "Session expired or invalid"))?;
        let rule = request
            .headers()
            .get("sforce-duplicate-rule-header")
            .and_then(|value| value.to_str().ok());
        let wishes = |wish: &str| {
            rule.is_some_and(|rule| {
                rule.split([';', ',']).any(|part| {
                    let part = part.replace(' ', "");
                    part.split_once('=').is_some_and(|(name, value)| {
                        name.eq_ignore_ascii_case(wish) && value.eq_ignore_ascii_case("true")
                    })
                })
            })
        };
        Ok(Caller {
            user: user.to_owned(),
            base: base.to_owned(),
            save_duplicates: wishes("allowSave"),
            record_details: wishes("includeRecordDetails"),
            in_batch: false,
        })
    }

    /// Counts a call against the day's limit. The vendor's window rolls; here a new day begins with the first call after 24 hours.
    fn count(&mut self, now: Timestamp) -> Result<(), Failure> {
        let day = SignedDuration::from_hours(24);
        if self
            .day_began
            .is_none_or(|began| now.duration_since(began) >= day)
        {
            self.day_began = Some(now);
            self.calls_today = 0;
        }
        if self.calls_today >= self.settings.daily_limit {
            return Err(Failure::new(
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ));
        }
        self.calls_today += 1;
        Ok(())
    }

    fn limit_info(&self) -> String {
        format!(
            "api-usage={}/{}",
            self.calls_today, self.settings.daily_limit
        )
    }

    /// Answers a request as the org would.
    fn respond(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.answer(request, now).into_response()
    }
}
