use super::{BEGIN, TokioTime, World, credential, reply, reply_with};
use crate::{Auth, Bucket, Budget, Call, Session};
use contract::ConnectorError;
use std::time::Duration;

async fn read(session: &Session) -> Result<(), ConnectorError> {
    session.call(Call::get("/leads")).await?;
    Ok(())
}

fn session(world: &World, daily: Option<u64>, share: f64) -> Session {
    let budget = Budget::new(world.buckets.clone(), daily, share, &world.tools);
    world.session_with(Auth::Bearer(credential("token")), budget)
}

/// How many calls pass before the first that is throttled, and for how long that one is.
async fn until_throttled(session: &Session, most: u64) -> (u64, Option<Duration>) {
    for passed in 0..most {
        match read(session).await {
            Ok(()) => {}
            Err(ConnectorError::Throttled { retry_after, .. }) => return (passed, retry_after),
            Err(error) => panic!("{error}"),
        }
    }
    (most, None)
}

#[tokio::test(start_paused = true)]
async fn no_stretch_of_time_holds_more_calls_than_allowed() {
    for (calls, per, made) in [(190, 10, 1000), (5, 1, 60), (1, 2, 6), (100, 20, 350)] {
        let mut world = World::new([reply(200, "")]);
        world.buckets = vec![Bucket {
            name: "main",
            calls,
            per: Duration::from_secs(per),
        }];
        let session = session(&world, None, 1.0);
        for _ in 0..made {
            read(&session).await.unwrap();
        }
        let times: Vec<f64> = world.seen().iter().map(|seen| seen.at).collect();
        for (place, begin) in times.iter().enumerate() {
            let within = times[place..]
                .iter()
                .filter(|at| **at - begin < per as f64)
                .count();
            assert!(
                within <= calls as usize,
                "{calls} per {per} s: {within} from {begin}"
            );
        }
        // And yet most of the rate is used.
        let fastest = f64::from(made) * per as f64 / f64::from(calls);
        assert!(
            *times.last().unwrap() < fastest * 1.3 + per as f64,
            "{calls} per {per} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_process_does_not_burst() {
    let mut world = World::new([reply(200, "")]);
    world.buckets = vec![Bucket {
        name: "main",
        calls: 100,
        per: Duration::from_secs(10),
    }];
    read(&session(&world, None, 1.0)).await.unwrap();
    read(&session(&world, None, 1.0)).await.unwrap();
    let times: Vec<f64> = world.seen().iter().map(|seen| seen.at).collect();
    assert!(times[0] > 0.1 && times[1] - times[0] > 0.1, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_day_ends_at_the_allowance_and_begins_at_midnight() {
    let world = World::new([reply(200, "")]);
    let session = session(&world, Some(250), 1.0);
    let half_a_day = Duration::from_secs(12 * 60 * 60);
    assert_eq!(
        until_throttled(&session, 300).await,
        (250, Some(half_a_day))
    );
    let usage = session.usage();
    assert_eq!(
        (usage.today, usage.calls, usage.allowance),
        (250, 250, Some(250))
    );
    tokio::time::sleep(half_a_day).await;
    assert_eq!(until_throttled(&session, 300).await.0, 250);
    assert_eq!((session.usage().today, session.usage().calls), (250, 500));
    assert_eq!(world.seen().len(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_restart_can_only_use_less() {
    for (allowance, block) in [(50_u64, 1), (1000, 10), (50_000, 100)] {
        let world = World::new([reply(200, "")]);
        for _ in 0..3 {
            let session = session(&world, Some(allowance), 1.0);
            for _ in 0..5 {
                read(&session).await.unwrap();
            }
        }
        let session = session(&world, Some(allowance), 1.0);
        let used = session.usage().today;
        assert!(used >= 15 && used <= 15 + 3 * block, "{allowance}: {used}");
        if allowance < 2000 {
            let (passed, _) = until_throttled(&session, allowance).await;
            assert_eq!(passed, allowance - used);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_the_next_day_begins_anew() {
    let mut world = World::new([reply(200, "")]);
    assert_eq!(
        until_throttled(&session(&world, Some(20), 1.0), 30).await.0,
        20
    );
    assert_eq!(
        until_throttled(&session(&world, Some(20), 1.0), 30).await.0,
        0
    );
    world.tools.clock = TokioTime::at("2026-03-02T00:00:00Z");
    assert_eq!(
        until_throttled(&session(&world, Some(20), 1.0), 30).await.0,
        20
    );
}

#[tokio::test(start_paused = true)]
async fn the_share_holds_as_soon_as_the_limit_is_known() {
    let world = World::new([reply_with(200, ("x-daily", "400"), "")]);
    let session = session(&world, None, 0.1);
    assert_eq!(session.usage().allowance, None);
    assert_eq!(until_throttled(&session, 100).await.0, 40);
    assert_eq!(session.usage().daily_limit, Some(400));

    // Our own cap holds where it is the smaller one.
    let world = World::new([reply_with(200, ("x-daily", "400"), "")]);
    assert_eq!(
        until_throttled(&self::session(&world, Some(7), 0.1), 100)
            .await
            .0,
        7
    );
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_left_one_call_looks_again_later() {
    let world = World::new([
        reply_with(200, ("x-left", "0"), ""),
        reply_with(200, ("x-left", "500"), ""),
    ]);
    let session = session(&world, None, 1.0);
    let quarter = Duration::from_secs(15 * 60);
    assert_eq!(until_throttled(&session, 5).await, (1, Some(quarter)));
    assert_eq!(session.usage().daily_left, Some(0));
    tokio::time::sleep(quarter).await;
    assert_eq!(until_throttled(&session, 5).await, (5, None));
    assert_eq!(session.usage().daily_left, Some(500));
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_the_headers_is_kept() {
    let mut world = World::new([reply_with(200, ("x-wait", "7"), ""), reply(200, "")]);
    world.tools.clock = TokioTime::at(BEGIN);
    world.buckets = vec![Bucket {
        name: "main",
        calls: 1000,
        per: Duration::from_secs(1),
    }];
    let session = session(&world, None, 1.0);
    read(&session).await.unwrap();
    read(&session).await.unwrap();
    assert_eq!(world.times(), [0, 7]);
}
