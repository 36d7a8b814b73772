//! A request and its answer, as the steps see them.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use portcullis_fetch::{FetchError, Refusal};
use portcullis_oauth::json::{self, Limits, Value};

/// A request and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) result: Result<Answer, Trouble>,
    /// From the first byte out to the last that was read.
    pub(super) took: Duration,
}

/// An answer as far as it came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is no URL that a client calls.
    Url(String),
    /// The doctor does not go there.
    Refused(Refusal),
    NoName,
    NoConnection(String),
    Silent,
}

impl Trouble {
    pub(super) fn of(error: &FetchError) -> Self {
        match error {
            FetchError::Refused(refusal) => Self::Refused(*refusal),
            FetchError::Unresolved => Self::NoName,
            FetchError::Timeout => Self::Silent,
            error => Self::NoConnection(chain(error)),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(why) | Self::NoConnection(why) => f.write_str(why),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoName => f.write_str("no address"),
            Self::Silent => f.write_str("no answer in time"),
        }
    }
}

/// The causes of an error, the last of which knows most: `invalid peer certificate: ..`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

impl Seen {
    /// `GET https://..`.
    pub(super) fn at(&self) -> String {
        format!("{} {}", self.method, self.url)
    }

    pub(super) fn answer(&self) -> Option<&Answer> {
        self.result.as_ref().ok()
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.answer().map(|answer| answer.status)
    }

    /// The answer, if it is a 200.
    pub(super) fn ok(&self) -> Option<&Answer> {
        self.answer().filter(|answer| answer.status == 200)
    }

    /// What came, in a few words.
    pub(super) fn brief(&self) -> String {
        match &self.result {
            Ok(answer) => answer.brief(),
            Err(trouble) => trouble.to_string(),
        }
    }

    pub(super) fn is_slow(&self) -> bool {
        self.took > Duration::from_secs(2)
    }
}

impl Answer {
    /// A header field that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first part of `Content-Type`, in lower case.
    pub(super) fn content_type(&self) -> String {
        let value = self.headers.get(CONTENT_TYPE);
        let value = value.and_then(|value| value.to_str().ok());
        let value = value.and_then(|value| value.split(';').next());
        value.unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The body, if it is a JSON object.
    pub(super) fn object(&self) -> Option<Value> {
        json::value(&self.body, Limits::MCP)
            .ok()
            .filter(Value::is_object)
    }

    /// The JSON-RPC answer in the body: all of it, or the event that has it.
    pub(super) fn rpc(&self) -> Option<Value> {
        if self.content_type() != "text/event-stream" {
            return self.object().filter(is_rpc_answer);
        }
        let text = std::str::from_utf8(&self.body).ok()?;
        let text = text.replace("\r\n", "\n");
        let events = text.split("\n\n").map(|event| {
            let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
            let data: Vec<_> = data.map(str::trim_start).collect();
            json::value(data.join("\n").as_bytes(), Limits::MCP).ok()
        });
        events.flatten().find(is_rpc_answer)
    }

    /// Whether a page of `origin` may read it.
    pub(super) fn is_readable_by(&self, origin: &str) -> bool {
        self.header("access-control-allow-origin")
            .is_some_and(|allowed| allowed == "*" || allowed == origin)
    }

    /// Whether a preflight's answer lets this header field through.
    pub(super) fn allows_header(&self, name: &str) -> bool {
        (200..300).contains(&self.status)
            && self
                .header("access-control-allow-headers")
                .is_some_and(|list| {
                    list.split(',')
                        .map(str::trim)
                        .any(|one| one == "*" || one.eq_ignore_ascii_case(name))
                })
    }

    pub(super) fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    fn brief(&self) -> String {
        let mut text = format!("status {}", self.status);
        if let Some(to) = self.header("location") {
            let _ = write!(text, ", Location: {to}");
        }
        let kind = self.content_type();
        if !kind.is_empty() {
            let _ = write!(text, ", {kind}");
        }
        let body = String::from_utf8_lossy(&self.body);
        let body = body.trim();
        if !body.is_empty() && !kind.starts_with("image/") {
            let _ = write!(text, ", {body}");
        }
        text
    }
}

fn is_rpc_answer(value: &Value) -> bool {
    value.get("jsonrpc").is_some()
        && (value.get("result").is_some() || value.get("error").is_some())
}

/// Whether what has come of a stream of events has the answer in it.
pub(super) fn has_answer(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    (text.ends_with("\n\n") || text.ends_with("\r\n\r\n"))
        && (text.contains("\"result\"") || text.contains("\"error\""))
}

/// Names of members, `a.b` below others, that are null, or an empty text or list.
pub(super) fn empty_members(document: &Value) -> Vec<String> {
    let members = document.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty() || list.iter().any(Value::is_null),
            _ => false,
        })
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(kind: &'static str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Answer {
            status: 200,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn the_answer_is_found_in_json_and_in_events() {
        let said = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
        assert!(
            answer("application/json; charset=utf-8", said)
                .rpc()
                .is_some()
        );
        let events = format!("id: 1\r\ndata:\r\n\r\nevent: message\r\ndata: {said}\r\n\r\n");
        assert!(answer("text/event-stream", &events).rpc().is_some());
        assert!(has_answer(events.as_bytes()));
        assert!(!has_answer(b"data: {\"method\":\"x\"}\n\n"));
        assert!(answer("text/html", "<p>hello</p>").rpc().is_none());
    }

    #[test]
    fn members_without_a_value_are_named() {
        let document = json::json!({"a": null, "b": "", "c": [], "d": [null], "e": 0, "f": false});
        assert_eq!(empty_members(&document), ["a", "b", "c", "d"]);
    }
}
