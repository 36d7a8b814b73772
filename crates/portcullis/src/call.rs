//! One call, as a handler's arguments see it.

use std::{borrow::Cow, sync::Arc};

use portcullis_oauth::json::Value;
use portcullis_resource_server::AccessToken;

use crate::{context::Context, rmcp_adapter::Link};

/// One call of a component: `tools/call`, `prompts/get` or `resources/read`.
///
/// Implementations of [`FromToolCall`](crate::FromToolCall) read their value from it.
#[derive(Clone, Debug)]
pub struct ToolCall(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Cow<'static, str>,
    arguments: Value,
    context: Context,
}

impl ToolCall {
    /// `arguments` is an object.
    pub(crate) fn new(name: Cow<'static, str>, arguments: Value, context: Context) -> Self {
        Self(Arc::new(Inner {
            name,
            arguments,
            context,
        }))
    }

    /// The same call, over another way to the client.
    pub(crate) fn through(&self, link: Link) -> Self {
        let Inner {
            name,
            arguments,
            context,
        } = &*self.0;
        Self::new(name.clone(), arguments.clone(), context.through(link))
    }

    /// The name of the tool or prompt, or the URI of the resource, as its own server knows it
    /// (without the prefix of a mount).
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The arguments: a JSON object. A prompt's come as strings, and so do the variables of a
    /// resource template; where [`Args`](crate::Args) wants numbers or booleans, they are that.
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
