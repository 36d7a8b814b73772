//! What waits for one client: bounded in messages and in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::fault::Fault;

/// One thing to tell a client.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A notification or a request of the server's.
    Message(Bytes),
    /// The answer to the client's request, with the code if it is an error.
    Answer { message: Bytes, error: Option<i64> },
    /// There will be no answer of the server's.
    Failed(Fault),
    /// There will be no answer at all.
    Ended,
}

impl Event {
    fn size(&self) -> usize {
        match self {
            Self::Message(message) | Self::Answer { message, .. } => message.len(),
            Self::Failed(_) | Self::Ended => 0,
        }
    }
}

/// Nobody will read what was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread;

/// A queue with one writer and, at a time, one reader.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    messages: usize,
    bytes: usize,
}

#[derive(Debug)]
struct State {
    events: VecDeque<Event>,
    bytes: usize,
    waker: Option<Waker>,
    /// Which reader is the present one.
    reader: u64,
    is_read: bool,
    is_over: bool,
}

impl Queue {
    /// A queue that has its reader, number 0.
    pub(super) fn new(messages: usize, bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                events: VecDeque::new(),
                bytes: 0,
                waker: None,
                reader: 0,
                is_read: true,
                is_over: false,
            }),
            messages,
            bytes,
        }
    }

    /// A queue that waits for a reader.
    pub(super) fn unread(messages: usize, bytes: usize) -> Self {
        let queue = Self::new(messages, bytes);
        queue.state().is_read = false;
        queue
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`Unread`] when it was dropped: nothing is read any more, or the reader is too far behind
    /// and has lost the queue, or there is none and the queue is full.
    pub(super) fn push(&self, event: Event) -> Result<(), Unread> {
        let mut state = self.state();
        if state.is_over {
            return Err(Unread);
        }
        let bytes = state.bytes.saturating_add(event.size());
        // SECURITY: a client that does not read loses its stream, and no memory is lost to it;
        // sec_gw_17_a_client_that_does_not_read_loses_its_stream
        if state.events.len() >= self.messages || bytes > self.bytes {
            if state.is_read {
                state.end();
                wake(state);
            }
            return Err(Unread);
        }
        state.bytes = bytes;
        state.events.push_back(event);
        wake(state);
        Ok(())
    }

    /// Becomes the reader in place of whoever was.
    pub(super) fn attach(&self) -> u64 {
        let mut state = self.state();
        state.reader += 1;
        state.is_read = true;
        let reader = state.reader;
        wake(state);
        reader
    }

    /// The reader left. What it did not read waits for the next one.
    pub(super) fn detach(&self, reader: u64) {
        let mut state = self.state();
        if state.reader == reader {
            state.is_read = false;
            state.waker = None;
        }
    }

    pub(super) fn is_read(&self) -> bool {
        let state = self.state();
        state.is_read && !state.is_over
    }

    /// Nothing more comes; what waits is dropped.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.end();
        wake(state);
    }

    /// The next event; `None` when the queue is over or has another reader.
    pub(super) fn poll_next(&self, reader: u64, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.state();
        if state.reader != reader {
            return Poll::Ready(None);
        }
        if let Some(event) = state.events.pop_front() {
            state.bytes = state.bytes.saturating_sub(event.size());
            return Poll::Ready(Some(event));
        }
        if state.is_over {
            return Poll::Ready(None);
        }
        if !state
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            state.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self) {
        self.is_over = true;
        self.events = VecDeque::new();
        self.bytes = 0;
    }
}

/// Wakes the reader, after the lock is given back.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Event {
        Event::Message(Bytes::from(vec![b'x'; length]))
    }

    fn poll(queue: &Queue, reader: u64) -> Poll<Option<usize>> {
        let mut cx = Context::from_waker(Waker::noop());
        queue
            .poll_next(reader, &mut cx)
            .map(|event| event.map(|event| event.size()))
    }

    #[test]
    fn events_come_in_order() {
        let queue = Queue::new(4, 100);
        assert_eq!(poll(&queue, 0), Poll::Pending);
        queue.push(message(1)).unwrap();
        queue.push(message(2)).unwrap();
        assert_eq!(poll(&queue, 0), Poll::Ready(Some(1)));
        assert_eq!(poll(&queue, 0), Poll::Ready(Some(2)));
        assert_eq!(poll(&queue, 0), Poll::Pending);
        queue.close();
        assert_eq!(poll(&queue, 0), Poll::Ready(None));
        assert_eq!(queue.push(message(1)), Err(Unread));
    }

    #[test]
    fn sec_gw_17_a_client_that_does_not_read_loses_its_stream() {
        for (queue, fits) in [(Queue::new(2, 100), 1), (Queue::new(100, 20), 10)] {
            queue.push(message(fits)).unwrap();
            queue.push(message(fits)).unwrap();
            assert_eq!(queue.push(message(1)), Err(Unread));
            assert!(!queue.is_read());
            assert_eq!(poll(&queue, 0), Poll::Ready(None));
        }
    }

    #[test]
    fn without_a_reader_what_does_not_fit_is_dropped() {
        let queue = Queue::unread(1, 100);
        queue.push(message(3)).unwrap();
        assert_eq!(queue.push(message(4)), Err(Unread));
        let reader = queue.attach();
        assert_eq!(poll(&queue, reader), Poll::Ready(Some(3)));
    }

    #[test]
    fn a_new_reader_takes_over() {
        let queue = Queue::unread(4, 100);
        let first = queue.attach();
        let second = queue.attach();
        queue.push(message(1)).unwrap();
        assert_eq!(poll(&queue, first), Poll::Ready(None));
        queue.detach(first);
        assert!(queue.is_read());
        assert_eq!(poll(&queue, second), Poll::Ready(Some(1)));
        queue.detach(second);
        assert!(!queue.is_read());
    }
}
