//! What sales says, read from the CRM's records, and whether marketing has heard it.

use super::{
    Comparison, Difference, Expectations,
    view::{Case, Crm, Lead, Person, history, is_true},
};
use crate::{Actor, world::relation};
use contract::{Kind, field};
use jiff::Timestamp;
use rust_decimal::Decimal;

/// A verdict with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Verdict {
    disposition: &'static str,
    reason: Option<String>,
    stage: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    owner: Option<String>,
}

/// Marketing has the disposition with reason, stage, amount and owner, and a note tells of it. Where the CRM has the
/// person several times, the verdict on one of them is enough.
pub(super) fn disposition(case: &Case<'_>, lead: &Lead<'_>, comparison: &mut Comparison) {
    let Case {
        marketing,
        crm,
        expectations,
    } = case;
    let people = crm.known_by(lead.emails());
    if people.is_empty() {
        return;
    }
    let told = |name: &str| {
        marketing
            .dialect
            .get(Kind::Lead, &lead.row.id, name)
            .filter(|text| !text.trim().is_empty())
    };
    let verdicts: Vec<Option<Verdict>> = people
        .iter()
        .map(|person| verdict(crm, person, expectations))
        .collect();
    let said = told(field::DISPOSITION);
    if verdicts.iter().any(Option::is_some) {
        comparison.dispositions_expected += 1;
    }
    if said.is_none() && verdicts.iter().any(Option::is_none) {
        return;
    }
    let complaints = |verdict: &Verdict| {
        let mut complaints = Vec::new();
        let mut check =
            |what: &str, name: &str, expected: Option<&str>, equal: fn(&str, &str) -> bool| {
                let held = told(name);
                let fits = match (held.as_deref(), expected) {
                    (Some(held), Some(expected)) => equal(held.trim(), expected.trim()),
                    (None, None) => true,
                    _ => false,
                };
                if !fits {
                    let (marketing, crm) = (held, expected.map(str::to_owned));
                    complaints.push(Difference {
                        who: lead.who(),
                        what: what.to_owned(),
                        marketing,
                        crm,
                    });
                }
            };
        let same: fn(&str, &str) -> bool = |one, other| one == other;
        check(
            "disposition",
            field::DISPOSITION,
            Some(verdict.disposition),
            same,
        );
        if matches!(verdict.disposition, "rejected" | "recycled" | "lost") {
            check(
                "reason of the disposition",
                field::DISPOSITION_REASON,
                verdict.reason.as_deref(),
                same,
            );
        }
        if matches!(verdict.disposition, "opportunity" | "won" | "lost") {
            check(
                "stage of the opportunity",
                field::SALES_STAGE,
                verdict.stage.as_deref(),
                same,
            );
            check(
                "amount of the opportunity",
                field::SALES_AMOUNT,
                verdict.amount.as_deref(),
                same_number,
            );
            if expectations.currency {
                check(
                    "currency of the opportunity",
                    field::SALES_CURRENCY,
                    verdict.currency.as_deref(),
                    same,
                );
            }
        }
        if verdict.owner.is_some() {
            check(
                "owner in the CRM",
                field::SALES_OWNER,
                verdict.owner.as_deref(),
                same,
            );
        }
        let noted = marketing
            .notes
            .get(&lead.row.id)
            .is_some_and(|notes| notes.iter().any(|note| note.contains(verdict.disposition)));
        if expectations.notes && marketing.dialect.table(Kind::Note).is_some() && !noted {
            let crm = Some(verdict.disposition.to_owned());
            complaints.push(Difference {
                who: lead.who(),
                what: "note of the disposition".to_owned(),
                marketing: None,
                crm,
            });
        }
        complaints
    };
    match verdicts
        .iter()
        .flatten()
        .map(complaints)
        .min_by_key(Vec::len)
    {
        Some(complaints) => comparison.lost.extend(complaints),
        None => comparison.drift.push(Difference {
            who: lead.who(),
            what: "a disposition that sales has not given".to_owned(),
            marketing: said,
            crm: None,
        }),
    }
}

