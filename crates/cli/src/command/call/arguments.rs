//! `name=value`, typed by a tool's schema.

use portcullis::model;
use portcullis_oauth::json::{self, Limits, Map, Value};
use portcullis_resource_server::env::nearest;

use crate::report::{Failure, Problem};

/// The arguments that the pairs say, or everything that is wrong with them.
pub(super) fn of(pairs: &[String], tool: &model::Tool) -> Result<Map<String, Value>, Failure> {
    let schema = Schema(&tool.input_schema);
    let mut arguments = Map::new();
    let mut problems = Vec::new();
    for pair in pairs {
        match one(pair, &schema) {
            Ok((name, _)) if arguments.contains_key(&name) => {
                problems.push(Problem::new(format!("`{name}` is given twice")));
            }
            Ok((name, value)) => {
                arguments.insert(name, value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    // Whoever misspelt a name does not miss it, too.
    if problems.is_empty() {
        let missing = schema
            .required()
            .filter(|name| !arguments.contains_key(*name));
        problems.extend(missing.map(|name| {
            let problem = Problem::new(format!("the argument `{name}` is missing"));
            problem.hint(schema.described())
        }));
    }
    if problems.is_empty() {
        Ok(arguments)
    } else {
        Err(problems.into())
    }
}

fn one(pair: &str, schema: &Schema<'_>) -> Result<(String, Value), Problem> {
    let shape = || {
        let problem = Problem::new(format!("`{pair}` is no argument"));
        problem.hint("write `name=value`, or `name:=json`")
    };
    let (name, text) = pair.split_once('=').ok_or_else(shape)?;
    let (name, is_json) = match name.strip_suffix(':') {
        Some(name) => (name, true),
        None => (name, false),
    };
    if name.is_empty() {
        return Err(shape());
    }
    let property = schema.property(name)?;
    let value = if is_json {
        parsed(text)
            .map_err(|error| Problem::new(format!("`{name}` is not JSON")).because(error))?
    } else {
        typed(name, text, &schema.types(property))?
    };
    Ok((name.to_owned(), value))
}

/// The value of a text, by the types that may be.
fn typed(name: &str, text: &str, types: &[String]) -> Result<Value, Problem> {
    let is = |kind: &str| types.iter().any(|known| known == kind);
    if let Ok(value) = parsed(text.trim())
        && types
            .iter()
            .any(|kind| kind != "string" && is_a(&value, kind))
    {
        return Ok(value);
    }
    if types.is_empty() || is("string") {
        return Ok(Value::from(text));
    }
    let problem = Problem::new(format!("`{name}`: `{text}` is no {}", types.join(" or ")));
    Err(if is("array") {
        problem.hint(format!("write it as JSON: `{name}='[\"a\", \"b\"]'`"))
    } else if is("object") {
        problem.hint(format!("write it as JSON: `{name}='{{\"a\": 1}}'`"))
    } else {
        problem
    })
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn parsed(text: &str) -> Result<Value, json::JsonError> {
    json::value(text.as_bytes(), Limits::MCP)
}

/// No more schemas are read for the type of one argument.
const MOST_SCHEMAS: usize = 256;

/// A tool's input schema, as far as it says what may be said.
struct Schema<'a>(&'a Map<String, Value>);

impl<'a> Schema<'a> {
    fn properties(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let properties = self.0.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten()
    }

    fn required(&self) -> impl Iterator<Item = &'a str> {
        let required = self.0.get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The schema of an argument; `None` where any argument may be.
    fn property(&self, name: &str) -> Result<Option<&'a Value>, Problem> {
        let mut known = self.properties();
        if let Some((_, property)) = known.find(|(known, _)| *known == name) {
            return Ok(Some(property));
        }
        let others = self.0.get("additionalProperties");
        if matches!(others, Some(Value::Bool(true) | Value::Object(_))) {
            return Ok(None);
        }
        let names = self.properties().map(|(name, _)| name.as_str());
        let hint = match nearest(name, names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => self.described(),
        };
        let problem = Problem::new(format!("the tool has no argument `{name}`"));
        Err(problem.hint(hint))
    }

    /// The names of types that a value may have; none where the schema does not say.
    fn types(&self, property: Option<&Value>) -> Vec<String> {
        let mut types = Vec::new();
        // A schema may lead to itself, and in many ways at once.
        let mut left = MOST_SCHEMAS;
        let mut next: Vec<&Value> = property.into_iter().collect();
        while let Some(schema) = next.pop().filter(|_| left > 0) {
            left -= 1;
            own_types(schema, &mut types);
            let reference = schema.get("$ref").and_then(Value::as_str);
            next.extend(reference.and_then(|path| self.definition(path)));
            for branches in ["anyOf", "oneOf", "allOf"] {
                let branches = schema.get(branches).and_then(Value::as_array);
                next.extend(branches.into_iter().flatten().take(left));
            }
        }
        types.sort_unstable();
        types.dedup();
        types
    }

    fn definition(&self, path: &str) -> Option<&'a Value> {
        let mut parts = path.strip_prefix("#/")?.split('/');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// `it takes: a (integer), b (string, optional)`.
    fn described(&self) -> String {
        let required: Vec<&str> = self.required().collect();
        let arguments = self.properties().map(|(name, property)| {
            let types = self.types(Some(property));
            let kind = if types.is_empty() {
                "anything".to_owned()
            } else {
                types.join(" or ")
            };
            let optional = if required.contains(&name.as_str()) {
                ""
            } else {
                ", optional"
            };
            format!("`{name}` ({kind}{optional})")
        });
        let arguments: Vec<String> = arguments.collect();
        if arguments.is_empty() {
            "it takes no arguments".to_owned()
        } else {
            format!("it takes {}", arguments.join(", "))
        }
    }
}

/// The types that a schema says itself: as such, or by values.
fn own_types(schema: &Value, types: &mut Vec<String>) {
    match schema.get("type") {
        Some(Value::String(kind)) => types.push(kind.clone()),
        Some(Value::Array(kinds)) => {
            types.extend(kinds.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        Some(_) => {}
        None => {
            let values = schema.get("enum").and_then(Value::as_array);
            let values = values.into_iter().flatten().chain(schema.get("const"));
            types.extend(values.map(|value| kind(value).to_owned()));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::json;

    use super::*;

    fn tool() -> model::Tool {
        let schema = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "count": {"type": "integer"},
                "ratio": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                "yes": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "place": {"$ref": "#/$defs/Place"},
                "either": {"type": ["string", "integer"]},
                "mode": {"enum": ["fast", "slow"]},
                "loop": {"$ref": "#/properties/loop"},
                "maze": {"anyOf": vec![json!({"$ref": "#/properties/maze"}); 1000]},
                "any": {},
            },
            "required": ["text"],
            "$defs": {"Place": {"type": "object"}},
        });
        let schema = schema.as_object().unwrap().clone();
        model::Tool::new_with_raw("t", None, std::sync::Arc::new(schema))
    }

    fn said(pairs: &[&str]) -> Result<Value, Vec<Problem>> {
        let pairs: Vec<String> = pairs.iter().map(|&pair| pair.to_owned()).collect();
        of(&pairs, &tool())
            .map(Value::Object)
            .map_err(|Failure(problems)| problems)
    }

    #[test]
    fn a_value_has_the_type_that_the_schema_says() {
        for (pair, expected) in [
            ("text=7", json!({"text": "7"})),
            ("text=a=b", json!({"text": "a=b"})),
            ("text=", json!({"text": ""})),
            ("text:=\"x\"", json!({"text": "x"})),
            ("count=-7", json!({"text": "", "count": -7})),
            ("ratio=0.5", json!({"text": "", "ratio": 0.5})),
            ("ratio=null", json!({"text": "", "ratio": null})),
            ("yes=true", json!({"text": "", "yes": true})),
            ("tags=[\"a\"]", json!({"text": "", "tags": ["a"]})),
            ("place={\"x\":1}", json!({"text": "", "place": {"x": 1}})),
            ("either=7", json!({"text": "", "either": 7})),
            ("either=seven", json!({"text": "", "either": "seven"})),
            ("mode=fast", json!({"text": "", "mode": "fast"})),
            ("loop=x", json!({"text": "", "loop": "x"})),
            ("maze=x", json!({"text": "", "maze": "x"})),
            ("any=7", json!({"text": "", "any": "7"})),
            ("any:=7", json!({"text": "", "any": 7})),
        ] {
            let pairs: Vec<&str> = if pair.starts_with("text") {
                vec![pair]
            } else {
                vec!["text=", pair]
            };
            assert_eq!(said(&pairs).unwrap(), expected, "{pair}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_a_mistake() {
        for (pair, expected) in [
            ("count=x", "`count`: `x` is no integer"),
            ("count=1.5", "`count`: `1.5` is no integer"),
            ("yes=1", "`yes`: `1` is no boolean"),
            ("tags=a", "`tags`: `a` is no array"),
            ("place=[]", "`place`: `[]` is no object"),
            ("any:={", "`any` is not JSON"),
            ("nothing", "`nothing` is no argument"),
            ("=x", "`=x` is no argument"),
        ] {
            let problems = said(&["text=", pair]).unwrap_err();
            assert_eq!(problems[0].what, expected, "{pair}");
        }
    }

    #[test]
    fn unknown_and_missing_names_are_named() {
        let problems = said(&["tex=a"]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `text`?"));
        let problems = said(&["count=1"]).unwrap_err();
        assert_eq!(problems[0].what, "the argument `text` is missing");
        assert!(
            problems[0]
                .hint
                .as_ref()
                .unwrap()
                .contains("`count` (integer, optional)")
        );
        let problems = said(&["text=a", "text=b"]).unwrap_err();
        assert_eq!(problems[0].what, "`text` is given twice");
    }
}
