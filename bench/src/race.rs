//! Variants loaded in turns: A B, B A, A B, .. so that drift of the machine cancels out.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{clock::now, host::Meter, load::Target};

/// How long to load what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    connections: usize,
    warm_up: Duration,
    round: Duration,
    rounds: usize,
}

impl Plan {
    /// Many short rounds: what disturbs one for a while disturbs its neighbours too.
    pub(crate) fn thorough() -> Self {
        let (warm_up, round) = (Duration::from_secs(1), Duration::from_millis(500));
        Self {
            connections: 32,
            warm_up,
            round,
            rounds: 31,
        }
    }

    /// Enough to see that the benchmark works.
    pub(crate) fn quick() -> Self {
        let (warm_up, round) = (Duration::from_millis(200), Duration::from_millis(300));
        Self {
            rounds: 3,
            warm_up,
            round,
            ..Self::thorough()
        }
    }

    /// Fewer rounds that are longer: what takes tens of milliseconds is counted in whole pieces.
    pub(crate) fn of_slow_work(self) -> Self {
        Self {
            round: self.round * 4,
            rounds: self.rounds.div_ceil(3),
            ..self
        }
    }

    /// How many connections load a server at a time.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }
}

/// One of the contestants.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    name: String,
    target: Target,
    /// As many as the plan says, unless set.
    connections: Option<usize>,
}

impl Variant {
    pub(crate) fn new(name: impl Into<String>, target: Target) -> Self {
        Self {
            name: name.into(),
            target,
            connections: None,
        }
    }

    /// The same under another name.
    pub(crate) fn named(&self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self.clone()
        }
    }

    /// Loaded through one connection: a request never waits for another one.
    pub(crate) fn alone(self) -> Self {
        self.through(1)
    }

    /// Loaded through so many connections.
    pub(crate) fn through(self, connections: usize) -> Self {
        Self {
            connections: Some(connections),
            ..self
        }
    }

    async fn load(&self, plan: Plan, time: Duration) -> Result<Vec<Duration>> {
        let connections = self.connections.unwrap_or(plan.connections);
        let taken = self.target.load(connections, time).await;
        taken.with_context(|| format!("`{}`", self.name))
    }
}

/// What a variant achieved.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) name: String,
    /// Requests per second of each round.
    rates: Vec<f64>,
    /// Seconds of work for one request, of each round; empty where the system does not tell.
    costs: Vec<f64>,
    /// Seconds that this program works for one request, of each round.
    efforts: Vec<f64>,
    /// Of all rounds, sorted.
    latencies: Vec<Duration>,
}

impl Measure {
    /// Requests per second: the median of the rounds.
    pub(crate) fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// The time that `percent` of the requests did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let at = (self.latencies.len() * percent)
            .div_ceil(100)
            .saturating_sub(1);
        self.latencies.get(at).copied().unwrap_or_default()
    }

    /// How long the server works for one request, the system's part included: the median of the
    /// rounds.
    pub(crate) fn cost(&self) -> Option<Duration> {
        (!self.costs.is_empty()).then(|| Duration::from_secs_f64(median(self.costs.clone())))
    }

    /// How long the load generator works for one request, as far as it is known.
    pub(crate) fn effort(&self) -> Option<Duration> {
        (!self.efforts.is_empty()).then(|| Duration::from_secs_f64(median(self.efforts.clone())))
    }

    /// This throughput over the other's: the median of the ratios of each round.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        median(quotients(&self.rates, &other.rates))
    }

    /// The same by the work of the servers, which hardly depends on what else the machine does: the
    /// other's cost over this one's.
    pub(crate) fn over_by_cost(&self, other: &Self) -> Option<f64> {
        let are_known = !self.costs.is_empty() && !other.costs.is_empty();
        are_known.then(|| median(quotients(&other.costs, &self.costs)))
    }

    fn record(
        &mut self,
        taken: Vec<Duration>,
        time: Duration,
        [work, effort]: [Option<Duration>; 2],
    ) -> Result<()> {
        let count = f64::from(u32::try_from(taken.len())?);
        self.rates.push(count / time.as_secs_f64());
        self.costs
            .extend(work.map(|work| work.as_secs_f64() / count));
        self.efforts
            .extend(effort.map(|effort| effort.as_secs_f64() / count));
        self.latencies.extend(taken);
        Ok(())
    }
}

fn quotients(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
}

/// Loads the variants in turns. The result is in their order.
pub(crate) async fn race(plan: Plan, variants: &[Variant]) -> Result<Vec<Measure>> {
    let mut measures = Vec::new();
    for variant in variants {
        variant.load(plan, plan.warm_up).await?;
        measures.push(Measure {
            name: variant.name.clone(),
            rates: Vec::new(),
            costs: Vec::new(),
            efforts: Vec::new(),
            latencies: Vec::new(),
        });
    }
    let own = Meter::of_this_thread();
    for round in 0..plan.rounds {
        let mut turns: Vec<(&Variant, &mut Measure)> = variants.iter().zip(&mut measures).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (variant, measure) in turns {
            let target = &variant.target;
            let times = || [target.server_time(), own.time()];
            let (start, before) = (now(), times());
            let taken = variant.load(plan, plan.round).await?;
            let (time, after) = (start.elapsed(), times());
            let spent = |at: usize| {
                let both = after.get(at).copied().flatten().zip(*before.get(at)?);
                both.map(|(after, before)| after.saturating_sub(before))
            };
            measure.record(taken, time, [spent(0), spent(1)])?;
        }
    }
    for measure in &mut measures {
        measure.latencies.sort_unstable();
    }
    Ok(measures)
}

/// The middle value; of an even number, the upper one. 0 without values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Measure;

    fn measure(rates: &[f64]) -> Measure {
        let latencies = (1..=200).map(Duration::from_micros).collect();
        Measure {
            name: "x".to_owned(),
            rates: rates.to_vec(),
            costs: rates.iter().map(|rate| 1.0 / rate).collect(),
            efforts: Vec::new(),
            latencies,
        }
    }

    #[test]
    fn a_slow_round_of_both_changes_no_ratio() {
        let (a, b) = (
            measure(&[100.0, 10.0, 100.0]),
            measure(&[200.0, 20.0, 200.0]),
        );
        assert!((a.over(&b) - 0.5).abs() < 1e-9);
        assert!((a.rate() - 100.0).abs() < 1e-9);
        assert!((a.over_by_cost(&b).unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let measure = measure(&[]);
        assert_eq!(measure.percentile(50), Duration::from_micros(100));
        assert_eq!(measure.percentile(99), Duration::from_micros(198));
    }
}
