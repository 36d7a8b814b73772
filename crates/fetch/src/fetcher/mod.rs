//! Requests and their bounds.

mod builder;
mod probe;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use portcullis_oauth::EndpointUrl;

pub use self::builder::FetcherBuilder;
pub use self::probe::{Probe, Probed};
use crate::authentication::ClientAuthentication;
use crate::error::{FetchError, Refusal};
use crate::event;
use crate::policy::{Policy, Profile};

/// An HTTP client with a policy. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: reqwest::Client,
    policy: Policy,
    timeout: Duration,
    max_bytes: usize,
    redirects: usize,
}

/// What kind of answer a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accept {
    /// `application/json`.
    Json,
    /// A JWK Set (RFC 7517 section 8.5), or plain JSON.
    JwkSet,
    /// Anything.
    Any,
}

impl Accept {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JwkSet => "application/jwk-set+json, application/json",
            Self::Any => "*/*",
        }
    }
}

/// A whole answer, within its bounds.
#[derive(Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// The status; never a redirect, unless it was [probed](Fetcher::probe).
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Fetched {
    /// The answer, if its status is 200.
    ///
    /// # Errors
    /// [`FetchError::Status`] with any other status.
    pub fn require_ok(self) -> Result<Self, FetchError> {
        if self.status == StatusCode::OK {
            Ok(self)
        } else {
            Err(FetchError::Status(self.status))
        }
    }
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // An answer may hold tokens.
        f.debug_struct("Fetched")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A client for URLs that others choose: public addresses, port 443.
    ///
    /// An IPv6 address that stands for an IPv4 one counts as not public, so behind DNS64 (RFC 6147)
    /// this client reaches no host that has IPv4 alone.
    pub fn guarded() -> FetcherBuilder {
        FetcherBuilder::new(Profile::Guarded)
    }

    /// A client for URLs that the operator has configured: private addresses and any port too.
    ///
    /// Link-local addresses, instance metadata services and what cannot be a server stay out of
    /// reach.
    pub fn trusted() -> FetcherBuilder {
        FetcherBuilder::new(Profile::Trusted)
    }

    /// `GET url`, following redirects as far as the client may.
    ///
    /// # Errors
    /// [`FetchError`], whatever happens but a whole answer of whatever status.
    pub async fn get(&self, url: &EndpointUrl, accept: Accept) -> Result<Fetched, FetchError> {
        self.timed(self.follow(url, accept)).await
    }

    /// `GET url` with headers, which may hold credentials. A redirect is refused.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn get_with(
        &self,
        url: &EndpointUrl,
        headers: HeaderMap,
    ) -> Result<Fetched, FetchError> {
        self.inner.policy.check_url(url)?;
        let request = self.inner.client.get(url.url().clone()).headers(headers);
        self.timed(async {
            let response = request.send().await.map_err(FetchError::of)?;
            // SECURITY: headers may hold credentials, which are for this URL alone (RFC 9700
            // section 4.11); sec_sf_05_a_get_with_headers_is_never_redirected
            if is_redirect(response.status()) {
                return Err(refuse(url, Refusal::Redirect));
            }
            self.read(url, response).await
        })
        .await
    }

    /// `POST url` with a form that is encoded already, and credentials. A redirect is refused.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn post_form(
        &self,
        url: &EndpointUrl,
        body: String,
        authentication: Option<&ClientAuthentication>,
    ) -> Result<Fetched, FetchError> {
        self.inner.policy.check_url(url)?;
        let request = self
            .inner
            .client
            .post(url.url().clone())
            .header(ACCEPT, Accept::Json.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match authentication {
            Some(authentication) => authentication.apply(request, body),
            None => request.body(body),
        };
        self.timed(async {
            let response = request.send().await.map_err(FetchError::of)?;
            // SECURITY: whoever redirects a form would get its credentials (RFC 9700 section
            // 4.11); sec_sf_05_a_form_is_never_redirected
            if is_redirect(response.status()) {
                return Err(refuse(url, Refusal::Redirect));
            }
            self.read(url, response).await
        })
        .await
    }

    /// `POST url` with headers and a body of any kind: for a protocol that is neither OAuth nor MCP.
    /// A redirect is refused.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn post(
        &self,
        url: &EndpointUrl,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Fetched, FetchError> {
        self.send(Method::POST, url, headers, body).await
    }

    /// `DELETE url` with headers and a body, as [`post`](Self::post). A redirect is refused.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn delete(
        &self,
        url: &EndpointUrl,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Fetched, FetchError> {
        self.send(Method::DELETE, url, headers, body).await
    }

    async fn send(
        &self,
        method: Method,
        url: &EndpointUrl,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Fetched, FetchError> {
        self.inner.policy.check_url(url)?;
        let request = self.inner.client.request(method, url.url().clone());
        let request = request.headers(headers).body(body);
        self.timed(async {
            let response = request.send().await.map_err(FetchError::of)?;
            // SECURITY: headers may hold credentials, which are for this URL alone (RFC 9700
            // section 4.11); sec_sf_05_a_post_is_never_redirected
            if is_redirect(response.status()) {
                return Err(refuse(url, Refusal::Redirect));
            }
            self.read(url, response).await
        })
        .await
    }

    /// Checks a URL by the rules that need no lookup.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, url: &EndpointUrl) -> Result<(), Refusal> {
        self.inner.policy.check_url(url)
    }

    /// The client beneath, for a protocol library that streams by itself.
    ///
    /// It looks names up and follows redirects as this one; IP addresses in URLs, ports, sizes
    /// and the total time are then the library's concern, hence [`Fetcher::check`] first.
    #[doc(hidden)]
    pub fn http_client(&self) -> reqwest::Client {
        self.inner.client.clone()
    }

    async fn timed<T>(
        &self,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        // SECURITY: one clock for lookup, redirects and body, so that no server holds us by
        // sending slowly; sec_key_07_a_slow_body_ends_at_the_total_timeout
        tokio::time::timeout(self.inner.timeout, work)
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }

    async fn follow(&self, url: &EndpointUrl, accept: Accept) -> Result<Fetched, FetchError> {
        self.inner.policy.check_url(url)?;
        let mut url = url.clone();
        for hop in 0..=self.inner.redirects {
            let request = self.inner.client.get(url.url().clone());
            let request = request.header(ACCEPT, accept.as_str());
            let response = request.send().await.map_err(FetchError::of)?;
            if !is_redirect(response.status()) {
                return self.read(&url, response).await;
            }
            if hop == self.inner.redirects {
                break;
            }
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            let location = location.ok_or_else(|| refuse(&url, Refusal::RedirectTarget))?;
            // SECURITY: each target passes every check that the first URL passed;
            // sec_sf_05_each_redirect_is_checked_again
            url = self.inner.policy.check_redirect(&url, location)?;
        }
        Err(refuse(&url, Refusal::Redirect))
    }

    async fn read(
        &self,
        url: &EndpointUrl,
        mut response: reqwest::Response,
    ) -> Result<Fetched, FetchError> {
        let limit = self.inner.max_bytes;
        // SECURITY: what says of itself that it is too long is not waited for (CWE-400);
        // sec_ci_05_what_announces_to_be_long_is_not_waited_for
        let announced = response.content_length().unwrap_or_default();
        if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
            event::too_large(url.host(), limit);
            return Err(FetchError::TooLarge { limit });
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::of)? {
            // SECURITY: counted after decompression and before it is kept, whatever
            // Content-Length says; sec_key_07_a_gzip_bomb_stops_at_the_bound
            if chunk.len() > limit - body.len() {
                event::too_large(url.host(), limit);
                return Err(FetchError::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
        })
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn refuse(url: &EndpointUrl, refusal: Refusal) -> FetchError {
    event::refused(url.host(), refusal);
    FetchError::Refused(refusal)
}
