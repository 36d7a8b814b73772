//! Builds everything once before anything starts, so that what does not fit together is told with what
//! is wrong by itself.

use std::sync::Arc;

use portcullis_oauth::Scope;
use portcullis_resource_server::env::nearest;
use portcullis_resource_server::{Caller, IdentitySigner, SignedIdentity, Unavailable};
use serde_json::Value;

use super::Settings;
use crate::config::Loaded;
use crate::config::auth::Plan;
use crate::config::said::problem;
use crate::config::upstream::{Signer, UpstreamSettings};
use crate::dev::Personas;
use crate::login::Login;
use crate::report::{Failure, Problem};

impl Settings {
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
                let key = problem.key.as_deref();
                let at = key.and_then(|key| loaded.origins.find(key));
                problem.at(at)
            }
            _ => problem,
        }
    }

    /// Builds everything once, so that what does not fit together is found now.
    pub(in crate::config) fn check_whole(&self, loaded: &mut Loaded) {
        if !loaded.problems.is_empty() {
            // What is missing would be found again, and said twice; a provider says its own.
            if let (Plan::Provider(plan), Ok(base)) = (&self.plan, self.base_url(self.some_port()))
                && let Err(problems) = plan.build(&base)
            {
                loaded.problems.extend(problems);
            }
            let base = self.base_url(self.some_port());
            if let (Plan::Proxy(plan), Ok(base)) = (&self.plan, base) {
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
                let found = plan.faults(&loaded.problems).into_iter();
                let located = found.map(|problem| self.located(problem, loaded));
                let located: Vec<_> = located.collect();
                loaded.problems.extend(located);
            }
            return;
        }
        if let Plan::Proxy(plan) = &self.plan {
            let paths: Vec<_> = self.upstreams.iter().map(UpstreamSettings::path).collect();
            if plan.refuse_return(&paths, loaded) {
                return;
            }
        }
        let port = self.some_port();
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
