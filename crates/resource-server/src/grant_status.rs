//! Whether the grant behind a verified token still stands.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{AccessToken, Unavailable};

/// Asked after a token was verified, on every request, cached tokens included: so a revoked grant
/// ends at once although its tokens have not expired.
///
/// An authorization server in the same process has the answer in memory; one elsewhere is asked.
pub trait GrantStatus: Send + Sync + 'static {
    /// The answer, where it is at hand: `Some(true)` while the grant stands. `None`: it has to be
    /// asked for.
    fn known(&self, token: &AccessToken) -> Option<bool>;

    /// Asks. Called where [`known`](Self::known) has no answer.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no answer; the request is then refused with 503.
    fn ask<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>>;
}

/// All that is asked about a grant.
#[derive(Clone, Default)]
pub(crate) struct GrantStatuses(Vec<Arc<dyn GrantStatus>>);

impl GrantStatuses {
    pub(crate) fn add(&mut self, status: impl GrantStatus) {
        self.0.push(Arc::new(status));
    }

    /// Whether all say that the grant stands, as far as that is at hand.
    pub(crate) fn known(&self, token: &AccessToken) -> Option<bool> {
        let mut all = Some(true);
        for status in &self.0 {
            // SECURITY: one that says no is not outvoted, and one that has no answer is not taken
            // for a yes (RFC 7009 section 2.1); sec_jwt_35_a_grant_stands_while_all_say_so
            match status.known(token) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => all = None,
            }
        }
        all
    }

    /// The same, waiting for whoever must be asked.
    pub(crate) async fn ask(&self, token: &AccessToken) -> Result<bool, Unavailable> {
        for status in &self.0 {
            let stands = match status.known(token) {
                Some(known) => known,
                None => status.ask(token).await?,
            };
            // SECURITY: as above; sec_jwt_35_a_grant_stands_while_all_say_so
            if !stands {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
