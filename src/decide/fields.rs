//! The three-way rule for one field: base, marketing's value and the CRM's.
//!
//! | state | result |
//! |---|---|
//! | both mean the same | settled |
//! | only marketing moved | to the CRM, if the field flows that way |
//! | only the CRM moved | to marketing, likewise |
//! | both moved, differently | the field's rule decides |
//! | never settled before | blanks are filled; the rule decides only if the agreement says so |

use crate::agreement::{Blanks, FieldRule, FirstMeeting, Flow, Rule};
use contract::Value;
use jiff::Timestamp;
use kit::Side;

use super::{Ruling, normal::normal};

/// One field of one person, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Marketing's value.
    pub marketing: Option<&'a Value>,
    /// The CRM's value.
    pub crm: Option<&'a Value>,
    /// What was settled before: each side's value then, normalised.
    pub base: Option<&'a (Option<String>, Option<String>)>,
    /// When marketing's record last changed.
    pub marketing_modified: Timestamp,
    /// When the CRM's record last changed.
    pub crm_modified: Timestamp,
    /// The arbiter's ruling on this field, if any.
    pub ruling: Option<&'a Ruling>,
}

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: remember both values as settled.
    Settled,
    /// Write this to the CRM; `None` clears.
    ToCrm(Option<Value>),
    /// Write this to marketing; `None` clears.
    ToMarketing(Option<Value>),
    /// Nothing, although they differ; the reason is worth telling. What was settled stays.
    Leave(&'static str),
    /// The arbiter must decide.
    Review,
}

/// Applies the rule of one field.
pub fn next(rule: &FieldRule, first_meeting: FirstMeeting, standing: Standing<'_>) -> Next {
    let in_crm_words = alias(rule, standing.marketing, Side::Crm);
    let marketing = normal(&rule.name, in_crm_words.as_ref());
    let crm = normal(&rule.name, standing.crm);
    if marketing == crm {
        return Next::Settled;
    }
    match standing.base {
        Some((base_marketing, base_crm)) => {
            match (marketing != *base_marketing, crm != *base_crm) {
                (true, false) => toward(rule, Side::Crm, standing),
                (false, true) => toward(rule, Side::Marketing, standing),
                (false, false) => Next::Settled,
                (true, true) => collide(rule, standing),
            }
        }
        None if crm.is_none() => toward(rule, Side::Crm, standing),
        None if marketing.is_none() => toward(rule, Side::Marketing, standing),
        None => match first_meeting {
            FirstMeeting::FillBlanks => Next::Settled,
            FirstMeeting::Rule => collide(rule, standing),
        },
    }
}

/// What is remembered of a field once it is settled: both sides' values, normalised, marketing's in the CRM's words.
pub fn settled(
    rule: &FieldRule,
    marketing: Option<&Value>,
    crm: Option<&Value>,
) -> (Option<String>, Option<String>) {
    (
        normal(&rule.name, alias(rule, marketing, Side::Crm).as_ref()),
        normal(&rule.name, crm),
    )
}

/// A value in the words of the side it goes to.
pub fn alias(rule: &FieldRule, value: Option<&Value>, to: Side) -> Option<Value> {
    let value = value?;
    let Some(text) = value.as_text() else {
        return Some(value.clone());
    };
    let found = match to {
        Side::Crm => rule.aliases.get(text),
        Side::Marketing => rule
            .aliases
            .iter()
            .find(|(_, crm)| crm.as_str() == text)
            .map(|(marketing, _)| marketing),
    };
    Some(found.map_or_else(|| value.clone(), |word| Value::Text(word.clone())))
}

fn collide(rule: &FieldRule, standing: Standing<'_>) -> Next {
    let ruled = standing.ruling.filter(|ruling| {
        (ruling.over.0.as_ref(), ruling.over.1.as_ref()) == (standing.marketing, standing.crm)
    });
    let winner = match (ruled, rule.rule) {
        (Some(ruling), _) => ruling.take,
        (None, Rule::Crm) => Side::Crm,
        (None, Rule::Marketing) => Side::Marketing,
        (None, Rule::CrmUnlessBlank) if standing.crm.is_some() => Side::Crm,
        (None, Rule::CrmUnlessBlank) => Side::Marketing,
        (None, Rule::Newest) if standing.marketing_modified > standing.crm_modified => {
            Side::Marketing
        }
        (None, Rule::Newest) => Side::Crm,
        (None, Rule::Arbiter) => return Next::Review,
    };
    // A blank that may not overwrite cannot win either: the value that is there goes over.
    let keeps = rule.blanks == Blanks::Keep;
    match winner {
        Side::Marketing if keeps && standing.marketing.is_none() => {
            toward(rule, Side::Marketing, standing)
        }
        Side::Crm if keeps && standing.crm.is_none() => toward(rule, Side::Crm, standing),
        Side::Marketing => toward(rule, Side::Crm, standing),
        Side::Crm => toward(rule, Side::Marketing, standing),
    }
}

