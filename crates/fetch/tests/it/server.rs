//! A server that answers with the very bytes a test gives it, and names that mean what a test says.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portcullis_fetch::{Lookup, LookupFuture};
use portcullis_oauth::EndpointUrl;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server does with a connection.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Writes the bytes and closes.
    Bytes(Vec<u8>),
    /// Writes the bytes and says nothing more.
    Stall(Vec<u8>),
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self::with("200 OK", "", body.as_bytes())
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::with(
            &format!("{status} Moved"),
            &format!("Location: {location}\r\n"),
            b"",
        )
    }

    pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives the answers in turn, the last one again and again.
    pub(crate) async fn start(answers: impl Into<VecDeque<Answer>>) -> Self {
        Self::listen(answers.into(), None).await
    }

    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        answers: impl Into<VecDeque<Answer>>,
    ) -> Self {
        Self::listen(answers.into(), Some(acceptor)).await
    }

    async fn listen(mut answers: VecDeque<Answer>, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let answer = if answers.len() > 1 {
                    answers.pop_front()
                } else {
                    answers.front().cloned()
                };
                let requests = requests.clone();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let answer = answer.unwrap();
                    match acceptor {
                        None => serve(stream, answer, &requests).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => serve(stream, answer, &requests).await,
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn http(&self, path: &str) -> EndpointUrl {
        url(&format!("http://127.0.0.1:{}{path}", self.port))
    }

    pub(crate) fn https(&self, host: &str, path: &str) -> EndpointUrl {
        url(&format!("https://{host}:{}{path}", self.port))
    }

    /// How many connections arrived.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests that arrived, each with its body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Answer,
    requests: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut seen = Vec::new();
    while !is_whole(&seen) {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(());
        }
    }
    requests
        .lock()
        .unwrap()
        .push(String::from_utf8(seen).unwrap());
    match answer {
        Answer::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Answer::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            std::future::pending().await
        }
    }
}

fn is_whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        body.len() >= length
    })
}

pub(crate) fn url(text: &str) -> EndpointUrl {
    EndpointUrl::parse(text).expect(text)
}

/// Gives the answers in turn, the last one again and again, and remembers the names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    answers: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub(crate) fn answering(answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Self {
            answers: Arc::new(Mutex::new(answers.iter().map(parse).collect())),
            asked: Arc::default(),
        }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, name: &'a str) -> LookupFuture<'a> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        Box::pin(async move { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}
