//! How the two sides and their streams are, and what that means: errors are remedies.

use super::Loop;
use contract::{ConnectorError, Kind};
use jiff::{SignedDuration, Timestamp};
use kit::Side;

/// How one side is doing.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// Nothing is asked before this moment.
    pub(super) paused_until: Option<Timestamp>,
    /// Why nothing is asked, in words; a parked side waits for somebody.
    pub(super) trouble: Option<String>,
    pub(super) parked: bool,
    pub(super) failures: u32,
}

/// What is the matter with one stream.
#[derive(Clone, Debug)]
pub(super) struct Ailment {
    pub(super) paused_until: Timestamp,
    pub(super) failures: u32,
    pub(super) detail: String,
}

impl Loop {
    /// Asks each side once how long its texts may be. Without an answer nothing is cut, and the vendor says so itself.
    pub(super) async fn learn_limits(&mut self) {
        let asked: Vec<(Side, Kind)> = [
            (Side::Crm, Kind::Lead),
            (Side::Crm, Kind::Contact),
            (Side::Crm, Kind::Account),
            (Side::Marketing, Kind::Lead),
        ]
        .into_iter()
        .filter(|(side, kind)| {
            !self
                .knowledge
                .limits
                .0
                .contains_key(&(*side, *kind, String::new()))
        })
        .collect();
        for (side, kind) in asked {
            if !self.may_ask(side) {
                continue;
            }
            match self.connectors[&side].describe(kind).await {
                Ok(fields) => {
                    // The empty name marks that the kind has been described.
                    self.knowledge
                        .limits
                        .0
                        .insert((side, kind, String::new()), usize::MAX);
                    let longest = fields
                        .into_iter()
                        .filter_map(|info| Some(((side, kind, info.name), info.max_length?)));
                    self.knowledge.limits.0.extend(longest);
                }
                Err(error @ (ConnectorError::Refused { .. } | ConnectorError::Protocol { .. })) => {
                    tracing::warn!(loop_name = self.settings.name, %side, %kind, error = %error, "the fields are not described: nothing is cut to their length");
                    self.knowledge
                        .limits
                        .0
                        .insert((side, kind, String::new()), usize::MAX);
                }
                Err(error) => self.trouble(side, &error),
            }
        }
    }

    pub(super) fn may_ask(&self, side: Side) -> bool {
        let condition = &self.sides[&side];
        condition.paused_for(self.clock.now()) <= SignedDuration::ZERO
    }

    /// A side has answered: whatever was the matter is over.
    pub(super) fn fine(&mut self, side: Side) {
        if let Some(condition) = self.sides.get_mut(&side) {
            if let Some(trouble) = condition.trouble.take() {
                tracing::info!(loop_name = self.settings.name, %side, trouble, "works again");
            }
            *condition = Condition::default();
        }
        self.board.beat();
    }

    /// A side has not answered: errors are remedies.
    pub(super) fn trouble(&mut self, side: Side, error: &ConnectorError) {
        let now = self.clock.now();
        let Some(condition) = self.sides.get_mut(&side) else {
            return;
        };
        condition.failures += 1;
        let backoff =
            SignedDuration::from_secs(i64::from(2u32.saturating_pow(condition.failures.min(9))));
        let (pause, parked) = match error {
            // Signing in again takes a person: ask seldom, and raise the alarm.
            ConnectorError::Unauthorized { .. } => (SignedDuration::from_mins(15), true),
            ConnectorError::Refused { .. } => (SignedDuration::from_mins(5), true),
            ConnectorError::Throttled { retry_after, .. } => (
                retry_after
                    .and_then(|wait| SignedDuration::try_from(wait).ok())
                    .unwrap_or(backoff),
                false,
            ),
            ConnectorError::Unavailable { .. } | ConnectorError::Protocol { .. } => {
                (backoff, false)
            }
            ConnectorError::CursorLost => (SignedDuration::ZERO, false),
        };
        condition.paused_until = now.checked_add(pause).ok();
        condition.parked = parked;
        condition.trouble = Some(error.to_string());
        let seconds = pause.as_secs();
        if parked {
            tracing::error!(loop_name = self.settings.name, %side, error = %error, seconds, "parked: somebody must act; asked again later");
        } else {
            tracing::warn!(loop_name = self.settings.name, %side, error = %error, seconds, "waits");
        }
        self.knowledge.counters.add("errors", 1);
        self.board.beat();
    }

    /// One stream is refused, or cannot be understood: it is asked again later, and the others go on.
    pub(super) fn ail(&mut self, side: Side, kind: Kind, error: &ConnectorError) {
        let now = self.clock.now();
        let failures = self
            .ailing
            .get(&(side, kind))
            .map_or(0, |ailment| ailment.failures)
            + 1;
        let pause = SignedDuration::from_secs(i64::from(2u32.saturating_pow(failures.min(9))));
        let paused_until = now.checked_add(pause).unwrap_or(now);
        tracing::error!(loop_name = self.settings.name, %side, %kind, error = %error, seconds = pause.as_secs(), "a stream cannot be read");
        self.ailing.insert(
            (side, kind),
            Ailment {
                paused_until,
                failures,
                detail: format!("{kind}s: {error}"),
            },
        );
        self.knowledge.counters.add("errors", 1);
        self.board.beat();
    }

    pub(super) fn is_ailing(&self, side: Side, kind: Kind) -> bool {
        self.ailing
            .get(&(side, kind))
            .is_some_and(|ailment| ailment.paused_until > self.clock.now())
    }
}

impl Condition {
    pub(super) fn paused_for(&self, now: Timestamp) -> SignedDuration {
        self.paused_until
            .map_or(SignedDuration::ZERO, |until| until.duration_since(now))
    }
}
