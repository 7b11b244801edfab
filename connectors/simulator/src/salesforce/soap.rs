//! The partner SOAP calls that REST lacks: lead conversion and merging; and those that published clients log in with.

use super::{
    Caller, Failure, Salesforce,
    call::{Reply, origin},
    convert::Conversion,
    envelope::{Element, envelope, errors, fault, nillable, parsed},
    schema::Object,
    view::shown_time,
};
use crate::world::Actor;
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use quick_xml::escape::escape;
use serde_json::{Map, json};

/// Most leads in one call.
const MOST_LEADS: usize = 100;
/// Most merges in one call.
const MOST_MERGES: usize = 200;
/// From this version on, `login` is gone.
const NO_LOGIN_FROM: u32 = 65;

impl Salesforce {
    /// `POST /services/Soap/u/{version}`
    pub(super) fn soap(
        &mut self,
        request: &Request<Bytes>,
        version: &str,
        now: Timestamp,
    ) -> Reply {
        match self.soap_call(request, version, now) {
            Ok(body) => Reply::text(200, "text/xml; charset=utf-8", envelope(&body)),
            Err(failure) => fault(&failure),
        }
    }

    fn soap_call(
        &mut self,
        request: &Request<Bytes>,
        version: &str,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let number = version
            .strip_suffix(".0")
            .and_then(|number| number.parse::<u32>().ok())
            .unwrap_or(0);
        if !(self.settings.oldest_version..=self.settings.newest_version).contains(&number) {
            return Err(Failure::new(
                "UNSUPPORTED_API_VERSION",
                "Invalid Api version specified on URL",
            ));
        }
        let envelope = parsed(request.body())?;
        let header = envelope.child("Header").cloned().unwrap_or_default();
        let call = envelope
            .child("Body")
            .and_then(|body| body.children.first());
        let call =
            call.ok_or_else(|| Failure::new("XML_PARSER_ERROR", "the envelope has no call"))?;
        if call.name == "login" {
            return self.soap_login(request, call, number, now);
        }
        let token = header
            .child("SessionHeader")
            .and_then(|session| session.text("sessionId"));
        let token = token.unwrap_or_default();
        let user = self
            .auth
            .user(&token, now)
            .map(str::to_owned)
            .ok_or_else(|| {
                let message =
                    "Invalid Session ID found in SessionHeader: Illegal Session. Session not found";
                Failure::new("INVALID_SESSION_ID", message)
            })?;
        self.count(now)?;
        let rule = header.child("DuplicateRuleHeader");
        let caller = Caller {
            user,
            base: format!("/services/data/v{version}"),
            save_duplicates: rule.is_some_and(|rule| rule.is_true("allowSave")),
            record_details: rule.is_some_and(|rule| rule.is_true("includeRecordDetails")),
            in_batch: true,
        };
        match call.name.as_str() {
            "logout" => {
                self.auth.revoke(&token);
                Ok("<logoutResponse/>".to_owned())
            }
            "getServerTimestamp" => {
                let time = shown_time(now).replace("+0000", "Z");
                Ok(format!(
                    "<getServerTimestampResponse><result><timestamp>{time}</timestamp></result></getServerTimestampResponse>"
                ))
            }
            "getUserInfo" => {
                let info = self.user_info(&caller.user);
                Ok(format!(
                    "<getUserInfoResponse><result>{info}</result></getUserInfoResponse>"
                ))
            }
            "convertLead" => self.soap_convert(call, &caller, now),
            "merge" => self.soap_merge(call, now),
            other => Err(Failure::new(
                "UNKNOWN_EXCEPTION",
                format!("No operation available for request {other}"),
            )),
        }
    }

    fn soap_login(
        &mut self,
        request: &Request<Bytes>,
        call: &Element,
        version: u32,
        now: Timestamp,
    ) -> Result<String, Failure> {
        if version >= NO_LOGIN_FROM {
            let message = format!("login is not available in API version {version}.0");
            return Err(Failure::new("UNSUPPORTED_API_VERSION", message));
        }
        let username = call.text("username").unwrap_or_default();
        let password = call.text("password").unwrap_or_default();
        let user = self.login(&username, &password).ok_or_else(|| {
            let message = "Invalid username, password, security token; or user locked out.";
            Failure::new("INVALID_LOGIN", message)
        })?;
        let token = self.open_session(user.clone(), now);
        let origin = origin(request);
        let short = &self.people.organization[..15];
        let info = self.user_info(&user);
        Ok(format!(
            "<loginResponse><result><metadataServerUrl>{origin}/services/Soap/m/{version}.0/{short}</metadataServerUrl>\
             <passwordExpired>false</passwordExpired><sandbox>false</sandbox>\
             <serverUrl>{origin}/services/Soap/u/{version}.0/{short}</serverUrl><sessionId>{token}</sessionId>\
             <userId>{user}</userId><userInfo>{info}</userInfo></result></loginResponse>"
        ))
    }

