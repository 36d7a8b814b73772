//! From the address to the resource's metadata.

use portcullis_oauth::json::{Value, json};

use super::{
    ALL, Case, NOBODY, case, claim, is_resource, is_server, is_stateless, no_token, put, take,
};
use crate::doctor::tests::site::{Asked, Reply, called};

/// No metadata, and no word of it.
fn nothing(asked: &Asked, reply: &mut Reply) {
    if is_resource(asked) || is_server(asked) {
        reply.status(404);
    } else if asked.is_anonymous() {
        reply.challenge(|said| said.replace("resource_metadata", "metadata"));
    }
}

/// The challenge names the document at the root.
fn to_the_root(asked: &Asked, reply: &mut Reply) {
    if asked.is_anonymous() {
        reply.challenge(|said| said.replace("resource/mcp", "resource"));
    }
}

pub(super) const CASES: &[Case] = &[
    // The address.
    Case::new("NET-02", ALL, |_, _| {})
        .given(|examination| examination.url = "http://127.0.0.1:1/mcp".to_owned()),
    case!("NET-04", ALL, |asked, reply| asked.path == "/mcp" => {
        reply.status(307);
        reply.set("location", "/mcp/");
    }),
    case!("NET-05", ALL, |asked, reply| asked.path == "/mcp" => reply.status(502)),
    case!("NET-06", ALL, |asked, reply| asked.path == "/mcp" => reply.status(404)),
    case!("NET-07", ALL, |asked, reply| asked.path == "/mcp" => {
        reply.status(200);
        reply.html();
    }),
    // The challenge.
    Case::new("CHL-01", NOBODY, |asked, reply| {
        if asked.is_anonymous() {
            *reply = called(asked);
        }
    })
    // A page that is foreign is turned away in the well site before it gets this far.
    .also(&["CAL-09", "CAL-10"])
    .given(no_token),
    case!("CHL-02", ALL, |asked, reply| asked.is_anonymous() => reply.status(403)),
    case!("CHL-03", NOBODY, |asked, reply| asked.is_anonymous() => reply.unset("www-authenticate")),
    case!("CHL-04", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace("scope=", "scope=\"a\", scope="));
    }),
    case!("CHL-05", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace("Bearer", "OAuth"));
    }),
    case!("CHL-06", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace("resource_metadata", "metadata"));
    }),
    case!("CHL-07", &["gemini"], |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace('"', "").replace("mcp:read", "\"mcp:read\""));
    }),
    case!("CHL-08", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace("127.0.0.1", "localhost"));
    }),
    case!("CHL-10", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| format!("{said}, error=\"invalid_token\""));
    }),
    case!("CHL-11", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace(", scope=\"mcp:read\"", ""));
    }),
    case!("CHL-12", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace("mcp:read", "mcp:read offline_access"));
    })
    .given(|examination| claim(examination, "scope", json!("mcp:read offline_access"))),
    case!("CHL-13", &["goose", "codex"], |asked, reply| {
        asked.is_anonymous() && asked.method == "GET"
    } => reply.status(405)),
    case!("CHL-14", NOBODY, |asked, reply| asked.is_anonymous() && is_stateless(asked) => {
        reply.status(400);
    }),
    case!("CHL-15", NOBODY, |asked, reply| {
        asked.is_anonymous() && asked.header("content-type") == Some("text/plain")
    } => reply.status(415)),
    case!("CHL-16", NOBODY, |asked, reply| asked.is_anonymous() => {
        "no token".clone_into(&mut reply.body);
        reply.set("content-type", "text/plain");
    }),
    case!("CHL-17", NOBODY, |asked, reply| asked.is_anonymous() => {
        reply.headers.push(("www-authenticate", "Negotiate".to_owned()));
    }),
    // The resource's metadata.
    Case::new("PRM-01", ALL, nothing)
        .also(&["CHL-06"])
        .given(no_token),
    Case::new("PRM-02", NOBODY, nothing).also(&["CHL-06"]),
    Case::new("PRM-03", NOBODY, |asked, reply| {
        if !is_server(asked) {
            nothing(asked, reply);
        }
    })
    .also(&["CHL-06"]),
    case!("PRM-04", ALL, |asked, reply| asked.is_anonymous() => {
        reply.challenge(|said| said.replace("/.well-known/", "/unknown/"));
    }),
    Case::new("PRM-05", NOBODY, |asked, reply| {
        to_the_root(asked, reply);
        if asked.path.ends_with("resource/mcp") {
            reply.status(404);
        }
    }),
    case!("PRM-06", ALL, |asked, reply| is_resource(asked) && asked.method == "GET" => {
        reply.body.push('}');
    }),
    case!("PRM-07", NOBODY, |asked, reply| is_resource(asked) => {
        reply.set("content-type", "text/plain");
    }),
    case!("PRM-08", ALL, |asked, reply| is_resource(asked) => take(reply, "resource")),
    case!("PRM-09", &["vscode", "gemini"], |asked, reply| is_resource(asked) => {
        put(reply, "resource", json!(asked.base));
    }),
    case!("PRM-10", ALL, |asked, reply| is_resource(asked) => take(reply, "authorization_servers")),
    case!("PRM-11", ALL, |asked, reply| is_resource(asked) => {
        put(reply, "authorization_servers", json!(["not a url"]));
    }),
    case!("PRM-12", NOBODY, |asked, reply| is_resource(asked) => {
        let second = format!("{}/second", asked.base);
        put(reply, "authorization_servers", json!([asked.base, second]));
    })
    .also(&["ASM-02"]),
    case!("PRM-13", NOBODY, |asked, reply| is_resource(asked) => {
        put(reply, "scopes_supported", json!(["mcp:read", "offline_access"]));
    }),
    case!("PRM-14", NOBODY, |asked, reply| is_resource(asked) => take(reply, "scopes_supported")),
    case!("PRM-15", NOBODY, |asked, reply| is_resource(asked) => {
        put(reply, "bearer_methods_supported", json!(["query"]));
    }),
    case!("PRM-16", NOBODY, |asked, reply| is_resource(asked) => {
        put(reply, "resource_documentation", Value::Null);
    }),
    case!("PRM-17", NOBODY, |asked, reply| is_resource(asked) => {
        reply.unset("access-control-allow-origin");
    }),
    case!("PRM-18", NOBODY, |asked, reply| is_resource(asked) && asked.method == "OPTIONS" => {
        reply.status(405);
    }),
    Case::new("PRM-19", NOBODY, |asked, reply| {
        to_the_root(asked, reply);
        if asked.path.ends_with("resource/mcp") {
            put(reply, "resource", json!("https://other.example"));
        }
    }),
    case!("PRM-20", NOBODY, |asked, reply| {
        is_resource(asked) && asked.method == "GET" && asked.header("mcp-protocol-version").is_some()
    } => reply.status(404)),
];
