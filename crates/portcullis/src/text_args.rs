//! Arguments that arrive as text: a prompt's, and the variables of a resource template.
//!
//! MCP has nothing but strings for them. A handler may ask for numbers and booleans all the same:
//! they are read from the text. What no text can be is a fault of the component.

use portcullis_oauth::json::{Map, Value};
use serde_json::Number;

/// The arguments that become something else than a string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextArguments(Vec<(String, Kind)>);

/// What a text may become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kind {
    text: bool,
    boolean: bool,
    numbers: Numbers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Numbers {
    #[default]
    None,
    Whole,
    All,
}

impl TextArguments {
    /// What the schema of a handler's arguments wants to be made of text.
    pub(crate) fn of(schema: &Map<String, Value>) -> Result<Self, &'static str> {
        let mut converted = Vec::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let kind = Kind::of(property, schema, DEPTH);
            if kind == Kind::default() {
                return Err("an argument that comes as text is a string, a number or a boolean");
            }
            if !kind.text {
                converted.push((name.clone(), kind));
            }
        }
        Ok(Self(converted))
    }

    /// Makes of each text what the handler wants. One that does not fit stays as it is, and the
    /// handler's [`Args`](crate::Args) refuses it.
    pub(crate) fn convert(&self, arguments: &mut Map<String, Value>) {
        for (name, kind) in &self.0 {
            if let Some(argument) = arguments.get_mut(name)
                && let Some(value) = argument.as_str().and_then(|text| kind.read(text))
            {
                *argument = value;
            }
        }
    }
}

/// The conversion, and what is wrong with the arguments.
pub(crate) fn parts(
    text: Option<Result<TextArguments, &'static str>>,
) -> (TextArguments, Option<&'static str>) {
    match text {
        Some(Ok(text)) => (text, None),
        Some(Err(fault)) => (TextArguments::default(), Some(fault)),
        None => (TextArguments::default(), None),
    }
}

/// How deep definitions may refer to each other.
const DEPTH: usize = 8;

impl Kind {
    const ANY: Self = Self {
        text: true,
        boolean: true,
        numbers: Numbers::All,
    };

    /// What the schema of one argument takes.
    fn of(schema: &Value, root: &Map<String, Value>, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else {
            return Self::default();
        };
        let Some(schema) = schema.as_object() else {
            // `true` takes anything, and `false` nothing.
            return match schema {
                Value::Bool(true) => Self::ANY,
                _ => Self::default(),
            };
        };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let definition = name
                .strip_prefix("#/$defs/")
                .and_then(|name| root.get("$defs")?.get(name));
            return definition.map_or(Self::default(), |schema| Self::of(schema, root, depth));
        }
        match schema.get("type") {
            Some(Value::String(kind)) => Self::named(kind),
            Some(Value::Array(kinds)) => kinds
                .iter()
                .filter_map(Value::as_str)
                .map(Self::named)
                .fold(Self::default(), Self::or),
            _ => Self::of_choice(schema, root, depth),
        }
    }

    /// What a schema without a type takes: one of several, or whatever it does not rule out.
    fn of_choice(schema: &Map<String, Value>, root: &Map<String, Value>, depth: usize) -> Self {
        let choices = schema.get("anyOf").or_else(|| schema.get("oneOf"));
        if let Some(choices) = choices.and_then(Value::as_array) {
            let kinds = choices.iter().map(|choice| Self::of(choice, root, depth));
            return kinds.fold(Self::default(), Self::or);
        }
        let listed = schema.get("enum").and_then(Value::as_array);
        let listed = listed.map(Vec::as_slice);
        match listed.or_else(|| schema.get("const").map(std::slice::from_ref)) {
            Some(values) => values
                .iter()
                .map(Self::of_value)
                .fold(Self::default(), Self::or),
            None => Self::ANY,
        }
    }

    fn of_value(value: &Value) -> Self {
        Self::named(match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            _ => "null",
        })
    }

    fn named(kind: &str) -> Self {
        Self {
            text: kind == "string",
            boolean: kind == "boolean",
            numbers: match kind {
                "integer" => Numbers::Whole,
                "number" => Numbers::All,
                _ => Numbers::None,
            },
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            text: self.text || other.text,
            boolean: self.boolean || other.boolean,
            numbers: self.numbers.max(other.numbers),
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        if self.boolean
            && let Ok(value) = text.parse()
        {
            return Some(Value::Bool(value));
        }
        self.numbers.read(text).map(Value::Number)
    }
}

impl Numbers {
    fn read(self, text: &str) -> Option<Number> {
        let whole = || {
            let negative = text.parse::<i64>().map(Number::from);
            negative.or_else(|_| text.parse::<u64>().map(Number::from))
        };
        let broken = || text.parse().ok().and_then(Number::from_f64);
        match self {
            Self::None => None,
            Self::Whole => whole().ok(),
            Self::All => whole().ok().or_else(broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::json;

    use super::*;
    use crate::args::schema_of;

    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its type matters")]
    enum Tone {
        Kind,
        Plain,
    }

    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its type matters")]
    struct Mixed {
        text: String,
        may: Option<String>,
        tone: Option<Tone>,
        id: u32,
        large: Option<u64>,
        offset: i64,
        ratio: f64,
        deep: bool,
        any: Value,
    }

    fn converted(arguments: &Value) -> Value {
        let conversion = TextArguments::of(&schema_of::<Mixed>()).unwrap();
        let mut arguments = arguments.as_object().unwrap().clone();
        conversion.convert(&mut arguments);
        Value::Object(arguments)
    }

    #[test]
    fn text_becomes_what_the_handler_wants() {
        let sent = json!({
            "text": "7", "may": "true", "tone": "Kind", "id": "42", "offset": "-3",
            "large": "18446744073709551615", "ratio": "0.5", "deep": "true", "any": "1",
            "unknown": "1",
        });
        let wanted = json!({
            "text": "7", "may": "true", "tone": "Kind", "id": 42, "offset": -3,
            "large": u64::MAX, "ratio": 0.5, "deep": true, "any": "1", "unknown": "1",
        });
        assert_eq!(converted(&sent), wanted);
        assert_eq!(converted(&json!({"ratio": "2"})), json!({"ratio": 2}));
    }

    #[test]
    fn text_that_does_not_fit_stays_text() {
        for sent in [
            json!({"id": "4x"}),
            json!({"id": ""}),
            json!({"id": " 4"}),
            json!({"id": "1.5"}),
            json!({"deep": "yes"}),
            json!({"deep": "1"}),
            json!({"ratio": "NaN"}),
            json!({"ratio": "inf"}),
        ] {
            assert_eq!(converted(&sent), sent);
        }
    }

    #[test]
    fn what_no_text_can_be_is_a_fault() {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its type matters")]
        struct Inner {
            id: u32,
        }
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its type matters")]
        struct One<T> {
            value: T,
        }
        fn fits<T: schemars::JsonSchema>() -> bool {
            TextArguments::of(&schema_of::<One<T>>()).is_ok()
        }
        assert!(fits::<u8>() && fits::<Option<bool>>() && fits::<char>() && fits::<Value>());
        assert!(!fits::<Vec<String>>() && !fits::<Inner>() && !fits::<Option<Inner>>());
        assert!(!fits::<()>() && !fits::<Vec<Option<u8>>>());
    }
}
