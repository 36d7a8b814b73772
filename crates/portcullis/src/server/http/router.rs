//! Every route of a server, in one router.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::{
    Router,
    http::StatusCode,
    response::IntoResponse as _,
    routing::{MethodRouter, get},
};
use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{Auth, Incident, mcp::session::SessionLimits};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use super::HttpOptions;
use crate::{Result, error::ConfigError, rmcp_adapter::http_service, server::Core};

/// Where MCP is served unless said otherwise.
const DEFAULT_PATH: &str = "/mcp";

/// Paths that are ours.
pub(super) const PROBES: [&str; 3] = ["/livez", "/readyz", "/healthz"];

/// Every route, or what is wrong with them.
pub(super) fn build(
    http: &HttpOptions,
    core: &Arc<Core>,
    base: BaseUrl,
    stop: CancellationToken,
) -> Result<Router> {
    // axum panics where two routes cannot stand together. This is our own start, not a request.
    let assembled = catch_unwind(AssertUnwindSafe(|| assemble(http, core, base, stop)));
    assembled.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        let fault = said.unwrap_or("two of them cannot stand together");
        Err(ConfigError::new("routes", fault.to_owned()).into())
    })
}

fn assemble(
    http: &HttpOptions,
    core: &Arc<Core>,
    base: BaseUrl,
    stop: CancellationToken,
) -> Result<Router> {
    let path = http.path.as_deref().unwrap_or(DEFAULT_PATH);
    if PROBES.contains(&path.trim_end_matches('/')) {
        return Err(ConfigError::new("mcp_path", "is a probe's path").into());
    }
    let mut auth = http.auth.clone().unwrap_or_else(open);
    auth = auth
        .base_url_or(base)
        .scope_hierarchy(core.gate.hierarchy.clone())
        .access_policy(Arc::clone(core) as Arc<_>);
    for host in &http.hosts {
        auth = auth.allow_host(host);
    }
    for origin in &http.origins {
        auth = auth.allow_origin(origin);
    }
    let service = http_service(Arc::clone(core), stop);
    let mcp = auth.protect(path, service)?;
    // As a fallback, so that nobody's own route shadows one of auth's; for the same hosts.
    let router = mcp
        .merge(probes(core))
        .fallback_service(auth.guard_routes(custom(http, &auth, path)?)?);
    // SECURITY: a panic ends its own request, with nothing of it on the wire (CWE-248);
    // sec_ds_11_a_panic_ends_one_request_alone
    Ok(router.layer(CatchPanicLayer::custom(
        |_: Box<dyn std::any::Any + Send>| {
            let incident = Incident::new();
            tracing::error!(%incident, "a route panicked");
            incident.into_response()
        },
    )))
}

/// No tokens: one caller as good as the other, so they share the room for sessions, streams and
/// bodies.
fn open() -> Auth {
    let mut limits = SessionLimits::default();
    limits.per_principal = limits.total;
    limits.streams_per_principal = limits.total;
    limits.body_bytes_per_principal = limits.body_bytes;
    Auth::dangerous().allow_anonymous().session_limits(limits)
}

/// `/livez`: the process runs. `/readyz` and `/healthz`: it takes requests.
fn probes(core: &Arc<Core>) -> Router {
    let draining = core.draining.clone();
    let ready = move || {
        let draining = draining.is_cancelled();
        async move {
            if draining {
                (StatusCode::SERVICE_UNAVAILABLE, "draining")
            } else {
                OK
            }
        }
    };
    let [live, readiness, health] = PROBES;
    Router::new()
        .route(live, get(async || OK))
        .route(readiness, get(ready.clone()))
        .route(health, get(ready))
}

const OK: (StatusCode, &str) = (StatusCode::OK, "ok");

fn custom(http: &HttpOptions, auth: &Auth, mcp: &str) -> Result<Router> {
    let mut taken = vec![mcp.trim_end_matches('/').to_owned()];
    let mut collect = |routes: &[(String, MethodRouter)]| {
        routes
            .iter()
            .try_fold(Router::new(), |router, (path, route)| {
                if let Some(fault) = route_fault(path, &taken) {
                    return Err(ConfigError::new(format!("route `{path}`"), fault));
                }
                taken.push(path.trim_end_matches('/').to_owned());
                Ok(router.route(path, route.clone()))
            })
    };
    let open = collect(&http.routes)?;
    let protected = collect(&http.protected_routes)?;
    let Some((first, _)) = http.protected_routes.first() else {
        return Ok(open);
    };
    let layer = auth.layer_for(mcp)?;
    // SECURITY: a protected route on a server without auth is a mistake, not an open route;
    // sec_protected_route_needs_auth
    let layer = layer.ok_or_else(|| {
        ConfigError::new(
            format!("route `{first}`"),
            "is protected, and the server has no auth",
        )
    })?;
    Ok(open.merge(protected.route_layer(layer)))
}

/// axum panics on what it cannot route; here it is an error, found at start.
fn route_fault(path: &str, taken: &[String]) -> Option<&'static str> {
    let metadata = path.strip_prefix("/.well-known/oauth-protected-resource");
    let reserved = PROBES.contains(&path)
        || metadata.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let balanced = path.matches('{').count() == path.matches('}').count();
    let old_style = path
        .split('/')
        .any(|part| part.starts_with(':') || part.starts_with('*'));
    if !path.starts_with('/') {
        Some("does not begin with `/`")
    } else if reserved {
        Some("is the server's own")
    } else if taken
        .iter()
        .any(|taken| taken == path.trim_end_matches('/'))
    {
        Some("is defined twice")
    } else if old_style || !balanced {
        Some("is not a path of axum: variables are `{name}` and `{*rest}`")
    } else {
        None
    }
}
