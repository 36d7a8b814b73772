//! Serving: who comes in, what stands behind, and what is said about it.

mod admin;
mod forwarded;
mod hangup;
mod ready;
mod reload;
mod statements;

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use portcullis::listener::{Listener, Shutdown};
use portcullis_gateway::{MountedGateway, Reloadable};
use portcullis_oauth::{BaseUrl, ScopeSet};
use portcullis_resource_server::{Auth, Causes, StartError, TokenVerifier as _};
use tokio::task::JoinSet;

use self::admin::Admin;
use self::hangup::Hangups;
use self::ready::{Place, Ready};
use self::reload::Reload;
use self::statements::Statements;
use crate::config::{Request, Settings, problem};
use crate::dev::{self, Personas};
use crate::login::Login;
use crate::report::{Failure, Problem, Report};
use crate::telemetry::Telemetry;

/// What stands behind the auth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The servers of the configuration.
    Upstreams,
    /// The server that `dev` has of its own.
    Demo,
}

/// How long the start may wait for keys.
const WARM: Duration = Duration::from_secs(5);

/// What is served, and what ends with it.
struct Front {
    router: Router,
    gateway: Option<MountedGateway>,
    shutdown: Shutdown,
}

/// Serves until SIGTERM or Ctrl-C. `request` is what the settings were made of, to be read again.
pub(crate) async fn serve(
    settings: Settings,
    request: Request,
    behind: Behind,
    report: Report,
) -> Result<()> {
    let hangups = Hangups::listen();
    let listener = bind(settings.listen().text(), "listen").await?;
    let admin = match settings.admin() {
        Some(admin) => Some(Admin::bind(admin).await?),
        None => None,
    };
    let port = listener.port();
    let base = settings.base_url(port)?;
    let scopes = known_scopes(&settings, behind);
    let login = login(&settings, &scopes).await?;
    let telemetry = Telemetry::start(settings.telemetry(), admin.is_some())?;
    let built = settings.auth(&base, &scopes, login.as_ref())?;
    let auth = telemetry.observe(built.auth);
    let statements = Statements::start(&settings, &base, built.provider.as_ref()).await?;
    let auth = match &statements {
        Some(statements) => statements.publish(auth),
        None => auth,
    };
    let front = front(&settings, behind, auth.clone(), statements.as_ref())?;
    start(&auth).await?;
    warm(&auth).await;
    let listener = with_settings(listener, &settings).with_shutdown(front.shutdown.clone());
    let places = places(&settings, behind, &base);
    let mut ready =
        Ready::new(settings.mode(), places, behind).admin(admin.as_ref().map(Admin::url));
    ready = ready.login_at(settings.upstream(&base));
    if let (Some(provider), Some(login)) = (&built.provider, &login) {
        ready = ready.issuer(provider, &settings).await?;
        if let Some(personas) = login.personas() {
            ready = ready.personas(personas, provider).await?;
        }
    }
    let admin = admin.map(|admin| admin.serve(&front.shutdown, telemetry.routes()));
    report.data(&ready)?;
    if let Some(provider) = built.provider.clone() {
        // Whoever starts it looks on now, and not when the first user comes.
        tokio::spawn(async move { provider.warm_identity_provider().await });
    }
    let routes = Reloadable::new(front.router);
    let mut reload = Reload {
        hangups,
        request,
        report,
        port,
        login: login.map(|login| login.after(built.provider)),
        statements,
        telemetry: telemetry.clone(),
        tls: settings.tls().map(|tls| tls.pair.clone()),
        settings,
        gateway: front.gateway,
        routes: routes.clone(),
        shutdown: front.shutdown,
        retiring: JoinSet::new(),
    };
    let served = tokio::select! {
        served = listener.serve(Router::new().fallback_service(routes)) => served,
        never = reload.run() => match never {},
    };
    reload.stop().await;
    if let Some(admin) = admin {
        admin.stop(served.is_err()).await;
    }
    let noted = telemetry.stop().await;
    match served {
        Err(portcullis::Error::Interrupted { .. }) => {
            Err(Failure::from(Problem::new("stopped before all requests had finished")).into())
        }
        end => Ok(end.map(|()| noted)??),
    }
}

