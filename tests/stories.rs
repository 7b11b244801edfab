//! Decisions told as stories that marketing and sales can read: what both systems hold, and what leadloop then writes.
//!
//! A file in `scenarios/decide` holds stories; each begins with `== its title`. A line is one of these:
//!
//! | line | meaning |
//! |---|---|
//! | `agree fields.title.rule = "arbiter"` | the agreement says so here; otherwise it is the one that `leadloop init` writes |
//! | `marketing lead 1 email=ada@acme.com title="Chief Engineer"` | somebody at marketing types this in, or changes it; `title=` clears |
//! | `crm contact c1 account=a1 status=Accepted` | somebody at sales does; kinds are user, account, contact, lead, opportunity and role |
//! | `crm delete contact c1`, `crm merge contact c2 into c1` | likewise |
//! | `crm refuses title=CEO: too grand` | the vendor refuses every write with these words from now on; `crm accepts` ends it |
//! | `run` | leadloop runs until all is quiet |
//! | `restart`, `rebuild` | leadloop ends and begins again; with `rebuild` only the ledger is left |
//! | `rule ada@acme.com title marketing` | the arbiter decides that marketing's title stands |
//! | `retry` | refused writes are tried again |
//! | `why ada@acme.com: some words` | these words stand among the reasons of the latest decision, or of a write in the person's history |
//!
//! Below `run` and `rule` stands everything that follows, in order, and nothing else may follow: `=>` a write, `?` a new question for the
//! arbiter, `!` a new refusal. So a `run` with nothing below it says that nothing is written. A minute passes between two lines.
//! Where a story fails, the whole of it is shown as it really goes.

use crate::fake::{Fake, Manner, RELATIONS};
use crate::stage::Paused;
use contract::{Kind, Relation, Value};
use jiff::SignedDuration;
use kit::Side;
use leadloop::{
    agreement::{self, Agreement},
    flow::{self, Board, Loop},
    store::{MemoryStore, Store, state::State},
};
use rust_decimal::Decimal;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

#[test]
fn stories_go_as_they_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/decide");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut told = 0;
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for story in text.split("\n== ").skip(1) {
            told += 1;
            if let Err(difference) = check(story) {
                wrong.push(format!(
                    "{}: {difference}",
                    file.file_name().unwrap().to_string_lossy()
                ));
            }
        }
    }
    assert!(told > 20, "only {told} stories in {} files", files.len());
    assert!(
        wrong.is_empty(),
        "{} of {told} stories go otherwise:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn a_story_that_is_told_wrong_fails() {
    let right = "made up\nmarketing lead 1 email=ada@acme.com\ncrm contact c1 email=ada@acme.com opt_out=true\nrun\n=> marketing lead 1 opt_out=true\nwhy 1: does not meet";
    check(right).unwrap();
    for (from, to) in [
        ("opt_out=true\nwhy", "opt_out=false\nwhy"),
        ("=> marketing lead 1 opt_out=true\n", ""),
        ("\nwhy", "\n=> crm contact c1 title=\nwhy"),
        ("does not meet", "meets"),
        ("\nrun", "\nrn"),
    ] {
        let wrong = right.replacen(from, to, 1);
        assert_ne!(wrong, right);
        check(&wrong).unwrap_err();
    }
}

