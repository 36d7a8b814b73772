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

use portcullis::{AccessToken, Server, Tool, auth::AuthKitProvider};

async fn whoami(user: AccessToken) -> String {
    user.claim::<String>("email")
        .unwrap_or_else(|| user.subject().to_owned())
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    let auth = AuthKitProvider::new(&env::var("AUTHKIT_DOMAIN")?, &env::var("BASE_URL")?)?;
    Server::new("AuthKit secured app")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        .auth(auth)
        .serve_http("127.0.0.1:8000")
        .await
}
