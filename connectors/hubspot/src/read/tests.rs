use crate::scripted::{Holds, START, Script};
use contract::{Change, Connector, ConnectorError, Cursor, Kind, Known, Nothing, Page, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn read(connector: &dyn Connector, kind: Kind, from: &Cursor, known: &dyn Known) -> Page {
    connector
        .read(&Request {
            kind,
            from,
            at_most: 1_000,
            known,
        })
        .await
        .unwrap()
}

fn contact(id: &str, modified: &str) -> Value {
    json!({ "id": id, "updatedAt": modified, "properties": { "email": format!("p{id}@example.com"), "lastmodifieddate": modified } })
}

fn told(changes: &[Change]) -> String {
    let told = changes.iter().map(|change| match change {
        Change::Upserted(record) => format!("+{}", record.id),
        Change::Deleted { id, .. } => format!("-{id}"),
        Change::Merged { loser, winner, .. } => format!("{loser}>{winner}"),
        Change::Unreadable { id, .. } => {
            format!("?{}", id.as_ref().map_or("", |id| id.0.as_str()))
        }
    });
    told.collect::<Vec<_>>().join(" ")
}

/// A script that has been read up to the end of the listing.
async fn listed(script: &Script, connector: &dyn Connector) -> Cursor {
    script.then(vec![(
        "GET /crm/objects/2026-09/contacts?",
        Some((200, json!({ "results": [contact("1", START)] }))),
    )]);
    read(connector, Kind::Lead, &Cursor::start(), &Nothing)
        .await
        .next
}

#[tokio::test(start_paused = true)]
async fn the_first_reading_lists_everything_page_by_page() {
    let script = Script::new(vec![
        (
            "GET /crm/objects/2026-09/contacts?limit=100&properties=",
            Some((
                200,
                json!({ "results": [contact("1", START), { "id": "2", "properties": 7 }], "paging": { "next": { "after": "3", "link": "https://evil.example/x" } } }),
            )),
        ),
        (
            "after=3",
            Some((200, json!({ "results": [contact("3", START)] }))),
        ),
    ]);
    let connector = script.connect("");
    let first = read(&*connector, Kind::Lead, &Cursor::start(), &Nothing).await;
    assert_eq!(
        (told(&first.changes).as_str(), first.more),
        ("+1 ?2", true),
        "a record that cannot be read stops nothing"
    );
    let second = read(&*connector, Kind::Lead, &first.next, &Nothing).await;
    assert_eq!(
        (told(&second.changes).as_str(), second.more),
        ("+3", true),
        "a window follows at once"
    );
    assert!(script.asked()[0].line.contains("hs_merged_object_ids"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_poll_costs_one_call() {
    let script = Script::new(vec![]);
    let connector = script.connect("");
    let cursor = listed(&script, &*connector).await;
    script.then(vec![(
        "POST /crm/objects/2026-09/contacts/search",
        Some((
            200,
            json!({ "total": 1, "results": [contact("1", "2026-11-01T11:59:30.250Z")] }),
        )),
    )]);
    script.advance(30);
    let held = Holds(BTreeMap::from([(
        "1",
        "2026-11-01T11:59:30.250Z".parse().unwrap(),
    )]));
    let page = read(&*connector, Kind::Lead, &cursor, &held).await;
    assert_eq!(
        (page.changes.len(), page.more),
        (0, false),
        "what is held already is not read again"
    );
    let body = &script.asked()[1].body;
    assert_eq!(
        body["filterGroups"][0]["filters"][0]["value"], "1793534340000",
        "a minute before the listing began"
    );
    assert_eq!(body["properties"], json!(["lastmodifieddate"]));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_last_moments_is_read_even_if_it_seems_held() {
    let script = Script::new(vec![]);
    let connector = script.connect("");
    let cursor = listed(&script, &*connector).await;
    script.then(vec![
        (
            "search",
            Some((200, json!({ "results": [contact("1", START)] }))),
        ),
        (
            "batch/read",
            Some((200, json!({ "results": [contact("1", START)] }))),
        ),
    ]);
    let held = Holds(BTreeMap::from([("1", START.parse().unwrap())]));
    let page = read(&*connector, Kind::Lead, &cursor, &held).await;
    assert_eq!(told(&page.changes), "+1", "two changes may bear one time");
}

#[tokio::test(start_paused = true)]
async fn a_large_window_is_walked_by_id_and_read_from_the_records() {
    let full: Vec<Value> = (1..=200)
        .map(|id| contact(&id.to_string(), START))
        .collect();
    let script = Script::new(vec![]);
    let connector = script.connect("");
    let cursor = listed(&script, &*connector).await;
    let records = |from: usize| Some((200, json!({ "results": full[from..from + 100] })));
    script.then(vec![
        ("search", Some((200, json!({ "results": full, "paging": { "next": { "after": "200" } } })))),
        ("batch/read", records(0)),
        ("batch/read", records(100)),
        ("search", Some((200, json!({ "results": [contact("777", START)] })))),
        // The search knew it; the record itself is gone.
        ("batch/read", Some((200, json!({ "results": [], "errors": [{ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["777"] } }], "numErrors": 1 })))),
    ]);
    let first = read(&*connector, Kind::Lead, &cursor, &Nothing).await;
    assert_eq!((first.changes.len(), first.more), (200, true));
    script.advance(60);
    let second = read(&*connector, Kind::Lead, &first.next, &Nothing).await;
    assert_eq!((second.changes.len(), second.more), (0, false));
    let asked = script.asked();
    let (one, two) = (
        &asked[1].body["filterGroups"][0]["filters"],
        &asked[4].body["filterGroups"][0]["filters"],
    );
    assert_eq!(
        (&one[0], &one[1]),
        (&two[0], &two[1]),
        "the window stays as it was"
    );
    assert_eq!(
        (one[2]["value"].as_str(), two[2]["value"].as_str()),
        (Some("0"), Some("200"))
    );
    assert!(asked[4].body.get("after").is_none());
}

#[tokio::test(start_paused = true)]
async fn merges_and_deletions_are_told() {
    let script = Script::new(vec![]);
    let connector = script.connect("");
    let cursor = listed(&script, &*connector).await;
    script.advance(700);
    let archived = |id: &str, at: &str| json!({ "id": id, "archived": true, "archivedAt": at, "properties": {} });
    let merged = json!({ "id": "9", "updatedAt": START, "properties": { "lastmodifieddate": START, "hs_merged_object_ids": "4" } });
    script.then(vec![
        ("search", Some((200, json!({ "results": [contact("9", START)] })))),
        ("batch/read", Some((200, json!({ "results": [merged] })))),
        (
            "contacts?limit=100&archived=true",
            Some((200, json!({ "results": [archived("3", "2020-01-01T00:00:00Z"), archived("4", "2026-11-01T12:05:00Z"), archived("5", "2026-11-01T12:06:00Z")] }))),
        ),
        ("batch/read", Some((200, json!({ "results": [merged], "errors": [{ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["5"] } }] })))),
    ]);
    let window = read(&*connector, Kind::Lead, &cursor, &Nothing).await;
    assert_eq!(
        (told(&window.changes).as_str(), window.more),
        ("+9 4>9", true)
    );
    let pass = read(&*connector, Kind::Lead, &window.next, &Nothing).await;
    assert_eq!(
        (told(&pass.changes).as_str(), pass.more),
        ("+9 4>9 -5", false),
        "old deletions are old news"
    );
    assert_eq!(
        script.asked()[4].body["inputs"],
        json!([{ "id": "4" }, { "id": "5" }])
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_moves_nothing() {
    let script = Script::new(vec![]);
    let connector = script.connect("");
    let cursor = listed(&script, &*connector).await;
    script.then(vec![
        ("search", Some((200, json!({ "results": [contact("9", START)] })))),
        ("batch/read", Some((207, json!({ "results": [], "errors": [{ "category": "INTERNAL_ERROR", "message": "try later" }] })))),
    ]);
    let request = Request {
        kind: Kind::Lead,
        from: &cursor,
        at_most: 10,
        known: &Nothing,
    };
    let error = connector.read(&request).await.unwrap_err();
    assert!(
        matches!(error, ConnectorError::Unavailable { .. }),
        "what cannot be read is not taken for gone: {error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_tells_which_permission_is_missing() {
    let body = json!({ "category": "MISSING_SCOPES", "message": "no", "errors": [{ "context": { "requiredGranularScopes": ["crm.objects.contacts.read"] } }] });
    let script = Script::new(vec![("contacts", Some((403, body)))]);
    let connector = script.connect("");
    let request = Request {
        kind: Kind::Lead,
        from: &Cursor::start(),
        at_most: 10,
        known: &Nothing,
    };
    let error = connector.read(&request).await.unwrap_err().to_string();
    assert!(error.contains("grant crm.objects.contacts.read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_hubspot_refuses_is_not_tried_again() {
    let script = Script::new(vec![(
        "contacts",
        Some((401, json!({ "category": "INVALID_AUTHENTICATION" }))),
    )]);
    let connector = script.connect("");
    let request = Request {
        kind: Kind::Lead,
        from: &Cursor::start(),
        at_most: 10,
        known: &Nothing,
    };
    assert!(matches!(
        connector.read(&request).await,
        Err(ConnectorError::Unauthorized { .. })
    ));
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn owners_are_read_every_ten_minutes_the_former_ones_too() {
    let owner = |id: &str, archived: bool| json!({ "id": id, "email": "sam@example.com", "archived": archived, "updatedAt": START });
    let pages = || {
        vec![
            (
                "owners/2026-09?limit=100&archived=false",
                Some((200, json!({ "results": [owner("7", false)] }))),
            ),
            (
                "owners/2026-09?limit=100&archived=true",
                Some((200, json!({ "results": [owner("8", true)] }))),
            ),
        ]
    };
    let script = Script::new(pages());
    let connector = script.connect("");
    let first = read(&*connector, Kind::User, &Cursor::start(), &Nothing).await;
    let second = read(&*connector, Kind::User, &first.next, &Nothing).await;
    assert_eq!(
        (
            told(&first.changes),
            first.more,
            told(&second.changes),
            second.more
        ),
        ("+7".into(), true, "+8".into(), false)
    );
    script.advance(599);
    let third = read(&*connector, Kind::User, &second.next, &Nothing).await;
    assert_eq!((third.changes.len(), third.more), (0, false));
    script.advance(2);
    script.then(pages());
    let fourth = read(&*connector, Kind::User, &third.next, &Nothing).await;
    assert!(fourth.more);
    read(&*connector, Kind::User, &fourth.next, &Nothing).await;
    assert_eq!(script.asked().len(), 4);
}
