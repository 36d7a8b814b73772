//! An authorization server of one's own: the modes `server` and `dev`.

use portcullis_authorization_server::ui::Theme;
use portcullis_authorization_server::{
    ConfiguredClient, DocumentPolicy, Introspection, KeyAlgorithm, OAuthProvider,
    OAuthProviderBuilder, RateLimits, RegistrationPolicy, SigningSecret,
};
use portcullis_oauth::{Scope, ScopeSet, SecretString};
use serde_json::Value;

use super::lifetimes::Lifetimes;
use super::{clients, rate_limits, strangers};
use crate::config::file::read_text;
use crate::config::origin::Origin;
use crate::config::raw::{RawRevocation, RawSigning, RawUpstream};
use crate::config::said::{news, said};
use crate::config::{Loaded, resolve, secret_file};
use crate::report::Problem;

/// The one key of `[auth]` that such a server has beside the mode.
pub(super) const REQUIRED_SCOPES: &str = "required_scopes";

/// What an authorization server of one's own is told.
#[derive(Debug)]
pub(crate) struct ServerPlan {
    issuer_url: Option<String>,
    lifetimes: Lifetimes,
    rate_limits: RateLimits,
    algorithm: KeyAlgorithm,
    secrets: Vec<SigningSecret>,
    strict: bool,
    registration: RegistrationPolicy,
    documents: DocumentPolicy,
    /// Where codes may be sent, if it was said.
    redirect_uris: Option<Vec<String>>,
    clients: Vec<ConfiguredClient>,
    introspection: Introspection,
    theme: Theme,
    texts: Vec<(String, String)>,
    /// The scopes that `[scopes]` names.
    named: ScopeSet,
    default_scopes: Option<ScopeSet>,
    /// Scopes without which nothing works, whatever is behind.
    required: ScopeSet,
}

impl ServerPlan {
    /// What was written, decided. Problems are added to those of the configuration.
    pub(super) fn resolve(loaded: &mut Loaded) -> Self {
        if loaded.raw.login.transaction_lifetime.is_some() {
            let problem = loaded.problem("login.transaction_lifetime", "has no effect");
            let hint = "it is about logins at an identity provider; here users log in themselves";
            loaded.problems.push(problem.hint(hint));
        }
        let required = required(loaded);
        Self::of(loaded, required)
    }

    /// The same for users of an identity provider, whose mode reads `auth.required_scopes` itself.
    pub(super) fn in_front(loaded: &mut Loaded) -> Self {
        Self::of(loaded, ScopeSet::new())
    }

    fn of(loaded: &mut Loaded, required: ScopeSet) -> Self {
        let (texts, named, default_scopes) = scopes(loaded);
        let (clients, introspection) = clients::resolve(loaded);
        Self {
            issuer_url: loaded.raw.issuer_url.clone(),
            lifetimes: Lifetimes::resolve(loaded),
            rate_limits: rate_limits::resolve(loaded),
            algorithm: match loaded.raw.tokens.signing {
                Some(RawSigning::EdDsa) => KeyAlgorithm::EdDsa,
                Some(RawSigning::Es256) | None => KeyAlgorithm::Es256,
            },
            secrets: signing_secrets(loaded),
            strict: loaded.raw.tokens.revocation == Some(RawRevocation::Strict),
            registration: strangers::registration(loaded),
            documents: strangers::documents(loaded),
            redirect_uris: strangers::redirect_uris(loaded),
            clients,
            introspection,
            theme: theme(loaded),
            texts,
            named,
            default_scopes,
            required,
        }
    }

    /// Scopes without which nothing works, whatever is behind.
    pub(crate) fn required(&self) -> &ScopeSet {
        &self.required
    }

    /// Warns where a client that asks for nothing, or for nothing that there is, is offered whatever its
    /// user has.
    pub(super) fn warn_of_no_default(&self, loaded: &mut Loaded) {
        let is_open = |upstream: &RawUpstream| upstream.required_scopes.is_empty();
        let has_choice = self.named.len() > 1;
        let is_said = self.default_scopes.is_some() || !self.required.is_empty();
        if has_choice && !is_said && loaded.raw.upstream.iter().any(is_open) {
            let what = "name no default: a client that asks for no scope, or misspells them all, is \
                        offered all that its user has";
            let warning = loaded.problem("scopes", what);
            let hint = "write `default = true` at those that every client may be offered";
            loaded.warnings.push(warning.hint(hint));
        }
    }

    /// What clients get that ask for nothing, if it was said.
    pub(super) fn default_scopes(&self) -> Option<&ScopeSet> {
        self.default_scopes.as_ref()
    }

    /// The server, but for its URL, its users and its store. `scopes` are those that anything behind
    /// asks for.
    pub(crate) fn builder(&self, scopes: &ScopeSet) -> OAuthProviderBuilder {
        let builder =
            OAuthProvider::builder().scopes(scopes.union(&self.named).union(&self.required));
        self.apply(match &self.default_scopes {
            Some(scopes) => builder.default_scopes(scopes.clone()),
            None => builder,
        })
    }

    /// All but the scopes of a server, its URL, its users and its store.
    pub(super) fn apply(&self, builder: OAuthProviderBuilder) -> OAuthProviderBuilder {
        let mut builder = builder
            .key_algorithm(self.algorithm)
            .introspection(self.introspection.clone())
            .registration(self.registration.clone())
            .documents(self.documents.clone())
            .rate_limits(self.rate_limits.clone())
            .strict_revocation(self.strict)
            .theme(self.theme.clone());
        if let Some(url) = &self.issuer_url {
            builder = builder.issuer_url(url);
        }
        if let Some(patterns) = &self.redirect_uris {
            builder = builder.redirect_uris(patterns.iter().cloned());
        }
        for secret in &self.secrets {
            builder = builder.jwt_signing_key(secret.clone());
        }
        for (scope, text) in &self.texts {
            builder = builder.scope_text(scope, text);
        }
        for client in &self.clients {
            builder = builder.client(client.clone());
        }
        self.lifetimes.apply(builder)
    }

