//! Carrying out a batch: opt-outs first, then the records, then what a refusal asks for.

use crate::{
    connector::Portal,
    judge::Settled,
    mapping::LIFECYCLE,
    plan::{Action, Input, Planned, plan},
    problem::Problem,
    send::Run,
};
use contract::{Batch, ConnectorError, Id, Kind, Outcome, Outcomes, Relation, Relations, Remedy};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

impl Portal {
    /// Carries out a batch.
    ///
    /// # Errors
    /// Only where nothing reached HubSpot.
    pub(crate) async fn carry_out(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        let mut outcomes = Outcomes::unknown(batch);
        let mut planned = Vec::new();
        for (place, write) in batch.writes().iter().enumerate() {
            match plan(place, write, &self.mapping) {
                Ok(ready) => planned.push(ready),
                Err(unfit) => outcomes.set(
                    place,
                    Outcome::Refused {
                        reason: unfit.reason,
                        remedy: unfit.remedy,
                    },
                ),
            }
        }
        let action = match batch.shape() {
            ("update", Kind::Lead) => Action::Update,
            ("create", Kind::Lead) => Action::Upsert {
                property: self.mapping.key().to_owned(),
            },
            ("note", _) => Action::Note,
            // The plan has refused every one of them.
            _ => return Ok(outcomes),
        };
        let mut run = Run::default();
        let planned = self
            .opt_out(&action, planned, &mut outcomes, &mut run)
            .await?;
        self.records(&action, planned, &mut outcomes, &mut run)
            .await?;
        Ok(outcomes)
    }

    async fn records(
        &self,
        action: &Action,
        planned: Vec<Planned>,
        outcomes: &mut Outcomes,
        run: &mut Run,
    ) -> Result<(), ConnectorError> {
        let (planned, idle): (Vec<_>, Vec<_>) = planned
            .into_iter()
            .partition(|plan| !plan.input.properties.is_empty());
        for plan in idle {
            let id = Id(plan.input.id);
            outcomes.set(
                plan.place,
                Outcome::Applied {
                    id,
                    modified: None,
                    relations: Relations::default(),
                },
            );
        }
        let inputs: Vec<Input> = planned.iter().map(|plan| plan.input.clone()).collect();
        let mut settled = self.send(action, &inputs, run).await?;
        self.move_stages_back(action, &inputs, &mut settled, run)
            .await?;
        let mut conflicts = Vec::new();
        for ((plan, input), settled) in planned.iter().zip(&inputs).zip(settled) {
            let outcome = match settled {
                Settled::Unknown => continue,
                Settled::Deferred => run.deferred(),
                Settled::Done(done) if !keeps_stage(input, &Settled::Done(done.clone())) => {
                    // Only an update names the contact; a create and a note say in their answer what was made.
                    let id = done.id.unwrap_or_else(|| Id(input.id.clone()));
                    Outcome::Applied {
                        id,
                        modified: done.modified.map(just_before),
                        relations: Relations::default(),
                    }
                }
                Settled::Done(done) => Outcome::Refused {
                    reason: format!(
                        "HubSpot keeps the lifecycle stage at {:?}",
                        done.lifecycle.unwrap_or_default()
                    ),
                    remedy: Remedy::AskArbiter,
                },
                Settled::Failed(problem) => {
                    if let Some(existing) = problem.existing() {
                        conflicts.push((plan.place, existing, problem));
                        continue;
                    }
                    self.failure(&problem)
                }
            };
            outcomes.set(plan.place, outcome);
        }
        self.conflicts(conflicts, outcomes).await;
        Ok(())
    }

