use crate::{
    admin::{self, Action},
    config::{Config, Surroundings},
    daemon,
    flow::{self, LoopStatus},
};
use anyhow::{Context, bail};
use jiff::{Timestamp, Unit};
use serde_json::Value;
use std::process::ExitCode;

/// The running daemon's answer, or `None` where none is running.
async fn daemon(
    config: &Config,
    method: axum::http::Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Option<Value>> {
    let Some(socket) = &config.admin.socket else {
        return Ok(None);
    };
    match admin::ask(socket, method, path, body).await {
        Ok((200, text)) => Ok(Some(
            serde_json::from_str(&text).context("the daemon's answer cannot be read")?,
        )),
        Ok((_, text)) => bail!("the daemon says: {}", text.trim()),
        Err(admin::AskError::NobodyThere(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn act(config: &Config, action: &Action) -> anyhow::Result<Option<Value>> {
    let (method, path, body) = action.request();
    daemon(config, method, path, body).await
}

pub async fn status(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let status = match daemon(config, axum::http::Method::GET, "/status", None).await? {
        Some(status) => status,
        None => {
            let store = daemon::open_store(config)?;
            daemon::status(&daemon::stored_in(config, &store)?, store.as_ref(), None)
        }
    };
    if json {
        println!("{status}");
        return Ok(ExitCode::SUCCESS);
    }
    match status["running_since"].as_str() {
        Some(since) => println!(
            "leadloop {} running since {}",
            env!("CARGO_PKG_VERSION"),
            short(since)
        ),
        None => println!("leadloop is not running; this is its state"),
    }
    let loops: Vec<LoopStatus> =
        serde_json::from_value(status["loops"].clone()).context("the status cannot be read")?;
    for status in &loops {
        print_loop(status);
    }
    println!(
        "state: {} rows, {} ledger",
        bytes(&status["state"]["rows_bytes"]),
        bytes(&status["state"]["ledger_bytes"])
    );
    Ok(ExitCode::SUCCESS)
}

fn print_loop(status: &LoopStatus) {
    let now = Timestamp::now();
    let ago = |at: Option<Timestamp>| {
        at.map_or("never".to_owned(), |at| {
            format!(
                "{:#} ago",
                (now - at).round(Unit::Second).unwrap_or_default()
            )
        })
    };
    let last = status
        .last_cycle
        .map_or_else(String::new, |at| format!(", last cycle {}", ago(Some(at))));
    println!(
        "\nloop {} (agreement version {}){last}",
        status.name, status.agreement_version
    );
    for (side, of) in &status.sides {
        let health = match (&of.trouble, of.parked) {
            (None, _) => "fine".to_owned(),
            (Some(trouble), true) => format!("PARKED: {trouble}"),
            (Some(trouble), false) => format!("waits: {trouble}"),
        };
        println!("  {side:<10} {:<11} {health}", of.vendor);
        let streams: Vec<String> = of
            .streams
            .iter()
            .map(|(kind, stream)| {
                format!(
                    "{kind} {}",
                    if stream.complete {
                        ago(stream.read_at)
                    } else {
                        "reading for the first time".to_owned()
                    }
                )
            })
            .collect();
        println!("             last news: {}", streams.join(", "));
        let budget = match (of.usage.daily_left, of.usage.daily_limit) {
            (Some(left), Some(limit)) => format!("{left} of {limit} left today for everybody"),
            _ => "daily limit not known".to_owned(),
        };
        println!("             {} writes owed", of.outbox);
        if status.last_cycle.is_some() {
            println!(
                "             {} calls since the start, {} today; {budget}",
                of.usage.calls, of.usage.today
            );
        }
    }
    for (name, count) in &status.counters.0 {
        println!("  {:<34} {count:>8}", in_words(name));
    }
}

/// A counter's name as people read it.
pub fn in_words(name: &str) -> String {
    match name.split_once('/') {
        Some(("matched", rule)) => format!("matched by {rule}"),
        Some(("created", kind)) => format!("{kind}s created"),
        Some(("updated", side)) => format!("records updated, {side}"),
        Some(("read", rest)) => format!("read {}", rest.replace('/', " ")),
        Some((one, other)) => format!("{one} {other}"),
        None => match name {
            "converted" => "leads converted".to_owned(),
            "notes" => "timeline notes".to_owned(),
            other => other.replace('_', " "),
        },
    }
}

fn bytes(value: &Value) -> String {
    let bytes = value.as_f64().unwrap_or_default();
    format!("{:.1} MB", bytes / 1e6)
}

fn short(time: &str) -> String {
    time.split('.').next().unwrap_or(time).to_owned() + if time.contains('.') { "Z" } else { "" }
}

pub async fn explain(
    config: &Config,
    surroundings: &Surroundings,
    who: &str,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("who", who)
        .finish();
    let answer = match daemon(
        config,
        axum::http::Method::GET,
        &format!("/explain?{query}"),
        None,
    )
    .await?
    {
        Some(answer) => answer,
        None => {
            let connected = daemon::connect(config, surroundings)?;
            let store = daemon::open_store(config)?;
            let mut answers = Vec::new();
            for opened in daemon::open_loops(config, &connected, &store, &flow::Board::default())? {
                answers.extend(flow::explain(&opened, who)?);
            }
            Value::Array(answers)
        }
    };
    let persons = answer.as_array().cloned().unwrap_or_default();
    if json {
        println!("{answer}");
    } else {
        persons.iter().for_each(print_person);
    }
    if persons.is_empty() {
        bail!(
            "nobody is known by {who}: give an e-mail address, or the id of a record at either vendor"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn print_person(person: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    println!(
        "{} in loop {} (agreement version {})",
        text(&person["person"]["id"]),
        text(&person["loop"]),
        person["agreement_version"]
    );
    println!("stage: {}", text(&person["person"]["stage"]));
    if let Some(disposition) = person["person"]["verdict"]["disposition"].as_str() {
        println!(
            "sales says: {disposition}, since {}",
            short(&text(&person["person"]["verdict"]["since"]))
        );
    }
    println!("\nrecords");
    for record in person["records"].as_array().into_iter().flatten() {
        println!("  {}", text(&record["record"]));
        for (name, value) in record["mirror"]["fields"].as_object().into_iter().flatten() {
            let value = value
                .as_object()
                .and_then(|value| value.values().next())
                .map_or_else(String::new, |value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                });
            println!("    {name:<24} {value}");
        }
    }
    println!("\nas it stands");
    for reason in person["now"].as_array().into_iter().flatten() {
        println!("  {}", text(reason));
    }
    for owed in person["owed"].as_array().into_iter().flatten() {
        println!(
            "  owed: {} ({} attempts)",
            text(&owed["what"]),
            owed["attempts"]
        );
    }
    for refusal in person["person"]["refused"]
        .as_object()
        .into_iter()
        .flat_map(|refused| refused.values())
    {
        println!(
            "  refused: {}: {}; {}",
            text(&refusal["what"]),
            text(&refusal["reason"]),
            text(&refusal["remedy"])
        );
    }
    println!("\nhistory");
    for line in person["history"].as_array().into_iter().flatten() {
        println!("  {}  {}", short(&text(&line["at"])), entry(&line["entry"]));
    }
    println!();
}

/// One line of history in words.
fn entry(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| {
        entry[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("; ")
    };
    match entry["fact"].as_str().unwrap_or_default() {
        "linked" => format!("{} is the same person, by {}", text("record"), text("by")),
        "absorbed" => "two persons turned out to be one".to_owned(),
        "merged" => format!("{} was merged into {}", text("record"), text("into")),
        "gone" => format!("{} is gone", text("record")),
        "decided" => format!("{} — {}", list("news"), list("reasons")),
        "owed" => format!("decided to {} — {}", text("what"), list("reasons")),
        "delivered" => format!("done: {} — {}", text("what"), text("said")),
        "ruling" => format!(
            "{} ruled that {} is as {} has it. {}",
            text("by"),
            text("field"),
            text("take"),
            text("why")
        ),
        "retry" => "refused writes are tried again".to_owned(),
        outcome => format!("{outcome}: {} — {}", text("what"), text("said")),
    }
}

pub async fn review(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let answer = match act(config, &Action::Reviews).await? {
        Some(answer) => answer,
        None => {
            let store = daemon::open_store(config)?;
            let mut answers = Vec::new();
            for name in config.loops.keys() {
                answers.extend(flow::review(&crate::store::state::State::new(
                    store.clone(),
                    name,
                ))?);
            }
            Value::Array(answers)
        }
    };
    if json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    let persons = answer.as_array().cloned().unwrap_or_default();
    if persons.is_empty() {
        println!("nothing awaits anybody");
    }
    for person in &persons {
        let records: Vec<&str> = person["records"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        println!(
            "{}",
            if records.is_empty() {
                "for several persons".to_owned()
            } else {
                records.join(", ")
            }
        );
        for (question, review) in person["reviews"].as_object().into_iter().flatten() {
            println!(
                "  {question}: {} (since {})",
                review["question"].as_str().unwrap_or_default(),
                short(review["since"].as_str().unwrap_or_default())
            );
        }
        for refusal in person["refused"]
            .as_object()
            .into_iter()
            .flat_map(|refused| refused.values())
        {
            println!(
                "  refused: {}: {}; {}",
                refusal["what"].as_str().unwrap_or_default(),
                refusal["reason"].as_str().unwrap_or_default(),
                refusal["remedy"].as_str().unwrap_or_default()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A ruling as given on the command line.
pub struct Ruled {
    /// The person.
    pub who: String,
    /// The field.
    pub field: String,
    /// The side whose value stands.
    pub take: String,
    /// Who decides.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

pub async fn rule(
    config: &Config,
    surroundings: &Surroundings,
    ruled: Ruled,
) -> anyhow::Result<ExitCode> {
    let Ruled {
        who,
        field,
        take,
        by,
        why,
    } = ruled;
    let action = Action::Rule {
        person: who.clone(),
        field: field.clone(),
        take: take.clone(),
        by: by.clone(),
        why: why.clone(),
    };
    let said = match act(config, &action).await? {
        Some(answer) => answer["said"].as_str().unwrap_or_default().to_owned(),
        None => {
            let connected = daemon::connect(config, surroundings)?;
            let store = daemon::open_store(config)?;
            let side = if take == "marketing" {
                kit::Side::Marketing
            } else {
                kit::Side::Crm
            };
            let mut refused = None;
            let mut said = None;
            for mut opened in
                daemon::open_loops(config, &connected, &store, &flow::Board::default())?
            {
                match flow::rule(&mut opened, &who, &field, side, &by, why.as_deref()) {
                    Ok(words) => said = Some(words),
                    Err(words) => refused = Some(words),
                }
            }
            match (said, refused) {
                (Some(said), _) => said,
                (None, refused) => bail!(refused.unwrap_or_default()),
            }
        }
    };
    println!("{said}");
    Ok(ExitCode::SUCCESS)
}

pub async fn retry(
    config: &Config,
    surroundings: &Surroundings,
    who: Option<String>,
) -> anyhow::Result<ExitCode> {
    let count = match act(config, &Action::Retry { who: who.clone() }).await? {
        Some(answer) => answer["tried_again"].as_u64().unwrap_or_default(),
        None => {
            let connected = daemon::connect(config, surroundings)?;
            let store = daemon::open_store(config)?;
            let mut count = 0;
            for mut opened in
                daemon::open_loops(config, &connected, &store, &flow::Board::default())?
            {
                count += opened.retry(who.as_deref())? as u64;
            }
            count
        }
    };
    println!("{count} refused writes are tried again");
    Ok(ExitCode::SUCCESS)
}
