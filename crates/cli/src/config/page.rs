//! The reference page of the configuration, made from the schema.

use std::fmt::Write as _;

use portcullis_resource_server::env::{Provider, SettingKind};
use serde_json::Value;

use super::raw::OWN_AUTH_KEYS;
use super::schema::{branches, keys_of, schema, settings_of, text, types, variable, words};

const HEAD: &str = "\
# Configuration

`portcullis run` reads `portcullis.toml` in the current directory, or the file that `--config` or
`PORTCULLIS_CONFIG` names. A flag wins over a variable of the environment, a variable over the file,
the file over a default. Paths in the file are relative to it. An unknown key is an error, and all
mistakes are told at once.

Beside the file, or in the current directory where there is none, a `.env` file may set variables;
those of the process win. What weakens a server (`none`, `dev`, `danger_*`, `auth.anonymous`) is an
error in the environment where the file sets an auth mode.

`portcullis config validate` checks a configuration, `config show` says what holds and where it was
said, `config schema` prints the JSON Schema for editors.

This page is made from the code: `cargo run -p portcullis-cli reference configuration`.
";

/// The page `docs/reference/configuration.md`, in Markdown.
pub(crate) fn configuration() -> String {
    let mut page = HEAD.to_owned();
    let schema = schema();
    section(&mut page, "", &schema, true);
    page.push_str("\n## `[auth]` by mode\n\nThe settings of a mode stand in `[auth]`, beside `mode`. Each is a\nvariable `PORTCULLIS_AUTH_<KEY>`, too, and FastMCP's work: see [environment](environment.md).\n");
    for provider in Provider::ALL {
        let _ = writeln!(
            page,
            "\n### `{}`: {}\n\n| key | value | |\n|---|---|---|",
            provider.name(),
            provider.title()
        );
        for setting in settings_of(provider) {
            let keys = keys_of(&setting);
            let name = setting.name().to_ascii_lowercase();
            let others: Vec<_> = keys
                .iter()
                .filter(|key| **key != name)
                .map(|key| format!("`{key}`"))
                .collect();
            let others = if others.is_empty() {
                String::new()
            } else {
                format!(" Or {}.", others.join(", "))
            };
            let need = if setting.is_required() {
                ", required"
            } else {
                ""
            };
            let about = setting.about();
            let _ = writeln!(
                page,
                "| `{name}` | {}{need} | {about}.{others} |",
                kind(setting.kind())
            );
        }
    }
    page
}

fn kind(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Scopes | SettingKind::Names => "text or list",
        SettingKind::Flag => "`true` or `false`",
        SettingKind::Seconds => "whole number",
        SettingKind::Params => "table of texts",
        SettingKind::Secret => "secret",
        _ => "text",
    }
}

/// A table of keys, and a section for each table below. Those in lists have no variables.
fn section(page: &mut String, prefix: &str, schema: &Value, has_variables: bool) {
    let mut below: Vec<(String, &Value, bool)> = Vec::new();
    let columns = if has_variables {
        "| key | variable | value | |\n|---|---|---|---|"
    } else {
        "| key | value | |\n|---|---|---|"
    };
    let _ = writeln!(page, "\n{columns}");
    for (name, schema) in members(schema) {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let about = text(schema, "description").replace('\n', " ");
        if prefix == "auth" && about.starts_with('`') && !OWN_AUTH_KEYS.contains(&name.as_str()) {
            continue;
        }
        let table = branches(schema)
            .into_iter()
            .find(|branch| branch.get("properties").is_some());
        let items = schema
            .pointer("/items")
            .filter(|items| items.get("properties").is_some());
        let map = schema
            .get("additionalProperties")
            .filter(|s| s.get("properties").is_some());
        if let Some(table) = table {
            below.push((path.clone(), table, has_variables));
        } else if let Some(items) = items {
            below.push((format!("{path}[]"), items, false));
        } else if let Some(map) = map {
            below.push((format!("{path}.\"..\""), map, false));
        }
        let value = value_of(schema);
        if has_variables {
            let is_leaf = table.is_none() && items.is_none() && map.is_none();
            let variable = match (is_leaf, path.as_str()) {
                (_, "upstream") => "`PORTCULLIS_UPSTREAM` (a URL)".to_owned(),
                (true, _) => format!("`{}`", variable(&path)),
                (false, _) => String::new(),
            };
            let _ = writeln!(page, "| `{name}` | {variable} | {value} | {about} |");
        } else {
            let _ = writeln!(page, "| `{name}` | {value} | {about} |");
        }
    }
    for (path, schema, has_variables) in below {
        let title = match path.strip_suffix("[]") {
            Some(path) => format!("[[{}]]", path.replace("[]", "")),
            None => format!("[{}]", path.replace("[]", "")),
        };
        let _ = writeln!(page, "\n## `{title}`");
        section(page, &path, schema, has_variables);
    }
}

fn members(schema: &Value) -> Vec<(&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .collect()
}

fn value_of(schema: &Value) -> String {
    let words = words(schema);
    let all: Vec<&str> = branches(schema).into_iter().flat_map(types).collect();
    if all.contains(&"object") && !words.is_empty() {
        return format!("`{}` or table", words.join("`, `"));
    }
    if !words.is_empty() {
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    let is_duration = all.contains(&"string") && all.contains(&"integer");
    if is_duration {
        return "length of time".to_owned();
    }
    let mut names: Vec<&str> = all
        .into_iter()
        .map(|name| match name {
            "string" => "text",
            "integer" => "whole number",
            "boolean" => "`true` or `false`",
            "array" => "list",
            _ => "table",
        })
        .collect();
    names.dedup();
    names.join(" or ")
}
