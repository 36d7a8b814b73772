//! From the text of a variable to its meaning. A fault never holds the text.

use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{Scope, ScopeSet};

use crate::Algorithm;

/// What is wrong with a value, and how to write it.
pub(super) type Fault = (&'static str, &'static str);

const SCOPES: &str = "separate scopes by commas or spaces, or write a JSON list of strings";
const URIS: &str = "separate patterns by commas or spaces, or write a JSON list of strings";
const PARAMS: &str = r#"write it as `{"name": "value"}`"#;
const NAMES: &str = "write one name, or a JSON list of strings";

/// A list of scopes: separated by commas or blanks, or as JSON. `None` for `null`.
pub(super) fn scopes(text: &str) -> Result<Option<ScopeSet>, Fault> {
    let text = text.trim();
    let scope =
        |text: &str| Scope::parse(text).map_err(|_| ("has something that is no scope", SCOPES));
    match text.chars().next() {
        None => Ok(Some(ScopeSet::new())),
        Some('[') => {
            let listed = json_list(text).ok_or(("is no JSON list of strings", SCOPES))?;
            listed
                .iter()
                .map(|item| scope(item))
                .collect::<Result<_, _>>()
                .map(Some)
        }
        Some('{') => Err(("is a JSON object", SCOPES)),
        Some('"') => match json::value(text.as_bytes(), Limits::JOSE) {
            Ok(Value::String(one)) => scope(&one).map(|scope| Some(ScopeSet::from_iter([scope]))),
            _ => Err(("is no JSON string", SCOPES)),
        },
        Some(_) if text == "null" => Ok(None),
        Some(_) if matches!(text, "true" | "false") => Err(("is no list of scopes", SCOPES)),
        Some(_) => text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|item| !item.is_empty())
            .map(scope)
            .collect::<Result<_, _>>()
            .map(Some),
    }
}

/// Names such as audiences: one text as it is, or a JSON list. There is no empty list and no empty
/// name, so that a check is never off by accident.
pub(super) fn names(text: &str) -> Result<Vec<String>, Fault> {
    let text = text.trim();
    // SECURITY: an empty audience would accept tokens for anybody (RFC 9068 section 4);
    // sec_jwt_14_an_empty_audience_is_an_error
    if text.is_empty() || text == "null" {
        return Err(("is empty", "remove it, or name at least one"));
    }
    if !text.starts_with('[') {
        return Ok(vec![text.to_owned()]);
    }
    let listed = json_list(text).ok_or(("is no JSON list of strings", NAMES))?;
    if listed.is_empty() || listed.iter().any(|name| name.trim().is_empty()) {
        return Err(("is empty", "remove it, or name at least one"));
    }
    Ok(listed)
}

/// Patterns of redirect URIs: separated by commas or blanks, or a JSON list, which may be empty.
pub(super) fn uris(text: &str) -> Result<Vec<String>, Fault> {
    let text = text.trim();
    if text.starts_with('[') {
        let fault = ("is no JSON list of strings", URIS);
        return json_list(text).ok_or(fault);
    }
    let listed = text.split(|c: char| c == ',' || c.is_whitespace());
    Ok(listed
        .filter(|uri| !uri.is_empty())
        .map(str::to_owned)
        .collect())
}

/// A JSON object of texts.
pub(super) fn params(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let fault = ("is no JSON object of strings", PARAMS);
    let Ok(Value::Object(members)) = json::value(text.trim().as_bytes(), Limits::JOSE) else {
        return Err(fault);
    };
    members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(fault),
        })
        .collect()
}

/// A name with a comma in it may have been meant as two.
pub(super) fn looks_like_a_list(text: &str) -> bool {
    !text.trim_start().starts_with('[') && text.contains(',')
}

/// An algorithm by its name, as a list that lives as long as the program.
pub(super) fn algorithm(text: &str) -> Result<&'static [Algorithm], Fault> {
    const ALL: &[Algorithm] = &Algorithm::ALL;
    let wanted = Algorithm::parse(text.trim());
    ALL.chunks(1)
        .find(|one| one.first().copied() == wanted)
        .ok_or((
            "is no algorithm that we know",
            "`RS256` and `ES256` are usual",
        ))
}

pub(super) fn flag(text: &str) -> Result<bool, Fault> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "" | "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(("is neither true nor false", "write `true` or `false`")),
    }
}

/// A whole number of seconds from 1 to 300.
pub(super) fn seconds(text: &str) -> Result<u64, Fault> {
    let seconds = text.trim().parse().ok();
    seconds
        .filter(|seconds| (1..=300).contains(seconds))
        .ok_or(("is no number of seconds from 1 to 300", "write `10`"))
}

/// A key in PEM, whose line breaks may be written as `\n`.
pub(super) fn pem(text: &str) -> String {
    text.trim().replace("\\r\\n", "\n").replace("\\n", "\n")
}

fn json_list(text: &str) -> Option<Vec<String>> {
    let Ok(Value::Array(items)) = json::value(text.as_bytes(), Limits::JOSE) else {
        return None;
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        })
        .collect()
}
