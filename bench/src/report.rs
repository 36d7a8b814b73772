//! The figures of a benchmark: a table for people, JSON for everything else.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::{findings::Findings, race::Measure};

/// What was measured, and the ratios it was measured for.
#[derive(Debug)]
pub(crate) struct Report {
    /// What is counted.
    unit: &'static str,
    measures: Vec<Measure>,
    ratios: Vec<Ratio>,
    differences: Vec<Difference>,
}

#[derive(Debug)]
struct Ratio {
    key: &'static str,
    /// Names of the variants.
    ours: String,
    theirs: String,
    throughput: f64,
    by_cost: Option<f64>,
}

/// How much longer half of the requests take.
#[derive(Debug)]
struct Difference {
    key: &'static str,
    /// Names of the variants.
    ours: String,
    theirs: String,
    micros: f64,
}

impl Report {
    pub(crate) fn new(measures: Vec<Measure>) -> Self {
        Self {
            unit: "requests",
            measures,
            ratios: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Counts these instead of requests.
    pub(crate) fn counting(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    fn find(&self, name: &str) -> Result<&Measure> {
        let found = self.measures.iter().find(|measure| measure.name == name);
        found.with_context(|| format!("no variant is named `{name}`"))
    }

    /// Adds what one variant takes longer than another at p50, both by name.
    pub(crate) fn added(mut self, key: &'static str, ours: &str, theirs: &str) -> Result<Self> {
        let p50 = |name| anyhow::Ok(micros(self.find(name)?.percentile(50)));
        let difference = Difference {
            key,
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
            micros: rounded(p50(ours)? - p50(theirs)?, 10.0),
        };
        self.differences.push(difference);
        Ok(self)
    }

    /// Adds the throughput of one variant over another's, both by name.
    pub(crate) fn ratio(mut self, key: &'static str, ours: &str, theirs: &str) -> Result<Self> {
        let (one, other) = (self.find(ours)?, self.find(theirs)?);
        let ratio = Ratio {
            key,
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
            throughput: one.over(other),
            by_cost: one.over_by_cost(other),
        };
        self.ratios.push(ratio);
        Ok(self)
    }
}

impl Findings for Report {
    /// `{bench, variants: {NAME: {requests_per_second, p50_us, p99_us, server_us, client_us}},
    /// ratios: {KEY: number}, ratios_by_server_time: {KEY: number}, differences: {KEY: number},
    /// compared: {KEY: [NAME, NAME]}}`
    fn json(&self, bench: &str) -> Value {
        let variant = |measure: &Measure| {
            let mut figures = json!({
                "p50_us": micros(measure.percentile(50)),
                "p99_us": micros(measure.percentile(99)),
                "server_us": measure.cost().map(micros),
                "client_us": measure.effort().map(micros),
            });
            let rate = format!("{}_per_second", self.unit);
            if let Some(figures) = figures.as_object_mut() {
                figures.insert(rate, json!(rounded(measure.rate(), 10.0)));
            }
            (measure.name.clone(), figures)
        };
        let variants: Map<String, Value> = self.measures.iter().map(variant).collect();
        let of_each = |value: fn(&Ratio) -> Value| -> Map<String, Value> {
            let ratios = self.ratios.iter();
            ratios
                .map(|ratio| (ratio.key.to_owned(), value(ratio)))
                .collect()
        };
        let differences = self.differences.iter();
        let mut compared = of_each(|ratio| json!([ratio.ours, ratio.theirs]));
        compared.extend(differences.clone().map(|difference| {
            let names = json!([difference.ours, difference.theirs]);
            (difference.key.to_owned(), names)
        }));
        let differences: Map<String, Value> = differences
            .map(|difference| (difference.key.to_owned(), json!(difference.micros)))
            .collect();
        json!({
            "bench": bench,
            "variants": variants,
            "ratios": of_each(|ratio| json!(rounded(ratio.throughput, 1000.0))),
            "ratios_by_server_time": of_each(|ratio| json!(ratio.by_cost.map(|cost| rounded(cost, 1000.0)))),
            "differences": differences,
            "compared": compared,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| variant | {}/s | p50 µs | p99 µs | server µs | client µs |\n|---|---:|---:|---:|---:|---:|",
            self.unit
        )?;
        for measure in &self.measures {
            let (rate, p50, p99) = (
                measure.rate(),
                micros(measure.percentile(50)),
                micros(measure.percentile(99)),
            );
            let work = |time: Option<Duration>| {
                let text = time.map(|time| format!("{:.1}", micros(time)));
                text.unwrap_or_default()
            };
            let (name, server, client) =
                (&measure.name, work(measure.cost()), work(measure.effort()));
            writeln!(
                f,
                "| {name} | {rate:.0} | {p50:.0} | {p99:.0} | {server} | {client} |"
            )?;
        }
        writeln!(
            f,
            "\n| ratio | of | throughput | server time |\n|---|---|---:|---:|"
        )?;
        for ratio in &self.ratios {
            let Ratio {
                key, ours, theirs, ..
            } = ratio;
            let cost = ratio.by_cost.map(|cost| format!("{cost:.3}"));
            let (throughput, cost) = (ratio.throughput, cost.unwrap_or_default());
            writeln!(
                f,
                "| `{key}` | {ours} / {theirs} | {throughput:.3} | {cost} |"
            )?;
        }
        if !self.differences.is_empty() {
            writeln!(f, "\n| added | of | p50 µs |\n|---|---|---:|")?;
        }
        for difference in &self.differences {
            let Difference {
                key,
                ours,
                theirs,
                micros,
            } = difference;
            writeln!(f, "| `{key}` | {ours} - {theirs} | {micros:.0} |")?;
        }
        Ok(())
    }
}

fn micros(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e6, 10.0)
}

/// Rounded to a multiple of `1 / parts`.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
