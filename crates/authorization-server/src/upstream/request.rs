//! What is sent to a provider's token and revocation endpoints, and the tokens that come of it (RFC 6749
//! section 3.2, RFC 7009).

use std::time::Duration;

use http::StatusCode;
use portcullis_fetch::{ClientAuthentication, Fetched};
use portcullis_oauth::SecretString;
use portcullis_oauth::form::Writer;
use portcullis_oauth::token::TokenResponse;

use super::answer::{self, Refusal};
use super::authentication::Signer;
use super::client::Inner;
use super::site::{Endpoint, Site};
use super::{TokenSet, UpstreamError, userinfo};

/// What an answer may say at most of how long a token lives: ten years.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Inner {
    /// One request to the token endpoint, with what every one has.
    pub(super) async fn ask_for_tokens(
        &self,
        site: &Site,
        form: Writer,
        secrets: &[&str],
    ) -> Result<TokenResponse, UpstreamError> {
        let upstream = &self.settings.upstream;
        let form = upstream
            .token_params
            .iter()
            .fold(form, |form, (name, value)| form.pair(name, value))
            .optional("resource", upstream.resource.as_deref());
        let answer = self.post(site, form).await?;
        answer::read(&answer, upstream.dialect.bearer_unless_said).map_err(|refusal| {
            self.refused(answer.status, &refusal, secrets);
            refusal.error
        })
    }

    /// Writes down what the token endpoint refused, without what it was sent.
    pub(super) fn refused(&self, status: StatusCode, refusal: &Refusal, secrets: &[&str]) {
        let own = self.settings.authentication.secret();
        let own = own.map(SecretString::expose);
        let secrets: Vec<_> = own.into_iter().chain(secrets.iter().copied()).collect();
        let words = refusal.words.without(&secrets);
        self.log.refused("token", status, &words, &refusal.error);
    }

    /// Posts a form to the token endpoint, as this client.
    pub(super) async fn post(&self, site: &Site, form: Writer) -> Result<Fetched, UpstreamError> {
        let (body, authentication) = self.authenticated(site, form)?;
        let at = &site.token;
        at.fetcher
            .post_form(&at.url, body, authentication.as_ref())
            .await
            .map_err(UpstreamError::from)
            .inspect_err(|error| self.log.failed("token", "transport", error))
    }

    fn authenticated(
        &self,
        site: &Site,
        form: Writer,
    ) -> Result<(String, Option<ClientAuthentication>), UpstreamError> {
        let signer = Signer {
            client_id: &self.settings.client_id,
            audience: &site.assertion_audience,
            secret_in_body: self.settings.upstream.dialect.secret_in_body,
            now: self.clock.now(),
            entropy: &*self.entropy,
        };
        self.settings.authentication.apply(form, &signer)
    }

    pub(super) async fn revoke(
        &self,
        site: &Site,
        at: &Endpoint,
        (token, kind): (&str, &str),
    ) -> Result<(), UpstreamError> {
        if self.settings.upstream.revocation.by_client {
            return userinfo::delete_token(&self.settings, at, token).await;
        }
        let form = Writer::new()
            .pair("token", token)
            .pair("token_type_hint", kind);
        let (body, authentication) = self.authenticated(site, form)?;
        let answer = at
            .fetcher
            .post_form(&at.url, body, authentication.as_ref())
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let (status, headers) = (answer.status, &answer.headers);
        Err(UpstreamError::of_refusal(status, headers, None))
    }

    /// An answer as it is kept, with what it leaves out taken from before.
    pub(super) fn token_set(&self, answer: TokenResponse, old: Option<&TokenSet>) -> TokenSet {
        let now = self.clock.now();
        let scope = answer.scope.as_deref();
        let scope = scope.map(|text| self.settings.scopes.granted(text));
        let end = |lifetime: Duration| now.saturating_add(lifetime.min(LONGEST_LIFE));
        let refresh_expires_at = answer.refresh_expires_in.map(end);
        let is_rotated = answer.refresh_token.is_some();
        let kept_end = old.and_then(|old| old.refresh_expires_at);
        // One that nobody checks is not kept, for what is kept counts as checked.
        let id_token = answer.id_token.filter(|_| self.settings.speaks_oidc);
        TokenSet {
            access_token: SecretString::new(answer.access_token.expose()),
            refresh_token: answer
                .refresh_token
                .map(|token| SecretString::new(token.expose()))
                .or_else(|| old.and_then(|old| old.refresh_token.clone())),
            id_token: id_token.or_else(|| old.and_then(|old| old.id_token.clone())),
            scope: scope.or_else(|| old.and_then(|old| old.scope.clone())),
            expires_at: answer.expires_in.map(end),
            refresh_expires_at: refresh_expires_at.or_else(|| kept_end.filter(|_| !is_rotated)),
            obtained_at: now,
        }
    }
}
