//! How long tokens, grants, keys and sessions live.

use std::time::Duration;

use portcullis_authorization_server::OAuthProviderBuilder;

use crate::config::raw::RawDuration;
use crate::config::{Loaded, resolve};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long things live, where it was said.
#[derive(Debug)]
pub(super) struct Lifetimes {
    code: Option<Duration>,
    access: Option<Duration>,
    idle: Option<Duration>,
    grant: Option<Duration>,
    key: Option<Rotation>,
    session_idle: Option<Duration>,
    session: Option<Duration>,
}

/// How long a key signs.
#[derive(Debug, Clone, Copy)]
enum Rotation {
    Every(Duration),
    Never,
}

impl Lifetimes {
    /// What was written, decided. Problems are added to those of the configuration.
    pub(super) fn resolve(loaded: &mut Loaded) -> Self {
        let tokens = &loaded.raw.tokens;
        let (access, idle) = (tokens.access_lifetime.clone(), tokens.idle_lifetime.clone());
        let (code, grant) = (tokens.code_lifetime.clone(), tokens.grant_lifetime.clone());
        let login = &loaded.raw.login;
        let session_idle = login.session_idle_lifetime.clone();
        let session = login.session_lifetime.clone();
        let code = bounded(loaded, "tokens.code_lifetime", code, (SECOND, 10 * MINUTE));
        let access = bounded(loaded, "tokens.access_lifetime", access, (SECOND, DAY));
        let year = 365 * DAY;
        let [idle, grant] = pair(
            loaded,
            ["tokens.idle_lifetime", "tokens.grant_lifetime"],
            [idle, grant],
            ((SECOND, year), 90 * DAY),
        );
        let [session_idle, session] = pair(
            loaded,
            ["login.session_idle_lifetime", "login.session_lifetime"],
            [session_idle, session],
            ((MINUTE, 90 * DAY), 7 * DAY),
        );
        Self {
            code,
            access,
            idle,
            grant,
            key: key(loaded),
            session_idle,
            session,
        }
    }

    pub(super) fn apply(&self, mut builder: OAuthProviderBuilder) -> OAuthProviderBuilder {
        if let Some(lifetime) = self.code {
            builder = builder.authorization_code_lifetime(lifetime);
        }
        if let Some(lifetime) = self.access {
            builder = builder.access_token_lifetime(lifetime);
        }
        if let Some(lifetime) = self.idle {
            builder = builder.refresh_token_idle(lifetime);
        }
        if let Some(lifetime) = self.grant {
            builder = builder.refresh_token_lifetime(lifetime);
        }
        match self.key {
            Some(Rotation::Every(age)) => builder = builder.rotate_keys_every(age),
            Some(Rotation::Never) => builder = builder.rotate_keys_every(None),
            None => {}
        }
        if let Some(lifetime) = self.session_idle {
            builder = builder.session_idle(lifetime);
        }
        if let Some(lifetime) = self.session {
            builder = builder.session_lifetime(lifetime);
        }
        builder
    }
}

/// How long a login at an identity provider may take.
pub(super) fn transaction(loaded: &mut Loaded) -> Option<Duration> {
    let said = loaded.raw.login.transaction_lifetime.clone();
    bounded(loaded, "login.transaction_lifetime", said, (SECOND, HOUR))
}

/// How long a key of the store signs.
fn key(loaded: &mut Loaded) -> Option<Rotation> {
    let key = "tokens.signing_key_rotation";
    let said = loaded.raw.tokens.signing_key_rotation.clone()?;
    if !loaded.raw.tokens.signing_key_files.is_empty() {
        let problem = loaded.problem(key, "has no effect");
        let hint = "the keys are made from `tokens.signing_key_files`, and change with them";
        loaded.problems.push(problem.hint(hint));
    }
    match said.length() {
        Some(length) => {
            bounded(loaded, key, Some(length), (HOUR, 10 * 365 * DAY)).map(Rotation::Every)
        }
        None => Some(Rotation::Never),
    }
}

/// A lifetime without use, and one at most. The first has an effect only where it is no longer than
/// the second, which is `default` unless it was said.
fn pair(
    loaded: &mut Loaded,
    [idle_key, most_key]: [&str; 2],
    [idle, most]: [Option<RawDuration>; 2],
    (bounds, default): ((Duration, Duration), Duration),
) -> [Option<Duration>; 2] {
    let idle = bounded(loaded, idle_key, idle, bounds);
    let most = bounded(loaded, most_key, most, bounds);
    if idle.is_some_and(|idle| idle > most.unwrap_or(default)) {
        let fault = format!(
            "is longer than `{most_key}`, which is {}",
            days(most, default)
        );
        let problem = loaded.problem(idle_key, fault);
        let hint = format!("make it shorter, or `{most_key}` longer");
        loaded.problems.push(problem.hint(hint));
    }
    [idle, most]
}

fn days(said: Option<Duration>, default: Duration) -> String {
    match said {
        Some(said) => written(said),
        None => format!("{} unless set", written(default)),
    }
}

/// A length within bounds, both of which are allowed.
fn bounded(
    loaded: &mut Loaded,
    key: &str,
    said: Option<RawDuration>,
    (least, most): (Duration, Duration),
) -> Option<Duration> {
    let said = said?;
    // What is no length was said, and is none.
    let is_length = said.read().is_some();
    let length = resolve::duration(loaded, key, Some(said), least.as_secs());
    if is_length && !(least..=most).contains(&length) {
        let fault = format!("is not between {} and {}", written(least), written(most));
        let problem = loaded.problem(key, fault);
        loaded.problems.push(problem);
    }
    Some(length)
}

/// `90d`, as one would write it.
fn written(length: Duration) -> String {
    let seconds = length.as_secs();
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return format!("`{}{name}`", seconds / unit);
        }
    }
    format!("`{seconds}s`")
}
