//! What grants cost that are alive: memory, disk, and the request of one of their users.
//!
//! An authorization server on a durable store, with a tool, is given more and more grants. At each
//! number its tool is called with JWTs that it issued: `one` token again and again, and `many`,
//! tokens of grants from the first to the last, so that no memory of recent ones helps.

use std::{fmt, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    clock::now,
    findings::Findings,
    host::{Host, rss_of},
    load::{Target, web},
    login::{Server, Users},
    options::Options,
    race::{Measure, Variant, race},
    server::calls::{ECHO, TEXT, modern_call},
};

/// How many there are, one after the other.
const THOROUGH: &[usize] = &[1_000, 100_000, 1_000_000];
const QUICK: &[usize] = &[1_000, 10_000];

pub(crate) async fn run(options: &Options) -> Result<Grants> {
    let mut server = Server::start(Users::Anybody).await?;
    let idle = rss_of(server.process)?;
    let numbers = if options.is_quick { QUICK } else { THOROUGH };
    let mut stages = Vec::new();
    let mut before = 0;
    for &grants in numbers {
        let start = now();
        let tokens = server.grow(grants).await?;
        let made = f64::from(u32::try_from(grants - before)?);
        let made_per_second = made / start.elapsed().as_secs_f64();
        before = grants;
        let stage = Stage {
            grants,
            made_per_second,
            rss: rss_of(server.process)?,
            disk: size_of(&server.folder)?,
            measures: measure(options, &server, &tokens).await?,
        };
        eprintln!("{stage}");
        stages.push(stage);
    }
    Ok(Grants { idle, stages })
}

async fn measure(options: &Options, server: &Server, tokens: &[String]) -> Result<Vec<Measure>> {
    let host = Host::metered(server.address, server.meter.clone());
    let calls = tokens.iter().map(|token| modern_call(Some(token), ECHO));
    let calls = calls.collect::<Result<Vec<_>>>()?;
    let one = calls.first().context("no token")?.clone();
    let variants = [
        Variant::new("one", Target::Http(web::Target::new(&host, [one], TEXT)?)),
        Variant::new(
            "many",
            Target::Http(web::Target::new(&host, calls, TEXT)?.in_turns()),
        ),
    ];
    race(options.plan, &variants).await
}

/// What was found at each number.
#[derive(Debug)]
pub(crate) struct Grants {
    /// Bytes in memory before the first grant.
    idle: u64,
    stages: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    grants: usize,
    made_per_second: f64,
    /// Bytes in memory.
    rss: u64,
    /// Bytes of the store.
    disk: u64,
    measures: Vec<Measure>,
}

impl Findings for Grants {
    fn json(&self, bench: &str) -> Value {
        let stage = |stage: &Stage| {
            let calls = stage.measures.iter().map(|measure| {
                let figures = json!({
                    "requests_per_second": measure.rate().round(),
                    "p50_us": micros(measure.percentile(50)),
                    "server_us": measure.cost().map(micros),
                });
                (measure.name.clone(), figures)
            });
            json!({
                "grants": stage.grants,
                "made_per_second": stage.made_per_second.round(),
                "rss_bytes": stage.rss,
                "disk_bytes": stage.disk,
                "calls": calls.collect::<serde_json::Map<_, _>>(),
            })
        };
        let stages: Vec<Value> = self.stages.iter().map(stage).collect();
        let growth = |name: &str| {
            let cost = |stage: Option<&Stage>| {
                let measures = &stage?.measures;
                let measure = measures.iter().find(|measure| measure.name == name)?;
                measure.cost().map(|cost| cost.as_secs_f64())
            };
            cost(self.stages.last()).zip(cost(self.stages.first()))
        };
        let ratio =
            |name: &str| growth(name).map(|(last, first)| (last / first * 1000.0).round() / 1000.0);
        json!({
            "bench": bench,
            "idle_rss_bytes": self.idle,
            "stages": stages,
            "ratios": {
                "request_cost_last_over_first": ratio("one"),
                "spread_request_cost_last_over_first": ratio("many"),
            },
        })
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} MiB in memory before the first grant",
            mebi(self.idle)
        )?;
        for stage in &self.stages {
            writeln!(f, "{stage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rss, disk) = (mebi(self.rss), mebi(self.disk));
        let (grants, made) = (self.grants, self.made_per_second);
        write!(
            f,
            "{grants:>8} grants, {made:.0} made a second: {rss} MiB in memory, {disk} MiB on disk"
        )?;
        for measure in &self.measures {
            let (name, rate) = (&measure.name, measure.rate());
            let cost = measure.cost().map(micros).unwrap_or_default();
            write!(f, "; {name}: {rate:.0} calls/s, {cost:.1} µs of work each")?;
        }
        Ok(())
    }
}

fn size_of(folder: &Path) -> Result<u64> {
    let sizes = fs::read_dir(folder)?.map(|entry| anyhow::Ok(entry?.metadata()?.len()));
    sizes.sum()
}

fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

fn mebi(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