fn toward(rule: &FieldRule, to: Side, standing: Standing<'_>) -> Next {
    let (value, flows) = match to {
        Side::Crm => (standing.marketing, rule.flow != Flow::ToMarketing),
        Side::Marketing => (standing.crm, rule.flow != Flow::ToCrm),
    };
    if !flows {
        return Next::Leave("the mapping does not let it flow that way");
    }
    if value.is_none() && rule.blanks == Blanks::Keep {
        return Next::Leave("a blank does not overwrite");
    }
    let value = alias(rule, value, to);
    match to {
        Side::Crm => Next::ToCrm(value),
        Side::Marketing => Next::ToMarketing(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn rule(rule: Rule) -> FieldRule {
        FieldRule {
            name: "title".into(),
            marketing: "title".into(),
            lead: Some("title".into()),
            contact: Some("title".into()),
            flow: Flow::Both,
            rule,
            blanks: Blanks::Keep,
            aliases: BTreeMap::new(),
        }
    }

    /// `base -> marketing | crm`, where `-` is blank and a missing base is `?`; marketing changed at minute 1, the CRM at minute 2.
    fn check(
        rule: &FieldRule,
        first: FirstMeeting,
        base: &str,
        marketing: &str,
        crm: &str,
    ) -> Next {
        let value = |text: &str| (text != "-").then(|| Value::from(text));
        let (marketing, crm) = (value(marketing), value(crm));
        let base = (base != "?").then(|| {
            (
                value(base).map(|v| v.to_string()),
                value(base).map(|v| v.to_string()),
            )
        });
        let minute = |minute: i64| Timestamp::from_second(minute * 60).expect("in range");
        next(
            rule,
            first,
            Standing {
                marketing: marketing.as_ref(),
                crm: crm.as_ref(),
                base: base.as_ref(),
                marketing_modified: minute(1),
                crm_modified: minute(2),
                ruling: None,
            },
        )
    }

    #[test]
    fn the_table_holds() {
        let to_crm = |text: &str| Next::ToCrm(Some(text.into()));
        let to_marketing = |text: &str| Next::ToMarketing(Some(text.into()));
        let blank = Next::Leave("a blank does not overwrite");
        for (mode, base, marketing, crm, expected) in [
            (Rule::Crm, "CEO", "CEO", "CEO", Next::Settled),
            (Rule::Crm, "CEO", "CTO", "CTO", Next::Settled),
            (Rule::Crm, "CEO", "CTO", "CEO", to_crm("CTO")),
            (Rule::Marketing, "CEO", "CEO", "CTO", to_marketing("CTO")),
            (Rule::Crm, "CEO", "CTO", "CFO", to_marketing("CFO")),
            (Rule::Marketing, "CEO", "CTO", "CFO", to_crm("CTO")),
            (Rule::Newest, "CEO", "CTO", "CFO", to_marketing("CFO")),
            (
                Rule::CrmUnlessBlank,
                "CEO",
                "CTO",
                "CFO",
                to_marketing("CFO"),
            ),
            (Rule::CrmUnlessBlank, "CEO", "CTO", "-", to_crm("CTO")),
            (Rule::Arbiter, "CEO", "CTO", "CFO", Next::Review),
            (Rule::Crm, "CEO", "-", "CEO", blank.clone()),
            (Rule::Crm, "CEO", "CEO", "-", blank.clone()),
            (Rule::Crm, "?", "CTO", "-", to_crm("CTO")),
            (Rule::Crm, "?", "-", "CTO", to_marketing("CTO")),
            (Rule::Crm, "?", "CTO", "CFO", Next::Settled),
        ] {
            assert_eq!(
                check(&rule(mode), FirstMeeting::FillBlanks, base, marketing, crm),
                expected,
                "{mode:?}: {base} -> {marketing} | {crm}"
            );
        }
    }

    #[test]
    fn at_first_meeting_the_rule_decides_if_the_agreement_says_so() {
        assert_eq!(
            check(
                &rule(Rule::Marketing),
                FirstMeeting::Rule,
                "?",
                "CTO",
                "CFO"
            ),
            Next::ToCrm(Some("CTO".into()))
        );
    }

    #[test]
    fn a_one_way_field_never_flows_back() {
        let one_way = FieldRule {
            flow: Flow::ToCrm,
            ..rule(Rule::Crm)
        };
        assert_eq!(
            check(&one_way, FirstMeeting::Rule, "CEO", "CEO", "CFO"),
            Next::Leave("the mapping does not let it flow that way")
        );
        assert_eq!(
            check(&one_way, FirstMeeting::Rule, "?", "-", "CFO"),
            Next::Leave("the mapping does not let it flow that way")
        );
    }

    #[test]
    fn a_cleared_value_passes_where_blanks_clear() {
        let clearing = FieldRule {
            blanks: Blanks::Clear,
            ..rule(Rule::Crm)
        };
        assert_eq!(
            check(&clearing, FirstMeeting::Rule, "CEO", "-", "CEO"),
            Next::ToCrm(None)
        );
    }

    #[test]
    fn picklist_values_are_told_in_the_other_sides_words() {
        let budget = FieldRule {
            aliases: BTreeMap::from([("10k".to_owned(), "10 thousand".to_owned())]),
            ..rule(Rule::Crm)
        };
        assert_eq!(
            check(&budget, FirstMeeting::FillBlanks, "?", "10k", "10 thousand"),
            Next::Settled
        );
        assert_eq!(
            check(&budget, FirstMeeting::FillBlanks, "?", "10k", "-"),
            Next::ToCrm(Some("10 thousand".into()))
        );
        assert_eq!(
            check(&budget, FirstMeeting::FillBlanks, "?", "-", "10 thousand"),
            Next::ToMarketing(Some("10k".into()))
        );
    }

    #[test]
    fn a_ruling_speaks_for_the_two_values_it_was_made_over() {
        let minute = Timestamp::from_second(60).expect("in range");
        let over =
            |marketing: &str, crm: &str| (Some(Value::from(marketing)), Some(Value::from(crm)));
        let ruling = Ruling {
            take: Side::Marketing,
            over: over("CTO", "CFO"),
            by: "Rita".into(),
            why: None,
            at: minute,
        };
        let base = (Some("CEO".to_owned()), Some("CEO".to_owned()));
        let decide = |values: &(Option<Value>, Option<Value>)| {
            next(
                &rule(Rule::Arbiter),
                FirstMeeting::FillBlanks,
                Standing {
                    marketing: values.0.as_ref(),
                    crm: values.1.as_ref(),
                    base: Some(&base),
                    marketing_modified: minute,
                    crm_modified: minute,
                    ruling: Some(&ruling),
                },
            )
        };
        assert_eq!(decide(&over("CTO", "CFO")), Next::ToCrm(Some("CTO".into())));
        assert_eq!(decide(&over("CTO", "COO")), Next::Review);
    }

    proptest! {
        /// Carrying out what the rule says leaves nothing to say, whatever the values and the rule.
        #[test]
        fn one_write_settles_a_field(base in "[?abc-]", marketing in "[abc-]", crm in "[abc-]", mode in 0..4usize, clear: bool) {
            let mode = [Rule::Crm, Rule::Marketing, Rule::CrmUnlessBlank, Rule::Newest][mode];
            let rule = FieldRule { blanks: if clear { Blanks::Clear } else { Blanks::Keep }, ..rule(mode) };
            let text = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
            match check(&rule, FirstMeeting::Rule, &base, &marketing, &crm) {
                Next::ToCrm(value) => prop_assert_eq!(check(&rule, FirstMeeting::Rule, &base, &marketing, &text(value)), Next::Settled),
                Next::ToMarketing(value) => prop_assert_eq!(check(&rule, FirstMeeting::Rule, &base, &text(value), &crm), Next::Settled),
                Next::Settled | Next::Leave(_) => {}
                Next::Review => prop_assert!(false, "no rule here asks the arbiter"),
            }
        }
    }
}
