//! `leadloop demo`: two simulated vendors, two simulated teams, and the real daemon between them over HTTP.

use super::duration;
use crate::{
    admin, agreement,
    config::Surroundings,
    flow::LoopStatus,
    rehearsal::{REHEARSALS, Rehearsal, SECRETS, Worlds, rehearsal},
};
use anyhow::{Context, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kit::Side;
use serde_json::{Value, json};
use simulator::{
    Site,
    compare::{Comparison, Expectations, compare},
    teams::{MarketingRates, MarketingTeam, SalesRates, SalesTeam},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    signal,
};

/// Options of `leadloop demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// The marketing vendor to simulate
    #[arg(long, default_value = "hubspot")]
    marketing: String,
    /// The CRM vendor to simulate
    #[arg(long, default_value = "salesforce")]
    crm: String,
    /// What everything is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many leads marketing has at the start
    #[arg(long, default_value_t = 2000)]
    leads: usize,
    /// How many accounts the CRM has at the start
    #[arg(long, default_value_t = 400)]
    accounts: usize,
    /// How long the two teams work; then everything comes to rest and both worlds are compared. Without it: until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<SignedDuration>,
    /// Print the summary as one JSON object on stdout, everything else on stderr
    #[arg(long)]
    json: bool,
    /// Keep configuration, agreement, state and log in this directory, to look at afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The time between two polls of the daemon in the demonstration.
const EVERY: &str = "2s";

/// The time in which the teams do one thing each.
const STEP: Duration = Duration::from_millis(400);

/// Plays the demonstration and compares the worlds at its end.
///
/// # Errors
/// The daemon ends, or cannot be started.
pub async fn demo(options: Demo, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let (marketing, crm) = (
        side(&options.marketing, Side::Marketing)?,
        side(&options.crm, Side::Crm)?,
    );
    let say = Say {
        started: Instant::now(),
        to_stderr: options.json,
    };
    let worlds = Worlds::build(
        marketing,
        crm,
        options.seed,
        options.leads,
        options.accounts,
    );
    say.line(&format!(
        "two simulated vendors: {} with {} leads, {} with {} accounts, {} contacts and {} leads (seed {})",
        marketing.vendor, worlds.staged.leads, crm.vendor, worlds.staged.accounts, worlds.staged.contacts, worlds.staged.crm_leads, options.seed
    ));
    let temporary = tempfile::tempdir().context("no temporary directory")?;
    let directory = options
        .keep
        .clone()
        .unwrap_or_else(|| temporary.path().to_path_buf());
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("{} cannot be created", directory.display()))?;
    if directory.join("state").exists() {
        bail!(
            "{} holds the state of an earlier demonstration; name an empty directory",
            directory.display()
        );
    }
    let origins = [serve(&worlds.marketing).await?, serve(&worlds.crm).await?];
    configure(&directory, (marketing, &origins[0]), (crm, &origins[1]))?;
    let mut daemon = Daemon::start(&directory, surroundings)?;
    let mut watch = Watch::new(&worlds);
    let result = play(&options, &worlds, &mut daemon, &mut watch, &say).await;
    let peak = daemon.peak_memory_mb();
    let stopped = daemon.stop().await;
    let Some(comparison) = result? else {
        return Ok(ExitCode::FAILURE);
    };
    stopped?;
    let summary = summary(&worlds, &watch, &comparison, peak);
    if options.json {
        println!("{summary}");
    } else {
        print_summary(&summary);
    }
    for difference in comparison
        .lost
        .iter()
        .chain(&comparison.duplicates)
        .chain(&comparison.drift)
        .take(20)
    {
        say.line(&format!("differs: {difference}"));
    }
    let clean = comparison.is_clean();
    if let Some(directory) = &options.keep {
        say.line(&format!(
            "configuration, state and log are in {}",
            directory.display()
        ));
    }
    Ok(if clean || options.time.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn side(vendor: &str, side: Side) -> anyhow::Result<&'static Rehearsal> {
    let offered: Vec<&str> = REHEARSALS
        .iter()
        .filter(|rehearsal| rehearsal.side == side)
        .map(|rehearsal| rehearsal.vendor)
        .collect();
    rehearsal(vendor)
        .filter(|rehearsal| rehearsal.side == side)
        .with_context(|| {
            format!(
                "no simulator \"{vendor}\" for the {side} side; there are: {}",
                offered.join(", ")
            )
        })
}

async fn serve(site: &Site) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("no free port on 127.0.0.1")?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(simulator::serve::serve(
        site.clone(),
        listener,
        std::future::pending(),
    ));
    Ok(origin)
}

