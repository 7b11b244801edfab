use super::*;

#[test]
fn fields_are_equal_in_whatever_spelling() {
    let mut story = Story::new();
    let lead = story.lead(
        "jon@nordwind.de",
        &[
            (field::PHONE, "+49 40 123"),
            (field::COUNTRY, "Deutschland"),
        ],
    );
    let contact = story.contact(
        "jon@nordwind.de",
        &[(field::PHONE, "0049-40123"), (field::COUNTRY, "Germany")],
    );
    story.check(&[]);
    story.in_marketing(&lead, Actor::Person, &[(field::TITLE, "CTO")]);
    story.check(&["drift: title"]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Integration,
        &[(field::TITLE, "CTO")],
    );
    story.check(&[]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[(field::TITLE, "CEO"), (field::PHONE, "+1 555")],
    );
    story.check(&["drift: title", "drift: phone"]);
}

#[test]
fn what_differed_before_they_met_may_stay_until_one_moves_but_blanks_are_filled() {
    let mut story = Story::new();
    let values = [
        (field::EMAIL, "JON@nordwind.de"),
        (field::LAST_NAME, "Abé"),
        (field::PHONE, "+49 40 123"),
    ];
    let contact = story.make(Kind::Contact, Actor::Person, &values);
    let lead = story.lead("jon@nordwind.de", &[(field::CITY, "Kiel")]);
    story.check(&["drift: phone", "drift: city"]);
    story.in_marketing(&lead, Actor::Integration, &[(field::PHONE, "+49 40 123")]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Integration,
        &[(field::CITY, "Kiel")],
    );
    story.check(&[]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[(field::LAST_NAME, "Abbe")],
    );
    story.check(&["drift: last_name"]);
}

#[test]
fn conversion_carries_a_difference_over_without_renewing_it() {
    let mut story = Story::new();
    let account = story.make(
        Kind::Account,
        Actor::Person,
        &[(field::WEBSITE, "nordwind.de")],
    );
    let lead = story.make(
        Kind::Lead,
        Actor::Person,
        &[(field::EMAIL, "jon@nordwind.de"), (field::LAST_NAME, "Abé")],
    );
    story.lead("jon@nordwind.de", &[]);
    let now = story.now();
    let converted = crate::teams::convert(
        &mut story.crm,
        &lead,
        Some(&account),
        Actor::Integration,
        now,
    )
    .unwrap();
    assert_eq!(converted.account, account);
    story.check(&[]);
}

#[test]
fn a_cleared_value_and_a_value_the_crm_asks_for_are_no_drift() {
    let mut story = Story::new();
    let lead = story.lead(
        "jon@nordwind.de",
        &[(field::LAST_NAME, ""), (field::CITY, "Kiel")],
    );
    let contact = story.contact(
        "jon@nordwind.de",
        &[(field::LAST_NAME, "[not provided]"), (field::CITY, "Kiel")],
    );
    story.in_marketing(&lead, Actor::Person, &[(field::CITY, "")]);
    story.check(&[]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[(field::TITLE, "CTO")],
    );
    story.check(&["drift: title"]);
}

#[test]
fn a_one_way_field_counts_only_in_its_direction() {
    let mut story = Story::new();
    let lead = story.lead("jon@gmail.com", &[(field::INDUSTRY, "Energy")]);
    let values = [
        (field::EMAIL, "jon@gmail.com"),
        (field::LAST_NAME, "Abe"),
        (field::INDUSTRY, "Energy"),
    ];
    let crm_lead = story.make(Kind::Lead, Actor::Integration, &values);
    story.in_crm(
        Kind::Lead,
        &crm_lead,
        Actor::Person,
        &[(field::INDUSTRY, "Media")],
    );
    story.check(&[]);
    story.in_marketing(&lead, Actor::Person, &[(field::INDUSTRY, "Retail")]);
    story.check(&["drift: industry"]);
}

#[test]
fn where_the_crm_has_a_person_twice_one_record_in_step_is_enough() {
    let mut story = Story::new();
    story.lead("jon@nordwind.de", &[(field::CITY, "Kiel")]);
    story.contact("jon@nordwind.de", &[(field::CITY, "Kiel")]);
    story.make(
        Kind::Contact,
        Actor::Person,
        &[(field::EMAIL, "jon@nordwind.de"), (field::CITY, "Bonn")],
    );
    story.check(&[]);
}
