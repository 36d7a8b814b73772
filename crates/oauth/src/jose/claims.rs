//! The claims of a token whose signature was checked (RFC 7519 section 4).
//!
//! Registered claims have the types that the RFC gives them, or the whole set is refused: a claim
//! that is there and not understood is never taken for an absent one.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::compact::Verified;
use crate::json::{self, Limits};
use crate::scope::{Scope, ScopeSet};
use crate::time::Timestamp;

/// A set of claims with an expiry.
///
/// The types are right; whether the claims are acceptable is the [gate](super::gate)'s question.
#[derive(Clone, PartialEq)]
pub struct Claims {
    map: Map<String, Value>,
    audience: Vec<String>,
    expires_at: Timestamp,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
}

/// Why a payload is no set of claims. Never carries a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimFault {
    /// Not strict JSON, or more than 200 members or 16 levels.
    #[error("the payload is not acceptable JSON")]
    NotJson,
    /// JSON, and no object.
    #[error("the payload is no JSON object")]
    NotAnObject,
    /// A claim is missing that every token has.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim has a type or a range that the RFC does not give it.
    #[error("the claim `{0}` is malformed")]
    Malformed(&'static str),
}

impl ClaimFault {
    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotJson | Self::NotAnObject => "payload_malformed",
            Self::Missing(_) => "claim_missing",
            Self::Malformed(_) => "claim_malformed",
        }
    }

    /// The claim that is missing or malformed.
    pub const fn claim(self) -> Option<&'static str> {
        match self {
            Self::Missing(name) | Self::Malformed(name) => Some(name),
            Self::NotJson | Self::NotAnObject => None,
        }
    }
}

/// Why a token does not count at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TimeFault {
    /// `exp` is reached.
    #[error("the token is expired")]
    Expired,
    /// `nbf` is not reached.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is ahead of the clock.
    #[error("the token was issued in the future")]
    IssuedInFuture,
}

impl TimeFault {
    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
        }
    }
}

