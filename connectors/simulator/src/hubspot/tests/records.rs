use super::*;
use crate::world::{Actor, relation};
use contract::{Kind, field};

#[test]
fn every_generation_of_paths_shows_one_store() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "Ada@Example.com", "firstname": "Ada" }));
    for prefix in [
        "/crm/v3/objects/contacts",
        "/crm/objects/2026-03/contact",
        "/crm/objects/2026-09/0-1",
    ] {
        let (status, json) = portal.ask(
            "GET",
            &format!("{prefix}/{id}?properties=email,phone,nonsense"),
            Value::Null,
        );
        assert_eq!(status, 200);
        assert_eq!(json["properties"]["email"], "ada@example.com");
        assert_eq!(json["properties"]["phone"], Value::Null);
        assert!(json["properties"].get("nonsense").is_none());
        assert_eq!(json["updatedAt"], "2026-10-01T08:00:00.000Z");
        assert_eq!(
            json["properties"]["lastmodifieddate"],
            "2026-10-01T08:00:00.000Z"
        );
    }
    let (status, json) = portal.ask(
        "GET",
        "/crm/v3/objects/contacts/ADA@example.com?idProperty=email",
        Value::Null,
    );
    assert_eq!((status, &json["id"]), (200, &json!(id)));
}

#[test]
fn one_bad_property_refuses_the_whole_write() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com" }));
    for (properties, code) in [
        (
            json!({ "firstname": "A", "no_such_thing": "1" }),
            "PROPERTY_DOESNT_EXIST",
        ),
        (
            json!({ "firstname": "A", "hs_email_optout": "true" }),
            "READ_ONLY_VALUE",
        ),
        (
            json!({ "firstname": "A", "hs_lead_status": "New" }),
            "INVALID_OPTION",
        ),
        (
            json!({ "firstname": "A", "email": "ada@example" }),
            "INVALID_EMAIL",
        ),
        (
            json!({ "firstname": "A", "hubspotscore": "1,5" }),
            "INVALID_INTEGER",
        ),
        (
            json!({ "firstname": "A", "hubspot_owner_id": "12" }),
            "INVALID_OWNER_ID",
        ),
        (
            json!({ "firstname": "A", "leadloop_disposition_at": "yesterday" }),
            "INVALID_DATE",
        ),
    ] {
        let (status, json) = portal.ask(
            "PATCH",
            &format!("/crm/objects/2026-09/contacts/{id}"),
            json!({ "properties": properties }),
        );
        assert_eq!(
            (status, json["category"].as_str()),
            (400, Some("VALIDATION_ERROR"))
        );
        assert_eq!(json["errors"][0]["code"], code);
        assert!(json["message"].as_str().unwrap().contains(code));
    }
    assert_eq!(
        portal.contact_properties(&id, "firstname")["firstname"],
        Value::Null
    );
}

#[test]
fn a_taken_address_is_answered_with_the_holders_id() {
    let mut portal = Portal::open();
    let ada = portal.contact(json!({ "email": "ada@example.com" }));
    let bob = portal.contact(json!({ "email": "bob@example.com", "leadloop_key": "k-1" }));
    let taken = format!("Contact already exists. Existing ID: {ada}");
    let (status, json) = portal.ask(
        "POST",
        "/crm/v3/objects/contacts",
        json!({ "properties": { "email": "ADA@example.com" } }),
    );
    assert_eq!(
        (status, json["message"].as_str()),
        (409, Some(taken.as_str()))
    );
    let path = format!("/crm/v3/objects/contacts/{bob}");
    assert_eq!(
        portal
            .ask(
                "PATCH",
                &path,
                json!({ "properties": { "email": "ada@example.com" } })
            )
            .0,
        409
    );
    let (status, json) = portal.ask(
        "POST",
        "/crm/v3/objects/contacts",
        json!({ "properties": { "leadloop_key": "k-1" } }),
    );
    assert_eq!(
        (status, json["errors"][0]["code"].as_str()),
        (400, Some("CONFLICTING_UNIQUE_VALUE"))
    );
}

