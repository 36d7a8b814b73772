#![forbid(unsafe_code)]
//! Benchmarks, started by `cargo xtask bench NAME`.
//!
//! A benchmark starts servers, the variants, and lets [`race`](race::race) load them in turns, so
//! that whatever slows the machine for a while slows all of them. It then names the ratios it is
//! about. A new one is a file beside this one and a line in [`BENCHES`].
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it measured"
)]

mod clock;
mod gateway;
mod host;
mod load;
mod noise;
mod race;
mod report;
mod server;

use std::{fs, path::PathBuf, pin::Pin, process::ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::{race::Plan, report::Report};

/// What a benchmark returns: its figures, when it has them.
type Running = Pin<Box<dyn Future<Output = Result<Report>>>>;

struct Bench {
    name: &'static str,
    what: &'static str,
    run: fn(Plan) -> Running,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "gateway",
        what: "one server: called directly, and through the gateway",
        run: |plan| Box::pin(gateway::run(plan)),
    },
    Bench {
        name: "noise",
        what: "one server against itself: how far from 1 a ratio is by chance",
        run: |plan| Box::pin(noise::run(plan)),
    },
    Bench {
        name: "server",
        what: "one tool: bare rmcp, without auth, and with JWTs of three algorithms",
        run: |plan| Box::pin(server::run(plan)),
    },
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `NAME [--quick] [--json FILE]`
async fn run(mut words: impl Iterator<Item = String>) -> Result<()> {
    let name = words.next().unwrap_or_default();
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        let names: Vec<String> = BENCHES
            .iter()
            .map(|bench| format!("  {:<10} {}", bench.name, bench.what))
            .collect();
        bail!(
            "`{name}` is not a benchmark; there are\n{}",
            names.join("\n")
        );
    };
    let mut plan = Plan::thorough();
    let mut file = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => plan = Plan::quick(),
            "--json" => {
                let path = words.next().context("`--json` wants a file")?;
                file = Some(PathBuf::from(path));
            }
            other => bail!("`{other}` is not understood"),
        }
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: this is no release build; the figures mean nothing");
    }
    let report = (bench.run)(plan).await?;
    println!("{report}");
    if let Some(file) = file {
        let folder = file.parent().context("the file has no folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&file, format!("{:#}\n", report.json(&name)))?;
        println!("written to {}", file.display());
    }
    Ok(())
}
