//! What the layer demands, and the verdict on one request.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::Extensions;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::{BearerToken, ResourceUrl, Scope, ScopeHierarchy, ScopeSet, SharedClock};

use super::credentials::Credentials;
use super::denial::{Denial, DenialKind};
use crate::events::Journal;
use crate::grant_status::GrantStatuses;
use crate::grantable::Grantable;
use crate::reload::Again;
use crate::{
    AccessToken, Incident, Rejection, SharedVerifier, TokenVerifier as _, Unavailable,
    VerifyContext, VerifyError,
};

/// How long the verification of one token may take.
const VERIFY_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of scopes in the challenge of a 403 that names granted ones. Many proxies take no more than
/// 4 KiB of headers in an answer; the needed scopes stand whatever their length.
const MAX_SCOPES: usize = 2048;

/// Told of a token whose grant no longer stands.
pub(crate) type OnRevoked = Arc<dyn Fn(&AccessToken) + Send + Sync>;

pub(crate) type OnVerified = Arc<dyn Fn(&AccessToken, &mut Extensions) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) verifier: SharedVerifier,
    pub(crate) resource: ResourceUrl,
    pub(crate) required: ScopeSet,
    pub(crate) challenge_scopes: Option<ScopeSet>,
    pub(crate) resource_metadata: Option<Arc<str>>,
    pub(crate) hierarchy: ScopeHierarchy,
    pub(crate) grant_status: GrantStatuses,
    pub(crate) on_verified: Vec<OnVerified>,
    pub(crate) on_revoked: Option<OnRevoked>,
    /// What can be granted, where that has a bound.
    pub(crate) grantable: Option<Arc<Grantable>>,
    pub(crate) optional: bool,
    pub(crate) clock: SharedClock,
    pub(crate) verify_within: Duration,
    pub(crate) journal: Journal,
}

/// What is known of a request without waiting.
pub(super) enum FirstLook {
    /// It goes on, with this token or without one.
    Admitted(Option<Admitted>),
    Denied(Denial),
    /// Somebody has to be asked.
    Verify(BearerToken),
}

/// A token that opens what was asked for, and the text that it was read from.
pub(crate) struct Admitted {
    pub(crate) token: AccessToken,
    /// Whatever goes on for long is checked again.
    pub(crate) bearer: BearerToken,
}

impl Policy {
    pub(crate) fn new(verifier: SharedVerifier, resource: ResourceUrl) -> Self {
        Self {
            required: verifier.required_scopes(),
            verifier,
            resource,
            challenge_scopes: None,
            resource_metadata: None,
            hierarchy: ScopeHierarchy::new(),
            grant_status: GrantStatuses::default(),
            on_verified: Vec::new(),
            on_revoked: None,
            grantable: None,
            optional: false,
            clock: Arc::new(SystemClock::new()),
            verify_within: VERIFY_WITHIN,
            journal: Journal::default(),
        }
    }

    pub(super) fn first_look(&self, credentials: Credentials) -> FirstLook {
        let token = match credentials {
            Credentials::None if self.optional => return FirstLook::Admitted(None),
            // SECURITY: whoever shows credentials that nobody reads here is told so, and is not
            // taken for somebody without any (RFC 9449 section 7.2);
            // sec_rs_06_a_dpop_token_is_no_way_in
            Credentials::None | Credentials::Foreign => {
                return FirstLook::Denied(self.missing_token());
            }
            Credentials::Malformed => {
                return FirstLook::Denied(self.rejected(Rejection::Malformed));
            }
            Credentials::Several => {
                return FirstLook::Denied(self.deny(DenialKind::InvalidRequest, "several_tokens"));
            }
            Credentials::InQuery => {
                return FirstLook::Denied(self.deny(DenialKind::InvalidRequest, "token_in_query"));
            }
            Credentials::Bearer(token) => token,
        };
        // SECURITY: what is remembered may panic too, and has then not verified (fail closed);
        // sec_rs_09_a_hook_that_panics_denies
        catch_unwind(AssertUnwindSafe(|| self.look_up(token)))
            .unwrap_or_else(|_| FirstLook::Denied(self.failed("verifier_panicked")))
    }

