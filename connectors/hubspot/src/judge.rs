//! What an answer says about each entry of a batch. Pure.
//!
//! The status says little: 200, 201 and 207 all may hold errors. Each entry is done or failed only where the answer says
//! so about it; an error that names no entry is pinned down by sending smaller batches, which is done only where the
//! entries in question may be sent again.

use crate::{
    mapping::LIFECYCLE,
    plan::{Action, Input},
    problem::Problem,
    wire::{Answered, Object, entry, lenient},
};
use contract::Id;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing has been said about it.
    Unknown,
    /// Not sent, or surely not done; later.
    Deferred,
    /// Done.
    Done(Done),
    /// Not done.
    Failed(Problem),
}

/// What the answer tells about an entry that is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub id: Option<Id>,
    pub modified: Option<Timestamp>,
    /// The lifecycle stage that the contact has now, where it is told.
    pub lifecycle: Option<String>,
}

/// What an answer settles, and what is to be sent again in smaller batches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub settled: Vec<(usize, Settled)>,
    pub again: Vec<Vec<usize>>,
}

/// Judges the answer to the entries that were sent, given by their places among all inputs.
pub(crate) fn judge(
    action: &Action,
    inputs: &[Input],
    sent: &[usize],
    status: u16,
    body: &[u8],
) -> Judgement {
    let bench = Bench { action, inputs };
    if (200..300).contains(&status) {
        // An answer that cannot be read says nothing, and everything stays unknown.
        return serde_json::from_slice(body)
            .map(|answered| bench.entries(sent, &answered))
            .unwrap_or_default();
    }
    bench.whole(sent, Problem::of_answer(status, body))
}

struct Bench<'a> {
    action: &'a Action,
    inputs: &'a [Input],
}

