//! Requests of any shape, for programs that examine a server.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use portcullis_oauth::EndpointUrl;

use super::{Fetched, Fetcher};
use crate::error::FetchError;

/// One request, as it goes out. What the client would add by itself stays out of it, but for what
/// HTTP needs and the `User-Agent`.
#[derive(Clone)]
#[must_use]
pub struct Probe {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    linger: Duration,
    enough: fn(&[u8]) -> bool,
}

impl Probe {
    /// A request without header fields and body.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            linger: Duration::from_secs(3),
            enough: |_| false,
        }
    }

    /// With a header field; one of the same name is replaced.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// How long a body is read after its head has come. Default: 3 s.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Ends the reading of a body as soon as what has come is enough: a stream may stay open.
    pub fn enough(mut self, enough: fn(&[u8]) -> bool) -> Self {
        self.enough = enough;
        self
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The header fields and the body may hold tokens.
        f.debug_struct("Probe")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An answer as far as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Probed {
    /// The answer, of any status. A redirect is one, and is not followed.
    pub answer: Fetched,
    /// Whether the body is all there, and not cut by the bounds or by [`Probe::enough`].
    pub complete: bool,
}

impl Fetcher {
    /// Sends one request and gives back whatever is answered, within the bounds of this client.
    ///
    /// A body that is too long, or that does not end in time, is cut and no error.
    ///
    /// # Errors
    /// [`FetchError`], when the URL may not be asked or there is no head of an answer in time.
    pub async fn probe(&self, url: &EndpointUrl, probe: Probe) -> Result<Probed, FetchError> {
        self.inner.policy.check_url(url)?;
        let request = self
            .inner
            .client
            .request(probe.method, url.url().clone())
            .headers(probe.headers)
            .body(probe.body);
        let mut response = self
            .timed(async { request.send().await.map_err(FetchError::of) })
            .await?;
        let mut body = BytesMut::new();
        let read = async {
            // SECURITY: counted after decompression and before it is kept;
            // sec_key_07_a_probed_body_stops_at_the_bound
            while let Ok(chunk) = response.chunk().await {
                let Some(chunk) = chunk else { return true };
                let room = self.inner.max_bytes - body.len();
                body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if chunk.len() > room || (probe.enough)(&body) {
                    return false;
                }
            }
            false
        };
        let complete = tokio::time::timeout(probe.linger, read).await;
        Ok(Probed {
            complete: complete.unwrap_or(false),
            answer: Fetched {
                status: response.status(),
                headers: std::mem::take(response.headers_mut()),
                body: body.freeze(),
            },
        })
    }
}
