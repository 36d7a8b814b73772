//! What is hidden is unknown; mounted servers keep their own rules.

use super::*;
use crate::{
    Resource, Tool,
    access::{require_auth, require_role, require_scopes},
    scopes,
};

fn tool(name: &'static str) -> Tool {
    Tool::new(name, async || "ran")
}

async fn listed(client: &Client) -> Vec<String> {
    let tools = client.list_all_tools().await.unwrap();
    tools
        .into_iter()
        .map(|tool| tool.name.into_owned())
        .collect()
}

fn restricted() -> Server {
    Server::new("s")
        .tool(tool("free"))
        .tool(tool("auth").authorize(require_auth()))
        .tool(tool("role").authorize(require_role("admin")))
        .tool(tool("scope").authorize(require_scopes(scopes!["x"])))
        .tool(tool("check").allow_if(|token| token.subject() == "root"))
        .tool(Tool::new("token", async |token: AccessToken| {
            token.subject().to_owned()
        }))
}

#[tokio::test]
async fn a_hidden_tool_answers_exactly_as_an_unknown_one() {
    for era in ERAS {
        for (local, seen) in [
            (None, vec!["free"]),
            (Some(local_user()), vec!["free", "auth", "token"]),
        ] {
            let (client, _) = connect_as(era, restricted(), local).await;
            assert_eq!(listed(&client).await, seen, "{era:?}");
            let unknown = try_call(&client, "nothing", json!({}))
                .await
                .unwrap_err()
                .to_string();
            for name in ["free", "auth", "role", "scope", "check", "token"] {
                match try_call(&client, name, json!({})).await {
                    Ok(_) => assert!(seen.contains(&name), "{era:?}: {name} ran"),
                    Err(error) => {
                        assert!(!seen.contains(&name), "{era:?}: {name} did not run");
                        assert_eq!(error.to_string(), unknown, "{era:?}: {name}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_mounted_server_keeps_its_own_rules() {
    for era in ERAS {
        let inner = Server::new("inner")
            .authorize(require_role("admin"))
            .tool(tool("inside"))
            .resource(Resource::new("x://y", async || ""));
        let open = Server::new("open").tool(tool("inside"));
        let outer = Server::new("outer")
            .mount("closed", inner)
            .mount("open", open);
        let (client, _) = connect_as(era, outer, Some(local_user())).await;
        assert_eq!(listed(&client).await, ["open_inside"]);
        assert_eq!(text(&call(&client, "open_inside", json!({})).await), "ran");
        assert!(try_call(&client, "closed_inside", json!({})).await.is_err());
        assert!(
            client
                .list_resources(None)
                .await
                .unwrap()
                .resources
                .is_empty()
        );
    }
}
