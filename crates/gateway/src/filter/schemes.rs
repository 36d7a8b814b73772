//! What a tool needs, said in its entry of a list.

use std::borrow::Cow;
use std::collections::BTreeMap;

use portcullis_oauth::json::{self, JsonError, Limits, RawValue, Value};
use portcullis_resource_server::mcp::SecuritySchemes;

/// The entry with `schemes` in it, and in its `_meta` for clients that look there alone. Every other
/// byte stays; an entry that has schemes of its own is left alone.
///
/// # Errors
/// When the entry cannot be read in one way only.
pub(super) fn added<'a>(entry: &'a RawValue, schemes: &Value) -> Result<Cow<'a, str>, JsonError> {
    let text = entry.get();
    let members: BTreeMap<String, &RawValue> = json::from_str(text, Limits::MCP)?;
    if members.contains_key(SecuritySchemes::MEMBER) {
        return Ok(text.into());
    }
    let member = format!(r#""{}":{schemes}"#, SecuritySchemes::MEMBER);
    let Some(meta) = members.get("_meta").map(|meta| meta.get()) else {
        let both = format!(r#"{member},"_meta":{{{member}}}"#);
        return Ok(with_first(text, &both).into());
    };
    let Ok(own) = json::from_str::<BTreeMap<String, &RawValue>>(meta, Limits::MCP) else {
        // It is no object, so nobody finds a member there.
        return Ok(with_first(text, &member).into());
    };
    if own.contains_key(SecuritySchemes::MEMBER) {
        return Ok(text.into());
    }
    // `meta` is a part of `text`.
    let at = (meta.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let (Some(before), Some(after)) = (text.get(..at), text.get(at + meta.len()..)) else {
        return Ok(text.into());
    };
    let entry = format!("{before}{}{after}", with_first(meta, &member));
    Ok(with_first(&entry, &member).into())
}

/// The text of an object with one more member, before the others.
fn with_first(object: &str, member: &str) -> String {
    let rest = object.strip_prefix('{').unwrap_or(object);
    let comma = if rest.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    format!("{{{member}{comma}{rest}")
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::json;

    use super::*;

    fn added(entry: &str) -> String {
        let entry: &RawValue = json::from_str(entry, Limits::MCP).unwrap();
        let said = super::added(entry, &json!([{"type": "noauth"}])).unwrap();
        // Whatever becomes of it, it can be read in one way.
        json::value(said.as_bytes(), Limits::MCP).unwrap();
        said.into_owned()
    }

    #[test]
    fn m3_an_entry_says_what_its_tool_needs_and_keeps_its_bytes() {
        const SAID: &str = r#""securitySchemes":[{"type":"noauth"}]"#;
        for (entry, shown) in [
            (
                r#"{ "name":"a", "x" : 1.50 }"#,
                format!(r#"{{{SAID},"_meta":{{{SAID}}}, "name":"a", "x" : 1.50 }}"#),
            ),
            (
                r#"{"name":"a","_meta": { "k" : [1, 2]} }"#,
                format!(r#"{{{SAID},"name":"a","_meta": {{{SAID}, "k" : [1, 2]}} }}"#),
            ),
            (
                r#"{"\u005fmeta":{ },"name":"a"}"#,
                format!(r#"{{{SAID},"\u005fmeta":{{{SAID} }},"name":"a"}}"#),
            ),
            (
                r#"{"name":"a","_meta":null}"#,
                format!(r#"{{{SAID},"name":"a","_meta":null}}"#),
            ),
        ] {
            assert_eq!(added(entry), shown);
        }
    }

    #[test]
    fn m3_an_entry_that_says_so_itself_is_left_alone() {
        for entry in [
            r#"{"name":"a","securitySchemes":[]}"#,
            r#"{"name":"a","security\u0053chemes":null}"#,
            r#"{"name":"a","_meta":{"securitySchemes":[{"type":"oauth2"}]}}"#,
        ] {
            assert_eq!(added(entry), entry);
        }
    }
}
