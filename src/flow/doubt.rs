//! Looks before writing again: a write whose answer was lost is looked up at the vendor.

use super::{Loop, blocking, deliver::Verdicts};
use crate::store::{
    self,
    state::{Owed, Progress},
};
use contract::{By, Id, Kind, Lookup, Operation, Outcome, Record, Relation, Relations};
use jiff::SignedDuration;
use kit::Side;

/// How long a request that nobody waits for any more may still be under way at the vendor.
const GRACE: SignedDuration = SignedDuration::from_secs(10);

impl Loop {
    /// Looks up every write in doubt that is old enough.
    pub(super) async fn look_into_doubts(&mut self) -> Result<(), store::Error> {
        for side in [Side::Crm, Side::Marketing] {
            let now = self.clock.now();
            let owed = self.state.read().owed(side)?;
            let ripe = |owed: &Owed| matches!(owed.progress, Progress::InDoubt(at) if now.duration_since(at) >= GRACE);
            let mut ripe: Vec<Owed> = owed.into_iter().filter(ripe).collect();
            ripe.sort_by_key(|owed| owed.intent.operation.shape());
            for group in ripe.chunk_by(|one, other| {
                one.intent.operation.shape() == other.intent.operation.shape()
            }) {
                for slice in group.chunks(100) {
                    if self.may_ask(side) {
                        self.look_into(side, slice).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn look_into(&mut self, side: Side, doubts: &[Owed]) -> Result<(), store::Error> {
        let Some(lookup) = question(doubts) else {
            return Ok(());
        };
        let found = match self.connectors[&side].clone().find(&lookup).await {
            Ok(found) => found,
            Err(error) => {
                self.trouble(side, &error);
                return Ok(());
            }
        };
        self.fine(side);
        tracing::info!(loop_name = self.settings.name, %side, doubts = doubts.len(), found = found.len(), "looked up writes whose answer was lost");
        // An update is not judged by itself: the record is read, and what is still missing is decided anew.
        if let By::Ids(asked) = &lookup.by
            && matches!(doubts[0].intent.operation, Operation::Update { .. })
        {
            blocking(|| self.compare_slice(side, lookup.kind, asked, found))?;
            blocking(|| self.apply(doubts, Verdicts::LookedAgain))?;
            return Ok(());
        }
        let outcomes: Vec<Option<Outcome>> = doubts
            .iter()
            .map(|owed| answer(&owed.intent.operation, &found))
            .collect();
        blocking(|| self.apply(doubts, Verdicts::Found(outcomes)))?;
        Ok(())
    }
}

/// What to ask about writes of one shape.
fn question(doubts: &[Owed]) -> Option<Lookup> {
    let operations = doubts.iter().map(|owed| &owed.intent.operation);
    Some(match &doubts.first()?.intent.operation {
        Operation::Create { kind, .. } => Lookup {
            kind: *kind,
            by: By::Keys(operations.filter_map(Operation::key).cloned().collect()),
        },
        Operation::Update { kind, .. } => Lookup {
            kind: *kind,
            by: By::Ids(targets(doubts)),
        },
        Operation::Convert { .. } => Lookup {
            kind: Kind::Lead,
            by: By::Ids(targets(doubts)),
        },
        Operation::Note { .. } => {
            let about = operations.filter_map(|operation| match operation {
                Operation::Note { about, .. } => Some(about.clone()),
                _ => None,
            });
            Lookup {
                kind: Kind::Note,
                by: By::About(about.collect()),
            }
        }
    })
}

fn targets(doubts: &[Owed]) -> Vec<Id> {
    doubts
        .iter()
        .filter_map(|owed| owed.intent.operation.target())
        .map(|(_, id)| id.clone())
        .collect()
}

/// What the records found say about one write; `None` means that it was not done.
fn answer(operation: &Operation, found: &[Record]) -> Option<Outcome> {
    match operation {
        Operation::Create { key, .. } | Operation::Note { key, .. } => found
            .iter()
            .find(|record| record.key().as_ref() == Some(key))
            .map(|record| Outcome::Applied {
                id: record.id.clone(),
                modified: None,
                relations: Relations::default(),
            }),
        Operation::Convert { lead, .. } => {
            let record = found
                .iter()
                .find(|record| record.id == *lead && record.is_converted())?;
            let contact = record.relations.one(Relation::ConvertedContact)?;
            Some(Outcome::Applied {
                id: contact.clone(),
                modified: Some(record.modified),
                relations: record.relations.clone(),
            })
        }
        Operation::Update { .. } => None,
    }
}
