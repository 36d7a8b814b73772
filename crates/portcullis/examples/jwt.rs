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
use tracing_subscriber::EnvFilter;

async fn whoami(user: AccessToken) -> String {
    user.claim::<String>("email")
        .unwrap_or_else(|| user.subject().to_owned())
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    // `RUST_LOG=debug` says more.
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(level).init();
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
