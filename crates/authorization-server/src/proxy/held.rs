//! The provider's access tokens in memory, so that a tool that asks for one costs no look into the store.
//!
//! Each is kept with the state of the world in which it was read: once another process has changed
//! something, or this one has exchanged the tokens of the grant, it counts as unknown. Whether the grant
//! stands is asked before, elsewhere.

use portcullis_oauth::Timestamp;
use portcullis_resource_server::UpstreamToken;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::grant::GrantId;
use crate::moment::{Changes, Moment};

/// About how many bytes of tokens are kept.
const MOST: u64 = 16 * 1024 * 1024;
/// How many tokens that is, as they are.
const USUAL: usize = 8192;
/// What a token takes beside its text.
const MORE: usize = 512;

/// The tokens that were read lately.
#[derive(Debug)]
pub(super) struct Held {
    /// None where nothing is kept.
    found: Option<Cache<GrantId, Kept, Weights>>,
    changes: Changes,
}

#[derive(Clone, Debug)]
struct Kept {
    since: Moment,
    token: UpstreamToken,
}

#[derive(Clone, Debug)]
struct Weights;

impl Weighter<GrantId, Kept> for Weights {
    fn weight(&self, _: &GrantId, kept: &Kept) -> u64 {
        let bytes = kept.token.expose().len().saturating_add(MORE);
        u64::try_from(bytes).unwrap_or(MOST)
    }
}

impl Held {
    /// Nothing is kept where every request reads the store.
    pub(super) fn new(is_strict: bool) -> Self {
        // SECURITY: a store may take its time to tell what others have exchanged (RFC 9700 section
        // 4.14.2); sec_px_12_a_strict_server_asks_each_time_whether_tokens_were_exchanged
        Self {
            found: (!is_strict).then(|| Cache::with_weighter(USUAL, MOST, Weights)),
            changes: Changes::new(),
        }
    }

    /// Asked before a token is read.
    pub(super) fn moment(&self, id: GrantId, foreign: u64) -> Moment {
        self.changes.moment(id.first_byte(), foreign)
    }

    /// The token of a grant, if it is known as of that moment, and good until then.
    pub(super) fn get(&self, id: GrantId, now: Moment, until: Timestamp) -> Option<UpstreamToken> {
        let Kept { since, token } = self.found.as_ref()?.get(&id)?;
        // SECURITY: a token that was exchanged, here or elsewhere, may be worth nothing any more (RFC
        // 9700 section 4.14.2); sec_px_12_nobody_gets_a_token_from_before_an_exchange,
        // sec_px_12_nobody_gets_a_token_from_before_the_exchange_of_another_process
        let is_current = since == now && token.expires_at().is_none_or(|end| until < end);
        is_current.then_some(token)
    }

    /// Keeps a token that was read since then.
    pub(super) fn keep(&self, id: GrantId, token: UpstreamToken, since: Moment) {
        if let Some(found) = &self.found {
            found.insert(id, Kept { since, token });
        }
    }

    /// The tokens of this grant were exchanged or are gone, or may be.
    pub(super) fn changed(&self, id: GrantId) {
        self.changes.note(id.first_byte());
        if let Some(found) = &self.found {
            found.remove(&id);
        }
    }
}
