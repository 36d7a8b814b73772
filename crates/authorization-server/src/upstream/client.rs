//! Talking to a provider.

use std::fmt;
use std::sync::Arc;

use portcullis_fetch::Fetcher;
use portcullis_oauth::form::Writer;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{ClientId, ScopeSet, SharedClock, SharedEntropy, Subject, Timestamp};
use portcullis_resource_server::{ConfigError, DownstreamApi, UpstreamToken, UpstreamTokenError};

use super::check::{self, Settings};
use super::event::Log;
use super::site::Site;
use super::source::Source;
use super::{
    Ask, Evidence, Login, Proof, TokenSet, Upstream, UpstreamAuthentication, UpstreamError,
    authorize,
};

/// What a client of a provider is made of.
#[derive(Debug)]
pub(crate) struct UpstreamParts {
    pub(crate) upstream: Upstream,
    pub(crate) client_id: ClientId,
    pub(crate) authentication: UpstreamAuthentication,
    /// Our callback, as it is registered there.
    pub(crate) redirect_uri: String,
    pub(crate) wants: Wants,
    /// In the place of those of the provider.
    pub(crate) scopes: Option<ScopeSet>,
    /// In the place of the usual ones.
    pub(crate) fetcher: Option<Fetcher>,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// What has to be known of users beside who they are: by an allow-list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// Claims of the userinfo endpoint, a verified e-mail address among them.
    pub(crate) profile: bool,
    /// An address beside what else is there.
    pub(crate) email: bool,
    pub(crate) organisations: bool,
}

/// This server as a client of its provider. Clones are one.
#[derive(Clone)]
pub(crate) struct UpstreamClient(Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: Settings,
    source: Source,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
    pub(super) log: Log,
}

impl UpstreamClient {
    /// Checked when the server is built; nothing is fetched.
    ///
    /// # Errors
    /// Everything that is wrong with the parts.
    pub(crate) fn new(parts: UpstreamParts) -> Result<Self, Vec<ConfigError>> {
        let (clock, entropy) = (Arc::clone(&parts.clock), Arc::clone(&parts.entropy));
        let (settings, source) = check::check(parts)?;
        let log = Log::new(settings.name.clone(), Arc::clone(&clock));
        Ok(Self(Arc::new(Inner {
            settings,
            source,
            clock,
            entropy,
            log,
        })))
    }

    /// What pages call the provider.
    pub(crate) fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// How long it may take to answer one request.
    pub(crate) fn timeout(&self) -> std::time::Duration {
        self.0.settings.upstream.timeout
    }

    /// Whether it may be able to tell if an access token is good; what is discovered is not known yet.
    pub(crate) fn may_tell(&self) -> bool {
        let has_check = self.0.settings.userinfo.check.is_some();
        match &self.0.source {
            Source::Fixed(site) => has_check || site.userinfo.is_some(),
            Source::Discovered(_) => true,
        }
    }

