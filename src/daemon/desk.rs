//! The desk behind the admin interface: it answers from the board, and passes orders to the loops.

use crate::{
    admin::{self, Action, Panel},
    flow::{self, Board, Order},
    store::Store,
};
use anyhow::Context;
use jiff::Timestamp;
use kit::Side;
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, sync::atomic::AtomicU64, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Answers the admin interface.
pub(super) struct Desk {
    pub(super) board: Board,
    pub(super) store: Arc<dyn Store>,
    pub(super) started: Timestamp,
    pub(super) orders: std::sync::Mutex<BTreeMap<String, mpsc::Sender<Order>>>,
}

impl Desk {
    pub(super) fn take_orders(&self, orders: BTreeMap<String, mpsc::Sender<Order>>) {
        *self
            .orders
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = orders;
    }

    fn loops(&self) -> Vec<mpsc::Sender<Order>> {
        self.orders
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Asks every loop the same and gathers the answers.
    async fn ask<T>(
        &self,
        order: impl Fn(oneshot::Sender<Result<T, String>>) -> Order,
    ) -> anyhow::Result<Vec<Result<T, String>>> {
        let mut answers = Vec::new();
        for sender in self.loops() {
            let (answer, answered) = oneshot::channel();
            sender
                .send(order(answer))
                .await
                .ok()
                .context("the loop is not running")?;
            let answer = tokio::time::timeout(Duration::from_secs(25), answered)
                .await
                .context("the loop is busy with a long cycle; ask again later")?;
            answers.push(answer.context("the loop has stopped")?);
        }
        Ok(answers)
    }
}

#[async_trait::async_trait]
impl Panel for Desk {
    fn status(&self) -> Value {
        status(&self.board.all(), self.store.as_ref(), Some(self.started))
    }

    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let loops = self.board.all();
        if loops.is_empty() {
            return Err("no loop has finished a cycle yet".to_owned());
        }
        let parked = loops
            .iter()
            .flat_map(|status| {
                status
                    .sides
                    .iter()
                    .map(move |(side, of)| (status, side, of))
            })
            .find(|(_, _, of)| of.parked);
        match parked {
            Some((status, side, of)) => Err(format!(
                "{} {side}: {}",
                status.name,
                of.trouble.as_deref().unwrap_or("parked")
            )),
            None => Ok(()),
        }
    }

    fn metrics(&self) -> String {
        metrics(&self.board.all(), self.store.as_ref())
    }

    async fn explain(&self, who: &str) -> anyhow::Result<Value> {
        let answers = self
            .ask(|answer| Order::Explain {
                who: who.to_owned(),
                answer,
            })
            .await?;
        gather(answers)
    }

    async fn act(&self, action: Action) -> anyhow::Result<Value> {
        match action {
            Action::Reviews => gather(self.ask(|answer| Order::Review { answer }).await?),
            Action::Retry { who } => {
                let answers = self
                    .ask(|answer| Order::Retry {
                        who: who.clone(),
                        answer,
                    })
                    .await?;
                let counts = answers
                    .into_iter()
                    .collect::<Result<Vec<usize>, String>>()
                    .map_err(anyhow::Error::msg)?;
                Ok(json!({"tried_again": counts.iter().sum::<usize>()}))
            }
            Action::Rule {
                person,
                field,
                take,
                by,
                why,
            } => {
                let take = match take.as_str() {
                    "marketing" => Side::Marketing,
                    "crm" => Side::Crm,
                    other => {
                        return Err(admin::Refusal::Invalid(format!(
                            "take is marketing or crm, not {other}"
                        ))
                        .into());
                    }
                };
                let answers = self
                    .ask(|answer| Order::Rule {
                        who: person.clone(),
                        field: field.clone(),
                        take,
                        by: by.clone(),
                        why: why.clone(),
                        answer,
                    })
                    .await?;
                let refused = answers
                    .iter()
                    .find_map(|answer| answer.as_ref().err())
                    .cloned();
                match (answers.into_iter().find_map(Result::ok), refused) {
                    (Some(said), _) => Ok(json!({"said": said})),
                    (None, refused) => Err(anyhow::Error::msg(
                        refused.unwrap_or_else(|| "no loop is running".to_owned()),
                    )),
                }
            }
        }
    }
}

fn gather(answers: Vec<Result<Vec<Value>, String>>) -> anyhow::Result<Value> {
    let answers = answers
        .into_iter()
        .collect::<Result<Vec<_>, String>>()
        .map_err(anyhow::Error::msg)?;
    Ok(Value::Array(answers.into_iter().flatten().collect()))
}

/// The state of everything, as one object.
pub fn status(loops: &[flow::LoopStatus], store: &dyn Store, started: Option<Timestamp>) -> Value {
    let state = store.stats().map(|stats| json!({"rows_bytes": stats.row_bytes, "ledger_bytes": stats.ledger_bytes, "frames": stats.frames})).unwrap_or_default();
    json!({"version": env!("CARGO_PKG_VERSION"), "running_since": started, "loops": loops, "state": state})
}

fn metrics(loops: &[flow::LoopStatus], store: &dyn Store) -> String {
    type Labels = Vec<(String, String)>;
    type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
    let mut registry = Registry::with_prefix("leadloop");
    let mut family = |name: &str, help: &str| {
        let gauges = Gauges::default();
        registry.register(name, help, gauges.clone());
        gauges
    };
    let counted = family(
        "count",
        "What a loop has done since its state began, by what",
    );
    let owed = family("outbox", "Writes owed to a side");
    let parked = family("parked", "1 where a side waits for somebody to act");
    let cycle = family("last_cycle_timestamp_seconds", "When the last cycle ended");
    let read = family(
        "stream_read_timestamp_seconds",
        "When a stream last had something to tell and was read to its end",
    );
    let calls = family("calls", "Calls made to a side since the start");
    let today = family(
        "calls_today",
        "Calls made to a side in the vendor's present day",
    );
    let left = family(
        "quota_left",
        "What is left of the vendor's daily quota for everybody",
    );
    let bytes = family("state_bytes", "Size of the state on disk");
    let label = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Labels>()
    };
    for status in loops {
        let name = status.name.as_str();
        for (what, count) in &status.counters.0 {
            counted
                .get_or_create(&label(&[("loop", name), ("what", what)]))
                .set(*count as f64);
        }
        if let Some(at) = status.last_cycle {
            cycle
                .get_or_create(&label(&[("loop", name)]))
                .set(at.as_second() as f64);
        }
        for (side, of) in &status.sides {
            let labels = label(&[("loop", name), ("side", side)]);
            owed.get_or_create(&labels).set(of.outbox as f64);
            parked
                .get_or_create(&labels)
                .set(f64::from(u8::from(of.parked)));
            calls.get_or_create(&labels).set(of.usage.calls as f64);
            today.get_or_create(&labels).set(of.usage.today as f64);
            if let Some(quota) = of.usage.daily_left {
                left.get_or_create(&labels).set(quota as f64);
            }
            for (kind, stream) in &of.streams {
                if let Some(at) = stream.read_at {
                    read.get_or_create(&label(&[("loop", name), ("side", side), ("stream", kind)]))
                        .set(at.as_second() as f64);
                }
            }
        }
    }
    if let Ok(stats) = store.stats() {
        bytes
            .get_or_create(&label(&[("part", "rows")]))
            .set(stats.row_bytes as f64);
        bytes
            .get_or_create(&label(&[("part", "ledger")]))
            .set(stats.ledger_bytes as f64);
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}
