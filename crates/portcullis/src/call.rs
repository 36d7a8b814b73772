//! One call, as a handler's arguments see it.

use std::sync::Arc;

use portcullis_oauth::json::{Map, Value};
use portcullis_resource_server::AccessToken;

use crate::context::Context;

/// One call of a component: `tools/call`, `prompts/get` or `resources/read`.
///
/// Implementations of [`FromToolCall`](crate::FromToolCall) read their value from it.
#[derive(Clone, Debug)]
pub struct ToolCall(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    arguments: Value,
    context: Context,
}

impl ToolCall {
    pub(crate) fn new(name: String, arguments: Map<String, Value>, context: Context) -> Self {
        Self(Arc::new(Inner {
            name,
            arguments: Value::Object(arguments),
            context,
        }))
    }

    /// The name of the tool or prompt, or the URI of the resource, as its own server knows it
    /// (without the prefix of a mount).
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The arguments: a JSON object. A prompt's are strings, and so are the variables of a
    /// resource template.
    pub fn arguments(&self) -> &Value {
        &self.0.arguments
    }

    /// The verified caller, if there is one.
    pub fn access_token(&self) -> Option<&AccessToken> {
        self.0.context.caller().token()
    }

    /// Progress, logs, questions to the client, and everything else around the call.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// The HTTP request that carried the call, without its body and its credentials. `None` on
    /// stdio and in memory.
    pub fn http(&self) -> Option<&http::request::Parts> {
        self.0.context.http()
    }
}
