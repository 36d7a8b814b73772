//! The clients of `[[client]]`.

use std::collections::BTreeSet;

use portcullis_authorization_server::client::{AuthenticationMethod, GrantType};
use portcullis_authorization_server::{ConfiguredClient, Introspection};
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::{ClientId, EndpointUrl, ResourceUrl};

use super::server::secret;
use crate::config::file::read_text;
use crate::config::raw::RawClient;
use crate::config::said::said;
use crate::config::{Loaded, resolve};
use crate::report::Problem;

const METHODS: &str = "`none`, `client_secret_basic`, `client_secret_post` and `private_key_jwt`";
const GRANT_TYPES: &str = "`authorization_code`, `refresh_token` and `client_credentials`";

/// The clients that were written down, and what they may ask. Problems are added to those of the
/// configuration.
pub(super) fn resolve(loaded: &mut Loaded) -> (Vec<ConfiguredClient>, Introspection) {
    let all = std::mem::take(&mut loaded.raw.client);
    let (mut clients, mut introspection) = (Vec::new(), Introspection::nobody());
    let mut seen = BTreeSet::new();
    for (place, raw) in all.into_iter().enumerate() {
        let key = format!("client.{place}");
        if raw.id.as_ref().is_some_and(|id| !seen.insert(id.clone())) {
            let problem = loaded.problem(&format!("{key}.id"), "is that of another client too");
            loaded.problems.push(problem);
            continue;
        }
        introspection = may_ask(introspection, loaded, &key, &raw);
        clients.extend(client(loaded, &key, raw));
    }
    (clients, introspection)
}

fn may_ask(
    introspection: Introspection,
    loaded: &mut Loaded,
    key: &str,
    raw: &RawClient,
) -> Introspection {
    let id = raw.id.as_deref().map(ClientId::parse);
    let Some(Ok(id)) = id.filter(|_| !raw.introspects.is_empty()) else {
        return introspection;
    };
    if raw.introspects.iter().any(|resource| resource == "*") {
        return introspection.allow_all(id);
    }
    let mut resources = Vec::new();
    for (at, text) in raw.introspects.iter().enumerate() {
        match ResourceUrl::parse(text) {
            Ok(resource) => resources.push(resource),
            Err(error) => {
                let problem = loaded.problem(&format!("{key}.introspects.{at}"), "is no resource");
                let hint = "write the URL that clients are given, or `*` for all";
                loaded.problems.push(problem.because(error).hint(hint));
            }
        }
    }
    introspection.allow(id, resources)
}

fn client(loaded: &mut Loaded, key: &str, raw: RawClient) -> Option<ConfiguredClient> {
    let Some(id) = raw.id else {
        let problem = loaded.problem(key, "has no `id`");
        loaded.problems.push(problem);
        return None;
    };
    let mut client = ConfiguredClient::new(id);
    if let Some(name) = raw.name {
        client = client.name(name);
    }
    for uri in raw.redirect_uris {
        client = client.redirect_uri(uri);
    }
    if let Some(file) = raw.secret_file {
        let secret = secret(loaded, &format!("{key}.secret_file"), &file)?;
        client = client.secret(secret.into());
    }
    if let Some(file) = raw.jwks_file {
        client = client.keys(keys(loaded, &format!("{key}.jwks_file"), &file)?);
    }
    if let Some(url) = raw.jwks_uri {
        client = client.keys_at(url_of(loaded, &format!("{key}.jwks_uri"), &url)?);
    }
    if !raw.authentication.is_empty() {
        let place = format!("{key}.authentication");
        let methods = named(loaded, &place, &raw.authentication, (METHODS, method));
        client = client.authentication(methods);
    }
    if !raw.grant_types.is_empty() {
        let place = format!("{key}.grant_types");
        let types = named(loaded, &place, &raw.grant_types, (GRANT_TYPES, grant_type));
        client = client.grant_types(types);
    }
    if let Some(scopes) = raw.scopes {
        client = client.scopes(resolve::scopes(loaded, &format!("{key}.scopes"), &scopes));
    }
    match client.clone().build() {
        Ok(_) => Some(client),
        Err(error) => {
            let problem = at(loaded, key, said(&error));
            loaded.problems.push(problem);
            None
        }
    }
}

fn keys(loaded: &mut Loaded, key: &str, file: &str) -> Option<JwkSet> {
    let path = loaded.path(key, file);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(problem) => {
            let problem = at(loaded, key, problem);
            loaded.problems.push(problem);
            return None;
        }
    };
    match JwkSet::parse(text.as_bytes()) {
        Ok(keys) if !keys.is_empty() => Some(keys),
        Ok(_) => {
            let problem = loaded.problem(key, "names a file without a key that can be used");
            loaded.problems.push(problem);
            None
        }
        Err(error) => {
            let problem = loaded.problem(key, "names a file that is no JWK set");
            loaded.problems.push(problem.because(error));
            None
        }
    }
}

fn url_of(loaded: &mut Loaded, key: &str, url: &str) -> Option<EndpointUrl> {
    match EndpointUrl::parse(url) {
        Ok(url) => Some(url),
        Err(error) => {
            let problem = loaded.problem(key, "cannot be called");
            loaded.problems.push(problem.because(error));
            None
        }
    }
}

/// Names on the wire, read.
fn named<T>(
    loaded: &mut Loaded,
    key: &str,
    names: &[String],
    (known, parse): (&str, fn(&str) -> Option<T>),
) -> Vec<T> {
    let mut read = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(value) = parse(name) {
            read.push(value);
            continue;
        }
        let problem = loaded.problem(&format!("{key}.{at}"), "is not known");
        let problem = problem.hint(format!("known are {known}"));
        loaded.problems.push(problem);
    }
    read
}

/// The grant types that a client can be configured for.
fn grant_type(name: &str) -> Option<GrantType> {
    [
        GrantType::AUTHORIZATION_CODE,
        GrantType::REFRESH_TOKEN,
        GrantType::CLIENT_CREDENTIALS,
    ]
    .into_iter()
    .find(|known| known.as_str() == name)
}

/// How a client can be told to authenticate.
fn method(name: &str) -> Option<AuthenticationMethod> {
    AuthenticationMethod::parse(name)
}

/// A mistake that building it found, where it belongs.
fn at(loaded: &Loaded, key: &str, problem: Problem) -> Problem {
    problem.at(loaded.origins.find(key))
}
