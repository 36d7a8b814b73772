//! What can be wrong with settings.

use std::time::Duration;

use portcullis_oauth::{BaseUrl, RedirectPattern, ScopeSet};
use portcullis_resource_server::ConfigError;

use super::Lifetimes;
use super::settings::IssuerPlace;
use crate::client::RedirectCeiling;
use crate::faults::Faults;
use crate::session::SessionLifetimes;

/// The longest life of an access token: none of ours can be taken back everywhere at once.
const LONGEST_ACCESS: Duration = Duration::from_secs(24 * 3600);

/// Where the server is.
pub(super) fn base_url(text: Option<&str>) -> Result<BaseUrl, ConfigError> {
    let hint = "give the public URL of this server, as in `https://mcp.example.com`; \
                `http` is for loopback addresses alone";
    let fault = |what: String| ConfigError::new("base_url", what).with_hint(hint);
    let text = text.ok_or_else(|| fault("is not set".to_owned()))?;
    let base = BaseUrl::parse(text).map_err(|error| fault(error.to_string()))?;
    IssuerPlace::of(&base).map_err(|error| fault(error.fault().to_owned()))?;
    Ok(base)
}

/// What is checked in its place where it is wrong.
pub(super) fn elsewhere() -> Result<BaseUrl, ConfigError> {
    base_url(Some("http://localhost"))
}

/// Who issues tokens: whoever is named, or the server by its place.
pub(super) fn issuer(said: Option<&str>, base: &BaseUrl) -> Result<IssuerPlace, ConfigError> {
    let Some(text) = said else {
        return IssuerPlace::of(base);
    };
    let hint = "give a public URL of this server, as in `https://example.com`; `http` is for \
                loopback addresses alone";
    let fault = |what: String| ConfigError::new("issuer_url", what).with_hint(hint);
    let place = BaseUrl::parse(text).map_err(|error| fault(error.to_string()))?;
    IssuerPlace::of(&place).map_err(|error| fault(error.fault().to_owned()))
}

pub(super) fn check_lifetimes(
    lifetimes: &Lifetimes,
    sessions: &SessionLifetimes,
    faults: &mut Faults,
) {
    let least = Duration::from_secs(1);
    if lifetimes.access < least || lifetimes.access > LONGEST_ACCESS {
        let fault = "is not between a second and a day";
        faults.add(ConfigError::new("access_token_lifetime", fault));
    }
    for (field, lifetime) in [
        ("refresh_token_lifetime", lifetimes.refresh_absolute),
        ("refresh_token_idle", lifetimes.refresh_idle),
        ("session_idle", sessions.idle),
        ("session_lifetime", sessions.absolute),
    ] {
        if lifetime < least {
            faults.add(ConfigError::new(field, "is shorter than a second"));
        }
    }
}

/// Whether there is each of these scopes.
pub(super) fn check_scopes(
    all: Option<&ScopeSet>,
    field: &'static str,
    some: Option<&ScopeSet>,
) -> Result<(), ConfigError> {
    let (Some(all), Some(some)) = (all, some) else {
        return Ok(());
    };
    match some.difference(all).iter().next() {
        Some(scope) => Err(ConfigError::new(
            field,
            format!("`{scope}` is not one of the scopes"),
        )),
        None => Ok(()),
    }
}

pub(super) fn ceiling(patterns: Option<Vec<String>>) -> Result<RedirectCeiling, ConfigError> {
    let Some(patterns) = patterns else {
        return Ok(RedirectCeiling::well_known());
    };
    let parse = |text: &String| {
        RedirectPattern::parse(text)
            .map_err(|error| ConfigError::new("redirect_uris", format!("`{text}`: {error}")))
    };
    let patterns = patterns.iter().map(parse);
    Ok(RedirectCeiling::only(
        patterns.collect::<Result<Vec<_>, _>>()?,
    ))
}
