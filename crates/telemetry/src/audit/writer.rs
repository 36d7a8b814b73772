//! The thread that writes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{AuditError, State, file};

/// A disk that refused lines is asked again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// So many bytes are written at once, where that many wait.
const BATCH: usize = 256 * 1024;

type Answer = oneshot::Sender<Result<(), AuditError>>;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// To be written, with its line break.
    Line(String),
    /// To be answered when everything before is written.
    Flush(Answer),
    /// The same, and the file is opened anew.
    Reopen(Answer),
}

/// Where lines go.
pub(super) enum Sink {
    File { file: File, path: PathBuf },
    Writer(Box<dyn Write + Send>),
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { file, .. } => file.write(bytes),
            Self::Writer(writer) => writer.write(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.sync_data(),
            Self::Writer(writer) => writer.flush(),
        }
    }
}

pub(super) struct Writer {
    sink: Sink,
    messages: Receiver<Message>,
    state: Arc<State>,
    /// Lines, of which the first `written` bytes are out.
    waiting: Vec<u8>,
    written: usize,
    lines: usize,
}

impl Writer {
    pub(super) fn new(sink: Sink, messages: Receiver<Message>, state: Arc<State>) -> Self {
        Self {
            sink,
            messages,
            state,
            waiting: Vec::new(),
            written: 0,
            lines: 0,
        }
    }

    /// Until nobody can tell it anything any more.
    pub(super) fn run(mut self) {
        loop {
            let message = if self.waiting.is_empty() {
                match self.messages.recv() {
                    Ok(message) => message,
                    Err(_) => break,
                }
            } else {
                match self.messages.recv_timeout(AGAIN) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => {
                        self.write();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            };
            self.take(message);
        }
        self.write();
        let _ = self.sink.sync();
    }

    /// One message, and the lines that come right behind it.
    fn take(&mut self, message: Message) {
        let mut next = Some(message);
        while let Some(message) = next.take() {
            match message {
                Message::Line(line) => {
                    self.waiting.extend_from_slice(line.as_bytes());
                    self.lines += 1;
                    let is_full = self.waiting.len() >= BATCH;
                    next = match self.messages.try_recv() {
                        Ok(message) if !is_full => Some(message),
                        Ok(message) => {
                            self.write_or_wait();
                            Some(message)
                        }
                        Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
                    };
                }
                Message::Flush(answer) => {
                    let done = self.write_all();
                    let _ = answer.send(done);
                }
                Message::Reopen(answer) => {
                    let done = self.reopen();
                    let _ = answer.send(done);
                }
            }
        }
        self.write_or_wait();
    }

    /// Writes, unless the disk was just asked in vain.
    fn write_or_wait(&mut self) {
        if !self.state.is_stuck.load(Ordering::Relaxed) {
            self.write();
        }
    }

    fn write(&mut self) {
        let _ = self.write_all();
    }

    fn write_all(&mut self) -> Result<(), AuditError> {
        match self.push() {
            Ok(()) => {
                if self.state.is_stuck.swap(false, Ordering::Relaxed) {
                    tracing::info!("the audit log takes lines again");
                }
                Ok(())
            }
            Err(error) => {
                if !self.state.is_stuck.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the audit log takes no lines: requests are refused");
                }
                Err(AuditError::Write(error))
            }
        }
    }

    /// Puts out what waits. What went out stays out, so that a line is never written twice.
    fn push(&mut self) -> io::Result<()> {
        while let Some(rest) = self
            .waiting
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match self.sink.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if let Sink::Writer(writer) = &mut self.sink {
            writer.flush()?;
        }
        let lines = std::mem::take(&mut self.lines);
        self.state.taken.fetch_sub(lines, Ordering::Relaxed);
        self.state
            .written
            .fetch_add(lines as u64, Ordering::Relaxed);
        self.waiting.clear();
        self.written = 0;
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), AuditError> {
        let written = self.write_all();
        let synced = self.sink.sync();
        if let Sink::File { file, path } = &mut self.sink {
            *file = file::open(path)?;
            // The old file may be the one that is full.
            if written.is_err() {
                self.written = self.begin_of_line();
                self.write_all()?;
            }
        }
        synced.map_err(AuditError::Write)
    }

    /// Where the line begins that is out in part: a new file gets it whole.
    fn begin_of_line(&self) -> usize {
        let out = self.waiting.get(..self.written).unwrap_or_default();
        out.iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1)
    }
}
