//! How far the contacts have been read: the state that is sealed into the cursor. Pure; the time is always an argument.
//!
//! ```text
//! start -> Listing (all contacts, page by page) -> Rest
//! Rest  -> Window  (modified from..to, by ids)  -> Rest, or Archived when a pass is due
//!          Archived (all archived contacts)     -> Rest
//! ```
//!
//! Promises: every modification that HubSpot shows falls into some window, for the next window starts before the end of
//! the last one, and the end is a time by HubSpot's clock at which the search had already been answered; what its index
//! shows late falls into a deep window. A window is fixed at its start and walked by ascending id, so a record that
//! changes meanwhile leaves this window for the next one, and no page drifts.

use contract::{ConnectorError, Cursor};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;

/// A pass over so many pages of archived contacts costs the usual wait; a longer pass waits in proportion.
const CHEAP_PASS: u32 = 10;

/// How often and how far back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub overlap: SignedDuration,
    pub deep_overlap: SignedDuration,
    pub deep_every: SignedDuration,
    pub deletes_every: SignedDuration,
}

/// How far the contacts have been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    version: u8,
    phase: Phase,
    /// Modifications up to here have been read.
    read_to: Timestamp,
    /// End of the last deep window.
    deep_at: Timestamp,
    /// Start of the last pass over the archived contacts.
    deletes_at: Timestamp,
    /// How many pages that pass had.
    deletes_pages: u32,
}

/// What is being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Phase {
    /// All contacts; `after` is the next page.
    Listing { after: Option<String> },
    /// Nothing until the next poll.
    Rest,
    /// What was modified in a window; ids up to `beyond` are done.
    Window {
        from: Timestamp,
        to: Timestamp,
        beyond: u64,
        deep: bool,
    },
    /// The archived contacts.
    Archived {
        began: Timestamp,
        after: Option<String>,
        pages: u32,
    },
}

impl Position {
    /// Before the first page of all.
    pub fn start(now: Timestamp) -> Position {
        let phase = Phase::Listing { after: None };
        Position {
            version: VERSION,
            phase,
            read_to: now,
            deep_at: now,
            deletes_at: now,
            deletes_pages: 1,
        }
    }

    /// What a cursor holds.
    ///
    /// # Errors
    /// [`ConnectorError::CursorLost`] where another version has sealed it.
    pub fn open(cursor: &Cursor) -> Result<Option<Position>, ConnectorError> {
        match cursor.open::<Position>()? {
            Some(position) if position.version != VERSION => Err(ConnectorError::CursorLost),
            position => Ok(position),
        }
    }

    /// The position as a cursor.
    pub fn seal(&self) -> Cursor {
        Cursor::seal(self)
    }

    /// What is to be read now; a window is opened where nothing is under way.
    pub fn due(&mut self, now: Timestamp, rhythm: &Rhythm) -> &Phase {
        if self.phase == Phase::Rest {
            // A clock that went back must not leave a gap: the earlier of both times counts.
            let base = self.read_to.min(now);
            let deep = elapsed(self.deep_at, now) >= rhythm.deep_every;
            let from = back(
                base,
                if deep {
                    rhythm.deep_overlap
                } else {
                    rhythm.overlap
                },
            );
            self.phase = Phase::Window {
                from,
                to: now,
                beyond: 0,
                deep,
            };
        }
        &self.phase
    }

    /// Whether there is more to read right now.
    pub fn more(&self) -> bool {
        self.phase != Phase::Rest
    }

    /// A page of the listing has been read. `date` is HubSpot's time in the answer.
    pub fn listed(&mut self, next: Option<String>, date: Option<Timestamp>) {
        if self.phase == (Phase::Listing { after: None }) {
            // The windows start where the listing did, by HubSpot's clock and not by ours.
            self.read_to = earlier(self.read_to, date);
            self.deep_at = self.read_to;
            self.deletes_at = self.read_to;
        }
        self.phase = match next {
            Some(after) => Phase::Listing { after: Some(after) },
            None => Phase::Rest,
        };
    }

