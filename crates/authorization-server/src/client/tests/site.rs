//! A host of a stranger's: it answers what the test says, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portcullis_oauth::json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// A server on a free port of 127.0.0.1, over plain HTTP.
pub(super) struct Site {
    origin: String,
    state: Arc<State>,
    server: AbortHandle,
}

#[derive(Default)]
struct State {
    answers: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: AtomicUsize,
    texts: Mutex<Vec<String>>,
    /// Where an answer begins and does not end.
    stalls: Mutex<BTreeSet<String>>,
    hangs: std::sync::atomic::AtomicBool,
}

impl Site {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<State> = Arc::default();
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let mut request = vec![0; 8192];
                    let length = stream.read(&mut request).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&request[..length]).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                    state.requests.fetch_add(1, Ordering::SeqCst);
                    state.texts.lock().unwrap().push(text);
                    while state.hangs.load(Ordering::SeqCst) {
                        tokio::task::yield_now().await;
                    }
                    let answer = state.answers.lock().unwrap().get(&path).cloned();
                    let answer = answer.unwrap_or_else(|| bytes("404 Not Found", "", ""));
                    let _sent = stream.write_all(&answer).await;
                    if state.stalls.lock().unwrap().contains(&path) {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self {
            origin,
            state,
            server: server.abort_handle(),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(super) fn answer(&self, path: &str, status: &str, headers: &str, body: &str) {
        self.raw(path, bytes(status, headers, body));
    }

    /// Answers with these very bytes.
    pub(super) fn raw(&self, path: &str, answer: Vec<u8>) {
        let mut answers = self.state.answers.lock().unwrap();
        answers.insert(path.to_owned(), answer);
    }

    /// Begins an answer, and says no more.
    pub(super) fn stall(&self, path: &str, beginning: &[u8]) {
        self.raw(path, beginning.to_vec());
        self.state.stalls.lock().unwrap().insert(path.to_owned());
    }

    pub(super) fn json(&self, path: &str, body: &Value) {
        let headers = "Content-Type: application/json\r\n";
        self.answer(path, "200 OK", headers, &body.to_string());
    }

    /// Publishes a document at `path`, with these members besides the usual ones.
    pub(super) fn document(&self, path: &str, members: &Value) {
        self.json(path, &self.described(path, members));
    }

    pub(super) fn described(&self, path: &str, members: &Value) -> Value {
        let mut document = json!({
            "client_id": self.url(path),
            "client_name": "Example",
            "redirect_uris": ["http://127.0.0.1/callback"],
        });
        for (name, value) in members.as_object().unwrap() {
            document[name] = value.clone();
        }
        document
    }

    pub(super) fn forget(&self, path: &str) {
        self.state.answers.lock().unwrap().remove(path);
    }

    /// Holds every answer back, or lets them go.
    pub(super) fn hang(&self, hangs: bool) {
        self.state.hangs.store(hangs, Ordering::SeqCst);
    }

    pub(super) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.state.texts.lock().unwrap().clone()
    }

    /// Nobody is there any more.
    pub(super) fn stop(&self) {
        self.server.abort();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn bytes(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}