    /// HubSpot moves a lifecycle stage forward only, and says so by an error or just by leaving it where it is. To move it
    /// back it is cleared first.
    async fn move_stages_back(
        &self,
        action: &Action,
        inputs: &[Input],
        settled: &mut [Settled],
        run: &mut Run,
    ) -> Result<(), ConnectorError> {
        let back: Vec<usize> = (0..inputs.len())
            .filter(|place| keeps_stage(&inputs[*place], &settled[*place]))
            .collect();
        if back.is_empty() {
            return Ok(());
        }
        let clears: Vec<Input> = back
            .iter()
            .map(|place| Input {
                properties: BTreeMap::from([(LIFECYCLE.to_owned(), String::new())]),
                ..inputs[*place].clone()
            })
            .collect();
        let cleared = self.send(action, &clears, run).await?;
        let mut cleared_places = Vec::new();
        for (place, cleared) in back.into_iter().zip(cleared) {
            match cleared {
                Settled::Done(_) => cleared_places.push(place),
                failed => settled[place] = failed,
            }
        }
        let sets: Vec<Input> = cleared_places
            .iter()
            .map(|place| inputs[*place].clone())
            .collect();
        for (place, set) in cleared_places
            .into_iter()
            .zip(self.send(action, &sets, run).await?)
        {
            settled[place] = set;
        }
        Ok(())
    }

    /// Reads the records that stand in the way.
    async fn conflicts(&self, conflicts: Vec<(usize, Id, Problem)>, outcomes: &mut Outcomes) {
        if conflicts.is_empty() {
            return;
        }
        let ids: BTreeSet<String> = conflicts.iter().map(|(_, id, _)| id.0.clone()).collect();
        let found = self.leads(None, &ids.into_iter().collect::<Vec<_>>()).await;
        for (place, existing, problem) in conflicts {
            let outcome = match &found {
                Ok(records) => {
                    let is_it = |record: &&contract::Record| {
                        record.id == existing
                            || record
                                .relations
                                .all(Relation::MergedFrom)
                                .contains(&existing)
                    };
                    match records.iter().find(is_it) {
                        Some(record) => Outcome::Conflict {
                            current: Box::new(record.clone()),
                        },
                        None => Outcome::Refused {
                            reason: problem.words(),
                            remedy: Remedy::LookAgain,
                        },
                    }
                }
                Err(error) => Outcome::Deferred {
                    retry_after: None,
                    reason: format!("{}; {error}", problem.words()),
                },
            };
            outcomes.set(place, outcome);
        }
    }

    pub(crate) fn failure(&self, problem: &Problem) -> Outcome {
        if problem.passes() {
            return Outcome::Deferred {
                retry_after: None,
                reason: problem.words(),
            };
        }
        Outcome::Refused {
            reason: problem.words(),
            remedy: problem.remedy(&self.mapping),
        }
    }
}

/// What the caller now holds is the record as it was read last, and what was written. Somebody else may have changed it in
/// between, and HubSpot has no condition on a write. So the caller is told a time just before its own change: older
/// pages do not undo it, and the change is still read back, a hundred in a call.
fn just_before(modified: Timestamp) -> Timestamp {
    modified
        .checked_sub(SignedDuration::from_millis(1))
        .unwrap_or(modified)
}

/// Whether HubSpot leaves the lifecycle stage where it is, against what was sent.
fn keeps_stage(input: &Input, settled: &Settled) -> bool {
    let Some(stage) = input
        .properties
        .get(LIFECYCLE)
        .filter(|stage| !stage.is_empty())
    else {
        return false;
    };
    match settled {
        Settled::Done(done) => done
            .lifecycle
            .as_ref()
            .is_some_and(|kept| !kept.eq_ignore_ascii_case(stage)),
        Settled::Failed(problem) => {
            let about_stage = problem.properties.contains(LIFECYCLE)
                || problem.message.to_lowercase().contains("lifecycle");
            let otherwise = problem.is_about_schema()
                || problem.is_about_options()
                || problem.is_forbidden()
                || problem.is_gone()
                || problem.passes();
            about_stage && !otherwise
        }
        Settled::Unknown | Settled::Deferred => false,
    }
}

#[cfg(test)]
mod tests;
