//! Our servers, as their users would build them.

use anyhow::Result;
use portcullis::{Args, Server, Tool};
use portcullis_oauth::{SecretBytes, SecretString, crypto::sign::SigningKey, jose::Algorithm};
use portcullis_resource_server::{JwtVerifier, RemoteAuthProvider, TokenVerifier as _};
use portcullis_testkit::FakeIdp;
use std::time::Duration;
use tokio::net::TcpListener;

use super::calls::Echo;
use crate::host::Host;

/// Whether verified tokens are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    On,
    Off,
}

/// Shared with the issuer, for HS256.
const SECRET: &str = "0f7c3b1d9e8a46525b6c7d8e9fa0b1c2";

pub(crate) async fn open() -> Result<Host> {
    Host::start(|listener| async { Ok(server().serve_with_listener(listener).await?) }).await
}

/// A server with as many tools to read as to administer.
pub(crate) async fn with_many_tools() -> Result<Host> {
    let mut server = Server::new("many");
    for at in 0..25 {
        for kind in ["read", "admin"] {
            let tool = Tool::new(format!("{kind}_{at}"), echo);
            server = server.tool(tool.description("Say it again, as one of many tools"));
        }
    }
    Host::start(|listener| async { Ok(server.serve_with_listener(listener).await?) }).await
}

/// A server that accepts the tokens of `idp`, and a token for it.
pub(crate) async fn protected(
    idp: &FakeIdp,
    algorithm: Algorithm,
    memory: Memory,
) -> Result<(Host, String)> {
    let mut verifier = JwtVerifier::builder(idp.issuer().as_str()).algorithms([algorithm]);
    if algorithm.is_symmetric() {
        verifier = verifier.hmac_secret(SecretString::from(SECRET));
    } else {
        verifier = verifier.jwks_uri(idp.jwks_url().as_str());
    }
    if let Memory::Off = memory {
        verifier = verifier.cache_capacity(0);
    }
    let verifier = verifier.build()?;
    let host = Host::start(|listener| serve(listener, verifier)).await?;
    let token = idp
        .token()
        .audience(format!("http://{}/mcp", host.address))
        .scope("notes:read notes:write")
        .expires_in(Duration::from_secs(12 * 60 * 60));
    let token = if algorithm.is_symmetric() {
        let secret = SecretBytes::new(SECRET.as_bytes().to_vec());
        token.signed_by(SigningKey::hmac(secret)?, algorithm)
    } else {
        token.alg(algorithm)
    };
    Ok((host, token.sign()))
}

async fn serve(listener: TcpListener, verifier: JwtVerifier) -> Result<()> {
    verifier.warm().await?;
    let issuer = verifier.issuers();
    let base_url = format!("http://{}", listener.local_addr()?);
    let mut auth = RemoteAuthProvider::new(verifier, &base_url)?;
    for issuer in issuer {
        auth = auth.authorization_server(issuer.as_str());
    }
    Ok(server().auth(auth).serve_with_listener(listener).await?)
}

pub(super) fn server() -> Server {
    Server::new("echo").tool(Tool::new("echo", echo).description("Say it again"))
}

async fn echo(Args(Echo { text }): Args<Echo>) -> String {
    text
}
