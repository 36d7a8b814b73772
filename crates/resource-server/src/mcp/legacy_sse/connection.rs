//! One client, as whoever serves it sees it: messages in, messages out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many messages of one client are worked on at a time, and how many answers wait.
pub const MOST_RUNNING: usize = 64;

/// How long a client may leave a full queue unread.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A client, with whole JSON-RPC messages in both directions. Nothing is lost between them, and
/// nothing piles up: a client that does not read is not heard either.
#[derive(Debug)]
pub struct Connection {
    head: Parts,
    incoming: mpsc::Receiver<Message>,
    outgoing: mpsc::Sender<Bytes>,
}

/// A message of the client, which is JSON-RPC and was let in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// The head of the request that brought it; the sender's
    /// [`AccessToken`](crate::AccessToken) is in its extensions, and the message's place among
    /// those that run: keep it until the message is dealt with.
    pub head: Parts,
    /// The bytes of the message.
    pub body: Bytes,
}

/// The client is gone, or reads nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
#[non_exhaustive]
pub struct Gone;

/// Sends to the client. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Sender(mpsc::Sender<Bytes>);

impl Connection {
    /// The head of the request that opened the stream.
    pub fn head(&self) -> &Parts {
        &self.head
    }

    /// The next message; `None` when the client is gone. May be dropped and called again.
    pub async fn receive(&mut self) -> Option<Message> {
        // SECURITY: who does not read answers gets no more of them made (CWE-400);
        // sec_ds_10_a_slow_reader_is_not_heard
        drop(self.outgoing.reserve().await.ok()?);
        self.incoming.recv().await
    }

    /// The way back.
    pub fn sender(&self) -> Sender {
        Sender(self.outgoing.clone())
    }
}

impl Sender {
    /// Sends one message, in bytes of JSON.
    ///
    /// # Errors
    /// [`Gone`] when nobody will read it.
    pub async fn send(&self, message: impl Into<Bytes>) -> Result<(), Gone> {
        self.0
            .send_timeout(message.into(), PATIENCE)
            .await
            .map_err(|_| Gone)
    }
}

/// The other end of a [`Connection`], where its client's requests arrive.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    incoming: mpsc::Sender<Message>,
    outgoing: mpsc::WeakSender<Bytes>,
    running: Arc<Semaphore>,
}

/// A message's place among those that run.
#[derive(Debug, Clone)]
struct Running {
    #[expect(dead_code, reason = "it is held, not read")]
    place: Arc<OwnedSemaphorePermit>,
}

/// There is no way for a message to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    Busy,
    Gone,
}

impl Line {
    /// A client whose stream was opened by the request `head`, and what the server says to it.
    pub(crate) fn open(head: Parts) -> (Self, Connection, mpsc::Receiver<Bytes>) {
        let (to_server, incoming) = mpsc::channel(MOST_RUNNING);
        let (outgoing, to_client) = mpsc::channel(MOST_RUNNING);
        let line = Self {
            incoming: to_server,
            outgoing: outgoing.downgrade(),
            running: Arc::new(Semaphore::new(MOST_RUNNING)),
        };
        let connection = Connection {
            head,
            incoming,
            outgoing,
        };
        (line, connection, to_client)
    }

    /// Hands a message to the server.
    pub(crate) fn deliver(&self, mut head: Parts, body: Bytes) -> Result<(), Undelivered> {
        // SECURITY: a `POST` is answered at once, so it is the stream that bounds what runs
        // (CWE-770); sec_ds_10_messages_of_one_stream_are_capped
        let place = Arc::clone(&self.running).try_acquire_owned();
        let place = place.map_err(|_| Undelivered::Busy)?;
        head.extensions.insert(Running {
            place: Arc::new(place),
        });
        let sent = self.incoming.try_send(Message { head, body });
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Undelivered::Busy,
            mpsc::error::TrySendError::Closed(_) => Undelivered::Gone,
        })
    }

    /// Says something to the client in the server's place.
    pub(crate) fn say(&self, message: Bytes) -> Result<(), Undelivered> {
        let outgoing = self.outgoing.upgrade().ok_or(Undelivered::Gone)?;
        outgoing.try_send(message).map_err(|_| Undelivered::Busy)
    }
}
