//! Another configuration while clients stay.
//!
//! It is read and built whole before anything changes. A mistake anywhere, and all of the old one
//! goes on.

use std::convert::Infallible;

use axum::Router;
use portcullis::listener::{Shutdown, Tls, probes};
use portcullis_gateway::{MountedGateway, Reloadable};
use tokio::task::JoinSet;

use super::hangup::Hangups;
use super::statements::Statements;
use super::{forwarded, start, warm};
use crate::config::{self, Request, Settings, problem};
use crate::login::Login;
use crate::report::{Failure, Problem, Report};
use crate::telemetry::Telemetry;

/// What a running process was told, and what it made of it.
pub(super) struct Reload {
    pub(super) hangups: Hangups,
    pub(super) request: Request,
    pub(super) report: Report,
    pub(super) settings: Settings,
    /// Where the listener is.
    pub(super) port: u16,
    pub(super) login: Option<Login>,
    /// What signs statements on callers, since a server behind wanted some.
    pub(super) statements: Option<Statements>,
    pub(super) telemetry: Telemetry,
    pub(super) tls: Option<Tls>,
    /// The servers behind; the demo has no configuration.
    pub(super) gateway: Option<MountedGateway>,
    pub(super) routes: Reloadable,
    pub(super) shutdown: Shutdown,
    /// What ends the processes that nobody uses any more.
    pub(super) retiring: JoinSet<()>,
}

impl Reload {
    /// Reads the configuration again each time the process is told to.
    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            self.hangups.next().await;
            self.telemetry.reopen().await;
            let Some(before) = self.gateway.clone() else {
                tracing::warn!("the demo server has no configuration to read again");
                continue;
            };
            match self.reload(&before).await {
                Ok(()) => tracing::info!("the configuration is reloaded"),
                Err(failure) => {
                    let mistakes = failure.0.len();
                    self.report.failure(&failure.into());
                    tracing::error!(
                        mistakes,
                        "the configuration is not reloaded: the old one stays"
                    );
                }
            }
        }
    }

    async fn reload(&mut self, before: &MountedGateway) -> Result<(), Failure> {
        let settings = config::again(self.request.clone(), &self.settings, self.report)?;
        let base = settings.base_url(self.port)?;
        let (all, required) = (settings.scopes(), settings.required_scopes());
        let login = self.login.as_ref();
        let login = login.map(|login| login.with_scopes(&all, &required));
        // SECURITY: what a new configuration serves is accounted for as the old one was;
        // sec_gw_25_a_reload_keeps_the_audit_log
        let built = settings.auth(&base, &all, login.as_ref())?;
        let auth = self.telemetry.observe(built.auth);
        let (before_it, issuer) = (self.statements.as_ref(), (&base, built.provider.as_ref()));
        let statements = Statements::after(before_it, &settings, issuer).await?;
        let auth = match &statements {
            Some(statements) => statements.publish(auth),
            None => auth,
        };
        warm(&auth).await;
        let signer = statements.as_ref().map(Statements::signer);
        let gateway = settings.gateway(auth.clone(), signer)?.build_after(before);
        let gateway = gateway.map_err(problem)?;
        start(&auth).await?;
        if let (Some(tls), Some(files)) = (&self.tls, settings.tls()) {
            tls.use_files(&files.cert, &files.key)
                .map_err(|error| Problem::new(error.to_string()).maybe_hint(error.hint()))?;
        }
        // From here on nothing fails.
        self.routes
            .replace(routes(&settings, &gateway, &self.shutdown));
        self.retire(before.clone(), gateway.clone());
        self.gateway = Some(gateway);
        self.statements = statements;
        self.settings = settings;
        self.login = login.map(|login| login.after(built.provider));
        Ok(())
    }

    /// Ends what `after` does not use, once the calls that run have had their time.
    fn retire(&mut self, before: MountedGateway, after: MountedGateway) {
        while self.retiring.try_join_next().is_some() {}
        let (shutdown, drain) = (self.shutdown.clone(), self.settings.drain());
        self.retiring.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                () = shutdown.stopped() => {}
            }
            before.stop_replaced(&after).await;
        });
    }

    /// Ends all processes behind. The listener has ended before.
    pub(super) async fn stop(self) {
        if let Some(gateway) = self.gateway {
            gateway.stop().await;
        }
        self.retiring.join_all().await;
    }
}

/// All routes of the public listener.
pub(super) fn routes(settings: &Settings, gateway: &MountedGateway, shutdown: &Shutdown) -> Router {
    let has_probes = settings.admin().is_none();
    let own = probes(shutdown).into_iter().filter(|_| has_probes);
    let add = |router: Router, (path, probe)| router.route(path, probe);
    own.fold(forwarded::refuse(gateway.router(), settings), add)
}
