use super::*;
use contract::{ConnectorError, Fields, Id, Kind, Relation, Relations, Remedy, Value, field};

const UPSERT: &str = "PATCH /services/data/v68.0/composite/sobjects/Lead/Leadloop_Key__c";
const UPDATE: &str = "PATCH /services/data/v68.0/composite/sobjects ";

fn create(kind: Kind, key: &str, fields: Fields) -> Operation {
    Operation::Create {
        kind,
        key: key.into(),
        fields,
        relations: Relations::default(),
    }
}

fn ada() -> Fields {
    Fields::default()
        .with(field::EMAIL, "ada@example.com")
        .with(field::LAST_NAME, "Lovelace")
}

fn update(number: usize, name: &str, value: Option<Value>) -> Operation {
    Operation::Update {
        kind: Kind::Contact,
        id: Id(id("003", number)),
        set: BTreeMap::from([(name.to_owned(), value)]),
        relations: Relations::default(),
    }
}

fn done(id: &str) -> Json {
    json!({"id": id, "success": true, "errors": []})
}

fn failed(code: &str, message: &str) -> Json {
    json!({"success": false, "errors": [{"statusCode": code, "message": message, "fields": []}]})
}

#[tokio::test(start_paused = true)]
async fn creates_are_upserts_on_the_key() {
    let org = org().on(UPSERT, 200, json!([done(&id("00Q", 1)[..15])]));
    let outcomes = write(&connect(&org), vec![create(Kind::Lead, "k-1", ada())]).await;
    assert!(matches!(&outcomes[0], Outcome::Applied { id: lead, .. } if lead.0 == id("00Q", 1)));
    let sent = &org.seen(UPSERT)[0];
    let body: Json = serde_json::from_str(&sent.body).unwrap();
    let expected = json!({"allOrNone": false, "records": [{
        "attributes": {"type": "Lead"}, "Leadloop_Key__c": "k-1", "Email": "ada@example.com", "LastName": "Lovelace", "Company": "[not provided]",
    }]});
    assert_eq!(body, expected);
    assert_eq!(sent.headers["sforce-auto-assign"], "false");
    assert!(
        sent.headers["sforce-duplicate-rule-header"]
            .to_str()
            .unwrap()
            .contains("allowSave=false")
    );
}

