//! A server that answers with the very bytes that a test gives it.

use std::sync::{Arc, Mutex};

use portcullis_client::Credentials;
use portcullis_client::transport::HttpTransport;
use portcullis_fetch::StreamClient;
use portcullis_oauth::EndpointUrl;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const TOKEN: &str = "canary-7f3a9c";

/// What is said to a request, by its first line.
type Answers = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

pub(crate) struct Raw {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    pub(crate) async fn start(answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (answers, seen): (Answers, _) = (Arc::new(answers), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&seen)));
            }
        });
        Self { port, requests }
    }

    /// The same answer to everything.
    pub(crate) async fn always(answer: Vec<u8>) -> Self {
        Self::start(move |_| answer.clone()).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn transport(&self, credentials: Credentials) -> HttpTransport {
        let url = EndpointUrl::parse(&self.url("/mcp")).unwrap();
        HttpTransport::new(StreamClient::builder(url).build().unwrap(), credentials)
    }

    /// The heads and bodies that arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Answers, seen: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let request = loop {
        let Ok(read @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            break text;
        }
    };
    let line = request.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(request);
    let _ = stream.write_all(&answers(&line)).await;
    let _ = stream.shutdown().await;
}

/// An answer with these header lines and this body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";
pub(crate) const EVENTS: &str = "Content-Type: text/event-stream\r\n";
