//! Calls: find the component, ask whether the caller may have it, run it, word the answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use portcullis_oauth::json::{Map, Value};

use super::{App, Cx, McpResult, answer, link::Link};
use crate::{
    Prompt, ResourceTemplate, Tool, ToolCall, ToolError, ToolOutput,
    access::Caller,
    complete::{Completer, Completion},
    context::{Context, PendingInputs, Round},
    error::Kind,
    model,
    registry::Found,
    resource::{Cache, ResourceOutput},
    server::Readable,
    tool::{Background, Output},
};

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
        let binding = binding(&caller, "tools/call", &params.name, &arguments);
        let round = self.open(params.request_state.as_deref(), params.input_responses, &binding)?;
        let link = Link::new(self, cx);
        if let Some(output) = self.in_background(&found, &arguments, &caller, &link, &round)? {
            return Ok(output);
        }
        let context = self.context(link.clone(), &caller, &round);
        let call = ToolCall::new(found.own_key, arguments, context);
        let run = within(found.component.time_limit, (found.component.call)(call));
        match link.until_cancelled(run).await {
            Ok(ToolOutput(Output::Result(result))) => Ok(result.into()),
            Ok(ToolOutput(Output::Structured(value))) => {
                Ok(model::CallToolResult::structured(value).into())
            }
            Ok(ToolOutput(Output::Task(task))) => Ok(task.into()),
            Err(error) => {
                answer::log_failure(&found.key, &error);
                match error.into_parts() {
                    (message, Kind::Failed) => Ok(answer::failed(message).into()),
                    (_, Kind::Scopes(scopes)) => Ok(answer::short_of_scopes(&scopes).into()),
                    (_, Kind::Protocol(error)) => Err(error),
                    (_, Kind::Inputs(inputs)) => Ok(self.ask(inputs, &round, &binding)?.into()),
                }
            }
        }
    }

    /// Starts a task if the tool and the client want one.
    fn in_background(
        &self,
        found: &Found<Tool>,
        arguments: &Map<String, Value>,
        caller: &Caller,
        link: &Link,
        round: &Arc<Round>,
    ) -> McpResult<Option<model::CallToolResponse>> {
        let Some(background) = found.component.background else { return Ok(None) };
        if !link.capabilities().supports_tasks() {
            return match background {
                Background::Allowed => Ok(None),
                Background::Required => Err(Link::tasks_required()),
            };
        }
        let tool = Arc::clone(&found.component);
        let (name, arguments) = (found.own_key.clone(), arguments.clone());
        let (app, owner, round) = (self.clone(), caller.clone(), Arc::clone(round));
        let task = link.spawn_task(caller, move |link| {
            let call = ToolCall::new(name, arguments, app.context(link, &owner, &round));
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
        let binding = binding(&caller, "prompts/get", &params.name, &arguments);
        let round = self.open(params.request_state.as_deref(), params.input_responses, &binding)?;
        let link = Link::new(self, cx);
        let call =
            ToolCall::new(found.own_key, arguments, self.context(link.clone(), &caller, &round));
        match link.until_cancelled((found.component.call)(call)).await {
            Ok(mut result) => {
                let described = result.description.take();
                let own = || found.component.definition.description.clone();
                result.description = described.or_else(own);
                Ok(result.into())
            }
            Err(error) => {
                answer::log_failure(&found.key, &error);
                match protocol_error(error) {
                    Ok(inputs) => Ok(self.ask(inputs, &round, &binding)?.into()),
                    Err(error) => Err(error),
                }
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
        let binding = binding(&caller, "resources/read", &uri, &Map::new());
        let round = self.open(params.request_state.as_deref(), params.input_responses, &binding)?;
        let link = Link::new(self, cx);
        let context = self.context(link.clone(), &caller, &round);
        let (run, mime_type, cache) = start_reading(readable, context);
        match link.until_cancelled(run).await {
            Ok(output) => {
                let contents = output.into_contents(&uri, mime_type.as_deref());
                Ok(cached(model::ReadResourceResult::new(contents), cache).into())
            }
            Err(error) => {
                answer::log_failure(&uri, &error);
                match protocol_error(error) {
                    Ok(inputs) => Ok(self.ask(inputs, &round, &binding)?.into()),
                    Err(error) => Err(error),
                }
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
                let found = self.core.admit::<ResourceTemplate>(&caller, &template.uri).await;
                let found =
                    found.map_err(|refusal| answer::refused_uri(refusal, &template.uri))?;
                completer(&found.component.completers, &argument.name)
            }
            _ => None,
        };
        let Some(completer) = completer else { return Ok(model::CompleteResult::default()) };
        let filled = params.context.and_then(|context| context.arguments).unwrap_or_default();
        let mut typed = Completion::default();
        typed.value = argument.value;
        typed.arguments = filled;
        let values = completer(typed).await.0;
        Ok(model::CompleteResult::new(first_page(values)))
    }

    fn context(&self, link: Link, caller: &Caller, round: &Arc<Round>) -> Context {
        let server = crate::ServerHandle::new(Arc::clone(&self.core.registry));
        Context::new(link, caller.clone(), server, Arc::clone(round))
    }

    /// Reads what the client brought back from the round before.
    fn open(
        &self,
        state: Option<&str>,
        responses: Option<model::InputResponses>,
        binding: &[u8],
    ) -> McpResult<Arc<Round>> {
        let carried = match state {
            Some(sealed) => self.core.states.open(sealed, binding)?,
            None => crate::context::Carried::default(),
        };
        Ok(Arc::new(Round::new(responses, carried)))
    }

    /// Sends the call back to the client with questions.
    fn ask(
        &self,
        inputs: PendingInputs,
        round: &Round,
        binding: &[u8],
    ) -> McpResult<model::InputRequiredResult> {
        let state = self.core.states.seal(&round.carry(), binding)?;
        Ok(model::InputRequiredResult::new(Some(inputs.0), Some(state)))
    }
}

/// What a sealed state is bound to: who calls, and what.
fn binding(caller: &Caller, method: &str, key: &str, arguments: &Map<String, Value>) -> Vec<u8> {
    let sorted: BTreeMap<&String, &Value> = arguments.iter().collect();
    let arguments = serde_json::to_vec(&sorted).unwrap_or_default();
    let caller = caller.binding();
    let parts = [caller.as_slice(), method.as_bytes(), key.as_bytes(), &arguments];
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
fn protocol_error(error: ToolError) -> Result<PendingInputs, model::ErrorData> {
    match error.into_parts() {
        (_, Kind::Inputs(inputs)) => Ok(inputs),
        (_, Kind::Protocol(error)) => Err(error),
        (_, Kind::Scopes(scopes)) => Err(answer::insufficient_scope(&scopes)),
        (message, Kind::Failed) => Err(model::ErrorData::internal_error(message, None)),
    }
}

type Reading = futures_util::future::BoxFuture<'static, Result<ResourceOutput, ToolError>>;

fn start_reading(
    readable: Readable,
    context: Context,
) -> (Reading, Option<String>, Option<Cache>) {
    match readable {
        Readable::Resource(found) => {
            let resource = found.component;
            let run = (resource.call)(ToolCall::new(found.own_key, Map::new(), context));
            (run, resource.definition.mime_type.clone(), resource.cache)
        }
        Readable::Template(matched) => {
            let template = matched.found.component;
            let call = ToolCall::new(matched.own_uri, matched.variables, context);
            ((template.call)(call), template.definition.mime_type.clone(), template.cache)
        }
    }
}

fn cached(result: model::ReadResourceResult, cache: Option<Cache>) -> model::ReadResourceResult {
    let Some(cache) = cache else { return result };
    let scope =
        if cache.shared { model::CacheScope::Public } else { model::CacheScope::Private };
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
