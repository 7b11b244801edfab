use super::*;
use crate::population::{Options, plain::Plain, populate};

fn start() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn staged() -> Plain {
    let (mut marketing, mut crm) = (Plain::marketing(), Plain::crm());
    populate(
        &mut marketing,
        &mut crm,
        &Options {
            seed: 4,
            leads: 200,
            accounts: 60,
            start: start(),
        },
    );
    crm
}

#[test]
fn a_quarter_of_sales_is_told_in_sentences_and_repeats_from_its_seed() {
    let quarter = || {
        let mut crm = staged();
        let mut team = SalesTeam::new(9, SalesRates::default());
        (0..500)
            .flat_map(|_| team.step(&mut crm, start()))
            .collect::<Vec<String>>()
    };
    let told = quarter();
    assert_eq!(told, quarter());
    let words = [
        "accepted",
        "is working on",
        "rejected",
        "recycled",
        "qualified",
        "turned down",
        "converted",
        "opened",
        "naming nobody",
        "moved",
        "won",
        "lost",
        "noted a new",
        "handed",
        "no more mail",
        "by hand",
        "merged two accounts",
        "deleted",
    ];
    for word in words {
        assert!(
            told.iter().any(|sentence| sentence.contains(word)),
            "nothing {word}"
        );
    }
}

#[test]
fn most_verdicts_are_on_people_who_were_handed_over() {
    let mut crm = staged();
    let account = crm.live(Kind::Account)[0].clone();
    let values = [
        (field::LAST_NAME, "Abe"),
        (field::EMAIL, "jon@abe.de"),
        (relation::ACCOUNT, &account),
    ];
    let handed = crm.create(Kind::Contact, &values, Actor::Integration, start());
    let only_status = SalesRates {
        contact_status: 1,
        ..nothing()
    };
    let mut team = SalesTeam::new(2, only_status);
    for _ in 0..20 {
        team.step(&mut crm, start());
    }
    let history = &crm.world().get("contact", &handed).unwrap().history;
    let verdicts = history
        .iter()
        .filter(|change| change.field == field::STATUS)
        .count();
    assert!(verdicts > 5, "{verdicts} verdicts");
}

#[test]
fn merging_accounts_takes_their_people_along() {
    let mut crm = Plain::crm();
    let account = |crm: &mut Plain, website: &str| {
        crm.create(
            Kind::Account,
            &[(field::NAME, "Nordwind"), (field::WEBSITE, website)],
            Actor::Person,
            start(),
        )
    };
    let (old, new) = (
        account(&mut crm, "nordwind.de"),
        account(&mut crm, "https://www.nordwind.de/"),
    );
    let contact = crm.create(
        Kind::Contact,
        &[(relation::ACCOUNT, &new)],
        Actor::Person,
        start(),
    );
    let mut team = SalesTeam::new(
        1,
        SalesRates {
            merge_accounts: 1,
            ..nothing()
        },
    );
    assert_eq!(team.step(&mut crm, start()).len(), 1);
    assert_eq!(
        crm.get(Kind::Contact, &contact, relation::ACCOUNT),
        Some(old)
    );
}

fn nothing() -> SalesRates {
    SalesRates {
        actions: 1,
        lead_status: 0,
        convert: 0,
        contact_status: 0,
        open_opportunity: 0,
        move_stage: 0,
        close_opportunity: 0,
        edit: 0,
        change_owner: 0,
        opt_out: 0,
        add_contact: 0,
        merge_contacts: 0,
        merge_accounts: 0,
        delete_contact: 0,
    }
}
