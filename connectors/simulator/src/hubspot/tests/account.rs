use super::super::{App, Scopes};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn strangers_are_turned_away() {
    let mut portal = Portal::open();
    portal.token = "somebody-elses".to_owned();
    let (status, json) = portal.ask("GET", "/crm/v3/objects/contacts", Value::Null);
    assert_eq!(
        (status, json["category"].as_str()),
        (401, Some("INVALID_AUTHENTICATION"))
    );
}

#[test]
fn a_token_without_the_scope_reads_and_does_not_write() {
    let scopes = Scopes::Only(BTreeSet::from(["crm.objects.contacts.read".to_owned()]));
    let mut portal = Portal::new(Knobs {
        tokens: BTreeMap::from([(TOKEN.to_owned(), scopes)]),
        ..Knobs::default()
    });
    assert_eq!(
        portal.ask("GET", "/crm/v3/objects/contacts", Value::Null).0,
        200
    );
    let (status, json) = portal.ask(
        "POST",
        "/crm/v3/objects/contacts",
        json!({ "properties": {} }),
    );
    assert_eq!(
        (status, json["category"].as_str()),
        (403, Some("MISSING_SCOPES"))
    );
    assert_eq!(
        json["errors"][0]["context"]["requiredGranularScopes"],
        json!(["crm.objects.contacts.write"])
    );
}

#[test]
fn access_tokens_expire_and_refresh_tokens_rotate() {
    let app = App {
        client_id: "id".to_owned(),
        client_secret: "secret".to_owned(),
        refresh_token: "first".to_owned(),
        codes: BTreeSet::new(),
        rotates: true,
    };
    let mut portal = Portal::new(Knobs {
        app: Some(app),
        ..Knobs::default()
    });
    let refresh = |portal: &mut Portal, token: &str| {
        let form = format!(
            "grant_type=refresh_token&client_id=id&client_secret=secret&refresh_token={token}"
        );
        let response = portal.raw("POST", "/oauth/2026-03/token", &form);
        (
            response.status().as_u16(),
            serde_json::from_slice::<Value>(response.body()).unwrap(),
        )
    };
    let (_, granted) = refresh(&mut portal, "first");
    assert_eq!(granted["expires_in"], 1800);
    portal.token = granted["access_token"].as_str().unwrap().to_owned();
    portal.wait(1799);
    assert_eq!(
        portal.ask("GET", "/crm/v3/objects/contacts", Value::Null).0,
        200
    );
    portal.wait(1);
    let (status, json) = portal.ask("GET", "/crm/v3/objects/contacts", Value::Null);
    assert_eq!(
        (status, json["category"].as_str()),
        (401, Some("EXPIRED_AUTHENTICATION"))
    );
    let (status, json) = refresh(&mut portal, "first");
    assert_eq!(
        (status, json["status"].as_str()),
        (400, Some("BAD_REFRESH_TOKEN"))
    );
    assert_eq!(
        refresh(&mut portal, granted["refresh_token"].as_str().unwrap()).0,
        200
    );
}

#[test]
fn the_ten_second_window_rolls() {
    let mut portal = Portal::new(Knobs {
        ten_secondly: 3,
        ..Knobs::default()
    });
    for left in ["2", "1", "0"] {
        let response = portal.raw("GET", "/crm/v3/objects/contacts", "");
        assert_eq!(response.headers()["x-hubspot-ratelimit-remaining"], left);
        assert_eq!(response.headers()["x-hubspot-ratelimit-daily"], "625000");
    }
    let (status, json) = portal.ask("GET", "/crm/v3/objects/contacts", Value::Null);
    assert_eq!(
        (status, json["policyName"].as_str()),
        (429, Some("TEN_SECONDLY_ROLLING"))
    );
    portal.wait(10);
    assert_eq!(
        portal.ask("GET", "/crm/v3/objects/contacts", Value::Null).0,
        200
    );
}

#[test]
fn searches_have_a_bucket_of_their_own_and_no_headers() {
    let mut portal = Portal::new(Knobs {
        search_per_second: 1,
        ..Knobs::default()
    });
    let response = portal.raw("POST", "/crm/v3/objects/contacts/search", "{}");
    assert!(
        response
            .headers()
            .keys()
            .all(|name| !name.as_str().starts_with("x-hubspot"))
    );
    let (status, json) = portal.ask("POST", "/crm/v3/objects/contacts/search", json!({}));
    assert_eq!(
        (status, json["message"].as_str()),
        (429, Some("You have reached your secondly limit."))
    );
    assert_eq!(
        portal.ask("GET", "/crm/v3/objects/contacts", Value::Null).0,
        200
    );
}

#[test]
fn the_daily_limit_ends_at_the_portals_midnight() {
    let zone = jiff::tz::Offset::constant(2).to_time_zone();
    let mut portal = Portal::new(Knobs {
        daily: 2,
        zone,
        ..Knobs::default()
    });
    portal.now = "2026-10-01T21:59:00Z".parse().unwrap();
    for expected in [200, 200, 429] {
        assert_eq!(
            portal.ask("GET", "/account-info/v3/details", Value::Null).0,
            expected
        );
    }
    portal.wait(60);
    let (status, usage) = portal.ask(
        "GET",
        "/account-info/2026-03/api-usage/daily/private-apps",
        Value::Null,
    );
    assert_eq!(status, 200);
    assert_eq!(usage["results"][0]["currentUsage"], 1);
    assert_eq!(usage["results"][0]["resetsAt"], "2026-10-02T22:00:00.000Z");
}

#[test]
fn a_property_can_be_added_and_then_written() {
    let mut portal = Portal::open();
    let property = json!({
        "name": "tier", "label": "Tier", "type": "enumeration", "fieldType": "select", "groupName": "contactinformation",
        "options": [{ "label": "Gold", "value": "gold" }],
    });
    assert_eq!(
        portal
            .ask("POST", "/crm/properties/2026-09/contacts", property.clone())
            .0,
        201
    );
    assert_eq!(
        portal
            .ask("POST", "/crm/v3/properties/contacts", property)
            .0,
        409
    );
    portal.contact(json!({ "email": "ada@example.com", "tier": "gold" }));
    let (_, read) = portal.ask(
        "GET",
        "/crm/v3/properties/contacts/leadloop_key",
        Value::Null,
    );
    assert_eq!(read["hasUniqueValue"], true);
    let (_, pipelines) = portal.ask("GET", "/crm/pipelines/2026-09/deals", Value::Null);
    assert_eq!(
        pipelines["results"][0]["stages"][5]["metadata"]["probability"],
        "1.0"
    );
}

#[test]
fn a_list_made_by_hand_takes_members() {
    let mut portal = Portal::open();
    let ada = portal.contact(json!({ "email": "ada@example.com" }));
    let (_, made) = portal.ask(
        "POST",
        "/crm/v3/lists",
        json!({ "name": "MQL", "objectTypeId": "0-1", "processingType": "MANUAL" }),
    );
    let path = format!(
        "/crm/lists/2026-09/{}/memberships",
        made["list"]["listId"].as_str().unwrap()
    );
    let (_, changed) = portal.ask("PUT", &format!("{path}/add"), json!([ada, "1"]));
    assert_eq!(
        (&changed["recordsIdsAdded"], &changed["recordIdsMissing"]),
        (&json!([ada]), &json!(["1"]))
    );
    let (_, members) = portal.ask("GET", &path, Value::Null);
    assert_eq!(members["results"][0]["recordId"], json!(ada));
}
