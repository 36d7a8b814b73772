//! Calls: find the component, ask whether the caller may have it, run it, word the answer.

use std::{sync::Arc, time::Duration};

use portcullis_oauth::json::{Map, Value};

use super::{
    App, Cx, McpResult, answer,
    link::Link,
    turn::{Brought, Operation, Turn},
};
use crate::{
    Prompt, ResourceTemplate, Tool, ToolError, ToolOutput,
    complete::{Completer, Completion},
    context::PendingInputs,
    error::Kind,
    handler::{Erased, isolate},
    model,
    resource::{Cache, ResourceOutput},
    server::{Readable, Refusal},
    tool::{Background, Output},
};

/// How long values may be looked for while a user types.
const COMPLETION_LIMIT: Duration = Duration::from_secs(10);

impl App {
    pub(super) async fn run_tool(
        &self,
        params: model::CallToolRequestParams,
        cx: Cx,
    ) -> McpResult<model::CallToolResponse> {
        let caller = self.caller(&cx.extensions);
        let found = self.core.admit::<Tool>(&caller, &params.name).await;
        let found = found.map_err(|refusal| answer::refused(refusal, answer::UNKNOWN_TOOL))?;
        let tool = &*found.component;
        let operation = Operation {
            method: "tools/call",
            key: params.name,
        };
        let brought = Brought {
            arguments: params.arguments.unwrap_or_default(),
            state: params.request_state,
            responses: params.input_responses,
        };
        let name = tool.definition.name.clone();
        let turn = self.begin(operation, name, brought, (caller, cx))?;
        if let Some(output) = in_background(tool, &turn)? {
            return Ok(output);
        }
        let run = within(tool.time_limit, (tool.call)(turn.call.clone()));
        match turn.link().until_cancelled(run).await {
            Ok(ToolOutput(Output::Result(result))) => Ok(result.into()),
            Ok(ToolOutput(Output::Structured(value))) => {
                Ok(model::CallToolResult::structured(value).into())
            }
            Ok(ToolOutput(Output::Task(task))) => Ok(task.into()),
            Err(error) => {
                answer::log_failure(turn.key(), &error);
                match error.into_parts() {
                    (message, Kind::Failed) => Ok(answer::failed(message).into()),
                    (_, Kind::Scopes(scopes)) => {
                        turn.link().step_up(&scopes);
                        let challenge = turn.link().challenge(&scopes);
                        Ok(answer::short_of_scopes(&scopes, challenge).into())
                    }
                    (message, Kind::SignIn) => {
                        let challenge = turn.link().sign_in_again();
                        Ok(answer::signed_out(message, challenge).into())
                    }
                    (_, Kind::Protocol(error)) => Err(error),
                    (_, Kind::Inputs(inputs)) => Ok(self.ask(inputs, &turn)?.into()),
                }
            }
        }
    }

    pub(super) async fn run_prompt(
        &self,
        params: model::GetPromptRequestParams,
        cx: Cx,
    ) -> McpResult<model::GetPromptResponse> {
        let caller = self.caller(&cx.extensions);
        let found = self.core.admit::<Prompt>(&caller, &params.name).await;
        let found = found.map_err(|refusal| answer::refused(refusal, answer::UNKNOWN_PROMPT))?;
        let prompt = &*found.component;
        let operation = Operation {
            method: "prompts/get",
            key: params.name.into(),
        };
        let mut arguments = params.arguments.unwrap_or_default();
        prompt.text.convert(&mut arguments);
        let brought = Brought {
            arguments,
            state: params.request_state,
            responses: params.input_responses,
        };
        let name = prompt.definition.name.clone();
        let turn = self.begin(operation, name, brought, (caller, cx))?;
        let run = (prompt.call)(turn.call.clone());
        match turn.link().until_cancelled(run).await {
            Ok(mut result) => {
                if result.description.is_none() {
                    result
                        .description
                        .clone_from(&prompt.definition.description);
                }
                Ok(result.into())
            }
            Err(error) => {
                answer::log_failure(turn.key(), &error);
                Ok(self.ask(open_questions(error, &turn)?, &turn)?.into())
            }
        }
    }

    pub(super) async fn run_resource(
        &self,
        params: model::ReadResourceRequestParams,
        cx: Cx,
    ) -> McpResult<model::ReadResourceResponse> {
        let caller = self.caller(&cx.extensions);
        let uri = params.uri;
        let readable = self.core.admit_uri(&caller, &uri).await;
        let readable = readable.map_err(|refusal| answer::refused_uri(refusal, &uri))?;
        let component = readable.key().to_owned();
        let Reading {
            name,
            variables,
            call,
            mime_type,
            cache,
        } = reading(readable);
        let operation = Operation {
            method: "resources/read",
            key: uri.into(),
        };
        let brought = Brought {
            arguments: variables,
            state: params.request_state,
            responses: params.input_responses,
        };
        let turn = self.begin(operation, name, brought, (caller, cx))?;
        match turn.link().until_cancelled(call(turn.call.clone())).await {
            Ok(output) => {
                let contents = output.into_contents(turn.key(), mime_type.as_deref());
                Ok(cached(model::ReadResourceResult::new(contents), cache).into())
            }
            Err(error) => {
                // SECURITY: a URI holds what a client chose to write, a query too, and goes to no
                // log (CWE-532); sec_op_01_a_log_does_not_quote_a_uri
                answer::log_failure(&component, &error);
                if answer::is_unfit(&error) {
                    // All that it was given is the URI, which then names nothing.
                    return Err(answer::refused_uri(Refusal::Unknown, turn.key()));
                }
                Ok(self.ask(open_questions(error, &turn)?, &turn)?.into())
            }
        }
    }

