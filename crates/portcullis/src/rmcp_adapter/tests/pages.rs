//! Lists in pages: cursors, and who may use them.

use std::time::Duration;

use portcullis_oauth::{MockClock, SeededEntropy, SharedClock};

use super::*;
use crate::{
    Prompt, Resource, ResourceTemplate, ServerHandle, Tool,
    access::{Caller, require_auth},
    model,
    rmcp_adapter::App,
};

fn tool(name: impl Into<String>) -> Tool {
    Tool::new(name.into(), async || "")
}

fn caller(subject: &str) -> Caller {
    let parts = TokenParts::new("https://auth.example.com", subject);
    Caller::Bearer(AccessToken::assert_verified(parts))
}

fn at(cursor: impl Into<String>) -> model::PaginatedRequestParams {
    let mut asked = model::PaginatedRequestParams::default();
    asked.cursor = Some(cursor.into());
    asked
}

/// Seven tools in pages of three, and what changes them.
fn seven() -> (App, ServerHandle) {
    let tools = ["a", "b", "c", "d", "e", "f", "g"].map(tool);
    let server = tools.into_iter().fold(Server::new("s"), Server::tool);
    let server = server.list_page_size(3);
    let handle = server.handle();
    (App::new(server.finish().unwrap(), None), handle)
}

async fn page(
    app: &App,
    caller: &Caller,
    asked: Option<model::PaginatedRequestParams>,
) -> (Vec<String>, Option<String>) {
    let list = app.tools(caller, asked).await.unwrap();
    let names = list.tools.into_iter().map(|tool| tool.name.into_owned());
    (names.collect(), list.next_cursor)
}

#[tokio::test]
async fn a_list_ends_with_its_last_page() {
    for era in ERAS {
        for count in [2_u32, 3, 4, 6, 7] {
            let mut server = Server::new("s").list_page_size(3);
            for index in 0..count {
                server = server
                    .tool(tool(format!("hidden{index}")).authorize(require_auth()))
                    .tool(tool(format!("t{index}")))
                    .prompt(Prompt::new(format!("p{index}"), async || ""))
                    .resource(Resource::new(format!("x://{index}"), async || ""))
                    .resource_template(ResourceTemplate::new(
                        format!("x://{index}/{{id}}"),
                        async || "",
                    ));
            }
            let client = connect(era, server).await;
            let first = client.list_tools(None).await.unwrap();
            assert_eq!(first.next_cursor.is_some(), count > 3, "{count}");
            assert_eq!(first.tools.len(), count.min(3) as usize);
            let tools = client.list_all_tools().await.unwrap();
            let names: Vec<_> = tools.iter().map(|tool| tool.name.to_string()).collect();
            let wanted: Vec<_> = (0..count).map(|index| format!("t{index}")).collect();
            assert_eq!(names, wanted, "{era:?}");
            let count = count as usize;
            assert_eq!(client.list_all_prompts().await.unwrap().len(), count);
            assert_eq!(client.list_all_resources().await.unwrap().len(), count);
            let templates = client.list_all_resource_templates().await.unwrap();
            assert_eq!(templates.len(), count);
        }
    }
}

#[tokio::test]
async fn a_cursor_keeps_its_place_while_other_tools_change() {
    let (app, handle) = seven();
    let alice = caller("alice");
    let (first, next) = page(&app, &alice, None).await;
    assert_eq!(first, ["a", "b", "c"]);
    let next = next.unwrap();
    handle.remove_tool("a");
    handle.disable_tool("d");
    handle.add_tool(tool("h")).unwrap();
    let (second, last) = page(&app, &alice, Some(at(&next))).await;
    assert_eq!(second, ["e", "f", "g"]);
    let (third, end) = page(&app, &alice, Some(at(last.unwrap()))).await;
    assert_eq!((third, end), (vec!["h".to_owned()], None));
    // Its own place is gone.
    handle.remove_tool("c");
    let error = app.tools(&alice, Some(at(next))).await.unwrap_err();
    assert_eq!(error.code, model::ErrorCode::INVALID_PARAMS);
}

#[tokio::test]
async fn sec_rs_09_a_cursor_is_the_callers_own() {
    let (app, _handle) = seven();
    let (_, next) = page(&app, &caller("alice"), None).await;
    let next = next.unwrap();
    assert!(app.tools(&caller("alice"), Some(at(&next))).await.is_ok());
    let bent = format!("{next}A");
    let made_up = portcullis_oauth::crypto::base64url::encode(br#"{"after":"c"}"#);
    for (who, cursor) in [
        ("bob", next.as_str()),
        ("alice", &bent),
        ("alice", &made_up),
        ("alice", "c"),
        ("alice", ""),
    ] {
        let error = app.tools(&caller(who), Some(at(cursor))).await.unwrap_err();
        assert_eq!(error.code, model::ErrorCode::INVALID_PARAMS, "{cursor}");
        assert!(cursor.is_empty() || !error.message.contains(&format!("`{cursor}`")));
    }
    assert!(app.tools(&Caller::Nobody, Some(at(&next))).await.is_err());
    let other = app
        .prompts(&caller("alice"), Some(at(&next)))
        .await
        .unwrap_err();
    assert_eq!(other.code, model::ErrorCode::INVALID_PARAMS);
    let (same_name, _handle) = seven();
    let foreign = same_name.tools(&caller("alice"), Some(at(next))).await;
    assert!(foreign.is_err(), "of another server");
}

#[tokio::test]
async fn a_cursor_ends_after_ten_minutes() {
    let clock = Arc::new(MockClock::at(1_000_000));
    let shared = Arc::clone(&clock) as SharedClock;
    let server = Server::new("s").clock_and_entropy(shared, Arc::new(SeededEntropy::new(1)));
    let server = server.tool(tool("a")).tool(tool("b")).list_page_size(1);
    let app = App::new(server.finish().unwrap(), None);
    let (_, next) = page(&app, &Caller::Nobody, None).await;
    let next = next.unwrap();
    clock.advance(Duration::from_secs(599));
    let (second, _) = page(&app, &Caller::Nobody, Some(at(&next))).await;
    assert_eq!(second, ["b"]);
    clock.advance(Duration::from_secs(1));
    assert!(app.tools(&Caller::Nobody, Some(at(next))).await.is_err());
}

#[test]
fn a_page_of_nothing_is_a_fault() {
    assert!(Server::new("s").list_page_size(0).finish().is_err());
    assert!(Server::new("s").list_page_size(1).finish().is_ok());
}

/// What is kept of a server's introduction follows its lists, those of its mounts too.
#[test]
fn an_introduction_follows_the_lists() {
    use rmcp::ServerHandler as _;

    let app = App::new(Server::new("s").finish().unwrap(), None);
    assert!(app.get_info().capabilities.prompts.is_none());
    let registry = ServerHandle::new(Arc::clone(&app.core.registry));
    registry.add_prompt(Prompt::new("p", async || "")).unwrap();
    assert!(app.get_info().capabilities.prompts.is_some());

    let inner = Server::new("inner");
    let inside = inner.handle();
    let app = App::new(Server::new("s").mount("in", inner).finish().unwrap(), None);
    assert!(app.get_info().capabilities.completions.is_none());
    let prompt = Prompt::new("p", async || "").complete("x", async |_| ["y"]);
    inside.add_prompt(prompt).unwrap();
    assert!(app.get_info().capabilities.completions.is_some());
}