/// Plays a story. The difference, where it goes otherwise.
fn check(story: &str) -> Result<(), String> {
    let (title, text) = story.split_once('\n').unwrap_or((story, ""));
    let told: Vec<&str> = text.lines().map(str::trim).collect();
    let actual = paused(play(&told)).map_err(|error| format!("{title}\n  {error}"))?;
    let told: Vec<String> = told
        .iter()
        .map(|line| (*line).to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let actual: Vec<String> = actual.into_iter().filter(|line| !line.is_empty()).collect();
    if told == actual {
        Ok(())
    } else {
        Err(format!("{title}\n{}", difference(&told, &actual)))
    }
}

/// Runs on a runtime of its own whose time is paused.
pub fn paused<T>(play: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(play)
}

/// The story as it really goes: all lines but those that say what follows, which are told anew.
async fn play(told: &[&str]) -> Result<Vec<String>, String> {
    let tweaks: Vec<&str> = told
        .iter()
        .filter_map(|line| line.strip_prefix("agree "))
        .collect();
    let mut scene = Scene::new(agreed(&tweaks)?, Manner::default());
    let mut actual = Vec::new();
    for line in told {
        if line.starts_with("=>") || line.starts_with("? ") || line.starts_with("! ") {
            continue;
        }
        let follows = scene
            .line(line)
            .await
            .map_err(|error| format!("{line}: {error}"))?;
        actual.push((*line).to_owned());
        actual.extend(follows);
    }
    Ok(actual)
}

/// The agreement of `leadloop init` with some keys set otherwise.
pub fn agreed(tweaks: &[&str]) -> Result<Agreement, String> {
    let mut agreement: toml::Table = agreement::TEMPLATE.parse().unwrap();
    for tweak in tweaks {
        let tweak: toml::Table = tweak
            .parse()
            .map_err(|error| format!("agree {tweak}: {error}"))?;
        lay_over(&mut agreement, tweak);
    }
    agreement::parse(&agreement.to_string()).map_err(|error| error.to_string())
}

fn lay_over(table: &mut toml::Table, tweak: toml::Table) {
    for (key, value) in tweak {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(tweak)) => lay_over(below, tweak),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Two plain vendors and leadloop between them.
pub struct Scene {
    pub marketing: Fake,
    pub crm: Fake,
    pub leadloop: Loop,
    pub state: State,
    clock: Arc<Paused>,
    store: Arc<MemoryStore>,
    agreement: Arc<Agreement>,
    open: BTreeSet<String>,
    stop: watch::Sender<bool>,
}

impl Scene {
    pub fn new(agreement: Agreement, manner: Manner) -> Scene {
        let clock = Paused::new();
        let (marketing, crm) = (
            Fake::new(Side::Marketing, manner, clock.clone()),
            Fake::new(Side::Crm, manner, clock.clone()),
        );
        let agreement = Arc::new(agreement);
        let store = Arc::new(MemoryStore::new());
        let (leadloop, state) = open(&marketing, &crm, &agreement, &store, &clock);
        Scene {
            marketing,
            crm,
            leadloop,
            state,
            clock,
            store,
            agreement,
            open: BTreeSet::new(),
            stop: watch::channel(false).0,
        }
    }

    fn side(&self, name: &str) -> &Fake {
        if name == "crm" {
            &self.crm
        } else {
            &self.marketing
        }
    }

    /// Plays one line. What follows from it.
    async fn line(&mut self, line: &str) -> Result<Vec<String>, String> {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let words = words(line)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["agree", ..] => {}
            [word, ..] if word.starts_with('#') => {}
            ["run"] => return Ok(self.run().await),
            ["restart"] => self.restart(),
            ["rebuild"] => self.rebuild(),
            ["retry"] => {
                self.leadloop
                    .retry(None)
                    .map_err(|error| error.to_string())?;
                return Ok(self.run().await);
            }
            ["rule", who, field, take] => {
                let take = if *take == "crm" {
                    Side::Crm
                } else {
                    Side::Marketing
                };
                flow::rule(&mut self.leadloop, who, field, take, "the arbiter", None)?;
                return Ok(self.run().await);
            }
            ["why", ..] => {
                let (who, because) = line["why ".len()..]
                    .split_once(": ")
                    .ok_or("why WHO: WORDS")?;
                self.why(who, because)?;
            }
            [side @ ("marketing" | "crm"), "delete", kind, id] => {
                self.side(side)
                    .delete(self::kind(kind)?, id)
                    .then_some(())
                    .ok_or("there is no such record")?;
            }
            [
                side @ ("marketing" | "crm"),
                "merge",
                kind,
                loser,
                "into",
                winner,
            ] => {
                self.side(side)
                    .merge(self::kind(kind)?, loser, winner)
                    .then_some(())
                    .ok_or("there are no such records")?;
            }
            [side @ ("marketing" | "crm"), "accepts"] => self.side(side).accept(),
            [side @ ("marketing" | "crm"), "refuses", ..] => {
                let (text, reason) = line[side.len() + " refuses ".len()..]
                    .split_once(": ")
                    .ok_or("crm refuses WORDS: REASON")?;
                self.side(side).refuse(text, reason);
            }
            [side @ ("marketing" | "crm"), kind, id, values @ ..] => {
                self.put(side, self::kind(kind)?, id, values)?
            }
            _ => return Err("nobody knows what this means".to_owned()),
        }
        Ok(Vec::new())
    }

    fn put(&self, side: &str, kind: Kind, id: &str, values: &[&str]) -> Result<(), String> {
        let mut set = BTreeMap::new();
        let mut relations: Vec<(Relation, Option<&str>)> = Vec::new();
        for pair in values {
            let (name, text) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair} is no field=value"))?;
            match RELATIONS.iter().find(|(known, _)| *known == name) {
                Some((_, relation)) => {
                    relations.push((*relation, (!text.is_empty()).then_some(text)))
                }
                None => {
                    set.insert(name.to_owned(), value(name, text)?);
                }
            }
        }
        self.side(side).put(kind, id, &set, &relations);
        Ok(())
    }

    /// Runs until all is quiet. What was written, asked and refused.
    pub async fn run(&mut self) -> Vec<String> {
        self.leadloop.run_once(self.stop.subscribe()).await.unwrap();
        let mut follows = Vec::new();
        // The two sides' writes in the order in which they were made within each side, sales' first.
        for fake in [&self.crm, &self.marketing] {
            follows.extend(
                fake.take_written()
                    .into_iter()
                    .map(|write| format!("=> {write}")),
            );
        }
        let open = self.questions();
        follows.extend(open.difference(&self.open).cloned());
        self.open = open;
        follows
    }

    /// What awaits the arbiter and what was refused.
    pub fn questions(&self) -> BTreeSet<String> {
        let mut questions = BTreeSet::new();
        for entry in flow::review(&self.state).unwrap() {
            let texts = |name: &str, part: &str| -> Vec<String> {
                entry[name]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter_map(|(_, value)| Some(value[part].as_str()?.to_owned()))
                    .collect()
            };
            questions.extend(
                texts("reviews", "question")
                    .into_iter()
                    .map(|question| format!("? {question}")),
            );
            questions.extend(
                texts("refused", "what")
                    .into_iter()
                    .zip(texts("refused", "reason"))
                    .map(|(what, reason)| format!("! {what}: {reason}")),
            );
        }
        questions
    }

    fn why(&self, who: &str, because: &str) -> Result<(), String> {
        let answers = flow::explain(&self.leadloop, who).unwrap();
        let past = answers
            .iter()
            .flat_map(|answer| answer["history"].as_array().into_iter().flatten())
            .flat_map(|line| line["entry"]["reasons"].as_array().into_iter().flatten());
        let mut reasons = self.reasons(who);
        reasons.extend(past.filter_map(|reason| Some(reason.as_str()?.to_owned())));
        if reasons.iter().any(|reason| reason.contains(because)) {
            Ok(())
        } else {
            Err(format!("the reasons are: {}", reasons.join("; ")))
        }
    }

    /// The reasons of the latest decision about somebody.
    pub fn reasons(&self, who: &str) -> Vec<String> {
        let answers = flow::explain(&self.leadloop, who).unwrap();
        answers
            .iter()
            .flat_map(|answer| answer["now"].as_array().into_iter().flatten())
            .filter_map(|reason| Some(reason.as_str()?.to_owned()))
            .collect()
    }

    pub fn restart(&mut self) {
        self.reopen(self.store.restarted());
    }

    pub fn rebuild(&mut self) {
        let mut frames = Vec::new();
        self.store
            .history(&mut |frame| {
                frames.push(frame);
                ControlFlow::Continue(())
            })
            .unwrap();
        self.reopen(MemoryStore::from_history(frames));
    }

    fn reopen(&mut self, store: MemoryStore) {
        self.store = Arc::new(store);
        (self.leadloop, self.state) = open(
            &self.marketing,
            &self.crm,
            &self.agreement,
            &self.store,
            &self.clock,
        );
    }
}

