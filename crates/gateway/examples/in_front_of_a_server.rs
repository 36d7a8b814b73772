//! A gateway in front of one server:
//!
//! `cargo run -p portcullis-gateway --example in_front_of_a_server -- http://127.0.0.1:3001/mcp`
//!
//! It lets one token in, `alice-may-call-0123456789abcdef0123456789`, and only with the scope `write` to tools whose
//! name begins with `write_`. A real one has a `JwtVerifier` or a provider in the place of the
//! fixed token.

use std::io::Write as _;

use axum::serve::ListenerExt as _;
use portcullis_gateway::{Gateway, Needs, Rules, Upstream};
use portcullis_oauth::{BaseUrl, EndpointUrl, SecretString, scopes};
use portcullis_resource_server::{Auth, StaticToken, StaticTokenVerifier};
use tokio::net::TcpListener;

/// A token for a try-out. Real ones are random, and not in the source.
const ALICE: &str = "alice-may-call-0123456789abcdef0123456789";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let behind = std::env::args()
        .nth(1)
        .ok_or("the URL of the server behind is missing")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base_url = BaseUrl::parse(&format!("http://{}", listener.local_addr()?))?;

    let verifier = StaticTokenVerifier::builder()
        .token(SecretString::from(ALICE), StaticToken::new("alice"))
        .build()?;
    let rules = Rules::new().tool("write_*", Needs::scopes(scopes!["write"]))?;
    let app = Gateway::new(Auth::new(verifier).base_url(base_url.clone()))?
        .upstream(Upstream::http("behind", EndpointUrl::parse(&behind)?).rules(rules))
        .build()?
        .router();

    writeln!(std::io::stdout(), "{}/mcp", base_url.as_str())?;
    // Without TCP_NODELAY an event waits for the client's delayed acknowledgement. On a network,
    // serve it by `portcullis::listener`: this one has no bounds on what strangers hold open.
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
