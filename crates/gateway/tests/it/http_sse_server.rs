//! A server that speaks HTTP+SSE: the test server of stdio behind each stream.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::EndpointUrl;
use portcullis_oauth::json::{self, Limits, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    /// Writes a message on many lines.
    Pretty,
    /// Answers a message's post only when something was said after it.
    ThanksWhenDone,
    /// Wants its messages on another port.
    Elsewhere(u16),
    /// Answers whoever wants its stream with this status.
    Status(u16),
    /// Answers whoever wants its stream with an object.
    Json,
    /// Never says where messages go.
    Silent,
    /// Closes its stream once it said where messages go.
    Closing,
    /// Answers messages with 500.
    RefusingMessages,
    /// Sends an event that never ends.
    Flooding,
}

pub(crate) struct Old {
    pub(crate) address: SocketAddr,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    manner: Manner,
    port: u16,
    seen: Mutex<Vec<HeaderMap>>,
    inputs: tokio::sync::Mutex<HashMap<usize, ChildStdin>>,
    open: AtomicUsize,
    last: AtomicUsize,
    messages: AtomicUsize,
    said: tokio::sync::Notify,
}

/// Counts a stream for as long as it is open.
struct Stream {
    shared: Arc<Shared>,
    /// Ends with it.
    _server: Child,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Old {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Shared {
            manner,
            port: address.port(),
            seen: Mutex::default(),
            inputs: tokio::sync::Mutex::default(),
            open: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            said: tokio::sync::Notify::new(),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn url(&self) -> EndpointUrl {
        EndpointUrl::parse(&format!("http://{}/old/sse", self.address)).unwrap()
    }

    /// Streams that are open.
    pub(crate) fn connections(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// Messages that arrived.
    pub(crate) fn messages(&self) -> usize {
        self.state.messages.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<HeaderMap> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(state): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    state.seen.lock().unwrap().push(parts.headers.clone());
    if parts.method == Method::GET {
        return open(&state);
    }
    let id = parts.uri.query().and_then(|q| q.strip_prefix("session="));
    let id: Option<usize> = id.and_then(|id| id.parse().ok());
    let is_there = parts.uri.path() == "/old/messages";
    let message = body.collect().await.unwrap().to_bytes();
    let mut inputs = state.inputs.lock().await;
    let input = id.filter(|_| is_there).and_then(|id| inputs.get_mut(&id));
    let Some(input) = input.filter(|_| state.manner != Manner::RefusingMessages) else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let said = state.said.notified();
    input
        .write_all(&[&message[..], b"\n"].concat())
        .await
        .unwrap();
    drop(inputs);
    state.messages.fetch_add(1, Ordering::SeqCst);
    if state.manner == Manner::ThanksWhenDone {
        let _ = tokio::time::timeout(Duration::from_secs(30), said).await;
    }
    status(StatusCode::ACCEPTED)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from("Accepted"));
    *response.status_mut() = status;
    response
}

fn open(state: &Arc<Shared>) -> Response<Body> {
    match state.manner {
        Manner::Status(code) => return status(StatusCode::from_u16(code).unwrap()),
        Manner::Json => return crate::support::with_type("application/json", Body::from("{}")),
        _ => {}
    }
    state.open.fetch_add(1, Ordering::SeqCst);
    let number = state.last.fetch_add(1, Ordering::SeqCst);
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/stdio_server.py");
    let mut child = Command::new("python3")
        .arg(server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines();
    let input = child.stdin.take().unwrap();
    let endpoint = match state.manner {
        Manner::Elsewhere(port) => format!("http://127.0.0.1:{port}/old/messages"),
        Manner::Good => format!("http://127.0.0.1:{}/old/messages", state.port),
        _ => "messages".to_owned(),
    };
    let first = match state.manner {
        Manner::Silent => ": nothing yet\n\n".to_owned(),
        Manner::Flooding => format!("data: {}", "x".repeat(9 * 1024 * 1024)),
        _ => format!("event: endpoint\r\ndata: {endpoint}?session={number}\r\n\r\n"),
    };
    let stream = Stream {
        shared: Arc::clone(state),
        _server: child,
    };
    let shared = Arc::clone(state);
    let events = stream::unfold(
        (output, stream, shared),
        |(mut output, stream, shared)| async {
            if shared.manner == Manner::Closing {
                return None;
            }
            let line = output.next_line().await.ok()??;
            shared.said.notify_waiters();
            let event = event(shared.manner, &line);
            Some((event, (output, stream, shared)))
        },
    );
    let shared = Arc::clone(state);
    let begin = stream::once(async move {
        shared.inputs.lock().await.insert(number, input);
        Bytes::from(first)
    });
    let all = begin.chain(events).map(Ok::<_, std::convert::Infallible>);
    crate::support::with_type("text/event-stream; charset=utf-8", Body::from_stream(all))
}

fn event(manner: Manner, line: &str) -> Bytes {
    if manner != Manner::Pretty {
        return format!(": a comment\n\nevent: message\ndata: {line}\n\n").into();
    }
    // No type, a member on each line, and line ends of every kind.
    let message: Value = json::value(line.as_bytes(), Limits::MCP).unwrap();
    let pretty = format!("{message:#}");
    let lines: Vec<_> = pretty.lines().map(|line| format!("data:{line}")).collect();
    (lines.join("\r\n") + "\r\n\r\n").into()
}
