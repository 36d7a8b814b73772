//! Parameters that a tool wants repeated in headers (MCP 2026-07-28, custom headers from tool
//! parameters).
//!
//! Which ones is said in the tool's schema, under `x-mcp-header`. So the tools are listed before
//! the first call, and again now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use http::HeaderMap;
use portcullis_oauth::json::{self, Limits, Map, Value, json};

use super::frame::{Frame, text};
use super::headers::{self, MISMATCH, Unfit};
use super::process::{Process, Request};
use super::queue::Event;

/// The mirrored parameters of a server's tools.
#[derive(Debug, Default)]
pub(super) struct Mirrored(HashMap<String, Vec<Parameter>>);

#[derive(Debug, PartialEq, Eq)]
struct Parameter {
    header: String,
    /// The names that lead to it from the arguments.
    path: Vec<String>,
}

impl Mirrored {
    /// Checks that each mirrored argument of a call stands in its header too.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        message: &[u8],
        frame: &Frame,
    ) -> Result<(), Unfit> {
        let tool = text(message, frame.params.name.as_ref());
        let Some(parameters) = tool.and_then(|tool| self.0.get(&*tool)) else {
            return Ok(());
        };
        let arguments = frame.params.arguments.clone();
        let arguments = arguments.and_then(|span| message.get(span));
        let arguments = arguments.map(|bytes| json::value(bytes, Limits::MCP));
        let arguments = arguments.transpose().map_err(|_| MISMATCH)?;
        for parameter in parameters {
            let said = headers::single(headers, &parameter.header).map_err(|_| MISMATCH)?;
            let said = said
                .map(|said| headers::decoded(said).ok_or(MISMATCH))
                .transpose()?;
            let meant = arguments.as_ref().and_then(|all| parameter.of(all));
            // SECURITY: whoever routed by the header must have routed what runs (MCP 2026-07-28,
            // server validation); sec_gw_13_mirrored_parameters_agree
            let is_same = match (said, meant) {
                (None, None) => true,
                (Some(said), Some(meant)) => agree(&said, meant),
                _ => false,
            };
            if !is_same {
                return Err(MISMATCH);
            }
        }
        Ok(())
    }

    /// Takes in one page of tools.
    fn add(&mut self, tools: &[Value]) {
        for tool in tools {
            let mut found = Vec::new();
            if let Some(schema) = tool.get("inputSchema") {
                search(schema, &mut Vec::new(), &mut found);
            }
            let name = tool.get("name").and_then(Value::as_str);
            if let Some(name) = name.filter(|_| !found.is_empty()) {
                self.0.insert(name.to_owned(), found);
            }
        }
    }
}

impl Parameter {
    /// The argument that the header repeats; `null` is none.
    fn of<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        let mut path = self.path.iter();
        let value = path.try_fold(arguments, |value, name| value.get(name))?;
        (!value.is_null()).then_some(value)
    }
}

/// Whether a header says what an argument is. Whole numbers are compared as numbers.
fn agree(said: &str, meant: &Value) -> bool {
    match meant {
        Value::String(text) => said == text,
        Value::Bool(bool) => said == bool.to_string(),
        Value::Number(number) => {
            said == number.to_string()
                || said
                    .parse::<f64>()
                    .ok()
                    .is_some_and(|said| Some(said) == number.as_f64())
        }
        // No header can repeat it.
        _ => false,
    }
}

/// Finds the annotated properties that are reached through `properties` alone.
fn search(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Parameter>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        path.push(name.clone());
        let header = property.get("x-mcp-header").and_then(Value::as_str);
        if let Some(header) = header {
            found.push(Parameter {
                header: format!("mcp-param-{}", header.to_ascii_lowercase()),
                path: path.clone(),
            });
        }
        search(property, path, found);
        path.pop();
    }
}

/// Lists a server's tools. One that has none, or does not say, mirrors nothing.
pub(super) fn load(process: Arc<Process>) -> BoxFuture<'static, Option<Arc<Mirrored>>> {
    async move {
        let mut mirrored = Mirrored::default();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let answer = page(&process, cursor.as_ref()).await?;
            if let Some(tools) = answer.pointer("/result/tools").and_then(Value::as_array) {
                mirrored.add(tools);
            }
            match answer.pointer("/result/nextCursor") {
                Some(next @ Value::String(_)) => cursor = Some(next.clone()),
                _ => return Some(Arc::new(mirrored)),
            }
        }
        Some(Arc::new(mirrored))
    }
    .boxed()
}

