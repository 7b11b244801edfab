use crate::desk::*;
use contract::*;
use kit::Side;
use std::fs;

const ADA: [(&str, &str); 4] = [
    (field::EMAIL, "ada@acme.example"),
    (field::FIRST_NAME, "Ada"),
    (field::LAST_NAME, "Lovelace"),
    (field::TITLE, "=cmd|' /C calc'!A0"),
];

#[tokio::test]
async fn a_create_becomes_a_row_for_data_loader_and_counts_as_done() {
    let desk = Desk::crm();
    let connector = desk.connector();
    let outcome = write(
        &*connector,
        create(
            Kind::Account,
            "acme",
            &[(field::NAME, "Acme"), (field::WEBSITE, "acme.example")],
            None,
        ),
    )
    .await;
    assert_eq!(applied(&outcome), "new:acme");
    write(
        &*connector,
        create(Kind::Contact, "ada", &ADA, Some("new:acme")),
    )
    .await;
    let rows = desk.import("contacts-create.csv");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["Leadloop_Key__c"], "ada");
    assert_eq!(rows[0]["Account.Leadloop_Key__c"], "acme");
    assert_eq!(
        (rows[0]["LastName"].as_str(), rows[0]["Title"].as_str()),
        ("Lovelace", "'=cmd|' /C calc'!A0")
    );
    assert_eq!(
        desk.import("accounts-create.csv")[0]["Website"],
        "acme.example"
    );
    let connector = desk.connector();
    for by in [
        By::Keys(vec!["ada".into()]),
        By::Emails(vec!["ADA@acme.example".to_owned()]),
        By::Ids(vec!["new:ada".into()]),
    ] {
        let found = connector
            .find(&Lookup {
                kind: Kind::Contact,
                by: by.clone(),
            })
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "{by:?}");
        assert_eq!(found[0].key(), Some("ada".into()));
        assert_eq!(
            found[0].relations.one(Relation::Account),
            Some(&"new:acme".into())
        );
        assert_eq!(
            found[0].fields.text(field::TITLE),
            Some("=cmd|' /C calc'!A0")
        );
    }
    assert!(
        all(&*connector, Kind::Contact)
            .await
            .iter()
            .any(|record| record.id == "new:ada".into())
    );
}

#[tokio::test]
async fn a_second_run_writes_nothing() {
    let desk = Desk::crm();
    let operations = || {
        [
            create(Kind::Account, "acme", &[(field::NAME, "Acme")], None),
            create(Kind::Contact, "ada", &ADA, Some("new:acme")),
            update(Kind::Contact, CONTACT, &[(field::TITLE, Some("Chief"))]),
            update(
                Kind::Contact,
                "new:ada",
                &[(field::TITLE, Some("Countess"))],
            ),
            convert(LEAD, ACCOUNT),
            Operation::Note {
                key: "n1".into(),
                kind: Kind::Contact,
                about: CONTACT.into(),
                at: "2026-02-01T00:00:00Z".parse().unwrap(),
                subject: "Handed over".to_owned(),
                body: "by marketing".to_owned(),
            },
        ]
    };
    for operation in operations() {
        applied(&write(&*desk.connector(), operation).await);
    }
    let before = desk.imports();
    assert_eq!(
        before.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "accounts-create.csv",
            "contacts-create.csv",
            "contacts-update.csv",
            "leadloop-pending.json",
            "leads-convert.csv",
            "notes-create.csv"
        ]
    );
    let stamp = fs::metadata(desk.path("import/leadloop-pending.json"))
        .unwrap()
        .modified()
        .unwrap();
    for operation in operations() {
        applied(&write(&*desk.connector(), operation).await);
    }
    assert_eq!(desk.imports(), before);
    assert_eq!(
        fs::metadata(desk.path("import/leadloop-pending.json"))
            .unwrap()
            .modified()
            .unwrap(),
        stamp
    );
    for name in before.keys().filter(|name| name.ends_with(".csv")) {
        assert!(!desk.import(name).is_empty(), "{name} parses back");
    }
    let notes = desk
        .connector()
        .find(&Lookup {
            kind: Kind::Note,
            by: By::About(vec![CONTACT.into()]),
        })
        .await
        .unwrap();
    assert_eq!((notes.len(), notes[0].key()), (1, Some("n1".into())));
}

