//! What a run costs in calls: batches go out full, and what is quiet costs next to nothing.

use crate::stage::Stage;
use simulator::Site;
use std::{collections::BTreeMap, time::Duration};

const LEADS: usize = 2000;
const ACCOUNTS: usize = 400;

/// Calls to a site since the last look.
struct Meter {
    site: Site,
    before: BTreeMap<String, u64>,
}

impl Meter {
    fn of(site: &Site) -> Meter {
        Meter {
            site: site.clone(),
            before: site.calls(),
        }
    }

    /// Calls whose `METHOD /path` contains the text.
    fn calls(&self, text: &str) -> usize {
        let of = |calls: &BTreeMap<String, u64>| {
            calls
                .iter()
                .filter(|(path, _)| path.contains(text))
                .map(|(_, count)| *count as usize)
                .sum::<usize>()
        };
        of(&self.site.calls()) - of(&self.before)
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_synchronisation_costs_little_more_than_it_must() {
    let mut stage = Stage::new(1, LEADS, ACCOUNTS);
    let (marketing, crm) = (Meter::of(&stage.marketing), Meter::of(&stage.crm));
    let first = stage.cycle().await;
    assert!(first.written > 1000, "{first:?}");

    let counters = stage.status().counters;
    let count = |name: &str| counters.get(name) as usize;
    let (contacts, accounts, leads) = (
        count("created/contact"),
        count("created/account"),
        count("created/lead"),
    );
    assert!(
        contacts > 200 && accounts > 10 && leads > 50 && count("converted") > 10,
        "{counters:?}"
    );

    // Every batch but the last of its sort is full. Updates go out by lane (opt-outs first) and kind, so that more than one may be the last.
    let full = |count: usize, size: usize| count.div_ceil(size);
    let check = |what: &str, calls: usize, least: usize, spare: usize| {
        assert!(
            calls <= least + spare,
            "{what}: {calls} calls where {least} would do"
        )
    };
    check(
        "contacts created",
        crm.calls("sobjects/Contact/Leadloop_Key__c"),
        full(contacts, 200),
        1,
    );
    check(
        "accounts created",
        crm.calls("sobjects/Account/Leadloop_Key__c"),
        full(accounts, 200),
        1,
    );
    check(
        "leads created",
        crm.calls("sobjects/Lead/Leadloop_Key__c"),
        full(leads, 200),
        1,
    );
    check(
        "leads converted",
        crm.calls("/Soap/"),
        full(count("converted"), 100),
        1,
    );
    let updated = count("updated/crm");
    check(
        "CRM records updated",
        crm.calls("PATCH /services/data/v68.0/composite/sobjects") - crm.calls("Leadloop_Key__c"),
        full(updated, 200),
        3,
    );
    let told = count("updated/marketing");
    check(
        "marketing's leads updated",
        marketing.calls("batch/update") + marketing.calls("unsubscribe-all"),
        full(told, 100),
        3,
    );
    check(
        "notes",
        marketing.calls("notes/batch/create"),
        full(count("notes"), 100),
        1,
    );
    check(
        "marketing's leads read",
        marketing.calls("GET /crm/objects/2026-09/contacts"),
        full(LEADS, 100),
        1,
    );
    check("CRM rows read", crm.calls("/queryAll"), 6, 2);

    // The daemon looks again at intervals until all that it wrote has come back as its echo.
    let mut cycles = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        cycles += 1;
        if stage.cycle().await.is_quiet() {
            break;
        }
        assert!(cycles < 8, "it does not come to rest");
    }
    let changed = told.min(LEADS);
    let signing_in = 2;
    let least_crm = signing_in
        + 6
        + 6
        + full(contacts, 200)
        + full(accounts, 200)
        + full(leads, 200)
        + 2 * full(count("converted"), 100)
        + full(updated, 200)
        + 6 * cycles;
    let least_marketing = 1
        + 2
        + full(LEADS, 100)
        + full(told, 100)
        + full(count("notes"), 100)
        + full(changed, 200)
        + full(changed, 100)
        + cycles;
    for (side, calls, least) in [
        ("the CRM", crm.calls(""), least_crm),
        ("marketing", marketing.calls(""), least_marketing),
    ] {
        assert!(
            calls * 10 <= least * 13,
            "{side}: {calls} calls where {least} are the least"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_cycle_asks_each_stream_once_and_writes_nothing() {
    let mut stage = Stage::new(2, 300, 60);
    stage.run_once().await;
    stage.rest().await;
    let written = stage.written();
    let (marketing, crm) = (Meter::of(&stage.marketing), Meter::of(&stage.crm));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(stage.cycle().await.is_quiet());
    let streams: usize = stage
        .status()
        .sides
        .values()
        .map(|side| side.streams.len())
        .sum();
    let calls = marketing.calls("") + crm.calls("");
    assert!(calls <= streams, "{calls} calls for {streams} streams");
    assert_eq!(stage.written(), written);
}
