//! What the daemon tells while it runs: logs, and signs of life to systemd.
//!
//! Logs bear facts as fields. Personal data goes into them as [`Masked`] only, secrets never. Which environment we run in is
//! an argument; only the address of systemd's notification socket is read from the environment, by the library that writes
//! to it. Deliberately absent: log files and their rotation (the journal and whoever reads stderr do that).

use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};
use std::{fmt, io, time::Duration};
use tokio::time::MissedTickBehavior;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How logs on stderr look. The journal has fields of its own and takes no format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line per event, for people.
    #[default]
    Human,
    /// One JSON object per line, for collectors.
    Json,
}

/// Where the logs go, as the caller has found out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings {
    /// Whether stderr is the journal: systemd sets `JOURNAL_STREAM` for such services. Logs then go there with their fields.
    pub journal: bool,
    /// Whether stderr shows colours.
    pub ansi: bool,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error(
        "{filter:?} is no log filter; write a level such as info, or targets such as info,leadloop::flow=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logs were set up before.
    #[error("logs are set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends the logs of this process where they belong, from now on.
///
/// `filter` has the form of `RUST_LOG`; blank means `info`. Where the journal cannot be reached, stderr is used.
///
/// # Errors
/// Where the filter is none, or logs are set up already.
pub fn start(format: Format, filter: &str, surroundings: Surroundings) -> Result<(), Error> {
    let registry = tracing_subscriber::registry().with(parse(filter)?);
    let journal = surroundings.journal.then(tracing_journald::layer);
    match journal {
        Some(Ok(journal)) => {
            let journal = journal
                .with_field_prefix(Some("LEADLOOP".to_owned()))
                .with_syslog_identifier("leadloop".to_owned());
            registry.with(journal).try_init()?;
        }
        Some(Err(error)) => {
            registry.with(lines(format, false, io::stderr)).try_init()?;
            tracing::warn!(%error, "cannot reach the journal; logs go to stderr");
        }
        None => registry
            .with(lines(format, surroundings.ansi, io::stderr))
            .try_init()?,
    }
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    let filter = if filter.trim().is_empty() {
        "info"
    } else {
        filter
    };
    EnvFilter::builder()
        .parse(filter)
        .map_err(|source| Error::Filter {
            filter: filter.to_owned(),
            source,
        })
}

/// Control characters in what is logged are escaped by the library: a lead's name cannot drive a terminal.
fn lines<S, W>(format: Format, ansi: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match format {
        Format::Human => tracing_subscriber::fmt::layer()
            .compact()
            .with_ansi(ansi)
            .with_writer(writer)
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(writer)
            .boxed(),
    }
}

/// Tells systemd how the service is. Without systemd all of this does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notify;

impl Notify {
    /// The state is open and the configuration good: what waits for this service may start.
    pub fn ready(self) {
        self.send(&[NotifyState::Ready]);
    }

    /// One line for `systemctl status`.
    pub fn status(self, line: &str) {
        // A line break would start another assignment.
        let line: String = line
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        self.send(&[NotifyState::Status(&line)]);
    }

    /// The configuration is being read again; [`Notify::ready`] must follow. The time that goes with it is what
    /// `Type=notify-reload` of systemd 253 and later asks for.
    pub fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// The service is on its way out.
    pub fn stopping(self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// How often systemd wants a sign of life (`WatchdogSec=`), where it does.
    pub fn watchdog(self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }

    fn send(self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::debug!(%error, "cannot notify systemd");
        }
    }
}

/// Passes on signs of life only where there was progress.
///
/// A timer alone would ping for a daemon whose loops all hang. So the loops count their steps (a page, a commit, an answer,
/// and each time they wake up and find nothing to do), and systemd hears of us only where that count has moved since the last
/// look. Looks are half an interval apart: who waits for longer than that must wake up and count in between.
#[derive(Debug)]
pub struct Watchdog<F> {
    steps: F,
    seen: Option<u64>,
}

impl<F: Fn() -> u64> Watchdog<F> {
    /// Looks at a count of steps.
    pub fn new(steps: F) -> Self {
        Watchdog { steps, seen: None }
    }

    /// Whether there was progress since the last time this was asked. True the first time.
    pub fn alive(&mut self) -> bool {
        let now = Some((self.steps)());
        std::mem::replace(&mut self.seen, now) != now
    }

    /// Pings systemd at half this interval where there was progress, for ever.
    pub async fn run(mut self, interval: Duration, notify: Notify) {
        // A timer refuses a period of nothing.
        let mut ticks = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.alive() {
                notify.send(&[NotifyState::Watchdog]);
            } else {
                tracing::warn!(
                    interval_s = interval.as_secs(),
                    "no progress since the last look; systemd is not told that we live"
                );
            }
        }
    }
}

