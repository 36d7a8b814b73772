//! From what was seen to what is found. No IO here.

pub(super) mod call;
pub(super) mod challenge;
pub(super) mod login;
pub(super) mod place;
pub(super) mod provider;
pub(super) mod registration;
pub(super) mod resource;
pub(super) mod server;
#[cfg(test)]
mod tests;
pub(super) mod token;

use portcullis_oauth::json::Value;

/// Whether a list in a document has this text.
fn lists(document: &Value, member: &str, text: &str) -> bool {
    texts(document, member).any(|one| one == text)
}

/// The texts of a list in a document.
fn texts<'a>(document: &'a Value, member: &str) -> impl Iterator<Item = &'a str> {
    let list = document.get(member).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// A member as it is written, `absent` if it is not there.
fn written(document: &Value, member: &str) -> String {
    match document.get(member) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "absent".to_owned(),
    }
}