#[tokio::test]
async fn once_exports_show_a_create_it_has_their_id() {
    let desk = Desk::crm();
    let connector = desk.connector();
    write(
        &*connector,
        create(Kind::Account, "acme", &[(field::NAME, "Acme")], None),
    )
    .await;
    write(
        &*connector,
        create(Kind::Contact, "ada", &ADA, Some("new:acme")),
    )
    .await;
    let (_, cursor) = drain(&*connector, Kind::Account, &Cursor::start(), 10).await;
    let text = fs::read_to_string(desk.path("Account.csv")).unwrap();
    desk.put("Account.csv", text + "\"0015g00000BBBBEAA5\",\"Acme\",\"\",\"\",\"\",\"\",\"\",\"\",\"2026-02-04T00:00:00.000Z\",\"acme\"\n");
    let connector = desk.connector();
    let (changes, _) = drain(&*connector, Kind::Account, &cursor, 10).await;
    let merged = Change::Merged {
        kind: Kind::Account,
        loser: "new:acme".into(),
        winner: "0015g00000BBBBEAA5".into(),
    };
    assert!(changes.contains(&merged), "{changes:?}");
    let ada = one(&*connector, Kind::Contact, "new:ada").await;
    assert_eq!(
        ada.relations.one(Relation::Account),
        Some(&"0015g00000BBBBEAA5".into())
    );
    assert_eq!(
        one(&*connector, Kind::Account, "new:acme").await.id,
        "0015g00000BBBBEAA5".into()
    );
    // The next write drops what is done and points by id what pointed by key.
    write(
        &*connector,
        update(Kind::Contact, CONTACT, &[(field::TITLE, Some("Chief"))]),
    )
    .await;
    assert!(desk.import("accounts-create.csv").is_empty());
    assert_eq!(
        desk.import("contacts-create.csv")[0]["AccountId"],
        "0015g00000BBBBEAA5"
    );
    let again = write(
        &*connector,
        create(Kind::Account, "acme", &[(field::NAME, "Acme")], None),
    )
    .await;
    assert_eq!(applied(&again), "0015g00000BBBBEAA5");
    assert!(desk.import("accounts-create.csv").is_empty());
}

#[tokio::test]
async fn without_a_key_column_people_are_known_again_by_their_address() {
    let desk = Desk::new(Side::Crm);
    desk.put(
        "Contact.csv",
        "Id,AccountId,Email,LastName\nc1,a1,old@acme.example,Old\n",
    );
    let connector = desk.connector();
    let outcome = write(
        &*connector,
        create(
            Kind::Contact,
            "old",
            &[(field::EMAIL, "OLD@acme.example")],
            None,
        ),
    )
    .await;
    assert!(matches!(outcome, Outcome::Conflict { current } if current.id == "c1".into()));
    assert!(desk.imports().is_empty());
    write(&*connector, create(Kind::Contact, "ada", &ADA, None)).await;
    desk.put("Contact.csv", "Id,AccountId,Email,LastName\nc1,a1,old@acme.example,Old\nc2,a1,ada@acme.example,Lovelace\n");
    let connector = desk.connector();
    let found = connector
        .find(&Lookup {
            kind: Kind::Contact,
            by: By::Keys(vec!["ada".into()]),
        })
        .await
        .unwrap();
    assert_eq!(
        (found.len(), &found[0].id, found[0].key()),
        (1, &"c2".into(), Some("ada".into()))
    );
    assert!(
        drain(&*connector, Kind::Contact, &Cursor::start(), 10)
            .await
            .0
            .contains(&Change::Merged {
                kind: Kind::Contact,
                loser: "new:ada".into(),
                winner: "c2".into()
            })
    );
}

