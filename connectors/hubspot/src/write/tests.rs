use crate::scripted::{START, Script};
use contract::{
    Batch, Connector, ConnectorError, Fields, IntentId, Kind, Operation, Outcome, Relations,
    Remedy, Value, Write,
};
use serde_json::json;
use std::collections::BTreeMap;

fn batch(operations: Vec<Operation>) -> Batch {
    let write = |(place, operation)| Write {
        intent: IntentId(format!("i{place}")),
        operation,
    };
    Batch::new(operations.into_iter().enumerate().map(write).collect()).unwrap()
}

fn update(id: &str, set: &[(&str, Value)]) -> Operation {
    let set: BTreeMap<_, _> = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
        .collect();
    Operation::Update {
        kind: Kind::Lead,
        id: id.into(),
        set,
        relations: Relations::default(),
    }
}

fn create(key: &str, email: &str) -> Operation {
    let fields = Fields::default().with("email", email);
    Operation::Create {
        kind: Kind::Lead,
        key: key.into(),
        fields,
        relations: Relations::default(),
    }
}

fn note(key: &str) -> Operation {
    let (at, subject, body) = (
        START.parse().unwrap(),
        "Rejected".to_owned(),
        "no budget".to_owned(),
    );
    Operation::Note {
        key: key.into(),
        kind: Kind::Lead,
        about: "501".into(),
        at,
        subject,
        body,
    }
}

async fn outcomes(connector: &dyn Connector, batch: &Batch) -> Vec<Outcome> {
    connector
        .write(batch)
        .await
        .unwrap()
        .iter()
        .map(|(_, outcome)| outcome.clone())
        .collect()
}

fn words(outcomes: &[Outcome]) -> String {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Applied { id, .. } => format!("applied:{id}"),
        Outcome::Conflict { current } => format!("conflict:{}", current.id),
        Outcome::Refused { remedy, .. } => format!("refused:{remedy}"),
        Outcome::Deferred { .. } => "deferred".to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
    };
    outcomes.iter().map(word).collect::<Vec<_>>().join(", ")
}

const UPDATE: &str = "POST /crm/objects/2026-09/contacts/batch/update";
const UNSUBSCRIBE: &str =
    "POST /communication-preferences/2026-09/statuses/batch/unsubscribe-all?channel=EMAIL";

