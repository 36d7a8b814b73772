//! The figures of a benchmark: a table for people, JSON for everything else.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::race::Measure;

/// What was measured, and the ratios it was measured for.
#[derive(Debug)]
pub(crate) struct Report {
    measures: Vec<Measure>,
    ratios: Vec<(&'static str, f64)>,
}

impl Report {
    pub(crate) fn new(measures: Vec<Measure>) -> Self {
        Self {
            measures,
            ratios: Vec::new(),
        }
    }

    /// Adds the throughput of one variant over another's, both by name.
    pub(crate) fn ratio(mut self, key: &'static str, ours: &str, theirs: &str) -> Result<Self> {
        let find = |name| {
            let found = self.measures.iter().find(|measure| measure.name == name);
            found.with_context(|| format!("no variant is named `{name}`"))
        };
        let ratio = find(ours)?.over(find(theirs)?);
        self.ratios.push((key, ratio));
        Ok(self)
    }

    /// `{bench, variants: {NAME: {requests_per_second, p50_us, p99_us}}, ratios: {KEY: number}}`
    pub(crate) fn json(&self, bench: &str) -> Value {
        let variant = |measure: &Measure| {
            let figures = json!({
                "requests_per_second": rounded(measure.rate(), 1.0),
                "p50_us": micros(measure.percentile(50)),
                "p99_us": micros(measure.percentile(99)),
            });
            (measure.name.to_owned(), figures)
        };
        let variants: Map<String, Value> = self.measures.iter().map(variant).collect();
        let ratio =
            |(key, ratio): &(&str, f64)| ((*key).to_owned(), json!(rounded(*ratio, 1000.0)));
        let ratios: Map<String, Value> = self.ratios.iter().map(ratio).collect();
        json!({ "bench": bench, "variants": variants, "ratios": ratios })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| variant | requests/s | p50 µs | p99 µs |\n|---|---:|---:|---:|"
        )?;
        for measure in &self.measures {
            let (rate, p50, p99) = (
                measure.rate(),
                micros(measure.percentile(50)),
                micros(measure.percentile(99)),
            );
            writeln!(f, "| {} | {rate:.0} | {p50:.0} | {p99:.0} |", measure.name)?;
        }
        for (key, ratio) in &self.ratios {
            write!(f, "\n{key} = {ratio:.3}")?;
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
