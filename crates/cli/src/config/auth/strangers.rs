//! Clients that nobody configured: whether they may come, and where their codes may go.

use portcullis_authorization_server::{DocumentPolicy, RegistrationPolicy};
use portcullis_oauth::RedirectPattern;

use super::server::secret;
use crate::config::Loaded;

/// Whether they may register. Problems are added to those of the configuration.
pub(super) fn registration(loaded: &mut Loaded) -> RegistrationPolicy {
    let raw = &loaded.raw.clients;
    let (token_file, limit) = (raw.registration_token_file.clone(), raw.registration_limit);
    let uses = raw.registration_token_uses;
    if raw.registration == Some(false) {
        for key in [
            "registration_token_file",
            "registration_token_uses",
            "registration_limit",
        ] {
            let key = format!("clients.{key}");
            if loaded.origins.exact(&key).is_some() {
                let problem = loaded.problem(&key, "has no effect");
                let hint = "clients cannot register: `clients.registration` is `false`";
                loaded.problems.push(problem.hint(hint));
            }
        }
        return RegistrationPolicy::disabled();
    }
    let mut policy = RegistrationPolicy::new();
    if let Some(limit) = limit {
        policy = policy.limit(limit.into());
    }
    if token_file.is_none() && uses.is_some() {
        let problem = loaded.problem("clients.registration_token_uses", "has no effect");
        let hint = "there is no token: name its file with `clients.registration_token_file`";
        loaded.problems.push(problem.hint(hint));
    }
    let token =
        token_file.and_then(|file| secret(loaded, "clients.registration_token_file", &file));
    match (token, uses) {
        (Some(token), Some(uses)) => policy.initial_access_token_for(token, uses.into()),
        (Some(token), None) => policy.initial_access_token(token),
        (None, _) => policy,
    }
}

/// Whether a document of theirs counts.
pub(super) fn documents(loaded: &mut Loaded) -> DocumentPolicy {
    let raw = &loaded.raw.clients;
    match (raw.documents, &raw.document_hosts) {
        (Some(false), None) => DocumentPolicy::disabled(),
        (Some(false), Some(_)) => {
            let problem = loaded.problem("clients.document_hosts", "has no effect");
            let hint = "no document counts: `clients.documents` is `false`";
            loaded.problems.push(problem.hint(hint));
            DocumentPolicy::disabled()
        }
        (_, Some(hosts)) => DocumentPolicy::new().allow_hosts(hosts.clone()),
        (_, None) => DocumentPolicy::new(),
    }
}

/// Where codes may be sent. A pattern that is none is said where it was written.
pub(super) fn redirect_uris(loaded: &mut Loaded) -> Option<Vec<String>> {
    let listed = loaded.raw.clients.redirect_uris.clone()?;
    for (at, text) in listed.iter().enumerate() {
        if let Err(error) = RedirectPattern::parse(text) {
            let key = format!("clients.redirect_uris.{at}");
            let problem = loaded.problem(&key, "is no pattern of redirect URIs");
            let hint = "write it as `https://app.example.com/*` or `http://127.0.0.1/callback`";
            loaded.problems.push(problem.because(error).hint(hint));
        }
    }
    Some(listed)
}
