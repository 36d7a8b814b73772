//! The tasks of one process: three for its pipes, one for its end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::ChildStderr;
use tokio::time::{sleep, timeout};

use super::super::lines::{Line, LineReader};
use super::super::outbox::Lines;
use super::super::upstream_log::{Shown, Throttle};
use super::root::Root;
use super::{End, Process};

impl Process {
    pub(super) async fn write(self: Arc<Self>, mut lines: Lines, to: impl AsyncWrite + Unpin) {
        tokio::select! {
            biased;
            () = self.ending.cancelled() => {}
            written = lines.write_to(to) => {
                if let Err(error) = written {
                    let upstream = &*self.setup.name;
                    tracing::debug!(target: "portcullis::upstream", upstream, %error,
                        "it reads no more");
                }
            }
        }
    }

    pub(super) async fn read(self: Arc<Self>, from: impl AsyncRead + Unpin) {
        let mut lines = LineReader::new(from, self.setup.limits.line_bytes);
        loop {
            let line = tokio::select! {
                biased;
                () = self.ending.cancelled() => break,
                line = lines.next() => line,
            };
            match line {
                Ok(Line::Whole(line)) => self.receive(&line),
                Ok(Line::Long(_)) => {
                    let upstream = &*self.setup.name;
                    let limit = self.setup.limits.line_bytes;
                    tracing::warn!(target: "portcullis::upstream", upstream, limit,
                        "it wrote a message that is too long, so it is ended");
                    break;
                }
                Ok(Line::End) | Err(_) => break,
            }
        }
        self.drained.cancel();
        self.ending.cancel();
    }

    pub(super) async fn log(self: Arc<Self>, stderr: ChildStderr) {
        let throttle = Throttle::new(Arc::clone(&self.setup.clock));
        let mut lines = LineReader::new(stderr, LOG_BYTES);
        let last = async {
            self.gone.cancelled().await;
            sleep(LAST_WORDS).await;
        };
        let mut last = pin!(last);
        loop {
            let line = tokio::select! {
                biased;
                line = lines.next() => line,
                () = &mut last => break,
            };
            let Ok(Line::Whole(line) | Line::Long(line)) = line else {
                break;
            };
            let upstream = &*self.setup.name;
            if let Some(left_out) = throttle.pass() {
                tracing::info!(target: "portcullis::upstream", upstream, left_out,
                    stderr = %Shown(&line), "the process says");
            }
        }
    }

    /// Sees the process to its end, however it comes.
    pub(super) async fn keep(&self, mut root: Root, ended: Box<dyn FnOnce(End) + Send>) {
        let has_ended = tokio::select! {
            biased;
            () = self.ending.cancelled() => false,
            () = root.wait() => true,
        };
        if has_ended {
            // Its last words may still be in the pipe.
            let _ = timeout(LAST_WORDS, self.drained.cancelled()).await;
        }
        ended(self.epitaph());
        self.close();
        let status = root.end(self.setup.limits.grace).await;
        self.gone.cancel();
        let upstream = &*self.setup.name;
        if self.was_asked_to_end.load(Ordering::Relaxed) {
            tracing::debug!(target: "portcullis::upstream", upstream, status, "it ended");
        } else {
            tracing::warn!(target: "portcullis::upstream", upstream, status,
                "it ended by itself");
        }
    }
}

/// A line of a log is cut here.
const LOG_BYTES: usize = 1024;
const LAST_WORDS: Duration = Duration::from_secs(1);
