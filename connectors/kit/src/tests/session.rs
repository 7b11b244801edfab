use super::{CANARY, World, lost, reply, reply_with, unreachable};
use crate::{Call, Delays, SessionError};
use contract::ConnectorError;
use std::time::Duration;

fn create() -> Call {
    Call::post_json("/leads", &serde_json::json!({"name": "Ada"})).doing("creating leads")
}

fn read() -> Call {
    Call::get("/leads").doing("reading leads")
}

/// What came of a call, in one word.
fn word(result: &Result<crate::Answer, SessionError>) -> String {
    match result {
        Ok(answer) => format!("{}", answer.status),
        Err(SessionError::Doubt(_)) => "doubt".to_owned(),
        Err(SessionError::Failed(error)) => match error {
            ConnectorError::Unauthorized { .. } => "unauthorized",
            ConnectorError::Throttled { .. } => "throttled",
            ConnectorError::Unavailable { .. } => "unavailable",
            ConnectorError::Refused { .. } => "refused",
            _ => "other",
        }
        .to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_carries_token_query_and_body_to_the_origin() {
    let world = World::new([reply(200, "{}")]);
    let call = create().query("q", "a b&c").header("x-batch", "1");
    world.bearer().call(call).await.unwrap();
    let seen = &world.seen()[0];
    assert_eq!(seen.url, "https://api.vendor.test/leads?q=a+b%26c");
    assert_eq!(seen.token, Some(format!("Bearer token-{CANARY}")));
    assert_eq!(seen.body, r#"{"name":"Ada"}"#);
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_a_call_and_how_often_it_is_sent() {
    let upsert = || create().repeatable();
    let cases = [
        (
            "a read survives failures",
            read(),
            vec![reply(503, ""), lost(), reply(200, "")],
            "200",
            3,
        ),
        ("a read at last", read(), vec![lost()], "unavailable", 3),
        (
            "a create is not sent into a doubt",
            create(),
            vec![lost()],
            "doubt",
            1,
        ),
        (
            "a create after a 5xx",
            create(),
            vec![reply(503, "")],
            "doubt",
            1,
        ),
        (
            "a create that was not sent",
            create(),
            vec![unreachable(), reply(201, "")],
            "201",
            2,
        ),
        (
            "a create that never left",
            create(),
            vec![unreachable()],
            "unavailable",
            3,
        ),
        (
            "an upsert survives a doubt",
            upsert(),
            vec![lost(), reply(201, "")],
            "201",
            2,
        ),
        ("an upsert at last", upsert(), vec![lost()], "doubt", 3),
        (
            "a refusal after a doubt",
            upsert(),
            vec![lost(), reply(400, "no")],
            "doubt",
            2,
        ),
        ("a refusal", create(), vec![reply(400, "no")], "refused", 1),
        (
            "a redirect that is an answer",
            create(),
            vec![reply(300, "[]")],
            "300",
            1,
        ),
        (
            "a redirect that is none",
            read(),
            vec![reply(302, "")],
            "refused",
            1,
        ),
        (
            "no permission",
            read(),
            vec![reply(403, "")],
            "unauthorized",
            1,
        ),
        (
            "a status that the caller reads",
            read(),
            vec![reply(404, "")],
            "404",
            1,
        ),
    ];
    for (story, call, replies, expected, sent) in cases {
        let mut world = World::new(replies);
        // Two waits of three to four seconds each, and no third.
        world.delays = Delays {
            first: Duration::from_secs(4),
            factor: 1.0,
            most: Duration::from_secs(4),
            give_up_after: Duration::from_millis(8500),
        };
        let result = world.bearer().call(call).await;
        assert_eq!(word(&result), expected, "{story}");
        assert_eq!(world.seen().len(), sent, "{story}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_end() {
    let mut world = World::new([reply(503, "")]);
    world.delays = Delays {
        first: Duration::from_secs(4),
        factor: 2.0,
        most: Duration::from_secs(10),
        give_up_after: Duration::from_secs(30),
    };
    let result = world.bearer().call(read()).await;
    assert_eq!(word(&result), "unavailable");
    let times = world.times();
    // Each wait is between three quarters and all of 4, 8, 10, 10 seconds.
    for (pair, most) in times.windows(2).zip([4, 8, 10, 10]) {
        let wait = pair[1] - pair[0];
        assert!(wait <= most && wait + 1 >= most * 3 / 4, "{times:?}");
    }
    assert!(*times.last().unwrap() <= 30, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_demanded_wait_is_kept() {
    for (demand, date, expected) in [
        ("45", None, vec![0, 45]),
        (
            "Sun, 01 Mar 2026 09:00:20 GMT",
            Some("Sun, 01 Mar 2026 09:00:00 GMT"),
            vec![0, 20],
        ),
    ] {
        let mut first = reply_with(429, ("retry-after", demand), "").unwrap();
        if let Some(date) = date {
            first.headers_mut().insert("date", date.parse().unwrap());
        }
        let world = World::new([Ok(first), reply(200, "")]);
        assert_eq!(word(&world.bearer().call(read()).await), "200");
        assert_eq!(world.times(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_our_patience_is_told_to_the_caller() {
    let world = World::new([reply_with(429, ("retry-after", "3600"), "")]);
    let session = world.bearer();
    match session.call(read()).await {
        Err(SessionError::Failed(ConnectorError::Throttled { retry_after, .. })) => {
            assert_eq!(retry_after, Some(Duration::from_secs(3600)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.times(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_daily_limit_is_told_at_once() {
    let world = World::new([reply(429, "daily")]);
    assert_eq!(word(&world.bearer().call(read()).await), "throttled");
    assert_eq!(world.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_absurd_wait_is_not_believed() {
    // A vendor that writes the moment where the seconds belong.
    let world = World::new([
        reply_with(429, ("retry-after", "1795000000"), ""),
        reply(200, ""),
    ]);
    assert_eq!(word(&world.bearer().call(read()).await), "200");
    assert_eq!(world.times(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn one_throttled_call_holds_back_the_others_in_its_bucket() {
    let mut world = World::new([
        reply_with(429, ("retry-after", "10"), ""),
        reply(200, ""),
        reply(200, ""),
    ]);
    world.buckets = vec![
        crate::Bucket {
            name: "main",
            calls: 100,
            per: Duration::from_secs(1),
        },
        crate::Bucket {
            name: "search",
            calls: 100,
            per: Duration::from_secs(1),
        },
    ];
    let session = world.bearer();
    let (first, second, search) = tokio::join!(
        session.call(read()),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            session.call(read()).await
        },
        async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            session.call(read().bucket("search")).await
        },
    );
    assert_eq!(
        [word(&first), word(&second), word(&search)],
        ["200", "200", "200"]
    );
    assert_eq!(world.times(), [0, 2, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn links_are_followed_on_the_own_origin_only() {
    let world = World::new([]);
    let session = world.bearer();
    for (link, path) in [
        ("/next?after=2", "/next?after=2"),
        ("https://api.vendor.test/next?after=2#x", "/next?after=2"),
        ("HTTPS://API.vendor.test:443/a%20b", "/a%20b"),
    ] {
        assert_eq!(session.same_origin(link).unwrap(), path);
    }
    for evil in [
        "https://api.vendor.test.evil.test/next",
        "https://evil.test/next",
        "//evil.test/next",
        "\\\\evil.test/next",
        "http://api.vendor.test/next",
        "https://api.vendor.test:8443/next",
        "https://user@api.vendor.test/next",
        "https://api.vendor.test@evil.test/next",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://[",
    ] {
        let error = session.same_origin(evil).unwrap_err();
        assert!(matches!(error, ConnectorError::Protocol { .. }), "{evil}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_in_a_path_does_not_walk() {
    let world = World::new([reply(200, "")]);
    let session = world.bearer();
    for path in [
        "/leads/../users",
        "/leads/%2E%2e/users",
        "leads",
        "@evil.test/",
        "/a\\..\\b",
    ] {
        assert_eq!(
            word(&session.call(Call::get(path)).await),
            "other",
            "{path}"
        );
    }
    session.call(Call::get("//evil.test/leads")).await.unwrap();
    let urls: Vec<String> = world.seen().into_iter().map(|seen| seen.url).collect();
    assert_eq!(urls, ["https://api.vendor.test//evil.test/leads"]);
}

#[tokio::test(start_paused = true)]
async fn the_servers_clock_is_learnt() {
    let world = World::new([reply_with(
        200,
        ("date", "Sun, 01 Mar 2026 12:07:00 GMT"),
        "",
    )]);
    let session = world.bearer();
    assert_eq!(session.server_now().to_string(), "2026-03-01T12:00:00Z");
    session.call(read()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(session.server_now().to_string(), "2026-03-01T12:07:05Z");
    assert_eq!(session.now().to_string(), "2026-03-01T12:00:05Z");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_printed_holds_a_secret() {
    let world = World::new([lost(), reply(403, "")]);
    let session = world.bearer();
    let call = create().query("email", CANARY).header("x-key", CANARY);
    let printed = [
        format!("{call:?} {:?}", call.body),
        format!("{session:?} {:?}", world.tools),
        format!("{:?}", session.call(call).await.unwrap_err()),
        format!("{:?}", session.call(read()).await.unwrap_err()),
        format!("{:?}", session.access_token().await.unwrap()),
    ];
    for text in printed {
        assert!(!text.contains(CANARY), "{text}");
    }
}
