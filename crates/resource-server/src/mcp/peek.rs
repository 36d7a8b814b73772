//! Reads the operation out of a request's body, and nothing else.
//!
//! The reader is total: a body that is not one well-formed JSON-RPC message is refused here, with
//! the JSON-RPC error that fits, because behind a foreign server nobody would check again. The
//! bytes themselves are never changed.

use std::borrow::Cow;

use portcullis_oauth::json::{self, JsonError, Limits, RawValue, json};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::access::{Operation, Target};
use super::lenient::{Object, Text};

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
    // SECURITY: the strict scan comes first, so that no other reader sees another method or name
    // (RFC 8259 section 4); sec_jwt_09_repeated_members_never_reach_the_dispatcher
    let envelope: Envelope<'_> =
        json::from_slice(body, Limits::MCP).map_err(|error| match error {
            JsonError::Shape { .. } => PeekError::InvalidRequest,
            _ => PeekError::Parse,
        })?;
    if envelope.jsonrpc.0.as_deref() != Some("2.0") {
        return Err(PeekError::InvalidRequest);
    }
    let id = envelope.id.map(RawValue::get);
    let Some(method) = envelope.method.0 else {
        return answer(id, envelope.result, envelope.error);
    };
    if envelope.result.is_some() || envelope.error.is_some() || id.is_some_and(|id| !is_id(id)) {
        return Err(PeekError::InvalidRequest);
    }
    let params = envelope.params.0.unwrap_or_default();
    let revision = params
        .meta
        .0
        .as_ref()
        .and_then(|meta| meta.revision.0.clone());
    let ended = revision
        .as_deref()
        .is_some_and(|revision| revision >= WITHOUT_SUBSCRIBE);
    let target = target(&method, params, ended).ok_or_else(|| PeekError::InvalidParams {
        id: id.map(str::to_owned),
    })?;
    let operation = Operation::new(method, target);
    Ok(match id {
        Some(id) => Message::Request {
            id,
            operation,
            revision,
        },
        None => Message::Notification { operation },
    })
}

/// A message without a method: it has an id, and a result or an error, both objects in MCP.
fn answer<'a>(
    id: Option<&str>,
    result: Option<Object<IgnoredAny>>,
    error: Option<Object<Failure<'_>>>,
) -> Result<Message<'a>, PeekError> {
    let id = id.ok_or(PeekError::InvalidRequest)?;
    let is_whole = match (result, error) {
        (Some(Object(Some(_))), None) => is_id(id),
        // Whoever could not read the request's id answers with `null`.
        (None, Some(Object(Some(failure)))) => (is_id(id) || id == "null") && failure.is_whole(),
        _ => false,
    };
    is_whole
        .then_some(Message::Response)
        .ok_or(PeekError::InvalidRequest)
}

/// An id is a string or a whole number of 64 bits; MCP forbids `null`.
fn is_id(json: &str) -> bool {
    json.starts_with('"') || json.parse::<i64>().is_ok()
}

/// From this revision on `resources/subscribe` and its opposite are unknown methods, which the
/// dispatcher says; whatever their parameters are.
const WITHOUT_SUBSCRIBE: &str = "2026-07-28";

/// The target of the methods that have one; `None` where such a method names none.
fn target<'a>(method: &str, params: Params<'a>, ended: bool) -> Option<Target<'a>> {
    Some(match method {
        "tools/call" => Target::Tool(params.name.0?),
        "prompts/get" => Target::Prompt(params.name.0?),
        "resources/subscribe" | "resources/unsubscribe" if ended => {
            params.uri.0.map_or(Target::None, Target::Resource)
        }
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            Target::Resource(params.uri.0?)
        }
        "completion/complete" => {
            let reference = params.reference.0?;
            match &*reference.kind.0? {
                "ref/prompt" => Target::Prompt(reference.name.0?),
                "ref/resource" => Target::Resource(reference.uri.0?),
                _ => return None,
            }
        }
        "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => {
            Target::Task(params.task_id.0?)
        }
        _ => Target::None,
    })
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Text<'a>,
    #[serde(borrow, default)]
    params: Object<Params<'a>>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Object<IgnoredAny>>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<Object<Failure<'a>>>,
}

/// The error of an answer.
#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Text<'a>,
}

impl Failure<'_> {
    fn is_whole(&self) -> bool {
        let code = self.code.map(RawValue::get);
        code.is_some_and(|code| code.parse::<i32>().is_ok()) && self.message.0.is_some()
    }
}

/// A member that is there counts, also as `null`.
fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The members of `params` that name a target.
#[derive(Deserialize, Default)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    uri: Text<'a>,
    #[serde(borrow, default, rename = "taskId")]
    task_id: Text<'a>,
    #[serde(borrow, default, rename = "ref")]
    reference: Object<Reference<'a>>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Object<Meta<'a>>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    uri: Text<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    revision: Text<'a>,
}
