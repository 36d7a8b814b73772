//! A closed-loop HTTP/1.1 load generator: each connection sends its next request when the answer to
//! the last one is complete. Every answer is checked; a fast error is not a result.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    clock::now,
    host::{Host, Meter},
};

/// The requests that are sent again and again, and what their answers have to hold.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    meter: Meter,
    /// Each connection keeps to one of them.
    requests: Arc<[Request<Full<Bytes>>]>,
    expected: Bytes,
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
        })
    }

    /// How long the server has been at work so far, where the system tells.
    pub(crate) fn server_time(&self) -> Option<Duration> {
        self.meter.time()
    }

    /// Loads the target through `connections` for a while; returns how long each request took.
    pub(crate) async fn load(&self, connections: usize, time: Duration) -> Result<Vec<Duration>> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for request in self.requests.iter().cycle().take(connections) {
            let mut sender = connect(self.address).await?;
            let request = request.clone();
            let (target, stop) = (self.clone(), Arc::clone(&stop));
            workers.spawn(async move {
                let mut taken = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let start = now();
                    target.exchange(&mut sender, request.clone()).await?;
                    taken.push(start.elapsed());
                }
                anyhow::Ok(taken)
            });
        }
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(worker) = workers.join_next().await {
            all.extend(worker??);
        }
        Ok(all)
    }

    async fn exchange(&self, sender: &mut Sender, request: Request<Full<Bytes>>) -> Result<()> {
        let answer = send(sender, request).await?;
        let (status, body) = (answer.status(), answer.into_body());
        let holds = body
            .windows(self.expected.len().max(1))
            .any(|part| part == self.expected);
        if status != 200 || !(holds || self.expected.is_empty()) {
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
    let mut sender = connect(host.address).await?;
    let answer = send(&mut sender, addressed(host, request)?).await?;
    if !answer.status().is_success() {
        let (status, body) = (answer.status(), start_of(answer.body()));
        bail!("the server refuses: status {status}, body `{body}`");
    }
    Ok(answer)
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

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    sender
        .ready()
        .await
        .context("the server closed the connection")?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(
        parts,
        body.collect().await?.to_bytes(),
    ))
}

fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
