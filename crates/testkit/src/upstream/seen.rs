//! What was asked.

use std::time::Duration;

use http::{HeaderMap, Method};
use portcullis_oauth::form::{Form, Limits};
use tokio::sync::watch;

use super::broken;

/// A request that came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The parameters of the query.
    pub query: Form,
    /// The parameters of the body; none if it was no form.
    pub form: Form,
    /// The headers.
    pub headers: HeaderMap,
}

impl Seen {
    pub(super) fn new(method: Method, path: &str, query: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: read(query.as_bytes()),
            form: Form::default(),
            headers: HeaderMap::new(),
        }
    }

    pub(super) fn with_body(mut self, headers: &HeaderMap, body: &[u8]) -> Self {
        self.headers = headers.clone();
        self.form = read(body);
        self
    }

    /// A parameter of the body. One that was sent twice is none.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.one(name).ok().flatten()
    }

    /// A parameter of the query. One that was sent twice is none.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.one(name).ok().flatten()
    }

    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

fn read(input: &[u8]) -> Form {
    Form::parse(input, Limits::ENDPOINT).unwrap_or_default()
}

/// All of them.
#[derive(Debug)]
pub(super) struct Log(watch::Sender<Vec<Seen>>);

impl Log {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }

    pub(super) fn add(&self, seen: Seen) {
        self.0.send_modify(|all| all.push(seen));
    }

    pub(super) fn of(&self, path: &str) -> Vec<Seen> {
        let all = self.0.borrow();
        all.iter()
            .filter(|seen| seen.path == path)
            .cloned()
            .collect()
    }

    pub(super) fn count(&self, path: &str) -> usize {
        count(&self.0.borrow(), path)
    }

    pub(super) async fn wait_for(&self, path: &str, wanted: usize) {
        let mut all = self.0.subscribe();
        let reached = all.wait_for(|all| count(all, path) >= wanted);
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            let had = self.count(path);
            broken(&format!(
                "`{path}` had {had} of {wanted} requests after {PATIENCE:?}"
            ));
        }
    }
}

fn count(all: &[Seen], path: &str) -> usize {
    all.iter().filter(|seen| seen.path == path).count()
}

/// Waits for something that should come at once, and no longer than a test has patience.
pub(super) async fn until(has_come: impl Fn() -> bool) {
    let waiting = async {
        while !has_come() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, waiting).await;
}

/// How long a test waits for a request that should come at once.
const PATIENCE: Duration = Duration::from_secs(10);