    /// What nothing but building the server finds, beside what is known to be wrong.
    pub(crate) fn faults(&self, known: &[Problem]) -> Vec<Problem> {
        let built = self
            .builder(&ScopeSet::new())
            .base_url("http://localhost")
            .build();
        let errors = built.err().into_iter().flatten();
        // Where the key is the name of a setting, it was looked at already.
        let found = errors.filter(|error| key(error.field()) != error.field());
        news(known, found.map(|error| said(&error)))
    }
}

/// The key behind a setting of the server.
pub(in crate::config) fn key(field: &str) -> &str {
    match field {
        "theme.service_name" => "pages.name",
        "theme.logo" => "pages.logo",
        "theme.accent" => "pages.accent",
        "theme.support" => "pages.support",
        "documents" => "clients.document_hosts",
        "registration" => "clients.registration_token_file",
        "jwt_signing_key" => "tokens.signing_key_files",
        "allow" => "auth.allow",
        "claims_passthrough.prefix" => "auth.claims_passthrough.prefix",
        "claims_passthrough.allowed" => "auth.claims_passthrough.allowed",
        "transaction_lifetime" => "login.transaction_lifetime",
        "authorization_code_lifetime" => "tokens.code_lifetime",
        "access_token_lifetime" => "tokens.access_lifetime",
        "refresh_token_lifetime" => "tokens.grant_lifetime",
        "refresh_token_idle" => "tokens.idle_lifetime",
        "session_idle" => "login.session_idle_lifetime",
        "session_lifetime" => "login.session_lifetime",
        "redirect_uris" => "clients.redirect_uris",
        field => field,
    }
}

/// Says what has an effect only where tokens are issued.
pub(super) fn refuse_what_has_no_effect(loaded: &mut Loaded, mode: &str) {
    for key in [
        "issuer_url",
        "tokens",
        "login",
        "rate_limits",
        "clients",
        "client",
        "pages",
    ] {
        if loaded.origins.has(key) || loaded.origins.below(key).next().is_some() {
            let problem = loaded.problem(key, format!("has no effect in mode `{mode}`"));
            loaded.problems.push(problem.hint(
                "it is about an authorization server of one's own, as modes `server` and `google` \
                     have one",
            ));
        }
    }
}

fn signing_secrets(loaded: &mut Loaded) -> Vec<SigningSecret> {
    let files = loaded.raw.tokens.signing_key_files.clone();
    let files = files.iter().enumerate();
    let secrets = files.filter_map(|(at, file)| {
        let key = format!("tokens.signing_key_files.{at}");
        secret(loaded, &key, file).map(SigningSecret::from)
    });
    secrets.collect()
}

/// A secret out of a file, without the end of its last line.
pub(super) fn secret(loaded: &mut Loaded, key: &str, file: &str) -> Option<SecretString> {
    let path = loaded.path(key, file);
    if let Some(warning) = secret_file::warning(&path) {
        let at = loaded.origins.find(key);
        loaded.warnings.push(warning.at(at));
    }
    match read_text(&path) {
        Ok(text) => {
            let text = text.trim_end_matches(['\r', '\n']);
            if !text.is_empty() {
                return Some(text.into());
            }
            let problem = loaded.problem(key, "names an empty file");
            loaded.problems.push(problem);
        }
        Err(problem) => {
            let at = loaded.origins.find(key);
            loaded.problems.push(problem.at(at));
        }
    }
    None
}

fn theme(loaded: &Loaded) -> Theme {
    let raw = &loaded.raw.pages;
    let mut theme = Theme::new();
    if let Some(name) = &raw.name {
        theme = theme.service_name(name);
    }
    if let Some(logo) = &raw.logo {
        theme = theme.logo(logo);
    }
    if let Some(accent) = &raw.accent {
        theme = theme.accent(accent);
    }
    if let Some(support) = &raw.support {
        theme = theme.support(support);
    }
    theme
}

/// What `[scopes]` says for users and for clients that ask for nothing.
fn scopes(loaded: &Loaded) -> (Vec<(String, String)>, ScopeSet, Option<ScopeSet>) {
    let (mut texts, mut named, mut default) = (Vec::new(), ScopeSet::new(), ScopeSet::new());
    for (name, raw) in &loaded.raw.scopes {
        // What is none was said where the hierarchy was read.
        let Ok(scope) = Scope::parse(name) else {
            continue;
        };
        if let Some(text) = &raw.text {
            texts.push((name.clone(), text.clone()));
        }
        if raw.default {
            default.extend([scope.clone()]);
        }
        named.extend([scope]);
    }
    (texts, named, Some(default).filter(|some| !some.is_empty()))
}

/// `auth.required_scopes`: a list, or a text as variables have it.
fn required(loaded: &mut Loaded) -> ScopeSet {
    let key = "auth.required_scopes";
    let by_flag = matches!(loaded.origins.find(key), Some(Origin::Flag(_)));
    let variable = loaded.environment.find("PORTCULLIS_AUTH_REQUIRED_SCOPES");
    let said = match variable {
        Some((text, _)) if !by_flag => Some(Value::from(text)),
        _ => loaded.auth.get(REQUIRED_SCOPES).cloned(),
    };
    let listed: Vec<String> = match said {
        Some(Value::String(text)) => text
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    resolve::scopes(loaded, key, &listed)
}