fn configure(
    directory: &Path,
    marketing: (&Rehearsal, &str),
    crm: (&Rehearsal, &str),
) -> anyhow::Result<()> {
    let text = format!(
        "state = \"state\"\n\n[connections.marketing]\n{}\n[connections.crm]\n{}\n[loops.demo]\nmarketing = \"marketing\"\ncrm = \"crm\"\nagreement = \"agreement.toml\"\nevery = \"{EVERY}\"\n",
        (marketing.0.connection)(marketing.1),
        (crm.0.connection)(crm.1)
    );
    std::fs::write(directory.join("leadloop.toml"), text)
        .context("the demonstration's configuration cannot be written")?;
    std::fs::write(directory.join("agreement.toml"), agreement::TEMPLATE)
        .context("the demonstration's agreement cannot be written")
}

/// Lets the teams work, then waits until all is quiet and compares. `None` where the user did not want to wait.
async fn play(
    options: &Demo,
    worlds: &Worlds,
    daemon: &mut Daemon,
    watch: &mut Watch,
    say: &Say,
) -> anyhow::Result<Option<Comparison>> {
    let mut marketing_team = MarketingTeam::new(
        options.seed,
        MarketingRates {
            actions: 1,
            ..MarketingRates::default()
        },
    );
    let mut sales_team = SalesTeam::new(
        options.seed,
        SalesRates {
            actions: 1,
            ..SalesRates::default()
        },
    );
    let time = options.time.and_then(|time| Duration::try_from(time).ok());
    let mut steps = tokio::time::interval(STEP);
    let mut step = 0u64;
    loop {
        tokio::select! {
            _ = steps.tick() => {}
            _ = signal::ctrl_c() => break,
        }
        if time.is_some_and(|time| say.started.elapsed() >= time) {
            break;
        }
        daemon.check()?;
        step += 1;
        let done = worlds
            .marketing
            .with(|dialect, now| marketing_team.step(dialect, now));
        done.iter()
            .take(1)
            .filter(|_| step.is_multiple_of(5))
            .for_each(|sentence| say.line(&format!("marketing  {sentence}")));
        let done = worlds
            .crm
            .with(|dialect, now| sales_team.step(dialect, now));
        done.iter()
            .take(1)
            .filter(|_| step.is_multiple_of(2))
            .for_each(|sentence| say.line(&format!("sales      {sentence}")));
        let aloud = step.is_multiple_of(8);
        if aloud || watch.backlog_cleared.is_none() {
            watch.look(daemon, say, aloud).await?;
        }
    }
    marketing_team.stop();
    sales_team.stop();
    say.line("the teams go home; leadloop brings both sides to rest");
    let stopped = Timestamp::now();
    let patience = Duration::from_secs(120 + options.leads as u64 / 50);
    let waited = Instant::now();
    while !watch.is_at_rest(stopped) {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = signal::ctrl_c() => return Ok(None),
        }
        daemon.check()?;
        watch
            .look(daemon, say, waited.elapsed().as_secs().is_multiple_of(4))
            .await?;
        if waited.elapsed() > patience {
            say.line(&format!(
                "it does not come to rest within {} seconds",
                patience.as_secs()
            ));
            break;
        }
    }
    let comparison = worlds.marketing.with(|marketing, _| {
        worlds
            .crm
            .with(|crm, _| compare(marketing, crm, &Expectations::default()))
    });
    Ok(Some(comparison))
}

