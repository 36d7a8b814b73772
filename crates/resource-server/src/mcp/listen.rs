//! What a subscription asks to hear of: each resource is an operation of its own.

use std::borrow::Cow;

use portcullis_oauth::json::{self, Limits};
use serde::Deserialize;

use super::access::{Operation, Target};
use super::peek::{Message, PeekError};

/// A request to be told when the resource `uri` changes, for each that `message` names. Only
/// `subscriptions/listen` names any (MCP 2026-07-28, subscriptions); before that revision each was a
/// request, `resources/subscribe`.
///
/// # Errors
/// [`PeekError::InvalidParams`] when nobody could say which resources are meant.
pub(super) fn subscribed<'a>(
    message: &'a Message<'a>,
    body: &'a [u8],
) -> Result<Vec<Message<'a>>, PeekError> {
    let Message::Request {
        id,
        operation,
        revision,
        ..
    } = message
    else {
        return Ok(Vec::new());
    };
    if operation.method() != "subscriptions/listen" {
        return Ok(Vec::new());
    }
    let listen: Listen<'_> =
        json::from_slice(body, Limits::MCP).map_err(|_| PeekError::InvalidParams {
            id: Some((*id).to_owned()),
        })?;
    let wanted = listen.params.and_then(|params| params.notifications);
    let uris = wanted
        .and_then(|wanted| wanted.resources)
        .unwrap_or_default();
    let each = uris.into_iter().map(|uri| Message::Request {
        id,
        operation: Operation::new("resources/subscribe", Target::Resource(uri)),
        revision: revision.clone(),
        client: None,
    });
    Ok(each.collect())
}

#[derive(Deserialize)]
struct Listen<'a> {
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    notifications: Option<Wanted<'a>>,
}

#[derive(Deserialize)]
struct Wanted<'a> {
    #[serde(borrow, rename = "resourceSubscriptions")]
    resources: Option<Vec<Cow<'a, str>>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::peek::peek;

    fn uris(notifications: &str) -> Option<Vec<String>> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{notifications}}}}}"#
        );
        let message = peek(body.as_bytes()).unwrap();
        let parts = subscribed(&message, body.as_bytes()).ok()?;
        let uri = |part: &Message<'_>| match part.operation().map(Operation::target) {
            Some(Target::Resource(uri)) => uri.to_string(),
            other => unreachable!("{other:?}"),
        };
        Some(parts.iter().map(uri).collect())
    }

    #[test]
    fn each_resource_is_an_operation() {
        let named = uris(r#"{"toolsListChanged":true,"resourceSubscriptions":["a:\u0062","c"]}"#);
        assert_eq!(named.unwrap(), ["a:b", "c"]);
        assert_eq!(uris("{}").unwrap(), [""; 0]);
        assert_eq!(uris(r#"{"resourceSubscriptions":null}"#).unwrap(), [""; 0]);
        for odd in [
            r#"{"resourceSubscriptions":"a"}"#,
            r#"{"resourceSubscriptions":[1]}"#,
            r#"{"resourceSubscriptions":[["a"]]}"#,
            r#"{"resourceSubscriptions":{"0":"a"}}"#,
            r#"["a"]"#,
        ] {
            assert_eq!(uris(odd), None, "{odd}");
        }
    }

    #[test]
    fn other_methods_name_none() {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"notifications":{"resourceSubscriptions":["a"]}}}"#;
        assert!(subscribed(&peek(body).unwrap(), body).unwrap().is_empty());
    }
}
