//! Rehearsals: both worlds agree at the end, whatever went wrong on the way.

use crate::stage::Stage;
use simulator::{
    Effect, Fault, Faults, Site, When,
    teams::{MarketingRates, MarketingTeam, SalesRates, SalesTeam},
};
use std::time::Duration;

const LEADS: usize = 150;
const ACCOUNTS: usize = 40;

#[tokio::test(start_paused = true)]
async fn a_first_run_brings_both_worlds_to_agree_and_a_second_one_writes_nothing() {
    for seed in [1, 2, 3] {
        let mut stage = Stage::new(seed, LEADS, ACCOUNTS);
        stage.run_once().await;
        let told = stage.written();
        assert!(told > 50, "seed {seed}: only {told} writes");
        stage.rest().await;
        stage.assert_agreed();
        let before = stage.written();
        stage.run_once().await;
        assert_eq!(
            stage.written(),
            before,
            "seed {seed}: a second run writes nothing"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_writes_nothing() {
    let mut stage = Stage::new(5, LEADS, ACCOUNTS);
    stage.run_once().await;
    stage.rest().await;
    let before = stage.written();
    stage.restart_on(stage.store.restarted());
    stage.run_once().await;
    stage.rest().await;
    assert_eq!(stage.written(), before);
    stage.assert_agreed();
}

#[tokio::test(start_paused = true)]
async fn a_lost_store_is_rebuilt_from_the_ledger_and_the_vendors_without_a_twin() {
    for seed in [6, 7] {
        let mut stage = Stage::new(seed, LEADS, ACCOUNTS);
        stage.run_once().await;
        stage.rest().await;
        let (before, created) = (stage.written(), stage.created());
        stage.restart_without_rows();
        stage.run_once().await;
        stage.rest().await;
        assert_eq!(
            stage.created(),
            created,
            "seed {seed}: nothing is created again"
        );
        assert_eq!(
            stage.written(),
            before,
            "seed {seed}: nothing is told again"
        );
        stage.assert_agreed();
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_on_the_wire_ends_in_agreement() {
    for seed in [11, 12, 13] {
        let mut stage = Stage::new(seed, LEADS, ACCOUNTS);
        stage.marketing.faults(|faults| *faults = bad_weather(seed));
        stage.crm.faults(|faults| *faults = bad_weather(seed + 100));
        for _ in 0..40 {
            stage.cycle().await;
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
        let struck = struck(&stage.marketing) + struck(&stage.crm);
        assert!(struck >= 5, "seed {seed}: only {struck} faults");
        stage.marketing.faults(Faults::clear);
        stage.crm.faults(Faults::clear);
        stage.rest().await;
        stage.assert_agreed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_bad_weather_ends_in_agreement() {
    for seed in [21, 22] {
        let mut stage = Stage::new(seed, LEADS, ACCOUNTS);
        stage.marketing.faults(|faults| *faults = bad_weather(seed));
        stage.crm.faults(|faults| *faults = bad_weather(seed + 100));
        for round in 0..30 {
            // The process may end between any two questions: the future is dropped where it stands.
            let _ =
                tokio::time::timeout(Duration::from_millis(700 * (round + 1)), stage.cycle()).await;
            if round % 7 == 6 {
                stage.restart_without_rows();
            } else {
                stage.restart_on(stage.store.restarted());
            }
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
        stage.marketing.faults(Faults::clear);
        stage.crm.faults(Faults::clear);
        stage.rest().await;
        stage.assert_agreed();
    }
}

#[tokio::test(start_paused = true)]
async fn two_teams_at_work_end_in_agreement() {
    for seed in [31, 32] {
        let mut stage = Stage::new(seed, LEADS, ACCOUNTS);
        stage.run_once().await;
        let mut marketing = MarketingTeam::new(seed, MarketingRates::default());
        let mut sales = SalesTeam::new(seed, SalesRates::default());
        for _ in 0..30 {
            for _ in 0..3 {
                stage
                    .marketing
                    .with(|dialect, now| marketing.step(dialect, now));
                stage.crm.with(|dialect, now| sales.step(dialect, now));
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            stage.cycle().await;
        }
        stage.rest().await;
        stage.assert_agreed();
    }
}

/// Answers and requests get lost, batches are done by half, and both vendors refuse at times: by the seed.
fn bad_weather(seed: u64) -> Faults {
    let mut faults = Faults::seeded(seed);
    for (matching, share, effect) in [
        ("batch", 60, Effect::LostAnswer),
        ("batch", 40, Effect::HalfBatch),
        ("composite", 60, Effect::LostAnswer),
        ("composite", 40, Effect::HalfBatch),
        ("Soap", 100, Effect::LostAnswer),
        ("", 20, Effect::LostRequest),
        ("", 20, Effect::AppliedButAnswer(502)),
        ("", 20, Effect::Answer(503, None)),
        ("", 20, Effect::Answer(429, Some(3))),
        ("", 10, Effect::Malformed),
        ("", 5, Effect::Html),
    ] {
        faults.add(Fault::new(matching, When::PerMille(share), effect));
    }
    faults
}

fn struck(site: &Site) -> u64 {
    site.faults(|faults| faults.struck())
}
