//! The commands, and what they say to people. Results go to stdout, logs to stderr; every listing takes `--json`.

mod ask;
mod check;
pub mod demo;
mod init;
mod plan;
mod run;
mod simulate;

use crate::config::{self, Config, Surroundings, parse_duration};
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;
use std::{path::PathBuf, process::ExitCode};

/// Closes the loop between marketing automation and CRM.
#[derive(Debug, Parser)]
#[command(name = "leadloop", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole loop at work on simulated vendors
    Demo(demo::Demo),
    /// Keep the configured loops in step; the daemon
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// Run until both sides are quiet, then exit
        #[arg(long)]
        once: bool,
        /// With --once, print the result as JSON
        #[arg(long, requires = "once")]
        json: bool,
    },
    /// Show what a run would do, with reasons; writes nowhere
    Plan {
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// List so many writes of each sort; 0 lists all
        #[arg(long, default_value_t = 20)]
        most: usize,
    },
    /// Tell everything known and decided about a person, in order, with reasons
    Explain {
        /// An e-mail address, or the id of a record at either vendor
        who: String,
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check configuration and agreements; online, also credentials, permissions and fields
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Ask no vendor
        #[arg(long)]
        offline: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a commented configuration and agreement
    Init {
        /// The marketing vendor
        #[arg(long, default_value = "hubspot")]
        marketing: String,
        /// The CRM vendor
        #[arg(long, default_value = "salesforce")]
        crm: String,
        /// Where to
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Tell how connections, streams, outbox and budget are
    Status {
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List what awaits the arbiter, and what the vendors refused
    Review {
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Decide an open conflict, for the record
    Rule {
        /// The person: an e-mail address or an id
        who: String,
        /// The field
        field: String,
        /// The side whose value stands: marketing or crm
        #[arg(long, value_parser = ["marketing", "crm"])]
        take: String,
        /// Who decides
        #[arg(long)]
        by: String,
        /// Why
        #[arg(long)]
        why: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Have refused writes tried again
    Retry {
        /// Whose: an e-mail address or an id; everybody's if absent
        who: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Serve one simulated vendor alone, for trying clients on
    Simulate(simulate::Simulate),
}

/// Which configuration.
#[derive(Clone, Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "leadloop.toml",
        env = "LEADLOOP_CONFIG"
    )]
    config: PathBuf,
}

impl ConfigFile {
    fn load(&self, surroundings: &Surroundings) -> Result<Config, config::Error> {
        Config::load(&self.config, surroundings)
    }
}

/// Carries out a command. Exit codes: 0 fine, 1 failed, 2 usage, 78 configuration.
pub fn main(cli: Cli, surroundings: &Surroundings) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("leadloop: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(carry_out(cli.command, surroundings));
    // Blocking work that nobody waits for any more must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("leadloop: {error:#}");
            if error.chain().any(|cause| cause.is::<config::Error>()) {
                ExitCode::from(78)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

async fn carry_out(command: Command, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(demo) => demo::demo(demo, surroundings).await,
        Command::Run { config, once, json } => {
            run::run(&config.load(surroundings)?, surroundings, once, json).await
        }
        Command::Plan { config, json, most } => {
            plan::plan(&config.load(surroundings)?, surroundings, json, most).await
        }
        Command::Explain { who, config, json } => {
            ask::explain(&config.load(surroundings)?, surroundings, &who, json).await
        }
        Command::Check {
            config,
            offline,
            json,
        } => check::check(&config.load(surroundings)?, surroundings, offline, json).await,
        Command::Init {
            marketing,
            crm,
            dir,
        } => init::init(&marketing, &crm, &dir),
        Command::Status { config, json } => ask::status(&config.load(surroundings)?, json).await,
        Command::Review { config, json } => ask::review(&config.load(surroundings)?, json).await,
        Command::Rule {
            who,
            field,
            take,
            by,
            why,
            config,
        } => {
            ask::rule(
                &config.load(surroundings)?,
                surroundings,
                ask::Ruled {
                    who,
                    field,
                    take,
                    by,
                    why,
                },
            )
            .await
        }
        Command::Retry { who, config } => {
            ask::retry(&config.load(surroundings)?, surroundings, who).await
        }
        Command::Simulate(simulate) => simulate::simulate(simulate).await,
    }
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    parse_duration(text)
}
