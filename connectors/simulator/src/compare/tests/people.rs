use super::*;

#[test]
fn qualified_leads_must_be_in_the_crm_and_others_need_not() {
    let mut story = Story::new();
    story.lead("jon@nordwind.de", &[]);
    story.lead("mia@nordwind.de", &[(field::LIFECYCLE, "subscriber")]);
    story.lead("broken(at)nordwind", &[]);
    story.check(&["lost: qualified lead"]);
    story.contact("Jon@Nordwind.DE ", &[]);
    story.check(&[]);
    assert_eq!(story.compare().people_compared, 1);
}

#[test]
fn what_people_delete_in_the_crm_is_no_loss_but_what_an_integration_deletes_is() {
    for (actor, expected) in [
        (Actor::Person, &[][..]),
        (Actor::Integration, &["lost: qualified lead"]),
    ] {
        let mut story = Story::new();
        let lead = story.lead("jon@nordwind.de", &[]);
        let contact = story.contact("jon@nordwind.de", &[]);
        let now = story.now();
        story.crm.delete(Kind::Contact, &contact, actor, now);
        story.check(expected);
        story.in_marketing(
            &lead,
            Actor::Person,
            &[(field::EMAIL, "jon.abe@nordwind.de")],
        );
        story.check(expected);
    }
}

#[test]
fn a_contact_merged_into_another_is_not_lost() {
    let mut story = Story::new();
    story.lead("jon@nordwind.de", &[]);
    let (old, new) = (
        story.contact("j.abe@nordwind.de", &[]),
        story.contact("jon@nordwind.de", &[]),
    );
    let now = story.now();
    story
        .crm
        .merge(Kind::Contact, &old, &[&new], Actor::Person, now);
    story.check(&[]);
}

#[test]
fn an_opt_out_on_either_side_is_on_both_even_before_a_lead_qualifies() {
    let mut story = Story::new();
    let lead = story.lead("jon@nordwind.de", &[(field::LIFECYCLE, "subscriber")]);
    let contact = story.contact("jon@nordwind.de", &[]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[(field::OPT_OUT, "true")],
    );
    story.check(&["lost: opt-out"]);
    story.in_marketing(&lead, Actor::Integration, &[(field::OPT_OUT, "true")]);
    story.check(&[]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[(field::OPT_OUT, "false")],
    );
    story.check(&["lost: opt-out"]);
}

#[test]
fn an_opt_out_follows_a_merge() {
    let mut story = Story::new();
    let (winner, loser) = (
        story.lead("jon@nordwind.de", &[]),
        story.lead("j.abe@nordwind.de", &[]),
    );
    story.contact("jon@nordwind.de", &[]);
    story.contact("j.abe@nordwind.de", &[(field::OPT_OUT, "true")]);
    story.in_marketing(&loser, Actor::Integration, &[(field::OPT_OUT, "true")]);
    story.check(&[]);
    let now = story.now();
    story
        .marketing
        .merge(Kind::Lead, &winner, &[&loser], Actor::Person, now);
    story.check(&["lost: opt-out"]);
}

#[test]
fn a_person_made_twice_counts_unless_people_came_later() {
    let mut story = Story::new();
    story.contact("jon@nordwind.de", &[]);
    story.make(
        Kind::Contact,
        Actor::Person,
        &[(field::EMAIL, "JON@nordwind.de")],
    );
    story.check(&[]);
    story.make(
        Kind::Contact,
        Actor::Person,
        &[(field::EMAIL, "mia@nordwind.de")],
    );
    story.make(
        Kind::Lead,
        Actor::Integration,
        &[(field::EMAIL, "mia@nordwind.de")],
    );
    story.check(&["duplicate: person made twice"]);
    story.contact("jon@nordwind.de", &[]);
    story.check(&[
        "duplicate: person made twice",
        "duplicate: person made twice",
    ]);
}

#[test]
fn an_account_is_made_once_per_domain_and_not_beside_one_that_is_there() {
    let mut story = Story::new();
    let account = |story: &mut Story, actor, website: &str| {
        story.make(Kind::Account, actor, &[(field::WEBSITE, website)])
    };
    account(&mut story, Actor::Person, "www.nordwind.de");
    account(&mut story, Actor::Person, "http://nordwind.de/");
    story.check(&[]);
    account(&mut story, Actor::Integration, "nordwind.de");
    story.check(&["duplicate: account made twice"]);

    let mut story = Story::new();
    account(&mut story, Actor::Integration, "südmeer.de");
    account(&mut story, Actor::Person, "https://www.xn--sdmeer-3ya.de");
    story.check(&[]);
    account(&mut story, Actor::Integration, "https://südmeer.de/");
    story.check(&["duplicate: account made twice"]);
}

#[test]
fn a_business_lead_belongs_under_an_account_of_its_domain() {
    let mut story = Story::new();
    let (home, abroad) = ("https://www.nordwind.de", "nordwind.de/fr");
    let right = story.make(Kind::Account, Actor::Person, &[(field::WEBSITE, home)]);
    let also_right = story.make(Kind::Account, Actor::Person, &[(field::WEBSITE, abroad)]);
    let wrong = story.make(
        Kind::Account,
        Actor::Person,
        &[(field::WEBSITE, "elsewhere.de")],
    );
    for email in [
        "a@nordwind.de",
        "b@mail.nordwind.de",
        "c@nordwind.de",
        "d@nordwind.de",
        "e@gmail.com",
        "f@nordwind.de",
    ] {
        story.lead(email, &[]);
    }
    story.contact("a@nordwind.de", &[(relation::ACCOUNT, &right)]);
    story.contact("b@mail.nordwind.de", &[(relation::ACCOUNT, &also_right)]);
    story.make(
        Kind::Contact,
        Actor::Person,
        &[
            (field::EMAIL, "c@nordwind.de"),
            (field::LAST_NAME, "Abe"),
            (relation::ACCOUNT, &wrong),
        ],
    );
    story.make(
        Kind::Lead,
        Actor::Integration,
        &[(field::EMAIL, "e@gmail.com"), (field::LAST_NAME, "Abe")],
    );
    story.make(
        Kind::Lead,
        Actor::Person,
        &[
            (field::EMAIL, "f@nordwind.de"),
            (field::LAST_NAME, "Abe"),
            (field::STATUS, "Open"),
        ],
    );
    story.contact("d@nordwind.de", &[(relation::ACCOUNT, &wrong)]);
    let comparison = story.compare();
    let who: Vec<&str> = comparison
        .drift
        .iter()
        .map(|difference| &difference.who[..1])
        .collect();
    assert_eq!(who, ["d", "f"], "{:#?}", comparison.drift);
}

#[test]
fn an_account_that_came_after_the_contact_is_not_held_against_it() {
    let mut story = Story::new();
    let wrong = story.make(
        Kind::Account,
        Actor::Person,
        &[(field::WEBSITE, "elsewhere.de")],
    );
    story.lead("a@nordwind.de", &[]);
    story.contact("a@nordwind.de", &[(relation::ACCOUNT, &wrong)]);
    story.make(
        Kind::Account,
        Actor::Person,
        &[(field::WEBSITE, "nordwind.de")],
    );
    story.check(&[]);
}
