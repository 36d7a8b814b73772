//! Requests to one configured server, whose answers are streams.

mod builder;

use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use portcullis_oauth::EndpointUrl;

pub use self::builder::StreamClientBuilder;
use crate::error::{FetchError, Refusal};
use crate::resolver::CheckedResolver;

/// A client of one URL that the operator has configured. Clones share their connections.
///
/// It sends what it is given and hands back the answer as it arrives: nothing is followed, retried
/// once a byte was sent, decompressed or collected. Where it goes is in the type, so nothing of a
/// request can choose another place.
///
/// ```no_run
/// use http::{HeaderMap, Method};
/// use portcullis_fetch::StreamClient;
/// use portcullis_oauth::EndpointUrl;
///
/// # async fn ping() -> Result<(), Box<dyn std::error::Error>> {
/// let server = EndpointUrl::parse("http://127.0.0.1:3001/mcp")?;
/// let client = StreamClient::builder(server).build()?;
/// let answer = client.send(Method::GET, HeaderMap::new(), "".into()).await?;
/// println!("{}", answer.status());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct StreamClient {
    client: Client<Connector, Full<Bytes>>,
    url: EndpointUrl,
    uri: Uri,
    host: HeaderValue,
    answer_within: Duration,
}

type Connector = HttpsConnector<HttpConnector<CheckedResolver>>;

impl StreamClient {
    /// The settings of a client of `url`.
    pub fn builder(url: EndpointUrl) -> StreamClientBuilder {
        StreamClientBuilder::new(url)
    }

    /// The same server, called at another place on its origin: `reference` is a URL, or what a base
    /// URL makes one of (RFC 3986 section 5). The connections are shared.
    ///
    /// # Errors
    /// [`FetchError::Refused`] when it is no URL, or one of another origin.
    pub fn at(&self, reference: &str) -> Result<Self, FetchError> {
        let url = self.url.url().join(reference);
        let url = url.map_err(|_| Refusal::RedirectTarget)?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        // SECURITY: the operator vouched for this origin, not for the places it names;
        // sec_gw_05_another_place_is_on_the_same_origin
        if url.origin() != self.url.url().origin() || !is_plain {
            return Err(Refusal::RedirectTarget.into());
        }
        let uri = url.as_str().parse().map_err(|_| Refusal::RedirectTarget)?;
        Ok(Self {
            uri,
            ..self.clone()
        })
    }

    /// Sends one request and waits for the head of its answer.
    ///
    /// `Host` is this client's own. Dropping the future, or the body that it gives, ends the
    /// request.
    ///
    /// # Errors
    /// [`FetchError`], when there is no head of an answer in time. An answer of any status is
    /// none.
    pub async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, FetchError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        // SECURITY: a server behind chooses nothing by the name that a client wrote;
        // sec_gw_05_the_host_is_the_configured_one
        request.headers_mut().insert(HOST, self.host.clone());
        let answer = self.client.request(request);
        match tokio::time::timeout(self.answer_within, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(FetchError::of_stream(error)),
            Err(_) => Err(FetchError::Timeout),
        }
    }
}
