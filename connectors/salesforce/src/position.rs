//! How far a stream has been read: windows over `SystemModstamp`.
//!
//! ```text
//! first       [ …, … )                        everything that is there; counts as read up to `until`
//! window n    [ from, until )                 until = server's now - settle
//! window n+1        [ until - overlap, … )    a row may become visible after its stamp has passed
//! ```

use contract::{ConnectorError, Cursor};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const VERSION: u8 = 1;

/// The position of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    version: u8,
    /// Everything stamped before this has been read, as far as it was visible. Absent on the first
    /// pass.
    pub(crate) read_to: Option<Timestamp>,
    /// The window being read, while it has more pages.
    pub(crate) open: Option<Open>,
}

/// A window in the middle of its pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) window: Window,
    /// Path of the next page. It expires.
    pub(crate) next: String,
    /// The stamp of the last row read: where to take the window up again when `next` has expired.
    pub(crate) reached: Option<Timestamp>,
}

/// Stamps from `from` (absent: from the beginning) to just before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Timestamp,
}

impl Position {
    pub(crate) fn start() -> Position {
        Position {
            version: VERSION,
            read_to: None,
            open: None,
        }
    }

    /// Opens a cursor; one of another version is lost.
    pub(crate) fn of(cursor: &Cursor) -> Result<Position, ConnectorError> {
        let position = cursor.open::<Position>()?.unwrap_or_else(Position::start);
        if position.version == VERSION {
            Ok(position)
        } else {
            Err(ConnectorError::CursorLost)
        }
    }

    /// The next window, or `None` while there is nothing settled to read.
    pub(crate) fn window(
        &self,
        server_now: Timestamp,
        settle: Duration,
        overlap: Duration,
    ) -> Option<Window> {
        let until = floor(server_now.checked_sub(settle).unwrap_or(server_now));
        let from = self
            .read_to
            .map(|read_to| floor(read_to.checked_sub(overlap).unwrap_or(Timestamp::MIN)));
        let window = Window { from, until };
        from.is_none_or(|from| from < until).then_some(window)
    }

    /// In the middle of a window.
    pub(crate) fn within(
        &self,
        window: Window,
        next: String,
        reached: Option<Timestamp>,
    ) -> Position {
        Position {
            open: Some(Open {
                window,
                next,
                reached,
            }),
            ..self.clone()
        }
    }

    /// Behind a window. Time never runs backwards here.
    pub(crate) fn behind(&self, window: Window) -> Position {
        Position {
            version: VERSION,
            read_to: self.read_to.max(Some(window.until)),
            open: None,
        }
    }

    /// Whether an earlier window has already told of rows with this stamp.
    pub(crate) fn has_told(&self, stamp: Timestamp) -> bool {
        self.read_to.is_some_and(|read_to| stamp < read_to)
    }
}

impl Window {
    /// What is left of it after `reached`. That stamp is read again, since several rows may share
    /// it.
    pub(crate) fn rest(self, reached: Option<Timestamp>) -> Window {
        Window {
            from: reached.map(floor).or(self.from),
            ..self
        }
    }
}

fn floor(time: Timestamp) -> Timestamp {
    let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    Timestamp::from_second(second).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(3);
    const OVERLAP: Duration = Duration::from_secs(600);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_end_in_the_settled_past_and_overlap() {
        let start = Position::of(&Cursor::start()).unwrap();
        let first = start
            .window(at("2026-01-01T12:00:00.9Z"), SETTLE, OVERLAP)
            .unwrap();
        assert_eq!(
            first,
            Window {
                from: None,
                until: at("2026-01-01T11:59:57Z")
            }
        );
        let second = start
            .behind(first)
            .window(at("2026-01-01T12:05:00Z"), SETTLE, OVERLAP)
            .unwrap();
        assert_eq!(
            second,
            Window {
                from: Some(at("2026-01-01T11:49:57Z")),
                until: at("2026-01-01T12:04:57Z")
            }
        );
    }

    #[test]
    fn a_clock_that_jumps_back_reads_nothing_and_loses_nothing() {
        let position = Position::start().behind(Window {
            from: None,
            until: at("2026-01-01T12:00:00Z"),
        });
        assert_eq!(
            position.window(at("2026-01-01T11:00:00Z"), SETTLE, OVERLAP),
            None
        );
        let earlier = Window {
            from: None,
            until: at("2026-01-01T11:55:00Z"),
        };
        assert_eq!(position.behind(earlier), position);
    }

    #[test]
    fn an_expired_page_takes_the_window_up_where_it_stood() {
        let window = Window {
            from: None,
            until: at("2026-01-01T12:00:00Z"),
        };
        assert_eq!(
            window.rest(Some(at("2025-06-01T00:00:00.5Z"))).from,
            Some(at("2025-06-01T00:00:00Z"))
        );
        assert_eq!(window.rest(None), window);
    }

    #[test]
    fn a_position_survives_sealing_and_another_version_is_lost() {
        let window = Window {
            from: None,
            until: at("2026-01-01T12:00:00Z"),
        };
        let position = Position::start().within(
            window,
            "/services/data/v68.0/query/01g-2000".to_owned(),
            None,
        );
        assert_eq!(Position::of(&Cursor::seal(&position)).unwrap(), position);
        let strange = serde_json::json!({"version": 9, "read_to": null, "open": null});
        assert!(matches!(
            Position::of(&Cursor::seal(&strange)),
            Err(ConnectorError::CursorLost)
        ));
    }

    #[test]
    fn the_first_version_of_a_position_is_still_read() {
        let kept: Cursor = serde_json::from_str(
            r#""{\"version\":1,\"read_to\":\"2026-01-01T11:00:00Z\",\"open\":{\"window\":{\"from\":null,\"until\":\"2026-01-01T12:00:00Z\"},\"next\":\"/x\",\"reached\":null}}""#,
        )
        .unwrap();
        assert_eq!(
            Position::of(&kept).unwrap().read_to,
            Some(at("2026-01-01T11:00:00Z"))
        );
    }
}
