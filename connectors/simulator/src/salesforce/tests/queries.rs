use super::*;
use contract::field;

/// Each query and how many of the staged contacts it finds.
#[test]
fn conditions_mean_what_the_vendor_means() {
    let mut org = org();
    let account = org.create("Account", json!({"Name": "Acme"}));
    for (name, email, account, out) in [
        ("O'Hara", "scarlett@tara.example", Some(&account), true),
        ("Butler", "Rhett@Tara.example", Some(&account), false),
        ("Wilkes", "", None, false),
        ("100%_sure", "sure@x.example", None, false),
    ] {
        let mut body = json!({"LastName": name, "AccountId": account, "HasOptedOutOfEmail": out});
        if !email.is_empty() {
            body["Email"] = json!(email);
        }
        org.create("Contact", body);
    }
    for (condition, count) in [
        ("Email = 'rhett@tara.example'", 1),
        ("Email != 'rhett@tara.example'", 3),
        ("Email = null", 1),
        ("Email <> ''", 3),
        ("Email IN ('RHETT@tara.example', 'none@x.example')", 1),
        ("Email NOT IN ('rhett@tara.example')", 3),
        ("Email IN ('sure@x.example', null)", 2),
        ("LastName = 'o\\'hara'", 1),
        ("LastName LIKE '%\\%\\_s%'", 1),
        ("LastName LIKE '_utler'", 1),
        ("NOT LastName LIKE '%l%'", 2),
        (
            "Account.Name = 'ACME' AND (HasOptedOutOfEmail = true OR LastName > 'c')",
            1,
        ),
        (
            "AccountId IN (SELECT Id FROM Account WHERE Name = 'Acme')",
            2,
        ),
        ("AccountId = null", 2),
        ("Name LIKE 'But%'", 1),
        ("CreatedDate = TODAY", 4),
        ("CreatedDate < TODAY", 0),
        ("SystemModstamp >= LAST_N_DAYS:1", 4),
        ("SystemModstamp < 2026-03-02T10:00:01+00:00", 4),
        ("SystemModstamp > 2026-03-02T10:00:00Z", 0),
        ("CreatedBy.Name = 'Integration User'", 4),
        ("IsDeleted = true", 0),
    ] {
        let found = org.query(&format!("SELECT Id FROM Contact WHERE {condition}"));
        assert_eq!(found["totalSize"], count, "{condition}");
    }
    let by_account = format!(
        "SELECT Id FROM Contact WHERE AccountId = '{}'",
        &account[..15]
    );
    assert_eq!(org.ids(&by_account).len(), 2);
}

