//! Prompts: messages that a user picks, with arguments filled in.

use std::fmt;

use futures_util::FutureExt as _;
use portcullis_oauth::json::Value;

use crate::{
    ToolError,
    access::{Access, access_methods},
    complete::{Completer, Completion, Completions},
    definition::definition_methods,
    error::ConfigError,
    handler::{Arguments, Erased, Handler, erase},
    model,
    text_args::{self, TextArguments},
    tool::name_fault,
};

/// A prompt: a name, a handler that writes its messages, and who may use it.
///
/// ```
/// use portcullis::{Args, Prompt};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Review { /** The language of the code. */ language: String }
///
/// async fn review(Args(Review { language }): Args<Review>) -> String {
///     format!("Review this {language} code as its maintainer would.")
/// }
///
/// let prompt = Prompt::new("review", review).description("Ask for a code review");
/// ```
#[derive(Clone)]
pub struct Prompt {
    pub(crate) definition: model::Prompt,
    pub(crate) access: Access,
    pub(crate) call: Erased<model::GetPromptResult>,
    pub(crate) completers: Vec<(String, Completer)>,
    pub(crate) text: TextArguments,
    fault: Option<&'static str>,
}

impl Prompt {
    /// A prompt that runs this handler. Its arguments come from the handler's
    /// [`Args`](crate::Args). MCP sends them as strings, from which numbers and booleans are read;
    /// so every field is one of these, an optional one, or an enum without data. Anything else is
    /// a fault when the server is built.
    pub fn new<F, A>(name: impl Into<String>, handler: F) -> Self
    where
        F: Handler<A>,
        F::Output: IntoPromptResult + Send,
        A: Arguments,
    {
        let signature = A::signature();
        let arguments = signature.input.as_ref().map(arguments_of);
        let text = signature.input.as_ref().map(TextArguments::of);
        let (text, unspeakable) = text_args::parts(text);
        let access = Access {
            needs_token: signature.needs_token,
            ..Access::default()
        };
        Self {
            definition: model::Prompt::from_raw(name, None::<String>, arguments),
            access,
            call: erase(handler, |output, _| output.into_prompt_result()),
            completers: Vec::new(),
            text,
            fault: signature.fault.or(unspeakable),
        }
    }

    /// Offers values for an argument while the user types (`completion/complete`).
    #[must_use]
    pub fn complete<F, Fut>(mut self, argument: impl Into<String>, complete: F) -> Self
    where
        F: Fn(Completion) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Into<Completions>> + Send + 'static,
    {
        let completer: Completer =
            std::sync::Arc::new(move |typed| complete(typed).map(Into::into).boxed());
        self.completers.push((argument.into(), completer));
        self
    }

    /// The prompt's name.
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
            Err(ConfigError::new(format!("prompt `{name}`"), fault))
        })
    }
}

definition_methods!(Prompt, "What the prompt is for.");
access_methods!(Prompt);

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("name", &self.definition.name)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// The properties of a JSON Schema, as a prompt declares its arguments.
fn arguments_of(schema: &portcullis_oauth::json::Map<String, Value>) -> Vec<model::PromptArgument> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    let argument = |(name, property): (&String, &Value)| {
        let mut argument =
            model::PromptArgument::new(name).with_required(required.contains(&name.as_str()));
        argument.description = property
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned);
        argument
    };
    properties
        .map(|properties| properties.iter().map(argument).collect())
        .unwrap_or_default()
}

/// A type that a prompt can return: text (one message of the user), messages, a whole
/// [`GetPromptResult`](model::GetPromptResult), or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "a prompt cannot return `{Self}`",
    note = "return text, `PromptMessage`s, `GetPromptResult`, or a `Result` of these with `ToolError`"
)]
pub trait IntoPromptResult {
    /// The answer to `prompts/get`.
    ///
    /// # Errors
    /// When the prompt failed.
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError>;
}

impl IntoPromptResult for model::GetPromptResult {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        Ok(self)
    }
}

impl IntoPromptResult for Vec<model::PromptMessage> {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        Ok(model::GetPromptResult::new(self))
    }
}

impl<const N: usize> IntoPromptResult for [model::PromptMessage; N] {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        Vec::from(self).into_prompt_result()
    }
}

impl IntoPromptResult for model::PromptMessage {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        vec![self].into_prompt_result()
    }
}

impl IntoPromptResult for String {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        model::PromptMessage::new_text(model::Role::User, self).into_prompt_result()
    }
}

impl IntoPromptResult for &'static str {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        self.to_owned().into_prompt_result()
    }
}

impl<T: IntoPromptResult, E: Into<ToolError>> IntoPromptResult for Result<T, E> {
    fn into_prompt_result(self) -> Result<model::GetPromptResult, ToolError> {
        self.map_err(Into::into)?.into_prompt_result()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct One<T> {
        #[expect(dead_code, reason = "only its type matters")]
        value: T,
    }

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    enum Tone {
        Kind,
        Plain,
    }

    fn fits<T>() -> bool
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema + Send + 'static,
    {
        let prompt = Prompt::new("p", async |Args(_): Args<One<T>>| "done");
        prompt.check().is_ok()
    }

    #[test]
    fn arguments_that_no_string_fits_are_refused() {
        assert!(fits::<String>() && fits::<Option<String>>());
        assert!(fits::<Tone>() && fits::<Option<Tone>>());
        assert!(fits::<u32>() && fits::<Option<bool>>());
        assert!(!fits::<Vec<String>>() && !fits::<One<String>>());
    }
}