    /// A number for the accounts at this provider, as this client of it knows them.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.settings.fingerprint
    }

    /// What pages call a user: a name where there is one, else the subject. At most 200 characters.
    pub(crate) fn display(&self, evidence: &Evidence) -> String {
        let name = self.0.settings.claims.display(evidence);
        let name = name.as_deref().unwrap_or(evidence.subject.as_str());
        name.chars().take(LONGEST_NAME).collect()
    }

    /// The scopes to ask for where a client names none, in our spelling, and the most that one may ask
    /// for.
    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.0.settings.known
    }

    /// The claim with the domain that manages a user's account.
    pub(crate) fn domain_claim(&self) -> Option<&str> {
        self.0.settings.upstream.domain_claim.as_deref()
    }

    /// Whether anybody in the world may have an account there.
    pub(crate) fn is_multi_tenant(&self) -> bool {
        self.0.settings.upstream.multi_tenant
    }

    /// Finds the provider's endpoints, where they have to be found. What keeps them away is in the log.
    pub(crate) async fn warm(&self) {
        let _ = self.0.site().await;
    }

    /// Where the user's browser goes to sign in.
    ///
    /// # Errors
    /// [`UpstreamError`] where that is not known now.
    pub(crate) async fn authorization_url(&self, ask: &Ask<'_>) -> Result<String, UpstreamError> {
        let site = self.0.site().await?;
        authorize::url(&self.0.settings, &site, ask)
    }

    /// Checks the `iss` of an authorization response, errors included (RFC 9207 section 2.4).
    ///
    /// # Errors
    /// [`UpstreamError::Invalid`] when it is another issuer's, or missing where the provider says that it
    /// sends one.
    pub(crate) async fn check_issuer(&self, iss: Option<&str>) -> Result<(), UpstreamError> {
        let site = self.0.site().await?;
        let is_right = match iss {
            // SECURITY: an answer of another server must not be redeemed at this one (RFC 9207 section
            // 2.4); sec_px_02_an_answer_of_another_issuer_is_refused
            Some(iss) => {
                site.issuers.is_empty() || site.issuers.iter().any(|rule| rule.admits(iss))
            }
            // SECURITY: nor may whoever answers leave its name out (RFC 9207 section 2.4);
            // sec_px_02_an_answer_without_its_issuer_is_refused
            None => !site.sends_issuer,
        };
        if is_right {
            return Ok(());
        }
        let error = UpstreamError::Invalid("the authorization response is another issuer's");
        self.0.log.failed("authorization", "iss", &error);
        Err(error)
    }

    /// What the `error` of an authorization response means, whoever wrote it (RFC 6749 section 4.1.2.1).
    pub(crate) fn brought(&self, word: &str) -> UpstreamError {
        let error = UpstreamError::of_callback(word);
        self.0.log.brought(word, &error);
        error
    }

    /// Makes tokens of a code. Whose they are, [`identify`](Self::identify) says.
    ///
    /// # Errors
    /// [`UpstreamError::Ended`] for a code that is not good, and the others as they say.
    pub(crate) async fn redeem(
        &self,
        code: &AuthorizationCode,
        proof: &Proof,
    ) -> Result<TokenSet, UpstreamError> {
        let site = self.0.site().await?;
        let settings = &self.0.settings;
        let mut form = Writer::new()
            .pair("grant_type", "authorization_code")
            .pair("code", code.expose())
            .pair("redirect_uri", &settings.redirect_uri);
        if settings.upstream.pkce {
            form = form.pair("code_verifier", proof.verifier.expose());
        }
        let secrets = [code.expose(), proof.verifier.expose()];
        let answer = self.0.ask_for_tokens(&site, form, &secrets).await?;
        Ok(self.0.token_set(answer, None))
    }

    /// Learns whose tokens these are, that a code gave a moment ago.
    ///
    /// # Errors
    /// [`UpstreamError`], where that cannot be known or believed.
    pub(crate) async fn identify(
        &self,
        tokens: &TokenSet,
        proof: &Proof,
    ) -> Result<Evidence, UpstreamError> {
        let site = self.0.site().await?;
        self.0.first_evidence(&site, tokens, &proof.nonce).await
    }

    /// A set with a new access token. What the answer leaves out stays as it was: the refresh token, the
    /// scope, the ID token.
    ///
    /// The evidence is what the answer itself says anew, and its profile is empty: keep the tokens first,
    /// then [`recheck`](Self::recheck) where an allow-list wants more. An ID token for which there are no
    /// keys at the moment is left out, so that no refresh token is lost to an outage.
    ///
    /// # Errors
    /// [`UpstreamError::Ended`] when the provider has ended the grant, or gives tokens of another user,
    /// and the others as they say.
    pub(crate) async fn refresh(
        &self,
        old: &TokenSet,
        who: &Subject,
    ) -> Result<Login, UpstreamError> {
        let Some(refresh_token) = &old.refresh_token else {
            return Err(UpstreamError::Invalid("there is no refresh token"));
        };
        let site = self.0.site().await?;
        let settings = &self.0.settings;
        let mut form = Writer::new()
            .pair("grant_type", "refresh_token")
            .pair("refresh_token", refresh_token.expose());
        if settings.upstream.dialect.scope_at_refresh {
            let granted = old.scope.clone().unwrap_or_default();
            form = form.optional("scope", settings.scopes.sent(&granted).as_deref());
        }
        let answer = self
            .0
            .ask_for_tokens(&site, form, &[refresh_token.expose()])
            .await?;
        let is_new = answer.id_token.is_some();
        let mut tokens = self.0.token_set(answer, Some(old));
        let evidence = self
            .0
            .later_evidence(&site, &mut tokens, old, (who, is_new))
            .await;
        match evidence {
            Ok(evidence) => Ok(Login {
                tokens,
                evidence,
                doubt: None,
            }),
            // SECURITY: what comes with an ID token that cannot be believed is used for nothing; but the
            // provider may know the old refresh token no more (RFC 9700 section 4.14.2);
            // sec_rt_13_an_id_token_that_is_not_believed_loses_no_refresh_token
            Err(error @ UpstreamError::Invalid(_)) => Ok(Login {
                tokens: TokenSet {
                    refresh_token: tokens.refresh_token,
                    refresh_expires_at: tokens.refresh_expires_at,
                    ..old.clone()
                },
                evidence: None,
                doubt: Some(error),
            }),
            Err(error) => Err(error),
        }
    }

    /// Asks the provider whether an access token is still good, and what it says now of the user of whom
    /// it said that before. `None` where it has no way to tell.
    ///
    /// # Errors
    /// [`UpstreamError::Ended`] when it is not, and the others as they say.
    pub(crate) async fn recheck(
        &self,
        tokens: &TokenSet,
        before: &Evidence,
    ) -> Result<Option<Evidence>, UpstreamError> {
        let site = self.0.site().await?;
        let outcome = self.0.recheck(&site, tokens, before).await;
        outcome.map_err(|failed| self.0.log.note(failed))
    }

    /// A token of another API, for the user whose access token `subject` is.
    ///
    /// # Errors
    /// [`UpstreamTokenError`]
    pub(crate) async fn exchange(
        &self,
        subject: &str,
        api: &DownstreamApi,
    ) -> Result<UpstreamToken, UpstreamTokenError> {
        self.0.exchange(subject, api).await
    }

    /// Whether a token that is given back takes along all that its user gave this server.
    pub(crate) fn revocation_ends_all(&self) -> bool {
        self.0.settings.upstream.revocation.ends_all
    }

    /// Gives tokens back (RFC 7009), as far as the provider takes them. Bounded in time; it never fails.
    pub(crate) async fn revoke(&self, tokens: &TokenSet) {
        let Ok(site) = self.0.site().await else {
            return;
        };
        let Some(at) = &site.revocation else {
            return;
        };
        for (token, kind) in self.0.settings.upstream.revocation.of(tokens) {
            if let Err(error) = self.0.revoke(&site, at, (token.expose(), kind)).await {
                self.0.log.failed("revocation", kind, &error);
            }
        }
    }
}

impl fmt::Debug for UpstreamClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamClient")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) async fn site(&self) -> Result<Arc<Site>, UpstreamError> {
        match &self.source {
            Source::Fixed(site) => Ok(Arc::clone(site)),
            Source::Discovered(discovery) => {
                let site = discovery.site().await;
                site.inspect_err(|error| self.log.failed("metadata", "discovery", error))
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// What pages have room for, in characters.
const LONGEST_NAME: usize = 200;
