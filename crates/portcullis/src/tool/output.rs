//! What a tool may return.

use std::borrow::Cow;

use portcullis_oauth::json::{Map, Value};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{ToolError, args::schema_of, model};

/// A type that a tool can return.
///
/// Text (`String`, `&str`), [`Json`] for structured content, content blocks, a whole
/// [`CallToolResult`](model::CallToolResult), `()`, and a `Result` of any of these whose error
/// becomes a [`ToolError`].
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    note = "return text, `Json<T>`, content blocks, `CallToolResult`, or a `Result` of these with `ToolError`"
)]
pub trait IntoToolResult {
    /// The JSON Schema of the structured content, if there is some. One that is not of type
    /// `object` is wrapped, and the content with it.
    fn output_schema() -> Option<Map<String, Value>> {
        None
    }

    /// The answer to the call.
    ///
    /// # Errors
    /// When the call failed, or its output cannot be written as JSON.
    fn into_tool_result(self) -> Result<ToolOutput, ToolError>;
}

/// The answer to a call: a result, or a task that will have one.
#[derive(Clone, Debug)]
pub struct ToolOutput(pub(crate) Output);

#[derive(Clone, Debug)]
pub(crate) enum Output {
    Result(model::CallToolResult),
    /// Not wrapped yet.
    Structured(Value),
    Task(model::CreateTaskResult),
}

impl From<model::CallToolResult> for ToolOutput {
    fn from(result: model::CallToolResult) -> Self {
        Self(Output::Result(result))
    }
}

/// Structured content, with the output schema of `T`.
///
/// A `T` that is not an object in JSON is wrapped as `{"result": ..}`, because structured
/// content is an object. The same JSON also goes out as text, for older clients.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper that is written in signatures"
)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema> IntoToolResult for Json<T> {
    fn output_schema() -> Option<Map<String, Value>> {
        Some(schema_of::<T>())
    }

    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput(Output::Structured(serde_json::to_value(
            self.0,
        )?)))
    }
}

/// Whether structured content becomes `{"result": ..}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    Yes,
    No,
}

impl Wrap {
    /// The schema to publish, and what to do with the content.
    pub(crate) fn fit(schema: Map<String, Value>) -> (Self, Map<String, Value>) {
        if schema.get("type").and_then(Value::as_str) == Some("object") {
            (Self::No, schema)
        } else {
            (Self::Yes, wrapped(schema))
        }
    }

    pub(crate) fn apply(self, output: ToolOutput) -> ToolOutput {
        match (self, output.0) {
            (Self::No, Output::Structured(value)) => {
                model::CallToolResult::structured(value).into()
            }
            (Self::Yes, Output::Structured(value)) => {
                let value = Value::Object(Map::from_iter([(WRAPPER.to_owned(), value)]));
                model::CallToolResult::structured(value).into()
            }
            (_, other) => ToolOutput(other),
        }
    }
}

const WRAPPER: &str = "result";

fn wrapped(mut schema: Map<String, Value>) -> Map<String, Value> {
    let definitions = schema.remove("$defs");
    let dialect = schema.remove("$schema");
    let properties = Map::from_iter([(WRAPPER.to_owned(), Value::Object(schema))]);
    let mut wrapper = Map::new();
    wrapper.insert("type".to_owned(), "object".into());
    wrapper.insert("properties".to_owned(), Value::Object(properties));
    wrapper.insert("required".to_owned(), vec![WRAPPER].into());
    wrapper.extend(dialect.map(|dialect| ("$schema".to_owned(), dialect)));
    wrapper.extend(definitions.map(|definitions| ("$defs".to_owned(), definitions)));
    wrapper
}

impl IntoToolResult for ToolOutput {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(self)
    }
}

impl IntoToolResult for model::CallToolResult {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(self.into())
    }
}

impl IntoToolResult for () {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(model::CallToolResult::success(Vec::new()).into())
    }
}

impl IntoToolResult for model::ContentBlock {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        vec![self].into_tool_result()
    }
}

impl IntoToolResult for Vec<model::ContentBlock> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(model::CallToolResult::success(self).into())
    }
}

impl<const N: usize> IntoToolResult for [model::ContentBlock; N] {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Vec::from(self).into_tool_result()
    }
}

macro_rules! text {
    ($($text:ty),*) => {$(
        impl IntoToolResult for $text {
            fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
                model::ContentBlock::text(self).into_tool_result()
            }
        }
    )*};
}

text!(String, &'static str, Cow<'static, str>);

impl<T: IntoToolResult, E: Into<ToolError>> IntoToolResult for Result<T, E> {
    fn output_schema() -> Option<Map<String, Value>> {
        T::output_schema()
    }

    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        self.map_err(Into::into)?.into_tool_result()
    }
}