#[tokio::test]
async fn updates_wait_for_their_import_and_give_way_to_later_changes() {
    let check = async |exported: &str, expect: &str, waits: bool| {
        let desk = Desk::crm();
        let connector = desk.connector();
        write(
            &*connector,
            update(Kind::Contact, CONTACT, &[(field::TITLE, Some("Chief"))]),
        )
        .await;
        write(
            &*connector,
            update(
                Kind::Contact,
                CONTACT,
                &[(field::PHONE, Some("+1 555 0100"))],
            ),
        )
        .await;
        let rows = desk.import("contacts-update.csv");
        assert_eq!(
            (
                rows.len(),
                rows[0]["Id"].as_str(),
                rows[0]["Title"].as_str(),
                rows[0]["Phone"].as_str()
            ),
            (1, CONTACT, "Chief", "+1 555 0100")
        );
        desk.replace("Contact.csv", "Director", exported);
        let connector = desk.connector();
        assert_eq!(
            one(&*connector, Kind::Contact, CONTACT)
                .await
                .fields
                .text(field::TITLE),
            Some(expect),
            "{exported}"
        );
        write(
            &*connector,
            update(Kind::Contact, CONTACT, &[(field::CITY, Some("Boston"))]),
        )
        .await;
        let row = desk.import("contacts-update.csv").remove(0);
        assert_eq!(
            row.get("Title").map(String::as_str),
            waits.then_some("Chief"),
            "{exported}"
        );
        assert_eq!(row["MailingCity"], "Boston");
    };
    check("Director", "Chief", true).await;
    check("Chief", "Chief", false).await;
    check("President", "President", false).await;
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_not_made_again_and_still_counts() {
    let desk = Desk::crm();
    let connector = desk.connector();
    write(&*connector, create(Kind::Contact, "ada", &ADA, None)).await;
    write(
        &*connector,
        update(Kind::Contact, CONTACT, &[(field::TITLE, Some("Chief"))]),
    )
    .await;
    desk.take_away("contacts-create.csv");
    desk.take_away("contacts-update.csv");
    write(
        &*connector,
        create(
            Kind::Contact,
            "eve",
            &[
                (field::EMAIL, "eve@acme.example"),
                (field::LAST_NAME, "Eve"),
            ],
            None,
        ),
    )
    .await;
    write(
        &*connector,
        update(Kind::Contact, CONTACT, &[(field::TITLE, Some("Director"))]),
    )
    .await;
    let rows = desk.import("contacts-create.csv");
    assert_eq!(
        (rows.len(), rows[0]["Leadloop_Key__c"].as_str()),
        (1, "eve")
    );
    assert_eq!(
        desk.import("contacts-update.csv")[0]["Title"],
        "Director",
        "taking back needs a row of its own"
    );
    let connector = desk.connector();
    assert_eq!(
        one(&*connector, Kind::Contact, "new:ada").await.key(),
        Some("ada".into())
    );
    assert_eq!(
        one(&*connector, Kind::Contact, CONTACT)
            .await
            .fields
            .text(field::TITLE),
        Some("Director")
    );
}

#[tokio::test]
async fn somebodys_edits_are_put_aside_not_overwritten() {
    let desk = Desk::crm();
    let connector = desk.connector();
    write(&*connector, create(Kind::Contact, "ada", &ADA, None)).await;
    fs::write(desk.path("import/contacts-create.csv"), "edited").unwrap();
    fs::write(desk.path("import/contacts-update.csv"), "not ours").unwrap();
    write(
        &*connector,
        update(Kind::Contact, CONTACT, &[(field::TITLE, Some("Chief"))]),
    )
    .await;
    assert_eq!(
        fs::read_to_string(desk.path("import/contacts-create-1.csv")).unwrap(),
        "edited"
    );
    assert_eq!(
        fs::read_to_string(desk.path("import/contacts-update-1.csv")).unwrap(),
        "not ours"
    );
    assert!(desk.import("contacts-create.csv").is_empty());
    assert_eq!(desk.import("contacts-update.csv").len(), 1);
}

#[tokio::test]
async fn after_a_crash_between_the_two_the_next_write_makes_the_files() {
    let desk = Desk::crm();
    write(&*desk.connector(), create(Kind::Contact, "ada", &ADA, None)).await;
    desk.replace(
        "import/leadloop-pending.json",
        "\"done\": true",
        "\"done\": false",
    );
    fs::remove_file(desk.path("import/contacts-create.csv")).unwrap();
    write(&*desk.connector(), create(Kind::Contact, "ada", &ADA, None)).await;
    assert_eq!(desk.import("contacts-create.csv").len(), 1);
}

#[tokio::test]
async fn a_conversion_waits_as_a_row_and_shows_as_done() {
    let desk = Desk::crm();
    let connector = desk.connector();
    let (_, cursor) = drain(&*connector, Kind::Contact, &Cursor::start(), 10).await;
    let contact = format!("new:{LEAD}");
    let outcome = write(&*connector, convert(LEAD, ACCOUNT)).await;
    assert_eq!(applied(&outcome), contact);
    let row = desk.import("leads-convert.csv").remove(0);
    assert_eq!(
        (
            row["LeadId"].as_str(),
            row["AccountId"].as_str(),
            row["ConvertedStatus"].as_str()
        ),
        (LEAD, ACCOUNT, "Closed - Converted")
    );
    assert_eq!(row["Email"], "lena@tove.example");
    assert!(one(&*connector, Kind::Lead, LEAD).await.is_converted());
    let (changes, cursor) = drain(&*connector, Kind::Contact, &cursor, 10).await;
    assert!(
        changes
            .iter()
            .any(|change| matches!(change, Change::Upserted(record) if record.id.0 == contact))
    );
    let outcome = write(
        &*connector,
        update(Kind::Contact, &contact, &[(field::TITLE, Some("x"))]),
    )
    .await;
    assert!(
        matches!(outcome, Outcome::Deferred { .. }),
        "the contact has no id yet"
    );
    desk.replace(
        "Lead.csv",
        "\"Working - Contacted\",\"false\",\"\",\"\"",
        "\"Closed - Converted\",\"true\",\"0035g00000CCCCEAA5\",\"0015g00000BBBBCAA5\"",
    );
    let connector = desk.connector();
    let (changes, _) = drain(&*connector, Kind::Contact, &cursor, 10).await;
    let merged = Change::Merged {
        kind: Kind::Contact,
        loser: contact.as_str().into(),
        winner: "0035g00000CCCCEAA5".into(),
    };
    assert!(changes.contains(&merged), "{changes:?}");
    let outcome = write(&*connector, convert(LEAD, ACCOUNT)).await;
    assert!(matches!(outcome, Outcome::Conflict { current } if current.is_converted()));
}

#[tokio::test]
async fn marketing_gets_its_feedback_in_hubspots_headings() {
    let desk = Desk::marketing();
    let connector = desk.connector();
    let outcome = write(
        &*connector,
        update(
            Kind::Lead,
            "101",
            &[
                (field::DISPOSITION, Some("accepted")),
                (field::LIFECYCLE, Some("salesqualifiedlead")),
            ],
        ),
    )
    .await;
    assert_eq!(applied(&outcome), "101");
    let row = desk.import("leads-update.csv").remove(0);
    assert_eq!(
        (
            row["Record ID"].as_str(),
            row["Lifecycle Stage"].as_str(),
            row["leadloop_disposition"].as_str()
        ),
        ("101", "salesqualifiedlead", "accepted")
    );
    assert_eq!(
        one(&*desk.connector(), Kind::Lead, "101")
            .await
            .fields
            .text(field::DISPOSITION),
        Some("accepted")
    );
    let outcome = write(
        &*connector,
        update(Kind::Lead, "102", &[(field::TITLE, None)]),
    )
    .await;
    assert!(matches!(
        outcome,
        Outcome::Refused {
            remedy: Remedy::FixMapping { .. },
            ..
        }
    ));
    let outcome = write(
        &*connector,
        update(Kind::Lead, "nobody", &[(field::TITLE, Some("x"))]),
    )
    .await;
    assert!(matches!(
        outcome,
        Outcome::Refused {
            remedy: Remedy::LookAgain,
            ..
        }
    ));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_means_that_nothing_was_done() {
    let desk = Desk::crm();
    fs::create_dir_all(desk.path("import/.contacts-create.csv.tmp")).unwrap();
    let batch = Batch::new(vec![Write {
        intent: IntentId("i1".to_owned()),
        operation: create(Kind::Contact, "ada", &ADA, None),
    }])
    .unwrap();
    let error = desk.connector().write(&batch).await.unwrap_err();
    assert!(
        matches!(&error, ConnectorError::Unavailable { detail } if detail.contains("make the folder writable")),
        "{error}"
    );
    assert_eq!(fs::read_dir(desk.path("import")).unwrap().count(), 1);
}
