//! Until when something that was read from the store may be believed.
//!
//! Whoever keeps it in memory asks for the [`Moment`] before it is read, and believes it for as long as
//! the moment is the same: until another process has changed something, or this one has changed the
//! same, or something that shares its count.

use std::sync::atomic::{AtomicU64, Ordering};

/// The state of the world before something was read: what other processes had changed, and what had
/// changed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    foreign: u64,
    here: u64,
}

/// Counts what changes here, by a byte of its id: a change makes others unknown too, but not all of
/// them.
#[derive(Debug)]
pub(crate) struct Changes([AtomicU64; 256]);

impl Changes {
    pub(crate) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 256])
    }

    /// The moment of now, for what has that byte. `foreign` is what other processes had changed
    /// before.
    pub(crate) fn moment(&self, byte: u8, foreign: u64) -> Moment {
        let here = self.0.get(usize::from(byte));
        let here = here.map_or(0, |count| count.load(Ordering::SeqCst));
        Moment { foreign, here }
    }

    /// What has that byte has changed, or may have.
    pub(crate) fn note(&self, byte: u8) {
        if let Some(count) = self.0.get(usize::from(byte)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Anything may have changed.
    pub(crate) fn note_all(&self) {
        for count in &self.0 {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}
