//! How much strangers may ask for.

use portcullis::listener::{Network, NetworkError};
use portcullis_authorization_server::RateLimits;

use crate::config::Loaded;

/// More is no limit.
const MOST: u32 = 100_000;

/// What was written, decided. Problems are added to those of the configuration.
pub(super) fn resolve(loaded: &mut Loaded) -> RateLimits {
    let mut limits = RateLimits::default();
    let raw = &loaded.raw.rate_limits;
    let (multiplier, shared) = (raw.multiplier, raw.shared.clone());
    if let Some(times) = multiplier {
        check(loaded, "rate_limits.multiplier", times);
        limits = limits.times(times);
    }
    for (at, shared) in shared.into_iter().enumerate() {
        let key = |name| format!("rate_limits.shared.{at}.{name}");
        let network = network(loaded, &key("network"), shared.network.as_deref());
        let users = shared.users.unwrap_or_default();
        check(loaded, &key("users"), users);
        if let Some(network) = network {
            limits = limits.shared(network, users);
        }
    }
    limits
}

fn network(loaded: &mut Loaded, key: &str, said: Option<&str>) -> Option<Network> {
    let read = match said {
        Some(text) => text
            .parse()
            .map_err(|fault: NetworkError| loaded.problem(key, fault)),
        None => Err(loaded.problem(key, "is missing")),
    };
    let hint = "write it as `198.51.100.7` or `198.51.100.0/24`";
    read.map_err(|problem| loaded.problems.push(problem.hint(hint)))
        .ok()
}

fn check(loaded: &mut Loaded, key: &str, times: u32) {
    if !(1..=MOST).contains(&times) {
        let problem = loaded.problem(key, format!("is not between 1 and {MOST}"));
        loaded.problems.push(problem);
    }
}
