//! Another process: this test binary again. It serves requests that come in lines on its input, each
//! answered by a line on its output.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, Response, StatusCode};
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_store::DiskStore;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt as _;

use super::{MARK, argument, client, proxy, say};

/// Longer than any answer takes; whoever waits for more has found a fault.
const PATIENCE: Duration = Duration::from_secs(60);
/// A page, in JSON.
const LONG: Limits = Limits::MCP;

/// A server on a folder, with a process of its own.
pub(super) struct Process {
    child: Mutex<Child>,
    input: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
}

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

impl Process {
    /// Starts it, and waits until it serves. With a provider it is a proxy in front of that.
    pub(super) async fn start(folder: &Path, provider: Option<&str>) -> Self {
        let arguments = [
            "--exact",
            "--nocapture",
            "--test-threads=1",
            "single_use::process::a_child_that_serves",
        ];
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .arg(format!("{MARK}folder={}", folder.display()))
            .args(provider.map(|issuer| format!("{MARK}provider={issuer}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (ready, is_ready) = oneshot::channel();
        waiting.lock().unwrap().as_mut().unwrap().insert(0, ready);
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let heard = Arc::clone(&waiting);
        std::thread::spawn(move || listen(output, &heard));
        let process = Self {
            child: Mutex::new(child),
            input: Mutex::new(input),
            waiting,
            next: AtomicU64::new(1),
        };
        let ready = tokio::time::timeout(PATIENCE, is_ready).await;
        ready.expect("it starts in time").expect("it serves");
        process
    }

    /// Ends it in the middle of whatever it does.
    pub(super) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What it answers. 502: it is gone, and nobody knows what became of the request.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = value.to_str().unwrap();
            json!([name.as_str(), value])
        });
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let line = json!({
            "id": id,
            "method": parts.method.as_str(),
            "path": parts.uri.to_string(),
            "headers": headers.collect::<Vec<_>>(),
            "body": String::from_utf8_lossy(&body),
        });
        match self.ask(id, &line).await {
            Some(said) => response(&said),
            None => gone(),
        }
    }

    async fn ask(&self, id: u64, line: &Value) -> Option<Value> {
        let (sender, answered) = oneshot::channel();
        self.waiting.lock().unwrap().as_mut()?.insert(id, sender);
        let sent = {
            let mut input = self.input.lock().unwrap();
            input.write_all(format!("{line}\n").as_bytes())
        };
        sent.ok()?;
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.expect("an answer comes in time, or none").ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Hands out what a process says. When it is gone, whoever waits is told.
fn listen(output: ChildStdout, waiting: &Waiting) {
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        // The harness of tests says things too. A line that was cut is no answer.
        let Some((_, said)) = line.split_once(MARK) else {
            continue;
        };
        let Ok(said) = json::value(said.as_bytes(), LONG) else {
            continue;
        };
        let id = said["id"].as_u64().unwrap_or_default();
        let mut waiting = waiting.lock().unwrap();
        if let Some(sender) = waiting.as_mut().and_then(|all| all.remove(&id)) {
            let _ = sender.send(said);
        }
    }
    *waiting.lock().unwrap() = None;
}

fn response(said: &Value) -> Response<Body> {
    let status = said["status"].as_u64().unwrap();
    let mut response = Response::builder().status(u16::try_from(status).unwrap());
    for pair in said["headers"].as_array().unwrap() {
        let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        response = response.header(name, value);
    }
    let body = said["body"].as_str().unwrap().to_owned();
    response.body(Body::from(body)).unwrap()
}

pub(super) fn gone() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

/// The child.
#[test]
fn a_child_that_serves() {
    let Some(folder) = argument("folder") else {
        return;
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = DiskStore::open(folder).await.unwrap();
        let site = match argument("provider") {
            Some(issuer) => proxy::server(&issuer, store.into()).await,
            None => client::server(store.into()).await,
        };
        say(&json!({"id": 0}).to_string());
        let (sender, mut lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        while let Some(line) = lines.recv().await {
            tokio::spawn(serve(site.clone(), line));
        }
    });
}

async fn serve(site: Router, line: String) {
    let asked = json::value(line.as_bytes(), LONG).unwrap();
    let text = |name: &str| asked[name].as_str().unwrap().to_owned();
    let mut request = Request::builder()
        .method(text("method").as_str())
        .uri(text("path"));
    for pair in asked["headers"].as_array().unwrap() {
        request = request.header(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    let request = request.body(Body::from(text("body"))).unwrap();
    let (head, body) = site.oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap();
        json!([name.as_str(), value])
    });
    let said = json!({
        "id": asked["id"],
        "status": head.status.as_u16(),
        "headers": headers.collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(&body),
    });
    say(&said.to_string());
}
