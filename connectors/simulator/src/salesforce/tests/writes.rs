use super::*;
use crate::salesforce::ValidationRule;
use crate::world::relation;
use contract::field;
use std::sync::Arc;

#[test]
fn a_record_is_made_read_changed_and_deleted() {
    let mut org = org();
    let account = org.create(
        "Account",
        json!({"Name": "Acme", "Website": "acme.example"}),
    );
    let contact = org.create(
        "Contact",
        json!({"LastName": " Lovelace ", "FirstName": "Ada", "AccountId": &account[..15]}),
    );
    let (_, record) = org.get(&format!(
        "sobjects/Contact/{contact}?fields=Name,AccountId,CreatedDate,HasOptedOutOfEmail"
    ));
    assert_eq!(record["Name"], "Ada Lovelace");
    assert_eq!(record["AccountId"], account.as_str());
    assert_eq!(record["HasOptedOutOfEmail"], false);
    assert!(text(&record["CreatedDate"]).ends_with(".000+0000"));
    let path = format!("sobjects/Contact/{contact}");
    assert_eq!(
        org.call(
            "PATCH",
            &path,
            json!({"Title": "Countess", "FirstName": null})
        )
        .0,
        204
    );
    assert_eq!(org.get(&path).1["Name"], "Lovelace");
    assert_eq!(org.call("DELETE", &path, Value::Null).0, 204);
    let (status, answer) = org.get(&path);
    assert_eq!((status, code(&answer)), (404, "ENTITY_IS_DELETED"));
    let (status, answer) = org.get("sobjects/Contact/003000000000000AAA");
    assert_eq!((status, code(&answer)), (404, "NOT_FOUND"));
}

