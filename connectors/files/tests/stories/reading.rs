use crate::desk::*;
use contract::*;
use kit::Side;
use rust_decimal::Decimal;

#[tokio::test]
async fn a_hubspot_export_is_marketings_leads() {
    let desk = Desk::marketing();
    let connector = desk.connector();
    let leads = all(&*connector, Kind::Lead).await;
    assert_eq!(leads.len(), 3);
    let ada = one(&*connector, Kind::Lead, "101").await;
    assert_eq!(
        ada.fields.text(field::LIFECYCLE),
        Some("marketingqualifiedlead")
    );
    assert_eq!(ada.fields.text(field::STATUS), Some("IN_PROGRESS"));
    assert_eq!(
        ada.fields.get(field::SCORE),
        Some(&Value::Number(Decimal::from(1042)))
    );
    assert_eq!(
        ada.fields.text(field::WEBSITE),
        Some("https://www.acme.example")
    );
    assert_eq!(ada.modified.to_string(), "2026-01-02T13:45:00Z");
    assert!(!ada.fields.is_true(field::OPT_OUT));
    assert!(
        one(&*connector, Kind::Lead, "102")
            .await
            .fields
            .is_true(field::OPT_OUT)
    );
    let found = connector
        .find(&Lookup {
            kind: Kind::Lead,
            by: By::Emails(vec!["grace@navy.example".to_owned()]),
        })
        .await
        .unwrap();
    assert_eq!(found[0].id, "102".into());
}

#[tokio::test]
async fn a_salesforce_export_is_a_whole_crm() {
    let desk = Desk::crm();
    let connector = &*desk.connector();
    let lead = one(connector, Kind::Lead, "00Q5g00000AAAABEA5").await;
    assert!(lead.is_converted() && lead.fields.is_true(field::OPT_OUT));
    assert_eq!(
        lead.relations.one(Relation::ConvertedContact),
        Some(&CONTACT.into())
    );
    let contact = one(connector, Kind::Contact, CONTACT).await;
    assert_eq!(
        contact.relations.one(Relation::Account),
        Some(&ACCOUNT.into())
    );
    let opportunity = one(connector, Kind::Opportunity, "0065g00000DDDDEAA5").await;
    assert_eq!(
        opportunity.fields.get(field::CLOSE_DATE),
        Some(&Value::Date("2026-01-15".parse().unwrap()))
    );
    assert!(opportunity.fields.is_true(field::IS_WON));
    let role = &all(connector, Kind::Role).await[0];
    assert!(role.fields.is_true(field::IS_PRIMARY));
    assert_eq!(role.relations.one(Relation::Contact), Some(&CONTACT.into()));
    assert!(
        one(connector, Kind::User, "0055g000001XyZaAAK")
            .await
            .fields
            .is_true(field::ACTIVE)
    );
}

#[tokio::test]
async fn reports_with_labels_short_ids_and_names_are_understood() {
    let desk = Desk::new(Side::Crm);
    desk.put(
        "users.csv",
        "User ID,Full Name,Email,Active\n0055g000001XyZa,Sam Sales,sam@sales.example,1\n",
    );
    desk.put("report1.csv", "\"Account ID\",\"Account Name\",\"Website\",\"Billing Country\"\n\"0015g00000BBBBC\",\"Apollo\",\"apollo.example\",\"USA\"\n");
    let report = "Contact ID;First Name;Last Name;Email;Account Name;Email Opt Out;Contact Owner;Last Modified Date\n\
        0035g00000CCCCD;Mara;Halden;mara@apollo.example;apollo;1;Sam Sales;1/2/2026 1:45 PM\n\n\
        People of ours\nCopyright (c) 2000-2026 salesforce.com, inc. All rights reserved.\n";
    desk.put("report2.csv", report);
    let connector = desk.connector();
    let contact = one(&*connector, Kind::Contact, CONTACT).await;
    assert_eq!(
        contact.relations.one(Relation::Account),
        Some(&ACCOUNT.into())
    );
    assert_eq!(
        contact.relations.one(Relation::Owner),
        Some(&"0055g000001XyZaAAK".into())
    );
    assert!(contact.fields.is_true(field::OPT_OUT));
    assert_eq!(contact.modified.to_string(), "2026-01-02T13:45:00Z");
    assert_eq!(
        drain(&*connector, Kind::Contact, &Cursor::start(), 10)
            .await
            .0
            .len(),
        1
    );
}

