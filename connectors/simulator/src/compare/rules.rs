//! The rules but for sales' verdicts, each by itself.

use super::{
    Comparison, Difference, FieldExpectation, domain,
    normal::normal,
    view::{Case, Lead, Person, history},
};
use crate::{Actor, world::Row};
use contract::{Kind, field};
use jiff::Timestamp;

/// A person who opted out on one side has opted out on the other, qualified or not: under the present address, and under
/// those of records that were merged into this one.
pub(super) fn opt_out(case: &Case<'_>, lead: &Lead<'_>, comparison: &mut Comparison) {
    for person in case
        .crm
        .known_by(lead.email.iter().chain(&lead.merged_emails))
    {
        if person.opted_out != lead.opted_out {
            let shown = |opted_out: bool| {
                Some(
                    if opted_out {
                        "opted out"
                    } else {
                        "not opted out"
                    }
                    .to_owned(),
                )
            };
            comparison.lost.push(Difference {
                who: format!("{} and {} {}", lead.who(), person.kind, person.row.id),
                what: "opt-out".to_owned(),
                marketing: shown(lead.opted_out),
                crm: shown(person.opted_out),
            });
        }
    }
}

/// A qualified lead is lost if the CRM has nobody under any of its addresses, and nobody has deleted or merged them there.
pub(super) fn is_lost(case: &Case<'_>, lead: &Lead<'_>) -> bool {
    case.crm.known_by(lead.emails()).is_empty()
        && !lead.emails().any(|email| case.crm.excused.contains(email))
}

/// How a lost person is told.
pub(super) fn lost(lead: &Lead<'_>) -> Difference {
    Difference {
        who: lead.who(),
        what: "qualified lead".to_owned(),
        marketing: lead.email.clone(),
        crm: None,
    }
}

/// A business lead whose domain an account bears is a contact under such an account. Contacts stay where people put
/// them; a CRM lead that sales has turned down stays a lead.
pub(super) fn account(case: &Case<'_>, lead: &Lead<'_>, comparison: &mut Comparison) {
    let Some(domain) = business_domain(case, lead) else {
        return;
    };
    let Some(bearers) = case.crm.by_domain.get(&domain) else {
        return;
    };
    for person in case.crm.known_by(lead.email.iter()) {
        let made_by_us = person.row.created_by == Actor::Integration;
        let seen_by = match person.kind {
            // The account was chosen when the contact was made.
            Kind::Contact if made_by_us => person.row.created,
            Kind::Lead if !is_turned_down(case, person) => person.row.created.max(lead.since),
            _ => continue,
        };
        let known_then = |account: &&str| {
            case.crm
                .accounts
                .get(*account)
                .is_some_and(|account| bore_by(case, account, &domain, seen_by))
        };
        if !bearers.iter().any(known_then) {
            continue;
        }
        if person.kind == Kind::Contact
            && person
                .account
                .as_deref()
                .is_some_and(|account| bearers.contains(&account))
        {
            continue;
        }
        // Somebody may have moved the contact since.
        let moved = history(
            case.crm.dialect,
            person.kind,
            person.row,
            crate::world::relation::ACCOUNT,
        );
        if moved
            .into_iter()
            .any(|change| change.actor == Actor::Person)
        {
            continue;
        }
        let place = match &person.account {
            Some(account) if person.kind == Kind::Contact => {
                format!("contact {} under account {account}", person.row.id)
            }
            _ => format!("{} {} without account", person.kind, person.row.id),
        };
        let what = format!("wrong account: {domain} is borne by {}", bearers.join(", "));
        comparison.drift.push(Difference {
            who: lead.who(),
            what,
            marketing: lead.email.clone(),
            crm: Some(place),
        });
    }
}

/// The domain that says where a lead works: not a public provider's, and the same in all the person's addresses.
fn business_domain(case: &Case<'_>, lead: &Lead<'_>) -> Option<String> {
    let domain = domain::email_domain(lead.email.as_deref()?)?;
    let same = lead
        .emails()
        .all(|email| domain::email_domain(email).as_deref() == Some(&domain));
    let excluded = crate::population::freemail().contains(&domain.as_str())
        || case.expectations.excluded_domains.contains(&domain);
    (same && !excluded).then_some(domain)
}

