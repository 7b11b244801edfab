//! Sending the entries of a batch, and what is remembered while doing so.

use crate::{
    connector::{BATCH, Portal},
    judge::{Done, Settled, judge},
    plan::{Action, Input},
    problem::Problem,
    wire::Answered,
};
use contract::{ConnectorError, Outcome};
use kit::{Answer, Call, SessionError};
use serde_json::json;
use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};
use url::Url;

/// What has happened so far in one batch of writes.
#[derive(Default)]
pub(crate) struct Run {
    /// Whether a request may have been seen.
    reached: bool,
    /// Why nothing more is sent, and for how long.
    stopped: Option<(Option<Duration>, String)>,
}

impl Run {
    fn stop(&mut self, error: ConnectorError) {
        let wait = if let ConnectorError::Throttled { retry_after, .. } = &error {
            *retry_after
        } else {
            None
        };
        self.stopped = Some((wait, error.to_string()));
    }

    pub fn deferred(&self) -> Outcome {
        let (retry_after, reason) = self.stopped.clone().unwrap_or_default();
        Outcome::Deferred {
            retry_after,
            reason,
        }
    }
}

/// What came of one call.
enum Attempt {
    Answered(Answer),
    /// It may have been done.
    Doubtful,
    /// Nothing was done, and nothing more is sent.
    Stopped,
}

impl Portal {
    /// Sends entries, in smaller and smaller batches where a refusal does not say whom it means.
    ///
    /// # Errors
    /// Only where nothing reached HubSpot in this run.
    pub(crate) async fn send(
        &self,
        action: &Action,
        inputs: &[Input],
        run: &mut Run,
    ) -> Result<Vec<Settled>, ConnectorError> {
        let mut settled = vec![Settled::Unknown; inputs.len()];
        let places: Vec<usize> = (0..inputs.len()).collect();
        let mut queue: VecDeque<Vec<usize>> = places.chunks(BATCH).map(<[usize]>::to_vec).collect();
        while let Some(sent) = queue.pop_front() {
            match self
                .attempt(self.batch_call(action, inputs, &sent), run)
                .await?
            {
                Attempt::Answered(answer) => {
                    let judgement = judge(action, inputs, &sent, answer.status, &answer.body);
                    for (place, one) in judgement.settled {
                        settled[place] = one;
                    }
                    queue.extend(judgement.again);
                }
                Attempt::Doubtful => {}
                Attempt::Stopped => {
                    for place in sent {
                        settled[place] = Settled::Deferred;
                    }
                }
            }
        }
        Ok(settled)
    }

    /// Unsubscribes addresses: a hundred in a call where the account may, else one by one. Only Marketing Hub Enterprise
    /// grants the scope for batches. <https://developers.hubspot.com/docs/guides/api/marketing/subscriptions>
    ///
    /// # Errors
    /// Only where nothing reached HubSpot in this run.
    pub(crate) async fn unsubscribe(
        &self,
        inputs: &[Input],
        run: &mut Run,
    ) -> Result<Vec<Settled>, ConnectorError> {
        if !self.one_by_one.load(Ordering::Relaxed) {
            let settled = self.send(&Action::Unsubscribe, inputs, run).await?;
            if !settled.iter().any(is_forbidden) {
                return Ok(settled);
            }
            self.one_by_one.store(true, Ordering::Relaxed);
        }
        let mut settled = Vec::with_capacity(inputs.len());
        for input in inputs {
            let refused = settled.last().filter(|last| is_forbidden(last)).cloned();
            settled.push(match refused {
                // What is forbidden for one address is forbidden for all.
                Some(refused) => refused,
                None => match self.attempt(self.single_call(&input.id), run).await? {
                    Attempt::Answered(answer) => judge_single(&answer),
                    Attempt::Doubtful => Settled::Unknown,
                    Attempt::Stopped => Settled::Deferred,
                },
            });
        }
        Ok(settled)
    }

    async fn attempt(&self, call: Call, run: &mut Run) -> Result<Attempt, ConnectorError> {
        if run.stopped.is_some() {
            return Ok(Attempt::Stopped);
        }
        match self.session.call(call).await {
            Ok(answer) => {
                run.reached = true;
                Ok(Attempt::Answered(answer))
            }
            Err(SessionError::Doubt(detail)) => {
                // The entries to come wait: HubSpot does not answer just now.
                run.reached = true;
                run.stop(ConnectorError::Unavailable { detail });
                Ok(Attempt::Doubtful)
            }
            Err(SessionError::Failed(error)) if !run.reached => Err(error),
            Err(SessionError::Failed(error)) => {
                run.stop(error);
                Ok(Attempt::Stopped)
            }
        }
    }

    fn batch_call(&self, action: &Action, inputs: &[Input], sent: &[usize]) -> Call {
        let path = match action {
            Action::Update => self.objects("contacts", "/batch/update"),
            Action::Upsert { .. } => self.objects("contacts", "/batch/upsert"),
            Action::Note => self.objects("notes", "/batch/create"),
            Action::Unsubscribe => format!(
                "/communication-preferences/{}/statuses/batch/unsubscribe-all",
                self.version
            ),
        };
        let inputs: Vec<_> = sent
            .iter()
            .map(|place| inputs[*place].json(action))
            .collect();
        let mut call = Call::post_json(path, &json!({ "inputs": inputs })).doing(action.doing());
        if *action == Action::Unsubscribe {
            call = call.query("channel", "EMAIL");
        }
        if action.repeatable() {
            call.repeatable()
        } else {
            call
        }
    }

    fn single_call(&self, address: &str) -> Call {
        let mut url = Url::parse("https://host").expect("a literal address parses");
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend([
                "communication-preferences",
                &self.version.to_string(),
                "statuses",
                address,
                "unsubscribe-all",
            ]);
        }
        let call = Call::post_json(url.path(), &json!({})).query("channel", "EMAIL");
        call.repeatable().doing(Action::Unsubscribe.doing())
    }
}

fn judge_single(answer: &Answer) -> Settled {
    if !(200..300).contains(&answer.status) {
        return Settled::Failed(Problem::of_answer(answer.status, &answer.body));
    }
    if answer.status == 204 {
        return Settled::Done(Done::default());
    }
    match serde_json::from_slice::<Answered>(&answer.body) {
        Err(_) => Settled::Unknown,
        Ok(answered) => match answered.errors.first() {
            Some(error) => Settled::Failed(Problem::of_value(error)),
            None if answered.num_errors > 0 => Settled::Unknown,
            None => Settled::Done(Done::default()),
        },
    }
}

fn is_forbidden(settled: &Settled) -> bool {
    matches!(settled, Settled::Failed(problem) if problem.is_forbidden())
}
