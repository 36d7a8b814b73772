//! What runs between one process and its clients: whose request has which number.
//!
//! A process sees whole numbers of ours where clients wrote ids and progress tokens, and a client
//! sees numbers of ours where the server wrote ids of its own. A number is never used twice, so an
//! answer that comes too late finds nobody.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use portcullis_oauth::Monotonic;

use super::queue::Queue;

/// A request of a client's that runs.
#[derive(Debug)]
pub(super) struct Call {
    /// The client's id as JSON text.
    pub(super) client_id: Bytes,
    /// The client's progress token as JSON text.
    pub(super) token: Option<Bytes>,
    /// Whose it is; `None` where requests have no session.
    pub(super) session: Option<u64>,
    pub(super) queue: Arc<Queue>,
    /// `None` for a subscription, which has no end.
    pub(super) deadline: Option<Monotonic>,
}

/// A request of the server's that a client is to answer.
#[derive(Debug)]
struct Ask {
    /// The server's id as JSON text.
    server_id: Bytes,
    session: u64,
    queue: Arc<Queue>,
    deadline: Monotonic,
}

/// A session on this process.
#[derive(Debug)]
struct Attached {
    inbox: Arc<Queue>,
    subscriptions: HashSet<String>,
}

/// Where a message of the server's goes.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) session: Option<u64>,
    pub(super) queue: Arc<Queue>,
}

/// What is left of a session that ended.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) calls: Vec<(u64, Call)>,
    /// The server's ids of what it was asked.
    pub(super) asks: Vec<Bytes>,
    /// Resources that nobody else wants to hear of.
    pub(super) subscriptions: HashSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Exchange {
    last_call: u64,
    last_ask: u64,
    calls: HashMap<u64, Call>,
    asks: HashMap<u64, Ask>,
    sessions: BTreeMap<u64, Attached>,
    last_used: Option<Monotonic>,
    is_closed: bool,
    is_initialized: bool,
}

/// A request cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCall {
    Closed,
    Full,
}

impl Exchange {
    /// Gives a request its number.
    pub(super) fn begin(&mut self, call: Call, most: usize) -> Result<u64, NoCall> {
        if self.is_closed {
            return Err(NoCall::Closed);
        }
        if self.calls.len() >= most {
            return Err(NoCall::Full);
        }
        self.last_call += 1;
        self.calls.insert(self.last_call, call);
        Ok(self.last_call)
    }

    /// The request is over.
    pub(super) fn finish(&mut self, number: u64) -> Option<Call> {
        self.calls.remove(&number)
    }

    /// Something was heard from a client or the server.
    pub(super) fn touch(&mut self, now: Monotonic) {
        self.last_used = Some(now);
    }

    pub(super) const fn last_used(&self) -> Option<Monotonic> {
        self.last_used
    }

    pub(super) fn call(&self, number: u64) -> Option<&Call> {
        self.calls.get(&number)
    }

    /// The number of a request that a session's client knows by its own id.
    pub(super) fn number_of(&self, session: u64, client_id: &[u8]) -> Option<u64> {
        let mut calls = self.calls.iter();
        // SECURITY: an id means something only in the session that chose it, so nobody cancels
        // another's request; sec_gw_19_nobody_cancels_anothers_request
        let is_it = |call: &Call| call.session == Some(session) && call.client_id == client_id;
        calls.find_map(|(number, call)| is_it(call).then_some(*number))
    }

    /// Takes out the requests whose time is over.
    pub(super) fn expire(&mut self, now: Monotonic) -> Vec<(u64, Call)> {
        self.asks.retain(|_, ask| now < ask.deadline);
        let is_late = |_: &u64, call: &mut Call| call.deadline.is_some_and(|end| now >= end);
        self.calls.extract_if(is_late).collect()
    }

    /// Notes a request of the server's, and gives it the number that the client sees.
    pub(super) fn ask(
        &mut self,
        server_id: Bytes,
        session: u64,
        queue: Arc<Queue>,
        deadline: Monotonic,
    ) -> Option<u64> {
        // SECURITY: what clients never answer takes no memory; sec_gw_17_unanswered_requests_are_bounded
        if self.asks.len() >= MOST_ASKS {
            return None;
        }
        self.last_ask += 1;
        let ask = Ask {
            server_id,
            session,
            queue,
            deadline,
        };
        self.asks.insert(self.last_ask, ask);
        Some(self.last_ask)
    }

    /// The server's id of a request that a session was asked; it is answered once.
    pub(super) fn answered(&mut self, number: u64, session: u64) -> Option<Bytes> {
        // SECURITY: only whoever was asked answers; sec_gw_19_nobody_answers_for_another
        let is_asked = self.asks.get(&number)?.session == session;
        is_asked.then(|| self.asks.remove(&number).map(|ask| ask.server_id))?
    }

    /// The server took a request of its own back.
    pub(super) fn withdraw(&mut self, server_id: &[u8]) -> Option<(u64, Arc<Queue>)> {
        let mut asks = self.asks.iter();
        let number =
            asks.find_map(|(number, ask)| (ask.server_id == server_id).then_some(*number))?;
        self.asks.remove(&number).map(|ask| (number, ask.queue))
    }