    /// A page of the window has been read: `last` is its highest id, `full` says that more may follow.
    pub fn searched(
        &mut self,
        last: Option<u64>,
        full: bool,
        date: Option<Timestamp>,
        rhythm: &Rhythm,
    ) {
        let Phase::Window {
            from,
            mut to,
            beyond,
            deep,
        } = self.phase
        else {
            return;
        };
        if beyond == 0 {
            // What changes after this answer belongs to the next window, whatever our clock thinks.
            to = earlier(to, date).max(from);
        }
        if let (Some(last), true) = (last, full) {
            self.phase = Phase::Window {
                from,
                to,
                beyond: last,
                deep,
            };
            return;
        }
        self.read_to = to;
        if deep {
            self.deep_at = to;
        }
        self.phase = if elapsed(self.deletes_at, to) >= self.deletes_wait(rhythm) {
            Phase::Archived {
                began: to,
                after: None,
                pages: 0,
            }
        } else {
            Phase::Rest
        };
    }

    /// A page of the archived contacts has been read.
    pub fn archived(&mut self, next: Option<String>) {
        let Phase::Archived { began, pages, .. } = self.phase else {
            return;
        };
        self.phase = match next {
            Some(after) => Phase::Archived {
                began,
                after: Some(after),
                pages: pages + 1,
            },
            None => {
                self.deletes_at = began;
                self.deletes_pages = pages + 1;
                Phase::Rest
            }
        };
    }

    /// Whether a change of this time has been read from the record itself by an earlier window, so that a caller who
    /// holds it holds it whole. Within the last moments two changes may bear the same time, and the second must not
    /// pass for the first.
    pub fn is_settled(&self, modified: Timestamp) -> bool {
        modified < self.read_to
    }

    /// Contacts archived before this have been told already, or were gone before the listing.
    pub fn archived_since(&self, rhythm: &Rhythm) -> Timestamp {
        back(self.deletes_at, rhythm.overlap)
    }

    fn deletes_wait(&self, rhythm: &Rhythm) -> SignedDuration {
        let times = self.deletes_pages.div_ceil(CHEAP_PASS).clamp(1, 1_000);
        rhythm
            .deletes_every
            .saturating_mul(i32::try_from(times).unwrap_or(i32::MAX))
    }
}

/// Since then; for ever, where a time lies ahead of us, so that what waits for it happens.
fn elapsed(since: Timestamp, now: Timestamp) -> SignedDuration {
    let elapsed = now.duration_since(since);
    if elapsed.is_negative() {
        SignedDuration::MAX
    } else {
        elapsed
    }
}

fn earlier(time: Timestamp, date: Option<Timestamp>) -> Timestamp {
    date.map_or(time, |date| date.min(time))
}

