use super::*;
use contract::{
    By, Change, ConnectorError, Cursor, Id, Key, Kind, Known, Lookup, Nothing, Page, Relation,
    Request,
};

const QUERY_ALL: &str = "GET /services/data/v68.0/queryAll";

struct Knows(BTreeMap<String, Timestamp>);

impl Known for Knows {
    fn modified(&self, _: Kind, id: &Id) -> Option<Timestamp> {
        self.0.get(&id.0).copied()
    }
}

async fn read(
    connector: &Arc<dyn Connector>,
    kind: Kind,
    from: &Cursor,
) -> Result<Page, ConnectorError> {
    connector
        .read(&Request {
            kind,
            from,
            at_most: 2000,
            known: &Nothing,
        })
        .await
}

fn row(id: &str, stamp: &str) -> Json {
    json!({"Id": id, "SystemModstamp": stamp, "IsDeleted": false, "MasterRecordId": null, "LastName": "Lovelace"})
}

#[tokio::test(start_paused = true)]
async fn windows_go_by_the_servers_clock_and_overlap() {
    let org = org().on(QUERY_ALL, 200, page(vec![]));
    let connector = connect(&org);
    let first = read(&connector, Kind::Contact, &Cursor::start())
        .await
        .unwrap();
    org.at("2026-03-01T12:05:00Z");
    let second = read(&connector, Kind::Contact, &first.next).await.unwrap();
    assert!(!first.more && !second.more);
    let asked = org.seen(QUERY_ALL);
    // The first look has no end: what was touched a moment ago is there too.
    assert!(
        asked[0]
            .query
            .contains("WHERE IsDeleted = false ORDER BY SystemModstamp,Id"),
        "{}",
        asked[0].query
    );
    assert!(!asked[0].query.contains("Hidden__c") && !asked[0].query.contains("MailingCountry"));
    assert_eq!(asked[0].headers["sforce-query-options"], "batchSize=2000");
    // The clock behind the server's is corrected by the Date of the answer before, so five minutes
    // of ours are missing here.
    assert!(
        asked[1]
            .query
            .contains("SystemModstamp >= 2026-03-01T11:49:57Z"),
        "{}",
        asked[1].query
    );
    assert!(!asked[1].query.contains("IsDeleted = false"));
    assert_eq!(org.seen("describe").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deletes_merges_and_moved_children_are_told() {
    let (gone, loser, winner) = (id("001", 1), id("001", 2), id("001", 3));
    let mut deleted = row(&gone, "2026-03-01T11:00:00.000+0000");
    deleted["IsDeleted"] = json!(true);
    let mut merged = row(&loser[..15], "2026-03-01T11:00:01.000+0000");
    merged["IsDeleted"] = json!(true);
    merged["MasterRecordId"] = json!(&winner[..15]);
    let org = org()
        .on(QUERY_ALL, 200, page(vec![deleted, merged]))
        .on(
            "FROM Contact WHERE AccountId IN",
            200,
            page(vec![row(&id("003", 1), "2026-01-01T00:00:00.000+0000")]),
        )
        .on("FROM Opportunity WHERE AccountId IN", 200, page(vec![]))
        .on(
            "sobjects/Opportunity/describe",
            200,
            json!({"fields": system(vec![json!({"name": "AccountId", "type": "reference"})])}),
        );
    let changes = read(&connect(&org), Kind::Account, &Cursor::start())
        .await
        .unwrap()
        .changes;
    assert_eq!(
        changes[0],
        Change::Deleted {
            kind: Kind::Account,
            id: Id(gone)
        }
    );
    assert_eq!(
        changes[1],
        Change::Merged {
            kind: Kind::Account,
            loser: Id(loser),
            winner: Id(winner)
        }
    );
    assert!(matches!(&changes[2], Change::Upserted(contact) if contact.kind == Kind::Contact));
}

#[tokio::test(start_paused = true)]
async fn the_overlap_tells_only_what_is_not_known() {
    let org = org().on(QUERY_ALL, 200, page(vec![]));
    let connector = connect(&org);
    let first = read(&connector, Kind::Contact, &Cursor::start())
        .await
        .unwrap();
    let stamp = "2026-03-01T11:55:00.000+0000";
    let mut forgotten = row(&id("003", 4), stamp);
    forgotten["IsDeleted"] = json!(true);
    let fresh = row(&id("003", 3), "2026-03-01T11:59:58.000+0000");
    org.script
        .lock()
        .unwrap()
        .retain(|(text, _)| text != QUERY_ALL);
    org.on(
        QUERY_ALL,
        200,
        page(vec![
            row(&id("003", 1), stamp),
            row(&id("003", 2), stamp),
            fresh,
            forgotten,
        ]),
    );
    org.at("2026-03-01T12:01:00Z");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let known = Knows(BTreeMap::from([
        (id("003", 1), at("2026-03-01T11:55:00Z")),
        (id("003", 3), at("2026-03-01T11:59:58Z")),
    ]));
    let request = Request {
        kind: Kind::Contact,
        from: &first.next,
        at_most: 2000,
        known: &known,
    };
    let changes = connector.read(&request).await.unwrap().changes;
    let told: Vec<String> = changes
        .iter()
        .map(|change| {
            if let Change::Upserted(record) = change {
                record.id.0.clone()
            } else {
                panic!("{change:?}")
            }
        })
        .collect();
    // The second was not known; the third has a stamp that was never read before, and may hide a
    // change within its second.
    assert_eq!(told, [id("003", 2), id("003", 3)]);
}

#[tokio::test(start_paused = true)]
async fn pages_are_followed_and_an_expired_one_is_taken_up_again() {
    let first = json!({"done": false, "nextRecordsUrl": "/services/data/v68.0/query/01gA-2000", "records": [row(&id("003", 1), "2026-02-01T00:00:00.000+0000")]});
    let org = org()
        .on(QUERY_ALL, 200, first)
        .on(
            QUERY_ALL,
            200,
            page(vec![row(&id("003", 2), "2026-02-02T00:00:00.000+0000")]),
        )
        .on(
            "GET /services/data/v68.0/query/01gA-2000",
            400,
            refusal("INVALID_QUERY_LOCATOR", "invalid query locator"),
        );
    let connector = connect(&org);
    let page = read(&connector, Kind::Contact, &Cursor::start())
        .await
        .unwrap();
    assert!(page.more);
    let page = read(&connector, Kind::Contact, &page.next).await.unwrap();
    assert!(!page.more);
    assert_eq!(page.changes.len(), 1);
    let asked = org.seen(QUERY_ALL);
    assert!(
        asked[1].query.contains(
            "SystemModstamp >= 2026-02-01T00:00:00Z AND SystemModstamp < 2026-03-01T11:59:57Z"
        ),
        "{}",
        asked[1].query
    );
}

#[tokio::test(start_paused = true)]
async fn a_next_link_elsewhere_is_not_followed() {
    for link in [
        "https://evil.example/services/data/v68.0/query/01gA-2000",
        "/services/apexrest/anything",
    ] {
        let org = org().on(
            QUERY_ALL,
            200,
            json!({"done": false, "nextRecordsUrl": link, "records": []}),
        );
        assert!(
            matches!(
                read(&connect(&org), Kind::Contact, &Cursor::start()).await,
                Err(ConnectorError::Protocol { .. })
            ),
            "{link}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_becomes_hidden_does_not_stop_the_stream() {
    let org = org()
        .on(QUERY_ALL, 400, refusal("INVALID_FIELD", "SELECT Email FROM Contact ERROR at Row:1: No such column 'Email' on entity 'Contact'."))
        .on(QUERY_ALL, 200, page(vec![]));
    read(&connect(&org), Kind::Contact, &Cursor::start())
        .await
        .unwrap();
    let asked = org.seen(QUERY_ALL);
    assert!(
        asked[0].query.contains("Email,") && !asked[1].query.contains(",Email,"),
        "{}",
        asked[1].query
    );
}

#[tokio::test(start_paused = true)]
async fn one_bad_row_does_not_stop_the_page() {
    let org = org().on(
        QUERY_ALL,
        200,
        page(vec![
            json!({"Id": id("003", 1), "SystemModstamp": "?"}),
            row(&id("003", 2), "2026-02-01T00:00:00.000+0000"),
        ]),
    );
    let changes = read(&connect(&org), Kind::Contact, &Cursor::start())
        .await
        .unwrap()
        .changes;
    assert!(
        matches!(&changes[0], Change::Unreadable { id: Some(bad), .. } if bad.0 == id("003", 1))
    );
    assert!(matches!(&changes[1], Change::Upserted(_)));
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_renewed_once() {
    let org = org()
        .on(
            QUERY_ALL,
            401,
            refusal("INVALID_SESSION_ID", "Session expired or invalid"),
        )
        .on(QUERY_ALL, 200, page(vec![]));
    read(&connect(&org), Kind::Contact, &Cursor::start())
        .await
        .unwrap();
    assert_eq!(org.seen("oauth2/token").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_daily_limit_is_told_and_not_waited_for() {
    let org = org().on(
        QUERY_ALL,
        403,
        refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    );
    let connector = connect(&org);
    assert!(matches!(
        read(&connector, Kind::Contact, &Cursor::start()).await,
        Err(ConnectorError::Throttled { .. })
    ));
    assert_eq!(org.seen(QUERY_ALL).len(), 1);
    assert_eq!(connector.usage().daily_limit, Some(5000));
}

#[tokio::test(start_paused = true)]
async fn an_object_without_a_stamp_is_read_whole() {
    let role = json!({"Id": id("00K", 1), "IsPrimary": true, "OpportunityId": id("006", 1), "ContactId": id("003", 1)});
    let fields = json!([{"name": "Id", "type": "id"}, {"name": "IsPrimary", "type": "boolean"}, {"name": "OpportunityId", "type": "reference"}, {"name": "ContactId", "type": "reference"}]);
    let org = org()
        .on(
            "sobjects/OpportunityContactRole/describe",
            200,
            json!({"fields": fields}),
        )
        .on(QUERY_ALL, 200, page(vec![role]));
    let connector = connect(&org);
    let first = read(&connector, Kind::Role, &Cursor::start())
        .await
        .unwrap();
    let second = read(&connector, Kind::Role, &first.next).await.unwrap();
    assert!(
        matches!(&second.changes[0], Change::Upserted(role) if role.relations.one(Relation::Contact) == Some(&Id(id("003", 1))))
    );
    assert!(
        org.seen(QUERY_ALL)[1]
            .query
            .ends_with("FROM OpportunityContactRole ORDER BY Id")
    );
}

#[tokio::test(start_paused = true)]
async fn lookups_are_escaped_and_cut_to_the_urls_length() {
    let org = org().on("GET /services/data/v68.0/query ", 200, page(vec![]));
    let connector = connect(&org);
    let find = async |by: By| {
        connector
            .find(&Lookup {
                kind: Kind::Contact,
                by,
            })
            .await
            .unwrap()
    };
    find(By::Emails(vec![
        "o'hara@example.com".to_owned(),
        " ".to_owned(),
    ]))
    .await;
    assert!(
        org.seen("query ")[0]
            .query
            .ends_with(r"WHERE Email IN ('o\'hara@example.com')")
    );
    find(By::Keys(vec![Key::from("k-1")])).await;
    assert!(
        org.seen("query ")[1]
            .query
            .ends_with("WHERE Leadloop_Key__c IN ('k-1')")
    );
    let mut ids: Vec<Id> = (0..700).map(|number| Id(id("003", number))).collect();
    ids.push(Id::from("not an id"));
    find(By::Ids(ids)).await;
    assert_eq!(org.seen("query ").len(), 5);
    assert!(
        connector
            .find(&Lookup {
                kind: Kind::Account,
                by: By::Emails(vec!["a@b.c".to_owned()])
            })
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn notes_are_found_by_their_key() {
    let task = |body: &str| json!({"Id": id("00T", 1), "SystemModstamp": "2026-02-01T00:00:00.000+0000", "IsDeleted": false, "Subject": "s", "Description": body, "WhoId": id("003", 1)});
    let fields = system(vec![
        text("Subject", 255),
        text("Description", 32000),
        json!({"name": "WhoId", "type": "reference"}),
    ]);
    let org = org()
        .on("sobjects/Task/describe", 200, json!({"fields": fields}))
        .on(
            QUERY_ALL,
            200,
            page(vec![task("Hello\n\nref: n-1"), task("call back")]),
        );
    let found = connect(&org)
        .find(&Lookup {
            kind: Kind::Note,
            by: By::About(vec![Id(id("003", 1))]),
        })
        .await
        .unwrap();
    assert_eq!(
        found
            .iter()
            .filter_map(|note| note.key())
            .collect::<Vec<_>>(),
        [Key::from("n-1")]
    );
    assert_eq!(
        found[0].relations.one(Relation::About),
        Some(&Id(id("003", 1)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_merge_is_told_even_where_its_children_are_not_visible() {
    let mut merged = row(&id("003", 1), "2026-03-01T11:00:01.000+0000");
    merged["IsDeleted"] = json!(true);
    merged["MasterRecordId"] = json!(id("003", 2));
    let org = org().on(QUERY_ALL, 200, page(vec![merged])).on(
        "sobjects/OpportunityContactRole/describe",
        404,
        refusal("NOT_FOUND", "The requested resource does not exist"),
    );
    let changes = read(&connect(&org), Kind::Contact, &Cursor::start())
        .await
        .unwrap()
        .changes;
    assert!(matches!(changes[..], [Change::Merged { .. }]));
}

#[tokio::test(start_paused = true)]
async fn tasks_are_no_stream() {
    let refused = read(&connect(&org()), Kind::Note, &Cursor::start()).await;
    assert!(matches!(refused, Err(ConnectorError::Refused { .. })));
}
