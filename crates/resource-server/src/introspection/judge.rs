//! From an answer to a verdict.

use std::time::Duration;

use portcullis_oauth::introspect::{ActiveToken, IntrospectionError, IntrospectionResponse};
use portcullis_oauth::json::{self, Limits, Map, Value};
use portcullis_oauth::{ClientId, Issuer, ResourceUrl, Subject, Timestamp, TokenId};

use crate::{AccessToken, Rejection, TokenParts, Unavailable, VerifyError};

/// What an answer has to say.
#[derive(Debug)]
pub(super) struct Expectations {
    pub(super) issuer: IssuerRule,
    pub(super) audience: AudienceRule,
    /// The clients whose tokens are accepted; empty for all.
    pub(super) clients: Vec<String>,
    pub(super) leeway: Duration,
}

#[derive(Debug)]
pub(super) enum IssuerRule {
    /// This one, in whose name an answer without `iss` counts.
    Named(Issuer),
    /// Any on the endpoint's origin; an answer without `iss` counts in the origin's name.
    OnOrigin(String),
}

#[derive(Debug)]
pub(super) enum AudienceRule {
    Resource,
    Listed(Vec<String>),
    Any,
}

impl Expectations {
    /// For whom tokens have to be in front of `resource`, for a log.
    pub(super) fn audience(&self, resource: &ResourceUrl) -> String {
        match &self.audience {
            _ if !self.clients.is_empty() => format!("client {}", self.clients.join(", ")),
            AudienceRule::Resource => resource.as_str().to_owned(),
            AudienceRule::Listed(listed) => listed.join(", "),
            AudienceRule::Any => "any".to_owned(),
        }
    }

    /// Judges the body of an answer with status 200.
    pub(super) fn judge(
        &self,
        body: &[u8],
        resource: &ResourceUrl,
        now: Timestamp,
    ) -> Result<AccessToken, VerifyError> {
        let token = match IntrospectionResponse::parse(body) {
            Ok(IntrospectionResponse::Active(token)) => *token,
            Ok(_) | Err(IntrospectionError::Member("active")) => {
                return Err(Rejection::Unknown.into());
            }
            Err(IntrospectionError::Member(_)) => return Err(Rejection::BadClaims.into()),
            Err(error) => return Err(unreadable(error).into()),
        };
        let issuer = self.check(&token, resource, now)?;
        let claims: Map<String, Value> =
            json::from_slice(body, Limits::METADATA).map_err(unreadable)?;
        Ok(self.access_token(issuer, token, claims)?)
    }

    /// Checks all that the answer says; its issuer is who vouches for the subject.
    fn check(
        &self,
        token: &ActiveToken,
        resource: &ResourceUrl,
        now: Timestamp,
    ) -> Result<String, Rejection> {
        check_kind(token)?;
        let issuer = self.check_issuer(token.issuer.as_deref())?;
        // SECURITY: an answer out of somebody's cache may be older than the token's end (RFC 7662
        // section 4); sec_key_10_what_the_answer_says_is_checked
        if token
            .expires_at
            .is_some_and(|end| end.saturating_add(self.leeway) <= now)
        {
            return Err(Rejection::Expired);
        }
        let latest_start = now.saturating_add(self.leeway);
        if token.not_before.is_some_and(|start| start > latest_start) {
            return Err(Rejection::NotYetValid);
        }
        // SECURITY: an active token may be active for somebody else (RFC 7662 section 4);
        // sec_key_10_the_audience_is_the_resource
        let for_us = match &self.audience {
            AudienceRule::Resource => token.audience.iter().any(|aud| aud == resource.as_str()),
            AudienceRule::Listed(listed) => token.audience.iter().any(|aud| listed.contains(aud)),
            AudienceRule::Any => true,
        };
        if !for_us {
            return Err(Rejection::WrongAudience);
        }
        let is_known = |client: &String| self.clients.contains(client);
        // SECURITY: a token that another client was given is none of ours (RFC 7662 section 4);
        // sec_key_13_a_token_of_another_client_is_refused
        if !self.clients.is_empty() && !token.client_id.as_ref().is_some_and(is_known) {
            return Err(Rejection::WrongAudience);
        }
        Ok(issuer)
    }

