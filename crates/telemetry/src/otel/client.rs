//! How the exporters send: by the one HTTP client there is.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use portcullis_fetch::Fetcher;
use portcullis_oauth::EndpointUrl;
use tokio::runtime::Handle;

use super::OtelError;

/// A collector's answer says how much it took; more than this is none.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends on the runtime of the server: the exporters run in threads without one.
#[derive(Debug)]
pub(super) struct Client {
    fetcher: Fetcher,
    runtime: Handle,
}

impl Client {
    pub(super) fn new(fetcher: Option<Fetcher>) -> Result<Self, OtelError> {
        let fetcher = match fetcher {
            Some(fetcher) => fetcher,
            // Agents listen on the same machine.
            None => Fetcher::trusted()
                .allow_loopback(true)
                .max_bytes(MAX_ANSWER)
                .build()?,
        };
        let runtime = Handle::try_current()?;
        Ok(Self { fetcher, runtime })
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let fetcher = self.fetcher.clone();
        let sent = self.runtime.spawn(async move {
            let (parts, body) = request.into_parts();
            let url = EndpointUrl::parse(&parts.uri.to_string())?;
            let answer = fetcher.post(&url, parts.headers, body).await?;
            let mut response = Response::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok::<_, HttpError>(response)
        });
        Box::pin(async move { sent.await? })
    }
}