fn same_number(one: &str, other: &str) -> bool {
    match (one.parse::<Decimal>(), other.parse::<Decimal>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// What sales says of a person: an opportunity if there is one, else a status, else that people converted the lead.
fn verdict(crm: &Crm<'_>, person: &Person<'_>, expectations: &Expectations) -> Option<Verdict> {
    let mut verdict = by_opportunity(crm, person, expectations)
        .or_else(|| by_status(crm, person, expectations))
        .or_else(|| by_conversion(crm, person, expectations))?;
    let owner = crm
        .dialect
        .get(person.kind, &person.row.id, relation::OWNER);
    verdict.owner = owner.and_then(|owner| crm.dialect.get(Kind::User, &owner, field::NAME));
    Some(verdict)
}

/// Any open opportunity, the newest first; else any won one; else any lost one. A contact without a role anywhere shares
/// in its account's opportunities that name nobody.
fn by_opportunity(
    crm: &Crm<'_>,
    person: &Person<'_>,
    expectations: &Expectations,
) -> Option<Verdict> {
    if person.kind != Kind::Contact {
        return None;
    }
    let shared = || {
        person
            .account
            .as_ref()
            .filter(|_| expectations.opportunities_without_roles)
            .and_then(|account| crm.without_role.get(account))
    };
    let opportunities = crm.with_role.get(&person.row.id).or_else(shared)?;
    let best = opportunities.iter().max_by_key(|id| rank(crm, id))?;
    let text = |name: &str| {
        crm.dialect
            .get(Kind::Opportunity, best, name)
            .filter(|text| !text.trim().is_empty())
    };
    let disposition = match rank(crm, best).0 {
        2 => "opportunity",
        1 => "won",
        _ => "lost",
    };
    Some(Verdict {
        disposition,
        reason: text(field::LOST_REASON),
        stage: text(field::STAGE),
        amount: text(field::AMOUNT),
        currency: text(field::CURRENCY),
        owner: None,
    })
}

fn rank(crm: &Crm<'_>, opportunity: &str) -> (u8, Option<Timestamp>, String) {
    let says = |name| is_true(crm.dialect, Kind::Opportunity, opportunity, name);
    let class = match (says(field::IS_CLOSED), says(field::IS_WON)) {
        (_, true) => 1,
        (true, false) => 0,
        (false, false) => 2,
    };
    let table = crm.dialect.table(Kind::Opportunity).unwrap_or_default();
    (
        class,
        crm.dialect
            .world()
            .get(table, opportunity)
            .map(|row| row.created),
        opportunity.to_owned(),
    )
}

fn by_status(crm: &Crm<'_>, person: &Person<'_>, expectations: &Expectations) -> Option<Verdict> {
    let words = if person.kind == Kind::Contact {
        &expectations.contact_status
    } else {
        &expectations.lead_status
    };
    let text = |name: &str| {
        crm.dialect
            .get(person.kind, &person.row.id, name)
            .filter(|text| !text.trim().is_empty())
    };
    let disposition = words.get(&text(field::STATUS)?.to_lowercase()).copied()?;
    Some(Verdict {
        disposition,
        reason: text(field::STATUS_REASON),
        ..Verdict::default()
    })
}

/// People who convert a lead have taken it. A conversion by an integration says nothing about what sales thinks: then what
/// sales had said of the lead until then holds.
fn by_conversion(
    crm: &Crm<'_>,
    person: &Person<'_>,
    expectations: &Expectations,
) -> Option<Verdict> {
    let origin = person.origin?;
    let converted = history(crm.dialect, Kind::Lead, origin, field::IS_CONVERTED).next_back()?;
    if converted.actor != Actor::Integration {
        return Some(Verdict {
            disposition: "accepted",
            ..Verdict::default()
        });
    }
    let before = history(crm.dialect, Kind::Lead, origin, field::STATUS)
        .rfind(|change| change.at < converted.at)?;
    let disposition = expectations
        .lead_status
        .get(&before.value.as_ref()?.to_lowercase())
        .copied()?;
    Some(Verdict {
        disposition,
        ..Verdict::default()
    })
}
