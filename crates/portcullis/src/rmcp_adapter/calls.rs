//! Calls: find the component, ask whether the caller may have it, run it, word the answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use portcullis_oauth::json::{Map, Value};

use super::{App, Cx, McpResult, answer, link::Link};
use crate::{
    Prompt, ResourceTemplate, Tool, ToolCall, ToolError, ToolOutput,
    access::Caller,
    complete::{Completer, Completion},
    context::{Carried, Context, PendingInputs, Round},
    error::Kind,
    handler::isolate,
    model,
    registry::Found,
    resource::{Cache, ResourceOutput},
    server::Readable,
    tool::{Background, Output},
};

/// One call, once its caller may have it.
struct Turn {
    caller: Caller,
    link: Link,
    round: Arc<Round>,
    /// What its sealed state is bound to.
    binding: Vec<u8>,
}

/// What a client sends with a call, in each round.
struct Brought<'a> {
    method: &'static str,
    key: &'a str,
    arguments: &'a Map<String, Value>,
    state: Option<String>,
    responses: Option<model::InputResponses>,
}

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
        let arguments = params.arguments.unwrap_or_default();
        let brought = Brought {
            method: "tools/call",
            key: &params.name,
            arguments: &arguments,
            state: params.request_state,
            responses: params.input_responses,
        };
        let turn = self.begin(caller, brought, cx)?;
        if let Some(output) = self.in_background(&found, &arguments, &turn)? {
            return Ok(output);
        }
        let tool = found.component;
        let call = ToolCall::new(
            found.own_key,
            arguments,
            self.context(turn.link.clone(), &turn),
        );
        let run = within(tool.time_limit, (tool.call)(call));
        match turn.link.until_cancelled(run).await {
            Ok(ToolOutput(Output::Result(result))) => Ok(result.into()),
            Ok(ToolOutput(Output::Structured(value))) => {
                Ok(model::CallToolResult::structured(value).into())
            }
            Ok(ToolOutput(Output::Task(task))) => Ok(task.into()),
            Err(error) => {
                answer::log_failure(&found.key, &error);
                match error.into_parts() {
                    (message, Kind::Failed) => Ok(answer::failed(message).into()),
                    (_, Kind::Scopes(scopes)) => {
                        turn.link.step_up(&scopes);
                        Ok(answer::short_of_scopes(&scopes).into())
                    }
                    (_, Kind::Protocol(error)) => Err(error),
                    (_, Kind::Inputs(inputs)) => Ok(self.ask(inputs, &turn)?.into()),
                }
            }
        }
    }

    /// Starts a task if the tool and the client want one.
    fn in_background(
        &self,
        found: &Found<Tool>,
        arguments: &Map<String, Value>,
        turn: &Turn,
    ) -> McpResult<Option<model::CallToolResponse>> {
        let Some(background) = found.component.background else {
            return Ok(None);
        };
        if !turn.link.capabilities().supports_tasks() {
            return match background {
                Background::Allowed => Ok(None),
                Background::Required => Err(Link::tasks_required()),
            };
        }
        let tool = &found.component;
        let task = turn.link.spawn_task(&turn.caller, |link| {
            let context = self.context(link, turn);
            let call = ToolCall::new(found.own_key.clone(), arguments.clone(), context);
            within(tool.time_limit, (tool.call)(call))
        })?;
        Ok(Some(task.into()))
    }

    pub(super) async fn run_prompt(
        &self,
        params: model::GetPromptRequestParams,
        cx: Cx,
    ) -> McpResult<model::GetPromptResponse> {
        let caller = self.caller(&cx.extensions);
        let found = self.core.admit::<Prompt>(&caller, &params.name).await;
        let found = found.map_err(|refusal| answer::refused(refusal, answer::UNKNOWN_PROMPT))?;
        let arguments = params.arguments.unwrap_or_default();
        let brought = Brought {
            method: "prompts/get",
            key: &params.name,
            arguments: &arguments,
            state: params.request_state,
            responses: params.input_responses,
        };
        let turn = self.begin(caller, brought, cx)?;
        let prompt = found.component;
        let call = ToolCall::new(
            found.own_key,
            arguments,
            self.context(turn.link.clone(), &turn),
        );
        match turn.link.until_cancelled((prompt.call)(call)).await {
            Ok(mut result) => {
                if result.description.is_none() {
                    result
                        .description
                        .clone_from(&prompt.definition.description);
                }
                Ok(result.into())
            }
            Err(error) => {
                answer::log_failure(&found.key, &error);
                Ok(self.ask(open_questions(error, &turn.link)?, &turn)?.into())
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
        let brought = Brought {
            method: "resources/read",
            key: &uri,
            arguments: &Map::new(),
            state: params.request_state,
            responses: params.input_responses,
        };
        let turn = self.begin(caller, brought, cx)?;
        let context = self.context(turn.link.clone(), &turn);
        let component = readable.key().to_owned();
        let (run, mime_type, cache) = start_reading(readable, context);
        match turn.link.until_cancelled(run).await {
            Ok(output) => {
                let contents = output.into_contents(&uri, mime_type.as_deref());
                Ok(cached(model::ReadResourceResult::new(contents), cache).into())
            }
            Err(error) => {
                // SECURITY: a URI holds what a client chose to write, a query too, and goes to no
                // log (CWE-532); sec_op_01_a_log_does_not_quote_a_uri
                answer::log_failure(&component, &error);
                Ok(self.ask(open_questions(error, &turn.link)?, &turn)?.into())
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

    /// Reads what the client brought back from the round before.
    fn begin(&self, caller: Caller, brought: Brought<'_>, cx: Cx) -> McpResult<Turn> {
        let binding = binding(&caller, &brought);
        let carried = match brought.state {
            Some(sealed) => self.core.states.open(&sealed, &binding)?,
            None => Carried::default(),
        };
        let round = Arc::new(Round::new(brought.responses, carried));
        Ok(Turn {
            caller,
            link: Link::new(self, cx),
            round,
            binding,
        })
    }

    fn context(&self, link: Link, turn: &Turn) -> Context {
        let server = crate::ServerHandle::new(Arc::clone(&self.core.registry));
        Context::new(link, turn.caller.clone(), server, Arc::clone(&turn.round))
    }

    /// Sends the call back to the client with questions.
    fn ask(&self, inputs: PendingInputs, turn: &Turn) -> McpResult<model::InputRequiredResult> {
        let state = self.core.states.seal(&turn.round.carry(), &turn.binding)?;
        Ok(model::InputRequiredResult::new(Some(inputs.0), Some(state)))
    }
}

/// Who calls, and what. Each part carries its length, so that no two calls share their bytes.
fn binding(caller: &Caller, brought: &Brought<'_>) -> Vec<u8> {
    // The order of members is the client's, and no part of what it asks.
    let sorted: BTreeMap<&String, &Value> = brought.arguments.iter().collect();
    let arguments = serde_json::to_vec(&sorted).unwrap_or_default();
    let caller = caller.binding();
    let parts = [
        &caller,
        brought.method.as_bytes(),
        brought.key.as_bytes(),
        &arguments,
    ];
    parts.iter().fold(Vec::new(), |mut bytes, part| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
        bytes
    })
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
fn open_questions(error: ToolError, link: &Link) -> McpResult<PendingInputs> {
    match error.into_parts() {
        (_, Kind::Inputs(inputs)) => Ok(inputs),
        (_, Kind::Protocol(error)) => Err(error),
        (_, Kind::Scopes(scopes)) => {
            link.step_up(&scopes);
            Err(answer::insufficient_scope(&scopes))
        }
        (message, Kind::Failed) => Err(model::ErrorData::internal_error(message, None)),
    }
}

type Reading = futures_util::future::BoxFuture<'static, Result<ResourceOutput, ToolError>>;

fn start_reading(readable: Readable, context: Context) -> (Reading, Option<String>, Option<Cache>) {
    match readable {
        Readable::Resource(found) => {
            let resource = found.component;
            let run = (resource.call)(ToolCall::new(found.own_key, Map::new(), context));
            (run, resource.definition.mime_type.clone(), resource.cache)
        }
        Readable::Template(matched) => {
            let template = matched.found.component;
            let call = ToolCall::new(matched.own_uri, matched.variables, context);
            (
                (template.call)(call),
                template.definition.mime_type.clone(),
                template.cache,
            )
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
