//! `config show`: what was written and where, without secrets.

use serde::Serialize;
use serde_json::Value;

use super::mask::{self, REDACTED};
use super::schema::{self, Key};
use super::{Loaded, check};
use crate::report::Show;

/// One key, as it stands.
#[derive(Debug, Serialize)]
struct Line {
    key: String,
    value: Value,
    source: String,
}

/// All of them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Shown(Vec<Line>);

/// What was written, and the variables of the auth mode that are set.
pub(crate) fn shown(loaded: &Loaded) -> Shown {
    let mut lines = Vec::new();
    flatten("", &loaded.tree, &mut |path, value| {
        let source = loaded.origins.find(path);
        lines.push(Line {
            key: check::shown(path),
            // SECURITY: whoever looks over a shoulder or reads a bug report sees this;
            // sec_op_09_config_show_has_no_secrets
            value: if is_secret(path) {
                Value::from(REDACTED)
            } else {
                masked(path, value)
            },
            source: source.map_or_else(|| "unknown".to_owned(), ToString::to_string),
        });
    });
    for (name, origin) in loaded.environment.about_auth() {
        // Nobody knows of a variable alone whether it is a secret.
        let is_mode = ["FASTMCP_SERVER_AUTH", "PORTCULLIS_AUTH"].contains(&name);
        let value = loaded
            .environment
            .find(name)
            .filter(|_| is_mode)
            .map(|(value, _)| value);
        lines.push(Line {
            key: name.to_owned(),
            value: Value::from(value.unwrap_or(REDACTED)),
            source: origin.to_string(),
        });
    }
    for key in schema::keys() {
        if !lines
            .iter()
            .any(|line| line.key == key.path || line.key.starts_with(&format!("{}[", key.path)))
        {
            lines.extend(default_of(&key));
        }
    }
    lines.sort_by(|a, b| a.key.cmp(&b.key));
    Shown(lines)
}

/// The default, where a key's description names one.
fn default_of(key: &Key) -> Option<Line> {
    let (_, rest) = key.about.split_once("Default: `")?;
    let (default, _) = rest.split_once('`')?;
    Some(Line {
        key: key.path.clone(),
        value: Value::from(default),
        source: "default".to_owned(),
    })
}

fn flatten(prefix: &str, value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    let below = |name: &str| match prefix {
        "" => name.to_owned(),
        _ => format!("{prefix}.{name}"),
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(&below(name), value, visit);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&below(&at.to_string()), item, visit);
            }
        }
        _ => visit(prefix, value),
    }
}

/// Values of variables and header fields may be secrets, and so may any setting that says so.
fn is_secret(path: &str) -> bool {
    let mut parts = path.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("auth"), Some(key), None) => schema::schema()
            .pointer(&format!("/properties/auth/properties/{key}"))
            .is_none_or(|schema| schema.get("writeOnly").is_some() && !key.ends_with("_file")),
        (Some("upstream"), _, Some("env")) | (Some("auth"), Some("extra_token_params"), _) => true,
        _ => false,
    }
}

/// A value without what may be a secret in it.
fn masked(path: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(mask::url(text)),
        Value::Array(items) if is_command(path) => {
            let texts = items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned));
            Value::from(mask::arguments(&texts.collect::<Vec<_>>()))
        }
        other => other.clone(),
    }
}

fn is_command(path: &str) -> bool {
    path.starts_with("upstream.") && path.ends_with(".command")
}

impl Show for Shown {
    fn human(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|line| line.key.chars().count())
            .max()
            .unwrap_or_default()
            .min(30);
        let lines = self.0.iter().map(|line| {
            let value = match &line.value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            format!("{:width$}  {value}  ({})", line.key, line.source)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
