//! Whether the grant behind a verified token still stands.

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
