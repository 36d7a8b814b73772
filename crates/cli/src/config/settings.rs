//! The configuration, decided, and what is built by it.

mod check;

use std::path::PathBuf;
use std::time::Duration;

use portcullis::listener::{Network, Tls};
use portcullis_authorization_server::{AllowList, OAuthProvider};
use portcullis_gateway::Gateway;
use portcullis_oauth::{BaseUrl, ScopeHierarchy, ScopeSet};
use portcullis_resource_server::mcp::ChallengeStyle;
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::{Auth, IntoAuth as _};

use super::auth::{Plan, Upstream};
use super::listen::Listen;
use super::said::problem;
use super::store::{StorePlace, StoreSettings};
use super::telemetry::TelemetrySettings;
use super::upstream::{Signer, UpstreamSettings};
use crate::login::Login;
use crate::report::{Failure, Format, Problem};

/// The configuration, decided.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(super) listen: Listen,
    pub(super) base_url: Option<BaseUrl>,
    pub(super) plan: Plan,
    pub(super) anonymous: bool,
    pub(super) challenges: ChallengeStyle,
    pub(super) allow: Option<AllowList>,
    /// The same for people.
    pub(super) who: String,
    pub(super) hierarchy: ScopeHierarchy,
    pub(super) hosts: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) upstreams: Vec<UpstreamSettings>,
    pub(super) mcp_path: String,
    pub(super) drain: Duration,
    pub(super) log: LogSettings,
    pub(super) limits: Limits,
    pub(super) trusted_proxies: Vec<Network>,
    /// Whether anybody may come where nobody verifies callers.
    pub(super) allows_anonymous: bool,
    pub(super) admin: Option<AdminSettings>,
    pub(super) tls: Option<TlsSettings>,
    pub(super) telemetry: TelemetrySettings,
    pub(super) store: StoreSettings,
}

/// How much at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(crate) sessions: SessionLimits,
}

/// A second listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminSettings {
    pub(crate) listen: Listen,
    /// Names under which it may be called, beside addresses.
    pub(crate) hosts: Vec<String>,
}

/// A certificate and its key, and the files that they are in.
#[derive(Debug, Clone)]
pub(crate) struct TlsSettings {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) pair: Tls,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    pub(crate) filter: String,
    /// As everything else on stderr, unless it was said.
    pub(crate) format: Option<Format>,
}

impl Settings {
    pub(crate) fn listen(&self) -> &Listen {
        &self.listen
    }

