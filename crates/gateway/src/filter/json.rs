//! A list in one JSON-RPC answer, as its reader may see it: without what is hidden, and where it asks
//! for that, with what tools need.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use portcullis_oauth::json::{self, JsonError, Limits, RawValue};
use portcullis_resource_server::mcp::{Decision, Operation, Target};
use serde::Deserialize;

use super::{Filter, schemes};

/// Removes what the caller may not see from every list in `message`, and adds to tools what they need
/// where that is wanted. What stays, and everything around it, keeps its bytes.
///
/// # Errors
/// When the message cannot be read in one way only, or an entry has no name: then nobody could say
/// what a client would find in it.
pub(super) fn visible(filter: &Filter, message: &Bytes) -> Result<Bytes, JsonError> {
    let answer: Answer<'_> = json::from_slice(message, Limits::MCP)?;
    let Some(lists) = answer.result else {
        return Ok(message.clone());
    };
    told(filter, &lists)?;
    let mut cuts = Vec::new();
    for (entries, operation) in [
        (lists.tools, tool as Naming),
        (lists.prompts, prompt),
        (lists.resources, resource),
        (lists.templates, template),
    ] {
        let mut shown = Vec::with_capacity(entries.len());
        for entry in &entries {
            let operation = operation(entry)?;
            if is_shown(filter, &operation) {
                shown.push((*entry, described(filter, entry, &operation)?));
            }
        }
        cuts.extend(cut(message, &entries, &shown));
    }
    if let Some(own) = &filter.tasks {
        let mut shown = Vec::with_capacity(lists.tasks.len());
        for entry in &lists.tasks {
            let Running { id } = json::from_str(entry.get(), Limits::MCP)?;
            // SECURITY: others' tasks are nobody's to see (MCP 2025-11-25, task isolation);
            // sec_mt_01_a_list_of_tasks_shows_the_callers_own
            if own.has(&id) {
                shown.push((*entry, entry.get().into()));
            }
        }
        cuts.extend(cut(message, &lists.tasks, &shown));
    }
    Ok(replace(message, cuts))
}

/// Lets rules be told of that match no tool.
fn told(filter: &Filter, lists: &Lists<'_>) -> Result<(), JsonError> {
    if lists.tools.is_empty() {
        return Ok(());
    }
    let mut names = Vec::with_capacity(lists.tools.len());
    for entry in &lists.tools {
        let Named { name } = json::from_str(entry.get(), Limits::MCP)?;
        names.push(name);
    }
    let names = names.iter().map(|name| &**name);
    let (is_last, rules) = (lists.next.is_none(), &filter.rules);
    let unmatched = &filter.unmatched;
    unmatched.listed(names, is_last, rules, &filter.upstream);
    Ok(())
}

/// Whether `message` tells that a resource changed which the caller may not hear of.
///
/// # Errors
/// When the message cannot be read in one way only.
pub(super) fn is_hidden_update(filter: &Filter, message: &[u8]) -> Result<bool, JsonError> {
    let told: Told<'_> = json::from_slice(message, Limits::MCP)?;
    if told.method.as_deref() != Some("notifications/resources/updated") {
        return Ok(false);
    }
    let Some(Located { uri }) = told.params else {
        return Ok(true);
    };
    let heard = Operation::new("resources/subscribe", Target::Resource(uri));
    Ok(filter.rules.judge(filter.token.as_ref(), &heard) != Decision::Allow)
}

/// Whether the caller gets to it, or is told what is missing.
fn is_shown(filter: &Filter, operation: &Operation<'_>) -> bool {
    let token = filter.token.as_ref();
    match filter.rules.judge(token, operation) {
        Decision::Allow => true,
        // SECURITY: what a caller can never get is not for them to know of, as a call says too;
        // m4_a_list_shows_nothing_that_the_caller_can_never_get
        Decision::StepUp(needed) => token.is_none_or(|token| token.can_get(&needed)),
        _ => false,
    }
}

/// The operation whose decision says whether an entry is seen.
type Naming = for<'a> fn(&'a RawValue) -> Result<Operation<'a>, JsonError>;

