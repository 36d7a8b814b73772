//! The server with an OAuth proxy before somebody else's identity provider.
//!
//! It is told of it in JSON:
//!
//! | member | what |
//! |---|---|
//! | `issuer` | a provider of `OpenID` Connect; without it there is |
//! | `authorize`, `token`, `userinfo`, `subject` | one of plain OAuth 2, and the member of its user's description that names the user |
//! | `client_id`, `secret` | how this server is registered there |
//! | `base_url` | where clients see this server: it takes a free port of 127.0.0.1, which is another |
//! | `state` | the folder of its store |
//! | `api` | what knows the provider's tokens, and says whose they are |
//! | `audience` | where the provider has token exchange, for whom a token is to be had |
//!
//! It prints `{"listens":".."}` when it is ready.

use std::{io, net::Ipv4Addr};

use http::{HeaderValue, Method, header};
use portcullis::{
    Json, Server, Tool, ToolError, UpstreamToken,
    auth::{DownstreamApi, TokenExchange},
    authorization_server::{OAuthProxy, Upstream},
    scopes,
    store::DiskStore,
};
use portcullis_fetch::{Fetcher, Probe};
use portcullis_oauth::{
    EndpointUrl,
    json::{self, Limits},
};
use tokio::net::TcpListener;

use crate::{announce, whoami};

#[derive(serde::Deserialize)]
struct Settings {
    issuer: Option<String>,
    #[serde(default)]
    authorize: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    userinfo: String,
    #[serde(default)]
    subject: String,
    client_id: String,
    secret: String,
    base_url: String,
    state: String,
    api: String,
    audience: Option<String>,
}

impl Settings {
    fn upstream(&self) -> Upstream {
        match &self.issuer {
            Some(issuer) => Upstream::oidc(issuer)
                .scopes(scopes!["openid"])
                .token_exchange(TokenExchange::Standard),
            None => Upstream::oauth2(&self.authorize, &self.token)
                .userinfo_endpoint(&self.userinfo)
                .subject(self.subject.clone())
                .scopes(scopes!["profile"]),
        }
    }
}

pub(crate) async fn serve(settings: &str) -> portcullis::Result<()> {
    let settings: Settings = json::from_str(settings, Limits::MCP).map_err(io::Error::other)?;
    let proxy = OAuthProxy::builder(settings.upstream())
        .base_url(&settings.base_url)
        .client(&settings.client_id, settings.secret.as_str().into())
        .store(DiskStore::open(&settings.state).await?)
        .build()?;
    let api = Api::at(&settings.api)?;
    let (other, audience) = (api.clone(), settings.audience.unwrap_or_default());
    let profile = move |token: UpstreamToken| {
        let api = api.clone();
        async move { api.ask(&token).await }
    };
    let elsewhere = move |token: UpstreamToken| {
        let (api, audience) = (other.clone(), audience.clone());
        async move {
            let other = DownstreamApi::new()
                .audience(audience)
                .scopes(scopes!["openid"]);
            api.ask(&token.on_behalf_of(other).await?).await
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let server = Server::new("peers behind a proxy")
        .tool(Tool::new("whoami", whoami))
        .tool(Tool::new("profile", profile))
        .tool(Tool::new("elsewhere", elsewhere))
        .auth(proxy);
    announce(&format!(r#"{{"listens":"http://{address}"}}"#))?;
    server.serve_with_listener(listener).await
}

/// An API of the provider's.
#[derive(Clone)]
struct Api {
    fetcher: Fetcher,
    url: EndpointUrl,
}

/// Whose the token is, and which one of all that the API saw, by number.
#[derive(serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
struct Profile {
    subject: String,
    token: String,
}

impl Api {
    fn at(url: &str) -> portcullis::Result<Self> {
        let fetcher = Fetcher::trusted().allow_loopback(true).build();
        Ok(Self {
            fetcher: fetcher.map_err(io::Error::other)?,
            url: EndpointUrl::parse(url)?,
        })
    }

    async fn ask(&self, token: &UpstreamToken) -> Result<Json<Profile>, ToolError> {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))?;
        let probe = Probe::new(Method::GET).header(header::AUTHORIZATION, value);
        let answer = self.fetcher.probe(&self.url, probe).await?.answer;
        let answer = answer.require_ok()?;
        Ok(Json(json::from_slice(&answer.body, Limits::MCP)?))
    }
}