    pub(crate) fn mode(&self) -> &'static str {
        self.plan.mode()
    }

    pub(crate) fn is_dev(&self) -> bool {
        matches!(self.plan, Plan::Dev(_))
    }

    /// Whether everybody who comes in may do everything, so that only this machine may.
    pub(crate) fn is_for_this_machine(&self) -> bool {
        match self.plan {
            Plan::Dev(_) => true,
            Plan::Open => !self.allows_anonymous,
            _ => false,
        }
    }

    /// Whether users log in here.
    pub(crate) fn issues_tokens(&self) -> bool {
        matches!(self.plan, Plan::Dev(_) | Plan::Server(_) | Plan::Proxy(_))
    }

    /// The identity provider where users log in, where it is another than this server, and who of them
    /// may come.
    pub(crate) fn upstream(&self, base: &BaseUrl) -> Option<(Upstream, &str)> {
        match &self.plan {
            Plan::Proxy(plan) => Some((plan.upstream(base), &self.who)),
            _ => None,
        }
    }

    /// Where state is kept.
    pub(crate) fn store_place(&self) -> &StorePlace {
        &self.store.place
    }

    pub(crate) fn upstreams(&self) -> &[UpstreamSettings] {
        &self.upstreams
    }

    pub(crate) fn mcp_path(&self) -> &str {
        &self.mcp_path
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn admin(&self) -> Option<&AdminSettings> {
        self.admin.as_ref()
    }

    /// How long requests may run on once the process is told to stop.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    pub(crate) fn tls(&self) -> Option<&TlsSettings> {
        self.tls.as_ref()
    }

    /// Takes over what a process cannot change while it runs, and says which keys that is about.
    pub(super) fn keep_what_stays(&mut self, running: &Self) -> Vec<&'static str> {
        let mut changed = Vec::new();
        let mut note = |key, has_changed| {
            if has_changed {
                changed.push(key);
            }
        };
        note("admin", self.admin != running.admin);
        let (now, before) = (&self.telemetry, &running.telemetry);
        note("audit", now.audit != before.audit);
        note("otel", now.otel != before.otel);
        note("drain", self.drain != running.drain);
        note("limits", self.limits != running.limits);
        note("log", self.log != running.log);
        note("store", self.store != running.store);
        note("tls", self.tls.is_some() != running.tls.is_some());
        let proxies = self.trusted_proxies != running.trusted_proxies;
        note("trusted_proxies", proxies);
        self.admin.clone_from(&running.admin);
        self.telemetry.clone_from(&running.telemetry);
        self.drain = running.drain;
        self.limits = running.limits;
        self.log = running.log.clone();
        self.store.clone_from(&running.store);
        self.trusted_proxies.clone_from(&running.trusted_proxies);
        if self.tls.is_some() != running.tls.is_some() {
            self.tls.clone_from(&running.tls);
        }
        changed
    }

    /// Who may say for whom it calls.
    pub(crate) fn trusted_proxies(&self) -> &[Network] {
        &self.trusted_proxies
    }

    pub(crate) fn log(&self) -> &LogSettings {
        &self.log
    }

    /// What is kept and sent about requests.
    pub(crate) fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }

    /// The public URL, for a listener on this port.
    pub(crate) fn base_url(&self, port: u16) -> Result<BaseUrl, Failure> {
        if let Some(url) = &self.base_url {
            return Ok(url.clone());
        }
        let (scheme, usual) = match self.tls {
            Some(_) => ("https", 443),
            None => ("http", 80),
        };
        let text = if port == usual {
            format!("{scheme}://localhost")
        } else {
            format!("{scheme}://localhost:{port}")
        };
        BaseUrl::parse(&text).map_err(|error| {
            Problem::new(format!("`base_url`: {error}"))
                .about("base_url")
                .into()
        })
    }

    /// What protects the servers behind, which know these scopes. Where users log in here, `login`
    /// says by what.
    pub(crate) fn auth(
        &self,
        base: &BaseUrl,
        scopes: &ScopeSet,
        login: Option<&Login>,
    ) -> Result<Protection, Failure> {
        let mut provider = None;
        let auth = match (&self.plan, login) {
            (Plan::Open, _) => Auth::dangerous().allow_anonymous(),
            (Plan::Provider(plan), _) => plan.build(base)?,
            (Plan::Dev(plan) | Plan::Server(plan), Some(login)) => {
                let built = login.provider(plan, base, scopes)?;
                let auth = built.clone().into_auth().map_err(problem)?;
                provider = Some(built);
                auth.required_scopes(plan.required().clone())
            }
            (Plan::Proxy(plan), Some(login)) => {
                let built = login.proxy(plan, base, self.allow.as_ref())?;
                provider = Some(built.server().clone());
                built.into_auth().map_err(problem)?
            }
            (Plan::Dev(_) | Plan::Server(_) | Plan::Proxy(_), None) => {
                return Err(Problem::new("there is nothing to log in with").into());
            }
        };
        let mut auth = auth
            .base_url_or(base.clone())
            .scope_hierarchy(self.hierarchy.clone())
            .session_limits(self.limits.sessions)
            .challenge_style(self.challenges);
        for host in &self.hosts {
            auth = auth.allow_host(host);
        }
        for origin in &self.origins {
            auth = auth.allow_origin(origin);
        }
        if self.anonymous {
            auth = auth.anonymous_per_component();
        }
        if let (Some(allow), Plan::Provider(_)) = (&self.allow, &self.plan) {
            auth = auth.grant_status(allow.clone());
        }
        Ok(Protection { auth, provider })
    }

    /// The authorization server that these settings describe, where there is one: to see what it would
    /// do, as it keeps nothing.
    pub(crate) fn authorization_server(&self) -> Result<Option<OAuthProvider>, Failure> {
        if !self.issues_tokens() {
            return Ok(None);
        }
        let login = Login::for_checking(None);
        let base = self.base_url(self.some_port())?;
        let built = self.auth(&base, &self.scopes(), Some(&login))?;
        Ok(built.provider)
    }

    /// The port, or another one where it is not known yet.
    fn some_port(&self) -> u16 {
        match self.listen.port() {
            0 => 1,
            port => port,
        }
    }

    /// Whether a server behind is told who is calling in signed statements.
    pub(crate) fn wants_statements(&self) -> bool {
        self.upstreams
            .iter()
            .any(UpstreamSettings::wants_statements)
    }

    /// Where state is kept.
    pub(crate) fn store(&self) -> &StoreSettings {
        &self.store
    }

    /// The servers behind this auth. `signer` signs what they are told of callers.
    pub(crate) fn gateway(&self, auth: Auth, signer: Option<&Signer>) -> Result<Gateway, Failure> {
        let mut gateway = Gateway::new(auth).map_err(problem)?;
        let mut problems = Vec::new();
        for upstream in &self.upstreams {
            match upstream.build(&self.hierarchy, signer) {
                Ok(upstream) => gateway = gateway.upstream(upstream),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(gateway)
        } else {
            Err(problems.into())
        }
    }

    /// All scopes that anything here asks for.
    pub(crate) fn scopes(&self) -> ScopeSet {
        let all = self.upstreams.iter().map(UpstreamSettings::scopes);
        all.fold(ScopeSet::new(), |sum, scopes| sum.union(&scopes))
    }

    /// Scopes without which nothing works.
    pub(crate) fn required_scopes(&self) -> ScopeSet {
        let of_plan = match &self.plan {
            Plan::Dev(plan) | Plan::Server(plan) => plan.required().clone(),
            _ => ScopeSet::new(),
        };
        let all = self.upstreams.iter().map(UpstreamSettings::required_scopes);
        all.fold(of_plan, |sum, scopes| sum.union(scopes))
    }
}

/// What stands in front of the servers behind.
pub(crate) struct Protection {
    pub(crate) auth: Auth,
    /// The authorization server that is part of it, where it is one's own.
    pub(crate) provider: Option<OAuthProvider>,
}
