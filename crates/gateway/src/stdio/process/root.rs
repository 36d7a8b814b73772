//! What runs at the other end of the lines, and its end.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use portcullis_oauth::Entropy;
use portcullis_resource_server::Causes;
use tokio::io::DuplexStream;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio::time::timeout;

use super::tree::{self, Tree};
use crate::http_sse::{Connection, Lost};

/// What is to be started.
pub(in crate::stdio) enum Start {
    Program(Box<Command>),
    Connection(Box<Connection>),
}

/// What runs: the pipes to it, and what ends it.
pub(super) enum Started {
    Program {
        pipes: (ChildStdin, ChildStdout, ChildStderr),
        root: Root,
    },
    Connection {
        pipe: DuplexStream,
        root: Root,
    },
}

/// What ends.
pub(super) enum Root {
    Program(Box<Child>, Tree),
    Connection(Running),
}

/// A connection that is open, or opens. It ends with this value.
pub(super) struct Running {
    task: JoinHandle<Result<(), Lost>>,
    abort: AbortHandle,
    ended: Option<String>,
}

impl Start {
    /// Starts it. Must be called inside a runtime.
    pub(super) fn begin(self, entropy: &dyn Entropy, line_bytes: usize) -> io::Result<Started> {
        match self {
            Self::Program(command) => program(*command, entropy),
            Self::Connection(connection) => {
                let (pipe, far) = tokio::io::duplex(PIPE);
                let task = tokio::spawn(connection.run(far, line_bytes));
                let abort = task.abort_handle();
                let running = Running {
                    task,
                    abort,
                    ended: None,
                };
                let root = Root::Connection(running);
                Ok(Started::Connection { pipe, root })
            }
        }
    }
}

fn program(command: Command, entropy: &dyn Entropy) -> io::Result<Started> {
    let marker = tree::Marker::new(entropy)?;
    let mut command = tokio::process::Command::from(command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env(tree::VARIABLE, marker.as_str())
        .kill_on_drop(true);
    // A group of its own, so that a terminal's signals reach the gateway alone.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(io::Error::other("a pipe is missing"));
    };
    let tree = Tree::new(&child, marker);
    Ok(Started::Program {
        pipes: (stdin, stdout, stderr),
        root: Root::Program(Box::new(child), tree),
    })
}

impl Root {
    /// Until it ends by itself.
    pub(super) async fn wait(&mut self) {
        match self {
            Self::Program(child, _) => {
                let _ = child.wait().await;
            }
            Self::Connection(running) => running.wait().await,
        }
    }

    /// Ends it and all that it started, whose input was closed. What it left as its status, if it is
    /// known.
    pub(super) async fn end(self, grace: (Duration, Duration)) -> Option<String> {
        match self {
            Self::Program(mut child, tree) => tree.end(&mut child, grace).await,
            Self::Connection(running) => running.end(grace.0).await,
        }
    }
}

impl Running {
    async fn wait(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(said((&mut self.task).await));
        }
    }

    async fn end(mut self, close: Duration) -> Option<String> {
        if timeout(close, self.wait()).await.is_err() {
            self.abort.abort();
            self.wait().await;
        }
        self.ended.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

fn said(ended: Result<Result<(), Lost>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "closed".to_owned(),
        Ok(Err(lost)) => Causes::of(&lost).to_string(),
        Err(_) => "cut".to_owned(),
    }
}

/// Bytes in the pipes of a connection, each way.
const PIPE: usize = 64 * 1024;
