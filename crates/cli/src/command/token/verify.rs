//! `token verify`: the verdict of a server, and each check by its name.

use anyhow::Result;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::json::Value;
use portcullis_oauth::{BearerToken, Clock as _, ResourceUrl, Timestamp};
use portcullis_resource_server::{
    JwtVerifier, Rejection, SharedVerifier, TokenVerifier as _, TypProfile, VerifyContext,
    VerifyError,
};
use serde::Serialize;

use super::parts::Parts;
use crate::args::VerifyArgs;
use crate::config::{self, Request, problem};
use crate::report::{Failure, Problem, Report, Show};
use crate::time;

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Passed,
    Failed,
    /// Another check failed before.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    outcome: Outcome,
    found: String,
}

#[derive(Debug, Serialize)]
struct Verdict {
    valid: bool,
    /// The server's word for why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    checks: Vec<Check>,
}

/// By what a token is measured.
struct Measure {
    verifier: SharedVerifier,
    resource: ResourceUrl,
    issuer: Option<String>,
    audience: Option<String>,
    legacy: bool,
}

pub(super) async fn verify(args: VerifyArgs, report: Report) -> Result<()> {
    let token = args.source.read()?;
    let measure = Measure::new(args, report)?;
    let parts = Parts::read(&token).ok();
    let rejection = measure.ask(&token).await?;
    let now = SystemClock::new().now();
    let checks = parts.map(|parts| measure.checks(&parts, rejection, now));
    let verdict = Verdict {
        valid: rejection.is_none(),
        reason: rejection.map(Rejection::reason),
        checks: checks.unwrap_or_default(),
    };
    report.data(&verdict)?;
    match rejection {
        None => Ok(()),
        Some(rejection) => {
            let problem = Problem::new(format!(
                "the token is not valid here: {}",
                sentence(rejection)
            ));
            Err(Failure::from(problem).into())
        }
    }
}

impl Measure {
    fn new(args: VerifyArgs, report: Report) -> Result<Self, Failure> {
        let (Some(issuer), Some(audience)) = (args.issuer, args.audience) else {
            return Self::configured(args.config, report);
        };
        let profile = if args.legacy {
            TypProfile::Legacy
        } else {
            TypProfile::AtJwt
        };
        let mut verifier = JwtVerifier::builder(&issuer)
            .audience(&audience)
            .typ_profile(profile)
            .scope_claims(["scope", "scp"]);
        if let Some(url) = args.jwks_url {
            verifier = verifier.jwks_uri(url);
        }
        // The verifier measures by the audience; a resource only has to be there.
        let resource =
            ResourceUrl::parse(&audience).or_else(|_| ResourceUrl::parse("http://localhost/mcp"));
        Ok(Self {
            verifier: SharedVerifier::new(verifier.build().map_err(problem)?),
            resource: resource.map_err(|error| Problem::new(format!("`--audience`: {error}")))?,
            issuer: Some(issuer),
            audience: Some(audience),
            legacy: args.legacy,
        })
    }

    fn configured(file: Option<std::path::PathBuf>, report: Report) -> Result<Self, Failure> {
        let request = Request {
            file,
            ..Request::default()
        };
        let settings = config::settings(request, report).map_err(|Failure(mut problems)| {
            let problem = Problem::new("there is no configuration to measure the token by");
            problems.push(problem.hint("or say `--issuer URL --audience URL`"));
            Failure(problems)
        })?;
        let base = settings.base_url(settings.listen().port())?;
        let path = settings
            .upstreams()
            .first()
            .map_or(settings.mcp_path(), |upstream| upstream.path());
        let resource = base
            .resource(path)
            .map_err(|error| Problem::new(error.to_string()))?;
        let nobody = |mode: &str| {
            let what = format!("auth mode `{mode}` verifies no tokens that could be checked here");
            Failure::from(Problem::new(what).hint("say `--issuer URL --audience URL`"))
        };
        if settings.issues_tokens() {
            // Its keys are published: whoever asks it needs none of its store.
            let what = "this server issues its tokens itself, and can be asked for its keys alone";
            let hint = format!(
                "while it runs, say `--issuer {} --audience {}`",
                base.as_str(),
                resource.as_str()
            );
            return Err(Problem::new(what).hint(hint).into());
        }
        let auth = settings.auth(&base, &settings.scopes(), None)?.auth;
        let verifier = auth
            .verifier()
            .cloned()
            .ok_or_else(|| nobody(settings.mode()))?;
        Ok(Self {
            verifier,
            resource,
            issuer: None,
            audience: None,
            legacy: false,
        })
    }

