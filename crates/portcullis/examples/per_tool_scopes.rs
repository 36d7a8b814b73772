//! Three tools, three ways to say who may use them.
//!
//! ```sh
//! ISSUER=https://auth.example.com BASE_URL=https://mcp.example.com \
//!     cargo run -p portcullis --example per_tool_scopes
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a program may read its environment"
)]

use std::env;

use portcullis::{
    AccessToken, Args, Server, Tool,
    access::{require_any, require_role, require_scopes},
    auth::{ConfigError, JwtVerifier, RemoteAuthProvider},
    scopes,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Note {
    /// What to remember.
    text: String,
}

/// A handler that takes a token is only for those who have one.
async fn whoami(user: AccessToken) -> String {
    user.subject().to_owned()
}

async fn add_note(user: AccessToken, Args(note): Args<Note>) -> String {
    format!("noted for {}: {}", user.subject(), note.text)
}

async fn stats() -> &'static str {
    "all is well"
}

/// A variable of the environment, or an error that names it.
fn variable(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).map_err(|_| ConfigError::new(name, "is not set in the environment"))
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let issuer = variable("ISSUER")?;
    let verifier = JwtVerifier::builder(&issuer).build()?;
    let auth =
        RemoteAuthProvider::new(verifier, &variable("BASE_URL")?)?.authorization_server(issuer);
    let operators = require_any([require_role("admin"), require_scopes(scopes!["stats:read"])]);
    Server::new("notes")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        // Without the scope: listed, and a call is answered with 403 and the scope to ask for.
        .tool(
            Tool::new("add_note", add_note)
                .description("Remember something")
                .require_scopes(scopes!["notes:write"]),
        )
        // A role is enough, and so is a scope.
        .tool(
            Tool::new("stats", stats)
                .description("How it goes")
                .authorize(operators),
        )
        // For everybody else it does not exist.
        .tool(
            Tool::new("restart", async || "restarting")
                .description("Restart the service")
                .allow_if(|user| user.claim::<String>("role").as_deref() == Some("admin")),
        )
        .auth(auth)
        .serve_http("127.0.0.1:8000")
        .await
}