#[test]
fn order_has_several_keys_and_nulls_have_a_place() {
    let mut org = org();
    for (name, city) in [
        ("b", Some("X")),
        ("A", Some("X")),
        ("c", None),
        ("d", Some("W")),
    ] {
        org.create(
            "Lead",
            json!({"LastName": name, "Company": "C", "City": city}),
        );
    }
    let mut names = |order: &str| -> String {
        let found = org.query(&format!("SELECT LastName FROM Lead ORDER BY {order}"));
        found["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| text(&record["LastName"]))
            .collect()
    };
    assert_eq!(names("City, LastName"), "cdAb");
    assert_eq!(names("City DESC NULLS LAST, LastName DESC"), "bAdc");
    assert_eq!(names("LastName LIMIT 2 OFFSET 1"), "bc");
    assert_eq!(names("SystemModstamp, Id"), "bAcd");
}

#[test]
fn parents_and_children_come_along() {
    let mut org = org();
    let account = org.create("Account", json!({"Name": "Acme"}));
    let contact = org.create("Contact", json!({"LastName": "L", "AccountId": account}));
    let deal = org.create("Opportunity", json!({"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-04-01", "AccountId": account}));
    org.create(
        "OpportunityContactRole",
        json!({"OpportunityId": deal, "ContactId": contact, "IsPrimary": true}),
    );
    let found = org.query("SELECT Name, Account.Owner.Name, (SELECT ContactId, Contact.LastName FROM OpportunityContactRoles) FROM Opportunity");
    let record = &found["records"][0];
    assert_eq!(record["Account"]["Owner"]["Name"], "Integration User");
    assert_eq!(record["Account"]["attributes"]["type"], "Account");
    assert_eq!(
        record["OpportunityContactRoles"]["records"][0]["Contact"]["LastName"],
        "L"
    );
    let lone = org
        .query("SELECT Account.Name, (SELECT Id FROM Tasks) FROM Contact WHERE AccountId = null");
    assert_eq!(lone["totalSize"], 0);
}

#[test]
fn a_question_that_is_none_is_refused() {
    let mut org = org();
    for (soql, expected) in [
        ("SELECT Id FORM Lead", "MALFORMED_QUERY"),
        ("SELECT Foo FROM Lead", "INVALID_FIELD"),
        ("SELECT Foo.Name FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Leadd", "INVALID_TYPE"),
        (
            "SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01'",
            "INVALID_FIELD",
        ),
        ("SELECT Id FROM Lead WHERE Email = 5", "INVALID_FIELD"),
        (
            "SELECT Id FROM Lead WHERE Description = 'x'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Lead WHERE Id = 'x'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ] {
        let (status, answer) = org.try_query(soql);
        assert_eq!((status, code(&answer)), (400, expected), "{soql}");
    }
    assert_eq!(org.get(&format!("query?q={}", "x".repeat(17_000))).0, 414);
}

#[test]
fn long_answers_come_in_pages_until_the_locator_expires() {
    let mut org = org_with(Settings {
        page_size: 2,
        ..Settings::default()
    });
    for name in ["A", "B", "C", "D", "E"] {
        org.create("Lead", json!({"LastName": name, "Company": "C"}));
    }
    let first = org.query("SELECT Id FROM Lead ORDER BY Id");
    assert_eq!(
        (&first["totalSize"], &first["done"]),
        (&json!(5), &json!(false))
    );
    let next = text(&first["nextRecordsUrl"]);
    let (_, second) = org.get(&next);
    let (_, third) = org.get(second["nextRecordsUrl"].as_str().unwrap());
    assert_eq!(
        (third["records"].as_array().unwrap().len(), &third["done"]),
        (1, &json!(true))
    );
    org.salesforce.expire_locators();
    let (status, answer) = org.get(&next);
    assert_eq!((status, code(&answer)), (400, "INVALID_QUERY_LOCATOR"));
}

/// Rows show when their transaction ends, under the stamp of its start; every row has its own share of the lag.
#[test]
fn stamps_are_older_than_the_rows_appearance() {
    let mut org = org_with(Settings {
        commit_lag: SignedDuration::from_secs(30),
        ..Settings::default()
    });
    for index in 0..20 {
        org.create(
            "Lead",
            json!({"LastName": format!("L{index}"), "Company": "C"}),
        );
    }
    let found = org.query("SELECT SystemModstamp FROM Lead ORDER BY SystemModstamp, Id");
    let stamps: Vec<String> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| text(&record["SystemModstamp"]))
        .collect();
    assert!(
        stamps[0].as_str() < "2026-03-02T09:59:50" && stamps[0].as_str() >= "2026-03-02T09:59:30"
    );
    assert!(stamps[19].as_str() > "2026-03-02T09:59:45");
}

#[test]
fn changed_and_deleted_ids_are_listed_for_a_while() {
    let mut org = org_with(Settings {
        commit_lag: SignedDuration::ZERO,
        ..Settings::default()
    });
    let lead = org.create("Lead", json!({"LastName": "A", "Company": "C"}));
    let window = "start=2026-03-02T09:30:00%2B00:00&end=2026-03-02T11:00:00%2B00:00";
    let (_, updated) = org.get(&format!("sobjects/Lead/updated/?{window}"));
    assert_eq!(updated["ids"], json!([lead]));
    org.wait(120);
    org.salesforce
        .delete(Kind::Lead, &lead, Actor::Person, org.now);
    let (_, deleted) = org.get(&format!("sobjects/Lead/deleted/?{window}"));
    assert_eq!(deleted["deletedRecords"][0]["id"], lead.as_str());
    org.wait(60);
    org.salesforce.trim_delete_log(org.now);
    let (_, deleted) = org.get(&format!("sobjects/Lead/deleted/?{window}"));
    assert_eq!(deleted["deletedRecords"], json!([]));
    assert!(text(&deleted["earliestDateAvailable"]).starts_with("2026-03-02T10:03:00"));
    org.wait(16 * 24 * 3600);
    org.sign_in();
    let (_, gone) = org.get("queryAll?q=SELECT+Id+FROM+Lead");
    assert_eq!(gone["totalSize"], 0);
}

#[test]
fn imported_dates_stand() {
    let mut org = org();
    org.person_creates(
        Kind::Account,
        &[
            (field::NAME, "Old"),
            (field::CREATED_AT, "2019-05-06T07:08:09Z"),
        ],
    );
    let found =
        org.query("SELECT CreatedDate FROM Account WHERE CreatedDate < 2020-01-01T00:00:00Z");
    assert_eq!(
        found["records"][0]["CreatedDate"],
        "2019-05-06T07:08:09.000+0000"
    );
}
