//! Gateways on a thread of their own.

use std::time::Duration;

use anyhow::Result;
use axum::serve::ListenerExt as _;
use portcullis_gateway::{
    Gateway, Upstream,
    stdio::{Isolation, StdioCommand, StdioTransport},
};
use portcullis_oauth::{BaseUrl, jose::Algorithm};
use portcullis_resource_server::{Auth, JwtVerifier};
use portcullis_testkit::FakeIdp;

use crate::{host::Host, stdio_server};

/// A gateway, and the token that it asks for.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) host: Host,
    token: Option<String>,
}

impl Front {
    /// Asks for no token.
    pub(crate) async fn open(upstream: Upstream) -> Result<Self> {
        let host = start(upstream, || Ok(Auth::dangerous().allow_anonymous())).await?;
        Ok(Self { host, token: None })
    }

    /// Asks for a JWT of `idp`.
    pub(crate) async fn locked(upstream: Upstream, idp: &FakeIdp) -> Result<Self> {
        let issuer = idp.issuer().as_str().to_owned();
        let auth = move || Ok(Auth::new(JwtVerifier::builder(&issuer).build()?));
        let host = start(upstream, auth).await?;
        let token = Some(token(idp, &host, "bench"));
        Ok(Self { host, token })
    }

    /// Where it is, and the token for it.
    pub(crate) fn place(&self) -> (&Host, Option<&str>) {
        (&self.host, self.token.as_deref())
    }
}

/// A token of one user.
pub(crate) fn token(idp: &FakeIdp, host: &Host, user: &str) -> String {
    idp.token()
        .alg(Algorithm::Es256)
        .subject(user)
        .audience(format!("http://{}/mcp", host.address))
        .expires_in(Duration::from_secs(12 * 3600))
        .sign()
}

/// The server on stdio, one process for each user.
pub(crate) fn stdio(program: &str) -> Upstream {
    let command = StdioCommand::new(program).args([stdio_server::NAME]);
    Upstream::stdio(StdioTransport::builder("stdio", command).isolation(Isolation::User))
}

async fn start(
    upstream: Upstream,
    auth: impl FnOnce() -> Result<Auth> + Send + 'static,
) -> Result<Host> {
    Host::start(async move |listener| {
        let base_url = BaseUrl::parse(&format!("http://{}", listener.local_addr()?))?;
        let gateway = Gateway::new(auth()?.base_url(base_url))?
            .upstream(upstream)
            .build()?;
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, gateway.router()).await?)
    })
    .await
}