fn tool(entry: &RawValue) -> Result<Operation<'_>, JsonError> {
    let Named { name } = json::from_str(entry.get(), Limits::MCP)?;
    Ok(Operation::new("tools/call", Target::Tool(name)))
}

fn prompt(entry: &RawValue) -> Result<Operation<'_>, JsonError> {
    let Named { name } = json::from_str(entry.get(), Limits::MCP)?;
    Ok(Operation::new("prompts/get", Target::Prompt(name)))
}

fn resource(entry: &RawValue) -> Result<Operation<'_>, JsonError> {
    let Located { uri } = json::from_str(entry.get(), Limits::MCP)?;
    Ok(Operation::new("resources/read", Target::Resource(uri)))
}

fn template(entry: &RawValue) -> Result<Operation<'_>, JsonError> {
    let Templated { template } = json::from_str(entry.get(), Limits::MCP)?;
    Ok(Operation::new("resources/read", Target::Resource(template)))
}

/// An entry as it is shown: a tool with what it needs, where that is to be said.
fn described<'a>(
    filter: &Filter,
    entry: &'a RawValue,
    operation: &Operation<'_>,
) -> Result<Cow<'a, str>, JsonError> {
    let (Some(schemes), Target::Tool(name)) = (&filter.schemes, operation.target()) else {
        return Ok(entry.get().into());
    };
    let scopes = filter.rules.scopes_of_tool(name);
    schemes::added(entry, &schemes.of_tool(scopes.as_ref()))
}

/// An entry, and its text as it is shown.
type Shown<'a> = (&'a RawValue, Cow<'a, str>);

/// Where a list stands of which less is shown, and what is; else where entries stand that are shown
/// with other text, and that.
fn cut(message: &[u8], entries: &[&RawValue], shown: &[Shown<'_>]) -> Vec<(Range<usize>, String)> {
    if shown.len() < entries.len() {
        let texts: Vec<_> = shown.iter().map(|(_, text)| &**text).collect();
        let place = place(message, entries);
        return place
            .map(|place| (place, texts.join(",")))
            .into_iter()
            .collect();
    }
    let changed = shown.iter().filter_map(|(entry, text)| match text {
        Cow::Owned(text) => Some((place(message, &[entry])?, text.clone())),
        Cow::Borrowed(_) => None,
    });
    changed.collect()
}

/// From the first entry to the last.
fn place(message: &[u8], entries: &[&RawValue]) -> Option<Range<usize>> {
    let (first, last) = (entries.first()?.get(), entries.last()?.get());
    let offset = |text: &str| (text.as_ptr() as usize).checked_sub(message.as_ptr() as usize);
    Some(offset(first)?..offset(last)?.checked_add(last.len())?)
}

fn replace(message: &Bytes, mut cuts: Vec<(Range<usize>, String)>) -> Bytes {
    if cuts.is_empty() {
        return message.clone();
    }
    cuts.sort_by_key(|(place, _)| place.start);
    let mut kept = Vec::with_capacity(message.len());
    let mut at = 0;
    for (place, list) in cuts {
        kept.extend_from_slice(message.get(at..place.start).unwrap_or_default());
        kept.extend_from_slice(list.as_bytes());
        at = place.end;
    }
    kept.extend_from_slice(message.get(at..).unwrap_or_default());
    kept.into()
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "if_it_is_one")]
    params: Option<Located<'a>>,
}

/// A member of another shape is none.
fn if_it_is_one<'de, D>(from: D) -> Result<Option<Located<'de>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let raw = <&RawValue>::deserialize(from)?;
    Ok(json::from_str(raw.get(), Limits::MCP).ok())
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<Lists<'a>>,
}

