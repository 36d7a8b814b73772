//! Users sign in at GitHub, clients get tokens of this server, and a tool asks GitHub in its caller's
//! name.
//!
//! ```sh
//! GITHUB_CLIENT_ID=.. GITHUB_CLIENT_SECRET=.. \
//!     cargo run -p portcullis --features sqlite --example oauth_proxy ./state
//! ```
//!
//! The application is one of GitHub's Developer Settings (OAuth Apps), with the callback URL
//! `http://localhost:8000/oauth/callback`. Give `http://localhost:8000/mcp` to any MCP client.

#![expect(
    clippy::disallowed_methods,
    reason = "a program may read its environment"
)]

use std::env;
use std::error::Error;

use http::{HeaderMap, HeaderValue, header};
use portcullis::{
    AccessToken, Server, Tool, ToolError, UpstreamToken,
    access::{require_auth, require_role},
    auth::{
        ClaimsPassthrough, ConfigError, DiskStore, EndpointUrl, Fetcher, GitHubProvider, JwtIssuer,
        MemoryStore, SealingKeys, SecretString, StoreHandle,
    },
};

/// Whoever signed in, as GitHub calls them.
async fn whoami(user: AccessToken) -> String {
    user.claim::<String>("login")
        .unwrap_or_else(|| user.subject().to_owned())
}

/// What GitHub answers to the caller's own token.
async fn profile(github: UpstreamToken) -> Result<String, ToolError> {
    let url = EndpointUrl::parse("https://api.github.com/user")?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", github.expose()))?;
    bearer.set_sensitive(true);
    let headers = HeaderMap::from_iter([
        (header::AUTHORIZATION, bearer),
        (
            header::USER_AGENT,
            HeaderValue::from_static("portcullis-example"),
        ),
    ]);
    let answer = Fetcher::trusted().build()?.get_with(&url, headers).await?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

async fn dashboard() -> &'static str {
    "Admin dashboard data..."
}

/// A variable of the environment, or an error that names it.
fn variable(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).map_err(|_| ConfigError::new(name, "is not set in the environment"))
}

/// In a folder, sealed by its own key or by one that follows from `ENCRYPTION_SECRET`; or in memory.
async fn store(folder: Option<String>) -> Result<StoreHandle, Box<dyn Error>> {
    let Some(folder) = folder else {
        return Ok(MemoryStore::new().into());
    };
    let store = DiskStore::open(folder).await?;
    Ok(match env::var("ENCRYPTION_SECRET") {
        Ok(secret) => {
            let key = JwtIssuer::derive_key(format!("{secret}:storage"), 100_000)?;
            let key = SecretString::from(key.expose());
            store.key(SealingKeys::from_secrets(&[key])?).into()
        }
        Err(_) => store.into(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let mut proxy = GitHubProvider::builder()
        .base_url("http://localhost:8000")
        .client(
            variable("GITHUB_CLIENT_ID")?,
            variable("GITHUB_CLIENT_SECRET")?.into(),
        )
        .store(store(env::args().nth(1)).await?)
        .redirect_uris(["https://yourdomain.com/*", "http://localhost:*"])
        .claims_passthrough(ClaimsPassthrough::new().blocked(["avatar_url"]));
    if let Ok(secret) = env::var("JWT_SECRET") {
        proxy = proxy.jwt_signing_key(JwtIssuer::derive_key(secret, 100_000)?);
    }
    Server::new("My Server")
        .tool(
            Tool::new("whoami", whoami)
                .description("Who am I?")
                .authorize(require_auth()),
        )
        .tool(Tool::new("profile", profile).description("What does GitHub know of me?"))
        .tool(
            Tool::new("admin-dashboard", dashboard)
                .description("Access admin dashboard")
                .authorize(require_role("admin")),
        )
        .auth(proxy.build()?)
        .serve_http("127.0.0.1:8000")
        .await?;
    Ok(())
}