impl Claims {
    /// Reads the claims of a verified payload.
    ///
    /// # Errors
    /// [`ClaimFault`] when the payload is no strict JSON object, `exp` is missing, or a registered
    /// claim is malformed.
    pub fn parse(payload: Verified<'_>) -> Result<Self, ClaimFault> {
        // SECURITY: two members of one name mean two things to two readers (RFC 7519 section 4);
        // sec_jwt_09_repeated_members_are_refused
        let value =
            json::value(payload.payload(), Limits::JOSE).map_err(|_| ClaimFault::NotJson)?;
        let Value::Object(map) = value else {
            return Err(ClaimFault::NotAnObject);
        };
        for name in ["iss", "sub", "jti", "client_id", "azp"] {
            if map.get(name).is_some_and(|value| !value.is_string()) {
                return Err(ClaimFault::Malformed(name));
            }
        }
        Ok(Self {
            audience: audience(&map)?,
            // SECURITY: a token without an end is valid for ever (RFC 9068 section 2.2);
            // sec_jwt_15_exp_is_required
            expires_at: date(&map, "exp")?.ok_or(ClaimFault::Missing("exp"))?,
            not_before: date(&map, "nbf")?,
            issued_at: date(&map, "iat")?,
            map,
        })
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `aud`, a single one as a list of one; empty when the claim is absent.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `exp`.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// `nbf`.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// `iat`.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// Whether the token counts at this time, by clocks that may be `leeway` apart: `exp` is not reached,
    /// and neither `nbf` nor `iat` is ahead, where they are there (RFC 7519 sections 4.1.4 to 4.1.6).
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check_times(&self, now: Timestamp, leeway: Duration) -> Result<(), TimeFault> {
        // SECURITY: at `exp` it is over (RFC 7519 section 4.1.4); sec_jwt_20_leeway_has_exact_bounds,
        // sec_jwt_20_an_id_token_has_exact_bounds
        if self.expires_at.saturating_add(leeway) <= now {
            return Err(TimeFault::Expired);
        }
        let latest = now.saturating_add(leeway);
        // SECURITY: not before `nbf` (RFC 7519 section 4.1.5); sec_jwt_20_leeway_has_exact_bounds,
        // sec_jwt_20_an_id_token_has_exact_bounds
        if self.not_before.is_some_and(|start| start > latest) {
            return Err(TimeFault::NotYetValid);
        }
        // SECURITY: a token from the future was not made by a sound clock (RFC 8725 section 3.8);
        // sec_jwt_19_tokens_from_the_future_are_refused,
        // sec_jwt_19_an_id_token_from_the_future_is_refused
        if self.issued_at.is_some_and(|issued| issued > latest) {
            return Err(TimeFault::IssuedInFuture);
        }
        Ok(())
    }

    /// `jti`.
    pub fn jwt_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// `client_id` (RFC 9068 section 2.2); failing that `azp`, then `cid`, as other issuers spell
    /// it.
    pub fn client_id(&self) -> Option<&str> {
        ["client_id", "azp", "cid"]
            .into_iter()
            .find_map(|name| self.text(name))
    }

    /// The scopes of `scope` (RFC 9068 section 2.2.3): a text, separated by spaces. Of any other
    /// type it grants nothing.
    pub fn scope(&self) -> ScopeSet {
        self.text("scope")
            .map(ScopeSet::parse_lenient)
            .unwrap_or_default()
    }

    /// The scopes of `scp`, as some issuers call it: a text, or an array of texts with one scope
    /// each. Of any other type it grants nothing.
    pub fn scp(&self) -> ScopeSet {
        self.scopes_in("scp")
    }

    /// The scopes of a claim with any name. `scope` itself must be a text, others may be an array
    /// of texts.
    pub fn scopes_in(&self, name: &str) -> ScopeSet {
        match self.map.get(name) {
            // SECURITY: only what is spelled as scopes grants any (RFC 9068 section 2.2.3);
            // sec_jwt_24_only_text_grants_scopes
            Some(Value::String(text)) => ScopeSet::parse_lenient(text),
            Some(Value::Array(items)) if name != "scope" => items
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()
                .unwrap_or_default()
                .into_iter()
                .filter_map(|text| Scope::parse(text).ok())
                .collect(),
            _ => ScopeSet::new(),
        }
    }

    /// `cnf`: the token belongs to whoever holds a key (RFC 7800).
    pub fn confirmation(&self) -> Option<&Value> {
        self.map.get("cnf")
    }

    /// A claim of any name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// All claims.
    pub fn map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// All claims, to keep.
    pub fn into_map(self) -> Map<String, Value> {
        self.map
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.as_str()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Claims are about people: their names, not their values.
        f.debug_tuple("Claims")
            .field(&self.map.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// One text or a list of texts (RFC 7519 section 4.1.3).
fn audience(map: &Map<String, Value>) -> Result<Vec<String>, ClaimFault> {
    let malformed = ClaimFault::Malformed("aud");
    match map.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) if !many.is_empty() => many
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or(malformed))
            .collect(),
        Some(_) => Err(malformed),
    }
}

/// The end of the year 9999.
const LAST_DATE: i64 = 253_402_300_799;

/// A `NumericDate` (RFC 7519 section 2), in whole seconds: parts of a second are cut off.
fn date(map: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, ClaimFault> {
    let Some(value) = map.get(name) else {
        return Ok(None);
    };
    // SECURITY: a date that is no number, or beyond all sense, is refused and never taken for an
    // absent one (CVE-2026-25537); sec_jwt_16_dates_are_numbers_in_range
    value
        .as_i64()
        .or_else(|| value.as_f64().and_then(whole_seconds))
        .filter(|seconds| (0..=LAST_DATE).contains(seconds))
        .map(|seconds| Some(Timestamp::from_secs(seconds)))
        .ok_or(ClaimFault::Malformed(name))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range was checked, and the rest of the second is to be cut off"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    // Every whole number up to 2^53 is a `f64`, so the bound is exact enough.
    (0.0..253_402_300_800.0)
        .contains(&seconds)
        .then(|| seconds.floor() as i64)
}
