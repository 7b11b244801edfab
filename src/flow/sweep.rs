//! Looks up again what is held, a little in every cycle: finds deletions that the vendor does not tell, and heals drift.

use super::{Loop, blocking, intake};
use crate::store;
use contract::{By, Change, Id, Kind, Lookup, Record};
use kit::Side;
use std::collections::BTreeSet;

/// Records looked up at once.
const SLICE: usize = 200;

impl Loop {
    /// One slice of every sweep that is due.
    pub(super) async fn sweep(&mut self) -> Result<(), store::Error> {
        for (side, kinds) in [
            (Side::Marketing, &[Kind::Lead][..]),
            (
                Side::Crm,
                &[Kind::Lead, Kind::Contact, Kind::Account, Kind::Opportunity][..],
            ),
        ] {
            if self.connectors[&side].capabilities().tells_deletes {
                continue;
            }
            for kind in kinds {
                if self.connectors[&side].capabilities().reads.contains(kind) && self.may_ask(side)
                {
                    self.sweep_slice(side, *kind).await?;
                }
            }
        }
        Ok(())
    }

    async fn sweep_slice(&mut self, side: Side, kind: Kind) -> Result<(), store::Error> {
        let now = self.clock.now();
        let mut stream = self.state.read().stream(side, kind)?;
        let due = stream
            .swept_at
            .is_some_and(|at| now.duration_since(at) >= self.settings.sweep_every);
        if !stream.complete || (!due && stream.swept_to.is_none()) {
            return Ok(());
        }
        let held = self
            .state
            .read()
            .mirrors(side, kind, stream.swept_to.as_ref(), SLICE)?;
        let ids: Vec<Id> = held.iter().map(|record| record.id.clone()).collect();
        if !ids.is_empty() {
            let Some(found) = self.look_up(side, kind, ids.clone()).await? else {
                return Ok(());
            };
            blocking(|| self.compare_slice(side, kind, &ids, found))?;
        }
        if ids.len() < SLICE {
            stream.swept_to = None;
            stream.swept_at = Some(now);
        } else {
            stream.swept_to = ids.last().cloned();
        }
        let mut change = self.state.change(now);
        let kept = change.stream(side, kind)?;
        change.put_stream(
            side,
            kind,
            &store::state::Stream {
                swept_to: stream.swept_to,
                swept_at: stream.swept_at,
                ..kept
            },
        )?;
        self.state.commit(change)
    }

    /// Records by their ids, as they are now; `None` where the side does not answer.
    pub(super) async fn look_up(
        &mut self,
        side: Side,
        kind: Kind,
        ids: Vec<Id>,
    ) -> Result<Option<Vec<Record>>, store::Error> {
        match self.connectors[&side]
            .clone()
            .find(&Lookup {
                kind,
                by: By::Ids(ids),
            })
            .await
        {
            Ok(found) => {
                self.fine(side);
                Ok(Some(found))
            }
            Err(error) => {
                self.trouble(side, &error);
                Ok(None)
            }
        }
    }

    /// What was looked up and not found is gone.
    pub(super) fn compare_slice(
        &mut self,
        side: Side,
        kind: Kind,
        asked: &[Id],
        found: Vec<Record>,
    ) -> Result<(), store::Error> {
        let now = self.clock.now();
        let mut change = self.state.change(now);
        let mut seen = BTreeSet::new();
        for record in found {
            seen.insert(record.id.clone());
            for loser in record
                .relations
                .all(contract::Relation::MergedFrom)
                .to_vec()
            {
                if asked.contains(&loser) {
                    seen.insert(loser.clone());
                    intake::take(
                        &mut self.knowledge,
                        &mut change,
                        side,
                        Change::Merged {
                            kind,
                            loser,
                            winner: record.id.clone(),
                        },
                        now,
                    )?;
                }
            }
            intake::take(
                &mut self.knowledge,
                &mut change,
                side,
                Change::Upserted(record),
                now,
            )?;
        }
        for id in asked.iter().filter(|id| !seen.contains(id)) {
            intake::take(
                &mut self.knowledge,
                &mut change,
                side,
                Change::Deleted {
                    kind,
                    id: id.clone(),
                },
                now,
            )?;
        }
        if change.is_empty() {
            return Ok(());
        }
        self.state.commit(change)
    }
}