    pub(super) async fn run_completion(
        &self,
        params: model::CompleteRequestParams,
        cx: Cx,
    ) -> McpResult<model::CompleteResult> {
        let caller = self.caller(&cx.extensions);
        let argument = params.argument;
        let completer = match &params.r#ref {
            model::Reference::Prompt(prompt) => {
                let found = self.core.admit::<Prompt>(&caller, &prompt.name).await;
                let found =
                    found.map_err(|refusal| answer::refused(refusal, answer::UNKNOWN_PROMPT))?;
                completer(&found.component.completers, &argument.name)
            }
            model::Reference::Resource(template) => {
                let found = self
                    .core
                    .admit::<ResourceTemplate>(&caller, &template.uri)
                    .await;
                let found = found.map_err(|refusal| answer::refused_uri(refusal, &template.uri))?;
                completer(&found.component.completers, &argument.name)
            }
            _ => None,
        };
        let Some(completer) = completer else {
            return Ok(model::CompleteResult::default());
        };
        let filled = params
            .context
            .and_then(|context| context.arguments)
            .unwrap_or_default();
        let typed = Completion {
            value: argument.value,
            arguments: filled,
        };
        // Within the future, so that a panic of the function itself ends only this call too.
        let run = isolate(async move { Ok(completer(typed).await.0) });
        let run = within(Some(COMPLETION_LIMIT), run);
        match Link::new(self, cx).until_cancelled(run).await {
            Ok(values) => Ok(model::CompleteResult::new(first_page(values))),
            Err(error) => {
                answer::log_failure("completion", &error);
                let failed = "the completion failed";
                Err(model::ErrorData::internal_error(failed, None))
            }
        }
    }
}

/// Starts a task if the tool and the client want one.
fn in_background(tool: &Tool, turn: &Turn) -> McpResult<Option<model::CallToolResponse>> {
    let Some(background) = tool.background else {
        return Ok(None);
    };
    if !turn.link().capabilities().supports_tasks() {
        return match background {
            Background::Allowed => Ok(None),
            Background::Required => Err(Link::tasks_required()),
        };
    }
    let task = turn.link().spawn_task(turn.caller(), |link| {
        within(tool.time_limit, (tool.call)(turn.call.through(link)))
    })?;
    Ok(Some(task.into()))
}

async fn within<T>(
    limit: Option<Duration>,
    run: impl Future<Output = Result<T, ToolError>>,
) -> Result<T, ToolError> {
    match limit {
        None => run.await,
        Some(limit) => tokio::time::timeout(limit, run)
            .await
            .unwrap_or_else(|_| Err(ToolError::new("the tool took too long"))),
    }
}

/// Prompts and resources have no error results: what is not a question is a JSON-RPC error.
fn open_questions(error: ToolError, turn: &Turn) -> McpResult<PendingInputs> {
    let unfit = answer::is_unfit(&error);
    match error.into_parts() {
        (_, Kind::Inputs(inputs)) => Ok(inputs),
        (_, Kind::Protocol(error)) => Err(error),
        (_, Kind::Scopes(scopes)) => {
            turn.link().step_up(&scopes);
            Err(answer::insufficient_scope(&scopes))
        }
        (message, Kind::SignIn) => {
            turn.link().sign_in_again();
            Err(answer::invalid_token(message))
        }
        (message, Kind::Failed) if unfit => Err(model::ErrorData::invalid_params(message, None)),
        (message, Kind::Failed) => Err(model::ErrorData::internal_error(message, None)),
    }
}

/// How a resource is read.
struct Reading {
    /// Its URI, as its own server knows it.
    name: String,
    /// What the URI says for the variables of a template.
    variables: Map<String, Value>,
    call: Erased<ResourceOutput>,
    mime_type: Option<String>,
    cache: Option<Cache>,
}

fn reading(readable: Readable) -> Reading {
    match readable {
        Readable::Resource(found) => {
            let resource = found.component;
            Reading {
                name: resource.definition.uri.clone(),
                variables: Map::new(),
                call: Arc::clone(&resource.call),
                mime_type: resource.definition.mime_type.clone(),
                cache: resource.cache,
            }
        }
        Readable::Template(matched) => {
            let template = matched.found.component;
            let mut variables = matched.variables;
            template.text.convert(&mut variables);
            Reading {
                name: matched.own_uri,
                variables,
                call: Arc::clone(&template.call),
                mime_type: template.definition.mime_type.clone(),
                cache: template.cache,
            }
        }
    }
}

fn cached(result: model::ReadResourceResult, cache: Option<Cache>) -> model::ReadResourceResult {
    let Some(cache) = cache else { return result };
    let scope = if cache.shared {
        model::CacheScope::Public
    } else {
        model::CacheScope::Private
    };
    let fresh = u64::try_from(cache.fresh.as_millis()).unwrap_or(u64::MAX);
    result.with_ttl_ms(fresh).with_cache_scope(scope)
}

fn completer(completers: &[(String, Completer)], argument: &str) -> Option<Completer> {
    let mut named = completers.iter().filter(|(name, _)| name == argument);
    named.next().map(|(_, completer)| Arc::clone(completer))
}

fn first_page(mut values: Vec<String>) -> model::CompletionInfo {
    let total = values.len();
    values.truncate(model::CompletionInfo::MAX_VALUES);
    let mut page = model::CompletionInfo::default();
    page.has_more = Some(total > values.len());
    page.total = u32::try_from(total).ok();
    page.values = values;
    page
}
