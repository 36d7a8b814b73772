//! How much strangers may ask for.
//!
//! # Rules
//!
//! * Each kind of request has a bucket a source: an IPv4 address, or an IPv6 network of 64 bits and,
//!   with eight times as much, its site of 48. What makes this server fetch or keep something has a
//!   bucket over all sources too. Half of that is kept for those of whose site (an IPv4 network of 24
//!   bits, an IPv6 network of 48) nobody asked for it in the last minute, so that a flood from elsewhere
//!   keeps no new visitor out.
//! * What makes us ask a host for a document has a bucket a source and host, and the host's own bucket
//!   keeps half for new visitors, too.
//! * An address of a private network counts for sixteen, one that many share for as many as
//!   [`RateLimits::shared`] says if that is more. Requests without an address, or from this machine, share a bucket
//!   a thousand times as large: they come through a proxy that does not say for whom it calls.
//! * Memory is constant, and each process counts for itself. Counts are gone when it ends, and not when
//!   one server takes the place of another in it.
//! * What users decide, and tokens that clients get for themselves, take room in the store until they
//!   expire, so each user and each client has a bucket too, wherever the requests come from.
//! * Logins have a guard of their own: [`login`].
//!
//! # Sources
//!
//! RFC 6585 section 4; RFC 9700 section 2; RFC 7591 section 5.

mod kind;
pub(crate) mod login;
mod rates;
mod source;
mod table;

use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::{EntropyError, Monotonic, SecretBytes, SharedClock, SharedEntropy};
use portcullis_resource_server::ClientAddress;

pub(crate) use self::kind::Limit;
use self::login::{Attempts, LoginGuard};
pub use self::rates::RateLimits;
use self::source::Marker;
pub(crate) use self::table::Standing;
use self::table::{Rate, Source, Table, Taken};

/// Too many requests: 429 (RFC 6585 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests; the next one is answered in {} s", .retry_after.as_secs())]
pub(crate) struct TooMany {
    /// When to try again: whole seconds, at least one.
    pub(crate) retry_after: Duration,
}

impl TooMany {
    fn after(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            retry_after: Duration::from_secs(seconds.max(1)),
        }
    }
}

/// Room for so many sources of a kind: 128 KiB.
const SOURCES: usize = 8192;

/// The buckets of a kind.
#[derive(Debug)]
struct Kind {
    each: Table,
    all: Option<Common>,
}

/// What all sources share.
#[derive(Debug)]
struct Common {
    all: Table,
    /// Who asked lately, by site.
    lately: Table,
}

/// What sources make us ask of hosts.
#[derive(Debug)]
struct HostCounts {
    each: Table,
    /// Who asked lately, by site and host.
    lately: Table,
}

/// What was asked for lately, whoever was asked.
#[derive(Debug)]
pub(crate) struct Counts {
    marker: Marker,
    kinds: [Kind; Limit::ALL.len()],
    /// Wrong proofs of one client, by source.
    clients: Table,
    hosts: HostCounts,
    logins: Attempts,
    /// All counts are by this clock: another one may have begun at another time.
    clock: SharedClock,
}

/// What may be asked for.
#[derive(Debug)]
pub(crate) struct Limits {
    rates: RateLimits,
    counts: Arc<Counts>,
    guard: LoginGuard,
}

/// Wrong proofs of one client from one source.
const CLIENT_FAILURES: Rate = Rate::new(20, Duration::from_secs(15));
/// New documents of one host for one source: half of what the host is asked for.
const DOCUMENTS_OF_HOST: Rate = Rate::new(5, Duration::from_secs(6));
/// Who asks again within this time has asked lately.
const LATELY: Rate = Rate::new(1, Duration::from_secs(60));

impl Counts {
    /// Nothing was asked for yet.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub(crate) fn new(clock: SharedClock, entropy: &SharedEntropy) -> Result<Self, EntropyError> {
        Ok(Self {
            marker: Marker::new(entropy)?,
            kinds: Limit::ALL.map(|kind| Kind {
                each: Table::new(kind.rate(), SOURCES),
                all: kind.rate_of_all().map(|rate| Common {
                    all: Table::new(rate, 1),
                    lately: Table::new(LATELY, SOURCES),
                }),
            }),
            clients: Table::new(CLIENT_FAILURES, SOURCES),
            hosts: HostCounts {
                each: Table::new(DOCUMENTS_OF_HOST, SOURCES),
                lately: Table::new(LATELY, SOURCES),
            },
            logins: Attempts::new(entropy)?,
            clock,
        })
    }
}

impl Limits {
    /// So much as `rates` say, after what `counts` have seen. `device_key` outlives the process, and
    /// is the same on every replica.
    pub(crate) fn new(
        rates: RateLimits,
        counts: Arc<Counts>,
        device_key: SecretBytes,
        entropy: SharedEntropy,
    ) -> Self {
        Self {
            guard: LoginGuard::new(rates.clone(), Arc::clone(&counts), device_key, entropy),
            rates,
            counts,
        }
    }

    /// Counts a request, if it may be.
    ///
    /// # Errors
    /// [`TooMany`]; then it counts nowhere.
    pub(crate) fn allow(&self, what: Limit, from: Option<ClientAddress>) -> Result<(), TooMany> {
        let mut taken = Taken::default();
        self.take(what, from, &mut taken).map_err(TooMany::after)
    }

