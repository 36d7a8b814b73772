//! How a provider takes its tokens back (RFC 7009), as data.

use super::{TokenSet, Upstream};
use portcullis_oauth::SecretString;

/// Which tokens a provider takes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokedTokens {
    /// Each for itself, the refresh token first (RFC 7009 section 2.1).
    #[default]
    Both,
    /// One, which takes the other along: the refresh token where there is one.
    Either,
    /// Refresh tokens alone. What they gave goes with them, or ends by itself.
    Refresh,
    /// Access tokens alone.
    Access,
}

/// Where and how tokens are given back.
#[derive(Clone, Debug)]
pub(super) struct Revocation {
    pub(super) endpoint: Option<String>,
    /// Whether it is a provider's own endpoint, and none of RFC 7009.
    pub(super) by_client: bool,
    pub(super) tokens: RevokedTokens,
    /// Whether all goes along that the user gave this server.
    pub(super) ends_all: bool,
}

impl Default for Revocation {
    fn default() -> Self {
        Self {
            endpoint: None,
            by_client: false,
            tokens: RevokedTokens::default(),
            ends_all: true,
        }
    }
}

impl Revocation {
    /// What of these is given back, in this order, each with its `token_type_hint`.
    pub(super) fn of<'t>(&self, tokens: &'t TokenSet) -> Vec<(&'t SecretString, &'static str)> {
        let refresh = tokens.refresh_token.as_ref();
        let refresh = refresh.map(|token| (token, "refresh_token"));
        let access = Some((&tokens.access_token, "access_token"));
        match self.tokens {
            RevokedTokens::Both => refresh.into_iter().chain(access).collect(),
            RevokedTokens::Either => refresh.or(access).into_iter().collect(),
            RevokedTokens::Refresh => refresh.into_iter().collect(),
            RevokedTokens::Access => access.into_iter().collect(),
        }
    }
}

/// How it takes tokens back.
impl Upstream {
    /// Where its tokens are given back (RFC 7009). Default: what its metadata says.
    pub fn revocation_endpoint(mut self, url: impl Into<String>) -> Self {
        self.revocation.endpoint = Some(url.into());
        self.revocation.by_client = false;
        self
    }

    /// As [`revocation_endpoint`](Self::revocation_endpoint), for an endpoint of the kind that GitHub
    /// has: this server sends `DELETE` with `{"access_token": ".."}` there, under its own name and
    /// secret. It takes access tokens alone, unless [`revoked_tokens`](Self::revoked_tokens) says more.
    pub fn revocation_by_client(mut self, url: impl Into<String>) -> Self {
        self.revocation.endpoint = Some(url.into());
        self.revocation.by_client = true;
        self.revoked_tokens(RevokedTokens::Access)
    }

    /// Which tokens it takes back. Default: both, one after the other.
    pub fn revoked_tokens(mut self, tokens: RevokedTokens) -> Self {
        self.revocation.tokens = tokens;
        self
    }

    /// Whether a token that is given back takes along all that the user gave this server, and not only
    /// what was given at the same login. A token is then given back when the user has no other grant
    /// here. Default: yes, for few providers say that it is otherwise.
    pub fn revocation_ends_all(mut self, ends_all: bool) -> Self {
        self.revocation.ends_all = ends_all;
        self
    }
}