fn is_turned_down(case: &Case<'_>, person: &Person<'_>) -> bool {
    let status = case
        .crm
        .dialect
        .get(person.kind, &person.row.id, field::STATUS)
        .unwrap_or_default()
        .to_lowercase();
    matches!(
        case.expectations.lead_status.get(&status),
        Some(&("rejected" | "recycled"))
    )
}

/// Whether an account bore a domain well before a moment.
fn bore_by(case: &Case<'_>, account: &Row, domain: &str, at: Timestamp) -> bool {
    let at = at.saturating_sub(case.expectations.hindsight).unwrap_or(at);
    let Some(values) = account.as_of(at) else {
        return false;
    };
    [field::WEBSITE, field::DOMAINS].iter().any(|name| {
        let native = case.crm.dialect.native(Kind::Account, name).unwrap_or(name);
        values
            .get(native)
            .is_some_and(|site| domain::website_domains(site).contains(domain))
    })
}

/// Fields kept in step are equal. Where the CRM has a person several times, one record in step is enough.
pub(super) fn fields(case: &Case<'_>, lead: &Lead<'_>, comparison: &mut Comparison) {
    let people = case.crm.known_by(lead.emails());
    let best = people
        .iter()
        .map(|person| differing(case, lead, person))
        .min_by_key(|(drift, _)| drift.len());
    if let Some((drift, fields)) = best {
        comparison.people_compared += 1;
        comparison.fields_compared += fields;
        comparison.drift.extend(drift);
    }
}

fn differing(case: &Case<'_>, lead: &Lead<'_>, person: &Person<'_>) -> (Vec<Difference>, usize) {
    let mut drift = Vec::new();
    let mut fields = 0;
    for expected in &case.expectations.fields {
        let kept = if person.kind == Kind::Contact {
            expected.on_contacts
        } else {
            expected.on_leads
        };
        let native = (
            case.marketing.dialect.native(Kind::Lead, expected.name),
            case.crm.dialect.native(person.kind, expected.name),
        );
        if !kept || native.0.is_none() || native.1.is_none() {
            continue;
        }
        fields += 1;
        let ours = case
            .marketing
            .dialect
            .get(Kind::Lead, &lead.row.id, expected.name);
        let theirs = case
            .crm
            .dialect
            .get(person.kind, &person.row.id, expected.name);
        let pair = (
            normal(expected.name, ours.as_deref()),
            normal(expected.name, theirs.as_deref()),
        );
        if pair.0 != pair.1 && !is_allowed(case, lead, person, expected, &pair) {
            drift.push(Difference {
                who: format!("{} and {} {}", lead.who(), person.kind, person.row.id),
                what: expected.name.to_owned(),
                marketing: ours,
                crm: theirs,
            });
        }
    }
    (drift, fields)
}

/// Differences that the agreement allows:
///
/// | difference | why |
/// |---|---|
/// | a side was cleared | a blank does not overwrite |
/// | blank in marketing, a placeholder in the CRM | the CRM asks for a value where marketing has none |
/// | the side that moved last does not flow | one-way mapping |
/// | both values are older than the meeting | they stay until one moves |
fn is_allowed(
    case: &Case<'_>,
    lead: &Lead<'_>,
    person: &Person<'_>,
    expected: &FieldExpectation,
    (ours, theirs): &(Option<String>, Option<String>),
) -> bool {
    let our_moves = moves(
        case.marketing.dialect,
        Kind::Lead,
        lead.row,
        None,
        expected.name,
    );
    let their_moves = moves(
        case.crm.dialect,
        person.kind,
        person.row,
        person.origin,
        expected.name,
    );
    let was_cleared = |moves: &[Move]| moves.iter().any(|(_, blank)| !blank);
    match (ours, theirs) {
        (None, _) if was_cleared(&our_moves) => return true,
        (_, None) if was_cleared(&their_moves) => return true,
        (None, Some(theirs)) if case.expectations.placeholders.contains(theirs.as_str()) => {
            return true;
        }
        _ => {}
    }
    let last = |moves: &[Move]| moves.last().map(|(at, _)| *at);
    let (our_last, their_last) = (last(&our_moves), last(&their_moves));
    if (!expected.to_marketing && their_last >= our_last)
        || (!expected.to_crm && our_last >= their_last)
    {
        return true;
    }
    let met = meeting(lead, person);
    case.expectations.standing_differences
        && ours.is_some()
        && theirs.is_some()
        && our_last.max(their_last) <= Some(met)
}

