//! MCP over Streamable HTTP: rmcp's client over this product's way out.
//!
//! rmcp speaks the protocol, keeps the session and writes the headers of each revision. This module
//! sends what it is given and judges what comes back: the status, the kind of the answer, its size.
//! It is the only one of this crate that names rmcp.
//!
//! ```no_run
//! use portcullis_client::{Credentials, transport::HttpTransport};
//! use portcullis_fetch::StreamClient;
//! use portcullis_oauth::EndpointUrl;
//! use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _};
//!
//! # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
//! let url = EndpointUrl::parse("https://mcp.example.com/mcp")?;
//! let client = StreamClient::builder(url.clone()).build()?;
//! let transport = HttpTransport::new(client, Credentials::bearer(&"token".into())?);
//! let server = ().serve_with_lifecycle(transport.start(&url), ClientLifecycleMode::Initialize).await?;
//! println!("{:?}", server.peer_info());
//! # Ok(())
//! # }
//! ```

mod answer;
mod events;
mod request;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use portcullis_fetch::StreamClient;
use portcullis_oauth::EndpointUrl;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, SseError, StreamableHttpClient, StreamableHttpClientTransport,
    StreamableHttpClientTransportConfig, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

use self::request::Outgoing;
use crate::credentials::Credentials;
use crate::error::TransportError;

/// The longest message, and the longest event of a stream, in bytes: 16 MiB.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// One server over HTTP, with credentials. Clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: StreamClient,
    credentials: Credentials,
    /// What broke a stream. rmcp says no more than that it ended.
    fault: Mutex<Option<TransportError>>,
}

type Exchange<T> = Result<T, StreamableHttpError<TransportError>>;
type Headers = HashMap<HeaderName, HeaderValue>;
type Text = Arc<str>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

impl HttpTransport {
    /// Sends to the URL of `client` and to no other.
    pub fn new(client: StreamClient, credentials: Credentials) -> Self {
        let fault = Mutex::default();
        let shared = Shared {
            client,
            credentials,
            fault,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A connection for rmcp's client. `url` is the one of the client beneath, for rmcp's own use.
    ///
    /// A broken stream is opened again at most five times, within a minute.
    pub fn start(&self, url: &EndpointUrl) -> StreamableHttpClientTransport<Self> {
        let mut retry = ExponentialBackoff::default();
        retry.max_times = Some(5);
        retry.max_delay = Some(Duration::from_secs(15));
        let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
            .max_sse_event_size(MAX_MESSAGE);
        config.retry_config = Arc::new(retry);
        StreamableHttpClientTransport::with_client(self.clone(), config)
    }

    /// What last broke a stream of events off.
    pub fn fault(&self) -> Option<TransportError> {
        let fault = self.shared.fault.lock();
        fault.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn note(&self, fault: &TransportError) {
        let noted = self.fault.lock();
        *noted.unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
    }
}

impl StreamableHttpClient for HttpTransport {
    type Error = TransportError;

    async fn post_message(
        &self,
        uri: Text,
        message: ClientJsonRpcMessage,
        session: Option<Text>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Exchange<StreamableHttpPostResponse> {
        self.post_message_with_max_sse_event_size(
            uri,
            message,
            session,
            authorization,
            headers,
            MAX_MESSAGE,
        )
        .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        _: Text,
        message: ClientJsonRpcMessage,
        session: Option<Text>,
        _: Option<String>,
        headers: Headers,
        limit: usize,
    ) -> Exchange<StreamableHttpPostResponse> {
        let outgoing = Outgoing {
            method: Method::POST,
            message: Some(&message),
            session: session.as_deref(),
            last_event: None,
            headers,
        };
        let answer = self.shared.send(outgoing).await?;
        answer::to_post(&self.shared, &message, session.is_some(), answer, limit).await
    }

    async fn delete_session(
        &self,
        _: Text,
        session: Text,
        _: Option<String>,
        headers: Headers,
    ) -> Exchange<()> {
        let outgoing = Outgoing {
            method: Method::DELETE,
            message: None,
            session: Some(&session),
            last_event: None,
            headers,
        };
        let answer = self.shared.send(outgoing).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_FOUND => Ok(()),
            status => Err(client(TransportError::Status(status))),
        }
    }

    async fn get_stream(
        &self,
        uri: Text,
        session: Option<Text>,
        last_event: Option<String>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Exchange<Events> {
        self.get_stream_with_max_sse_event_size(
            uri,
            session,
            last_event,
            authorization,
            headers,
            MAX_MESSAGE,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        _: Text,
        session: Option<Text>,
        last_event: Option<String>,
        _: Option<String>,
        headers: Headers,
        limit: usize,
    ) -> Exchange<Events> {
        let outgoing = Outgoing {
            method: Method::GET,
            message: None,
            session: session.as_deref(),
            last_event: last_event.as_deref(),
            headers,
        };
        let answer = self.shared.send(outgoing).await?;
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        if let Some(error) = self.shared.refusal(&answer) {
            self.shared.note(&error);
            // By this kind of error rmcp knows not to ask again.
            let refused = AuthRequiredError::new(error.to_string());
            return Err(StreamableHttpError::AuthRequired(refused));
        }
        if !answer.status().is_success() {
            return Err(client(TransportError::Status(answer.status())));
        }
        if !answer::is_events(&answer) {
            return Err(client(answer::no_mcp(&answer)));
        }
        Ok(events::of(answer.into_body(), limit, &self.shared))
    }
}

fn client(error: TransportError) -> StreamableHttpError<TransportError> {
    StreamableHttpError::Client(error)
}

impl From<TransportError> for StreamableHttpError<TransportError> {
    fn from(error: TransportError) -> Self {
        client(error)
    }
}