fn back(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm {
        overlap: SignedDuration::from_secs(60),
        deep_overlap: SignedDuration::from_secs(900),
        deep_every: SignedDuration::from_secs(600),
        deletes_every: SignedDuration::from_secs(600),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn listed_at(seconds: i64) -> Position {
        let mut position = Position::start(at(seconds));
        position.listed(None, None);
        position
    }

    fn window(position: &mut Position, now: i64) -> (i64, i64, bool) {
        match position.due(at(now), &RHYTHM) {
            Phase::Window { from, to, deep, .. } => (
                from.as_second() - 1_000_000,
                to.as_second() - 1_000_000,
                *deep,
            ),
            other => panic!("a window is due, not {other:?}"),
        }
    }

    #[test]
    fn the_listing_goes_page_by_page_and_the_first_window_starts_before_it() {
        let mut position = Position::start(at(0));
        position.listed(Some("100".into()), Some(at(1)));
        assert_eq!(
            position.due(at(50), &RHYTHM),
            &Phase::Listing {
                after: Some("100".into())
            }
        );
        position.listed(None, Some(at(50)));
        assert_eq!(window(&mut position, 51), (-60, 51, false));
    }

    #[test]
    fn our_clock_ahead_of_hubspots_loses_nothing() {
        let mut position = Position::start(at(5_000));
        position.listed(None, Some(at(0)));
        assert_eq!(window(&mut position, 10), (-60, 10, false));
        position.searched(None, false, Some(at(3)), &RHYTHM);
        assert_eq!(
            window(&mut position, 20),
            (3 - 60, 20, false),
            "the window ended at HubSpot's time"
        );
    }

    #[test]
    fn a_clock_that_goes_back_leaves_no_gap() {
        let mut position = listed_at(0);
        window(&mut position, 100);
        position.searched(None, false, None, &RHYTHM);
        let (from, to, _) = window(&mut position, 40);
        assert!(from < 40 && to == 40);
    }

    #[test]
    fn a_window_is_walked_by_id_and_stays_as_it_was() {
        let mut position = listed_at(0);
        window(&mut position, 30);
        position.searched(Some(200), true, Some(at(30)), &RHYTHM);
        assert!(position.more());
        let expected = Phase::Window {
            from: at(-60),
            to: at(30),
            beyond: 200,
            deep: false,
        };
        assert_eq!(position.due(at(99), &RHYTHM), &expected);
        position.searched(Some(250), false, Some(at(99)), &RHYTHM);
        assert!(!position.more());
        assert_eq!(
            window(&mut position, 100).0,
            30 - 60,
            "the next window starts before the end of this one"
        );
    }

    #[test]
    fn every_ten_minutes_a_window_reaches_deep_and_the_archive_is_passed() {
        let mut position = listed_at(0);
        assert_eq!(window(&mut position, 599), (-60, 599, false));
        position.searched(None, false, None, &RHYTHM);
        assert_eq!(window(&mut position, 601), (599 - 900, 601, true));
        position.searched(None, false, None, &RHYTHM);
        assert_eq!(
            position.due(at(602), &RHYTHM),
            &Phase::Archived {
                began: at(601),
                after: None,
                pages: 0
            }
        );
        assert_eq!(
            position.archived_since(&RHYTHM),
            at(-60),
            "what was archived since the listing is told"
        );
        position.archived(Some("9".into()));
        assert!(position.more());
        position.archived(None);
        assert!(!position.more());
        assert_eq!(position.archived_since(&RHYTHM), at(601 - 60));
        assert!(!window(&mut position, 610).2);
    }

    #[test]
    fn a_large_archive_is_passed_less_often() {
        let mut position = Position {
            deletes_pages: 25,
            ..listed_at(0)
        };
        for (now, due) in [(1_799, false), (1_801, true)] {
            window(&mut position, now);
            position.searched(None, false, None, &RHYTHM);
            assert_eq!(position.more(), due, "{now}");
        }
    }

    #[test]
    fn the_sealed_form_of_version_1_is_read_and_others_are_lost() {
        let sealed = r#"{"version":1,"phase":{"window":{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:01:00Z","beyond":7,"deep":true}},"read_to":"2026-01-01T00:00:00Z","deep_at":"2026-01-01T00:00:00Z","deletes_at":"2026-01-01T00:00:00Z","deletes_pages":2}"#;
        let cursor: Cursor =
            serde_json::from_value(serde_json::Value::String(sealed.to_owned())).unwrap();
        let position = Position::open(&cursor).unwrap().unwrap();
        assert_eq!(position.seal(), cursor);
        let other: Cursor =
            serde_json::from_value(serde_json::Value::String(sealed.replace(":1,", ":2,")))
                .unwrap();
        assert!(matches!(
            Position::open(&other),
            Err(ConnectorError::CursorLost)
        ));
        assert_eq!(Position::open(&Cursor::start()).unwrap(), None);
    }
}