/// When a field moved, and whether to blank.
type Move = (Timestamp, bool);

/// A contact's field goes on from the CRM lead that it was: what conversion carried over is as old as it was there.
fn moves(
    dialect: &dyn crate::Dialect,
    kind: Kind,
    row: &Row,
    origin: Option<&Row>,
    name: &str,
) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut value = None;
    if let Some(origin) = origin {
        for change in history(dialect, Kind::Lead, origin, name) {
            value = normal(name, change.value.as_deref());
            moves.push((change.at, value.is_none()));
        }
    }
    for change in history(dialect, kind, row, name) {
        let next = normal(name, change.value.as_deref());
        if next != value || moves.is_empty() {
            moves.push((change.at, next.is_none()));
        }
        value = next;
    }
    moves
}

/// When leadloop first wrote to one of the two after the lead had qualified; before that, it may have seen neither. A
/// record that leadloop made met its lead by being made.
fn meeting(lead: &Lead<'_>, person: &Person<'_>) -> Timestamp {
    let rows = [Some(lead.row), Some(person.row), person.origin];
    let begun = lead.since.max(person.origin.unwrap_or(person.row).created);
    let writes = rows
        .into_iter()
        .flatten()
        .flat_map(|row| &row.history)
        .filter(|change| change.actor == Actor::Integration);
    let first = writes
        .map(|change| change.at)
        .filter(|at| *at >= begun)
        .min();
    let made = person.origin.unwrap_or(person.row);
    match first {
        _ if made.created_by == Actor::Integration => Timestamp::MIN,
        Some(first) => first,
        None => begun,
    }
}

/// No person is in the CRM twice through leadloop: of several live records with one address, none may be made by leadloop
/// after another was there.
pub(super) fn twins(case: &Case<'_>, comparison: &mut Comparison) {
    for (email, places) in case
        .crm
        .by_email
        .iter()
        .filter(|(_, places)| places.len() > 1)
    {
        let people: Vec<&Person<'_>> = places
            .iter()
            .map(|place| &case.crm.people[*place])
            .collect();
        let by_us = |person: &&Person<'_>| person.row.created_by == Actor::Integration;
        let oldest = people.iter().map(|person| person.row.created).min();
        let ours = people.iter().copied().filter(by_us).count();
        let late = people
            .iter()
            .copied()
            .filter(by_us)
            .any(|person| Some(person.row.created) > oldest);
        if ours > 1 || late {
            let records: Vec<String> = people
                .iter()
                .map(|person| format!("{} {}", person.kind, person.row.id))
                .collect();
            comparison.duplicates.push(Difference {
                who: email.clone(),
                what: "person made twice".to_owned(),
                marketing: None,
                crm: Some(records.join(", ")),
            });
        }
    }
}

/// No company gets an account through leadloop while it has one, or two at once.
pub(super) fn twin_accounts(case: &Case<'_>, comparison: &mut Comparison) {
    for (domain, ids) in case.crm.by_domain.iter().filter(|(_, ids)| ids.len() > 1) {
        let accounts: Vec<&Row> = ids
            .iter()
            .filter_map(|id| case.crm.accounts.get(id))
            .copied()
            .collect();
        let ours: Vec<&Row> = accounts
            .iter()
            .copied()
            .filter(|account| account.created_by == Actor::Integration)
            .collect();
        let in_vain = ours.iter().any(|own| {
            let others = accounts
                .iter()
                .filter(|other| other.id != own.id && other.created_by != Actor::Integration);
            others
                .into_iter()
                .any(|other| bore_by(case, other, domain, own.created))
        });
        if ours.len() > 1 || in_vain {
            comparison.duplicates.push(Difference {
                who: domain.clone(),
                what: "account made twice".to_owned(),
                marketing: None,
                crm: Some(ids.join(", ")),
            });
        }
    }
}