    fn user_info(&self, user: &str) -> String {
        let field = |name: &str| {
            let value = self
                .world
                .get("User", user)
                .and_then(|row| row.field(name))
                .unwrap_or_default();
            escape(value).into_owned()
        };
        format!(
            "<accessibilityMode>false</accessibilityMode><organizationId>{}</organizationId>\
             <organizationMultiCurrency>{}</organizationMultiCurrency><organizationName>Example GmbH</organizationName>\
             <sessionSecondsValid>{}</sessionSecondsValid><userEmail>{}</userEmail><userFullName>{}</userFullName>\
             <userId>{user}</userId><userLanguage>en_US</userLanguage><userLocale>en_US</userLocale>\
             <userName>{}</userName><userTimeZone>UTC</userTimeZone><userType>Standard</userType>",
            self.people.organization,
            self.settings.multi_currency,
            self.settings.session_life.as_secs(),
            field("Email"),
            field("Name"),
            field("Username"),
        )
    }

    fn soap_convert(
        &mut self,
        call: &Element,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let leads: Vec<&Element> = call.all("leadConverts").collect();
        if leads.len() > MOST_LEADS {
            let message = format!("at most {MOST_LEADS} leads can be converted in one call");
            return Err(Failure::new("EXCEEDED_LEAD_CONVERT_LIMIT", message));
        }
        let mut results = String::new();
        for element in leads {
            let lead = element.text("leadId").unwrap_or_default();
            let conversion = Conversion {
                lead: lead.clone(),
                status: Some(element.text("convertedStatus").unwrap_or_default()),
                account: element.text("accountId"),
                contact: element.text("contactId"),
                opportunity: element.text("opportunityId"),
                opportunity_name: element.text("opportunityName"),
                creates_opportunity: !element.is_true("doNotCreateOpportunity"),
                owner: element.text("ownerId"),
                overwrites_source: element.is_true("overwriteLeadSource"),
                skips_duplicate_rules: element.is_true("bypassContactDedupeCheck"),
            };
            let outcome = self.convert_lead(&conversion, caller, Actor::Integration, now);
            let (account, contact, opportunity) = match &outcome {
                Ok(converted) => (
                    Some(converted.account.as_str()),
                    Some(converted.contact.as_str()),
                    converted.opportunity.as_deref(),
                ),
                Err(_) => (None, None, None),
            };
            let errors = outcome.as_ref().err().map(errors).unwrap_or_default();
            results += &format!(
                "<result>{}{}{errors}{}{}<success>{}</success></result>",
                nillable("accountId", account),
                nillable("contactId", contact),
                nillable("leadId", Some(&lead)),
                nillable("opportunityId", opportunity),
                outcome.is_ok(),
            );
        }
        Ok(format!(
            "<convertLeadResponse>{results}</convertLeadResponse>"
        ))
    }

    fn soap_merge(&mut self, call: &Element, now: Timestamp) -> Result<String, Failure> {
        let requests: Vec<&Element> = call
            .all("mergeRequests")
            .chain(call.all("request"))
            .collect();
        if requests.len() > MOST_MERGES {
            return Err(Failure::new(
                "MERGE_FAILED",
                format!("at most {MOST_MERGES} merges in one call"),
            ));
        }
        let mut results = String::new();
        for request in requests {
            let losers: Vec<String> = request
                .all("recordToMergeIds")
                .map(|id| id.text.trim().to_owned())
                .collect();
            let master = request.child("masterRecord").cloned().unwrap_or_default();
            let outcome = self.soap_merge_one(&master, &losers, now);
            let id = master.text("Id").unwrap_or_default();
            let (merged, moved) = match &outcome {
                Ok(moved) => (losers.as_slice(), moved.as_slice()),
                Err(_) => (&[][..], &[][..]),
            };
            let list = |name: &str, ids: &[String]| -> String {
                ids.iter()
                    .map(|id| format!("<{name}>{}</{name}>", escape(id.as_str())))
                    .collect()
            };
            results += &format!(
                "<result>{}{}{}<success>{}</success>{}</result>",
                outcome.as_ref().err().map(errors).unwrap_or_default(),
                nillable("id", Some(&id)),
                list("mergedRecordIds", merged),
                outcome.is_ok(),
                list("updatedRelatedIds", moved),
            );
        }
        Ok(format!("<mergeResponse>{results}</mergeResponse>"))
    }

    fn soap_merge_one(
        &mut self,
        master: &Element,
        losers: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, Failure> {
        let id = master.text("Id").unwrap_or_default();
        let object = master
            .text("type")
            .and_then(|name| Object::named(&name))
            .or_else(|| Object::of_id(&id));
        let object = object
            .ok_or_else(|| Failure::new("INVALID_TYPE", "the master record has no known type"))?;
        if losers.is_empty() || losers.len() > 2 {
            return Err(Failure::new(
                "MERGE_FAILED",
                "one or two records can be merged into the master record",
            ));
        }
        let moved = self.merge_records(object, &id, losers, Actor::Integration, now)?;
        let skipped = |name: &str| matches!(name, "Id" | "type" | "fieldsToNull");
        let mut body: Map<String, serde_json::Value> = master
            .children
            .iter()
            .filter(|child| !skipped(&child.name))
            .map(|child| {
                (
                    child.name.clone(),
                    if child.nil {
                        json!(null)
                    } else {
                        json!(child.text)
                    },
                )
            })
            .collect();
        body.extend(
            master
                .all("fieldsToNull")
                .map(|field| (field.text.trim().to_owned(), json!(null))),
        );
        if !body.is_empty() {
            self.update_record(object, &id, &body, now)?;
        }
        Ok(moved)
    }
}