/// An e-mail address as logs may show it: `j***@acme.com`. What is no address shows its first character only.
#[derive(Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, domain) = match self.0.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (self.0, None),
        };
        let safe = |text: &str| {
            text.chars()
                .map(|char| if char.is_control() { '?' } else { char })
                .collect::<String>()
        };
        let first: String = local.chars().take(1).collect();
        write!(f, "{}***", safe(&first))?;
        match domain {
            Some(domain) => write!(f, "@{}", safe(domain)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{
        cell::Cell,
        io::Write,
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::Registry;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str, act: impl FnOnce()) -> String {
        let paper = Paper::default();
        let ours = paper.clone();
        let subscriber = Registry::default().with(parse(filter).unwrap()).with(lines(
            format,
            false,
            move || ours.clone(),
        ));
        tracing::subscriber::with_default(subscriber, act);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_filter_decides_and_blank_means_info() {
        let act = || {
            tracing::info!(target: "leadloop::flow", "a page");
            tracing::debug!(target: "leadloop::flow", "a detail");
        };
        for (filter, page, detail) in [
            ("", true, false),
            ("warn", false, false),
            ("warn,leadloop::flow=debug", true, true),
            (" ", true, false),
        ] {
            let text = logged(Format::Human, filter, act);
            assert_eq!(
                (text.contains("a page"), text.contains("a detail")),
                (page, detail),
                "{filter:?}"
            );
        }
        let message = parse("leadloop=loud=er").unwrap_err().to_string();
        assert!(
            message.starts_with(r#""leadloop=loud=er" is no log filter; "#),
            "{message}"
        );
    }

    #[test]
    fn json_lines_hold_their_fields_at_the_top() {
        let text = logged(Format::Json, "info", || {
            tracing::info!(side = "crm", read = 3, "took in a page")
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["side"], &line["read"], &line["message"]),
            (&"crm".into(), &3.into(), &"took in a page".into())
        );
    }

    #[test]
    fn what_a_lead_calls_itself_cannot_drive_a_terminal() {
        let hostile = "Eve\u{1b}[2J\u{1b}]0;owned\u{7}";
        for format in [Format::Human, Format::Json] {
            let text = logged(format, "info", || {
                tracing::info!(name = hostile, "seen {hostile}")
            });
            assert!(
                text.contains("Eve") && !text.contains('\u{1b}') && !text.contains('\u{7}'),
                "{text:?}"
            );
        }
    }

    #[test]
    fn addresses_are_masked() {
        for (address, shown) in [
            ("jane.doe@acme.com", "j***@acme.com"),
            ("\"a@b\"@acme.com", "\"***@acme.com"),
            ("élodie@acme.fr", "é***@acme.fr"),
            ("no address", "n***"),
            ("", "***"),
            ("\u{1b}x@a\ncme.com", "?***@a?cme.com"),
        ] {
            assert_eq!(Masked(address).to_string(), shown);
            assert_eq!(format!("{:?}", Masked(address)), shown);
        }
    }

    #[test]
    fn only_progress_counts_as_life() {
        let steps = Cell::new(0);
        let mut watchdog = Watchdog::new(|| steps.get());
        let mut lives = Vec::new();
        for step in [0, 0, 1, 5, 5] {
            steps.set(step);
            lives.push(watchdog.alive());
        }
        assert_eq!(lives, [true, false, true, true, false]);
    }
}
