//! Reads the operation out of a request's body, and nothing else.
//!
//! The reader is total: a body that is not one well-formed JSON-RPC message is refused here, with
//! the JSON-RPC error that fits, because behind a foreign server nobody would check again. The
//! bytes themselves are never changed.

use std::borrow::Cow;

use portcullis_oauth::json::{self, Limits, Member, json};

use super::access::{Operation, Target};

/// One JSON-RPC message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A request, which is to be answered.
    Request {
        /// The id as JSON text, to be repeated in an answer.
        id: &'a str,
        /// What it asks for.
        operation: Operation<'a>,
        /// The revision that the message itself names (2026-07-28 and later).
        revision: Option<Cow<'a, str>>,
        /// The name by which the client introduces itself, in a handshake or in `_meta`.
        client: Option<Cow<'a, str>>,
    },
    /// A notification.
    Notification {
        /// What it is about.
        operation: Operation<'a>,
    },
    /// An answer to a request of the server's.
    Response,
}

impl Message<'_> {
    /// What the message asks for; a response asks for nothing.
    pub fn operation(&self) -> Option<&Operation<'_>> {
        match self {
            Self::Request { operation, .. } | Self::Notification { operation } => Some(operation),
            Self::Response => None,
        }
    }

    /// The name by which the client introduces itself, if this message says it.
    pub fn client_name(&self) -> Option<&str> {
        match self {
            Self::Request { client, .. } => client.as_deref(),
            Self::Notification { .. } | Self::Response => None,
        }
    }
}

/// Why a body is not one JSON-RPC message. [`body`](Self::body) is the answer, with status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeekError {
    /// Not JSON, not UTF-8, a member that occurs twice, or something behind the document.
    #[error("not a JSON document that can be read in one way")]
    Parse,
    /// Not a JSON-RPC 2.0 message; a batch is none since revision 2025-06-18.
    #[error("not a JSON-RPC 2.0 message")]
    InvalidRequest,
    /// The method needs a name, a URI or an id, and `params` has none.
    #[error("the method's target is missing")]
    InvalidParams {
        /// The request's id as JSON text.
        id: Option<String>,
    },
}

impl PeekError {
    /// The JSON-RPC error object: -32700, -32600 or -32602. Nothing of the input but its id is
    /// repeated.
    pub fn body(&self) -> String {
        let (code, message, id) = match self {
            Self::Parse => (-32700, "Parse error", None),
            Self::InvalidRequest => (-32600, "Invalid Request", None),
            Self::InvalidParams { id } => (-32602, "Invalid params", id.as_deref()),
        };
        error_body(id, code, message)
    }
}

/// A JSON-RPC error with `id` as JSON text; `null` where there is none.
pub(crate) fn error_body(id: Option<&str>, code: i32, message: &str) -> String {
    let error = json!({"code": code, "message": message});
    format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#,
        id.unwrap_or("null")
    )
}

/// Reads one message.
///
/// ```
/// use portcullis_resource_server::mcp::peek::{Message, peek};
///
/// let body = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"greet"}}"#;
/// let Message::Request { id, operation, .. } = peek(body)? else { unreachable!() };
/// assert_eq!((id, operation.method()), ("7", "tools/call"));
/// # Ok::<(), portcullis_resource_server::mcp::peek::PeekError>(())
/// ```
///
/// # Errors
/// [`PeekError`], which is also the answer.
pub fn peek(body: &[u8]) -> Result<Message<'_>, PeekError> {
    let mut envelope = Envelope::default();
    // SECURITY: what is decided on comes out of the strict scan itself, so that no other reader
    // sees another method or name (RFC 8259 section 4);
    // sec_jwt_09_repeated_members_never_reach_the_dispatcher
    json::scan_members(body, Limits::MCP, |path, value| envelope.keep(path, value))
        .map_err(|_| PeekError::Parse)?;
    // SECURITY: readers that ignore case would take a lookalike for the member itself, and run what
    // nobody decided on (CWE-178; Go's and .NET's do by default);
    // sec_gw_14_a_member_in_other_letters_is_refused
    if envelope.has_lookalike {
        return Err(PeekError::InvalidRequest);
    }
    if text(envelope.jsonrpc).as_deref() != Some("2.0") {
        return Err(PeekError::InvalidRequest);
    }
    let Some(method) = text(envelope.method) else {
        return envelope.answer();
    };
    let id = match envelope.id {
        Some(id) => Some(whole_id(id).ok_or(PeekError::InvalidRequest)?),
        None => None,
    };
    if envelope.result.is_some() || envelope.error.is_some() {
        return Err(PeekError::InvalidRequest);
    }
    let revision = text(envelope.revision);
    let ended = revision
        .as_deref()
        .is_some_and(|revision| revision >= WITHOUT_SUBSCRIBE);
    let target = envelope
        .target(&method, ended)
        .ok_or_else(|| PeekError::InvalidParams {
            id: id.map(str::to_owned),
        })?;
    let operation = Operation::new(method, target);
    Ok(match id {
        Some(id) => Message::Request {
            id,
            operation,
            revision,
            client: text(envelope.client),
        },
        None => Message::Notification { operation },
    })
}

/// From this revision on `resources/subscribe` and its opposite are unknown methods, which the
/// dispatcher says; whatever their parameters are.
const WITHOUT_SUBSCRIBE: &str = "2026-07-28";

/// The members that matter. One that is there counts, also as `null`; one of another type than it
/// should have is kept too, and who needs it refuses.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<Member<'a>>,
    id: Option<Member<'a>>,
    method: Option<Member<'a>>,
    result: Option<Member<'a>>,
    error: Option<Member<'a>>,
    error_code: Option<Member<'a>>,
    error_message: Option<Member<'a>>,
    name: Option<Member<'a>>,
    uri: Option<Member<'a>>,
    task_id: Option<Member<'a>>,
    ref_type: Option<Member<'a>>,
    ref_name: Option<Member<'a>>,
    ref_uri: Option<Member<'a>>,
    revision: Option<Member<'a>>,
    client: Option<Member<'a>>,
    has_lookalike: bool,
}