#[test]
fn an_empty_value_clears() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com", "phone": "1", "city": "Ulm" }));
    portal.ask(
        "PATCH",
        &format!("/crm/v3/objects/contacts/{id}"),
        json!({ "properties": { "phone": "", "city": null } }),
    );
    let read = portal.contact_properties(&id, "phone,city");
    assert_eq!(
        (&read["phone"], &read["city"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn lifecycle_moves_forward_only_until_it_is_cleared() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com", "lifecyclestage": "opportunity" }));
    let write = |portal: &mut Portal, stage: &str| {
        let path = format!("/crm/v3/objects/contacts/{id}");
        assert_eq!(
            portal
                .ask(
                    "PATCH",
                    &path,
                    json!({ "properties": { "lifecyclestage": stage } })
                )
                .0,
            200
        );
        portal.contact_properties(&id, "lifecyclestage")["lifecyclestage"].clone()
    };
    assert_eq!(write(&mut portal, "lead"), "opportunity");
    assert_eq!(write(&mut portal, "customer"), "customer");
    assert_eq!(write(&mut portal, ""), Value::Null);
    assert_eq!(write(&mut portal, "lead"), "lead");
}

#[test]
fn history_tells_who_changed_what_when() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com", "hs_lead_status": "NEW" }));
    portal.wait(60);
    let now = portal.now;
    portal.hubspot.set(
        Kind::Lead,
        &id,
        &[(field::STATUS, "OPEN")],
        Actor::Person,
        now,
    );
    let path = format!("/crm/objects/2026-03/contacts/{id}?propertiesWithHistory=hs_lead_status");
    let history =
        portal.ask("GET", &path, Value::Null).1["propertiesWithHistory"]["hs_lead_status"].clone();
    assert_eq!(history[0]["value"], "OPEN");
    assert_eq!(history[0]["sourceType"], "CRM_UI");
    assert_eq!(history[0]["timestamp"], "2026-10-01T08:01:00.000Z");
    assert_eq!(history[1]["sourceType"], "INTEGRATION");
}

#[test]
fn archived_records_are_listed_apart() {
    let mut portal = Portal::open();
    let ids: Vec<String> = (0..5)
        .map(|n| portal.contact(json!({ "email": format!("p{n}@example.com") })))
        .collect();
    assert_eq!(
        portal
            .ask(
                "DELETE",
                &format!("/crm/v3/objects/contacts/{}", ids[2]),
                Value::Null
            )
            .0,
        204
    );
    assert_eq!(
        portal
            .ask(
                "GET",
                &format!("/crm/v3/objects/contacts/{}", ids[2]),
                Value::Null
            )
            .0,
        404
    );
    let (_, first) = portal.ask("GET", "/crm/v3/objects/contacts?limit=3", Value::Null);
    assert_eq!(first["results"].as_array().unwrap().len(), 3);
    let after = first["paging"]["next"]["after"].as_str().unwrap();
    let (_, second) = portal.ask(
        "GET",
        &format!("/crm/v3/objects/contacts?limit=3&after={after}"),
        Value::Null,
    );
    assert_eq!(second["results"].as_array().unwrap().len(), 1);
    assert!(second.get("paging").is_none());
    let (_, gone) = portal.ask("GET", "/crm/v3/objects/contacts?archived=true", Value::Null);
    assert_eq!(gone["results"][0]["id"], json!(ids[2]));
    assert!(gone["results"][0]["archivedAt"].is_string());
    assert_eq!(
        portal
            .ask("GET", "/crm/v3/objects/contacts?limit=101", Value::Null)
            .0,
        400
    );
}

#[test]
fn a_lead_needs_a_contact_when_it_is_made() {
    let mut portal = Portal::open();
    let ada = portal.contact(json!({ "email": "ada@example.com" }));
    let bare = json!({ "properties": { "hs_lead_name": "Ada" } });
    assert_eq!(
        portal.ask("POST", "/crm/objects/2026-09/leads", bare).0,
        400
    );
    let whole = json!({
        "properties": { "hs_lead_name": "Ada" },
        "associations": [{ "to": { "id": ada }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578 }] }],
    });
    let (status, lead) = portal.ask("POST", "/crm/objects/2026-09/leads", whole);
    assert_eq!(status, 201, "{lead}");
    let path = format!(
        "/crm/objects/2026-09/leads/{}?properties=hs_pipeline_stage&associations=contacts",
        lead["id"].as_str().unwrap()
    );
    let (_, read) = portal.ask("GET", &path, Value::Null);
    assert_eq!(read["properties"]["hs_pipeline_stage"], "new-stage-id");
    assert_eq!(
        read["associations"]["contacts"]["results"][0]["id"],
        json!(ada)
    );
}

#[test]
fn rules_of_the_portal_bind_since_2026_09_only() {
    let mut portal = Portal::open();
    let won = json!({ "properties": { "dealname": "A", "dealstage": "closedwon" } });
    let (status, json) = portal.ask("POST", "/crm/objects/2026-09/deals", won.clone());
    assert_eq!(
        (
            status,
            json["errors"][0]["context"]["propertyName"][0].as_str()
        ),
        (400, Some("closedate"))
    );
    let (status, deal) = portal.ask("POST", "/crm/objects/2026-03/deals", won);
    assert_eq!(status, 201);
    let path = format!(
        "/crm/v3/objects/deals/{}?properties=hs_is_closed_won,pipeline",
        deal["id"].as_str().unwrap()
    );
    let (_, read) = portal.ask("GET", &path, Value::Null);
    assert_eq!(read["properties"]["hs_is_closed_won"], "true");
    assert_eq!(read["properties"]["pipeline"], "default");
    let stranger = json!({ "properties": { "dealname": "A", "dealstage": "won" } });
    assert_eq!(
        portal.ask("POST", "/crm/objects/2026-03/deals", stranger).0,
        400
    );
}