fn open(
    marketing: &Fake,
    crm: &Fake,
    agreement: &Arc<Agreement>,
    store: &Arc<MemoryStore>,
    clock: &Arc<Paused>,
) -> (Loop, State) {
    let state = State::new(store.clone() as Arc<dyn Store>, "story");
    let settings = flow::Settings {
        name: "story".to_owned(),
        every: Duration::from_secs(60),
        sweep_every: SignedDuration::from_hours(24),
        asked: BTreeMap::new(),
    };
    let leadloop = Loop::open(
        settings,
        Arc::new(marketing.clone()),
        Arc::new(crm.clone()),
        agreement.clone(),
        state.clone(),
        clock.clone(),
        Board::default(),
    )
    .unwrap();
    (leadloop, state)
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.to_string() == name)
        .ok_or_else(|| format!("there is no kind {name}"))
}

/// A value as it is written in a story; blank clears.
fn value(name: &str, text: &str) -> Result<Option<Value>, String> {
    Ok(match (name, text) {
        (_, "") => None,
        (_, "true") => Some(Value::Bool(true)),
        (_, "false") => Some(Value::Bool(false)),
        ("score" | "amount", number) => Some(Value::Number(
            number
                .parse::<Decimal>()
                .map_err(|error| error.to_string())?,
        )),
        ("created_at" | "last_activity_at", day) => Some(Value::Time(
            format!("{day}T00:00:00Z")
                .parse()
                .map_err(|error: jiff::Error| error.to_string())?,
        )),
        (_, text) => Some(Value::Text(text.to_owned())),
    })
}

/// Words at blanks; `"` holds words together.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut held = false;
    for c in line.chars() {
        match c {
            '"' => held = !held,
            c if c.is_whitespace() && !held => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    if held {
        Err("a \" is not closed".to_owned())
    } else {
        Ok(words.into_iter().filter(|word| !word.is_empty()).collect())
    }
}

/// The actual story, with `+` before what is not told and `-` before what does not happen.
fn difference(told: &[String], actual: &[String]) -> String {
    // Longest common subsequence, from the end.
    let mut common = vec![vec![0usize; actual.len() + 1]; told.len() + 1];
    for (i, one) in told.iter().enumerate().rev() {
        for (j, other) in actual.iter().enumerate().rev() {
            common[i][j] = if one == other {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < told.len() || j < actual.len() {
        if i < told.len() && j < actual.len() && told[i] == actual[j] {
            lines.push(format!("    {}", told[i]));
            i += 1;
            j += 1;
        } else if j == actual.len() || (i < told.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("  - {}", told[i]));
            i += 1;
        } else {
            lines.push(format!("  + {}", actual[j]));
            j += 1;
        }
    }
    lines.join("\n")
}
