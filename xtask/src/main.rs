#![forbid(unsafe_code)]
//! The project's own commands: `cargo xtask COMMAND`.
//!
//! `cargo xtask test` is the one that counts: it runs everything that a change must pass, installs
//! what it needs for that, and is what continuous integration calls. The other commands are its
//! stages, to be run by hand, and what is too slow for it.
//!
//! Exit status: 0 all is well, 1 a verdict (something to mend in the tree), 2 a broken run (nothing
//! was decided).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what these commands do"
)]

mod advisories;
mod args;
mod bench;
mod cache;
mod conformance;
mod coverage;
mod environment;
mod finding;
mod install;
mod lints;
mod pages;
mod peers;
mod process;
mod project;
mod race;
mod rules;
mod sizes;
mod source;
mod test;

use std::process::ExitCode;

use crate::args::Args;

/// What a command decided about the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

impl Verdict {
    pub(crate) fn good_if(condition: bool) -> Self {
        if condition { Self::Good } else { Self::Bad }
    }

    pub(crate) fn is_good(self) -> bool {
        self == Self::Good
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self::good_if(self.is_good() && other.is_good())
    }
}

struct Command {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(Args) -> anyhow::Result<Verdict>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        arguments: "[--stage NAME].. [--keep-going] [--list] | keycloak",
        summary: "every check a change must pass; in CI it has an hour",
        run: test::command,
    },
    Command {
        name: "rules",
        arguments: "[--list]",
        summary: "who may import what, licences, compiler versions, comments that name tests",
        run: rules::command,
    },
    Command {
        name: "lints",
        arguments: "",
        summary: "every entry of clippy.toml's lists still fires",
        run: lints::command,
    },
    Command {
        name: "sizes",
        arguments: "",
        summary: "files beyond their bound, and how long files are",
        run: sizes::command,
    },
    Command {
        name: "coverage",
        arguments: "[--write] [--strict]",
        summary: "the tables of attacks and of clients against the tests; --write brings them up to date",
        run: coverage::command,
    },
    Command {
        name: "conformance",
        arguments: "server|gateway|as [--rev REVISION]",
        summary: "the official MCP conformance suite, strict: with authorization, behind the gateway, our own login",
        run: conformance::command,
    },
    Command {
        name: "pages",
        arguments: "[--only PART]",
        summary: "the pages in a real browser: light, dark, narrow, wide, by keyboard; takes pictures",
        run: pages::command,
    },
    Command {
        name: "peers",
        arguments: "[--only server|gateway|login]",
        summary: "our server, our gateway and our own login among what others wrote",
        run: peers::command,
    },
    Command {
        name: "bench",
        arguments: "NAME [--quick] [--minutes N]",
        summary: "a benchmark, release build; writes target/bench/NAME.json",
        run: bench::command,
    },
    Command {
        name: "race",
        arguments: "[--rounds N] [--kills N]",
        summary: "single use among 64 callers, two processes and kill -9, thousands of times",
        run: race::command,
    },
    Command {
        name: "advisories",
        arguments: "[--offline]",
        summary: "cargo-deny: advisories of today, licences, sources; needs the network",
        run: advisories::command,
    },
    Command {
        name: "install",
        arguments: "npm FOLDER | python REQUIREMENTS | maven ARTIFACT | debian PACKAGE..",
        summary: "pinned tools into the cache folder (Debian packages: into the system)",
        run: install::command,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        eprintln!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        println!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: `{name}` is not a command\n\n{}", usage());
        return ExitCode::from(2);
    };
    let args = Args::new(words);
    if args.wants_help() {
        println!("{}\n\n  {}", line(command), command.summary);
        return ExitCode::SUCCESS;
    }
    match (command.run)(args) {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn usage() -> String {
    let line = |command: &Command| {
        format!(
            "\n  {:<12} {}\n  {:<12}   {}",
            command.name, command.summary, "", command.arguments
        )
    };
    let lines: Vec<String> = COMMANDS
        .iter()
        .map(|command| line(command).trim_end().to_owned())
        .collect();
    format!("usage: cargo xtask COMMAND\n{}", lines.concat())
}

fn line(command: &Command) -> String {
    format!("usage: cargo xtask {} {}", command.name, command.arguments)
        .trim_end()
        .to_owned()
}