#[test]
fn bad_values_are_refused_in_the_vendors_words() {
    let mut org = org_with(Settings {
        restricted_picklists: true,
        ..Settings::default()
    });
    let long = "x".repeat(41);
    let lead = org.create("Lead", json!({"LastName": "A", "Company": "B"}));
    for (body, expected, field) in [
        (
            json!({"Company": "B"}),
            "REQUIRED_FIELD_MISSING",
            "LastName",
        ),
        (
            json!({"LastName": "A", "Company": "B", "FirstName": long}),
            "STRING_TOO_LONG",
            "FirstName",
        ),
        (
            json!({"LastName": "A", "Company": "B", "Email": "a@b"}),
            "INVALID_EMAIL_ADDRESS",
            "Email",
        ),
        (
            json!({"LastName": "A", "Company": "B", "Status": "Odd"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Status",
        ),
        (
            json!({"LastName": "A", "Company": "B", "IsConverted": true}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "IsConverted",
        ),
        (
            json!({"LastName": "A", "Company": "B", "OwnerId": lead}),
            "MALFORMED_ID",
            "OwnerId",
        ),
    ] {
        let (status, answer) = org.call("POST", "sobjects/Lead", body);
        assert_eq!(
            (status, code(&answer), &answer[0]["fields"][0]),
            (400, expected, &json!(field))
        );
    }
    let (_, answer) = org.call(
        "POST",
        "sobjects/Lead",
        json!({"LastName": "A", "Company": "B", "Odd__c": 1}),
    );
    assert_eq!(code(&answer), "INVALID_FIELD");
    let (_, answer) = org.call(
        "POST",
        "sobjects/Lead",
        json!({"LastName": "A", "Company": "B", "HasOptedOutOfEmail": "maybe"}),
    );
    assert_eq!(code(&answer), "JSON_PARSER_ERROR");
}

#[test]
fn an_upsert_makes_changes_or_leaves_the_choice() {
    let mut org = org();
    let path = "sobjects/Lead/Leadloop_Key__c/ll-1";
    let (status, answer) = org.call("PATCH", path, json!({"LastName": "A", "Company": "B"}));
    assert_eq!((status, &answer["created"]), (201, &json!(true)));
    let (status, answer) = org.call("PATCH", path, json!({"City": "Bonn"}));
    assert_eq!((status, &answer["created"]), (200, &json!(false)));
    let (status, answer) = org.call("PATCH", path, json!({"Leadloop_Key__c": "ll-1"}));
    assert_eq!((status, code(&answer)), (400, "INVALID_FIELD"));
    for _ in 0..2 {
        org.person_creates(
            Kind::Contact,
            &[(field::LAST_NAME, "T"), (field::EMAIL, "twin@x.example")],
        );
    }
    let (status, answer) = org.call(
        "PATCH",
        "sobjects/Contact/Email/Twin%40x.example",
        json!({"Title": "T"}),
    );
    assert_eq!((status, answer.as_array().unwrap().len()), (300, 2));
    let (status, _) = org.call(
        "PATCH",
        "sobjects/Lead/Leadloop_Key__c/ll-9?updateOnly=true",
        json!({"City": "B"}),
    );
    assert_eq!(status, 404);
}

#[test]
fn a_key_is_borne_once() {
    let mut org = org();
    let first = org.create("Account", json!({"Name": "A", "Leadloop_Key__c": "k"}));
    let (status, answer) = org.call(
        "POST",
        "sobjects/Account",
        json!({"Name": "B", "Leadloop_Key__c": "K"}),
    );
    assert_eq!((status, code(&answer)), (400, "DUPLICATE_VALUE"));
    assert!(text(&answer[0]["message"]).ends_with(&first[..15]));
}

#[test]
fn the_duplicate_rule_stops_integrations_but_not_people() {
    let mut org = org();
    let first = org.create("Contact", json!({"LastName": "A", "Email": "a@x.example"}));
    org.person_creates(
        Kind::Contact,
        &[(field::LAST_NAME, "B"), (field::EMAIL, "a@x.example")],
    );
    let body = json!({"LastName": "C", "Email": "A@X.example"});
    let (status, answer) = org.call("POST", "sobjects/Contact", body.clone());
    assert_eq!((status, code(&answer)), (400, "DUPLICATES_DETECTED"));
    let matches = &answer[0]["duplicateResut"]["matchResults"][0];
    assert_eq!(matches["size"], 2);
    assert_eq!(matches["matchRecords"][0]["record"]["Id"], first.as_str());
    let rule = [(
        "sforce-duplicate-rule-header",
        "allowSave=true; includeRecordDetails=true",
    )];
    assert_eq!(
        org.send("POST", "sobjects/Contact", &rule, body.to_string())
            .status(),
        201
    );
    org.salesforce.settings_mut().duplicate_rules = false;
    assert_eq!(org.call("POST", "sobjects/Contact", body).0, 201);
}

#[test]
fn conditions_go_by_seconds_and_accounts_have_tags() {
    let mut org = org_with(Settings {
        commit_lag: SignedDuration::ZERO,
        ..Settings::default()
    });
    let account = org.create("Account", json!({"Name": "A"}));
    let path = format!("sobjects/Account/{account}");
    let read = org.send("GET", &path, &[], String::new());
    let tag = read.headers()["etag"].to_str().unwrap().to_owned();
    let since = read.headers()["last-modified"].to_str().unwrap().to_owned();
    let patch = |org: &mut Org, name: &str, value: &str| {
        org.send(
            "PATCH",
            &path,
            &[(name, value)],
            json!({"Phone": "1"}).to_string(),
        )
        .status()
        .as_u16()
    };
    assert_eq!(patch(&mut org, "if-match", &tag), 204);
    org.wait(5);
    org.salesforce.set(
        Kind::Account,
        &account,
        &[(field::NAME, "B")],
        Actor::Person,
        org.now,
    );
    assert_eq!(patch(&mut org, "if-match", &tag), 412);
    assert_eq!(patch(&mut org, "if-unmodified-since", &since), 412);
    let lead = org.create("Lead", json!({"LastName": "A", "Company": "B"}));
    let reply = org.send(
        "PATCH",
        &format!("sobjects/Lead/{lead}"),
        &[("if-match", "\"x\"")],
        "{}".to_owned(),
    );
    assert_eq!(reply.status(), 400);
}

#[test]
fn locks_validation_rules_and_inactive_owners_stand_in_the_way() {
    let mut org = org();
    let gone = org.person_creates(
        Kind::User,
        &[(field::NAME, "Gone Girl"), (field::ACTIVE, "false")],
    );
    let (_, answer) = org.call(
        "POST",
        "sobjects/Account",
        json!({"Name": "A", "OwnerId": gone}),
    );
    assert_eq!(code(&answer), "INACTIVE_OWNER_OR_USER");
    let rule = |object: &str, values: &crate::world::Values| {
        (object == "Account" && !values.contains_key("Website"))
            .then(|| "A web site, please".to_owned())
    };
    org.salesforce.settings_mut().validation = Some(ValidationRule(Arc::new(rule)));
    let (_, answer) = org.call("POST", "sobjects/Account", json!({"Name": "A"}));
    assert_eq!(code(&answer), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    org.salesforce.settings_mut().validation = None;
    org.salesforce.settings_mut().lock_chance = 1.0;
    let (_, answer) = org.call("POST", "sobjects/Account", json!({"Name": "A"}));
    assert_eq!(code(&answer), "UNABLE_TO_LOCK_ROW");
}

#[test]
fn stages_close_opportunities_and_leave_a_history() {
    let mut org = org();
    let account = org.create("Account", json!({"Name": "A"}));
    let values = [
        (field::NAME, "Deal"),
        (field::STAGE, "Prospecting"),
        (field::AMOUNT, "1000"),
        (relation::ACCOUNT, &account),
    ];
    let deal = org.person_creates(Kind::Opportunity, &values);
    org.wait(60);
    org.salesforce.set(
        Kind::Opportunity,
        &deal,
        &[(field::STAGE, "Closed Won")],
        Actor::Person,
        org.now,
    );
    let found = org
        .query("SELECT IsClosed, IsWon, Probability, Amount FROM Opportunity WHERE IsWon = true");
    assert_eq!(found["records"][0]["Probability"], 100.0);
    assert_eq!(found["records"][0]["IsClosed"], true);
    let history = org.query("SELECT StageName FROM OpportunityHistory ORDER BY CreatedDate");
    assert_eq!(history["records"][1]["StageName"], "Closed Won");
    org.call(
        "PATCH",
        &format!("sobjects/Opportunity/{deal}"),
        json!({"StageName": "Closed Lost", "Amount": 5e2}),
    );
    assert_eq!(
        org.salesforce
            .get(Kind::Opportunity, &deal, field::IS_WON)
            .as_deref(),
        Some("false")
    );
    assert_eq!(
        org.query("SELECT COUNT() FROM OpportunityHistory")["totalSize"],
        3
    );
}

#[test]
fn merged_records_go_and_their_children_move_without_a_stamp() {
    let mut org = org();
    let winner = org.create("Account", json!({"Name": "A"}));
    let loser = org.create("Account", json!({"Name": "B", "Website": "b.example"}));
    let contact = org.create("Contact", json!({"LastName": "C", "AccountId": loser}));
    let soql = format!("SELECT Id, AccountId, SystemModstamp FROM Contact WHERE Id = '{contact}'");
    let before = org.query(&soql);
    org.wait(600);
    let kept = org
        .salesforce
        .merge(Kind::Account, &winner, &[&loser], Actor::Person, org.now);
    assert_eq!(kept.as_deref(), Some(winner.as_str()));
    let after = org.query(&soql);
    assert_eq!(after["records"][0]["AccountId"], winner.as_str());
    assert_eq!(
        after["records"][0]["SystemModstamp"],
        before["records"][0]["SystemModstamp"]
    );
    let (_, gone) =
        org.get("queryAll?q=SELECT+Id,MasterRecordId+FROM+Account+WHERE+IsDeleted=true");
    assert_eq!(gone["records"][0]["MasterRecordId"], winner.as_str());
    assert_eq!(
        org.salesforce
            .get(Kind::Account, &winner, field::WEBSITE)
            .as_deref(),
        Some("b.example")
    );
}

#[test]
fn describe_tells_what_a_mapping_needs() {
    let mut org = org();
    let (_, described) = org.get("sobjects/lead/describe");
    let fields = described["fields"].as_array().unwrap();
    let field = |name: &str| {
        fields
            .iter()
            .find(|field| field["name"] == name)
            .unwrap()
            .clone()
    };
    let key = field("Leadloop_Key__c");
    assert_eq!(
        (&key["externalId"], &key["unique"], &key["length"]),
        (&json!(true), &json!(true), &json!(64))
    );
    let status = field("Status");
    let values: Vec<&str> = status["picklistValues"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|value| value["value"].as_str())
        .collect();
    assert_eq!(values[0], "Open - Not Contacted");
    assert!(values.contains(&"Recycled"));
    assert_eq!(field("OwnerId")["referenceTo"], json!(["Group", "User"]));
    assert_eq!(field("IsConverted")["updateable"], false);
    org.salesforce
        .settings_mut()
        .hidden_fields
        .insert("Lead.Phone".to_owned());
    let (_, described) = org.get("sobjects/Lead/describe");
    assert!(
        described["fields"]
            .as_array()
            .unwrap()
            .iter()
            .all(|field| field["name"] != "Phone")
    );
    let (_, answer) = org.try_query("SELECT Phone FROM Lead");
    assert_eq!(code(&answer), "INVALID_FIELD");
}