#[tokio::test]
async fn unchanged_files_are_an_empty_page_and_a_change_tells_what_changed() {
    let mut rows = "id,email,title\n".to_owned();
    (0..2000).for_each(|number| rows.push_str(&format!("{number},p{number}@acme.example,Clerk\n")));
    let desk = Desk::new(Side::Marketing);
    desk.put("people.csv", &rows);
    let (changes, cursor) = drain(&*desk.connector(), Kind::Lead, &Cursor::start(), 300).await;
    assert_eq!(changes.len(), 2000);
    let connector = desk.connector();
    let (changes, again) = drain(&*connector, Kind::Lead, &cursor, 300).await;
    assert!(changes.is_empty() && again == cursor);
    desk.put("people.csv", &rows);
    assert!(
        drain(&*connector, Kind::Lead, &cursor, 300)
            .await
            .0
            .is_empty(),
        "saved again as it was"
    );
    desk.put(
        "people.csv",
        rows.replace("77,p77@acme.example,Clerk", "77,p77@acme.example,Chief"),
    );
    let (changes, cursor) = drain(&*connector, Kind::Lead, &cursor, 300).await;
    assert!(changes.len() < 50, "{}", changes.len());
    assert!(changes.iter().any(|change| matches!(change, Change::Upserted(record) if record.fields.text(field::TITLE) == Some("Chief"))));
    assert!(
        drain(&*connector, Kind::Lead, &cursor, 300)
            .await
            .0
            .is_empty()
    );
}

#[tokio::test]
async fn a_reading_under_way_ends_on_what_it_began_with() {
    let desk = Desk::marketing();
    let connector = desk.connector();
    let read = async |from: &Cursor| {
        connector
            .read(&Request {
                kind: Kind::Lead,
                from,
                at_most: 2,
                known: &Nothing,
            })
            .await
            .unwrap()
    };
    let first = read(&Cursor::start()).await;
    desk.replace("hubspot-contacts.csv", "101,Ada", "99,Ada");
    let second = read(&first.next).await;
    assert_eq!(
        (first.changes.len(), second.changes.len(), second.more),
        (2, 1, false)
    );
    let third = read(&second.next).await;
    assert!(
        third
            .changes
            .iter()
            .any(|change| matches!(change, Change::Upserted(record) if record.id == "99".into()))
    );
    // With nothing remembered, it begins again rather than leaving something out.
    let (changes, _) = drain(&*desk.connector(), Kind::Lead, &first.next, 2).await;
    assert_eq!(changes.len(), 3);
}

#[tokio::test]
async fn what_is_no_longer_exported_is_kept_unless_exports_are_complete() {
    for (setting, expect) in [("", 0), ("missing = \"deleted\"", 1)] {
        let desk = Desk::marketing().with(setting);
        let (_, cursor) = drain(&*desk.connector(), Kind::Lead, &Cursor::start(), 10).await;
        let without: Vec<&str> = HUBSPOT
            .lines()
            .filter(|line| !line.starts_with("102"))
            .collect();
        desk.put("hubspot-contacts.csv", without.join("\n"));
        let (changes, _) = drain(&*desk.connector(), Kind::Lead, &cursor, 10).await;
        let deleted = changes.iter().filter(|change| {
            **change
                == Change::Deleted {
                    kind: Kind::Lead,
                    id: "102".into(),
                }
        });
        assert_eq!(deleted.count(), expect, "{setting}");
    }
}

#[tokio::test]
async fn later_files_win() {
    let desk = Desk::marketing();
    desk.put(
        "hubspot-contacts-2.csv",
        "Record ID,Email,Lifecycle Stage,Job Title\n101,ada@acme.example,Customer,Countess\n",
    );
    let ada = one(&*desk.connector(), Kind::Lead, "101").await;
    assert_eq!(
        (
            ada.fields.text(field::TITLE),
            ada.fields.text(field::LIFECYCLE)
        ),
        (Some("Head of Engines"), Some("marketingqualifiedlead"))
    );
    desk.put(
        "zz-newest.csv",
        "Record ID,Email,Lifecycle Stage,Job Title\n101,ada@acme.example,Customer,Countess\n",
    );
    assert_eq!(
        one(&*desk.connector(), Kind::Lead, "101")
            .await
            .fields
            .text(field::TITLE),
        Some("Countess")
    );
}

