//! Calls that go on in the background (extension `io.modelcontextprotocol/tasks`).
//!
//! The SDK keeps the tasks; we keep whose they are. A task of somebody else is an unknown task.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use portcullis_oauth::json::Value;
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};

use super::{McpResult, answer};
use crate::{ToolError, ToolOutput, access::Caller, error::Kind, model, tool::Output};

/// The tasks of one server.
#[derive(Default)]
pub(crate) struct Tasks {
    manager: TaskManager,
    owners: Mutex<HashMap<String, Vec<u8>>>,
}

/// How many tasks a server keeps, running or ended but not yet forgotten.
const LIMIT: usize = 10_000;

/// How many of them one caller may have.
const LIMIT_PER_OWNER: usize = 100;

impl Tasks {
    /// Starts a task that belongs to `owner`.
    pub(super) fn start<F, Fut>(&self, owner: &Caller, run: F) -> McpResult<model::CreateTaskResult>
    where
        F: FnOnce(TaskContext) -> Fut,
        Fut: Future<Output = Result<ToolOutput, ToolError>> + Send + 'static,
    {
        let owner = owner.binding();
        let mut owners = self.owners();
        if owners.len() >= LIMIT || count(&owners, &owner) >= LIMIT_PER_OWNER {
            // The SDK forgets a task some time after it ended; then so do we.
            owners.retain(|id, _| self.manager.get_task(id).is_ok());
        }
        if owners.len() >= LIMIT || count(&owners, &owner) >= LIMIT_PER_OWNER {
            return Err(model::ErrorData::internal_error("too many tasks", None));
        }
        let task = self.manager.spawn(TaskOptions::new(), |context| {
            let run = run(context.clone());
            async move {
                tokio::select! {
                    biased;
                    () = context.cancelled() => Err(TaskExit::Cancelled),
                    output = run => settle(output),
                }
            }
            .boxed()
        });
        owners.insert(task.task_id.clone(), owner);
        Ok(model::CreateTaskResult::new(task))
    }

    pub(super) fn get(&self, id: &str, caller: &Caller) -> McpResult<model::DetailedTask> {
        self.own(id, caller)?;
        self.manager.get_task(id).map_err(|_| unknown())
    }

    pub(super) fn update(
        &self,
        id: &str,
        caller: &Caller,
        responses: impl IntoIterator<Item = (String, Value)>,
    ) -> McpResult<()> {
        self.own(id, caller)?;
        self.manager
            .update_task(id, responses)
            .map_err(|_| unknown())
    }

    pub(super) fn cancel(&self, id: &str, caller: &Caller) -> McpResult<()> {
        self.own(id, caller)?;
        self.manager.cancel_task(id).map_err(|_| unknown())
    }

    fn own(&self, id: &str, caller: &Caller) -> McpResult<()> {
        // SECURITY: an id is no right, however hard to guess; sec_task_of_another_caller_is_unknown
        let owned = self
            .owners()
            .get(id)
            .is_some_and(|owner| *owner == caller.binding());
        if owned { Ok(()) } else { Err(unknown()) }
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("kept", &self.owners().len())
            .finish_non_exhaustive()
    }
}

fn count(owners: &HashMap<String, Vec<u8>>, owner: &[u8]) -> usize {
    owners.values().filter(|known| *known == owner).count()
}

fn unknown() -> model::ErrorData {
    model::ErrorData::invalid_params("unknown task", None)
}

/// How a task ends: a tool's failure is a result, only a protocol error fails the task.
fn settle(output: Result<ToolOutput, ToolError>) -> Result<model::CallToolResult, TaskExit> {
    match output {
        Ok(ToolOutput(Output::Result(result))) => Ok(result),
        Ok(ToolOutput(Output::Structured(value))) => Ok(model::CallToolResult::structured(value)),
        Ok(ToolOutput(Output::Task(_))) => Ok(answer::failed("a task cannot start a task")),
        Err(error) => {
            answer::log_failure("task", &error);
            match error.into_parts() {
                (message, Kind::Failed) => Ok(answer::failed(message)),
                (_, Kind::Scopes(scopes)) => Ok(answer::short_of_scopes(&scopes, None)),
                (message, Kind::SignIn) => Ok(answer::signed_out(message, None)),
                (_, Kind::Protocol(error)) => Err(TaskExit::Error(error)),
                (message, Kind::Inputs(_)) => Err(TaskExit::Error(
                    model::ErrorData::internal_error(message, None),
                )),
            }
        }
    }
}
