//! What waits to be written to a process: bounded in bytes.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc};

/// The writing end. Whoever waits for room waits for the process to read.
#[derive(Debug)]
pub(super) struct Outbox {
    lines: mpsc::UnboundedSender<Bytes>,
    room: std::sync::Arc<Semaphore>,
}

/// The process reads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

/// The end that the process's own task reads.
#[derive(Debug)]
pub(super) struct Lines {
    lines: mpsc::UnboundedReceiver<Bytes>,
    room: std::sync::Arc<Semaphore>,
}

/// An outbox with room for two of the longest lines.
pub(super) fn outbox(line_bytes: usize) -> (Outbox, Lines) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = std::sync::Arc::new(Semaphore::new(2 * weight(line_bytes) as usize));
    let lines = Lines {
        lines: receiver,
        room: std::sync::Arc::clone(&room),
    };
    (
        Outbox {
            lines: sender,
            room,
        },
        lines,
    )
}

impl Outbox {
    /// Adds a line where there is room, without waiting; gives it back where there is none.
    pub(super) fn try_send(&self, line: Bytes) -> Result<(), Bytes> {
        match self.room.try_acquire_many(weight(line.len())) {
            Ok(permit) => {
                permit.forget();
                self.lines.send(line).map_err(|unsent| unsent.0)
            }
            Err(_) => Err(line),
        }
    }

    /// Adds a line as soon as there is room.
    pub(super) async fn send(&self, line: Bytes) -> Result<(), Closed> {
        let permit = self.room.acquire_many(weight(line.len())).await;
        permit.map_err(|_| Closed)?.forget();
        self.lines.send(line).map_err(|_| Closed)
    }

    /// Whoever waits need wait no longer.
    pub(super) fn close(&self) {
        self.room.close();
    }
}

impl Lines {
    /// Writes what comes, many lines at a time.
    pub(super) async fn write_to(&mut self, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut lines = Vec::new();
        let mut batch = BytesMut::new();
        while self.lines.recv_many(&mut lines, BATCH_LINES).await > 0 {
            let mut weights = 0;
            for line in lines.drain(..) {
                weights += weight(line.len()) as usize;
                if batch.len() + line.len() > BATCH_BYTES {
                    to.write_all(&batch).await?;
                    batch.clear();
                }
                if line.len() > BATCH_BYTES {
                    to.write_all(&line).await?;
                } else {
                    batch.extend_from_slice(&line);
                }
            }
            to.write_all(&batch).await?;
            batch.clear();
            to.flush().await?;
            self.room.add_permits(weights);
        }
        Ok(())
    }
}

/// What a line takes of the room, in KiB; a short one takes one too, so that their number is
/// bounded as well.
fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}

const BATCH_LINES: usize = 64;
const BATCH_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_written_in_order_and_make_room() {
        let (outbox, mut lines) = outbox(200 * 1024);
        let big = Bytes::from(vec![b'b'; 100 * 1024]);
        for line in [
            Bytes::from_static(b"a\n"),
            big.clone(),
            Bytes::from_static(b"c\n"),
        ] {
            outbox.try_send(line).unwrap();
        }
        drop(outbox);
        let mut written = Vec::new();
        lines.write_to(&mut written).await.unwrap();
        assert_eq!(written, [b"a\n", &big[..], b"c\n"].concat());
    }

    #[tokio::test]
    async fn a_full_outbox_takes_nothing_until_something_is_written() {
        let (outbox, mut lines) = outbox(1024);
        let line = Bytes::from(vec![b'x'; 1024]);
        outbox.try_send(line.clone()).unwrap();
        outbox.try_send(line.clone()).unwrap();
        assert_eq!(outbox.try_send(line.clone()), Err(line.clone()));
        let mut written = Vec::new();
        let write = lines.write_to(&mut written);
        tokio::select! {
            _ = write => unreachable!(),
            sent = outbox.send(line.clone()) => sent.unwrap(),
        }
        outbox.try_send(line.clone()).unwrap();
        outbox.close();
        assert_eq!(outbox.send(line).await, Err(Closed));
    }
}