fn done(id: &str, trace: &str, properties: serde_json::Value) -> serde_json::Value {
    json!({ "id": id, "updatedAt": START, "properties": properties, "objectWriteTraceId": trace })
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_does_not_stop_the_others() {
    let invalid = json!({ "category": "VALIDATION_ERROR", "message": "Property values were not valid: [{\"isValid\":false,\"message\":\"not an address\",\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]" });
    let script = Script::new(vec![
        (UPDATE, Some((400, invalid.clone()))),
        (UPDATE, Some((400, invalid))),
        (
            UPDATE,
            Some((200, json!({ "results": [done("502", "i1.1", json!({}))] }))),
        ),
    ]);
    let connector = script.connect("");
    let writes = batch(vec![
        update("501", &[("email", "nonsense".into())]),
        update("502", &[("city", "Ulm".into())]),
    ]);
    let outcomes = outcomes(&*connector, &writes).await;
    assert_eq!(
        words(&outcomes),
        "refused:correct email at its source, applied:502"
    );
    assert!(
        matches!(&outcomes[0], Outcome::Refused { reason, .. } if reason.contains("not an address"))
    );
    assert!(
        matches!(&outcomes[1], Outcome::Applied { modified: Some(time), .. } if *time < START.parse().unwrap())
    );
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_missing_property_costs_one_more_call_however_many_bear_it() {
    let missing = json!({ "category": "VALIDATION_ERROR", "message": "x", "errors": [{ "code": "PROPERTY_DOESNT_EXIST", "context": { "propertyName": ["leadloop_reason"] } }] });
    let script = Script::new(vec![
        (UPDATE, Some((400, missing))),
        (
            UPDATE,
            Some((200, json!({ "results": [done("504", "i3.3", json!({}))] }))),
        ),
    ]);
    let connector = script.connect("");
    let reason = [("leadloop_reason", Value::from("budget"))];
    let writes = batch(vec![
        update("501", &reason),
        update("502", &reason),
        update("503", &reason),
        update("504", &[("city", "Ulm".into())]),
    ]);
    let outcomes = outcomes(&*connector, &writes).await;
    assert!(outcomes[..3].iter().all(|outcome| matches!(outcome, Outcome::Refused { remedy: Remedy::FixMapping { fields }, .. } if fields == &["leadloop_reason"])));
    assert!(matches!(outcomes[3], Outcome::Applied { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_goes_to_the_preferences_of_the_address_and_goes_first() {
    let contacts = json!({ "results": [{ "id": "501", "properties": { "email": "Ada@example.com" } }, { "id": "502", "properties": { "email": null } }] });
    let script = Script::new(vec![
        (
            "POST /crm/objects/2026-09/contacts/batch/read",
            Some((200, contacts)),
        ),
        (
            UNSUBSCRIBE,
            Some((
                200,
                json!({ "results": [{ "subscriberIdString": "ada@example.com", "statuses": [] }] }),
            )),
        ),
        (
            UPDATE,
            Some((200, json!({ "results": [done("501", "i0.0", json!({}))] }))),
        ),
    ]);
    let connector = script.connect("");
    let writes = batch(vec![
        update("501", &[("opt_out", true.into()), ("city", "Ulm".into())]),
        update("502", &[("opt_out", true.into())]),
        update("503", &[("opt_out", true.into())]),
        update("504", &[("opt_out", false.into()), ("city", "Bonn".into())]),
    ]);
    let outcomes = outcomes(&*connector, &writes).await;
    assert_eq!(
        words(&outcomes),
        "applied:501, refused:correct email at its source, refused:nothing to do; the record is read again, refused:ask the arbiter"
    );
    let asked = script.asked();
    assert_eq!(asked[1].body, json!({ "inputs": ["ada@example.com"] }));
    assert_eq!(
        asked[2].body["inputs"][0]["properties"],
        json!({ "city": "Ulm" })
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_without_batches_of_preferences_opts_out_one_by_one() {
    let denied = json!({ "category": "MISSING_SCOPES", "message": "no" });
    let contacts = || {
        let of = |id: &str| json!({ "id": id, "properties": { "email": format!("p+{id}@example.com") } });
        Some((200, json!({ "results": [of("501"), of("502")] })))
    };
    const ONE: &str = "/communication-preferences/2026-09/statuses/p+501@example.com/unsubscribe-all?channel=EMAIL";
    const TWO: &str = "/communication-preferences/2026-09/statuses/p+502@example.com/unsubscribe-all?channel=EMAIL";
    let script = Script::new(vec![
        ("contacts/batch/read", contacts()),
        (UNSUBSCRIBE, Some((403, denied.clone()))),
        (
            ONE,
            Some((200, json!({ "results": [], "status": "COMPLETE" }))),
        ),
        (
            TWO,
            Some((200, json!({ "results": [], "status": "COMPLETE" }))),
        ),
        ("contacts/batch/read", contacts()),
        (ONE, Some((403, denied))),
    ]);
    let connector = script.connect("");
    let out = [("opt_out", Value::from(true))];
    let writes = batch(vec![update("501", &out), update("502", &out)]);
    assert_eq!(
        words(&outcomes(&*connector, &writes).await),
        "applied:501, applied:502"
    );
    let refused = outcomes(&*connector, &writes).await;
    assert!(refused.iter().all(|outcome| matches!(
        outcome,
        Outcome::Refused {
            remedy: Remedy::Grant { .. },
            ..
        }
    )));
    script.asked();
}

#[tokio::test(start_paused = true)]
async fn a_lifecycle_stage_goes_back_by_way_of_none() {
    let backward = json!({ "category": "VALIDATION_ERROR", "message": "lifecycle stages move forward only", "context": { "objectWriteTraceId": ["i0.0"], "propertyName": ["lifecyclestage"] } });
    let silent = done("502", "i1.1", json!({ "lifecyclestage": "customer" }));
    let set = |id: &str, trace: &str| done(id, trace, json!({ "lifecyclestage": "lead" }));
    let cleared = |id: &str, trace: &str| done(id, trace, json!({ "lifecyclestage": "" }));
    let script = Script::new(vec![
        (
            UPDATE,
            Some((
                200,
                json!({ "results": [silent], "errors": [backward], "numErrors": 1 }),
            )),
        ),
        (
            UPDATE,
            Some((
                200,
                json!({ "results": [cleared("501", "i0.0"), cleared("502", "i1.1")] }),
            )),
        ),
        (
            UPDATE,
            Some((
                200,
                json!({ "results": [set("501", "i0.0"), set("502", "i1.1")] }),
            )),
        ),
    ]);
    let connector = script.connect("");
    let lead = [("lifecycle", Value::from("lead"))];
    assert_eq!(
        words(
            &outcomes(
                &*connector,
                &batch(vec![update("501", &lead), update("502", &lead)])
            )
            .await
        ),
        "applied:501, applied:502"
    );
    assert_eq!(
        script.asked()[1].body["inputs"][1]["properties"],
        json!({ "lifecyclestage": "" })
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_that_meets_the_address_elsewhere_is_a_conflict() {
    let conflict =
        json!({ "category": "CONFLICT", "message": "Contact already exists. Existing ID: 777" });
    let script = Script::new(vec![
        ("contacts/batch/upsert", Some((409, conflict.clone()))),
        ("contacts/batch/upsert", Some((409, conflict))),
        (
            "contacts/batch/upsert",
            Some((201, json!({ "results": [done("900", "i1.1", json!({}))] }))),
        ),
        (
            "contacts/batch/read",
            Some((
                200,
                json!({ "results": [done("777", "", json!({ "email": "a@x.org" }))] }),
            )),
        ),
    ]);
    let connector = script.connect("");
    let outcomes = outcomes(
        &*connector,
        &batch(vec![create("k-1", "a@x.org"), create("k-2", "b@x.org")]),
    )
    .await;
    assert_eq!(words(&outcomes), "conflict:777, applied:900");
    assert_eq!(
        script.asked()[0].body["inputs"][0]["idProperty"],
        "leadloop_key"
    );
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_note_is_not_written_twice() {
    for answer in [None, Some((504, json!({}))), Some((200, json!("<html>")))] {
        let script = Script::new(vec![("notes/batch/create", answer)]);
        let connector = script.connect("");
        assert_eq!(
            words(&outcomes(&*connector, &batch(vec![note("n-1")])).await),
            "unknown"
        );
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_note_names_its_contact_and_bears_its_key() {
    let script = Script::new(vec![(
        "notes/batch/create",
        Some((201, json!({ "results": [done("42", "i0.0", json!({}))] }))),
    )]);
    let connector = script.connect("");
    assert_eq!(
        words(&outcomes(&*connector, &batch(vec![note("n-1")])).await),
        "applied:42"
    );
    let input = script.asked()[0].body["inputs"][0].clone();
    assert_eq!(
        input["associations"][0]["types"][0]["associationTypeId"],
        202
    );
    assert_eq!(input["associations"][0]["to"]["id"], "501");
    assert!(
        input["properties"]["hs_note_body"]
            .as_str()
            .unwrap()
            .ends_with("<p>ref: n-1</p>")
    );
    assert_eq!(input["properties"]["hs_timestamp"], "1793534400000");
}

#[tokio::test(start_paused = true)]
async fn a_day_without_calls_left_defers_the_rest_and_fails_what_was_never_sent() {
    let daily = || {
        Some((
            429,
            json!({ "policyName": "DAILY", "message": "You have reached your daily limit." }),
        ))
    };
    let writes = batch(vec![
        update("501", &[("city", "Ulm".into())]),
        update("502", &[("city", "Bonn".into())]),
    ]);
    let script = Script::new(vec![(UPDATE, daily())]);
    let connector = script.connect("");
    assert!(
        matches!(
            connector.write(&writes).await,
            Err(ConnectorError::Throttled { .. })
        ),
        "nothing was done"
    );

    let script = Script::new(vec![(UPDATE, Some((400, json!({})))), (UPDATE, daily())]);
    let connector = script.connect("");
    assert_eq!(
        words(&outcomes(&*connector, &writes).await),
        "deferred, deferred"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_told_once_for_all() {
    let body = json!({ "category": "MISSING_SCOPES", "message": "no", "errors": [{ "context": { "requiredGranularScopes": ["crm.objects.contacts.write"] } }] });
    let script = Script::new(vec![(UPDATE, Some((403, body)))]);
    let connector = script.connect("");
    let writes = batch(vec![
        update("501", &[("city", "Ulm".into())]),
        update("502", &[("city", "Bonn".into())]),
    ]);
    let expected = "refused:grant crm.objects.contacts.write";
    assert_eq!(
        words(&outcomes(&*connector, &writes).await),
        format!("{expected}, {expected}")
    );
}
