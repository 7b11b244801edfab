use crate::rehearsal::{REHEARSALS, Worlds, rehearsal};
use anyhow::{Context, bail};
use clap::Args;
use kit::Side;
use std::process::ExitCode;
use tokio::{net::TcpListener, signal};

/// Options of `leadloop simulate`.
#[derive(Clone, Debug, Args)]
pub struct Simulate {
    /// The vendor: hubspot or salesforce
    vendor: String,
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What the population is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many leads marketing has
    #[arg(long, default_value_t = 200)]
    leads: usize,
    /// How many accounts the CRM has
    #[arg(long, default_value_t = 50)]
    accounts: usize,
}

pub async fn simulate(options: Simulate) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = REHEARSALS
        .iter()
        .map(|rehearsal| rehearsal.vendor)
        .collect();
    let Some(chosen) = rehearsal(&options.vendor) else {
        bail!(
            "no simulator \"{}\"; there are: {}",
            options.vendor,
            names.join(", ")
        )
    };
    // Two worlds belong together: the same seed, leads and accounts give the two sides of one story.
    let partner = |side| {
        REHEARSALS
            .iter()
            .find(|rehearsal| rehearsal.side == side)
            .context("each side has a simulator")
    };
    let (marketing, crm) = match chosen.side {
        Side::Marketing => (chosen, partner(Side::Crm)?),
        Side::Crm => (partner(Side::Marketing)?, chosen),
    };
    let worlds = Worlds::build(
        marketing,
        crm,
        options.seed,
        options.leads,
        options.accounts,
    );
    let site = if chosen.side == Side::Marketing {
        worlds.marketing
    } else {
        worlds.crm
    };
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .with_context(|| {
            format!(
                "port {} cannot be used: name another with --port",
                options.port
            )
        })?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("listening on {origin}");
    println!("{}", chosen.sign_in);
    println!("a connection to it:\n{}", (chosen.connection)(&origin));
    let stop = async {
        let terminate = async {
            match signal::unix::signal(signal::unix::SignalKind::terminate()) {
                Ok(mut terminate) => drop(terminate.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = signal::ctrl_c() => {}
            () = terminate => {}
        }
    };
    simulator::serve::serve(site, listener, stop).await?;
    Ok(ExitCode::SUCCESS)
}
