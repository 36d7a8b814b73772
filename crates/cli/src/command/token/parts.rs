//! A JWT, read and not checked.

use std::io::Read as _;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BearerToken, Timestamp};

use crate::args::TokenSource;
use crate::config::read_text_or_pipe;
use crate::report::{Failure, Problem};

/// No token is longer, in bytes; nobody would send one.
const MAX: usize = 64 * 1024;

/// What a JWT says.
#[derive(Debug)]
pub(in crate::command) struct Parts {
    pub(super) header: Value,
    pub(in crate::command) claims: Value,
}

impl TokenSource {
    /// The token: out of the arguments, stdin or a file. `Bearer ` in front of it is no part of it.
    pub(super) fn read(&self) -> Result<BearerToken, Failure> {
        let text = match (&self.token, &self.file) {
            (Some(dash), _) if dash == "-" => from_stdin()?,
            (Some(token), _) => token.clone(),
            (None, Some(file)) => read_text_or_pipe(file)?,
            (None, None) => String::new(),
        };
        let text = text.trim();
        let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
        if text.is_empty() {
            return Err(Problem::new("there is no token")
                .hint("give it on stdin: `portcullis token decode -`")
                .into());
        }
        if text.len() > MAX {
            return Err(Problem::new("the token is longer than 64 KiB").into());
        }
        Ok(BearerToken::new(text))
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let limit = u64::try_from(MAX).unwrap_or(u64::MAX) + 1024;
    let read = std::io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut text);
    read.map_err(|error| Problem::new("stdin cannot be read").because(error))?;
    Ok(text)
}

impl Parts {
    /// Reads a compact JWS. The token is not in any error.
    pub(in crate::command) fn read(token: &BearerToken) -> Result<Self, Failure> {
        let parts: Vec<&str> = token.expose().split('.').collect();
        let [header, claims, _] = parts.as_slice() else {
            let what = match parts.len() {
                5 => "the token is encrypted (JWE): only its audience can read it".to_owned(),
                1 => "the token is not a JWT: it has no dots in it".to_owned(),
                count => format!("the token is not a JWT: it has {count} parts instead of 3"),
            };
            let hint = "an opaque token says nothing; ask its issuer by introspection (RFC 7662)";
            return Err(Problem::new(what).hint(hint).into());
        };
        Ok(Self {
            header: part("header", header)?,
            claims: part("payload", claims)?,
        })
    }

    pub(super) fn time(&self, claim: &str) -> Option<Timestamp> {
        let value = self.claims.get(claim)?;
        value.as_i64().map(Timestamp::from_secs)
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}

fn part(name: &str, text: &str) -> Result<Value, Failure> {
    let bytes = base64url::decode_strict(text).map_err(|_| {
        Problem::new(format!(
            "the token's {name} is not base64url without padding (RFC 7515 section 2)"
        ))
    })?;
    let limits = Limits::new(MAX, 32, 2000);
    let value = json::value(&bytes, limits).map_err(|error| {
        Problem::new(format!("the token's {name} is not a JSON object")).because(error)
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Problem::new(format!("the token's {name} is not a JSON object")).into())
    }
}
