//! What is asked for, and what is told of it.

use std::error::Error;

use rmcp::model::{JsonObject, SubscriptionFilter};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// One visit to a server.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) url: String,
    pub(crate) era: String,
    pub(crate) token: Option<String>,
    #[serde(default)]
    pub(crate) login: bool,
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) calls: Vec<Call>,
}

/// One step of a visit.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Call {
    Tool {
        name: String,
        arguments: Option<JsonObject>,
        /// Taken back at the first sign of progress.
        #[serde(default)]
        cancel: bool,
    },
    Request {
        method: String,
        #[serde(default)]
        params: JsonObject,
    },
    /// Tools, all at the same time.
    All { all: Vec<Tool> },
    /// Until a notification of this method came.
    Heard { heard: String },
    /// Whoever gave the job is told how far it is, by a request to this URL.
    Signal { signal: String },
    /// A stream of changes (2026-07-28).
    Listen { listen: SubscriptionFilter },
}

/// A tool, called at the same time as others.
#[derive(Debug, Deserialize)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) arguments: Option<JsonObject>,
}

/// What came of a job.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) protocol: Option<String>,
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) asked: Vec<String>,
    pub(crate) refused: Vec<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
}

/// What came of a step.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
    pub(crate) progress: Vec<f64>,
}

/// The server's challenge.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    pub(crate) method: &'static str,
    pub(crate) status: u16,
    pub(crate) challenge: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "rmcp's messages are read as rmcp reads them"
)]
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    serde_json::from_value(value)
}

/// An error as rmcp raised it, with what lies below it.
pub(crate) fn described(kind: &str, error: &dyn Error) -> Value {
    let mut message = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        message.push_str(": ");
        message.push_str(&error.to_string());
        below = error.source();
    }
    json!({"type": kind, "message": message})
}
