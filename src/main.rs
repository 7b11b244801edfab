//! The `leadloop` command.

use clap::Parser;
use leadloop::{cli, config::Surroundings};
use std::process::ExitCode;

fn main() -> ExitCode {
    let surroundings = Surroundings {
        env: std::env::vars().collect(),
    };
    cli::main(cli::Cli::parse(), &surroundings)
}
