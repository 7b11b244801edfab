use crate::{
    config::{Config, Surroundings},
    daemon,
    decide::Ref,
    flow::{self, Board, Loop, preview::Preview},
    store::{MemoryStore, Store, history_of, state::State},
};
use anyhow::Context;
use contract::{Connector, Kind, Operation, field};
use kit::{MemoryKeep, Side, SystemClock};
use serde_json::{Value, json};
use std::{collections::BTreeMap, ops::ControlFlow, process::ExitCode, sync::Arc};
use tokio::sync::watch;

/// A dry run: both sides are read, what is known is taken from the ledger, and writes are answered as if they had been done.
pub async fn plan(
    config: &Config,
    surroundings: &Surroundings,
    json: bool,
    most: usize,
) -> anyhow::Result<ExitCode> {
    let connected = daemon::connect_keeping(config, surroundings, Arc::new(MemoryKeep::default()))?;
    let mut loops = Vec::new();
    for (name, settings) in &config.loops {
        let store: Arc<dyn Store> = Arc::new(remembered(config)?);
        let state = State::new(store, name);
        let preview =
            |connection: &String| Arc::new(Preview::of(connected.connectors[connection].clone()));
        let (marketing, crm) = (preview(&settings.marketing), preview(&settings.crm));
        let mut dry = Loop::open(
            daemon::loop_settings(config, name),
            marketing.clone() as Arc<dyn Connector>,
            crm.clone() as Arc<dyn Connector>,
            settings.agreement.clone(),
            state.clone(),
            Arc::new(SystemClock),
            Board::default(),
        )?;
        let (_keep, stop) = watch::channel(false);
        dry.run_once(stop).await?;
        loops.push(describe(name, &state, &marketing, &crm)?);
    }
    if json {
        println!("{}", json!({ "loops": loops }));
    } else {
        loops.iter().for_each(|planned| print(planned, most));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the ledger remembers, read without disturbing a running daemon.
fn remembered(config: &Config) -> anyhow::Result<MemoryStore> {
    let mut frames = Vec::new();
    if config.state.join("ledger").exists() {
        let read = history_of(&config.state, &mut |frame| {
            frames.push(frame);
            ControlFlow::Continue(())
        });
        read.with_context(|| format!("the ledger in {} cannot be read", config.state.display()))?;
    }
    Ok(MemoryStore::from_history(frames))
}

fn describe(
    name: &str,
    state: &State,
    marketing: &Preview,
    crm: &Preview,
) -> anyhow::Result<Value> {
    let mut writes = Vec::new();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let reasons = reasons(state)?;
    for (side, preview) in [(Side::Crm, crm), (Side::Marketing, marketing)] {
        for write in preview.written() {
            let sort = sort(side, &write.operation);
            *counts.entry(sort.clone()).or_default() += 1;
            let (what, why) = reasons.get(&write.intent.0).cloned().unwrap_or_default();
            let who = who(state, side, &write.operation);
            writes.push(json!({"sort": sort, "who": who, "what": what, "reasons": why, "operation": write.operation}));
        }
    }
    let waiting = flow::review(state)?;
    let counters = state.read().counters()?;
    Ok(
        json!({"loop": name, "counts": counts, "writes": writes, "reviews": waiting, "read": counters.0}),
    )
}

/// What was owed and why, by intent.
fn reasons(state: &State) -> anyhow::Result<BTreeMap<String, (String, Vec<String>)>> {
    let mut reasons = BTreeMap::new();
    state.history(&mut |frame| {
        for fact in frame.facts.iter().filter(|fact| fact["fact"] == "owed") {
            let why = fact["reasons"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            if let (Some(intent), Some(what)) = (fact["intent"].as_str(), fact["what"].as_str()) {
                reasons.insert(intent.to_owned(), (what.to_owned(), why));
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(reasons)
}

fn sort(side: Side, operation: &Operation) -> String {
    match operation {
        Operation::Create { kind, .. } => format!("create {kind}"),
        Operation::Convert { .. } => "convert lead".to_owned(),
        Operation::Note { .. } => "note in marketing".to_owned(),
        Operation::Update { kind, set, .. } if set.contains_key(field::OPT_OUT) => {
            format!("opt out {side} {kind}")
        }
        Operation::Update { set, .. }
            if set.contains_key(field::FUNNEL_STAGE) || set.contains_key(field::DISPOSITION) =>
        {
            "tell marketing".to_owned()
        }
        Operation::Update { kind, .. } => format!("update {side} {kind}"),
    }
}

fn who(state: &State, side: Side, operation: &Operation) -> String {
    let shown = |fields: &contract::Fields| {
        fields
            .text(field::EMAIL)
            .or(fields.text(field::NAME))
            .map(str::to_owned)
    };
    let found = match operation {
        Operation::Create { fields, .. } => shown(fields),
        Operation::Note { kind, about, .. } => state
            .read()
            .mirror(&Ref::new(side, *kind, about.clone()))
            .ok()
            .flatten()
            .and_then(|record| shown(&record.fields)),
        Operation::Update { kind, id, .. } => state
            .read()
            .mirror(&Ref::new(side, *kind, id.clone()))
            .ok()
            .flatten()
            .and_then(|record| shown(&record.fields)),
        Operation::Convert { lead, .. } => state
            .read()
            .mirror(&Ref::new(side, Kind::Lead, lead.clone()))
            .ok()
            .flatten()
            .and_then(|record| shown(&record.fields)),
    };
    found.unwrap_or_else(|| {
        operation
            .target()
            .map(|(_, id)| id.to_string())
            .unwrap_or_default()
    })
}

fn print(planned: &Value, most: usize) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    println!(
        "loop {}: what a run would do now; nothing has been written",
        text(&planned["loop"])
    );
    let counts = planned["counts"].as_object().cloned().unwrap_or_default();
    if counts.is_empty() {
        println!("  nothing: both sides are in step");
    }
    for (sort, count) in &counts {
        println!("\n{sort}: {count}");
        let writes = planned["writes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|write| write["sort"] == *sort);
        for (place, write) in writes.enumerate() {
            if most > 0 && place >= most {
                println!(
                    "  … {} more; --most 0 lists all",
                    count.as_u64().unwrap_or_default() - most as u64
                );
                break;
            }
            let reasons: Vec<&str> = write["reasons"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            println!("  {}: {}", text(&write["who"]), text(&write["what"]));
            println!("      {}", reasons.join("; "));
        }
    }
    let waiting = planned["reviews"].as_array().map_or(0, Vec::len);
    if waiting > 0 {
        println!(
            "\nfor the arbiter: {waiting} persons; `leadloop review` lists them once a run has found them"
        );
    }
    println!();
}
