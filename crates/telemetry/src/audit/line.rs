//! What a line says. The names of its members are a contract with whoever reads them.

use std::net::IpAddr;
use std::time::Duration;

use portcullis_oauth::{Timestamp, json};
use portcullis_resource_server::ClientAddress;
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Outcome};
use serde::Serialize;

/// Characters of a text that an issuer or a client chose.
const MOST: usize = 256;

/// One request.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    time: String,
    event: &'static str,
    id: &'a str,
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Text<'a>>,
    http_method: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_scopes: Vec<Text<'a>>,
    reached_server: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

/// One event of the authorization server.
#[derive(Debug, Serialize)]
pub(super) struct EventLine<'a> {
    time: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// So many refusals of nobody in particular are in no line of their own.
#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    time: String,
    event: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    count: u64,
}

/// A text, cut.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Text<'a>(std::borrow::Cow<'a, str>);

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Self {
        Self(match text.char_indices().nth(MOST) {
            // SECURITY: a token of kilobytes must not make lines of kilobytes (CWE-779);
            // sec_ds_12_texts_of_a_token_are_cut
            Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
            None => text.into(),
        })
    }
}

impl<'a> Line<'a> {
    pub(super) fn of(exchange: &'a Exchange) -> Self {
        let target = exchange.target();
        let missing = match exchange.outcome() {
            Outcome::InsufficientScope { missing } => missing
                .iter()
                .take(32)
                .map(|scope| Text::new(scope.as_str()))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            time: rfc3339(exchange.started_at()),
            event: "request",
            id: exchange.correlation(),
            endpoint: exchange.endpoint(),
            client_address: exchange.client_address().map(ClientAddress::ip),
            issuer: exchange.issuer().map(Text::new),
            subject: exchange.subject().map(Text::new),
            client_id: exchange.client_id().map(Text::new),
            http_method: Text::new(exchange.http_method().as_str()),
            method: exchange.method(),
            target_type: target.map(|(kind, _)| kind),
            target: target.map(|(_, name)| name),
            outcome: exchange.outcome().word(),
            reason: exchange.outcome().reason(),
            missing_scopes: missing,
            reached_server: exchange.reached_server(),
            status: exchange.status().map(|status| status.as_u16()),
            duration_ms: (exchange.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            protocol_version: exchange.protocol_version(),
            session: exchange.session(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        to_line(self)
    }
}

impl<'a> EventLine<'a> {
    pub(super) fn of(event: &'a AuthorizationEvent) -> Self {
        Self {
            time: rfc3339(event.happened_at()),
            event: event.kind().word(),
            client_address: event.client_address().map(ClientAddress::ip),
            subject: event.subject().map(Text::new),
            client_id: event.client_id().map(Text::new),
            grant: event.grant(),
            resource: event.resource().map(Text::new),
            reason: event.reason(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        to_line(self)
    }
}

impl LeftOut {
    pub(super) fn new(
        now: Duration,
        outcome: &'static str,
        reason: &'static str,
        count: u64,
    ) -> Self {
        Self {
            time: rfc3339(now),
            event: "left_out",
            outcome,
            reason,
            count,
        }
    }

    pub(super) fn to_json(&self) -> String {
        to_line(self)
    }
}

fn to_line(line: &impl Serialize) -> String {
    // Texts and numbers alone: nothing in it can fail to be JSON.
    // SECURITY: a subject or a scope with U+2028 makes two lines to many readers, and one with
    // U+009B is obeyed by a terminal (CWE-117); sec_gw_25_no_text_breaks_or_turns_a_line
    let mut text = json::to_visible_string(line).unwrap_or_default();
    text.push('\n');
    text
}

/// A time in UTC with milliseconds (RFC 3339 section 5.6).
fn rfc3339(since_epoch: Duration) -> String {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let seconds = Timestamp::from_secs(seconds).to_string();
    let whole = seconds.trim_end_matches('Z');
    format!("{whole}.{:03}Z", since_epoch.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds() {
        let time = Duration::from_millis(951_782_400_042);
        assert_eq!(rfc3339(time), "2000-02-29T00:00:00.042Z");
    }

    #[test]
    fn sec_gw_25_no_text_breaks_or_turns_a_line() {
        let line = to_line(&Text::new("a\u{2028}b\u{85}c\u{202e}d\u{9b}e\nf"));
        assert_eq!(line, "\"a\\u2028b\\u0085c\\u202ed\\u009be\\nf\"\n");
    }

    #[test]
    fn sec_ds_12_texts_of_a_token_are_cut() {
        let text = Text::new("é".repeat(MOST).leak()).0;
        assert_eq!(text.chars().count(), MOST);
        let text = Text::new("é".repeat(100_000).leak()).0;
        assert_eq!(text.chars().count(), MOST + 3);
    }
}
