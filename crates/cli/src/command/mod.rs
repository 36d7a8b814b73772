//! One file a command.

mod call;
mod completions;
mod config;
mod dev;
mod doctor;
mod inspect;
mod list;
mod reference;
mod run;
mod token;

use anyhow::{Context as _, Result};

use crate::args::Command;
use crate::report::Report;

/// Does what was asked.
pub(crate) fn run(command: Command, report: Report) -> Result<()> {
    match command {
        Command::Run(args) => with_runtime(run::run(*args, report)),
        Command::Dev(args) => with_runtime(dev::dev(*args, report)),
        Command::List(args) => with_runtime(list::list(*args, report)),
        Command::Call(args) => with_runtime(call::call(*args, report)),
        Command::Inspect(args) => with_runtime(inspect::inspect(*args, report)),
        Command::Doctor(args) => with_runtime(doctor::doctor(args, report)),
        Command::Config(command) => config::config(command, report),
        Command::Token(command) => with_runtime(token::token(command, report)),
        Command::Completions { shell } => {
            completions::completions(shell);
            Ok(())
        }
        Command::Reference { page } => {
            Report::document(&reference::page(page));
            Ok(())
        }
    }
}

fn with_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime
        .context("the runtime does not start")?
        .block_on(work)
}
