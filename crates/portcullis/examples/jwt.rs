//! Tokens of an identity provider: its keys are found by discovery, clients are led there.
//!
//! ```sh
//! ISSUER=https://auth.example.com BASE_URL=https://mcp.example.com \
//!     cargo run -p portcullis --example jwt
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a program may read its environment"
)]

use std::env;

use portcullis::{
    AccessToken, Server, Tool,
    auth::{JwtVerifier, RemoteAuthProvider},
};

async fn whoami(user: AccessToken) -> String {
    user.claim::<String>("email")
        .unwrap_or_else(|| user.subject().to_owned())
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    let issuer = env::var("ISSUER")?;
    let verifier = JwtVerifier::builder(&issuer).build()?;
    let auth =
        RemoteAuthProvider::new(verifier, &env::var("BASE_URL")?)?.authorization_server(issuer);
    Server::new("whoami")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        .auth(auth)
        .serve_http("127.0.0.1:8000")
        .await
}
