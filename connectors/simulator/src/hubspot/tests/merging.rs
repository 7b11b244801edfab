use super::*;
use crate::world::Actor;
use contract::{Kind, field};

#[test]
fn a_merge_makes_a_new_record_that_the_old_ids_lead_to() {
    let mut portal = Portal::open();
    let ada = portal.contact(json!({ "email": "ada@example.com", "city": "Ulm" }));
    let twin =
        portal.contact(json!({ "email": "ada@old.example.com", "city": "Bonn", "phone": "1" }));
    let (status, merged) = portal.ask(
        "POST",
        "/crm/v3/objects/contacts/merge",
        json!({ "primaryObjectId": ada, "objectIdToMerge": twin }),
    );
    assert_eq!(status, 200);
    let id = merged["id"].as_str().unwrap().to_owned();
    assert!(id != ada && id != twin);
    let read = portal.contact_properties(
        &twin,
        "city,phone,hs_merged_object_ids,hs_additional_emails",
    );
    assert_eq!(
        (&read["city"], &read["phone"]),
        (&json!("Ulm"), &json!("1"))
    );
    assert_eq!(read["hs_merged_object_ids"], format!("{ada};{twin}"));
    assert_eq!(read["hs_additional_emails"], "ada@old.example.com");
    let again = json!({ "properties": { "email": "ada@old.example.com" } });
    assert_eq!(
        portal.ask("POST", "/crm/v3/objects/contacts", again).0,
        409,
        "the old address is still taken"
    );
    let (_, archived) = portal.ask("GET", "/crm/v3/objects/contacts?archived=true", Value::Null);
    assert_eq!(archived["results"], json!([]));
}

#[test]
fn a_portal_of_the_old_kind_keeps_the_winner() {
    let mut portal = Portal::new(Knobs {
        merge_makes_new_id: false,
        ..Knobs::default()
    });
    let ada = portal.contact(json!({ "email": "ada@example.com" }));
    let twin = portal.contact(json!({ "email": "ada@old.example.com" }));
    let now = portal.now;
    assert_eq!(
        portal
            .hubspot
            .merge(Kind::Lead, &ada, &[&twin], Actor::Person, now),
        Some(ada.clone())
    );
    assert_eq!(
        portal.contact_properties(&ada, "hs_merged_object_ids")["hs_merged_object_ids"],
        json!(twin)
    );
}

#[test]
fn the_opt_out_belongs_to_the_address() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com" }));
    let path = "/communication-preferences/2026-09/statuses/batch/unsubscribe-all?channel=EMAIL";
    assert_eq!(
        portal
            .ask("POST", path, json!({ "inputs": ["Ada@Example.com"] }))
            .0,
        200
    );
    let shown = |portal: &mut Portal| {
        portal.contact_properties(&id, "hs_email_optout")["hs_email_optout"].clone()
    };
    assert_eq!(shown(&mut portal), "true");
    let path = format!("/crm/v3/objects/contacts/{id}");
    portal.ask(
        "PATCH",
        &path,
        json!({ "properties": { "email": "ada@new.example.com" } }),
    );
    assert_eq!(
        shown(&mut portal),
        "false",
        "the new address has not unsubscribed"
    );
    portal.ask(
        "POST",
        "/communication-preferences/v4/statuses/ada@new.example.com/unsubscribe-all?channel=EMAIL",
        json!({}),
    );
    assert_eq!(shown(&mut portal), "true");
    assert_eq!(
        portal
            .hubspot
            .get(Kind::Lead, &id, field::OPT_OUT)
            .as_deref(),
        Some("true")
    );
    assert!(portal.hubspot.is_unsubscribed("ADA@example.com"));
}

#[test]
fn a_forgotten_person_is_nowhere() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com" }));
    assert_eq!(
        portal
            .ask(
                "POST",
                "/crm/v3/objects/contacts/gdpr-delete",
                json!({ "objectId": id })
            )
            .0,
        204
    );
    assert_eq!(
        portal
            .ask(
                "GET",
                &format!("/crm/v3/objects/contacts/{id}"),
                Value::Null
            )
            .0,
        404
    );
    let (_, archived) = portal.ask("GET", "/crm/v3/objects/contacts?archived=true", Value::Null);
    assert_eq!(archived["results"], json!([]));
}
