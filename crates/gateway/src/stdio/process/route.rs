//! From the process to its clients: whom each message is for.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_oauth::json::{self, Limits};

use super::super::exchange::Target;
use super::super::frame::{Frame, Kind, MOST_ID, Span, number, text};
use super::super::limits::Isolation;
use super::super::queue::{Event, Queue, Unread};
use super::super::upstream_log::Shown;
use super::{Era, Process};
use crate::json_rpc::error_body;

/// A message of the process, with its places.
struct Message<'a> {
    bytes: &'a Bytes,
    frame: Frame,
}

impl Message<'_> {
    fn text(&self, span: Option<&Span>) -> Option<std::borrow::Cow<'_, str>> {
        text(self.bytes, span)
    }

    fn raw(&self, span: Option<&Span>) -> Option<&[u8]> {
        self.bytes.get(span?.clone())
    }

    fn with(&self, edits: &mut [(Span, &[u8])]) -> Bytes {
        self.frame.splice(self.bytes, edits).into()
    }

    fn whole(&self) -> Event {
        Event::Message(self.frame.line(self.bytes))
    }
}

impl Process {
    /// One line that the process wrote.
    pub(super) fn receive(&self, line: &Bytes) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let limits = Limits::MCP.with_bytes(self.setup.limits.line_bytes);
        // SECURITY: what two parsers could read differently reaches no client (RFC 8259 section 4);
        // sec_gw_14_a_process_is_scanned_as_strictly_as_a_client
        let frame = match json::scan(line, limits) {
            Ok(()) => Frame::read(line),
            Err(_) => None,
        };
        let message =
            frame.and_then(|frame| Some((frame.kind(line)?, Message { bytes: line, frame })));
        match message {
            Some((Kind::Answer, message)) => self.answer_from(&message),
            Some((Kind::Request, message)) => self.request_from(&message),
            Some((Kind::Notification, message)) => self.notice_from(&message),
            None => self.drop_garbage(line),
        }
    }

    /// An answer goes to whoever asked, under the id that it chose.
    fn answer_from(&self, message: &Message<'_>) {
        let frame = &message.frame;
        let own = number(message.bytes, frame.id.as_ref());
        let call = {
            let now = self.now();
            let mut exchange = self.exchange();
            exchange.touch(now);
            // SECURITY: a number of ours names one request of one client, so no answer crosses
            // over; sec_rs_18_equal_ids_never_cross
            own.and_then(|own| exchange.finish(own))
        };
        let (Some(call), Some(id)) = (call, frame.id.clone()) else {
            let upstream = &*self.setup.name;
            tracing::debug!(target: "portcullis::upstream", upstream,
                "an answer that nobody waits for");
            return;
        };
        let mut edits = vec![(id, &call.client_id[..])];
        if let Some(span) = subscription(message, own) {
            edits.push((span, &call.client_id));
        }
        let code = message.raw(frame.code.as_ref());
        let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
        let error = frame.error.as_ref().map(|_| code.unwrap_or_default());
        let message = message.with(&mut edits);
        let _ = call.queue.push(Event::Answer { message, error });
    }

    /// The server asks a client for something.
    fn request_from(&self, message: &Message<'_>) {
        let Some(server_id) = message.raw(message.frame.id.as_ref()) else {
            return;
        };
        let method = message.text(message.frame.method.as_ref());
        let is_ping = method.as_deref() == Some("ping");
        // SECURITY: with everybody in one process there is no telling whom the server means;
        // sec_gw_19_a_shared_server_asks_nobody
        if self.setup.isolation == Isolation::Shared || self.era == Era::Stateless {
            return self.decline(server_id, is_ping);
        }
        if self.deliver_request(message, server_id).is_none() {
            self.decline(server_id, is_ping);
        }
    }

    fn deliver_request(&self, message: &Message<'_>, server_id: &[u8]) -> Option<()> {
        if server_id.len() > MOST_ID {
            return None;
        }
        let server_id = Bytes::copy_from_slice(server_id);
        let deadline = self.now().saturating_add(self.setup.limits.request_timeout);
        let (own, session, queue) = {
            let mut exchange = self.exchange();
            let Target { session, queue } = exchange.related()?;
            let session = session?;
            let own = exchange.ask(server_id, session, Arc::clone(&queue), deadline)?;
            (own, session, queue)
        };
        let digits = own.to_string();
        let id = message.frame.id.clone()?;
        let sent = queue.push(Event::Message(message.with(&mut [(id, digits.as_bytes())])));
        if sent.is_err() {
            self.exchange().answered(own, session);
        }
        sent.ok()
    }

    /// Answers the server in place of clients that cannot.
    fn decline(&self, server_id: &[u8], is_ping: bool) {
        let answer = if is_ping {
            let id = String::from_utf8_lossy(server_id);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into()
        } else {
            error_body(Some(server_id), -32601, "Method not found", None)
        };
        self.tell(&answer);
    }

    /// A notification goes to whoever it is about.
    fn notice_from(&self, message: &Message<'_>) {
        let Some(method) = message.text(message.frame.method.as_ref()) else {
            return;
        };
        if method == "notifications/tools/list_changed" {
            self.forget_tools();
        }
        let delivered = match &*method {
            _ if message.frame.meta.subscription_id.is_some() => self.subscription_notice(message),
            "notifications/progress" => self.progress(message),
            "notifications/cancelled" => self.withdrawal(message),
            "notifications/resources/updated" => self.update(message),
            list if list.ends_with("/list_changed") => {
                self.to_all(message);
                return;
            }
            _ => self.unrelated(message),
        };
        if delivered.is_none() {
            let upstream = &*self.setup.name;
            tracing::debug!(target: "portcullis::upstream", upstream, "a notification for nobody");
        }
    }

    /// For the subscription whose number it carries.
    fn subscription_notice(&self, message: &Message<'_>) -> Option<()> {
        let span = message.frame.meta.subscription_id.clone()?;
        let own = number(message.bytes, Some(&span))?;
        let (queue, client_id) = self.call_queue(own)?;
        let mut edits = vec![(span, &client_id[..])];
        if let Some(request) = message.frame.params.request_id.clone()
            && number(message.bytes, Some(&request)) == Some(own)
        {
            edits.push((request, &client_id));
        }
        push(&queue, Event::Message(message.with(&mut edits)))
    }

    /// For the request whose progress it is, if its client asked to hear of it.
    fn progress(&self, message: &Message<'_>) -> Option<()> {
        let span = message.frame.params.progress_token.clone()?;
        let own = number(message.bytes, Some(&span))?;
        let (queue, token) = {
            let exchange = self.exchange();
            let call = exchange.call(own)?;
            (Arc::clone(&call.queue), call.token.clone()?)
        };
        push(&queue, Event::Message(message.with(&mut [(span, &token)])))
    }

    /// The server takes a request back, or ends a subscription.
    fn withdrawal(&self, message: &Message<'_>) -> Option<()> {
        let span = message.frame.params.request_id.clone()?;
        let raw = message.raw(Some(&span))?;
        let withdrawn = self.exchange().withdraw(raw);
        if let Some((own, queue)) = withdrawn {
            let digits = own.to_string();
            return push(
                &queue,
                Event::Message(message.with(&mut [(span, digits.as_bytes())])),
            );
        }
        let own = number(message.bytes, Some(&span))?;
        let call = {
            let mut exchange = self.exchange();
            let is_subscription = exchange.call(own)?.deadline.is_none();
            is_subscription.then(|| exchange.finish(own)).flatten()?
        };
        let _ = call
            .queue
            .push(Event::Message(message.with(&mut [(span, &call.client_id)])));
        push(&call.queue, Event::Ended)
    }

    /// A resource changed: for those who asked.
    fn update(&self, message: &Message<'_>) -> Option<()> {
        let uri = message.text(message.frame.params.uri.as_ref())?;
        let event = message.whole();
        // SECURITY: who reads which resource is nobody else's business;
        // sec_gw_19_updates_reach_subscribers_alone
        let mut inboxes = self.exchange().subscribers(&uri);
        if inboxes.is_empty() && self.setup.isolation != Isolation::Shared {
            // It may be a part of what was subscribed to.
            inboxes = self.exchange().inboxes();
        }
        for inbox in inboxes {
            let _ = inbox.push(event.clone());
        }
        Some(())
    }

    fn to_all(&self, message: &Message<'_>) {
        let event = message.whole();
        let inboxes = self.exchange().inboxes();
        for inbox in inboxes {
            let _ = inbox.push(event.clone());
        }
    }

    /// Names no request: a log message, or what this gateway has never heard of.
    fn unrelated(&self, message: &Message<'_>) -> Option<()> {
        // SECURITY: it may be about anybody's request, so with everybody in one process nobody
        // hears it; sec_gw_19_a_shared_servers_log_reaches_nobody
        if self.setup.isolation == Isolation::Shared {
            return None;
        }
        let target = self.exchange().related()?;
        push(&target.queue, message.whole())
    }

    fn call_queue(&self, own: u64) -> Option<(Arc<Queue>, Bytes)> {
        let exchange = self.exchange();
        let call = exchange.call(own)?;
        Some((Arc::clone(&call.queue), call.client_id.clone()))
    }

    fn drop_garbage(&self, line: &[u8]) {
        if let Some(left_out) = self.garbage.pass() {
            let upstream = &*self.setup.name;
            tracing::warn!(target: "portcullis::upstream", upstream, left_out,
                line = %Shown(line), "the process wrote what is no message of JSON-RPC");
        }
    }
}

/// Where the message names the subscription that it is about by our number.
fn subscription(message: &Message<'_>, own: Option<u64>) -> Option<Span> {
    let span = message.frame.meta.subscription_id.as_ref()?;
    (number(message.bytes, Some(span)) == own).then(|| span.clone())
}

/// Whether somebody will read it.
fn push(queue: &Queue, event: Event) -> Option<()> {
    queue.push(event).map_err(|Unread| ()).ok()
}
