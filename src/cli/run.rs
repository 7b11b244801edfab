use crate::{
    config::{Config, LogFormat, Surroundings},
    daemon,
    flow::LoopStatus,
    telemetry,
};
use serde_json::json;
use std::{io::IsTerminal, process::ExitCode};

/// Sends logs where the configuration and the surroundings say.
///
/// # Errors
/// The filter is none.
pub fn start_logs(config: &Config, surroundings: &Surroundings) -> anyhow::Result<()> {
    let under_systemd =
        config.log.format == LogFormat::Auto && surroundings.env.contains_key("JOURNAL_STREAM");
    let format = if config.log.format == LogFormat::Json {
        telemetry::Format::Json
    } else {
        telemetry::Format::Human
    };
    let ansi = std::io::stderr().is_terminal() && !surroundings.env.contains_key("NO_COLOR");
    telemetry::start(
        format,
        &config.log.level,
        telemetry::Surroundings {
            journal: under_systemd,
            ansi,
        },
    )?;
    Ok(())
}

pub async fn run(
    config: &Config,
    surroundings: &Surroundings,
    once: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    start_logs(config, surroundings)?;
    if !once {
        daemon::run(config.clone(), surroundings).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let before = counts(&daemon::stored(config)?);
    let loops = daemon::once(config, surroundings).await?;
    let after = counts(&loops);
    let done: std::collections::BTreeMap<&String, u64> = after
        .iter()
        .map(|(name, count)| {
            (
                name,
                count - before.get(name).copied().unwrap_or(0).min(*count),
            )
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    let calls: u64 = loops
        .iter()
        .flat_map(|status| status.sides.values())
        .map(|side| side.usage.calls)
        .sum();
    let writes = done
        .iter()
        .find(|(name, _)| name.as_str() == "writes")
        .map_or(0, |(_, count)| *count);
    if json {
        println!(
            "{}",
            json!({"writes": writes, "api_calls": calls, "counts": done})
        );
    } else {
        println!("quiet: {writes} writes, {calls} API calls");
        for (name, count) in done
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "writes" | "attempts"))
        {
            println!("  {:<34} {count:>8}", super::ask::in_words(name));
        }
        let owed: usize = loops
            .iter()
            .flat_map(|status| status.sides.values())
            .map(|side| side.outbox)
            .sum();
        if owed > 0 {
            println!(
                "{owed} writes wait because a vendor has put them off; they are tried again at the next run"
            );
        }
        if done
            .iter()
            .any(|(name, _)| matches!(name.as_str(), "refused" | "conflicts"))
        {
            println!("`leadloop review` lists what was refused and what awaits the arbiter");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn counts(loops: &[LoopStatus]) -> std::collections::BTreeMap<String, u64> {
    let mut sum = std::collections::BTreeMap::new();
    for (name, count) in loops.iter().flat_map(|status| &status.counters.0) {
        *sum.entry(name.clone()).or_default() += count;
    }
    sum
}
