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
/// let verifier = DebugTokenVerifier::dangerous()
///     .accept_if(|token| token.starts_with("dev-"))
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
    /// What to accept, all of it dangerous.
    pub fn dangerous() -> DangerousDebugTokenVerifier {
        DangerousDebugTokenVerifier(())
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

    /// Scopes that every token must have. Each call adds to them.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
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

/// A [`DebugTokenVerifier`], once it is told what it accepts. Each is logged at every start.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct DangerousDebugTokenVerifier(());

impl DangerousDebugTokenVerifier {
    /// Accepts every token that is not blank.
    pub fn accept_any(self) -> DebugTokenVerifier {
        self.accept_if(|_| true)
    }

    /// Accepts the tokens that are not blank and that `accepts` likes. A panic in there is a no.
    pub fn accept_if(
        self,
        accepts: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> DebugTokenVerifier {
        events::dangerous(
            "debug",
            "DebugTokenVerifier",
            "tokens are not verified: whoever reaches this server is in",
        );
        DebugTokenVerifier {
            accepts: Arc::new(accepts),
            subject: "debug-user".into(),
            client_id: "debug-client".into(),
            scopes: ScopeSet::new(),
            required_scopes: ScopeSet::new(),
            journal: Journal::default(),
        }
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
