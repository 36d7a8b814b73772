//! What was read out of a body, for whoever serves the request.

use super::access::Operation;
use super::peek::Message;

/// The message in a request's body, as [`peek`](super::peek::peek) read it. It is in the extensions
/// of requests that reach a server behind [`Auth::hand_on_message`](crate::Auth::hand_on_message), so
/// that nobody reads the body for it a second time, and nobody reads it in another way.
///
/// It holds no part of the body, which may be large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeekedMessage {
    id: Option<Box<str>>,
    operation: Option<Operation<'static>>,
    mentions_tasks: bool,
}

impl PeekedMessage {
    /// What matters of `message`, which was read out of `body`.
    pub fn of(message: &Message<'_>, body: &[u8]) -> Self {
        let operation = message.operation();
        Self {
            id: match message {
                Message::Request { id, .. } => Some((*id).into()),
                _ => None,
            },
            operation: operation.cloned().map(Operation::into_owned),
            mentions_tasks: operation.is_some_and(|it| it.method() == "tools/call")
                && mentions_tasks(body),
        }
    }

    /// The id of a request as JSON text, to be repeated in an answer; notifications and answers have
    /// none.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What the message asks for; an answer asks for nothing.
    pub fn operation(&self) -> Option<&Operation<'static>> {
        self.operation.as_ref()
    }

    /// Whether a call may say that its caller takes a task for an answer: by `params.task` (revision
    /// 2025-11-25), or among its capabilities (extension `io.modelcontextprotocol/tasks`). It may
    /// also be about something else; one that says so in escapes (`\u0074ask`) is not known by this.
    pub fn mentions_tasks(&self) -> bool {
        self.mentions_tasks
    }
}

fn mentions_tasks(body: &[u8]) -> bool {
    body.windows(5)
        .any(|text| matches!(text, [b'"' | b'/', b't', b'a', b's', b'k']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Target;
    use crate::mcp::peek::peek;

    #[test]
    fn what_was_read_outlives_the_body() {
        let peeked =
            |body: &str| PeekedMessage::of(&peek(body.as_bytes()).unwrap(), body.as_bytes());
        let call = peeked(
            r#"{"jsonrpc":"2.0","id":"\u0041","method":"tools/call","params":{"name":"\u0061"}}"#,
        );
        assert_eq!(call.id(), Some(r#""\u0041""#));
        assert_eq!(call.operation(), Some(&Operation::call_tool("a")));
        let note = peeked(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
        let expected = Operation::new("notifications/x", Target::None);
        assert_eq!((note.id(), note.operation()), (None, Some(&expected)));
        let answer = peeked(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!((answer.id(), answer.operation()), (None, None));
    }

    #[test]
    fn a_call_that_takes_a_task_for_an_answer_says_so() {
        let mentions = |method: &str, params: &str| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"a",{params}}}}}"#
            );
            let message = peek(body.as_bytes()).unwrap();
            PeekedMessage::of(&message, body.as_bytes()).mentions_tasks()
        };
        assert!(mentions("tools/call", r#""task":{"ttl":1}"#));
        let capability = r#""_meta":{"c":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;
        assert!(mentions("tools/call", capability));
        assert!(mentions("tools/call", &capability.replace('/', r"\/")));
        assert!(!mentions("tools/call", r#""arguments":{"a":1}"#));
        assert!(!mentions("prompts/get", r#""task":{}"#));
    }
}