    /// A session is served by this process from now on.
    pub(super) fn attach(&mut self, session: u64, inbox: Arc<Queue>) {
        let subscriptions = HashSet::new();
        let attached = Attached {
            inbox,
            subscriptions,
        };
        self.sessions.insert(session, attached);
    }

    /// The session ended.
    pub(super) fn detach(&mut self, session: u64) -> Remains {
        let mut subscriptions = HashSet::new();
        if let Some(attached) = self.sessions.remove(&session) {
            attached.inbox.close();
            subscriptions = attached.subscriptions;
        }
        for other in self.sessions.values() {
            subscriptions.retain(|uri| !other.subscriptions.contains(uri));
        }
        let is_its = |_: &u64, call: &mut Call| call.session == Some(session);
        let asks = self.asks.extract_if(|_, ask| ask.session == session);
        Remains {
            calls: self.calls.extract_if(is_its).collect(),
            asks: asks.map(|(_, ask)| ask.server_id).collect(),
            subscriptions,
        }
    }

    /// Notes that a session wants to hear of a resource. `false` when it wants too many.
    pub(super) fn subscribe(&mut self, session: u64, uri: &str) -> bool {
        let Some(attached) = self.sessions.get_mut(&session) else {
            return false;
        };
        let is_known = attached.subscriptions.contains(uri);
        // SECURITY: what is kept of a subscription is bounded in number and length;
        // sec_ds_08_subscriptions_of_a_session_are_capped
        let has_room = attached.subscriptions.len() < MOST_SUBSCRIPTIONS && uri.len() <= MOST_URI;
        if has_room && !is_known {
            attached.subscriptions.insert(uri.to_owned());
        }
        has_room || is_known
    }

    /// A session wants to hear no more of a resource. Whether another one still does.
    pub(super) fn unsubscribe(&mut self, session: u64, uri: &str) -> bool {
        if let Some(attached) = self.sessions.get_mut(&session) {
            attached.subscriptions.remove(uri);
        }
        let mut others = self.sessions.values();
        others.any(|attached| attached.subscriptions.contains(uri))
    }

    /// The inboxes of the sessions that want to hear of a resource.
    pub(super) fn subscribers(&self, uri: &str) -> Vec<Arc<Queue>> {
        let sessions = self.sessions.values();
        let wants = sessions.filter(|attached| attached.subscriptions.contains(uri));
        wants.map(|attached| Arc::clone(&attached.inbox)).collect()
    }

    /// Where each session hears what is for all.
    pub(super) fn inboxes(&self) -> Vec<Arc<Queue>> {
        let sessions = self.sessions.values();
        sessions
            .map(|attached| Arc::clone(&attached.inbox))
            .collect()
    }

    /// Where a message goes that names no request: to the one request that runs; if there are
    /// more, or none, to the stream of the session whose request is the newest, or which is itself
    /// the newest. A session without a stream hears it on its newest request.
    pub(super) fn related(&self) -> Option<Target> {
        let is_open = |call: &Call| call.deadline.is_some() && call.queue.is_read();
        let mut running = self.calls.iter().filter(|(_, call)| is_open(call));
        let newest = running.clone().max_by_key(|(number, _)| **number);
        let is_only = running.nth(1).is_none();
        let on_call = newest.map(|(_, call)| Target {
            session: call.session,
            queue: Arc::clone(&call.queue),
        });
        if is_only && on_call.is_some() {
            return on_call;
        }
        let session = match newest {
            Some((_, call)) => call.session?,
            None => *self.sessions.last_key_value()?.0,
        };
        let inbox = &self.sessions.get(&session)?.inbox;
        let on_stream = Target {
            session: Some(session),
            queue: Arc::clone(inbox),
        };
        Some(match on_call {
            Some(call) if !inbox.is_read() => call,
            _ => on_stream,
        })
    }

    /// Whether something runs or is listened to.
    pub(super) fn is_busy(&self) -> bool {
        !self.calls.is_empty()
            || self
                .sessions
                .values()
                .any(|session| session.inbox.is_read())
    }

    /// Whether a session has something that runs or a stream.
    pub(super) fn is_session_busy(&self, session: u64) -> bool {
        let has_stream = self
            .sessions
            .get(&session)
            .is_some_and(|it| it.inbox.is_read());
        has_stream
            || self
                .calls
                .values()
                .any(|call| call.session == Some(session))
    }

    /// Whether the server is yet to hear that its client is ready; it hears so once.
    pub(super) fn initialized_now(&mut self) -> bool {
        !std::mem::replace(&mut self.is_initialized, true)
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Nothing more begins; what runs is handed over.
    pub(super) fn close(&mut self) -> (HashMap<u64, Call>, Vec<Arc<Queue>>) {
        self.is_closed = true;
        self.asks = HashMap::new();
        let inboxes = self.inboxes();
        self.sessions = BTreeMap::new();
        (std::mem::take(&mut self.calls), inboxes)
    }
}

const MOST_ASKS: usize = 256;
const MOST_SUBSCRIPTIONS: usize = 1000;
const MOST_URI: usize = 4096;