impl<'a> Envelope<'a> {
    fn keep(&mut self, path: &[&str], value: Member<'a>) {
        let place = match path {
            ["jsonrpc"] => &mut self.jsonrpc,
            ["id"] => &mut self.id,
            ["method"] => &mut self.method,
            ["result"] => &mut self.result,
            ["error"] => &mut self.error,
            ["error", "code"] => &mut self.error_code,
            ["error", "message"] => &mut self.error_message,
            ["params", "name"] => &mut self.name,
            ["params", "uri"] => &mut self.uri,
            ["params", "taskId"] => &mut self.task_id,
            ["params", "ref", "type"] => &mut self.ref_type,
            ["params", "ref", "name"] => &mut self.ref_name,
            ["params", "ref", "uri"] => &mut self.ref_uri,
            ["params", "_meta", "io.modelcontextprotocol/protocolVersion"] => &mut self.revision,
            ["params", "clientInfo", "name"]
            | [
                "params",
                "_meta",
                "io.modelcontextprotocol/clientInfo",
                "name",
            ] => &mut self.client,
            _ => {
                self.has_lookalike |= is_lookalike(path);
                return;
            }
        };
        *place = Some(value);
    }

    /// A message without a method: it has an id, and a result or an error, both objects in MCP.
    fn answer(&self) -> Result<Message<'a>, PeekError> {
        let id = self.id.ok_or(PeekError::InvalidRequest)?;
        let is_whole = match (self.result, self.error) {
            (Some(Member::Object), None) => whole_id(id).is_some(),
            // Whoever could not read the request's id answers with `null`.
            (None, Some(Member::Object)) => {
                (whole_id(id).is_some() || id.json() == Some("null")) && self.is_whole_error()
            }
            _ => false,
        };
        is_whole
            .then_some(Message::Response)
            .ok_or(PeekError::InvalidRequest)
    }

    fn is_whole_error(&self) -> bool {
        let code = self.error_code.and_then(Member::json);
        code.is_some_and(|code| code.parse::<i32>().is_ok()) && text(self.error_message).is_some()
    }

    /// The target of the methods that have one; `None` where such a method names none.
    fn target(&self, method: &str, ended: bool) -> Option<Target<'a>> {
        Some(match method {
            "tools/call" => Target::Tool(text(self.name)?),
            "prompts/get" => Target::Prompt(text(self.name)?),
            "resources/subscribe" | "resources/unsubscribe" if ended => {
                text(self.uri).map_or(Target::None, Target::Resource)
            }
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                Target::Resource(text(self.uri)?)
            }
            "completion/complete" => match &*text(self.ref_type)? {
                "ref/prompt" => Target::Prompt(text(self.ref_name)?),
                "ref/resource" => Target::Resource(text(self.ref_uri)?),
                _ => return None,
            },
            "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => {
                Target::Task(text(self.task_id)?)
            }
            _ => Target::None,
        })
    }
}

fn text(member: Option<Member<'_>>) -> Option<Cow<'_, str>> {
    member?.text()
}

/// The JSON text of an id: a string or a whole number of 64 bits; MCP forbids `null`.
fn whole_id(id: Member<'_>) -> Option<&str> {
    let json = id.json()?;
    (json.starts_with('"') || json.parse::<i64>().is_ok()).then_some(json)
}

/// Whether a member that means nothing to us is one that does, in other letters.
fn is_lookalike(path: &[&str]) -> bool {
    let (name, known): (&str, &[&str]) = match path {
        [name] => (
            name,
            &["jsonrpc", "id", "method", "params", "result", "error"],
        ),
        ["error", name] => (name, &["code", "message"]),
        ["params", name] => (
            name,
            &[
                "name",
                "uri",
                "taskId",
                "ref",
                "_meta",
                "arguments",
                "notifications",
            ],
        ),
        ["params", "notifications", name] => (name, &["taskIds", "resourceSubscriptions"]),
        ["params", "ref", name] => (name, &["type", "name", "uri"]),
        ["params", "_meta", name] => (name, &["io.modelcontextprotocol/protocolVersion"]),
        _ => return false,
    };
    known
        .iter()
        .any(|known| *known != name && is_same_folded(name, known))
}

/// Alike for a reader that ignores case, in any script: `ſ` is an `s`, and the Kelvin sign a `k`.
fn is_same_folded(name: &str, known: &str) -> bool {
    if name.is_ascii() {
        return name.eq_ignore_ascii_case(known);
    }
    let folded = |text: &str| -> String {
        let upper = text.chars().flat_map(char::to_uppercase);
        upper.flat_map(char::to_lowercase).collect()
    };
    folded(name) == folded(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_gw_14_a_member_in_other_letters_is_refused() {
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"param\u017f":{"name":"b"}}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"PARAMſ\":{}}",
            r#"{"jsonrpc":"2.0","method":"notifications/x","METHOD":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","ARGUMENTS":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","Uri":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","NAME":"b"}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a","taskid":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"TaskIds":[]}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourcesubscriptions":[]}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"Notifications":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"Result":{},"result":{}}"#,
        ] {
            assert_eq!(
                peek(body.as_bytes()),
                Err(PeekError::InvalidRequest),
                "{body}"
            );
        }
    }

    #[test]
    fn what_a_tool_takes_is_its_own_business() {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":1,"METHOD":2},"x":{"Uri":3}}}"#;
        assert!(peek(body.as_bytes()).is_ok());
    }
}
