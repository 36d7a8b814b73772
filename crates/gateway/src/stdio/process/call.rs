//! From a client to the process: requests, notifications and answers, under numbers of ours.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use portcullis_oauth::Monotonic;
use portcullis_oauth::json::json;

use super::super::exchange::{Call, NoCall};
use super::super::fault::Fault;
use super::super::frame::{Frame, MOST_ID, Span, number, text};
use super::super::limits::Isolation;
use super::super::queue::{Event, Queue};
use super::Process;
use crate::json_rpc::error_body;

/// A request of a client's.
#[derive(Debug)]
pub(in super::super) struct Request<'a> {
    pub(in super::super) message: &'a Bytes,
    pub(in super::super) frame: &'a Frame,
    /// Whose it is; `None` where requests have no session.
    pub(in super::super) session: Option<u64>,
    /// `None` for a subscription.
    pub(in super::super) timeout: Option<Duration>,
    /// Whether the request ends with its client's interest.
    pub(in super::super) is_cancelled_with_stream: bool,
}

/// A request that runs, and what comes back.
#[derive(Debug)]
pub(in super::super) struct Pending {
    process: Arc<Process>,
    number: u64,
    client_id: Bytes,
    queue: Arc<Queue>,
    is_cancelled_with_stream: bool,
    is_over: bool,
}

impl Process {
    /// Hands a request over.
    pub(in super::super) async fn request(
        self: &Arc<Self>,
        request: Request<'_>,
    ) -> Result<Pending, Fault> {
        let Request { message, frame, .. } = request;
        let Some(id) = frame
            .id
            .clone()
            .filter(|id| message.get(id.clone()).is_some())
        else {
            return Err(Fault::Gone);
        };
        let token = frame.meta.progress_token.clone();
        let token =
            token.filter(|span| span.len() <= MOST_ID && is_scalar(message.get(span.clone())));
        let limits = &self.setup.limits;
        let queue = Arc::new(Queue::new(limits.queue, self.setup.queue_bytes()));
        // Copied: a slice would keep the whole message for as long as the request runs.
        let copied = |span: Span| message.get(span).map(Bytes::copy_from_slice);
        let client_id = copied(id.clone()).unwrap_or_default();
        let now = self.now();
        let call = Call {
            client_id: client_id.clone(),
            token: token.clone().and_then(copied),
            session: request.session,
            queue: Arc::clone(&queue),
            deadline: request.timeout.map(|timeout| now.saturating_add(timeout)),
        };
        let number = {
            let mut exchange = self.exchange();
            exchange.touch(now);
            exchange.begin(call, limits.calls)
        };
        let mut pending = Pending {
            process: Arc::clone(self),
            number: number.map_err(|refusal| match refusal {
                NoCall::Closed => Fault::Gone,
                NoCall::Full => Fault::Busy { retry: RETRY },
            })?,
            client_id,
            queue,
            is_cancelled_with_stream: request.is_cancelled_with_stream,
            is_over: false,
        };
        let digits = pending.number.to_string();
        let mut edits = vec![(id, digits.as_bytes())];
        edits.extend(token.map(|span| (span, digits.as_bytes())));
        let mut line = frame.splice(message, &mut edits);
        line.push(b'\n');
        if let Err(line) = self.outbox.try_send(line.into()) {
            self.wait_for_room(line, &mut pending).await?;
        }
        Ok(pending)
    }

    /// A process that does not read holds up whoever writes to it, for as long as a request lasts.
    async fn wait_for_room(&self, line: Bytes, pending: &mut Pending) -> Result<(), Fault> {
        let send = pin!(self.outbox.send(line));
        let failure = pin!(pending.next());
        match select(send, failure).await {
            Either::Left((Ok(()), _)) => Ok(()),
            Either::Right((Some(Event::Failed(fault)), _)) => Err(fault),
            Either::Left((Err(_), _)) | Either::Right(_) => Err(Fault::Gone),
        }
    }

    /// Hands a notification over, if it is one for the server.
    pub(in super::super) async fn notify(
        &self,
        message: &Bytes,
        frame: &Frame,
        session: Option<u64>,
    ) -> Result<(), Fault> {
        let is_shared = self.setup.isolation == Isolation::Shared;
        let line = match (text(message, frame.method.as_ref()).as_deref(), session) {
            (Some("notifications/cancelled"), session) => {
                self.cancellation(message, frame, session)
            }
            (Some("notifications/initialized"), Some(_)) => {
                let is_first = self.exchange().initialized_now();
                (is_first && !is_shared).then(|| frame.line(message))
            }
            // What the server asked of nobody makes no progress, and roots are nobody's.
            (Some("notifications/progress" | "notifications/roots/list_changed"), _)
                if is_shared =>
            {
                None
            }
            _ => Some(frame.line(message)),
        };
        match line {
            Some(line) => self.send(line).await,
            None => Ok(()),
        }
    }

    /// A client takes a request of its own back. Where its stream does that, nothing else does.
    fn cancellation(&self, message: &Bytes, frame: &Frame, session: Option<u64>) -> Option<Bytes> {
        let span = frame.params.request_id.clone()?;
        let client_id = message.get(span.clone())?;
        let (number, call) = {
            let mut exchange = self.exchange();
            let number = exchange.number_of(session?, client_id)?;
            (number, exchange.finish(number)?)
        };
        let _ = call.queue.push(Event::Ended);
        let digits = number.to_string();
        Some(
            frame
                .splice(message, &mut [(span, digits.as_bytes())])
                .into(),
        )
    }

