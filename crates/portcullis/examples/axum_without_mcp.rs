//! The same tokens in front of a service that speaks no MCP: the layer alone, on axum.
//!
//! ```sh
//! ISSUER=https://auth.example.com RESOURCE=http://localhost:8000/ \
//!     cargo run -p portcullis --example axum_without_mcp
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a program may read its environment"
)]

use std::env;

use axum::{Router, routing::get};
use portcullis::{
    AccessToken,
    auth::{AuthLayer, ConfigError, JwtVerifier, ResourceUrl},
    scopes,
};

async fn me(user: AccessToken) -> String {
    format!("{} may: {}", user.subject(), user.scopes())
}

/// A variable of the environment, or an error that names it.
fn variable(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).map_err(|_| ConfigError::new(name, "is not set in the environment"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let verifier = JwtVerifier::builder(variable("ISSUER")?).build()?;
    let resource = ResourceUrl::parse(&variable("RESOURCE")?)?;
    let app = Router::new()
        .route("/me", get(me))
        .layer(AuthLayer::new(verifier, resource).require(scopes!["profile"]));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
