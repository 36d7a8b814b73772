//! What the provider gave and nobody needs any more is given back to it (RFC 7009), behind the answer
//! to whoever it was for. It is a courtesy to the user: what is not taken ends by itself.

use std::sync::Arc;

use portcullis_oauth::Subject;
use portcullis_store::StoreError;
use tokio::sync::Semaphore;

use super::broker::Broker;
use super::record::UpstreamRecord;
use crate::family;
use crate::upstream::TokenSet;

/// How many are given back at once: a provider is not asked faster than that, however many end.
const AT_ONCE: usize = 8;
/// How many of those whose time is over are looked at together.
const PAGE: usize = 100;

/// Room for what is given back.
#[derive(Debug)]
pub(super) struct Returns(Arc<Semaphore>);

impl Default for Returns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Broker {
    /// Gives tokens back, some time soon. Whose they were, if that is known: no other grant of that user
    /// ends by it.
    pub(crate) fn give_back(self: &Arc<Self>, tokens: TokenSet, whose: Option<Subject>) {
        self.give_back_with(tokens, whose, false);
    }

    /// The same, also where other grants of the user end by it.
    fn give_back_with(self: &Arc<Self>, tokens: TokenSet, whose: Option<Subject>, anyway: bool) {
        let broker = Arc::clone(self);
        tokio::spawn(async move {
            let room = Arc::clone(&broker.returns.0);
            // It is never closed.
            let _room = room.acquire_owned().await;
            if anyway || broker.may_give_back(whose.as_ref()).await {
                broker.client.revoke(&tokens).await;
            }
        });
    }

    /// Gives back what a grant had that is not in the store any more.
    pub(crate) fn revoke_later(self: &Arc<Self>, record: UpstreamRecord) {
        self.held.changed(record.id);
        self.exchanges.forget(record.id);
        // What is from another provider, or from another client there, is not for this one.
        if record.provider == self.client.fingerprint() {
            // SECURITY: what a client has itself is good at the provider until that hears of it (RFC 7009
            // section 2.1); sec_px_05_what_was_handed_out_is_given_back_at_once
            let anyway = self.passes_through();
            self.give_back_with(record.tokens, Some(record.subject), anyway);
        }
    }

    /// Gives back what belongs to no grant any more because its time is over: codes that nobody
    /// redeemed, and grants that nobody used.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn give_back_what_expired(self: &Arc<Self>) -> Result<(), StoreError> {
        loop {
            let expired = self.records.take_expired::<UpstreamRecord>(PAGE).await?;
            let is_more = expired.len() >= PAGE;
            for record in expired {
                self.revoke_later(record);
            }
            if !is_more {
                return Ok(());
            }
        }
    }

    /// Whether giving back ends nothing that a user still has here.
    async fn may_give_back(&self, whose: Option<&Subject>) -> bool {
        if !self.client.revocation_ends_all() {
            return true;
        }
        // SECURITY: at some providers one token takes along all that its user gave this server, so a
        // login that came to nothing would end the grants of one who is let in (RFC 7009 section 2.1);
        // sec_rv_07_what_is_given_back_ends_no_other_grant
        let Some(whose) = whose else {
            return false;
        };
        let family = family::of_user(whose.as_str());
        let left = self.records.count_family::<UpstreamRecord>(&family).await;
        matches!(left, Ok(0))
    }
}
