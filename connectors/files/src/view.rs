use crate::{export::Held, overlay::World, pending::key_of, settings::Missing, snapshot::Snapshot};
use contract::{Change, ConnectorError, Cursor, Id, Kind, Page};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, fmt::Write, sync::Arc};

const BUCKETS: usize = 256;

/// What a kind looks like as a whole. A cursor remembers one digest for each of 256 groups of records, so that it stays
/// small however many there are, and a change tells anew only the groups in which something changed.
#[derive(Debug)]
pub(crate) struct View {
    told: Vec<(usize, Told)>,
    ids: BTreeSet<Id>,
    merged: BTreeSet<Id>,
    buckets: String,
}

/// Records are shared with the exports; everything else is small.
#[derive(Debug)]
enum Told {
    Record(Arc<Held>),
    Other(Change),
}

impl Told {
    fn change(&self) -> Change {
        match self {
            Told::Record(held) => Change::Upserted(held.record.clone()),
            Told::Other(change) => change.clone(),
        }
    }
}

/// How far a stream has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Position {
    /// Digests of the groups as last read to the end; empty at first.
    seen: String,
    /// Ids as last read to the end, where their absence means something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<Id>,
    /// A reading under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scan: Option<Scan>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Scan {
    /// Of which view.
    view: String,
    /// How many changes have been told.
    told: usize,
}

impl View {
    /// The view of a kind.
    pub fn new(kind: Kind, snapshot: &Snapshot, world: &World) -> View {
        let mut sums = [0_u64; BUCKETS];
        let mut told = Vec::new();
        let mut put = |key: &str, content: &[u8], change: Told| {
            let bucket = usize::from(Sha256::digest(key.as_bytes())[0]);
            let digest = Sha256::new()
                .chain_update(key.as_bytes())
                .chain_update([0])
                .chain_update(content)
                .finalize();
            let number = digest
                .iter()
                .take(8)
                .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            // A sum, so that the order of records does not matter.
            sums[bucket] = sums[bucket].wrapping_add(number);
            told.push((bucket, change));
        };
        let records = world.records.get(&kind).into_iter().flatten();
        let ids: BTreeSet<Id> = records.clone().map(|(id, _)| id.clone()).collect();
        for (id, held) in records {
            put(
                &format!("0{id}"),
                &content(held),
                Told::Record(Arc::clone(held)),
            );
        }
        let merged = world.merged.get(&kind).into_iter().flatten();
        for (loser, winner) in merged.clone() {
            put(
                &format!("1{loser}"),
                winner.0.as_bytes(),
                Told::Other(Change::Merged {
                    kind,
                    loser: loser.clone(),
                    winner: winner.clone(),
                }),
            );
        }
        for (id, master) in snapshot.gone.get(&kind).into_iter().flatten() {
            let change = match master {
                Some(winner) => Change::Merged {
                    kind,
                    loser: id.clone(),
                    winner: winner.clone(),
                },
                None => Change::Deleted {
                    kind,
                    id: id.clone(),
                },
            };
            put(
                &format!("2{id}"),
                master.as_ref().map_or(&[], |id| id.0.as_bytes()),
                Told::Other(change),
            );
        }
        for (file, _) in snapshot.of(kind) {
            for bad in &file.unreadable {
                put(
                    &format!("3{}", bad.reason),
                    &[],
                    Told::Other(Change::Unreadable {
                        kind,
                        id: bad.id.clone(),
                        reason: bad.reason.clone(),
                    }),
                );
            }
        }
        let mut buckets = String::with_capacity(BUCKETS * 16);
        for sum in sums {
            write!(buckets, "{sum:016x}").expect("a string takes all");
        }
        let merged = merged.map(|(loser, _)| loser.clone()).collect();
        View {
            told,
            ids,
            merged,
            buckets,
        }
    }

    /// What tells one view from another.
    pub fn digest(&self) -> String {
        Sha256::digest(self.buckets.as_bytes())
            .iter()
            .take(8)
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The view that a cursor is reading, if it is in the middle.
    pub fn under_way(from: &Cursor) -> Result<Option<String>, ConnectorError> {
        Ok(from
            .open::<Position>()?
            .and_then(|position| position.scan)
            .map(|scan| scan.view))
    }

    /// The next page.
    pub fn page(
        self: &Arc<Self>,
        kind: Kind,
        from: &Cursor,
        at_most: usize,
        missing: Missing,
    ) -> Result<Page, ConnectorError> {
        let position: Position = from.open()?.unwrap_or_default();
        if position.scan.is_none() && position.seen == self.buckets {
            return Ok(Page {
                changes: Vec::new(),
                next: from.clone(),
                more: false,
            });
        }
        let told = position
            .scan
            .as_ref()
            .filter(|scan| scan.view == self.digest())
            .map_or(0, |scan| scan.told);
        let vanished = position.ids.iter().filter(|id| {
            missing == Missing::Deleted && !self.ids.contains(id) && !self.merged.contains(id)
        });
        let vanished = vanished.map(|id| Change::Deleted {
            kind,
            id: id.clone(),
        });
        let seen = position.seen.as_bytes();
        let differs = |bucket: usize| {
            let range = bucket * 16..bucket * 16 + 16;
            seen.get(range.clone()) != self.buckets.as_bytes().get(range)
        };
        let changed = self
            .told
            .iter()
            .filter(|(bucket, _)| differs(*bucket))
            .map(|(_, told)| told);
        let at_most = at_most.max(1);
        let vanished: Vec<Told> = vanished.map(Told::Other).collect();
        let rest = changed.chain(&vanished).skip(told).take(at_most + 1);
        let mut changes: Vec<Change> = rest.map(Told::change).collect();
        let more = changes.len() > at_most;
        changes.truncate(at_most);
        let next = if more {
            Position {
                scan: Some(Scan {
                    view: self.digest(),
                    told: told + at_most,
                }),
                ..position
            }
        } else {
            let ids = if missing == Missing::Deleted {
                self.ids.iter().cloned().collect()
            } else {
                Vec::new()
            };
            Position {
                seen: self.buckets.clone(),
                ids,
                scan: None,
            }
        };
        Ok(Page {
            changes,
            next: Cursor::seal(&next),
            more,
        })
    }
}

/// What of a record counts as a change: a new time of the file alone does not.
fn content(held: &Held) -> Vec<u8> {
    let modified = held.dated.then_some(held.record.modified);
    serde_json::to_vec(&(modified, &held.record.fields, &held.record.relations))
        .expect("plain data with text keys")
}

/// Whether an id is only ours so far.
pub(crate) fn is_ours(id: &Id) -> bool {
    key_of(id).is_some()
}
