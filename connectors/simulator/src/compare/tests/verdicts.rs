use super::*;

#[test]
fn a_rejection_comes_back_with_reason_owner_and_note() {
    let mut story = Story::new();
    let user = story.make(
        Kind::User,
        Actor::Person,
        &[(field::NAME, "Mara Lindqvist")],
    );
    let lead = story.lead("jon@nordwind.de", &[]);
    let contact = story.contact("jon@nordwind.de", &[(relation::OWNER, &user)]);
    story.check(&[]);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[
            (field::STATUS, "Rejected"),
            (field::STATUS_REASON, "No budget"),
        ],
    );
    story.check(&[
        "lost: disposition",
        "lost: reason of the disposition",
        "lost: owner in the CRM",
        "lost: note of the disposition",
    ]);
    let told = [
        (field::DISPOSITION, "rejected"),
        (field::DISPOSITION_REASON, "No budget"),
        (field::SALES_OWNER, "Mara Lindqvist"),
    ];
    story.in_marketing(&lead, Actor::Integration, &told);
    story.note(&lead, "Sales: rejected");
    story.check(&[]);
    assert_eq!(story.compare().dispositions_expected, 1);
    story.in_crm(
        Kind::Contact,
        &contact,
        Actor::Person,
        &[(field::STATUS, "")],
    );
    story.check(&["drift: a disposition that sales has not given"]);
}

#[test]
fn opportunities_speak_before_statuses_and_the_open_one_before_the_won() {
    let mut story = Story::new();
    let account = story.make(Kind::Account, Actor::Person, &[(field::NAME, "Nordwind")]);
    let lead = story.lead("jon@nordwind.de", &[]);
    let contact = story.contact(
        "jon@nordwind.de",
        &[(relation::ACCOUNT, &account), (field::STATUS, "Working")],
    );
    let deal = |story: &mut Story, stage: &str, closed: &str, won: &str, contact: Option<&str>| {
        let values = [
            (relation::ACCOUNT, account.as_str()),
            (field::STAGE, stage),
            (field::AMOUNT, "12000"),
            (field::IS_CLOSED, closed),
            (field::IS_WON, won),
        ];
        let deal = story.make(Kind::Opportunity, Actor::Person, &values);
        if let Some(contact) = contact {
            story.make(
                Kind::Role,
                Actor::Person,
                &[(relation::OPPORTUNITY, &deal), (relation::CONTACT, contact)],
            );
        }
        deal
    };
    let tell = |story: &mut Story, disposition: &str, stage: &str| {
        story.in_marketing(
            &lead,
            Actor::Integration,
            &[
                (field::DISPOSITION, disposition),
                (field::SALES_STAGE, stage),
                (field::SALES_AMOUNT, "12000.00"),
            ],
        );
        story.note(&lead, &format!("Sales: {disposition}"));
    };
    deal(&mut story, "Prospecting", "false", "false", None);
    tell(&mut story, "opportunity", "Prospecting");
    story.check(&[]);
    deal(&mut story, "Closed Won", "true", "true", Some(&contact));
    tell(&mut story, "won", "Closed Won");
    story.check(&[]);
    let open = deal(
        &mut story,
        "Qualification",
        "false",
        "false",
        Some(&contact),
    );
    tell(&mut story, "opportunity", "Qualification");
    story.check(&[]);
    let lost = [
        (field::STAGE, "Closed Lost"),
        (field::IS_CLOSED, "true"),
        (field::LOST_REASON, "Price"),
    ];
    story.in_crm(Kind::Opportunity, &open, Actor::Person, &lost);
    story.check(&["lost: disposition", "lost: stage of the opportunity"]);
}

#[test]
fn a_lead_that_people_converted_is_accepted_and_one_that_leadloop_converted_is_not() {
    for (actor, expected) in [
        (
            Actor::Person,
            &["lost: disposition", "lost: note of the disposition"][..],
        ),
        (Actor::Integration, &[]),
    ] {
        let mut story = Story::new();
        let account = story.make(
            Kind::Account,
            Actor::Person,
            &[(field::WEBSITE, "nordwind.de")],
        );
        story.lead("jon@nordwind.de", &[]);
        let lead = story.make(
            Kind::Lead,
            Actor::Person,
            &[(field::EMAIL, "jon@nordwind.de"), (field::LAST_NAME, "Abe")],
        );
        let now = story.now();
        crate::teams::convert(&mut story.crm, &lead, Some(&account), actor, now).unwrap();
        story.check(expected);
    }
}
