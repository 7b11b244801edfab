use super::*;
use crate::population::{Options, populate};
use jiff::SignedDuration;

#[test]
fn a_whole_population_is_compared_and_untouched_worlds_show_what_is_owed() {
    let mut story = Story::new();
    let start = story.now();
    let options = Options {
        seed: 3,
        leads: 800,
        accounts: 200,
        start,
    };
    let staged = populate(&mut story.marketing, &mut story.crm, &options);
    let comparison = story.compare();
    assert!(
        comparison.duplicates.is_empty(),
        "nobody has made anything yet"
    );
    let owed = comparison
        .lost
        .iter()
        .filter(|difference| difference.what == "qualified lead")
        .count();
    assert!(
        owed > staged.qualified / 2 && owed < staged.qualified,
        "{owed} of {} qualified leads are missing",
        staged.qualified
    );
    assert!(
        comparison.people_compared > 100
            && comparison.fields_compared > 700
            && comparison.dispositions_expected > 10
    );
}

#[test]
fn the_two_vendors_take_a_population_and_a_busy_day() {
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let mut marketing = crate::hubspot::HubSpot::new(crate::hubspot::Knobs::default());
    let mut crm = crate::salesforce::Salesforce::new(crate::salesforce::Settings::default(), start);
    let staged = populate(
        &mut marketing,
        &mut crm,
        &Options {
            seed: 11,
            leads: 600,
            accounts: 150,
            start,
        },
    );
    assert_eq!(marketing.live(Kind::Lead).len(), staged.leads);
    assert_eq!(crm.live(Kind::Account).len(), staged.accounts);
    assert_eq!(crm.live(Kind::Opportunity).len(), staged.opportunities);
    let before = compare(&marketing, &crm, &Expectations::default());
    let mut busy = crate::teams::MarketingTeam::new(1, Default::default());
    let mut selling = crate::teams::SalesTeam::new(2, Default::default());
    for step in 1..=200 {
        let now = start + SignedDuration::from_secs(step);
        busy.step(&mut marketing, now);
        selling.step(&mut crm, now);
    }
    let after = compare(&marketing, &crm, &Expectations::default());
    assert!(
        after.dispositions_expected > before.dispositions_expected
            && before.dispositions_expected > 0
    );
    assert!(
        after.duplicates.is_empty(),
        "no integration has made anything: {:?}",
        after.duplicates
    );
    let told_of = |what: &str| {
        after
            .lost
            .iter()
            .chain(&after.drift)
            .any(|difference| difference.what.contains(what))
    };
    for what in [
        "qualified lead",
        "opt-out",
        "disposition",
        "owner in the CRM",
        "amount",
        "phone",
        "wrong account",
    ] {
        assert!(told_of(what), "nothing about {what}");
    }
    assert!(
        after
            .lost
            .iter()
            .any(|difference| difference.crm.as_deref() == Some("won")),
        "deals are won"
    );
}