#[tokio::test(start_paused = true)]
async fn a_200_is_judged_row_by_row() {
    let rows = json!([
        done(&id("00Q", 1)),
        failed(
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [Company]"
        ),
        failed("UNABLE_TO_LOCK_ROW", "")
    ]);
    let org = org().on(UPSERT, 200, rows);
    let outcomes = write(
        &connect(&org),
        vec![
            create(Kind::Lead, "a", ada()),
            create(Kind::Lead, "b", ada()),
            create(Kind::Lead, "c", ada()),
        ],
    )
    .await;
    assert!(matches!(outcomes[0], Outcome::Applied { .. }));
    assert!(
        matches!(&outcomes[1], Outcome::Refused { remedy: Remedy::CorrectRecord { fields }, .. } if fields == &[field::COMPANY])
    );
    assert!(matches!(outcomes[2], Outcome::Deferred { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_fit_is_a_doubt() {
    for body in [
        "[]".to_owned(),
        "<html>sign in</html>".to_owned(),
        json!([done(&id("00Q", 1)), done(&id("00Q", 2))]).to_string(),
    ] {
        let org = org().on(UPSERT, 200, &body);
        assert_eq!(
            write(&connect(&org), vec![create(Kind::Lead, "a", ada())]).await,
            [Outcome::Unknown],
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_upsert_is_sent_again_and_a_lost_note_is_not() {
    let upserted = org()
        .lose(UPSERT)
        .on(UPSERT, 200, json!([done(&id("00Q", 1))]));
    assert!(matches!(
        write(&connect(&upserted), vec![create(Kind::Lead, "a", ada())]).await[0],
        Outcome::Applied { .. }
    ));
    let noted = org().lose("POST /services/data/v68.0/composite/sobjects");
    let note = Operation::Note {
        key: "n-1".into(),
        kind: Kind::Lead,
        about: Id(id("00Q", 1)),
        at: NOW.parse().unwrap(),
        subject: "Handed over".to_owned(),
        body: "Score 90".to_owned(),
    };
    assert_eq!(
        write(&connect(&noted), vec![note]).await,
        [Outcome::Unknown]
    );
    let sent = noted.seen("POST /services/data/v68.0/composite/sobjects");
    assert_eq!(sent.len(), 1);
    assert!(sent[0].body.contains("ref: n-1") && sent[0].body.contains(r#""Status":"Completed""#));
}

#[tokio::test(start_paused = true)]
async fn updates_clear_and_untick() {
    let org = org().on(
        UPDATE,
        200,
        json!([done(&id("003", 1)), done(&id("003", 2))]),
    );
    write(
        &connect(&org),
        vec![
            update(1, field::FIRST_NAME, None),
            update(2, field::OPT_OUT, None),
        ],
    )
    .await;
    let body: Json = serde_json::from_str(&org.seen(UPDATE)[0].body).unwrap();
    assert_eq!(
        body["records"][0],
        json!({"attributes": {"type": "Contact"}, "id": id("003", 1), "FirstName": null})
    );
    assert_eq!(body["records"][1]["HasOptedOutOfEmail"], json!(false));
}

#[tokio::test(start_paused = true)]
async fn the_placeholder_stands_where_salesforce_demands_a_value() {
    let upsert = "PATCH /services/data/v68.0/composite/sobjects/Contact/Leadloop_Key__c";
    let org = org().on(upsert, 200, json!([done(&id("003", 1))])).on(
        UPDATE,
        200,
        json!([done(&id("00Q", 1))]),
    );
    let connector = connect(&org);
    let nameless = Fields::default().with(field::EMAIL, "ada@example.com");
    write(&connector, vec![create(Kind::Contact, "k", nameless)]).await;
    let clear = [
        (field::LAST_NAME, None),
        (field::COMPANY, Some(Value::Text(" ".to_owned()))),
        (field::FIRST_NAME, None),
    ];
    let clear = Operation::Update {
        kind: Kind::Lead,
        id: Id(id("00Q", 1)),
        set: clear.map(|(name, value)| (name.to_owned(), value)).into(),
        relations: Relations::default(),
    };
    write(&connector, vec![clear]).await;
    let sent = |line: &str| -> Json {
        serde_json::from_str::<Json>(&org.seen(line)[0].body).unwrap()["records"][0].clone()
    };
    assert_eq!(sent(upsert)["LastName"], "[not provided]");
    assert_eq!(sent(upsert).get("Company"), None);
    let update = json!({"attributes": {"type": "Lead"}, "id": id("00Q", 1), "LastName": "[not provided]", "Company": "[not provided]", "FirstName": null});
    assert_eq!(sent(UPDATE), update);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_refused_before_it_is_sent() {
    let org = org().on(UPDATE, 200, json!([done(&id("003", 2))]));
    let outcomes = write(
        &connect(&org),
        vec![
            update(1, "Nowhere__c", Some("x".into())),
            update(2, field::FIRST_NAME, Some("Ada".into())),
        ],
    )
    .await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { remedy: Remedy::FixMapping { fields }, .. } if fields == &["Nowhere__c"])
    );
    assert!(matches!(outcomes[1], Outcome::Applied { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_missing_column_blames_the_row_that_names_it() {
    let org = org().on(
        UPDATE,
        400,
        refusal(
            "INVALID_FIELD",
            "No such column 'FirstName' on sobject of type Contact",
        ),
    );
    let outcomes = write(
        &connect(&org),
        vec![
            update(1, field::FIRST_NAME, Some("Ada".into())),
            update(2, field::LAST_NAME, Some("Byron".into())),
        ],
    )
    .await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { remedy: Remedy::FixMapping { fields }, .. } if fields == &[field::FIRST_NAME])
    );
    assert!(matches!(outcomes[1], Outcome::Deferred { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_shows_the_record_in_the_way() {
    let twin = |key: Json| json!({"Id": id("00Q", 9), "SystemModstamp": "2026-02-01T00:00:00.000+0000", "IsDeleted": false, "Email": "Ada@Example.com", "Leadloop_Key__c": key});
    let query = "GET /services/data/v68.0/query ";
    // With its id, without any, and by a unique value.
    let message = format!(
        "duplicate value found: Code__c duplicates value on record with id: {}",
        id("00Q", 9)
    );
    let mut matched = failed("DUPLICATES_DETECTED", "Use one of these records?");
    matched["errors"][0]["duplicateResut"] = json!({"matchResults": [{"entityType": "Lead", "matchRecords": [{"matchConfidence": 100.0, "record": {"Id": id("00Q", 9)}}]}]});
    for row in [
        matched,
        failed("DUPLICATES_DETECTED", "Use one of these records?"),
        failed("DUPLICATE_VALUE", &message),
    ] {
        let org = org()
            .on(UPSERT, 200, json!([row]))
            .on(query, 200, page(vec![twin(json!(null))]));
        let outcomes = write(&connect(&org), vec![create(Kind::Lead, "k-1", ada())]).await;
        assert!(
            matches!(&outcomes[0], Outcome::Conflict { current } if current.id.0 == id("00Q", 9)),
            "{outcomes:?}"
        );
    }
    let race = org()
        .on(UPSERT, 200, json!([failed("DUPLICATE_VALUE", &message)]))
        .on(query, 200, page(vec![twin(json!("k-1"))]));
    assert!(matches!(
        write(&connect(&race), vec![create(Kind::Lead, "k-1", ada())]).await[0],
        Outcome::Deferred { .. }
    ));
    let hidden = org()
        .on(UPSERT, 200, json!([failed("DUPLICATE_VALUE", &message)]))
        .on(query, 200, page(vec![]));
    assert!(matches!(
        &write(&connect(&hidden), vec![create(Kind::Lead, "k-1", ada())]).await[0],
        Outcome::Refused {
            remedy: Remedy::AskArbiter,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_unique_is_the_setups_fault() {
    let many = org().on(
        UPSERT,
        300,
        json!([
            "/services/data/v68.0/sobjects/Lead/00Q1",
            "/services/data/v68.0/sobjects/Lead/00Q2"
        ]),
    );
    let none = org().on(
        UPSERT,
        404,
        refusal(
            "NOT_FOUND",
            "Provided external ID field does not exist or is not accessible: Leadloop_Key__c",
        ),
    );
    for org in [many, none] {
        let outcomes = write(&connect(&org), vec![create(Kind::Lead, "k-1", ada())]).await;
        assert!(
            matches!(&outcomes[0], Outcome::Refused { remedy: Remedy::FixMapping { fields }, .. } if fields == &[field::KEY]),
            "{outcomes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn relations_go_under_their_fields() {
    let upsert = "PATCH /services/data/v68.0/composite/sobjects/Contact/Leadloop_Key__c";
    let org = org().on(upsert, 200, json!([done(&id("003", 1))]));
    let relations = Relations::default()
        .with(Relation::Account, &id("001", 1)[..15])
        .with(Relation::Owner, id("005", 1).as_str());
    write(
        &connect(&org),
        vec![Operation::Create {
            kind: Kind::Contact,
            key: "k".into(),
            fields: ada(),
            relations,
        }],
    )
    .await;
    let body = &org.seen(upsert)[0].body;
    assert!(
        body.contains(&format!(r#""AccountId":"{}""#, id("001", 1))) && body.contains("OwnerId"),
        "{body}"
    );
    assert!(!body.contains("not provided"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_where_the_api_is_off() {
    let org = org().on(
        UPSERT,
        403,
        refusal("API_DISABLED_FOR_ORG", "API is disabled"),
    );
    let error = connect(&org)
        .write(&batch(vec![create(Kind::Lead, "k", ada())]))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectorError::Refused { .. }));
    let error = connect(&org)
        .write(&batch(vec![create(Kind::Opportunity, "k", ada())]))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectorError::Refused { .. }));
}
