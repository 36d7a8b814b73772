//! Users log in at WorkOS AuthKit; the server verifies their tokens.
//!
//! ```sh
//! AUTHKIT_DOMAIN=https://your-project-12345.authkit.app BASE_URL=http://localhost:8000 \
//!     cargo run -p portcullis --example authkit
//! ```
//!
//! In the WorkOS dashboard, dynamic client registration is switched on and the MCP URL is a
//! resource: see `docs/providers/authkit.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "a program may read its environment"
)]

use std::env;

use portcullis::{
    AccessToken, Server, Tool,
    auth::{AuthKitProvider, ConfigError},
};

async fn whoami(user: AccessToken) -> String {
    user.claim::<String>("email")
        .unwrap_or_else(|| user.subject().to_owned())
}

/// A variable of the environment, or an error that names it.
fn variable(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).map_err(|_| ConfigError::new(name, "is not set in the environment"))
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let auth = AuthKitProvider::new(&variable("AUTHKIT_DOMAIN")?, &variable("BASE_URL")?)?;
    Server::new("AuthKit secured app")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        .auth(auth)
        .serve_http("127.0.0.1:8000")
        .await
}
