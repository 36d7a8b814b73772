//! One turn of a call: what the client brought, and what it takes along when it is asked.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use portcullis_oauth::json::{Map, Value};

use super::{App, Cx, McpResult, link::Link};
use crate::{
    ToolCall,
    access::Caller,
    context::{Carried, Context, PendingInputs, Round},
    model,
};

/// One call, once its caller may have it.
pub(super) struct Turn {
    pub(super) call: ToolCall,
    operation: Operation,
}

/// What is called, as the client knows it.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// A name or a URI.
    pub(super) key: Cow<'static, str>,
}

/// What a client sends with a call, in each round.
pub(super) struct Brought {
    pub(super) arguments: Map<String, Value>,
    pub(super) state: Option<String>,
    pub(super) responses: Option<model::InputResponses>,
}

impl Turn {
    pub(super) fn key(&self) -> &str {
        &self.operation.key
    }

    pub(super) fn link(&self) -> &Link {
        self.call.context().link()
    }

    pub(super) fn caller(&self) -> &Caller {
        self.call.context().caller()
    }
}

impl App {
    /// Begins a call of the component `name`, as its own server knows it, with what the client
    /// brought back from the round before.
    pub(super) fn begin(
        &self,
        operation: Operation,
        name: impl Into<Cow<'static, str>>,
        brought: Brought,
        (caller, cx): (Caller, Cx),
    ) -> McpResult<Turn> {
        let Brought {
            arguments,
            state,
            responses,
        } = brought;
        let arguments = Value::Object(arguments);
        // Most calls have one round, and are bound to nothing.
        let carried = match state {
            Some(sealed) => {
                let binding = binding(&caller, &operation, &arguments);
                self.core.states.open(&sealed, &binding)?
            }
            None => Carried::default(),
        };
        let round = Arc::new(Round::new(responses, carried));
        let server = crate::ServerHandle::new(Arc::clone(&self.core.registry));
        let context = Context::new(Link::new(self, cx), caller, server, round);
        Ok(Turn {
            call: ToolCall::new(name.into(), arguments, context),
            operation,
        })
    }

    /// Sends the call back to the client with questions.
    pub(super) fn ask(
        &self,
        inputs: PendingInputs,
        turn: &Turn,
    ) -> McpResult<model::InputRequiredResult> {
        let binding = binding(turn.caller(), &turn.operation, turn.call.arguments());
        let carried = turn.call.context().round().carry();
        let state = self.core.states.seal(&carried, &binding)?;
        Ok(model::InputRequiredResult::new(Some(inputs.0), Some(state)))
    }
}

/// Who calls, and what. Each part carries its length, so that no two calls share their bytes.
fn binding(caller: &Caller, operation: &Operation, arguments: &Value) -> Vec<u8> {
    // The order of members is the client's, and no part of what it asks.
    let sorted: BTreeMap<&String, &Value> = arguments.as_object().into_iter().flatten().collect();
    let arguments = serde_json::to_vec(&sorted).unwrap_or_default();
    let caller = caller.binding();
    let parts = [
        &caller,
        operation.method.as_bytes(),
        operation.key.as_bytes(),
        &arguments,
    ];
    parts.iter().fold(Vec::new(), |mut bytes, part| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
        bytes
    })
}
