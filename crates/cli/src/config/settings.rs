//! The configuration, decided, and what is built by it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis::listener::{Network, Tls};
use portcullis_authorization_server::{AllowList, OAuthProvider};
use portcullis_gateway::Gateway;
use portcullis_oauth::{BaseUrl, Scope, ScopeHierarchy, ScopeSet};
use portcullis_resource_server::env::nearest;
use portcullis_resource_server::mcp::ChallengeStyle;
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::{
    Auth, Caller, ConfigError, ConfigErrors, IdentitySigner, IntoAuth as _, SignedIdentity,
    Unavailable,
};

use serde_json::Value;

use super::Loaded;
use super::auth::{Plan, Upstream, sentence, server_key};
use super::listen::Listen;
use super::store::{StorePlace, StoreSettings};
use super::telemetry::TelemetrySettings;
use super::upstream::{Signer, UpstreamSettings};
use crate::dev::Personas;
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
        BaseUrl::parse(&text).map_err(|error| Problem::new(format!("`base_url`: {error}")).into())
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

    /// Where it is written: the gateway calls upstreams by their names, others say a key.
    fn located(&self, problem: Problem, loaded: &Loaded) -> Problem {
        let begins = |upstream: &UpstreamSettings| {
            problem
                .what
                .starts_with(&format!("upstream `{}`", upstream.name()))
        };
        match self.upstreams.iter().position(begins) {
            Some(at) if problem.at.is_none() => {
                problem.at(loaded.origins.find(&format!("upstream.{at}")))
            }
            None if problem.at.is_none() => {
                let key = problem.what.strip_prefix('`');
                let key = key.and_then(|rest| rest.split_once('`'));
                let at = key.and_then(|(key, _)| loaded.origins.find(key));
                problem.at(at)
            }
            _ => problem,
        }
    }

    /// Builds everything once, so that what does not fit together is found now.
    pub(super) fn check_whole(&self, loaded: &mut Loaded) {
        if !loaded.problems.is_empty() {
            // What is missing would be found again, and said twice; a provider says its own.
            if let (Plan::Provider(plan), Ok(base)) = (&self.plan, self.base_url(1))
                && let Err(problems) = plan.build(&base)
            {
                loaded.problems.extend(problems);
            }
            if let (Plan::Proxy(plan), Ok(base)) = (&self.plan, self.base_url(1)) {
                let around = Login::for_checking(None);
                let found = plan.faults(
                    &around.surroundings(&base, self.allow.as_ref()),
                    &loaded.problems,
                );
                let located = found
                    .into_iter()
                    .map(|problem| self.located(problem, loaded));
                let located: Vec<_> = located.collect();
                loaded.problems.extend(located);
            }
            if let Plan::Server(plan) = &self.plan {
                let found = plan.faults().into_iter();
                let located = found.map(|problem| self.located(problem, loaded));
                let located: Vec<_> = located.collect();
                loaded.problems.extend(located);
            }
            return;
        }
        let port = if self.listen.port() == 0 {
            1
        } else {
            self.listen.port()
        };
        let built = self.base_url(port).and_then(|base| {
            let scopes = self.scopes();
            let personas = self
                .is_dev()
                .then(|| Personas::new(&scopes, &self.required_scopes()));
            let login = Login::for_checking(personas);
            let built = self.auth(&base, &scopes, Some(&login))?;
            if self.upstreams.is_empty() {
                return Ok(());
            }
            let signer: Signer = Arc::new(Nobody);
            let gateway = self.gateway(built.auth, Some(&signer))?;
            gateway.build().map(drop).map_err(problem)
        });
        if let Err(Failure(problems)) = built {
            let located = problems
                .into_iter()
                .map(|problem| self.located(problem, loaded));
            let located: Vec<_> = located.collect();
            loaded.problems.extend(located);
        }
        if let (Plan::Proxy(plan), Ok(base)) = (&self.plan, self.base_url(port)) {
            let wanted = (&self.scopes(), &self.hierarchy);
            plan.check(&base, wanted, &self.listen, loaded);
        }
        self.warn_of_unknown_scopes(loaded);
    }

    /// Warns of scopes that are implied and that nobody can be granted: a typo, most likely.
    fn warn_of_unknown_scopes(&self, loaded: &mut Loaded) {
        let Plan::Server(_) = &self.plan else {
            return;
        };
        let Some(named) = loaded.tree.get("scopes").and_then(Value::as_object) else {
            return;
        };
        let known = self.scopes().union(&self.required_scopes());
        let is_known = |scope: &str| known.contains_str(scope) || named.contains_key(scope);
        let mut warnings = Vec::new();
        for (name, scope) in named {
            let implied = scope.get("implies").and_then(Value::as_array);
            let implied = implied.into_iter().flatten().enumerate();
            for (at, scope) in implied.filter_map(|(at, scope)| Some((at, scope.as_str()?))) {
                if !is_known(scope) {
                    let key = format!("scopes.{name}.implies.{at}");
                    let problem =
                        loaded.problem(&key, format!("is `{scope}`, which nothing else names"));
                    let all = known
                        .iter()
                        .map(Scope::as_str)
                        .chain(named.keys().map(String::as_str));
                    let hint = nearest(scope, all).map(|meant| format!("did you mean `{meant}`?"));
                    warnings.push(problem.maybe_hint(hint.as_deref()));
                }
            }
        }
        loaded.warnings.extend(warnings);
    }
}

/// Signs nothing: a configuration is checked without keys.
#[derive(Debug)]
struct Nobody;

impl IdentitySigner for Nobody {
    fn sign(&self, _: &Caller<'_>) -> Result<SignedIdentity, Unavailable> {
        Err(Unavailable::new("nobody signs"))
    }
}

/// What stands in front of the servers behind.
pub(crate) struct Protection {
    pub(crate) auth: Auth,
    /// The authorization server that is part of it, where it is one's own.
    pub(crate) provider: Option<OAuthProvider>,
}

/// A mistake that a crate below found.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn problem(error: ConfigError) -> Failure {
    said(&error).into()
}

/// All that it found.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn problems(errors: ConfigErrors) -> Failure {
    Failure(errors.iter().map(said).collect())
}

/// The same, to be placed.
pub(super) fn said(error: &ConfigError) -> Problem {
    let what = if error.field().contains(' ') {
        error.to_string()
    } else {
        sentence(server_key(error.field()), error.fault())
    };
    Problem::new(what).maybe_hint(error.hint())
}
