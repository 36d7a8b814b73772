//! A verifier for development, which believes what it is told.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use portcullis_oauth::{BearerToken, ScopeSet};

use crate::events::{self, Detail, Journal};
use crate::{AccessToken, Rejection, TokenParts, TokenVerifier, VerifyContext, VerifyError};

/// Accepts any token that a predicate likes, for development.
///
/// Whoever reaches the server is in, as the user that the settings name. It is right on a machine
/// of one's own, never on a network. Each start logs a warning.
///
/// ```
/// use portcullis_oauth::scopes;
/// use portcullis_resource_server::DebugTokenVerifier;
///
/// let verifier = DebugTokenVerifier::dangerous_accept_if(|token| token.starts_with("dev-"))
///     .subject("alice")
///     .scopes(scopes!["notes:read"]);
/// ```
#[derive(Clone)]
#[must_use]
pub struct DebugTokenVerifier {
    accepts: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    subject: Arc<str>,
    client_id: Arc<str>,
    scopes: ScopeSet,
    required_scopes: ScopeSet,
    journal: Journal,
}

impl DebugTokenVerifier {
    /// Accepts every token that is not blank.
    pub fn dangerous_accept_any() -> Self {
        Self::dangerous_accept_if(|_| true)
    }

    /// Accepts the tokens that are not blank and that `accepts` likes. A panic in there is a no.
    pub fn dangerous_accept_if(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        events::dangerous(
            "debug",
            "DebugTokenVerifier",
            "tokens are not verified: whoever reaches this server is in",
        );
        Self {
            accepts: Arc::new(accepts),
            subject: "debug-user".into(),
            client_id: "debug-client".into(),
            scopes: ScopeSet::new(),
            required_scopes: ScopeSet::new(),
            journal: Journal::default(),
        }
    }

    /// Who everybody is; `debug-user` unless set.
    pub fn subject(mut self, subject: impl Into<Arc<str>>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Through which client everybody comes; `debug-client` unless set.
    pub fn client_id(mut self, client_id: impl Into<Arc<str>>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// What every token grants; nothing unless set.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// The scopes that every token must have.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes = scopes;
        self
    }

    fn accepts(&self, token: &str) -> bool {
        if token.trim().is_empty() {
            return false;
        }
        // SECURITY: a predicate that fails has not agreed (CWE-636);
        // a_panicking_predicate_is_a_denial
        catch_unwind(AssertUnwindSafe(|| (self.accepts)(token))).unwrap_or(false)
    }
}

impl TokenVerifier for DebugTokenVerifier {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        if !self.accepts(token.expose()) {
            self.journal
                .token_rejected("debug", Rejection::Unknown, Detail::default());
            return Err(Rejection::Unknown.into());
        }
        let parts = TokenParts::new("urn:portcullis:debug", Arc::clone(&self.subject))
            .client_id(Arc::clone(&self.client_id))
            .scopes(self.scopes.clone())
            .audience([cx.resource().as_str()]);
        Ok(AccessToken::assert_verified(parts))
    }

    fn required_scopes(&self) -> ScopeSet {
        self.required_scopes.clone()
    }
}

impl fmt::Debug for DebugTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugTokenVerifier")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
