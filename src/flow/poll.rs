//! Reads streams page by page. A page's mirrors and the cursor after it are one commit.

use super::{Loop, OUTBOX_BOUND, blocking, intake, streams};
use crate::store::{self, state::KnownOn};
use contract::{ConnectorError, Cursor, Kind, Page, Request};
use jiff::Timestamp;
use kit::Side;
use tokio::sync::watch;

/// Most bytes that go into one commit, well below what the store takes.
const PART: usize = 8 * 1024 * 1024;

/// Most records asked for in one page; vendors cap it lower.
const PAGE: usize = 2000;

impl Loop {
    /// Reads every stream of one side to its present end. Returns how many changes were taken in.
    pub(super) async fn poll(
        &mut self,
        side: Side,
        stop: &watch::Receiver<bool>,
    ) -> Result<usize, store::Error> {
        let kinds: Vec<Kind> = streams(self.connectors[&side].as_ref()).collect();
        let mut taken = 0;
        for kind in kinds {
            loop {
                if *stop.borrow() || !self.may_ask(side) || self.is_full()? {
                    return Ok(taken);
                }
                if self.is_ailing(side, kind) {
                    break;
                }
                match self.page(side, kind).await? {
                    Some((changes, more)) => {
                        taken += changes;
                        if !more {
                            break;
                        }
                    }
                    None => break,
                }
            }
        }
        Ok(taken)
    }

    /// Polls pause while more is owed than the sides take: nothing is dropped, it is read later.
    fn is_full(&self) -> Result<bool, store::Error> {
        let read = self.state.read();
        Ok(
            read.outbox_size(Side::Marketing, OUTBOX_BOUND)? >= OUTBOX_BOUND
                || read.outbox_size(Side::Crm, OUTBOX_BOUND)? >= OUTBOX_BOUND,
        )
    }

    async fn page(
        &mut self,
        side: Side,
        kind: Kind,
    ) -> Result<Option<(usize, bool)>, store::Error> {
        let stream = self.state.read().stream(side, kind)?;
        let known = KnownOn {
            state: &self.state,
            side,
        };
        let connector = self.connectors[&side].clone();
        let request = Request {
            kind,
            from: &stream.cursor,
            at_most: PAGE,
            known: &known,
        };
        match connector.read(&request).await {
            Ok(page) => {
                let more = page.more;
                let changes = blocking(|| self.take_in(side, kind, page))?;
                self.fine(side);
                self.ailing.remove(&(side, kind));
                Ok(Some((changes, more)))
            }
            Err(ConnectorError::CursorLost) => {
                tracing::warn!(loop_name = self.settings.name, %side, %kind, "the position is lost: the stream is read again from the beginning");
                let mut change = self.state.change(self.clock.now());
                // What was deleted in the gap is found by looking up what is held: the sweep is due at once.
                change.put_stream(
                    side,
                    kind,
                    &store::state::Stream {
                        cursor: Cursor::start(),
                        swept_at: Some(Timestamp::UNIX_EPOCH),
                        ..stream
                    },
                )?;
                self.state.commit(change)?;
                Ok(Some((0, true)))
            }
            Err(error @ (ConnectorError::Refused { .. } | ConnectorError::Protocol { .. })) => {
                self.ail(side, kind, &error);
                Ok(None)
            }
            Err(error) => {
                self.trouble(side, &error);
                Ok(None)
            }
        }
    }

    fn take_in(&mut self, side: Side, kind: Kind, page: Page) -> Result<usize, store::Error> {
        let now = self.clock.now();
        let state = self.state.clone();
        let mut change = state.change(now);
        let changes = page.changes.len();
        for told in page.changes {
            intake::take(&mut self.knowledge, &mut change, side, told, now)?;
            // A very large page goes in by parts. The cursor goes with the last: telling twice is harmless.
            if change.size() > PART {
                state.commit(std::mem::replace(&mut change, state.change(now)))?;
            }
        }
        let mut stream = change.stream(side, kind)?;
        stream.cursor = page.next;
        // An idle poll is not worth a commit of its own.
        if !page.more && (changes > 0 || !stream.complete) {
            stream.complete = true;
            stream.read_at = Some(now);
            stream.swept_at = stream.swept_at.or(Some(now));
        }
        change.put_stream(side, kind, &stream)?;
        if changes > 0 {
            change.put_counters(&self.knowledge.counters);
        }
        if !change.is_empty() {
            self.state.commit(change)?;
        }
        Ok(changes)
    }
}
