//! What a browser is in the middle of: a client's request, or the way to the user's own account.
//!
//! # Rules
//!
//! Nothing is kept on the server before the user has decided. All there is to know travels with the
//! browser, sealed: nobody can read, change or make it, and a flood of requests costs no memory. An
//! interaction ends ten minutes after it began, and only the browser in which it began can go on with
//! it. It can be opened any number of times, in any number of tabs; that only one answer counts is the
//! ledger's doing, which keeps the answer under the interaction's id.

mod browser;
mod sealed;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use portcullis_oauth::{
    ClientId, CodeChallenge, Entropy, EntropyError, RedirectUri, ResourceUrl, ScopeSet,
    SecretString, Timestamp,
};

pub(crate) use self::browser::{Browser, BrowserDigest};
pub(crate) use self::sealed::InteractionError;

/// What a browser is in the middle of.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    id: InteractionId,
    browser: BrowserDigest,
    began: Timestamp,
    errand: Errand,
    login: Login,
}

/// What identifies an interaction: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct InteractionId([u8; 16]);

/// Where the user is on the way to.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// A client asks for a grant.
    Authorization(Box<Asked>),
    /// The user's own connections.
    Account,
}

/// What a client asked for, checked as far as it can be without the user.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) client_id: ClientId,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) state: Option<SecretString>,
    pub(crate) code_challenge: CodeChallenge,
    /// As requested: what of it can be granted depends on the user.
    pub(crate) scope: ScopeSet,
    pub(crate) resource: ResourceUrl,
    /// What the client thinks the user is called.
    pub(crate) login_hint: Option<String>,
    /// The languages that the client asks for.
    pub(crate) ui_locales: Option<String>,
}

/// Which logins will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// Any that still holds.
    Any,
    /// One that was at most so old when the interaction began (`max_age`).
    Within(Duration),
    /// One made for this interaction (`prompt=login`).
    Anew,
    /// The one that was made for this interaction, named by its session's id.
    Made([u8; 32]),
}

impl Interaction {
    /// Begins an interaction in that browser.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub(crate) fn begin(
        errand: Errand,
        login: Login,
        browser: &Browser,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        let mut id = [0; 16];
        entropy.fill(&mut id)?;
        Ok(Self {
            id: InteractionId(id),
            browser: browser.digest(),
            began: now,
            errand,
            login,
        })
    }

    /// What identifies it.
    pub(crate) fn id(&self) -> InteractionId {
        self.id
    }

    /// What a client asked for, if one asks.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        match &self.errand {
            Errand::Authorization(asked) => Some(asked),
            Errand::Account => None,
        }
    }

    /// The browser that it belongs to.
    pub(crate) fn browser(&self) -> &BrowserDigest {
        &self.browser
    }

    /// Whether a session of that id, from a login at that time, is enough.
    pub(crate) fn accepts(&self, session: &[u8; 32], authenticated_at: Timestamp) -> bool {
        match self.login {
            Login::Any => true,
            // Against its beginning, not against now: else whoever reads slowly would have to log in
            // again and again (OpenID Connect Core section 3.1.2.1).
            Login::Within(age) => authenticated_at.saturating_add(age) >= self.began,
            // SECURITY: an older login is what the client did not want to rely on (OpenID Connect
            // Core section 3.1.2.1); sec_az_11_prompt_login_asks_who_is_logged_in_already
            Login::Anew => false,
            Login::Made(made) => made == *session,
        }
    }

    /// Whether no login from before will do.
    pub(crate) fn wants_a_fresh_login(&self) -> bool {
        !matches!(self.login, Login::Any)
    }

    /// After a login that was made for it.
    #[must_use]
    pub(crate) fn logged_in(mut self, session: &[u8; 32]) -> Self {
        if self.login == Login::Anew {
            self.login = Login::Made(*session);
        }
        self
    }
}

impl InteractionId {
    /// The bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for InteractionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InteractionId(..)")
    }
}
