//! The same for a proxy: what a provider gave is redeemed once too, and nothing of it is lost.

mod kill;
mod life;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::routing::any;
use http::StatusCode;
use portcullis_authorization_server::{
    ConfiguredClient, OAuthProviderBuilder, OAuthProxy, RateLimits, Upstream,
};
use portcullis_fetch::Fetcher;
use portcullis_oauth::scopes;
use portcullis_resource_server::{
    AccessToken, IntoAuth as _, UpstreamTokenError, load_upstream_tokens,
};
use portcullis_store::StoreHandle;
use portcullis_testkit::{Browser, ScriptedUpstream};

use super::client::{self, CLIENT, REDIRECT};
use crate::world::BASE;

/// What a client calls to see the provider's token.
const LOAD: &str = "load";

/// A proxy in front of that provider. It lives by the clock on the wall, as the provider does: a lease
/// of a process that was killed has to end.
pub(super) async fn server(provider: &str, store: StoreHandle) -> Router {
    let at = |path: &str| format!("{provider}{path}");
    let upstream = Upstream::oauth2(at("/authorize"), at("/token"))
        .userinfo_endpoint(at("/userinfo"))
        .revocation_endpoint(at("/revoke"));
    let fetcher = Fetcher::trusted().allow_loopback(true).build().unwrap();
    let limits = |server: OAuthProviderBuilder| {
        server
            .client(ConfiguredClient::new(CLIENT).redirect_uri(REDIRECT))
            .rate_limits(RateLimits::default().times(1_000_000))
    };
    let proxy = OAuthProxy::builder(upstream)
        .base_url(BASE)
        .client("proxy", "the upstream secret".into())
        .scopes(scopes!["notes:read"])
        .store(store)
        .upstream_fetcher(fetcher)
        .server(limits)
        .build()
        .unwrap();
    proxy.start().await.unwrap();
    let handler = Router::new().fallback(any(answer));
    let auth = proxy.into_auth().unwrap();
    auth.protect("/mcp", handler).unwrap()
}

/// A tool that tells the provider's token, as no good one does.
async fn answer(request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    if !String::from_utf8_lossy(&body).contains(LOAD) {
        return (StatusCode::OK, "{}".to_owned());
    }
    let token = parts.extensions.get::<AccessToken>().unwrap();
    match load_upstream_tokens(token).await {
        Ok(token) => (StatusCode::OK, token.expose().to_owned()),
        Err(UpstreamTokenError::Ended) => (StatusCode::UNAUTHORIZED, String::new()),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
    }
}

/// A user comes to the provider by way of a proxy, and back. What a process that was killed did not
/// answer is nothing.
struct Login {
    /// Where the provider sent the browser.
    callback: String,
    /// The proxy's code.
    code: Option<String>,
}

async fn log_in(browser: &Browser, upstream: &ScriptedUpstream, user: &str) -> Option<Login> {
    let page = browser.open(&client::authorize_url()).await;
    if !page.has_button("approve") {
        return None;
    }
    let away = browser.press(&page, "approve", &[]).await;
    let callback = upstream.sign_in(away.location()?, user);
    let back = browser.open(&callback).await;
    let code = back
        .location()
        .and_then(|_| back.answer().one("code").unwrap().map(str::to_owned));
    Some(Login { callback, code })
}