/// Hands a population over the way the agreement says, by the shortest way: what a faithful integration does.
fn hand_over(story: &mut Story, now: Timestamp) {
    let (marketing, crm) = (&mut story.marketing, &mut story.crm);
    let account_of = |crm: &Plain, email: &str| {
        let wanted = domain::email_domain(email)?;
        let bears = |id: &&String| {
            let site = crm
                .get(Kind::Account, id, field::WEBSITE)
                .unwrap_or_default();
            domain::website_domains(&site).contains(&wanted)
        };
        crm.live(Kind::Account).iter().find(bears).cloned()
    };
    for lead in marketing.live(Kind::Lead) {
        let Some(email) = marketing
            .get(Kind::Lead, &lead, field::EMAIL)
            .and_then(|email| domain::address(&email))
        else {
            continue;
        };
        let stage = marketing
            .get(Kind::Lead, &lead, field::LIFECYCLE)
            .unwrap_or_default();
        let is_open =
            |crm: &Plain, id: &String| crm.get(Kind::Lead, id, field::IS_CONVERTED).is_none();
        let mut contact = crm
            .find(Kind::Contact, field::EMAIL, &email)
            .first()
            .cloned();
        let mut crm_lead = crm
            .find(Kind::Lead, field::EMAIL, &email)
            .into_iter()
            .find(|id| is_open(crm, id));
        let opted_out = |dialect: &Plain, kind, id: &Option<String>| {
            id.as_ref()
                .is_some_and(|id| dialect.get(kind, id, field::OPT_OUT).as_deref() == Some("true"))
        };
        let out = opted_out(marketing, Kind::Lead, &Some(lead.clone()))
            || opted_out(crm, Kind::Contact, &contact)
            || opted_out(crm, Kind::Lead, &crm_lead);
        if crate::population::is_qualified_stage(&stage) {
            let is_business = !crate::population::freemail()
                .iter()
                .any(|free| email.ends_with(&format!("@{free}")));
            let mut account = account_of(crm, &email);
            if account.is_none() && is_business {
                let site = domain::email_domain(&email).unwrap();
                let values = [
                    (field::NAME, site.as_str()),
                    (field::WEBSITE, site.as_str()),
                ];
                account = Some(crm.create(Kind::Account, &values, Actor::Integration, now));
            }
            let turned_down = crm_lead
                .as_ref()
                .and_then(|id| crm.get(Kind::Lead, id, field::STATUS));
            if let (Some(id), Some(account), false) = (
                &crm_lead,
                &account,
                turned_down.as_deref() == Some("Closed - Not Converted"),
            ) {
                contact = crate::teams::convert(crm, id, Some(account), Actor::Integration, now)
                    .map(|made| made.contact);
                crm_lead = None;
            }
            if contact.is_none() && crm_lead.is_none() {
                let values = [
                    (field::EMAIL, email.as_str()),
                    (relation::ACCOUNT, account.as_deref().unwrap_or_default()),
                ];
                match &account {
                    Some(_) => {
                        contact = Some(crm.create(Kind::Contact, &values, Actor::Integration, now))
                    }
                    None => {
                        crm_lead =
                            Some(crm.create(Kind::Lead, &values[..1], Actor::Integration, now))
                    }
                }
            }
            let (kind, id) = contact
                .as_ref()
                .map_or((Kind::Lead, crm_lead.as_ref()), |id| {
                    (Kind::Contact, Some(id))
                });
            let id = id.unwrap();
            for expected in Expectations::default().fields {
                let (ours, theirs) = (
                    marketing.get(Kind::Lead, &lead, expected.name),
                    crm.get(kind, id, expected.name),
                );
                match (ours, theirs) {
                    (Some(ours), None) => assert!(crm.set(
                        kind,
                        id,
                        &[(expected.name, &ours)],
                        Actor::Integration,
                        now
                    )),
                    (None, Some(theirs)) => {
                        assert!(marketing.set(
                            Kind::Lead,
                            &lead,
                            &[(expected.name, &theirs)],
                            Actor::Integration,
                            now
                        ));
                    }
                    _ => {}
                }
            }
            marketing.set(
                Kind::Lead,
                &lead,
                &[(field::CRM_ID, id)],
                Actor::Integration,
                now,
            );
        }
        if out {
            marketing.set(
                Kind::Lead,
                &lead,
                &[(field::OPT_OUT, "true")],
                Actor::Integration,
                now,
            );
            for (kind, id) in [(Kind::Contact, &contact), (Kind::Lead, &crm_lead)] {
                if let Some(id) = id {
                    crm.set(
                        kind,
                        id,
                        &[(field::OPT_OUT, "true")],
                        Actor::Integration,
                        now,
                    );
                }
            }
        }
    }
}

#[test]
fn where_a_whole_population_was_handed_over_faithfully_nothing_but_verdicts_is_missing() {
    for seed in 1..=4 {
        let mut story = Story::new();
        let start = story.now();
        populate(
            &mut story.marketing,
            &mut story.crm,
            &Options {
                seed,
                leads: 900,
                accounts: 200,
                start,
            },
        );
        let now = story.now();
        hand_over(&mut story, now);
        let comparison = story.compare();
        assert_eq!(comparison.drift, [], "seed {seed}");
        assert_eq!(comparison.duplicates, [], "seed {seed}");
        let verdicts = ["disposition", "opportunity", "owner"];
        let others: Vec<&Difference> = comparison
            .lost
            .iter()
            .filter(|lost| !verdicts.iter().any(|verdict| lost.what.contains(verdict)))
            .collect();
        assert!(others.is_empty(), "seed {seed}: {others:#?}");
        assert!(comparison.people_compared > 400);
    }
}
