//! Tools: functions that a model can call.

mod output;

use std::{borrow::Cow, fmt, time::Duration};

use portcullis_oauth::json::{Map, Value};

pub use self::output::{IntoToolResult, Json, ToolOutput};
pub(crate) use self::output::{Output, Wrap};
use crate::{
    access::{Access, access_methods},
    args::Signature,
    definition::definition_methods,
    error::ConfigError,
    handler::{Arguments, Erased, Handler, erase},
    model,
};

/// A tool: a name, a handler, and who may use it.
///
/// ```
/// use portcullis::{AccessToken, Args, Tool, scopes};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Note { /** What to remember. */ text: String }
///
/// async fn add_note(token: AccessToken, Args(note): Args<Note>) -> String {
///     format!("{} remembers: {}", token.subject(), note.text)
/// }
///
/// let tool = Tool::new("add_note", add_note)
///     .description("Remember something")
///     .require_scopes(scopes!["notes:write"]);
/// ```
#[derive(Clone)]
pub struct Tool {
    pub(crate) definition: model::Tool,
    pub(crate) access: Access,
    pub(crate) call: Erased<ToolOutput>,
    pub(crate) background: Option<Background>,
    pub(crate) time_limit: Option<Duration>,
    fault: Option<&'static str>,
}

/// Whether a call may, or must, become a task that the client polls (extension
/// `io.modelcontextprotocol/tasks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Background {
    /// A task for a client that knows tasks, an ordinary call for every other.
    Allowed,
    /// A task; a client that does not know tasks gets an error.
    Required,
}

impl Tool {
    /// A tool that runs this handler.
    ///
    /// Its input schema comes from the handler's [`Args`](crate::Args), its output schema from
    /// [`Json`]. The name has 1 to 128 characters of `A-Z a-z 0-9 _ - .`.
    pub fn new<F, A>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        F: Handler<A>,
        F::Output: IntoToolResult + Send,
        A: Arguments,
    {
        let Signature {
            input,
            needs_token,
            fault,
        } = A::signature();
        let mut definition =
            model::Tool::new_with_raw(name, None, input.unwrap_or_else(no_arguments));
        let (wrap, output_schema) = F::Output::output_schema().map(Wrap::fit).unzip();
        definition.output_schema = output_schema.map(Into::into);
        let wrap = wrap.unwrap_or(Wrap::No);
        Self {
            definition,
            access: Access {
                needs_token,
                ..Access::default()
            },
            call: erase(handler, move |output: F::Output, _| {
                output.into_tool_result().map(|output| wrap.apply(output))
            }),
            background: None,
            time_limit: None,
            fault,
        }
    }

    /// The input schema, word for word, instead of the one that `Args` gives. It must be an
    /// object of type `object`.
    #[must_use]
    pub fn input_schema(mut self, schema: Value) -> Self {
        match object_schema(schema) {
            Some(schema) => self.definition.input_schema = schema.into(),
            None => self.fault = Some("an input schema is an object with `\"type\": \"object\"`"),
        }
        self
    }

    /// The output schema, word for word. It must be an object of type `object`.
    #[must_use]
    pub fn output_schema(mut self, schema: Value) -> Self {
        match object_schema(schema) {
            Some(schema) => self.definition.output_schema = Some(schema.into()),
            None => self.fault = Some("an output schema is an object with `\"type\": \"object\"`"),
        }
        self
    }

    /// Hints for the client: read-only, destructive, and so on.
    #[must_use]
    pub fn annotations(mut self, annotations: model::ToolAnnotations) -> Self {
        self.definition.annotations = Some(annotations);
        self
    }

    /// Runs calls as tasks (extension `io.modelcontextprotocol/tasks`): the client gets a task
    /// at once and asks for the result later. The handler stays the same.
    #[must_use]
    pub fn background(mut self, background: Background) -> Self {
        self.background = Some(background);
        self
    }

    /// How long one call may take. Default: as long as the client waits.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// The tool's name.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let name = self.name();
        let fault = self
            .fault
            .or_else(|| self.access.fault())
            .or_else(|| name_fault(name));
        fault.map_or(Ok(()), |fault| {
            Err(ConfigError::new(format!("tool `{name}`"), fault))
        })
    }
}

definition_methods!(Tool, "What the tool does, for the model.");
access_methods!(Tool);

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.definition.name)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

fn no_arguments() -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(Map::new()));
    schema
}

fn object_schema(schema: Value) -> Option<Map<String, Value>> {
    match schema {
        Value::Object(schema) if schema.get("type").and_then(Value::as_str) == Some("object") => {
            Some(schema)
        }
        _ => None,
    }
}

/// Names go into HTTP headers and into every client's own naming scheme.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let fits = (1..=128).contains(&name.len()) && name.bytes().all(allowed);
    (!fits).then_some("a name has 1 to 128 characters of `A-Z a-z 0-9 _ - .`")
}

#[cfg(test)]
mod tests;
