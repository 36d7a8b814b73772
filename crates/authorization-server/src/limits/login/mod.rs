//! Guessing passwords is slow, and keeps nobody out.
//!
//! # Rules
//!
//! An attempt counts before the password is looked at, so that many at once are no more than many one
//! by one, and is given back when the password was right. It counts for three, and any of them can
//! refuse it:
//!
//! * the account from this address: 5, then one every 3 minutes, and no more than 20 a day;
//! * the address, whatever the account: 40, then one every 30 seconds, against one password tried on
//!   many accounts;
//! * the account from all unknown devices: 100, then one a minute, against many addresses.
//!
//! Whoever logged in has a *device cookie* in his browser: a random name of the device, signed
//! together with the account. With it attempts count for that device alone (10, then one every 2
//! minutes), so strangers cannot keep the owner of an account out, however many they are. The cookie
//! proves nothing else.
//!
//! Without a cookie, from an address of his own, the owner gets in while fewer than some twenty
//! addresses attack his account. Against more of them he looks like one more, and waits with them:
//! no server can tell them apart.
//!
//! An account that does not exist counts as any other.
//!
//! # Sources
//!
//! OWASP, *Slow down online guessing attacks with device cookies*; NIST SP 800-63B section 5.2.2.

mod device;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use icu_normalizer::ComposingNormalizerBorrowed;
use portcullis_oauth::{EntropyError, SecretBytes, SharedEntropy};
use portcullis_resource_server::ClientAddress;

pub(crate) use self::device::DeviceCookie;
use self::device::Devices;
use super::source::Marker;
use super::table::{Rate, Source, Table, Taken};
use super::{Counts, RateLimits, TooMany};

/// Room for so many: 256 KiB.
const ENTRIES: usize = 16_384;

const MINUTE: Duration = Duration::from_secs(60);

/// Who tried to log in lately.
#[derive(Debug)]
pub(crate) struct Attempts {
    marker: Marker,
    device: Table,
    /// An account from an address, for minutes and for a day.
    pair: [Table; 2],
    address: Table,
    account: Table,
}

/// Who tries to log in, and who may.
#[derive(Debug)]
pub(crate) struct LoginGuard {
    rates: RateLimits,
    counts: Arc<Counts>,
    devices: Devices,
}

impl Attempts {
    pub(super) fn new(entropy: &SharedEntropy) -> Result<Self, EntropyError> {
        let table = |burst, every| Table::new(Rate::new(burst, every), ENTRIES);
        Ok(Self {
            marker: Marker::new(entropy)?,
            device: table(10, 2 * MINUTE),
            pair: [table(5, 3 * MINUTE), table(20, 72 * MINUTE)],
            address: table(40, MINUTE / 2),
            account: table(100, MINUTE),
        })
    }
}

impl LoginGuard {
    pub(super) fn new(
        rates: RateLimits,
        counts: Arc<Counts>,
        device_key: SecretBytes,
        entropy: SharedEntropy,
    ) -> Self {
        Self {
            // However much more a server takes: passwords are guessed as slowly.
            rates: RateLimits { times: 1, ..rates },
            counts,
            devices: Devices::new(device_key, entropy),
        }
    }

    /// Counts an attempt, if there may be one. `account` is the name as it was typed, `device` the
    /// browser's cookie.
    ///
    /// # Errors
    /// [`TooMany`]; then it counts nowhere.
    pub(crate) fn check(
        &self,
        account: &str,
        from: Option<ClientAddress>,
        device: Option<&str>,
    ) -> Result<Permit<'_>, TooMany> {
        let account = folded(account);
        let (clock, logins) = (&self.counts.clock, &self.counts.logins);
        let (wall, now) = (clock.now(), clock.monotonic());
        let mut taken = Taken::default();
        let known = device.and_then(|cookie| self.devices.name(cookie, &account, wall));
        let known = known.is_some_and(|device| {
            // SECURITY: a device that was here before has a bucket of its own, so that strangers do
            // not keep its owner out (NIST SP 800-63B section 5.2.2);
            // sec_op_14_no_flood_keeps_a_known_device_out, sec_op_14_no_device_keeps_another_out
            let mark = logins.marker.mark(&[&device, account.as_bytes()]);
            taken
                .take(&logins.device, Source { mark, times: 1 }, now)
                .is_ok()
        });
        if !known {
            self.take_unknown(&account, from, &mut taken)
                .map_err(TooMany::after)?;
        }
        let guard = self;
        Ok(Permit {
            guard,
            taken,
            account,
        })
    }

    /// Counts an attempt from a device that is not known, or that failed too often.
    fn take_unknown<'g>(
        &'g self,
        account: &str,
        from: Option<ClientAddress>,
        taken: &mut Taken<'g>,
    ) -> Result<(), Duration> {
        let (now, logins) = (self.counts.clock.monotonic(), &self.counts.logins);
        for pair in logins.marker.sources(from, account.as_bytes(), &self.rates) {
            for table in &logins.pair {
                taken.take(table, pair, now)?;
            }
        }
        for address in logins.marker.sources(from, b"", &self.rates) {
            taken.take(&logins.address, address, now)?;
        }
        let mark = logins.marker.mark(&[account.as_bytes()]);
        taken.take(&logins.account, Source { mark, times: 1 }, now)
    }
}

/// The name by which attempts are counted: no spelling of it that a user database could take for the
/// same counts by itself. Names that begin with the same 256 characters count together.
fn folded(account: &str) -> String {
    let visible: String = account
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(256)
        .collect();
    // A letter of mathematics is a capital one in plain letters, and that one is a small one.
    let plain = ComposingNormalizerBorrowed::new_nfkc();
    let lower = plain.normalize(&visible).to_lowercase();
    plain.normalize(&lower).into_owned()
}

/// An attempt that was counted. If it is dropped, it stays so.
#[must_use = "say what became of the attempt"]
pub(crate) struct Permit<'g> {
    guard: &'g LoginGuard,
    taken: Taken<'g>,
    account: String,
}

impl Permit<'_> {
    /// The password was right. The attempt does not count, and the device is known from now on.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub(crate) fn succeeded(mut self) -> Result<DeviceCookie, EntropyError> {
        self.give_back();
        let (devices, now) = (&self.guard.devices, self.guard.counts.clock.now());
        devices.issue(&self.account, now)
    }

    /// The password was wrong, or there is no such account.
    pub(crate) fn failed(self) {
        drop(self);
    }

    /// The password was not looked at. The attempt does not count.
    pub(crate) fn undecided(mut self) {
        self.give_back();
    }

    fn give_back(&mut self) {
        self.taken.give_back(self.guard.counts.clock.monotonic());
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
