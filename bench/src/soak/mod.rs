//! A gateway in front of servers that crash, hang and flood, and clients that leave: nothing may
//! grow, and whoever calls a good server is served all the while.
//!
//! Rounds of load and rest take turns. In each rest the processes have to be gone, and tasks, open
//! files, threads and memory have to be what they were in an early rest.

mod bad_server;
mod clients;
mod watch;

use std::{env, fmt, time::Duration};

use anyhow::{Context as _, Result};
use portcullis_gateway::{
    HttpServer, Upstream,
    stdio::{StdioCommand, StdioLimits, StdioTransport},
};
use portcullis_oauth::EndpointUrl;
use portcullis_testkit::FakeIdp;
use serde_json::{Value, json};

use self::{
    clients::{Calls, Places},
    watch::Sample,
};
use crate::{clock::now, findings::Findings, gateway::Front, host::Host, stdio_server};

/// How long the gateways are loaded in one round.
const LOAD: Duration = Duration::from_secs(15);

/// After so long without a request, a process of a server ends.
const IDLE: Duration = Duration::from_secs(2);

/// How long processes have to be gone in.
const REST: Duration = Duration::from_secs(30);

pub(crate) async fn run(time: Duration) -> Result<Soak> {
    let idp = FakeIdp::start().await;
    let bad = bad_server::start().await?;
    let fronts = [
        Front::locked(over_http(&bad)?, &idp).await?,
        Front::locked(on_stdio()?, &idp).await?,
    ];
    let places = Places::new(&idp, &fronts.each_ref().map(|front| front.host.clone()));
    let start = now();
    let mut rounds = Vec::new();
    while start.elapsed() < time || rounds.len() < FEWEST_ROUNDS {
        let calls = clients::load(&places, LOAD).await;
        let sample = watch::rest(REST, || fronts.iter().map(|front| front.host.tasks()).sum());
        let sample = sample.await.context("the system does not tell")?;
        let at = start.elapsed();
        eprintln!("{:>4} s  {calls}; {sample}", at.as_secs());
        rounds.push(Round { at, calls, sample });
    }
    Ok(Soak { rounds })
}

/// One to warm up, one to measure by, one to be measured.
const FEWEST_ROUNDS: usize = 3;

/// Time-outs so short that a round sees many of them.
fn over_http(bad: &Host) -> Result<Upstream> {
    let url = EndpointUrl::parse(&format!("http://{}/mcp", bad.address))?;
    let server = HttpServer::new(url)
        .answer_within(Duration::from_secs(1))
        .idle(Duration::from_secs(1));
    Ok(Upstream::http("http", server))
}

fn on_stdio() -> Result<Upstream> {
    let command = StdioCommand::new(env::current_exe()?).args([stdio_server::NAME]);
    let limits = StdioLimits::default()
        .processes(256)
        .start_timeout(Duration::from_secs(5))
        .request_timeout(Duration::from_secs(1))
        .quiet(Duration::from_millis(200))
        .idle(IDLE)
        .backoff(Duration::from_millis(50), Duration::from_millis(200))
        .grace(Duration::from_millis(200), Duration::from_secs(1));
    Ok(Upstream::stdio(
        StdioTransport::builder("stdio", command).limits(limits),
    ))
}

/// What was measured in all rounds.
#[derive(Debug)]
pub(crate) struct Soak {
    rounds: Vec<Round>,
}

#[derive(Debug)]
struct Round {
    at: Duration,
    calls: Calls,
    sample: Sample,
}

impl Soak {
    /// An early round and the last one.
    fn ends(&self) -> Option<(&Round, &Round)> {
        let early = (self.rounds.len() / 3).max(1);
        Some((self.rounds.get(early)?, self.rounds.last()?))
    }
}

impl Findings for Soak {
    /// `{bench, rounds: [{seconds, calls, refused, good, failed, rss_kib, files, threads, processes,
    /// tasks}], fault: string | null}`
    fn json(&self, bench: &str) -> Value {
        let rounds = self.rounds.iter().map(|round| {
            let mut figures = round.sample.json();
            if let Some(figures) = figures.as_object_mut() {
                figures.insert("seconds".to_owned(), json!(round.at.as_secs()));
                figures.insert("calls".to_owned(), json!(round.calls.bad));
                figures.insert("refused".to_owned(), json!(round.calls.refused));
                figures.insert("good".to_owned(), json!(round.calls.good));
                figures.insert("failed".to_owned(), json!(round.calls.failed.len()));
            }
            figures
        });
        json!({"bench": bench, "rounds": rounds.collect::<Vec<_>>(), "fault": self.fault()})
    }

    fn fault(&self) -> Option<String> {
        let failed = self
            .rounds
            .iter()
            .find_map(|round| round.calls.failed.first());
        if let Some(failed) = failed {
            return Some(format!("a good server was not reached: {failed}"));
        }
        let (early, last) = self.ends()?;
        let left = self.rounds.iter().find(|round| round.sample.processes > 0);
        if let Some(round) = left {
            return Some(format!("processes are left: {}", round.sample));
        }
        let grown = last.sample.grown_since(&early.sample)?;
        Some(format!("{grown}: {} became {}", early.sample, last.sample))
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| s | calls | refused | good | failed | RSS KiB | files | threads | processes | tasks |\n\
             |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        for Round { at, calls, sample } in &self.rounds {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                at.as_secs(),
                calls.bad,
                calls.refused,
                calls.good,
                calls.failed.len(),
                sample.rss_kib,
                sample.files,
                sample.threads,
                sample.processes,
                sample.tasks,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(processes: usize, files: usize, failed: &[&str]) -> Round {
        Round {
            at: Duration::ZERO,
            calls: Calls {
                failed: failed.iter().map(|&text| text.to_owned()).collect(),
                ..Calls::default()
            },
            sample: Sample {
                rss_kib: 40_000,
                files,
                threads: 4,
                processes,
                tasks: 3,
            },
        }
    }

    fn fault(rounds: Vec<Round>) -> Option<String> {
        Soak { rounds }.fault()
    }

    #[test]
    fn a_soak_is_judged_by_an_early_rest_and_the_last() {
        let good = || round(0, 30, &[]);
        assert_eq!(fault(vec![round(0, 10, &[]), good(), good()]), None);
        for (bad, what) in [
            (round(0, 60, &[]), "open files grew"),
            (round(1, 30, &[]), "processes are left"),
            (round(0, 30, &["503"]), "a good server was not reached: 503"),
        ] {
            let fault = fault(vec![good(), good(), bad]).unwrap();
            assert!(fault.starts_with(what), "{fault}");
        }
    }
}