    fn check_issuer(&self, answered: Option<&str>) -> Result<String, Rejection> {
        match (&self.issuer, answered) {
            (IssuerRule::Named(named), None) => Ok(named.as_str().to_owned()),
            (IssuerRule::Named(named), Some(answered)) if named.as_str() == answered => {
                Ok(answered.to_owned())
            }
            (IssuerRule::OnOrigin(origin), None) => Ok(origin.clone()),
            (IssuerRule::OnOrigin(origin), Some(answered)) => Issuer::parse(answered)
                .ok()
                .filter(|issuer| issuer.origin() == *origin)
                .map(|issuer| issuer.as_str().to_owned())
                .ok_or(Rejection::WrongIssuer),
            // SECURITY: an endpoint must not speak for other issuers' users (RFC 7662 section 4);
            // sec_key_10_what_the_answer_says_is_checked
            (IssuerRule::Named(_), Some(_)) => Err(Rejection::WrongIssuer),
        }
    }

    fn access_token(
        &self,
        issuer: String,
        token: ActiveToken,
        claims: Map<String, Value>,
    ) -> Result<AccessToken, Rejection> {
        // A client's id in the place of a missing subject could be some user's.
        let subject = token.subject.ok_or(Rejection::BadClaims)?;
        Subject::parse(&subject).map_err(|_| Rejection::BadClaims)?;
        let mut parts = TokenParts::new(issuer, subject)
            .scopes(token.scope)
            .audience(token.audience)
            .leeway(self.leeway)
            .claims(claims);
        // SECURITY: what names nobody, or breaks a log line, is no name of a client or a token (RFC
        // 6749 appendix A.1, CWE-117); sec_key_10_ids_in_an_answer_are_well_formed
        if let Some(client) = token.client_id {
            ClientId::parse(&client).map_err(|_| Rejection::BadClaims)?;
            parts = parts.client_id(client);
        }
        if let Some(id) = &token.jwt_id {
            TokenId::parse(id).map_err(|_| Rejection::BadClaims)?;
        }
        if let Some(end) = token.expires_at {
            parts = parts.expires_at(end);
        }
        Ok(AccessToken::assert_verified(parts))
    }
}

/// Whether it is a plain access token.
fn check_kind(token: &ActiveToken) -> Result<(), Rejection> {
    let is_bound = |kind: &str| kind.eq_ignore_ascii_case("dpop");
    // SECURITY: a stolen token that is bound to a key must not work without it (RFC 9449
    // section 7.1, RFC 8705 section 3); sec_key_10_a_bound_token_is_no_bearer_token
    if token.extra.contains_key("cnf") || token.token_type.as_deref().is_some_and(is_bound) {
        return Err(Rejection::SenderConstrained);
    }
    let is_plain = |kind: &str| {
        ["bearer", "access_token"]
            .iter()
            .any(|plain| kind.eq_ignore_ascii_case(plain))
    };
    // SECURITY: a refresh token is active too, and opens nothing (RFC 7662 section 2.2);
    // sec_key_10_what_the_answer_says_is_checked
    if !token.token_type.as_deref().is_none_or(is_plain) {
        return Err(Rejection::WrongType);
    }
    // Ory Hydra and Amazon Cognito tell the kinds apart by this member.
    match token.extra.get("token_use") {
        None => Ok(()),
        Some(kind) if kind == "access_token" || kind == "access" => Ok(()),
        Some(_) => Err(Rejection::WrongType),
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Unavailable {
    Unavailable::new("the introspection endpoint's answer cannot be read").caused_by(error)
}