async fn page(process: &Arc<Process>, cursor: Option<&Value>) -> Option<Value> {
    let mut params = Map::from_iter([("_meta".to_owned(), headers::own_meta())]);
    params.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor.clone())));
    let message = json!({"jsonrpc": "2.0", "id": 0, "method": "tools/list", "params": params});
    let message = Bytes::from(message.to_string());
    let request = Request {
        message: &message,
        frame: &Frame::read(&message)?,
        session: None,
        timeout: Some(process.setup().limits.start_timeout),
        is_cancelled_with_stream: true,
    };
    let mut pending = process.request(request).await.ok()?;
    loop {
        match pending.next().await? {
            Event::Message(_) => {}
            Event::Answer { message, .. } => return json::value(&message, Limits::MCP).ok(),
            Event::Failed(_) | Event::Ended => return None,
        }
    }
}

/// After so long the tools are listed again.
pub(super) const FRESH: Duration = Duration::from_secs(60);
const MOST_PAGES: usize = 50;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn mirrored() -> Mirrored {
        let mut mirrored = Mirrored::default();
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "list": {"items": {"properties": {"x": {"x-mcp-header": "Never"}}}},
        }});
        let other = json!({"name": "plain", "inputSchema": {"properties": {"a": {}}}});
        mirrored.add(&[json!({"name": "sql", "inputSchema": schema}), other]);
        mirrored
    }

    fn checked(arguments: &Value, said: &[(&'static str, &'static str)]) -> Result<(), Unfit> {
        let message = json!({"params": {"name": "sql", "arguments": arguments}}).to_string();
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let frame = Frame::read(message.as_bytes()).unwrap();
        mirrored().check(&headers, message.as_bytes(), &frame)
    }

    #[test]
    fn sec_gw_13_mirrored_parameters_agree() {
        let (region, n) = (("mcp-param-region", "us"), ("mcp-param-n", "42"));
        let both = json!({"region": "us", "deep": {"n": 42}, "list": [{"x": 1}]});
        assert_eq!(checked(&both, &[region, n]), Ok(()));
        assert_eq!(checked(&both, &[region, ("mcp-param-n", "42.0")]), Ok(()));
        let encoded = ("mcp-param-region", "=?base64?dXM=?=");
        assert_eq!(checked(&both, &[encoded, n]), Ok(()));
        assert_eq!(checked(&json!({}), &[]), Ok(()));
        assert_eq!(checked(&json!({"region": null}), &[]), Ok(()));
        let unknown = ("mcp-param-other", "x");
        assert_eq!(checked(&json!({"other": 1}), &[unknown]), Ok(()));

        assert_eq!(checked(&both, &[region]), Err(MISMATCH));
        assert_eq!(checked(&both, &[region, region, n]), Err(MISMATCH));
        assert_eq!(
            checked(&both, &[("mcp-param-region", "eu"), n]),
            Err(MISMATCH)
        );
        assert_eq!(
            checked(&both, &[region, ("mcp-param-n", "43")]),
            Err(MISMATCH)
        );
        assert_eq!(checked(&json!({}), &[region]), Err(MISMATCH));
        assert_eq!(checked(&json!({"region": null}), &[region]), Err(MISMATCH));
        assert_eq!(
            checked(&json!({"region": ["us"]}), &[region]),
            Err(MISMATCH)
        );
        let broken = ("mcp-param-region", "=?base64?dXM?=");
        assert_eq!(checked(&both, &[broken, n]), Err(MISMATCH));
    }

    #[test]
    fn tools_without_annotations_are_not_kept() {
        assert_eq!(mirrored().0.keys().collect::<Vec<_>>(), ["sql"]);
        let headers: Vec<_> = mirrored().0["sql"]
            .iter()
            .map(|it| it.header.clone())
            .collect();
        assert_eq!(headers, ["mcp-param-n", "mcp-param-region"]);
    }
}
