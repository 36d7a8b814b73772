//! How often strangers can make us ask a host for something.
//!
//! A request for a code names a URL, and we fetch it. Without a bound that would make us a source of
//! load: each host gets ten requests at once and one more every three seconds, two at a time, and all
//! hosts together get a hundred at once and five a second. Half of the tens and the hundred are kept
//! for visitors who come for the first time, so that nobody keeps a host's clients out by making us ask
//! for others.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_oauth::{EndpointUrl, Monotonic, SharedClock};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::client::profile;
use crate::limits::Standing;

/// The bounds of all hosts.
#[derive(Debug)]
pub(in crate::client) struct Hosts {
    each: Cache<String, Arc<Host>>,
    all: Bucket,
    clock: SharedClock,
}

/// The bounds of one host.
#[derive(Debug)]
struct Host {
    bucket: Bucket,
    places: Arc<Semaphore>,
}

/// A place in the queue for a host.
#[derive(Debug)]
pub(in crate::client) struct Admission(Option<Arc<Semaphore>>);

const MOST_HOSTS: usize = 1000;
const PLACES: usize = 2;
const PER_HOST: Pace = Pace {
    every: Duration::from_secs(3),
    at_once: 10,
};
const PER_ALL: Pace = Pace {
    every: Duration::from_millis(200),
    at_once: 100,
};

impl Hosts {
    pub(in crate::client) fn new(clock: SharedClock) -> Self {
        Self {
            each: Cache::new(MOST_HOSTS),
            all: Bucket::new(PER_ALL),
            clock,
        }
    }

    /// Whether a request for that URL would be admitted now.
    pub(super) fn has_room(&self, url: &EndpointUrl, standing: Standing) -> bool {
        let now = self.clock.monotonic();
        let known = self.each.get(name_of(url));
        profile::is_known_url(url.as_str())
            || (known.is_none_or(|host| host.bucket.has_room(standing, now))
                && self.all.has_room(standing, now))
    }

    /// Admits a request for that URL, if it may be made now for somebody who stands so with its host.
    pub(in crate::client) fn admit(
        &self,
        url: &EndpointUrl,
        standing: Standing,
    ) -> Option<Admission> {
        // What many people use is not held up by whoever asks for other things of its host. There is
        // one request at a time for each of these, and an answer is kept.
        if profile::is_known_url(url.as_str()) {
            return Some(Admission(None));
        }
        let now = self.clock.monotonic();
        let host = self.host(name_of(url));
        // SECURITY: a thousand ids on one host are not a thousand requests to it (CWE-406);
        // sec_ci_08_one_host_is_asked_seldom
        let admitted = self.all.has_room(standing, now)
            && host.bucket.take(standing, now)
            && self.all.take(standing, now);
        admitted.then(|| Admission(Some(Arc::clone(&host.places))))
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let made = || {
            Ok::<_, Infallible>(Arc::new(Host {
                bucket: Bucket::new(PER_HOST),
                places: Arc::new(Semaphore::new(PLACES)),
            }))
        };
        let Ok(host) = self.each.get_or_insert_with(name, made);
        host
    }
}

/// The host of a URL. Its absolute name (RFC 1034 section 3.1) is the same host, and not another one
/// to be asked as often.
fn name_of(url: &EndpointUrl) -> &str {
    // SECURITY: one host is not two (CWE-406); sec_ci_08_an_absolute_name_is_no_other_host
    url.host().trim_end_matches('.')
}

impl Admission {
    /// The places of the host, for whoever waits for one at each of its requests; nothing where any
    /// number may be made.
    pub(in crate::client) fn places(self) -> Option<Arc<Semaphore>> {
        self.0
    }

    /// Does the work once there is a place.
    pub(super) async fn run<T>(self, work: impl Future<Output = T>) -> T {
        match self.0 {
            None => work.await,
            // SECURITY: no host has more than two requests of ours at a time (CWE-406);
            // sec_ci_08_one_host_has_two_requests_at_a_time
            Some(places) => {
                let _place = places.acquire().await;
                work.await
            }
        }
    }
}

/// How many, and how often.
#[derive(Clone, Copy, Debug)]
struct Pace {
    every: Duration,
    at_once: u32,
}

impl Pace {
    /// How long a bucket takes to be empty once one more is in it.
    fn waits(self, empty_at: Monotonic, now: Monotonic) -> Duration {
        empty_at.saturating_since(now) + self.every
    }

    /// How long that may be.
    fn longest_for(self, standing: Standing) -> Duration {
        // SECURITY: half of it is left to those who come for the first time (CWE-799);
        // sec_ci_08_a_flood_leaves_room_for_those_who_come_first
        let at_once = match standing {
            Standing::First => self.at_once,
            Standing::Again => self.at_once / 2,
        };
        self.every * at_once
    }
}

/// A leaky bucket: one number, the time at which it will be empty.
#[derive(Debug)]
struct Bucket {
    pace: Pace,
    empty_at: Mutex<Monotonic>,
}

impl Bucket {
    fn new(pace: Pace) -> Self {
        Self {
            pace,
            empty_at: Mutex::new(Monotonic::from_start(Duration::ZERO)),
        }
    }

    fn has_room(&self, standing: Standing, now: Monotonic) -> bool {
        let empty_at = *self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.pace.waits(empty_at, now) <= self.pace.longest_for(standing)
    }

    fn take(&self, standing: Standing, now: Monotonic) -> bool {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = self.pace.waits(*empty_at, now);
        let has_room = waits <= self.pace.longest_for(standing);
        if has_room {
            *empty_at = now.saturating_add(waits);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::MockClock;

    use super::*;

    fn hosts() -> (Hosts, Arc<MockClock>) {
        let clock = Arc::new(MockClock::at(1_800_000_000));
        (Hosts::new(clock.clone()), clock)
    }

    /// How many of the requests for these URLs are admitted.
    fn admitted(hosts: &Hosts, urls: impl Iterator<Item = String>, standing: Standing) -> usize {
        let admit = |url: String| hosts.admit(&EndpointUrl::parse(&url).unwrap(), standing);
        urls.filter_map(admit).count()
    }

    #[test]
    fn sec_ci_08_all_hosts_together_are_asked_seldom() {
        let (hosts, clock) = hosts();
        let urls = |round: u32| (0..500).map(move |n| format!("https://h{n}.example/{round}"));
        assert_eq!(admitted(&hosts, urls(0), Standing::Again), 50);
        assert_eq!(admitted(&hosts, urls(1), Standing::First), 50);
        clock.advance(Duration::from_secs(2));
        assert_eq!(admitted(&hosts, urls(2), Standing::First), 10);
        let next = EndpointUrl::parse("https://next.example/c").unwrap();
        assert!(!hosts.has_room(&next, Standing::First));
    }

    #[test]
    fn sec_ci_08_an_absolute_name_is_no_other_host() {
        let (hosts, _) = hosts();
        let urls = |host: &'static str| (0..20).map(move |n| format!("https://{host}/{n}"));
        assert_eq!(admitted(&hosts, urls("h.example"), Standing::First), 10);
        assert_eq!(admitted(&hosts, urls("h.example."), Standing::First), 0);
        let next = EndpointUrl::parse("https://h.example./c").unwrap();
        assert!(!hosts.has_room(&next, Standing::First));
    }
}