    /// The server's verdict.
    async fn ask(&self, token: &BearerToken) -> Result<Option<Rejection>, Failure> {
        let verdict = self
            .verifier
            .verify(token, &VerifyContext::new(&self.resource))
            .await;
        match verdict {
            Ok(_) => Ok(None),
            Err(VerifyError::Rejected(rejection)) => Ok(Some(rejection)),
            Err(error) => {
                let mut problem =
                    Problem::new("nobody can tell: what verifies tokens is out of reach");
                let mut cause: Option<&dyn std::error::Error> = Some(&error);
                while let Some(error) = cause {
                    problem = problem.because(error);
                    cause = error.source();
                }
                problem.causes.dedup();
                Err(problem.hint("check `--issuer` and `--jwks-url`").into())
            }
        }
    }

    /// Each check, by what the token says. The verdict is the verifier's alone.
    fn checks(&self, parts: &Parts, rejection: Option<Rejection>, now: Timestamp) -> Vec<Check> {
        let mut checks = vec![signature(parts, rejection)];
        let mut add = |name, passed, found: String| {
            let outcome = if passed {
                Outcome::Passed
            } else {
                Outcome::Failed
            };
            checks.push(Check {
                name,
                outcome,
                found,
            });
        };
        let typ = parts.header.get("typ").and_then(Value::as_str);
        let is_typ = |name: &str| {
            typ.is_some_and(|typ| {
                typ.trim_start_matches("application/")
                    .eq_ignore_ascii_case(name)
            })
        };
        if let (Some(issuer), Some(audience)) = (&self.issuer, &self.audience) {
            let fine = is_typ("at+jwt") || (self.legacy && (typ.is_none() || is_typ("JWT")));
            add("type", fine, typ.unwrap_or("absent").to_owned());
            let said = parts.text("iss");
            add(
                "issuer",
                said == Some(issuer),
                said.unwrap_or("absent").to_owned(),
            );
            let said = parts.claims.get("aud").cloned().unwrap_or(Value::Null);
            let fine = said == audience.as_str()
                || said
                    .as_array()
                    .is_some_and(|list| list.iter().any(|one| one == audience.as_str()));
            add("audience", fine, said.to_string());
        }
        let ends = parts.time("exp");
        add(
            "expiry",
            ends.is_some_and(|end| now < end),
            ends.map_or("absent".to_owned(), time::utc),
        );
        if let Some(start) = parts.time("nbf") {
            add("start", start <= now, time::utc(start));
        }
        checks
    }
}

fn signature(parts: &Parts, rejection: Option<Rejection>) -> Check {
    let outcome = match rejection {
        None => Outcome::Passed,
        Some(Rejection::BadSignature | Rejection::UnknownKey | Rejection::WrongAlgorithm) => {
            Outcome::Failed
        }
        Some(_) => Outcome::Unknown,
    };
    let member = |name| {
        parts
            .header
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("absent")
    };
    Check {
        name: "signature",
        outcome,
        found: format!("alg {}, kid {}", member("alg"), member("kid")),
    }
}

fn sentence(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Malformed => "it is not of the form that is read here",
        Rejection::Unknown => "nobody issued it",
        Rejection::Expired => "it has expired",
        Rejection::NotYetValid => "its time has not come",
        Rejection::Lifetime => "it lives too long, or its times contradict each other",
        Rejection::WrongIssuer => "its issuer is not trusted here",
        Rejection::WrongAudience => "it is for another server",
        Rejection::WrongType => "it is not an access token",
        Rejection::WrongAlgorithm => "its algorithm is not accepted here",
        Rejection::UnknownKey => "its issuer has no such key",
        Rejection::BadSignature => "its signature is wrong",
        Rejection::SenderConstrained => "it is bound to a key, and comes without proof",
        Rejection::BadClaims => "a claim is missing or has the wrong type",
        Rejection::Revoked => "it was revoked",
        _ => "it was refused",
    }
}

impl Show for Verdict {
    fn human(&self) -> String {
        let mut lines: Vec<String> = self
            .checks
            .iter()
            .map(|check| {
                let outcome = match check.outcome {
                    Outcome::Passed => "passed",
                    Outcome::Failed => "FAILED",
                    Outcome::Unknown => "not reached",
                };
                format!("{:9}  {outcome:11}  {}", check.name, check.found)
            })
            .collect();
        lines.push(match self.reason {
            None => "valid".to_owned(),
            Some(reason) => format!("not valid: {reason}"),
        });
        lines.join("\n")
    }
}
