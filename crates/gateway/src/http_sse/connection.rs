//! One connection: events become lines, lines become posts.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use portcullis_fetch::{FetchError, StreamClient};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;

use crate::filter::events::{Events, data, kind};
use crate::stdio::{Line, LineReader};

/// A connection that is not open yet.
pub(crate) struct Connection {
    client: StreamClient,
    headers: HeaderMap,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("its stream cannot be opened")]
    Unopened(#[source] FetchError),
    #[error("it answered with status {}: is this the URL of its stream?", .0.as_u16())]
    Status(StatusCode),
    #[error("what it answered is no stream of events: does it speak Streamable HTTP?")]
    NoStream,
    #[error("where it wants its messages is not on its own origin")]
    Endpoint(#[source] FetchError),
    #[error("it did not say where it wants its messages")]
    NoEndpoint,
    #[error("it sent an event that is too long")]
    TooLong,
    #[error("a message cannot be sent")]
    Unsent(#[source] FetchError),
    #[error("it answered a message with status {}", .0.as_u16())]
    Refused(StatusCode),
    #[error("its stream broke")]
    Broken(#[source] hyper::Error),
    #[error("its stream ended")]
    Ended,
}

/// A message on its way.
type Post = BoxFuture<'static, Result<(), Lost>>;

impl Connection {
    pub(super) fn new(client: StreamClient, headers: HeaderMap) -> Self {
        Self { client, headers }
    }

    /// Carries lines both ways until either side ends; `Ok` when nobody has anything left to say.
    pub(crate) async fn run(self, pipe: DuplexStream, line_bytes: usize) -> Result<(), Lost> {
        let (read, mut write) = tokio::io::split(pipe);
        let mut events = self.open(line_bytes).await?;
        let endpoint = loop {
            let event = events.next().await?;
            if kind(&event).is_some_and(|kind| kind == b"endpoint") {
                break data(&event).ok_or(Lost::NoEndpoint)?;
            }
        };
        let endpoint = std::str::from_utf8(&endpoint).map_err(|_| Lost::NoEndpoint)?;
        // SECURITY: a server that was taken over must not send the gateway, and what it tells of the
        // caller, to another place (MCP 2024-11-05, transports);
        // sec_gw_05_messages_stay_on_the_origin_of_the_stream
        let posts = Posts {
            client: self.client.at(endpoint).map_err(Lost::Endpoint)?,
            headers: self.headers,
        };
        tokio::select! {
            lost = hear(&mut events, &mut write) => Err(lost),
            said = posts.say(LineReader::new(read, line_bytes)) => said,
        }
    }

    async fn open(&self, limit: usize) -> Result<EventReader, Lost> {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let answer = self.client.send(Method::GET, headers, Bytes::new()).await;
        let answer = answer.map_err(Lost::Unopened)?;
        if answer.status() != StatusCode::OK {
            return Err(Lost::Status(answer.status()));
        }
        if !is_stream(&answer) {
            return Err(Lost::NoStream);
        }
        Ok(EventReader {
            body: answer.into_body(),
            events: Events::new(limit),
        })
    }
}

fn is_stream(answer: &Response<Incoming>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/event-stream")
}

/// The events of one stream.
struct EventReader {
    body: Incoming,
    events: Events,
}

impl EventReader {
    async fn next(&mut self) -> Result<Bytes, Lost> {
        loop {
            if let Some(event) = self.events.next().map_err(|_| Lost::TooLong)? {
                return Ok(event);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.events.push(bytes);
                    }
                }
                Some(Err(error)) => return Err(Lost::Broken(error)),
                None => return Err(Lost::Ended),
            }
        }
    }
}

/// Writes what the server says, a line a message.
async fn hear(events: &mut EventReader, write: &mut (impl AsyncWrite + Unpin)) -> Lost {
    loop {
        let event = match events.next().await {
            Ok(event) => event,
            Err(lost) => return lost,
        };
        let is_message = kind(&event).is_none_or(|kind| kind == b"message");
        let Some(message) = data(&event).filter(|_| is_message) else {
            continue;
        };
        if write_line(write, &message).await.is_err() {
            return Lost::Ended;
        }
    }
}

async fn write_line(write: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let mut line = BytesMut::with_capacity(message.len() + 1);
    // A line end cannot stand inside a string of JSON, so it is space.
    line.extend(message.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => *other,
    }));
    line.extend_from_slice(b"\n");
    write.write_all(&line).await
}

/// Where messages go.
struct Posts {
    client: StreamClient,
    headers: HeaderMap,
}

impl Posts {
    /// Posts each line, in order as far as the server answers soon: one that answers a message only
    /// when it is done must not keep the next from it.
    async fn say(&self, mut lines: LineReader<impl AsyncRead + Unpin>) -> Result<(), Lost> {
        let mut slow = FuturesUnordered::<Post>::new();
        loop {
            let line = tokio::select! {
                Some(posted) = slow.next() => { posted?; continue; }
                line = lines.next(), if slow.len() < MOST_SLOW => line,
            };
            let Ok(Line::Whole(line)) = line else {
                // Nothing more is to be said, and longer lines than the server's are not sent.
                return Ok(());
            };
            let mut post = self.post(line);
            match timeout(PATIENCE, &mut post).await {
                Ok(posted) => posted?,
                Err(_) => slow.push(post),
            }
        }
    }

    fn post(&self, message: Bytes) -> Post {
        let (client, mut headers) = (self.client.clone(), self.headers.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Box::pin(async move {
            let answer = client.send(Method::POST, headers, message).await;
            let answer = answer.map_err(Lost::Unsent)?;
            if !answer.status().is_success() {
                return Err(Lost::Refused(answer.status()));
            }
            // Read to its end, the connection serves the next message.
            let _ = timeout(PATIENCE, Limited::new(answer, MOST_THANKS).collect()).await;
            Ok(())
        })
    }
}

/// How long a message waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Messages that the server has not answered yet.
const MOST_SLOW: usize = 64;
/// Bytes of what a server says to a message beside its status.
const MOST_THANKS: usize = 4096;
