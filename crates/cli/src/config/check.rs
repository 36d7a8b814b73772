//! Compares what was written with the schema: all mistakes at once, each with its place.

use std::fmt::Write as _;

use portcullis_resource_server::env::nearest;
use serde_json::{Map, Value};

use super::origin::Origins;
use super::schema::{branches, types, words};
use crate::report::Problem;

/// Takes out of `tree` what the schema does not allow, and says why.
pub(crate) fn check(tree: &mut Value, schema: &Value, origins: &Origins) -> Vec<Problem> {
    let mut check = Check {
        origins,
        problems: Vec::new(),
        top: properties(schema).keys().cloned().collect(),
    };
    check.value("", tree, schema);
    check.problems
}

struct Check<'a> {
    origins: &'a Origins,
    problems: Vec<Problem>,
    top: Vec<String>,
}

impl Check<'_> {
    /// Whether the value can stay.
    fn value(&mut self, path: &str, value: &mut Value, schema: &Value) -> bool {
        let branches = branches(schema);
        let Some(branch) = branches.iter().find(|branch| fits(value, branch)) else {
            self.wrong_type(path, value, schema);
            return false;
        };
        match value {
            Value::Object(members) => self.table(path, members, branch),
            Value::Array(items) => {
                if let Some(schema) = branch.get("items") {
                    let mut at = 0;
                    items.retain_mut(|item| {
                        let fine = self.value(&format!("{path}.{at}"), item, schema);
                        at += 1;
                        fine
                    });
                }
                true
            }
            _ => true,
        }
    }

    fn table(&mut self, path: &str, members: &mut Map<String, Value>, schema: &Value) -> bool {
        let known = properties(schema);
        members.retain(|name, value| {
            let below = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            let schema = known
                .get(name)
                .or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()));
            if let Some(schema) = schema {
                return self.value(&below, value, schema);
            }
            self.unknown(path, name, &below, &known);
            false
        });
        true
    }

    fn unknown(&mut self, path: &str, name: &str, below: &str, known: &Map<String, Value>) {
        let full = |name: &str| match shown(path).as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let beside = nearest(name, known.keys().map(String::as_str)).map(full);
        let meant = beside.or_else(|| {
            let top = self.top.iter().map(String::as_str);
            nearest(name, top).map(str::to_owned)
        });
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.len() <= 12 => {
                let names: Vec<_> = known.keys().map(|name| format!("`{name}`")).collect();
                format!("known here are {}", names.join(", "))
            }
            None => "`portcullis config schema` lists what is known".to_owned(),
        };
        let problem = Problem::new(format!("`{}` is not a known key", full(name))).about(below);
        self.problems
            .push(problem.at(self.origins.find(below)).hint(hint));
    }

    fn wrong_type(&mut self, path: &str, value: &Value, schema: &Value) {
        let words = words(schema);
        let (what, hint) = match value {
            Value::String(word) if !words.is_empty() => {
                let listed: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                let meant = nearest(word, words.iter().copied());
                let meant = meant.map_or(String::new(), |word| format!("did you mean `{word}`? "));
                (
                    format!("`{}` has a value that is not known", shown(path)),
                    format!("{meant}known are {}", listed.join(", ")),
                )
            }
            _ => {
                let expected = expected(schema);
                (
                    format!("`{}` is {}", shown(path), kind(value, schema)),
                    format!("{expected} is expected"),
                )
            }
        };
        let problem = Problem::new(what).about(path);
        let problem = problem.at(self.origins.find(path));
        self.problems.push(problem.hint(hint));
    }
}

/// `upstream.0.tool.1` as people write it: `upstream[0].tool[1]`.
pub(crate) fn shown(path: &str) -> String {
    let mut shown = String::new();
    for part in path.split('.') {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(shown, "[{part}]");
        } else {
            if !shown.is_empty() {
                shown.push('.');
            }
            shown.push_str(part);
        }
    }
    shown
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn fits(value: &Value, schema: &Value) -> bool {
    let types = types(schema);
    let has = |name| types.is_empty() || types.contains(&name);
    let words = words(schema);
    match value {
        Value::String(text) => {
            has("string") && (words.is_empty() || words.contains(&text.as_str()))
        }
        Value::Number(number) => has("integer") && in_range(number.as_i64(), schema),
        Value::Bool(_) => has("boolean"),
        Value::Array(_) => has("array"),
        Value::Object(_) => has("object"),
        Value::Null => false,
    }
}

fn in_range(number: Option<i64>, schema: &Value) -> bool {
    let bound = |name| schema.get(name).and_then(Value::as_i64);
    let from = bound("minimum").unwrap_or(i64::MIN);
    let to = bound("maximum").unwrap_or(i64::MAX);
    number.is_some_and(|number| (from..=to).contains(&number) && number <= i64::from(u32::MAX))
}

fn kind(value: &Value, schema: &Value) -> &'static str {
    let types: Vec<&str> = branches(schema).into_iter().flat_map(types).collect();
    match value {
        Value::String(_) => "a text",
        Value::Number(_) if types.contains(&"integer") => "a number that does not fit",
        Value::Number(_) => "a number",
        Value::Bool(_) => "`true` or `false`",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
        Value::Null => "empty",
    }
}

fn expected(schema: &Value) -> String {
    let mut expected: Vec<&str> = branches(schema)
        .into_iter()
        .flat_map(types)
        .map(|name| match name {
            "string" => "a text",
            "integer" => "a whole number",
            "boolean" => "`true` or `false`",
            "array" => "a list",
            _ => "a table",
        })
        .collect();
    expected.dedup();
    expected.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_people_write_them() {
        assert_eq!(
            shown("upstream.0.tool.12.match"),
            "upstream[0].tool[12].match"
        );
        assert_eq!(shown("auth.mode"), "auth.mode");
        assert_eq!(shown(""), "");
    }
}
