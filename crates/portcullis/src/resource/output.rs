//! What a resource may return.

use portcullis_oauth::crypto::base64;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Json, ToolError, model};

/// A type that a resource can return: text, bytes, [`Json`], ready-made contents, or a `Result`
/// of these.
#[diagnostic::on_unimplemented(
    message = "a resource cannot return `{Self}`",
    note = "return text, `Vec<u8>`, `Json<T>`, `ResourceContents`, or a `Result` of these with `ToolError`"
)]
pub trait IntoResourceResult {
    /// The answer to `resources/read`.
    ///
    /// # Errors
    /// When the read failed.
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError>;
}

/// What was read, before it knows the URI that was asked for.
#[derive(Clone, Debug)]
pub struct ResourceOutput(Output);

#[derive(Clone, Debug)]
enum Output {
    Text(String, Option<&'static str>),
    Bytes(Vec<u8>),
    Contents(Vec<model::ResourceContents>),
}

impl ResourceOutput {
    pub(crate) fn into_contents(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Vec<model::ResourceContents> {
        let (contents, default) = match self.0 {
            Output::Contents(contents) => return contents,
            Output::Text(text, own) => (
                model::ResourceContents::text(text, uri),
                own.unwrap_or("text/plain"),
            ),
            Output::Bytes(bytes) => (
                model::ResourceContents::blob(base64::encode(&bytes), uri),
                "application/octet-stream",
            ),
        };
        vec![contents.with_mime_type(mime_type.unwrap_or(default))]
    }
}

impl IntoResourceResult for String {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        Ok(ResourceOutput(Output::Text(self, None)))
    }
}

impl IntoResourceResult for &'static str {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        self.to_owned().into_resource_result()
    }
}

impl IntoResourceResult for Vec<u8> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        Ok(ResourceOutput(Output::Bytes(self)))
    }
}

impl<T: Serialize + JsonSchema> IntoResourceResult for Json<T> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        let text = serde_json::to_string(&self.0)?;
        Ok(ResourceOutput(Output::Text(text, Some("application/json"))))
    }
}

impl IntoResourceResult for model::ResourceContents {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        vec![self].into_resource_result()
    }
}

impl IntoResourceResult for Vec<model::ResourceContents> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        Ok(ResourceOutput(Output::Contents(self)))
    }
}

impl<T: IntoResourceResult, E: Into<ToolError>> IntoResourceResult for Result<T, E> {
    fn into_resource_result(self) -> Result<ResourceOutput, ToolError> {
        self.map_err(Into::into)?.into_resource_result()
    }
}
