//! From what happened to what the client is told. Nothing of its input is echoed, but the URI of
//! a resource that does not exist, which MCP asks for.

use std::borrow::Cow;

use portcullis_oauth::{ScopeSet, json::Value};
use portcullis_resource_server::mcp::StepUp;

use crate::{ToolError, args::InvalidArguments, model, server::Refusal};

/// One answer for what does not exist and for what is hidden.
pub(super) fn refused(refusal: Refusal, what: &'static str) -> model::ErrorData {
    match refusal {
        Refusal::Unknown => model::ErrorData::invalid_params(what, None),
        Refusal::StepUp(scopes) => insufficient_scope(&scopes),
    }
}

pub(super) const UNKNOWN_TOOL: &str = "unknown tool";
pub(super) const UNKNOWN_PROMPT: &str = "unknown prompt";

pub(super) fn refused_uri(refusal: Refusal, uri: &str) -> model::ErrorData {
    match refusal {
        Refusal::Unknown => {
            let data = serde_json::json!({ "uri": uri });
            model::ErrorData::resource_not_found("resource not found", Some(data))
        }
        Refusal::StepUp(scopes) => insufficient_scope(&scopes),
    }
}

/// The in-band form of the challenge, where the HTTP status is no longer open.
pub(super) fn insufficient_scope(scopes: &ScopeSet) -> model::ErrorData {
    let data = serde_json::json!({ "error": "insufficient_scope", "scope": scopes.to_string() });
    model::ErrorData::invalid_request("the token lacks a scope that this needs", Some(data))
}

/// The failure of a tool, as a result that the model reads.
pub(super) fn failed(message: impl Into<String>) -> model::CallToolResult {
    model::CallToolResult::error(vec![model::ContentBlock::text(message)])
}

/// The same, with what a client needs to step up; a challenge for one that looks for it here.
pub(super) fn short_of_scopes(
    scopes: &ScopeSet,
    challenge: Option<String>,
) -> model::CallToolResult {
    let mut meta = model::MetaObject::new();
    meta.insert("error".to_owned(), "insufficient_scope".into());
    meta.insert("scope".to_owned(), Value::from(scopes.to_string()));
    if let Some(challenge) = challenge {
        meta.insert(StepUp::CHALLENGE_MEMBER.to_owned(), vec![challenge].into());
    }
    failed(format!("the token lacks a scope that this needs: {scopes}")).with_meta(Some(meta))
}

/// The failure of a tool whose user has to sign in again; with a challenge for a client that looks
/// for it here.
pub(super) fn signed_out(
    message: impl Into<String>,
    challenge: Option<String>,
) -> model::CallToolResult {
    let mut meta = model::MetaObject::new();
    meta.insert("error".to_owned(), INVALID_TOKEN.into());
    if let Some(challenge) = challenge {
        meta.insert(StepUp::CHALLENGE_MEMBER.to_owned(), vec![challenge].into());
    }
    failed(message).with_meta(Some(meta))
}

/// The same of a prompt or a resource, which have no error results.
pub(super) fn invalid_token(message: impl Into<Cow<'static, str>>) -> model::ErrorData {
    let data = serde_json::json!({ "error": INVALID_TOKEN });
    model::ErrorData::invalid_request(message, Some(data))
}

const INVALID_TOKEN: &str = "invalid_token";

/// Whether the arguments do not fit the handler's: the caller's mistake.
pub(super) fn is_unfit(error: &ToolError) -> bool {
    matches!(error.cause(), Some(cause) if cause.is::<InvalidArguments>())
}

/// Writes what only the operator may know.
pub(super) fn log_failure(component: &str, error: &ToolError) {
    let cause = error.cause();
    if let Some(cause) = cause.and_then(|cause| cause.downcast_ref::<InvalidArguments>()) {
        // The message quotes arguments, which are the model's to read and nobody else's; and it is
        // the caller's mistake, not ours.
        tracing::debug!(component, "{cause}");
    } else if let Some(cause) = cause {
        tracing::warn!(
            component,
            error = cause as &dyn std::error::Error,
            "{}",
            error.message()
        );
    } else {
        tracing::debug!(component, "{}", error.message());
    }
}

/// Methods whose parameters the SDK reads before we see them. It hands us what it cannot read.
const KNOWN_METHODS: [&str; 16] = [
    "completion/complete",
    "logging/setLevel",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/update",
    "tools/call",
    "tools/list",
];

/// Methods that ended with the revision whose sessions needed them.
const ENDED_METHODS: [&str; 3] = [
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
];

/// A request that is not what its method says, or has a method nobody knows.
pub(super) fn unreadable(method: &str, modern: bool) -> model::ErrorData {
    let ended = modern && ENDED_METHODS.contains(&method);
    if KNOWN_METHODS.contains(&method) && !ended {
        model::ErrorData::invalid_params("the parameters do not fit the method", None)
    } else {
        model::ErrorData::new(model::ErrorCode::METHOD_NOT_FOUND, "unknown method", None)
    }
}