impl Bench<'_> {
    fn entries(&self, sent: &[usize], answered: &Answered) -> Judgement {
        let mut settled: BTreeMap<usize, Settled> = BTreeMap::new();
        for raw in &answered.results {
            if let Some((place, done)) = self.result(sent, raw) {
                settled.entry(place).or_insert(Settled::Done(done));
            }
        }
        let mut stray = Vec::new();
        for error in &answered.errors {
            let problem = Problem::of_value(error);
            let open: Vec<usize> = sent
                .iter()
                .copied()
                .filter(|place| !settled.contains_key(place))
                .collect();
            let blamed = self.blamed(&problem, &open);
            if blamed.is_empty() {
                stray.push(problem);
            } else {
                settled.extend(
                    blamed
                        .into_iter()
                        .map(|place| (place, Settled::Failed(problem.clone()))),
                );
            }
        }
        let open: Vec<usize> = sent
            .iter()
            .copied()
            .filter(|place| !settled.contains_key(place))
            .collect();
        let told = usize::try_from(answered.num_errors).unwrap_or(usize::MAX);
        let strays = stray.len().max(told.saturating_sub(answered.errors.len()));
        let mut again = Vec::new();
        if let ([place], Some(problem)) = (open.as_slice(), stray.first()) {
            settled.insert(*place, Settled::Failed(problem.clone()));
        } else if strays > 0
            && !open.is_empty()
            && sent.len() > 1
            && (self.action.repeatable() || strays == open.len())
        {
            // Some of these failed, or all of them; either way sending them again does no harm.
            again = if open.len() == sent.len() {
                halves(&open)
            } else {
                vec![open]
            };
        }
        Judgement {
            settled: settled.into_iter().collect(),
            again,
        }
    }

    fn whole(&self, sent: &[usize], problem: Problem) -> Judgement {
        let lost = |places: &[usize]| {
            places
                .iter()
                .map(|place| (*place, Settled::Failed(problem.clone())))
                .collect()
        };
        let no_such_call =
            matches!(problem.status, Some(404 | 405 | 410 | 415)) && !problem.is_gone();
        if sent.len() == 1 || problem.is_forbidden() || no_such_call {
            return Judgement {
                settled: lost(sent),
                again: Vec::new(),
            };
        }
        let blamed = self.blamed(&problem, sent);
        if blamed.is_empty() {
            return Judgement {
                settled: Vec::new(),
                again: halves(sent),
            };
        }
        let rest: Vec<usize> = sent
            .iter()
            .copied()
            .filter(|place| !blamed.contains(place))
            .collect();
        let blamed: Vec<usize> = blamed.into_iter().collect();
        Judgement {
            settled: lost(&blamed),
            again: if rest.is_empty() {
                Vec::new()
            } else {
                vec![rest]
            },
        }
    }

    /// The entry that a result is about.
    fn result(&self, sent: &[usize], raw: &RawValue) -> Option<(usize, Done)> {
        if *self.action == Action::Unsubscribe {
            let subscriber: Subscriber = entry(raw).ok()?;
            let address = subscriber.subscriber_id_string?.to_lowercase();
            return self
                .by_id(sent, &address)
                .map(|place| (place, Done::default()));
        }
        let object: Object = entry(raw).ok()?;
        let id = object.id()?;
        let trace = object.object_write_trace_id.as_deref();
        let place = sent
            .iter()
            .copied()
            .find(|place| Some(self.inputs[*place].trace.as_str()) == trace)
            .or_else(|| match self.action {
                Action::Update => self.by_id(sent, id),
                Action::Upsert { property } => object
                    .property(property)
                    .and_then(|key| self.by_id(sent, key)),
                Action::Note | Action::Unsubscribe => None,
            });
        let only = if sent.len() == 1 { Some(sent[0]) } else { None };
        let lifecycle = object
            .tells(LIFECYCLE)
            .then(|| object.property(LIFECYCLE).unwrap_or_default().to_owned());
        place.or(only).map(|place| {
            (
                place,
                Done {
                    id: Some(Id::from(id)),
                    modified: object.modified(),
                    lifecycle,
                },
            )
        })
    }

    /// The entries that an error names, or whose properties it names where the properties themselves are at fault.
    fn blamed(&self, problem: &Problem, among: &[usize]) -> BTreeSet<usize> {
        let named = |place: &usize| {
            let input = &self.inputs[*place];
            problem.trace_ids.contains(&input.trace)
        };
        let blamed: BTreeSet<usize> = among.iter().copied().filter(named).collect();
        if !blamed.is_empty() {
            return blamed;
        }
        let by_id = |place: &usize| {
            let id = &self.inputs[*place].id;
            problem.ids.iter().any(|one| one.eq_ignore_ascii_case(id))
                || (*self.action == Action::Unsubscribe
                    && problem.message.to_lowercase().contains(id))
        };
        let blamed: BTreeSet<usize> = among.iter().copied().filter(by_id).collect();
        if !blamed.is_empty() || !problem.is_about_schema() {
            return blamed;
        }
        let bears = |place: &usize| {
            self.inputs[*place]
                .properties
                .keys()
                .any(|property| problem.properties.contains(property))
        };
        among.iter().copied().filter(bears).collect()
    }

    fn by_id(&self, sent: &[usize], id: &str) -> Option<usize> {
        sent.iter()
            .copied()
            .find(|place| self.inputs[*place].id.eq_ignore_ascii_case(id))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscriber {
    #[serde(default, deserialize_with = "lenient")]
    subscriber_id_string: Option<String>,
}

fn halves(places: &[usize]) -> Vec<Vec<usize>> {
    let (left, right) = places.split_at(places.len() / 2);
    vec![left.to_vec(), right.to_vec()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn inputs(count: usize) -> Vec<Input> {
        let input = |place: usize| Input {
            trace: format!("t{place}"),
            id: (500 + place).to_string(),
            properties: BTreeMap::from([(
                if place == 0 {
                    "leadloop_reason"
                } else {
                    "city"
                }
                .to_owned(),
                "x".to_owned(),
            )]),
        };
        (0..count).map(input).collect()
    }

    /// `d` done, `f` failed, `?` unknown, `a` to be sent again.
    fn verdicts(action: Action, count: usize, status: u16, body: Value) -> String {
        let sent: Vec<usize> = (0..count).collect();
        let judgement = judge(
            &action,
            &inputs(count),
            &sent,
            status,
            body.to_string().as_bytes(),
        );
        let mut verdicts = vec!['?'; count];
        for place in judgement.again.into_iter().flatten() {
            verdicts[place] = 'a';
        }
        for (place, settled) in judgement.settled {
            verdicts[place] = match settled {
                Settled::Done(_) => 'd',
                Settled::Failed(_) => 'f',
                Settled::Unknown | Settled::Deferred => '?',
            };
        }
        verdicts.into_iter().collect()
    }

    fn done(id: &str, trace: &str) -> Value {
        json!({ "id": id, "updatedAt": "2026-01-01T00:00:00Z", "properties": {}, "objectWriteTraceId": trace })
    }

    #[test]
    fn a_batch_is_judged_entry_by_entry_whatever_its_status_says() {
        let failed = |trace: &str| json!({ "category": "VALIDATION_ERROR", "message": "no", "context": { "objectWriteTraceId": [trace] } });
        for (status, body, expected) in [
            (
                200,
                json!({ "results": [done("501", "t1"), done("500", "t0")] }),
                "dd?",
            ),
            (
                207,
                json!({ "results": [done("502", "t2")], "errors": [failed("t0")], "numErrors": 1 }),
                "f?d",
            ),
            (
                200,
                json!({ "results": [done("500", "t0")], "errors": [failed("t1"), failed("t2")], "numErrors": 2 }),
                "dff",
            ),
            // Without traces the ids tell.
            (
                200,
                json!({ "results": [done("500", "")], "errors": [{ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["502"] } }] }),
                "d?f",
            ),
            // One stray error and one open entry: they belong together.
            (
                200,
                json!({ "results": [done("500", ""), done("501", "")], "errors": [{ "message": "no" }] }),
                "ddf",
            ),
            (
                200,
                json!({ "results": [done("500", "")], "errors": [{ "message": "no" }] }),
                "daa",
            ),
            (
                200,
                json!({ "results": [done("500", "")], "numErrors": 2 }),
                "daa",
            ),
            (200, json!({ "results": [done("999", "t9")] }), "???"),
            (200, json!("<html>"), "???"),
            (200, json!({}), "???"),
        ] {
            assert_eq!(
                verdicts(Action::Update, 3, status, body.clone()),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_whole_refusal_is_narrowed_down() {
        let schema = json!({ "category": "VALIDATION_ERROR", "message": "x", "errors": [{ "code": "PROPERTY_DOESNT_EXIST", "context": { "propertyName": ["leadloop_reason"] } }] });
        for (status, body, count, expected) in [
            (400, json!({ "message": "no" }), 4, "aaaa"),
            (400, json!({ "message": "no" }), 1, "f"),
            (400, schema, 4, "faaa"),
            (403, json!({ "category": "MISSING_SCOPES" }), 4, "ffff"),
            (404, json!({ "message": "no such path" }), 4, "ffff"),
            (
                404,
                json!({ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["502"] } }),
                4,
                "aafa",
            ),
            (
                409,
                json!({ "category": "CONFLICT", "message": "Contact already exists. Existing ID: 7" }),
                2,
                "aa",
            ),
        ] {
            assert_eq!(
                verdicts(Action::Update, count, status, body.clone()),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_note_that_may_be_there_is_not_written_again() {
        let error = json!({ "message": "no" });
        assert_eq!(
            verdicts(
                Action::Note,
                3,
                200,
                json!({ "results": [done("9", "t0")], "errors": [error] })
            ),
            "d??"
        );
        // As many errors as open notes: none of them is there.
        assert_eq!(
            verdicts(
                Action::Note,
                3,
                200,
                json!({ "results": [done("9", "t0")], "errors": [error, error] })
            ),
            "daa"
        );
    }

    #[test]
    fn addresses_are_told_apart_by_themselves() {
        let inputs: Vec<Input> = ["a@x.org", "b@x.org"]
            .map(|id| Input {
                id: id.into(),
                ..Input::default()
            })
            .into();
        let body = json!({ "results": [{ "subscriberIdString": "B@x.org", "statuses": [] }], "errors": [{ "message": "a@x.org is not an address" }] });
        let judgement = judge(
            &Action::Unsubscribe,
            &inputs,
            &[0, 1],
            200,
            body.to_string().as_bytes(),
        );
        assert!(matches!(
            judgement.settled.as_slice(),
            [(0, Settled::Failed(_)), (1, Settled::Done(_))]
        ));
    }
}
