use super::*;
use crate::agreement::TieBreaker;
use contract::{Fields, Kind, Record, Relation, field};
use jiff::Timestamp;

/// Accounts written one a line as `id | name | website | country | type | created day | contacts`.
fn index(lines: &str) -> Index {
    let mut index = Index::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let mut record = Record::new(Kind::Account, parts[0], Timestamp::UNIX_EPOCH);
        record.fields = Fields::default()
            .with(field::NAME, parts[1])
            .with(field::WEBSITE, parts[2])
            .with(field::COUNTRY, parts[3])
            .with(field::TYPE, parts[4]);
        let created = Timestamp::from_second(parts[5].parse::<i64>().expect("a day") * 86_400)
            .expect("in range");
        record.fields.set(field::CREATED_AT, created);
        index.put_account(&record);
        for contact in parts[6].split_whitespace() {
            index.contact_changed(None, Some(&contact_of(parts[0], contact)));
        }
    }
    index
}

fn contact_of(account: &str, email: &str) -> Record {
    let mut record = Record::new(Kind::Contact, email, Timestamp::UNIX_EPOCH);
    record.fields.set(field::EMAIL, email);
    record.relations.add(Relation::Account, Id::from(account));
    record
}

/// `account by rule`, `ambiguous …`, `none, create for …` or `none`.
fn answer(index: &Index, options: &Matching, candidate: &Candidate<'_>) -> String {
    match find(index, options, candidate) {
        Match::Matched(found) => format!("{} by {}", found.account, found.rule),
        Match::Ambiguous { accounts, .. } => format!(
            "ambiguous {}",
            accounts
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        ),
        Match::None {
            domain: Some(domain),
            ..
        } => format!("none, create for {domain}"),
        Match::None { domain: None, .. } => "none".to_owned(),
    }
}

fn check(index: &Index, email: &str, website: &str, company: &str, country: &str, expected: &str) {
    let given = |text: &'static str| (!text.is_empty()).then_some(text);
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let candidate = Candidate {
        email: given(leak(email)),
        website: given(leak(website)),
        company: given(leak(company)),
        country: given(leak(country)),
    };
    assert_eq!(
        answer(index, &Matching::default(), &candidate),
        expected,
        "{email} {website} {company} {country}"
    );
}

const WORLD: &str = "
    acme      | Acme, Inc.     | http://www.acme.com/ | United States | Customer | 10 |
    acme-de   | Acme GmbH      | acme.com             | Germany       | Prospect | 20 |
    acme-twin | Acme Inc       | ACME.com             | USA           | Prospect | 5  | a@acme.com
    nord      | Nordwind GmbH  | nordwind.de          | Germany       | Prospect | 30 | x@nw-energie.de y@nw-energie.de
    baker     | Baker & Sons   |                      | Ireland       |          | 40 |
    uni       | Oxford         | ox.ac.uk             | UK            |          | 50 |
";

#[test]
fn an_account_is_found_by_the_domain_of_the_address() {
    let index = index(WORLD);
    check(
        &index,
        "jo@mail.nordwind.de",
        "",
        "",
        "",
        "nord by e-mail domain",
    );
    check(
        &index,
        "don@cs.ox.ac.uk",
        "",
        "",
        "",
        "uni by e-mail domain",
    );
}

#[test]
fn accounts_that_share_a_domain_are_told_apart_by_the_tie_breakers() {
    let index = index(WORLD);
    check(
        &index,
        "jo@acme.com",
        "",
        "",
        "Deutschland",
        "acme-de by e-mail domain",
    );
    check(&index, "jo@acme.com", "", "", "US", "acme by e-mail domain");
    check(&index, "jo@acme.com", "", "", "", "acme by e-mail domain");
}

#[test]
fn contacts_teach_a_domain() {
    check(
        &index(WORLD),
        "z@nw-energie.de",
        "",
        "",
        "",
        "nord by domain of its contacts",
    );
}

#[test]
fn public_mail_says_nothing_but_the_web_site_may() {
    let index = index(WORLD);
    check(&index, "jo@gmail.com", "", "", "", "none");
    check(
        &index,
        "jo@gmail.com",
        "www.nordwind.de/kontakt",
        "",
        "",
        "nord by domain of the web site",
    );
}

#[test]
fn the_company_name_is_the_last_resort_and_another_country_speaks_against_it() {
    let index = index(WORLD);
    check(
        &index,
        "jo@gmail.com",
        "",
        "Nordwind",
        "Germany",
        "nord by company name",
    );
    check(
        &index,
        "jo@gmail.com",
        "",
        "NORDWIND GmbH & Co. KG",
        "",
        "nord by company name",
    );
    check(
        &index,
        "jo@gmail.com",
        "",
        "Baker & Sons Ltd.",
        "France",
        "none",
    );
    check(
        &index,
        "jo@gmail.com",
        "",
        "Baker & Sons Ltd.",
        "",
        "baker by company name",
    );
}

#[test]
fn a_company_without_an_account_is_named_by_its_domain() {
    check(
        &index(WORLD),
        "jo@eu.unknown-corp.co.uk",
        "",
        "",
        "",
        "none, create for unknown-corp.co.uk",
    );
}

#[test]
fn what_no_tie_breaker_tells_apart_goes_to_the_arbiter() {
    let options = Matching {
        tie_breakers: vec![TieBreaker::SameCountry],
        ..Matching::default()
    };
    let candidate = Candidate {
        email: Some("jo@acme.com"),
        country: Some("USA"),
        ..Candidate::default()
    };
    assert_eq!(
        answer(&index(WORLD), &options, &candidate),
        "ambiguous acme acme-twin"
    );
}

#[test]
fn own_and_excluded_domains_are_nobodys_company() {
    let options = Matching {
        own_domains: vec!["www.acme.com".into()],
        excluded_domains: vec!["nordwind.de".into()],
        ..Matching::default()
    };
    for email in ["jo@acme.com", "jo@nordwind.de"] {
        assert_eq!(
            answer(
                &index(WORLD),
                &options,
                &Candidate {
                    email: Some(email),
                    ..Candidate::default()
                }
            ),
            "none",
            "{email}"
        );
    }
}

#[test]
fn the_order_in_which_accounts_arrive_does_not_matter() {
    let reversed: String = WORLD
        .lines()
        .rev()
        .map(|line| format!("{line}\n"))
        .collect();
    for email in ["jo@acme.com", "z@nw-energie.de", "jo@mail.nordwind.de"] {
        let candidate = Candidate {
            email: Some(email),
            ..Candidate::default()
        };
        let options = Matching::default();
        assert_eq!(
            find(&index(WORLD), &options, &candidate),
            find(&index(&reversed), &options, &candidate)
        );
    }
}

#[test]
fn an_account_that_changes_or_goes_is_found_by_what_it_is_now() {
    let mut index = index(WORLD);
    let mut moved = Record::new(Kind::Account, "nord", Timestamp::UNIX_EPOCH);
    moved.fields = Fields::default()
        .with(field::NAME, "Nordwind")
        .with(field::WEBSITE, "nordwind.com");
    index.put_account(&moved);
    check(
        &index,
        "jo@nordwind.de",
        "",
        "",
        "",
        "none, create for nordwind.de",
    );
    check(
        &index,
        "jo@nordwind.com",
        "",
        "",
        "",
        "nord by e-mail domain",
    );
    index.remove_account(&Id::from("nord"));
    check(
        &index,
        "jo@nordwind.com",
        "",
        "",
        "",
        "none, create for nordwind.com",
    );
}