#[test]
fn the_first_company_is_the_primary_one() {
    let mut portal = Portal::open();
    let ada = portal.contact(json!({ "email": "ada@example.com" }));
    let company = |portal: &mut Portal, name: &str| {
        let (_, made) = portal.ask(
            "POST",
            "/crm/v3/objects/companies",
            json!({ "properties": { "name": name } }),
        );
        made["id"].as_str().unwrap().to_owned()
    };
    let (one, two) = (company(&mut portal, "One"), company(&mut portal, "Two"));
    for id in [&one, &two] {
        let path = format!("/crm/v4/objects/contacts/{ada}/associations/default/companies/{id}");
        assert_eq!(portal.ask("PUT", &path, Value::Null).0, 200);
    }
    assert_eq!(
        portal.contact_properties(&ada, "associatedcompanyid")["associatedcompanyid"],
        json!(one)
    );
    let types = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1 }]);
    portal.ask(
        "PUT",
        &format!("/crm/objects/2026-09/contacts/{ada}/associations/companies/{two}"),
        types,
    );
    assert_eq!(
        portal.contact_properties(&ada, "associatedcompanyid")["associatedcompanyid"],
        json!(two)
    );
    let body = json!({ "inputs": [{ "id": ada }] });
    let (_, read) = portal.ask(
        "POST",
        "/crm/associations/2026-09/contacts/companies/batch/read",
        body,
    );
    assert_eq!(read["results"][0]["to"].as_array().unwrap().len(), 2);
    assert_eq!(
        portal
            .hubspot
            .get(Kind::Lead, &ada, relation::ACCOUNT)
            .as_deref(),
        Some(two.as_str())
    );
    portal.ask(
        "DELETE",
        &format!("/crm/v3/objects/companies/{two}"),
        Value::Null,
    );
    assert_eq!(
        portal.contact_properties(&ada, "associatedcompanyid")["associatedcompanyid"],
        Value::Null
    );
}

#[test]
fn a_staged_world_reads_back_under_canonical_names() {
    let mut portal = Portal::open();
    let (hubspot, now) = (&mut portal.hubspot, portal.now);
    let owner = hubspot.create(
        Kind::User,
        &[
            (field::NAME, "Grace Hopper"),
            (field::EMAIL, "grace@example.com"),
        ],
        Actor::System,
        now,
    );
    let account = hubspot.create(
        Kind::Account,
        &[(field::NAME, "Example")],
        Actor::Person,
        now,
    );
    let lead = [
        (field::EMAIL, "Ada@Example.com"),
        (field::TITLE, "CTO"),
        (relation::OWNER, &*owner),
        (relation::ACCOUNT, &*account),
    ];
    let lead = hubspot.create(Kind::Lead, &lead, Actor::Person, now);
    let deal = [
        (field::NAME, "Big"),
        (field::STAGE, "closedwon"),
        (relation::ACCOUNT, &*account),
        (relation::CONTACT, &*lead),
    ];
    let deal = hubspot.create(Kind::Opportunity, &deal, Actor::Person, now);
    for (kind, id, name, value) in [
        (Kind::Lead, &lead, field::EMAIL, "ada@example.com"),
        (Kind::Lead, &lead, relation::OWNER, &*owner),
        (Kind::Lead, &lead, relation::ACCOUNT, &*account),
        (
            Kind::Lead,
            &lead,
            field::CREATED_AT,
            "2026-10-01T08:00:00.000Z",
        ),
        (Kind::Opportunity, &deal, relation::CONTACT, &*lead),
        (Kind::Opportunity, &deal, field::IS_WON, "true"),
        (Kind::User, &owner, field::NAME, "Grace Hopper"),
    ] {
        assert_eq!(
            hubspot.get(kind, id, name).as_deref(),
            Some(value),
            "{kind} {name}"
        );
    }
    let (_, owners) = portal.ask(
        "GET",
        "/crm/owners/2026-09?email=GRACE@example.com",
        Value::Null,
    );
    assert_eq!(owners["results"][0]["lastName"], "Hopper");
    assert_ne!(owners["results"][0]["userId"].to_string(), owner);
}

#[test]
fn the_first_generations_can_still_be_read() {
    let mut portal = Portal::open();
    let now = portal.now;
    let company = portal.hubspot.create(
        Kind::Account,
        &[(field::NAME, "Example")],
        Actor::Person,
        now,
    );
    let deal = [
        (field::NAME, "Big"),
        (field::AMOUNT, "12.5"),
        (relation::ACCOUNT, &*company),
    ];
    portal
        .hubspot
        .create(Kind::Opportunity, &deal, Actor::Person, now);
    let (_, companies) = portal.ask(
        "GET",
        "/companies/v2/companies/paged?properties=name&limit=250",
        Value::Null,
    );
    assert_eq!(
        companies["companies"][0]["properties"]["name"]["value"],
        "Example"
    );
    assert_eq!(companies["has-more"], false);
    let (_, deals) = portal.ask(
        "GET",
        "/deals/v1/deal/paged?includeAllProperties=true",
        Value::Null,
    );
    let expected = now.as_millisecond().to_string();
    assert_eq!(
        deals["deals"][0]["properties"]["hs_lastmodifieddate"]["value"],
        expected
    );
    assert_eq!(
        deals["deals"][0]["associations"]["associatedCompanyIds"][0].to_string(),
        company
    );
    assert_eq!(
        portal
            .ask("GET", "/crm/v3/properties/tickets", Value::Null)
            .0,
        403
    );
}
