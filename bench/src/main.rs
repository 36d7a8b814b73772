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
mod findings;
mod gateway;
mod grants;
mod host;
mod load;
mod login;
mod noise;
mod options;
mod proxy;
mod race;
mod report;
mod server;
mod soak;
mod stdio_server;

use std::{fs, pin::Pin, process::ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::{findings::Findings, options::Options};

/// As the program `portcullis` has it, so that servers are measured as they run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a benchmark returns: its figures, when it has them.
type Running<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Findings>>> + 'a>>;

struct Bench {
    name: &'static str,
    what: &'static str,
    run: fn(&Options) -> Running<'_>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "gateway",
        what: "one server: called directly, and through the gateway, over HTTP and on stdio",
        run: |options| Box::pin(boxed(gateway::run(options))),
    },
    Bench {
        name: "gateway-soak",
        what: "the gateway in front of servers that crash, flood and hang: nothing may grow",
        run: |options| Box::pin(boxed(soak::run(options.soak))),
    },
    Bench {
        name: "grants",
        what: "what a thousand, a hundred thousand and a million live grants cost",
        run: |options| Box::pin(boxed(grants::run(options))),
    },
    Bench {
        name: "login",
        what: "complete logins: ours on a durable store, oidc-provider and FastMCP in memory",
        run: |options| Box::pin(boxed(login::run(options))),
    },
    Bench {
        name: "noise",
        what: "one server against itself: how far from 1 a ratio is by chance",
        run: |options| Box::pin(boxed(noise::run(options.plan))),
    },
    Bench {
        name: "proxy",
        what: "OAuth proxies before one provider: complete logins, and calls with their tokens",
        run: |options| Box::pin(boxed(proxy::run(options))),
    },
    Bench {
        name: "server",
        what: "one tool: bare rmcp, without auth, and with JWTs of three algorithms",
        run: |options| Box::pin(boxed(server::run(options.plan))),
    },
];

/// The figures of any benchmark, once it has them.
async fn boxed<F: Findings + 'static>(
    running: impl Future<Output = Result<F>>,
) -> Result<Box<dyn Findings>> {
    Ok(Box::new(running.await?))
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let ended = match name.as_str() {
        // What the benchmarks put behind a gateway.
        stdio_server::NAME => stdio_server::serve(),
        login::NAME => login::serve(words),
        proxy::NAME => proxy::serve(words),
        name => measure(name, words),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `NAME` and [`Options`]
#[tokio::main(flavor = "current_thread")]
async fn measure(name: &str, words: impl Iterator<Item = String>) -> Result<()> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        let names: Vec<String> = BENCHES
            .iter()
            .map(|bench| format!("  {:<12} {}", bench.name, bench.what))
            .collect();
        bail!(
            "`{name}` is not a benchmark; there are\n{}",
            names.join("\n")
        );
    };
    let options = Options::read(words)?;
    if cfg!(debug_assertions) {
        eprintln!("warning: this is no release build; the figures mean nothing");
    }
    let findings = (bench.run)(&options).await?;
    println!("{findings}");
    if let Some(file) = &options.json {
        let folder = file.parent().context("the file has no folder")?;
        fs::create_dir_all(folder)?;
        fs::write(file, format!("{:#}\n", findings.json(name)))?;
        println!("written to {}", file.display());
    }
    match findings.fault() {
        Some(fault) => bail!(fault),
        None => Ok(()),
    }
}
