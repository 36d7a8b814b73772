//! Requests of HTTP/1.1.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{holds, start_of};
use crate::host::{Host, Meter};

/// Requests to one server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    meter: Meter,
    /// Each connection keeps to one of them.
    requests: Arc<[Request<Full<Bytes>>]>,
    expected: Bytes,
    /// Each connection sends all of them, one after the other.
    in_turns: bool,
}

impl Target {
    /// `expected`: bytes that the body of every answer contains; the status has to be 200.
    pub(crate) fn new(
        host: &Host,
        requests: impl IntoIterator<Item = Request<Full<Bytes>>>,
        expected: impl Into<Bytes>,
    ) -> Result<Self> {
        let requests = requests.into_iter().map(|request| addressed(host, request));
        Ok(Self {
            address: host.address,
            meter: host.meter.clone(),
            requests: requests.collect::<Result<_>>()?,
            expected: expected.into(),
            in_turns: false,
        })
    }

    /// Each connection sends all requests in turns, and does not keep to one.
    pub(crate) fn in_turns(self) -> Self {
        Self {
            in_turns: true,
            ..self
        }
    }

    pub(super) fn server_time(&self) -> Option<Duration> {
        self.meter.time()
    }

    /// The connection at this place among all.
    pub(super) async fn caller(&self, at: usize) -> Result<Caller> {
        // Connections begin at different places, so that they do not go together.
        let at = if self.in_turns { at * STRIDE } else { at };
        Ok(Caller {
            sender: connect(self.address).await?,
            requests: Arc::clone(&self.requests),
            at,
            step: usize::from(self.in_turns),
            expected: self.expected.clone(),
        })
    }
}

/// One connection, and what is sent on it.
pub(super) struct Caller {
    sender: Sender,
    requests: Arc<[Request<Full<Bytes>>]>,
    at: usize,
    step: usize,
    expected: Bytes,
}

/// A prime, for it divides no number of requests that anybody chooses.
const STRIDE: usize = 31;

impl Caller {
    pub(super) async fn call(&mut self) -> Result<()> {
        let request = self.requests.get(self.at % self.requests.len().max(1));
        let request = request.context("no request to send")?.clone();
        self.at += self.step;
        let answer = send(&mut self.sender, request).await?;
        let (status, body) = (answer.status(), whole(answer).await?.into_body());
        if status != 200 || !holds(&body, &self.expected) {
            bail!(
                "an answer is wrong: status {status}, body `{}`",
                start_of(&body)
            );
        }
        Ok(())
    }
}

/// Sends one request on a connection of its own. The status has to be a success.
pub(crate) async fn once(host: &Host, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    let answer = whole(begin(host, request).await?).await?;
    if !answer.status().is_success() {
        let (status, body) = (answer.status(), start_of(answer.body()));
        bail!("the server refuses: status {status}, body `{body}`");
    }
    Ok(answer)
}

/// Sends one request on a connection of its own; the answer's body is yet to come, and the
/// connection ends with it.
pub(crate) async fn begin(
    host: &Host,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>> {
    let mut sender = connect(host.address).await?;
    send(&mut sender, addressed(host, request)?).await
}

/// A connection that is opened anew when the server has closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    host: HeaderValue,
    sender: Sender,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            host: HeaderValue::from_str(&address.to_string())?,
            sender: connect(address).await?,
        })
    }

    /// As the `Host` field says it.
    pub(crate) fn host(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>> {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if self.sender.ready().await.is_err() {
            self.sender = connect(self.address).await?;
        }
        send(&mut self.sender, request).await
    }
}

type Sender = SendRequest<Full<Bytes>>;

fn addressed(host: &Host, mut request: Request<Full<Bytes>>) -> Result<Request<Full<Bytes>>> {
    let value = HeaderValue::from_str(&host.address.to_string())?;
    request.headers_mut().entry(header::HOST).or_insert(value);
    Ok(request)
}

async fn connect(address: SocketAddr) -> Result<Sender> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("no server at {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; an error reaches whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    let ready = sender.ready().await;
    ready.context("the server closed the connection")?;
    Ok(sender.send_request(request).await?)
}

pub(crate) async fn whole(answer: Response<Incoming>) -> Result<Response<Bytes>> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(parts, body))
}