    /// Counts a document that a host is to be asked for, if it may be, and says how whoever wants it
    /// stands with that host.
    ///
    /// # Errors
    /// [`TooMany`]; then it counts nowhere.
    pub(crate) fn allow_document(
        &self,
        host: &str,
        from: Option<ClientAddress>,
    ) -> Result<Standing, TooMany> {
        let now = self.counts.clock.monotonic();
        let (host, hosts) = (host.as_bytes(), &self.counts.hosts);
        let mut taken = Taken::default();
        for source in self.counts.marker.sources(from, host, &self.rates) {
            // SECURITY: one source does not use up what a host may be asked for (CWE-799);
            // sec_ci_08_one_source_does_not_use_up_a_host
            let each = taken.take(&hosts.each, source, now);
            each.map_err(TooMany::after)?;
        }
        self.take(Limit::Document, from, &mut taken)
            .map_err(TooMany::after)?;
        let site = self.site(from, host);
        let standing = standing(&hosts.lately, site, now);
        hosts.lately.charge(site, now);
        Ok(standing)
    }

    /// Takes what a request needs, or nothing. Nothing else may refuse it afterwards.
    fn take<'s>(
        &'s self,
        what: Limit,
        from: Option<ClientAddress>,
        taken: &mut Taken<'s>,
    ) -> Result<(), Duration> {
        let now = self.counts.clock.monotonic();
        let kind = self.kind(what);
        for source in self.counts.marker.sources(from, b"", &self.rates) {
            taken.take(&kind.each, source, now)?;
        }
        let Some(common) = &kind.all else {
            return Ok(());
        };
        let site = self.site(from, b"");
        let standing = standing(&common.lately, site, now);
        taken.take_as(&common.all, self.everybody(), standing, now)?;
        common.lately.charge(site, now);
        Ok(())
    }

    /// Counts what somebody known asks for, from wherever, if it may be.
    ///
    /// # Errors
    /// [`TooMany`]; then it does not count.
    pub(crate) fn allow_known(&self, what: Limit, who: &str) -> Result<(), TooMany> {
        let source = Source {
            mark: self.counts.marker.mark(&[who.as_bytes()]),
            times: self.rates.times,
        };
        let now = self.counts.clock.monotonic();
        let taken = self.kind(what).each.take(source, now);
        taken.map_err(TooMany::after)
    }

    /// Whether a source failed too often, by itself or with this client. Counts nothing: asked before
    /// credentials are looked at, so that a guess that is right is refused like any other.
    ///
    /// # Errors
    /// [`TooMany`].
    pub(crate) fn check_failures(
        &self,
        client: &str,
        from: Option<ClientAddress>,
    ) -> Result<(), TooMany> {
        let now = self.counts.clock.monotonic();
        self.failures(client, from, |table, source| table.look(source, now))
            .map_err(TooMany::after)
    }

    /// Counts a proof of being a client that is none, for the source and for this client there. Nobody
    /// locks a client out from elsewhere.
    pub(crate) fn count_guess(&self, client: &str, from: Option<ClientAddress>) {
        let now = self.counts.clock.monotonic();
        let counted = self.failures(client, from, |table, source| {
            table.charge(source, now);
            Ok(())
        });
        debug_assert!(counted.is_ok(), "counting refuses nothing");
    }

    /// Counts whatever else nobody had from us, for the source alone: it says nothing of a client that
    /// serves many users from there.
    pub(crate) fn count_refusal(&self, from: Option<ClientAddress>) {
        let now = self.counts.clock.monotonic();
        let all = &self.kind(Limit::TokenFailure).each;
        for source in self.counts.marker.sources(from, b"", &self.rates) {
            all.charge(source, now);
        }
    }

    /// Who tries to log in.
    pub(crate) fn guard(&self) -> &LoginGuard {
        &self.guard
    }

    fn failures(
        &self,
        client: &str,
        from: Option<ClientAddress>,
        act: impl Fn(&Table, Source) -> Result<(), Duration>,
    ) -> Result<(), Duration> {
        let all = &self.kind(Limit::TokenFailure).each;
        for source in self.counts.marker.sources(from, b"", &self.rates) {
            act(all, source)?;
        }
        // SECURITY: the source is part of it, so that nobody keeps a client out by its id alone
        // (RFC 6749 section 2.3.1); sec_ca_08_nobody_locks_a_client_out_from_elsewhere
        for source in self
            .counts
            .marker
            .sources(from, client.as_bytes(), &self.rates)
        {
            act(&self.counts.clients, source)?;
        }
        Ok(())
    }

    fn kind(&self, what: Limit) -> &Kind {
        let [
            authorize,
            depart,
            login,
            register,
            document,
            token_failure,
            introspect,
            decision,
            own_token,
            revoke,
        ] = &self.counts.kinds;
        match what {
            Limit::Authorize => authorize,
            Limit::Depart => depart,
            Limit::Login => login,
            Limit::Register => register,
            Limit::Document => document,
            Limit::TokenFailure => token_failure,
            Limit::Introspect => introspect,
            Limit::Decision => decision,
            Limit::OwnToken => own_token,
            Limit::Revoke => revoke,
        }
    }

    fn site(&self, from: Option<ClientAddress>, about: &[u8]) -> Source {
        self.counts.marker.site(from, about, &self.rates)
    }

    fn everybody(&self) -> Source {
        Source {
            mark: self.counts.marker.mark(&[]),
            times: self.rates.times,
        }
    }
}

/// How a site stands that may have asked lately.
fn standing(lately: &Table, site: Source, now: Monotonic) -> Standing {
    match lately.look(site, now) {
        Ok(()) => Standing::First,
        Err(_) => Standing::Again,
    }
}

#[cfg(test)]
mod tests;
