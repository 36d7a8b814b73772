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