#[tokio::test]
async fn bad_rows_are_told_with_file_and_line_and_the_stream_goes_on() {
    let desk = Desk::new(Side::Marketing);
    let rows = "Record ID,Email,Lifecycle Stage,Unsubscribed from all email\n1,a@b.example,Lead,\n2,too,many,cells,here\n1,other@b.example,Lead,\n\
        1,a@b.example,Lead,\n4,d@b.example,Lead,perhaps\n5,\u{0}@b.example,Lead,\n6,f@b.example,Lead,yes\n";
    desk.put("a.csv", rows);
    let (changes, _) = drain(&*desk.connector(), Kind::Lead, &Cursor::start(), 100).await;
    let ids: Vec<&str> = changes
        .iter()
        .filter_map(|change| {
            if let Change::Upserted(record) = change {
                Some(record.id.0.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(ids, ["1", "6"]);
    let reasons: Vec<&str> = changes
        .iter()
        .filter_map(|change| {
            if let Change::Unreadable { reason, .. } = change {
                Some(reason.as_str())
            } else {
                None
            }
        })
        .collect();
    let check = |line: &str, about: &str| {
        assert!(
            reasons
                .iter()
                .any(|reason| reason.starts_with(line) && reason.contains(about)),
            "{line} in {reasons:?}"
        )
    };
    assert_eq!(reasons.len(), 4);
    check("a.csv line 3", "5 cells where the headings are 4");
    check("a.csv line 4", "stands on line 2");
    check("a.csv line 6", "opt-out");
    check("a.csv line 7", "NUL");
}

#[tokio::test]
async fn own_headings_are_named_in_the_settings() {
    let desk = Desk::new(Side::Marketing).with("columns = { lead = { email = \"Adresse\", opt_out = \"Abgemeldet\", favourite = \"Farbe\", id = \"Nr\" } }");
    desk.put(
        "kunden.csv",
        b"Nr;Adresse;Abgemeldet;Farbe\n7;zo\xeb@b.example;ja;gr\xfcn\n",
    );
    let lead = one(&*desk.connector(), Kind::Lead, "7").await;
    assert_eq!(
        (
            lead.fields.text(field::EMAIL),
            lead.fields.text("favourite")
        ),
        (Some("zoë@b.example"), Some("grün"))
    );
    assert!(lead.fields.is_true(field::OPT_OUT));
}

#[tokio::test]
async fn people_without_ids_are_known_by_their_address() {
    let desk = Desk::new(Side::Marketing);
    desk.put("leads.csv", "Email,Name\nAda@Acme.example,Ada Lovelace\n");
    let connector = desk.connector();
    let lead = one(&*connector, Kind::Lead, "email:ada@acme.example").await;
    assert_eq!(
        (
            lead.fields.text(field::FIRST_NAME),
            lead.fields.text(field::LAST_NAME)
        ),
        (Some("Ada"), Some("Lovelace"))
    );
    let probe = connector.probe().await.unwrap();
    assert!(
        probe
            .findings
            .iter()
            .any(|finding| finding.what.contains("no id column")
                && finding.severity == Severity::Warning)
    );
}

#[tokio::test]
async fn a_probe_tells_what_was_made_of_the_files() {
    let desk = Desk::marketing();
    desk.put("shops.csv", "shop,turnover\nx,1\n");
    desk.put(
        "companies.csv",
        "Record ID,Company name,Company Domain Name\n1,Acme,acme.example\n",
    );
    desk.put("rest.xlsx", "PK");
    let probe = desk.connector().probe().await.unwrap();
    let check = |part: &str| {
        assert!(
            probe
                .findings
                .iter()
                .any(|finding| finding.what.contains(part)),
            "{part} in {:#?}",
            probe.findings
        )
    };
    check("hubspot-contacts.csv: 3 records of the kind lead by HubSpot headings: Record ID → id");
    check("1 columns are not read: Favourite colour");
    check("shops.csv is ignored: nothing is known by its headings (shop, turnover)");
    check("companies.csv holds records of the kind account");
    check("rest.xlsx is ignored");
    let fields = desk.connector().describe(Kind::Lead).await.unwrap();
    let native = |name: &str| {
        fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.native.as_str())
    };
    assert_eq!(
        (
            native(field::EMAIL),
            native("Favourite colour"),
            native(field::DISPOSITION)
        ),
        (
            Some("Email"),
            Some("Favourite colour"),
            Some(field::DISPOSITION)
        )
    );
}

#[tokio::test]
async fn a_folder_that_cannot_serve_is_refused_with_a_remedy() {
    let check = async |desk: &Desk, part: &str| {
        let error = desk.connector().probe().await.unwrap_err();
        assert!(
            matches!(error, ConnectorError::Refused { .. }) && error.to_string().contains(part),
            "{error}"
        );
    };
    let empty = Desk::new(Side::Crm);
    check(
        &empty,
        &format!(
            "there is no CSV file in {}",
            empty.path("").to_str().unwrap().trim_end_matches('/')
        ),
    )
    .await;
    let absent = Desk::new(Side::Crm);
    std::fs::remove_dir(absent.path("")).unwrap();
    check(&absent, "create it").await;
    let latin = Desk::marketing().with("encoding = \"utf-8\"");
    latin.put(
        "b.csv",
        b"Record ID,Email,Lifecycle Stage\n1,a@b.example,Lead\n2,zo\xeb@b.example,Lead\n",
    );
    check(&latin, "b.csv: line 3 is not UTF-8").await;
    let zone = Desk::marketing().with("time_zone = \"Berlin\"");
    check(&zone, "Europe/Berlin").await;
}

#[test]
fn wrong_settings_are_named() {
    let check = |settings: &str, part: &str| {
        let error = Desk::new(Side::Crm)
            .with(settings)
            .try_connector()
            .unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    check("fodler = 1", "fodler");
    check("format = \"excel\"", "excel");
    check("delimiter = \"|\"", "tab");
    check("columns = { person = { email = \"x\" } }", "person");
}

#[test]
fn templates_are_settings() {
    use kit::Vendor;
    for side in files::Files.sides() {
        let template = files::Files.template(*side);
        let everything: String = template
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|line| line.contains(" = "))
                    .unwrap_or(line)
                    .to_owned()
                    + "\n"
            })
            .collect();
        for text in [template, &everything] {
            let settings: toml::Table =
                toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert!(settings.contains_key("folder"));
        }
    }
}

#[tokio::test]
async fn hubspot_can_be_the_crm_too() {
    let desk = Desk::new(Side::Crm).with("format = \"hubspot\"");
    desk.put("contacts.csv", HUBSPOT);
    desk.put(
        "companies.csv",
        "Record ID,Company name,Company Domain Name,Website URL\n500,Acme,acme.example,\n",
    );
    desk.put("deals.csv", "Record ID,Deal Name,Deal Stage,Amount,Close Date,Associated Contact IDs,Associated Company IDs\n900,Engines,Closed Won,\"1,200.50\",2026-01-31 10:00,101;102,500\n");
    let connector = desk.connector();
    assert_eq!(connector.capabilities().conversions, 0);
    assert_eq!(all(&*connector, Kind::Contact).await.len(), 3);
    assert_eq!(
        one(&*connector, Kind::Account, "500")
            .await
            .fields
            .text(field::DOMAINS),
        Some("acme.example")
    );
    let deal = one(&*connector, Kind::Opportunity, "900").await;
    assert_eq!(
        deal.relations.all(Relation::Contact),
        ["101".into(), "102".into()]
    );
    assert!(deal.fields.is_true(field::IS_CLOSED) && deal.fields.is_true(field::IS_WON));
    assert_eq!(
        deal.fields
            .get(field::AMOUNT)
            .map(ToString::to_string)
            .as_deref(),
        Some("1200.5")
    );
    assert_eq!(
        deal.fields.get(field::CLOSE_DATE),
        Some(&Value::Date("2026-01-31".parse().unwrap()))
    );
    let outcome = write(
        &*connector,
        create(Kind::Lead, "k", &[(field::EMAIL, "k@k.example")], None),
    )
    .await;
    assert!(matches!(outcome, Outcome::Refused { .. }));
}