#[derive(Deserialize)]
struct Lists<'a> {
    #[serde(borrow, default)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    prompts: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    resources: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "resourceTemplates")]
    templates: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    tasks: Vec<&'a RawValue>,
    /// There only if more follows.
    #[serde(borrow, default, rename = "nextCursor")]
    next: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Located<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Templated<'a> {
    #[serde(borrow, rename = "uriTemplate")]
    template: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Running<'a> {
    #[serde(borrow, rename = "taskId")]
    id: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_oauth::scopes;
    use portcullis_resource_server::mcp::session::SessionOwner;
    use portcullis_resource_server::{AccessToken, TokenParts};

    use super::*;
    use crate::filter::Tasks;
    use crate::filter::unmatched::Unmatched;
    use crate::rules::{Needs, Rules};

    fn rules() -> Rules {
        Rules::new()
            .tool("admin_*", Needs::roles(["admin"]))
            .unwrap()
            .tool("write_*", Needs::scopes(scopes!["write"]))
            .unwrap()
            .resource("file:///private/*", Needs::roles(["admin"]))
            .unwrap()
    }

    fn shown(message: &str) -> Result<String, JsonError> {
        let token = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
        let message = Bytes::copy_from_slice(message.as_bytes());
        let tasks = Tasks::default().of(SessionOwner::of(Some(&token)));
        let own = br#"{"result":{"taskId":"own","resultType":"task"}}"#;
        tasks.note(own).unwrap();
        let filter = Filter {
            rules: Arc::new(rules()),
            token: Some(token),
            tasks: Some(tasks),
            schemes: None,
            unmatched: Unmatched::new(&rules()),
            upstream: "test".into(),
        };
        let bytes = visible(&filter, &message)?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn hidden_entries_go_and_everything_else_keeps_its_bytes() {
        let before = r#"{ "jsonrpc":"2.0", "id":1e0, "result": {"x":1.50, "tools":[ {"name":"a","new":[1]} , {"name":"admin_x"},{"name":"write_y"} ], "nextCursor":"\u0041"}}"#;
        let after = r#"{ "jsonrpc":"2.0", "id":1e0, "result": {"x":1.50, "tools":[ {"name":"a","new":[1]},{"name":"write_y"} ], "nextCursor":"\u0041"}}"#;
        assert_eq!(shown(before).unwrap(), after);
    }

    #[test]
    fn nothing_hidden_changes_nothing() {
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a"} , {"name":"b"} ]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
        ] {
            assert_eq!(shown(message).unwrap(), message);
        }
    }

    #[test]
    fn every_kind_of_list_is_read() {
        let hidden = r#"{"result":{"tools":[{"name":"admin_a"}],"resources":[{"uri":"file:///private/k","name":"k"}],"resourceTemplates":[{"uriTemplate":"file:///private/{x}"},{"uriTemplate":"file:///{x}"}]}}"#;
        let left = r#"{"result":{"tools":[],"resources":[],"resourceTemplates":[{"uriTemplate":"file:///{x}"}]}}"#;
        assert_eq!(shown(hidden).unwrap(), left);
    }

    #[test]
    fn sec_mt_01_a_list_of_tasks_shows_the_callers_own() {
        let all = r#"{"result":{"tasks":[{"taskId":"other"}, {"x":1,"taskId":"\u006fwn"}]}}"#;
        let own = r#"{"result":{"tasks":[{"x":1,"taskId":"\u006fwn"}]}}"#;
        assert_eq!(shown(all).unwrap(), own);
        assert!(shown(r#"{"result":{"tasks":[{"id":"own"}]}}"#).is_err());
    }

    #[test]
    fn sec_gw_14_an_escaped_name_is_the_name_it_spells() {
        let escaped = r#"{"result":{"tools":[{"name":"admin_x"}]}}"#;
        assert_eq!(shown(escaped).unwrap(), r#"{"result":{"tools":[]}}"#);
    }

    #[test]
    fn sec_gw_14_a_list_that_two_readers_see_differently_is_refused() {
        for message in [
            r#"{"result":{"tools":[{"name":"a","name":"admin_x"}]}}"#,
            r#"{"result":{"tools":[],"tools":[{"name":"admin_x"}]}}"#,
            r#"{"result":{"tools":[{"title":"no name"}]}}"#,
            r#"{"result":{"tools":{"name":"admin_x"}}}"#,
            r#"{"result":{"tools":[{"name":"a"}]}} {"#,
            r#"[{"result":{"tools":[{"name":"admin_x"}]}}]"#,
        ] {
            assert!(shown(message).is_err(), "{message}");
        }
    }
}
