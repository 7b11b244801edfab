use super::*;

fn mixed() -> Value {
    json!({ "inputs": [
        { "objectWriteTraceId": "a", "properties": { "email": "good@example.com" } },
        { "objectWriteTraceId": "b", "properties": { "email": "not an address" } },
    ] })
}

#[test]
fn traced_inputs_fail_one_by_one() {
    for (version, expected) in [
        ("v3/objects", 207),
        ("objects/2026-03", 207),
        ("objects/2026-09", 201),
    ] {
        let mut portal = Portal::open();
        let (status, json) = portal.ask(
            "POST",
            &format!("/crm/{version}/contacts/batch/create"),
            mixed(),
        );
        assert_eq!(status, expected);
        assert_eq!(json["results"][0]["objectWriteTraceId"], "a");
        assert_eq!(json["numErrors"], 1);
        assert_eq!(
            json["errors"][0]["context"]["objectWriteTraceId"],
            json!(["b"])
        );
    }
}

#[test]
fn without_traces_one_bad_input_fails_all() {
    let mut portal = Portal::open();
    let mut body = mixed();
    for input in body["inputs"].as_array_mut().unwrap() {
        input.as_object_mut().unwrap().remove("objectWriteTraceId");
    }
    let (status, json) = portal.ask("POST", "/crm/objects/2026-09/contacts/batch/create", body);
    assert_eq!((status, json["status"].as_str()), (400, Some("error")));
    assert!(portal.hubspot.world().table("contacts").is_empty());
}

#[test]
fn upserts_on_the_key_find_what_they_made() {
    let mut portal = Portal::open();
    let body = json!({ "inputs": [{ "id": "k-1", "idProperty": "leadloop_key", "properties": { "email": "ada@example.com" } }] });
    let (_, first) = portal.ask(
        "POST",
        "/crm/objects/2026-09/contacts/batch/upsert",
        body.clone(),
    );
    let (_, second) = portal.ask("POST", "/crm/objects/2026-09/contacts/batch/upsert", body);
    assert_eq!(
        (&first["results"][0]["new"], &second["results"][0]["new"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(first["results"][0]["id"], second["results"][0]["id"]);
    let id = first["results"][0]["id"].as_str().unwrap();
    assert_eq!(
        portal.contact_properties(id, "leadloop_key")["leadloop_key"],
        "k-1"
    );
}

#[test]
fn the_same_record_twice_in_a_batch_is_refused() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com" }));
    let input = json!({ "id": id, "properties": { "city": "Ulm" } });
    assert_eq!(
        portal
            .ask(
                "POST",
                "/crm/v3/objects/contacts/batch/update",
                json!({ "inputs": [input, input] })
            )
            .0,
        400
    );
}

#[test]
fn reading_tells_which_ids_are_missing() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com" }));
    let body = json!({ "inputs": [{ "id": id }, { "id": "1" }], "properties": ["email"] });
    for (version, expected) in [("2026-03", 207), ("2026-09", 200)] {
        let (status, json) = portal.ask(
            "POST",
            &format!("/crm/objects/{version}/contacts/batch/read"),
            body.clone(),
        );
        assert_eq!(status, expected);
        assert_eq!(json["results"].as_array().unwrap().len(), 1);
        assert_eq!(json["errors"][0]["context"]["ids"], json!(["1"]));
    }
    let many: Vec<Value> = (0..101).map(|n| json!({ "id": n.to_string() })).collect();
    assert_eq!(
        portal
            .ask(
                "POST",
                "/crm/v3/objects/contacts/batch/read",
                json!({ "inputs": many })
            )
            .0,
        400
    );
}