    /// What is known of a token without waiting.
    fn look_up(&self, bearer: BearerToken) -> FirstLook {
        let Some(verified) = self.verifier.cached(&bearer, &self.context()) else {
            return FirstLook::Verify(bearer);
        };
        match self.grant_status.known(&verified) {
            None => FirstLook::Verify(bearer),
            Some(false) => FirstLook::Denied(self.revoked(&verified)),
            Some(true) => match self.admit(verified) {
                Ok(token) => FirstLook::Admitted(Some(Admitted { token, bearer })),
                Err(denial) => FirstLook::Denied(denial),
            },
        }
    }

    /// Verifies a token, waiting for whoever must be asked.
    pub(crate) async fn verify(&self, token: &BearerToken) -> Result<AccessToken, Denial> {
        // SECURITY: a verifier that panics has not verified (fail closed);
        // sec_rs_09_a_verifier_that_panics_denies
        let asking = AssertUnwindSafe(self.ask(token)).catch_unwind();
        // SECURITY: whoever hangs holds a request's place only for so long, and has not verified
        // (CWE-400, fail closed); sec_rs_09_a_verifier_that_hangs_is_unavailable
        match tokio::time::timeout(self.verify_within, asking).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(self.failed("verifier_panicked")),
            Err(_) => Err(self.unavailable(&Unavailable::new("verification took too long"))),
        }
    }

    /// Whether somebody who was let in, with this token or without one, would be let in by this.
    pub(super) async fn admits_again(&self, again: &Again) -> bool {
        match &again.bearer {
            Some(bearer) => self.verify(bearer).await.is_ok(),
            None => self.optional,
        }
    }

    async fn ask(&self, token: &BearerToken) -> Result<AccessToken, Denial> {
        let context = self.context();
        let verdict = self.verifier.verify(token, &context).await;
        let verified = verdict.map_err(|error| match error {
            VerifyError::Rejected(rejection) => self.rejected(rejection),
            VerifyError::Unavailable(unavailable) => self.unavailable(&unavailable),
        })?;
        let stands = self.grant_status.ask(&verified).await;
        // SECURITY: revocation bites on the next request (RFC 7009 section 2.1);
        // sec_jwt_35_a_revoked_grant_ends_its_tokens
        if !stands.map_err(|error| self.unavailable(&error))? {
            return Err(self.revoked(&verified));
        }
        self.admit(verified)
    }

    /// The server-wide scopes, checked after the token itself.
    fn admit(&self, token: AccessToken) -> Result<AccessToken, Denial> {
        let token = token.with_hierarchy(&self.hierarchy);
        let token = token.with_grantable(self.grantable.as_ref());
        // SECURITY: a valid token still reaches no further than its scopes (RFC 6750 section 3.1);
        // sec_rs_07_a_missing_scope_is_403_with_all_scopes
        if !token.has_scopes(&self.required) {
            return Err(self.insufficient_scope(&token, &self.required));
        }
        Ok(token)
    }

    /// Tells the hooks of a token.
    pub(super) fn tell(&self, token: &AccessToken, request: &mut Extensions) -> Result<(), Denial> {
        let tell = || {
            for hook in &self.on_verified {
                hook(token, request);
            }
        };
        // SECURITY: what a hook did not finish may be what holds a caller back (fail closed);
        // sec_rs_09_a_hook_that_panics_denies
        catch_unwind(AssertUnwindSafe(tell)).map_err(|_| self.failed("hook_panicked"))
    }

    /// 401 for a request without a token. It says nothing of an error (RFC 6750 section 3.1).
    pub(crate) fn missing_token(&self) -> Denial {
        self.deny(DenialKind::MissingToken, "missing_token")
    }

    /// 401 for an operation that needs `scopes` and came without a token.
    pub(crate) fn token_needed(&self, scopes: &ScopeSet) -> Denial {
        let scopes = self.challenged().union(scopes);
        self.missing_token().scopes(scopes)
    }

    /// 403 for an operation that needs `needed`. The challenge names what was granted too, so
    /// that a client that asks for just this set loses nothing (MCP authorization, scope
    /// challenge handling): as much of it as there is room for.
    pub(crate) fn insufficient_scope(&self, token: &AccessToken, needed: &ScopeSet) -> Denial {
        let needed = self.required.union(needed);
        // Where nobody would grant it, there is nothing to ask for.
        let scopes = if token.can_get(&needed) {
            bounded(token.scopes(), &needed)
        } else {
            ScopeSet::new()
        };
        self.deny(DenialKind::InsufficientScope, "insufficient_scope")
            .scopes(scopes)
            .of(token)
    }

    /// The grant is gone, and with it what it opened.
    fn revoked(&self, token: &AccessToken) -> Denial {
        if let Some(hook) = &self.on_revoked {
            hook(token);
        }
        self.rejected(Rejection::Revoked).of(token)
    }

    /// 401 for a token that verified, and stands on something that has ended since.
    pub(crate) fn ended(&self, token: &AccessToken) -> Denial {
        self.deny(DenialKind::InvalidToken, "sign_in_ended")
            .of(token)
    }

    fn rejected(&self, rejection: Rejection) -> Denial {
        self.deny(DenialKind::InvalidToken, rejection.reason())
            .description(rejection.description())
    }

    fn unavailable(&self, unavailable: &Unavailable) -> Denial {
        let incident = Incident::new();
        self.journal.token_unverified(&incident, unavailable);
        self.deny(DenialKind::Unavailable, "unavailable")
            .named(incident)
            .retry_after(unavailable.wait())
    }

    fn failed(&self, reason: &'static str) -> Denial {
        let incident = Incident::new();
        self.journal.verification_failed(&incident, reason);
        self.deny(DenialKind::Internal, reason).named(incident)
    }

    fn deny(&self, kind: DenialKind, reason: &'static str) -> Denial {
        let metadata = self.resource_metadata.clone();
        Denial::new(kind, reason, metadata, self.journal.clone()).scopes(self.challenged().clone())
    }

    fn challenged(&self) -> &ScopeSet {
        self.challenge_scopes.as_ref().unwrap_or(&self.required)
    }

    fn context(&self) -> VerifyContext<'_> {
        VerifyContext::new(&self.resource)
    }

    /// How long a stream that `token` opened may last; `None`: as long as it wants.
    pub(super) fn stream_life(&self, token: &AccessToken) -> Option<Duration> {
        token
            .accepted_until()
            .map(|end| end.duration_since(self.clock.now()))
    }
}

/// What is granted and what is needed, in this order, without some of what is granted where all of
/// it would be too long.
fn bounded(granted: &ScopeSet, needed: &ScopeSet) -> ScopeSet {
    let length = |scope: &Scope| scope.as_str().len() + 1;
    // SECURITY: a header grows with what an issuer puts into its tokens, and proxies drop answers
    // whose headers are long (CWE-400); sec_rs_07_a_challenge_has_a_bound
    let mut room = MAX_SCOPES.saturating_sub(needed.iter().map(length).sum());
    let kept: ScopeSet = granted
        .iter()
        .filter(|scope| {
            let fits = needed.contains(scope) || length(scope) <= room;
            if fits && !needed.contains(scope) {
                room -= length(scope);
            }
            fits
        })
        .cloned()
        .collect();
    kept.union(needed)
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer")
            .field("verifier", &self.verifier)
            .field("resource", &self.resource)
            .field("required", &self.required)
            .field("optional", &self.optional)
            .finish_non_exhaustive()
    }
}