/// Tells the user what goes on.
struct Say {
    started: Instant,
    to_stderr: bool,
}

impl Say {
    fn line(&self, text: &str) {
        let seconds = self.started.elapsed().as_secs();
        let line = format!("{:02}:{:02}  {text}", seconds / 60, seconds % 60);
        if self.to_stderr {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
}

/// Watches the daemon over its admin socket.
struct Watch {
    started: Instant,
    status: Option<LoopStatus>,
    backlog_cleared: Option<(Duration, u64)>,
    quiet_cycles: Vec<Timestamp>,
    shown: String,
    calls_at_start: u64,
}

impl Watch {
    fn new(worlds: &Worlds) -> Watch {
        let calls_at_start = worlds.marketing.calls_total() + worlds.crm.calls_total();
        Watch {
            started: Instant::now(),
            status: None,
            backlog_cleared: None,
            quiet_cycles: Vec::new(),
            shown: String::new(),
            calls_at_start,
        }
    }

    async fn look(&mut self, daemon: &Daemon, say: &Say, aloud: bool) -> anyhow::Result<()> {
        // The daemon may be busy starting: then there is nothing to see yet.
        let Ok((200, text)) =
            admin::ask(&daemon.socket, axum::http::Method::GET, "/status", None).await
        else {
            return Ok(());
        };
        let status: Value =
            serde_json::from_str(&text).context("the daemon's status cannot be read")?;
        let loops: Vec<LoopStatus> = serde_json::from_value(status["loops"].clone())
            .context("the daemon's status cannot be read")?;
        let Some(status) = loops.into_iter().next() else {
            return Ok(());
        };
        let count = |name: &str| status.counters.get(name);
        if self.backlog_cleared.is_none()
            && status.last_cycle.is_some()
            && status.sides.values().all(|side| side.outbox == 0)
        {
            let moved = status
                .counters
                .0
                .iter()
                .filter(|(name, _)| name.starts_with("read/"))
                .map(|(_, count)| count)
                .sum::<u64>()
                + count("writes");
            self.backlog_cleared = Some((self.started.elapsed(), moved));
        }
        if let Some(at) = status.last_cycle.filter(|_| status.quiet)
            && self.quiet_cycles.last() != Some(&at)
        {
            self.quiet_cycles.push(at);
        } else if !status.quiet {
            self.quiet_cycles.clear();
        }
        let line = format!(
            "leadloop   {} leads read, {} contacts and {} accounts created, {} leads converted, {} verdicts told, {} owed",
            count("read/marketing/lead"),
            count("created/contact"),
            count("created/account"),
            count("converted"),
            count("dispositions_delivered"),
            status.sides.values().map(|side| side.outbox).sum::<usize>()
        );
        if aloud && line != self.shown {
            say.line(&line);
            self.shown = line;
        }
        self.status = Some(status);
        Ok(())
    }

    /// Quiet for three cycles, the first of which began after all that the vendors show late had appeared.
    fn is_at_rest(&self, since: Timestamp) -> bool {
        let late = SignedDuration::from_secs(12);
        self.quiet_cycles
            .iter()
            .filter(|at| at.duration_since(since) > late)
            .count()
            >= 3
    }
}

/// The real daemon, as a process of its own.
struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Daemon {
    fn start(directory: &Path, surroundings: &Surroundings) -> anyhow::Result<Daemon> {
        let program = std::env::current_exe().context("leadloop's own program is not found")?;
        let log = directory.join("leadloop.log");
        let output = std::fs::File::create(&log).context("the daemon's log cannot be written")?;
        let kept = surroundings
            .env
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "TMPDIR" | "LANG"));
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(directory.join("leadloop.toml"))
            .env_clear()
            .envs(kept)
            .envs(SECRETS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            // Ctrl-C is for the demonstration: it stops the daemon itself, in its own time.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("the daemon cannot be started")?;
        Ok(Daemon {
            child,
            socket: directory.join("state/admin.sock"),
            log,
        })
    }

    fn check(&mut self) -> anyhow::Result<()> {
        match self
            .child
            .try_wait()
            .context("the daemon cannot be watched")?
        {
            None => Ok(()),
            Some(status) => bail!(
                "the daemon ended with {status}:\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            ),
        }
    }

    /// Peak resident memory in MB, as Linux tells it.
    fn peak_memory_mb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1000)
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|pid| rustix::process::Pid::from_raw(pid as i32))
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .context("the daemon cannot be told to stop")?;
        }
        let status = tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .context("the daemon does not stop")??;
        if status.success() {
            Ok(())
        } else {
            bail!(
                "the daemon ended with {status}:\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            )
        }
    }
}