    /// Hands over a client's answer to a request of the server's.
    pub(in super::super) async fn answer(
        &self,
        message: &Bytes,
        frame: &Frame,
        session: u64,
    ) -> Result<(), Fault> {
        let own = number(message, frame.id.as_ref());
        let server_id = own.and_then(|own| self.exchange().answered(own, session));
        match (server_id, frame.id.clone()) {
            (Some(server_id), Some(id)) => {
                let line = frame.splice(message, &mut [(id, &server_id)]);
                self.send(line.into()).await
            }
            _ => Ok(()),
        }
    }

    /// Writes a line as soon as the process reads.
    async fn send(&self, line: Bytes) -> Result<(), Fault> {
        self.exchange().touch(self.now());
        let Err(line) = self.outbox.try_send(ended(&line)) else {
            return Ok(());
        };
        let sent = tokio::time::timeout(self.setup.limits.request_timeout, self.outbox.send(line));
        match sent.await {
            Ok(sent) => sent.map_err(|_| Fault::Gone),
            Err(_) => Err(Fault::Late),
        }
    }

    /// Writes a line if there is room for it.
    pub(super) fn tell(&self, line: &Bytes) {
        let _ = self.outbox.try_send(ended(line));
    }

    /// A session is served from now on.
    pub(in super::super) fn attach(&self, session: u64, inbox: Arc<Queue>) {
        self.exchange().attach(session, inbox);
    }

    /// A session ended: what it asked is cancelled, what it was asked is answered.
    pub(in super::super) fn detach(&self, session: u64) {
        let remains = self.exchange().detach(session);
        for (number, call) in remains.calls {
            let _ = call.queue.push(Event::Ended);
            self.tell(&cancelled(number));
        }
        for server_id in remains.asks {
            self.tell(&error_body(
                Some(&server_id),
                -32000,
                "The client left",
                None,
            ));
        }
        for uri in remains.subscriptions {
            self.unsubscribe_unheard(&uri);
        }
    }

    /// Ends a subscription for nobody; the answer is for nobody too.
    fn unsubscribe_unheard(&self, uri: &str) {
        let queue = Queue::new(1, 0);
        queue.close();
        let timeout = self.setup.limits.request_timeout;
        let call = Call {
            client_id: Bytes::from_static(b"0"),
            token: None,
            session: None,
            queue: Arc::new(queue),
            deadline: Some(self.now().saturating_add(timeout)),
        };
        let number = self.exchange().begin(call, usize::MAX);
        if let Ok(number) = number {
            let params = json!({"uri": uri});
            let method = "resources/unsubscribe";
            let request =
                json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params});
            self.tell(&request.to_string().into());
        }
    }

    pub(in super::super) fn is_session_busy(&self, session: u64) -> bool {
        self.exchange().is_session_busy(session)
    }

    /// Notes a subscription. `false` when the session has too many.
    pub(in super::super) fn subscribe(&self, session: u64, uri: &str) -> bool {
        self.exchange().subscribe(session, uri)
    }

    /// Notes the end of a subscription. Whether another session still has it.
    pub(in super::super) fn unsubscribe(&self, session: u64, uri: &str) -> bool {
        self.exchange().unsubscribe(session, uri)
    }

    /// The server need not hear from clients that they are ready.
    pub(in super::super) async fn initialized(&self) -> Result<(), Fault> {
        self.exchange().initialized_now();
        let line = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        self.send(Bytes::from_static(line.as_bytes())).await
    }

    /// Fails the requests whose time is over.
    pub(in super::super) fn expire(&self, now: Monotonic) {
        let late = self.exchange().expire(now);
        for (number, call) in late {
            let _ = call.queue.push(Event::Failed(Fault::Late));
            self.tell(&cancelled(number));
        }
    }

    /// A client lost its interest in a request.
    fn abandon(&self, number: u64, cancel: bool) {
        if !cancel {
            return;
        }
        if self.exchange().finish(number).is_some() {
            self.tell(&cancelled(number));
        }
    }
}

impl Pending {
    pub(in super::super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// The client's id as JSON text.
    pub(in super::super) fn client_id(&self) -> &Bytes {
        &self.client_id
    }

    pub(in super::super) async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(in super::super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = self.queue.poll_next(0, cx);
        self.is_over |= matches!(
            event,
            Poll::Ready(Some(Event::Answer { .. } | Event::Failed(_) | Event::Ended))
        );
        event
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_over {
            self.queue.close();
            self.process
                .abandon(self.number, self.is_cancelled_with_stream);
        }
    }
}

/// An id or a token is a string or a number; nothing else is mapped.
fn is_scalar(json: Option<&[u8]>) -> bool {
    let first = json.and_then(<[u8]>::first);
    first.is_some_and(|first| matches!(first, b'"' | b'-' | b'0'..=b'9'))
}

fn cancelled(number: u64) -> Bytes {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#
    )
    .into()
}

fn ended(line: &[u8]) -> Bytes {
    [line, b"\n"].concat().into()
}

/// When to try a full process again.
const RETRY: Duration = Duration::from_secs(1);
