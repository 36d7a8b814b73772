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
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::clock::now;

/// The request that is sent again and again, and what its answer has to hold.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    expected: Bytes,
}

impl Target {
    /// `expected`: bytes that the body of every answer contains; the status has to be 200.
    pub(crate) fn new(
        address: SocketAddr,
        request: http::request::Builder,
        body: impl Into<Bytes>,
        expected: impl Into<Bytes>,
    ) -> Result<Self> {
        let mut request = request
            .body(Full::new(body.into()))
            .context("this is no request")?;
        let host = HeaderValue::from_str(&address.to_string())?;
        request.headers_mut().entry(header::HOST).or_insert(host);
        Ok(Self {
            address,
            request,
            expected: expected.into(),
        })
    }

    /// Loads the target through `connections` for a while; returns how long each request took.
    pub(crate) async fn load(&self, connections: usize, time: Duration) -> Result<Vec<Duration>> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            let mut sender = self.connect().await?;
            let (target, stop) = (self.clone(), Arc::clone(&stop));
            workers.spawn(async move {
                let mut taken = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let start = now();
                    target.exchange(&mut sender).await?;
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

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address)
            .await
            .with_context(|| format!("no server at {}", self.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; an error reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn exchange(&self, sender: &mut SendRequest<Full<Bytes>>) -> Result<()> {
        sender
            .ready()
            .await
            .context("the server closed the connection")?;
        let answer = sender.send_request(self.request.clone()).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let holds = body
            .windows(self.expected.len().max(1))
            .any(|part| part == self.expected);
        if status != 200 || !(holds || self.expected.is_empty()) {
            let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            bail!("an answer is wrong: status {status}, body `{text}`");
        }
        Ok(())
    }
}
