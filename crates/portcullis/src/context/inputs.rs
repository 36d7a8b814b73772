//! Questions to the client, and their answers, across the rounds of one call.

#![expect(
    deprecated,
    reason = "sampling and roots are deprecated in MCP and still spoken"
)]

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use portcullis_oauth::json::{Map, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ToolError, args::flat_schema_of, model};

/// Questions to ask the client at once, each under a key of its own.
///
/// ```
/// # use portcullis::{Context, Inputs, ToolError, model::ElicitationSchema};
/// # async fn example(ctx: Context) -> Result<(), ToolError> {
/// let name = ElicitationSchema::builder().required_string("name").build_unchecked();
/// let inputs = Inputs::new().elicit("who", "What is your name?", name).roots("where");
/// let answers = ctx.request_inputs(inputs).await?;
/// let folders = answers.roots("where");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inputs(BTreeMap<String, model::InputRequest>);

impl Inputs {
    /// No question yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the user to fill in a form.
    #[must_use]
    pub fn elicit(
        self,
        key: impl Into<String>,
        message: impl Into<String>,
        schema: model::ElicitationSchema,
    ) -> Self {
        let params = model::ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: message.into(),
            requested_schema: schema,
        };
        self.ask(
            key,
            model::InputRequest::Elicitation(model::ElicitRequest::new(params)),
        )
    }

    /// Asks the user to fill in a form for `T`: a struct of texts, numbers, booleans and plain
    /// enums.
    ///
    /// # Errors
    /// When a form cannot show `T`.
    pub fn elicit_as<T: JsonSchema>(
        self,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Result<Self, ToolError> {
        let schema = model::ElicitationSchema::from_json_schema(flat_schema_of::<T>())?;
        Ok(self.elicit(key, message, schema))
    }

    /// Asks the client's model.
    #[must_use]
    pub fn sample(self, key: impl Into<String>, params: model::CreateMessageRequestParams) -> Self {
        let request = model::CreateMessageRequest::new(params);
        self.ask(key, model::InputRequest::CreateMessage(request))
    }

    /// Asks for the folders that the client works in.
    #[must_use]
    pub fn roots(self, key: impl Into<String>) -> Self {
        self.ask(
            key,
            model::InputRequest::ListRoots(model::ListRootsRequest::default()),
        )
    }

    fn ask(mut self, key: impl Into<String>, request: model::InputRequest) -> Self {
        self.0.insert(key.into(), request);
        self
    }
}

/// What came back, by key.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<String, Answer>);

#[derive(Clone, Debug)]
enum Answer {
    Elicited(model::ElicitResult),
    Sampled(Box<model::CreateMessageResult>),
    Roots(model::ListRootsResult),
}

/// What a user did with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elicited<T> {
    /// Filled it in.
    Accepted(T),
    /// Said no.
    Declined,
    /// Closed it.
    Cancelled,
}

impl Answers {
    /// What the user did with a form, as JSON.
    pub fn elicited(&self, key: &str) -> Option<&model::ElicitResult> {
        match self.0.get(key)? {
            Answer::Elicited(result) => Some(result),
            _ => None,
        }
    }

    /// What the user did with a form for `T`.
    ///
    /// # Errors
    /// When there is no such answer, or its content is no `T`.
    pub fn elicited_as<T: DeserializeOwned>(&self, key: &str) -> Result<Elicited<T>, ToolError> {
        let result = self
            .elicited(key)
            .ok_or_else(|| ToolError::new("there is no such answer"))?;
        match result.action {
            model::ElicitationAction::Accept => {
                let content = result.content.as_ref().unwrap_or(&Value::Null);
                Ok(Elicited::Accepted(T::deserialize(content).map_err(
                    |error| {
                        ToolError::new("the client's answer does not fit the form").source(error)
                    },
                )?))
            }
            model::ElicitationAction::Decline => Ok(Elicited::Declined),
            _ => Ok(Elicited::Cancelled),
        }
    }

    /// What the client's model said.
    pub fn sampled(&self, key: &str) -> Option<&model::CreateMessageResult> {
        match self.0.get(key)? {
            Answer::Sampled(result) => Some(result),
            _ => None,
        }
    }

    /// The folders that the client works in.
    pub fn roots(&self, key: &str) -> Option<&[model::Root]> {
        match self.0.get(key)? {
            Answer::Roots(result) => Some(&result.roots),
            _ => None,
        }
    }

    /// Reads an answer as its question says; `None` if it does not fit.
    pub(crate) fn insert(
        &mut self,
        key: String,
        request: &model::InputRequest,
        answer: &Value,
    ) -> Option<()> {
        // An answer is an object, whatever the question.
        answer.as_object()?;
        let answer = match request {
            model::InputRequest::Elicitation(_) => Answer::Elicited(read(answer)?),
            model::InputRequest::CreateMessage(_) => Answer::Sampled(Box::new(read(answer)?)),
            model::InputRequest::ListRoots(_) => Answer::Roots(read(answer)?),
            _ => return None,
        };
        self.0.insert(key, answer);
        Some(())
    }
}

fn read<T: DeserializeOwned>(answer: &Value) -> Option<T> {
    T::deserialize(answer).ok()
}

/// Questions that the client must answer before the call can go on.
#[derive(Clone, Debug)]
pub(crate) struct PendingInputs(pub(crate) BTreeMap<String, model::InputRequest>);

/// One round of a call: what the client brought back.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// What it answered now.
    responses: model::InputResponses,
    /// What it answered in earlier rounds, and the handler's own state.
    carried: Carried,
    next: Mutex<Carried>,
}

/// What travels through the client, sealed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Carried {
    #[serde(default)]
    answers: Map<String, Value>,
    #[serde(default)]
    state: Option<Value>,
}

impl Round {
    pub(crate) fn new(responses: Option<model::InputResponses>, carried: Carried) -> Self {
        let next = Mutex::new(carried.clone());
        Self {
            responses: responses.unwrap_or_default(),
            carried,
            next,
        }
    }

    fn lookup(&self, key: &str) -> Option<&Value> {
        self.responses
            .get(key)
            .or_else(|| self.carried.answers.get(key))
    }

    /// The answers that are there, and the questions that are open.
    pub(crate) fn answer(
        &self,
        inputs: Inputs,
    ) -> (Answers, BTreeMap<String, model::InputRequest>) {
        let mut answers = Answers::default();
        let mut missing = BTreeMap::new();
        for (key, request) in inputs.0 {
            let answer = self.lookup(&key);
            let fits = answer.and_then(|answer| answers.insert(key.clone(), &request, answer));
            match (fits, answer) {
                (Some(()), Some(answer)) => {
                    self.next().answers.insert(key, answer.clone());
                }
                _ => {
                    missing.insert(key, request);
                }
            }
        }
        (answers, missing)
    }

    pub(crate) fn state<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.carried.state.as_ref()?).ok()
    }

    pub(crate) fn set_state(&self, state: Value) {
        self.next().state = Some(state);
    }

    /// What the next round needs to know.
    pub(crate) fn carry(&self) -> Carried {
        self.next().clone()
    }

    fn next(&self) -> MutexGuard<'_, Carried> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
