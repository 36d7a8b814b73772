//! Names and values that can be claims of ours.

use portcullis_oauth::json::{self, Value};

/// Names that mean something else to readers in some languages.
const POISON: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// Characters of a name.
pub(super) const MAX_NAME: usize = 128;

/// Items of an array.
const MAX_ITEMS: usize = 100;

/// Levels of a value.
pub(super) const MAX_DEPTH: u8 = 4;

/// Whether readers take the name for more than a name.
pub(super) fn is_poison(name: &str) -> bool {
    POISON
        .iter()
        .any(|poison| poison.eq_ignore_ascii_case(name))
}

/// Whether it is all of ASCII that has a shape, and not too long.
pub(super) fn is_printable(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether an array is one of texts, numbers and booleans.
pub(super) fn is_plain(items: &[Value]) -> bool {
    let is_scalar = |item: &Value| item.is_string() || item.is_number() || item.is_boolean();
    items.len() <= MAX_ITEMS && items.iter().all(is_scalar)
}

/// Whether a value has no more than so many levels, and nothing in it that does not pass.
pub(super) fn is_tame(value: &Value, levels: u8) -> bool {
    let inside = |value: &Value| {
        let below = levels.checked_sub(1);
        below.is_some_and(|levels| is_tame(value, levels))
    };
    match value {
        Value::Array(items) => levels > 0 && items.len() <= MAX_ITEMS && items.iter().all(inside),
        Value::Object(members) => {
            let is_good = |(name, value): (&String, &Value)| !is_poison(name) && inside(value);
            levels > 0 && members.iter().all(is_good)
        }
        _ => true,
    }
}

/// A value as JSON. Every value can be written.
pub(super) fn written(value: &Value) -> String {
    json::to_string(value).unwrap_or_default()
}
