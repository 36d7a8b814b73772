use super::*;
use crate::access::{require_any, require_role};

fn tool(name: &'static str) -> Tool {
    Tool::new(name, async || "")
}

#[test]
fn every_mistake_is_reported_at_once() {
    let inner = Server::new("inner").tool(tool("in ner"));
    let server = Server::new("s")
        .tool(tool("a"))
        .tool(tool("a"))
        .tool(tool("no spaces"))
        .resource(Resource::new("relative", async || ""))
        .resource_template(ResourceTemplate::new("x://{a}{b}", async || ""))
        .authorize(require_any([]))
        .mount("in", inner)
        .state_key(portcullis_oauth::SecretBytes::new([1; 32]));
    let Err(Error::Config(faults)) = server.finish() else {
        panic!("built")
    };
    assert_eq!(faults.len(), 6, "{faults:?}");
}

#[test]
fn a_short_state_key_is_refused() {
    let key = portcullis_oauth::SecretBytes::new([1; 31]);
    assert!(matches!(
        Server::new("s").state_key(key).finish(),
        Err(Error::Config(_))
    ));
}

#[test]
fn a_shared_cache_needs_a_public_resource() {
    let day = std::time::Duration::from_secs(86_400);
    let motd = || Resource::new("x://motd", async || "").cache_public(day);
    assert!(Server::new("s").resource(motd()).finish().is_ok());
    let restricted = motd().authorize(require_role("admin"));
    assert!(matches!(
        Server::new("s").resource(restricted).finish(),
        Err(Error::Config(_))
    ));
}

#[test]
fn sec_schema_of_a_hidden_tool_is_not_shown() {
    let parts = TokenParts::new("https://auth.example.com", "alice");
    let alice = crate::access::Caller::Bearer(AccessToken::assert_verified(parts));
    let slow = tool("slow").allow_if_async(async |_| true);
    let core = Server::new("s")
        .tool(tool("open"))
        .tool(tool("hidden").authorize(require_role("admin")))
        .tool(slow)
        .finish()
        .unwrap();
    let shown = |name| core.schema_for(&alice, name).is_some();
    assert!(shown("open"));
    assert!(!shown("hidden") && !shown("slow") && !shown("nothing"));
}

#[test]
fn an_error_of_main_reads_well() {
    let error = Error::OpenToTheNetwork {
        address: "0.0.0.0:80".to_owned(),
    };
    assert_eq!(
        format!("{error:?}"),
        "`0.0.0.0:80` can be reached from other machines, and the server has no auth\n  \
         hint: add `.auth(..)`, listen on `127.0.0.1`, or say `.dangerous().allow_anonymous()`"
    );
}

#[tokio::test]
async fn a_completion_is_decided_by_the_template_that_it_names() {
    use portcullis_resource_server::mcp::{AccessPolicy as _, Decision, peek::peek};

    let template = |text: &str| ResourceTemplate::new(text, async || "");
    let core = Server::new("s")
        .resource_template(template("x://{+path}").authorize(require_role("admin")))
        .resource_template(template("x://open/{id}"))
        .resource_template(template("x://closed/{id}").authorize(require_role("admin")))
        .finish()
        .unwrap();
    let parts = TokenParts::new("https://auth.example.com", "alice");
    let alice = AccessToken::assert_verified(parts);
    for (uri, decision) in [
        ("x://open/{id}", Decision::Allow),
        ("x://closed/{id}", Decision::Hide),
        ("x://{+path}", Decision::Hide),
        ("x://open/7", Decision::Hide),
    ] {
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "completion/complete",
            "params": {"ref": {"type": "ref/resource", "uri": uri}},
        });
        let body = body.to_string();
        let message = peek(body.as_bytes()).unwrap();
        let operation = message.operation().unwrap();
        assert_eq!(
            core.decide(Some(&alice), operation).await,
            decision,
            "{uri}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn sec_rs_09_hanging_hooks_end_the_list() {
    let mut server = Server::new("s").tool(tool("first"));
    for index in 0..40 {
        let hang = || crate::access::check_async(async |_| std::future::pending().await);
        let rule = require_any([hang(), hang(), hang()]);
        let hangs = Tool::new(format!("hangs{index}"), async || "");
        server = server.tool(hangs.authorize(rule));
    }
    let slow = crate::access::check_async(async |_| {
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        true
    });
    let core = server.tool(tool("slow").authorize(slow)).finish().unwrap();
    let parts = TokenParts::new("https://auth.example.com", "alice");
    let alice = crate::access::Caller::Bearer(AccessToken::assert_verified(parts));
    let limit = std::time::Duration::from_secs(11);
    let visible = tokio::time::timeout(limit, core.visible::<Tool>(&alice, None)).await;
    let keys: Vec<_> = visible
        .unwrap()
        .unwrap()
        .into_iter()
        .map(|listed| listed.key)
        .collect();
    assert_eq!(keys, ["first", "slow"]);
}

#[cfg(feature = "http")]
#[test]
fn a_mounted_server_with_routes_is_refused() {
    let page = || axum::routing::get(async || "page");
    for inner in [
        Server::new("inner").route("/page", page()),
        Server::new("inner").protected_route("/page", page()),
    ] {
        let Err(error) = Server::new("outer").mount("in", inner).finish() else {
            panic!("built")
        };
        assert_eq!(error.hint(), Some("add the routes to the outer server"));
    }
}

#[cfg(feature = "http")]
#[test]
fn an_anonymous_tool_needs_auth_that_admits_nobody() {
    use portcullis_resource_server::{Auth, StaticToken, StaticTokenVerifier};

    let auth = || {
        let alice = StaticToken::new("alice");
        let tokens =
            StaticTokenVerifier::builder().token("8f14e45fceea167a5a36dedd4bea2543".into(), alice);
        Auth::new(tokens.build().unwrap())
    };
    let server = || {
        Server::new("s")
            .base_url("http://localhost")
            .tool(tool("free").anonymous())
    };
    let Err(error) = server().auth(auth()).into_router() else {
        panic!("built")
    };
    assert!(error.to_string().starts_with("tool `free`"), "{error}");
    assert!(error.hint().unwrap().contains("anonymous_per_component"));
    assert!(
        server()
            .auth(auth().anonymous_per_component())
            .check()
            .is_ok()
    );
    assert!(server().check().is_ok());
}
