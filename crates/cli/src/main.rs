#![forbid(unsafe_code)]
//! `portcullis`: standard MCP authorization in front of any MCP server.

mod args;
mod client;
mod command;
mod config;
mod core_dump;
mod dev;
mod doctor;
mod file_size;
mod login;
mod logs;
mod report;
mod serve;
mod store;
mod telemetry;
mod terminal;
mod time;
mod trail;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Cli, OutputArgs};
use crate::report::{Exit, Failure, Format, Problem, Report};

/// A server makes and drops thousands of small things for each login: with this one that takes a tenth
/// less of the processor than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    core_dump::none();
    let exit = match Cli::try_parse_from(args::words(std::env::args_os())) {
        Ok(cli) => {
            let report = Report::new(asked(cli.output));
            match command::run(cli.command, report) {
                Ok(()) => Exit::Fine,
                Err(error) => report.failure(&error),
            }
        }
        Err(error) => usage(&error),
    };
    ExitCode::from(exit as u8)
}

fn asked(output: OutputArgs) -> Option<Format> {
    match (output.json, output.human) {
        (true, _) => Some(Format::Json),
        (false, true) => Some(Format::Human),
        (false, false) => None,
    }
}

/// Help and the version are data; anything else is a mistake on the command line.
fn usage(error: &clap::Error) -> Exit {
    // The arguments could not be read, so only their text says what was asked for.
    let has = |flag: &str| {
        std::env::args_os()
            .take_while(|arg| arg != "--")
            .any(|arg| arg == flag)
    };
    let report = Report::new(asked(OutputArgs {
        json: has("--json"),
        human: has("--human"),
    }));
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Report::document(&text);
            Exit::Fine
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Report::document(&text);
            Exit::Mendable
        }
        ErrorKind::MissingSubcommand => {
            let problem = Problem::new("no command is named");
            let problem = problem.hint("`--help` lists the commands");
            report.failure(&Failure::from(problem).into())
        }
        _ => report.failure(&Failure::from(problem(&text)).into()),
    }
}

/// The parser's text in the shape of all other mistakes.
fn problem(text: &str) -> Problem {
    let text = text.replace('\'', "`");
    let mut what = Vec::new();
    let mut hints = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            hints.push(format!("usage: {usage}"));
        } else if !line.starts_with("For more information") {
            what.push(line.strip_prefix("error: ").unwrap_or(line));
        }
    }
    let hint = (!hints.is_empty()).then(|| hints.join("\n"));
    Problem::new(what.join(" ")).maybe_hint(hint)
}
