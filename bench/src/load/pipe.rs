//! Requests to a server on stdio, through its pipes and nothing else.

use std::{
    collections::HashMap,
    fmt,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use portcullis_oauth::json::{self, Limits, Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdout, Command},
    sync::{mpsc, oneshot},
};

use super::{holds, start_of};
use crate::host::Meter;

/// One server, and the request that it is sent again and again. It ends with the last clone.
#[derive(Clone)]
pub(crate) struct Target(Arc<Shared>);

struct Shared {
    /// Ends the server when it is dropped.
    _child: Child,
    meter: Meter,
    lines: mpsc::UnboundedSender<String>,
    waiting: Waiting,
    last: AtomicU64,
    params: Value,
    expected: &'static str,
}

/// Who waits for the answer to which request.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<String>>>>;

impl Target {
    /// Starts the server, and calls one tool with `params` from then on. Every answer contains
    /// `expected`.
    pub(crate) fn start(
        command: &mut Command,
        params: Value,
        expected: &'static str,
    ) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the server on stdio does not start")?;
        let mut input = child.stdin.take().context("no pipe to the server")?;
        let output = child.stdout.take().context("no pipe from the server")?;
        let (lines, mut queue) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            // What waits goes out together, as any good client does it.
            while queue.recv_many(&mut batch, 64).await > 0 {
                let written = input.write_all(batch.concat().as_bytes()).await;
                batch.clear();
                if written.is_err() {
                    return;
                }
            }
        });
        let waiting = Waiting::default();
        tokio::spawn(hand_out(output, Arc::clone(&waiting)));
        Ok(Self(Arc::new(Shared {
            meter: Meter::of_process(child.id()),
            _child: child,
            lines,
            waiting,
            last: AtomicU64::new(0),
            params,
            expected,
        })))
    }

    pub(super) fn server_time(&self) -> Option<Duration> {
        self.0.meter.time()
    }

    pub(super) async fn call(&self) -> Result<()> {
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let message = json!({
            "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": self.0.params,
        });
        let (sender, answer) = oneshot::channel();
        locked(&self.0.waiting).insert(id, sender);
        self.0.lines.send(format!("{message}\n"))?;
        let answer = answer.await.context("the server on stdio ended")?;
        if !holds(answer.as_bytes(), self.0.expected.as_bytes()) {
            bail!("an answer is wrong: `{}`", start_of(answer.as_bytes()));
        }
        Ok(())
    }
}

/// Gives each answer to whoever waits for it.
async fn hand_out(output: ChildStdout, waiting: Waiting) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = json::value(line.as_bytes(), Limits::MCP).ok();
        let id = answer.and_then(|answer| answer.get("id").and_then(Value::as_u64));
        if let Some(sender) = id.and_then(|id| locked(&waiting).remove(&id)) {
            // Nobody waits when the benchmark has ended already.
            let _ = sender.send(line);
        }
    }
    // Whoever still waits learns that nothing comes any more.
    locked(&waiting).clear();
}

fn locked(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<String>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(stdio)")
    }
}
