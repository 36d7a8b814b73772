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
    auth::{ConfigError, JwtVerifier, RemoteAuthProvider},
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
    let issuer = variable("ISSUER")?;
    let verifier = JwtVerifier::builder(&issuer).build()?;
    let auth =
        RemoteAuthProvider::new(verifier, &variable("BASE_URL")?)?.authorization_server(issuer);
    Server::new("whoami")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        .auth(auth)
        .serve_http("127.0.0.1:8000")
        .await
}
