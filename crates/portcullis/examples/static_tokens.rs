//! Two users with fixed tokens, to see what each may do without an identity provider.
//!
//! `cargo run -p portcullis --example static_tokens`

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use portcullis::{
    AccessToken, Args, Server, Tool,
    auth::{SecretString, StaticToken, StaticTokenVerifier},
    scopes,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Note {
    /// What to remember.
    text: String,
}

async fn whoami(user: AccessToken) -> String {
    format!("{} with the scopes: {}", user.subject(), user.scopes())
}

async fn add_note(user: AccessToken, Args(note): Args<Note>) -> String {
    format!("noted for {}: {}", user.subject(), note.text)
}

/// Tokens for a try-out. Real ones are random, and not in the source.
const ALICE: &str = "alice-may-read-and-write-0123456789abcdef";
const BOB: &str = "bob-may-read-only-0123456789abcdef012345";

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let auth = StaticTokenVerifier::builder()
        .token(
            SecretString::from(ALICE),
            StaticToken::new("alice").scopes(scopes!["notes:read", "notes:write"]),
        )
        .token(
            SecretString::from(BOB),
            StaticToken::new("bob").scopes(scopes!["notes:read"]),
        )
        .build()?;
    println!("{GUIDE}");
    Server::new("notes")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        .tool(
            Tool::new("add_note", add_note)
                .description("Remember something")
                .require_scopes(scopes!["notes:write"]),
        )
        .auth(auth)
        .serve_http("127.0.0.1:8000")
        .await
}

const GUIDE: &str = r#"http://localhost:8000/mcp

  alice: alice-may-read-and-write-0123456789abcdef
  bob:   bob-may-read-only-0123456789abcdef012345

With alice's token this is a note; with bob's it is 403 and names the scope; with none, 401:

  curl -i http://localhost:8000/mcp \
    -H "Authorization: Bearer bob-may-read-only-0123456789abcdef012345" \
    -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
    -H "MCP-Protocol-Version: 2026-07-28" -H "Mcp-Method: tools/call" -H "Mcp-Name: add_note" \
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add_note","arguments":{"text":"hi"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'
"#;