fn with_settings(listener: Listener, settings: &Settings) -> Listener {
    let limits = settings.limits();
    let listener = listener
        .max_connections(limits.connections, limits.requests)
        .drain(settings.drain())
        .trusted_proxies(settings.trusted_proxies().iter().copied());
    match settings.tls() {
        Some(tls) => listener.tls(tls.pair.clone()),
        None => listener,
    }
}

async fn bind(address: &str, key: &str) -> Result<Listener, Failure> {
    Listener::bind(address).await.map_err(|error| {
        let problem = Problem::new(format!("`{address}` cannot be listened on"));
        let portcullis::Error::Listen { source, .. } = &error else {
            return problem.because(&error).into();
        };
        let problem = problem.because(source);
        let hint = match source.kind() {
            ErrorKind::AddrInUse if key == "listen" => {
                "another program listens there; choose another port with `--listen`".to_owned()
            }
            ErrorKind::AddrInUse => {
                format!("another program listens there; choose another port in `{key}`")
            }
            ErrorKind::PermissionDenied if key == "listen" => {
                "choose a port from 1024 on with `--listen`".to_owned()
            }
            ErrorKind::PermissionDenied => format!("choose a port from 1024 on in `{key}`"),
            _ => return problem.into(),
        };
        problem.hint(hint).into()
    })
}

/// All scopes that what stands behind asks for.
fn known_scopes(settings: &Settings, behind: Behind) -> ScopeSet {
    match behind {
        Behind::Demo => dev::scopes(),
        Behind::Upstreams => settings.scopes(),
    }
}

/// Who logs users in, where that happens here.
async fn login(settings: &Settings, scopes: &ScopeSet) -> Result<Option<Login>> {
    if !settings.issues_tokens() {
        return Ok(None);
    }
    let personas = settings
        .is_dev()
        .then(|| Personas::new(scopes, &settings.required_scopes()));
    Login::open(settings, personas).await.map(Some)
}

/// Opens stores and makes keys before anybody is told that clients can come.
async fn start(auth: &Auth) -> Result<(), Failure> {
    auth.start().await.map_err(failed_to_start)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed_to_start(error: StartError) -> Failure {
    let mut problem = Problem::new(error.to_string()).maybe_hint(error.hint());
    if let Some(cause) = std::error::Error::source(&error) {
        problem = problem.because(Causes::of(cause));
    }
    problem.into()
}

fn front(
    settings: &Settings,
    behind: Behind,
    auth: Auth,
    statements: Option<&Statements>,
) -> Result<Front, Failure> {
    match behind {
        Behind::Upstreams => {
            let signer = statements.map(Statements::signer);
            let gateway = settings.gateway(auth, signer)?.build().map_err(problem)?;
            let shutdown = Shutdown::new();
            Ok(Front {
                router: reload::routes(settings, &gateway, &shutdown),
                gateway: Some(gateway),
                shutdown,
            })
        }
        Behind::Demo => {
            let server = dev::server().mcp_path(settings.mcp_path()).auth(auth);
            let shutdown = server.shutdown();
            let router = server.probes(settings.admin().is_none()).into_router();
            let router = router
                .map_err(|error| Problem::new("the demo server does not start").because(error))?;
            Ok(Front {
                router: forwarded::refuse(router, settings),
                gateway: None,
                shutdown,
            })
        }
    }
}

fn places(settings: &Settings, behind: Behind, base: &BaseUrl) -> Vec<Place> {
    if behind == Behind::Demo {
        return vec![Place {
            url: base.join(settings.mcp_path()),
            name: "demo".to_owned(),
            behind: "the built-in demo server".to_owned(),
        }];
    }
    let places = settings.upstreams().iter().map(|upstream| Place {
        url: base.join(upstream.path()),
        name: upstream.name().to_owned(),
        behind: upstream.place(),
    });
    places.collect()
}

/// Fetches keys before the first request needs them. A server starts without them too.
async fn warm(auth: &Auth) {
    let Some(verifier) = auth.verifier() else {
        return;
    };
    match tokio::time::timeout(WARM, verifier.warm()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot verify tokens yet; trying again with each request");
        }
        Err(_) => tracing::error!("what verifies tokens is slow to answer; serving anyway"),
    }
}
