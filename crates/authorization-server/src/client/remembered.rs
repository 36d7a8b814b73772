//! Registrations in memory, so that the requests of a login read a client once.
//!
//! Each is kept with the state of the world in which it was read: once another process has changed
//! something, or a registration has been changed here, it counts as unknown. So a client is gone at once
//! here and on every process that shares the database.

use std::sync::Arc;

use portcullis_oauth::{ClientId, Timestamp};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::clients::Found;
use crate::moment::{Changes, Moment};

/// About how many bytes of registrations are kept.
const MOST: u64 = 32 * 1024 * 1024;
/// How many registrations that is, as they are.
const USUAL: usize = 8192;
/// A registration in memory is about so many times as long as in the store, and so much more.
const TIMES: u64 = 4;
const MORE: u64 = 1024;

/// The registrations that were found.
#[derive(Debug)]
pub(super) struct Remembered {
    found: Cache<ClientId, Kept, Weights>,
    changes: Changes,
}

#[derive(Clone, Debug)]
struct Kept {
    since: Moment,
    until: Timestamp,
    weight: u64,
    found: Found,
}

#[derive(Clone, Copy, Debug)]
struct Weights;

impl Weighter<ClientId, Kept> for Weights {
    fn weight(&self, _: &ClientId, kept: &Kept) -> u64 {
        kept.weight
    }
}

/// A change of a registration. Once it is over, whatever became of it, nothing counts that was read
/// before.
#[derive(Debug)]
pub(super) struct Changing {
    remembered: Arc<Remembered>,
    id: ClientId,
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.remembered.changes.note(byte_of(&self.id));
        self.remembered.found.remove(&self.id);
    }
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self {
            found: Cache::with_weighter(USUAL, MOST, Weights),
            changes: Changes::new(),
        }
    }

    /// The client of that id, if it is known.
    pub(super) fn get(&self, id: &ClientId, foreign: u64, now: Timestamp) -> Option<Found> {
        let kept = self.found.get(id)?;
        // SECURITY: what changed since it was read is not known, and neither is what changed while it
        // was read (RFC 7009 section 2.1); sec_rv_02_a_client_that_is_revoked_is_none_at_once,
        // sec_rv_02_a_client_that_made_room_is_none_at_once
        let is_current = kept.since == self.moment(id, foreign) && now < kept.until;
        is_current.then_some(kept.found)
    }

    /// Asked before a registration is read.
    pub(super) fn moment(&self, id: &ClientId, foreign: u64) -> Moment {
        self.changes.moment(byte_of(id), foreign)
    }

    /// Keeps what was read since then, if it is a registration.
    pub(super) fn keep(&self, id: &ClientId, found: &Found, since: Moment) {
        let Some(registration) = &found.registration else {
            return;
        };
        let length = u64::try_from(registration.sealed_len()).unwrap_or(MOST);
        let kept = Kept {
            since,
            until: registration.ends_at(),
            weight: length.saturating_mul(TIMES).saturating_add(MORE),
            found: found.clone(),
        };
        self.found.insert(id.clone(), kept);
    }

    /// Held while a registration is changed.
    pub(super) fn changing(self: &Arc<Self>, id: &ClientId) -> Changing {
        Changing {
            remembered: Arc::clone(self),
            id: id.clone(),
        }
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.found.weight()
    }
}

/// Whoever chooses ids can make them alike, and then makes us read more often.
fn byte_of(id: &ClientId) -> u8 {
    let bytes = id.as_str().bytes();
    bytes.fold(0, |mark: u8, byte| mark.wrapping_mul(31).wrapping_add(byte))
}
