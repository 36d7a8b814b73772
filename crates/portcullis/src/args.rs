//! What a handler may ask for as an argument.
//!
//! | argument | gives |
//! |---|---|
//! | [`Args<T>`](Args) | the call's arguments, parsed into `T`; also the tool's input schema |
//! | [`AccessToken`] | the verified caller; the component is then hidden from everybody else |
//! | `Option<AccessToken>` | the verified caller, if there is one |
//! | [`UpstreamToken`] | the identity provider's token of the caller, for its APIs; hidden as above |
//! | `Option<UpstreamToken>` | the same, where a provider stands behind the caller |
//! | [`Context`] | progress, logs, questions to the client, the running server |
//! | [`ToolCall`] | everything at once |
//!
//! Your own types become arguments by implementing [`FromToolCall`].

use portcullis_oauth::json::{Map, Value};
use portcullis_resource_server::{
    AccessToken, UpstreamToken, UpstreamTokenError, load_upstream_tokens,
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::{ToolCall, ToolError, context::Context};

/// A type that can be an argument of a tool, a prompt or a resource.
///
/// ```
/// use portcullis::{FromToolCall, ToolCall, ToolError};
///
/// struct Tenant(String);
///
/// impl FromToolCall for Tenant {
///     async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
///         let token = call.access_token().ok_or_else(|| ToolError::new("sign in first"))?;
///         token.claim("tenant").map(Tenant).ok_or_else(|| ToolError::new("no tenant"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a tool",
    label = "not an argument of a tool",
    note = "arguments are `Args<T>`, `AccessToken`, `UpstreamToken`, each of the two in an `Option`, `Context`, `ToolCall`, or a type that implements `FromToolCall`",
    note = "what the caller sends is a struct that derives `Deserialize` and `JsonSchema`, taken as `Args(..): Args<ThatStruct>`"
)]
pub trait FromToolCall: Sized + Send {
    /// Says what this argument adds to the definition of the component. Called once, when the
    /// component is made.
    fn describe(signature: &mut Signature) {
        let _ = signature;
    }

    /// Reads the value from one call.
    ///
    /// # Errors
    /// When the call does not carry it. The handler does not run then, and the error is the
    /// answer.
    fn from_tool_call(call: &ToolCall) -> impl Future<Output = Result<Self, ToolError>> + Send;
}

/// What the arguments of a handler say about its component.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    pub(crate) input: Option<Map<String, Value>>,
    pub(crate) needs_token: bool,
    pub(crate) fault: Option<&'static str>,
}

impl Signature {
    /// The JSON Schema (2020-12) of the arguments: an object.
    pub fn input_schema(&mut self, schema: Map<String, Value>) {
        if self.input.replace(schema).is_some() {
            self.fault = Some("a handler has one `Args`");
        }
    }

    /// Without a verified caller the component is hidden and cannot be called.
    pub fn require_token(&mut self) {
        self.needs_token = true;
    }
}

/// The arguments of the call, parsed. `T` also gives the tool its input schema, so document its
/// fields: the model reads that.
///
/// Arguments that do not fit are answered with a result the model can act on (`isError`), and
/// the handler does not run.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper that is taken apart in signatures"
)]
pub struct Args<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Send> FromToolCall for Args<T> {
    fn describe(signature: &mut Signature) {
        let schema = schema_of::<T>();
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            signature.fault = Some("the type in `Args` is not an object in JSON: use a struct");
        }
        signature.input_schema(schema);
    }

    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        T::deserialize(call.arguments()).map(Self).map_err(|error| {
            let text = error.to_string();
            let kind = KINDS.iter().find(|kind| text.starts_with(**kind));
            let cause = InvalidArguments(kind.copied().unwrap_or("invalid"));
            ToolError::new(format!("invalid arguments: {text}")).source(cause)
        })
    }
}

/// Arguments that do not fit, as far as a log may tell: without their names and values.
#[derive(Debug, thiserror::Error)]
#[error("invalid arguments ({0})")]
pub(crate) struct InvalidArguments(&'static str);

/// What serde finds wrong, as its messages begin. The rest of a message may quote the caller.
const KINDS: [&str; 7] = [
    "duplicate field",
    "invalid length",
    "invalid type",
    "invalid value",
    "missing field",
    "unknown field",
    "unknown variant",
];

impl FromToolCall for AccessToken {
    fn describe(signature: &mut Signature) {
        signature.require_token();
    }

    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        call.access_token()
            .cloned()
            .ok_or_else(|| ToolError::new("a verified caller is needed"))
    }
}

impl FromToolCall for Option<AccessToken> {
    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        Ok(call.access_token().cloned())
    }
}

/// Loaded before the handler runs, and refreshed where it had expired. Where the provider has ended
/// what was granted, the call is answered with 401 while the status is open, and in band where it is
/// not; where the provider is out of reach, with a failure that the model reads.
impl FromToolCall for UpstreamToken {
    fn describe(signature: &mut Signature) {
        signature.require_token();
    }

    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        let token = AccessToken::from_tool_call(call).await?;
        Ok(load_upstream_tokens(&token).await?)
    }
}

impl FromToolCall for Option<UpstreamToken> {
    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        let Some(token) = call.access_token() else {
            return Ok(None);
        };
        match load_upstream_tokens(token).await {
            Err(UpstreamTokenError::Absent) => Ok(None),
            loaded => Ok(Some(loaded?)),
        }
    }
}

impl FromToolCall for Context {
    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        Ok(call.context().clone())
    }
}

impl FromToolCall for ToolCall {
    async fn from_tool_call(call: &ToolCall) -> Result<Self, ToolError> {
        Ok(call.clone())
    }
}

/// The JSON Schema of a type, as MCP wants it: draft 2020-12, without the type's Rust name.
pub(crate) fn schema_of<T: JsonSchema>() -> Map<String, Value> {
    object(
        SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<T>(),
    )
}

/// The JSON Schema of a type with everything in place: what a form can show.
pub(crate) fn flat_schema_of<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    object(settings.into_generator().into_root_schema_for::<T>())
}

fn object(schema: schemars::Schema) -> Map<String, Value> {
    match schema.to_value() {
        Value::Object(mut object) => {
            object.remove("title");
            object
        }
        // `true` and `false` are schemas too: anything, nothing.
        _ => Map::new(),
    }
}