fn summary(worlds: &Worlds, watch: &Watch, comparison: &Comparison, peak: Option<u64>) -> Value {
    let status = watch.status.clone().unwrap_or_default();
    let count = |name: &str| status.counters.get(name);
    let group = |prefix: &str| -> BTreeMap<String, u64> {
        status
            .counters
            .0
            .iter()
            .filter_map(|(name, count)| Some((name.strip_prefix(prefix)?.to_owned(), *count)))
            .collect()
    };
    let calls = worlds.marketing.calls_total() + worlds.crm.calls_total() - watch.calls_at_start;
    let read: u64 = group("read/").values().sum();
    let changed = read + count("writes");
    let (seconds, moved) = watch
        .backlog_cleared
        .unwrap_or((watch.started.elapsed(), changed));
    json!({
        "leads_read": count("read/marketing/lead"),
        "contacts_created": count("created/contact"),
        "accounts_created": count("created/account"),
        "crm_leads_created": count("created/lead"),
        "leads_converted": count("converted"),
        "dispositions_delivered": count("dispositions_delivered"),
        "notes": count("notes"),
        "opted_out": count("opted_out"),
        "matched": group("matched/"),
        "read": group("read/"),
        "conflicts": count("conflicts"),
        "refused": count("refused"),
        "errors": count("errors") + count("refused") + count("unreadable"),
        "api_calls": calls,
        "api_calls_per_changed_record": if changed == 0 { 0.0 } else { (calls as f64 / changed as f64 * 1000.0).round() / 1000.0 },
        "writes": count("writes"),
        "people_compared": comparison.people_compared,
        "fields_compared": comparison.fields_compared,
        "drift": comparison.drift.len(),
        "duplicates": comparison.duplicates.len(),
        "lost": comparison.lost.len(),
        "records_per_second": (moved as f64 / seconds.as_secs_f64().max(0.001)).round(),
        "peak_rss_mb": peak,
    })
}

fn print_summary(summary: &Value) {
    println!();
    let number = |name: &str| summary[name].to_string();
    let matched: Vec<String> = summary["matched"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(rule, count)| format!("{count} by {rule}"))
        .collect();
    for (name, value) in [
        ("leads read", number("leads_read")),
        ("accounts matched", matched.join(", ")),
        ("contacts created", number("contacts_created")),
        ("accounts created", number("accounts_created")),
        ("CRM leads created", number("crm_leads_created")),
        ("leads converted", number("leads_converted")),
        (
            "dispositions delivered",
            format!(
                "{}, with {} timeline notes",
                number("dispositions_delivered"),
                number("notes")
            ),
        ),
        ("opt-outs carried over", number("opted_out")),
        ("for the arbiter", number("conflicts")),
        ("errors", number("errors")),
        (
            "API calls",
            format!(
                "{}, {} per changed record",
                number("api_calls"),
                number("api_calls_per_changed_record")
            ),
        ),
        (
            "speed of the first sync",
            format!(
                "{} records a second, peak memory {} MB",
                number("records_per_second"),
                number("peak_rss_mb")
            ),
        ),
        (
            "compared",
            format!(
                "{} people, {} fields, from the two worlds themselves",
                number("people_compared"),
                number("fields_compared")
            ),
        ),
        (
            "drift, duplicates, lost",
            format!(
                "{}, {}, {}",
                number("drift"),
                number("duplicates"),
                number("lost")
            ),
        ),
    ] {
        println!("{name:<26} {value}");
    }
}
