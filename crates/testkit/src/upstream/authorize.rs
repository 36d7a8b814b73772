//! Where users sign in.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderValue, Method, Response, StatusCode};
use portcullis_oauth::CodeChallenge;
use portcullis_oauth::form::{Form, Limits, Writer};
use portcullis_oauth::json::{Map, Value};

use super::answer::{Shared, text};
use super::fault::{self, Kind};
use super::{ScriptedUpstream, Seen, broken};

impl ScriptedUpstream {
    /// Signs a user in, who was led to this URL, and agrees. Returns where the browser is sent, with
    /// `code`, `state` and `iss` (RFC 9207).
    ///
    /// # Panics
    /// When the provider does not know the user, and when the request lacks what a careful client
    /// sends: the right `client_id` and `redirect_uri`, a `state` of 128 bits, an S256 challenge, a
    /// `nonce` where `openid` is asked for, and nothing twice.
    #[track_caller]
    pub fn sign_in(&self, authorize_url: &str, user: &str) -> String {
        let request = self.visited(authorize_url);
        let agreed = agree(&self.shared, &request, user);
        lead(&self.shared, agreed.unwrap_or_else(|fault| broken(&fault)))
    }

    /// Says no instead, with this error (RFC 6749 section 4.1.2.1) and a description that nobody may
    /// repeat. Returns where the browser is sent.
    ///
    /// # Panics
    /// As [`sign_in`](Self::sign_in).
    #[track_caller]
    pub fn refuse(&self, authorize_url: &str, error: &str) -> String {
        let request = self.visited(authorize_url);
        let asked = check(&self.shared, &request).unwrap_or_else(|fault| broken(&fault));
        let words = "<script>the provider's own words</script>";
        let answer = [("error", error), ("error_description", words)];
        lead(&self.shared, asked.answered(&self.shared, &answer))
    }

    #[track_caller]
    fn visited(&self, authorize_url: &str) -> Form {
        let endpoint = self.url("/authorize?");
        let Some(query) = authorize_url.strip_prefix(&endpoint) else {
            broken(&format!("`{authorize_url}` is not `{endpoint}..`"))
        };
        let seen = Seen::new(Method::GET, "/authorize", query);
        self.shared.log.add(seen);
        match Form::parse(query.as_bytes(), Limits::ENDPOINT) {
            Ok(request) => request,
            Err(error) => broken(&format!("`{authorize_url}`: {error}")),
        }
    }
}

/// `GET /authorize`, for browsers that no test drives: nobody is asked.
pub(super) fn get(shared: &Shared, request: &Form) -> Response<axum::body::Body> {
    let named = request.one("login_hint").ok().flatten();
    let first = || shared.book().users.keys().next().cloned();
    let user = named.map(ToOwned::to_owned).or_else(first);
    match agree(shared, request, &user.unwrap_or_default()) {
        Ok(agreed) => {
            let mut answer = fault::answer(StatusCode::SEE_OTHER, "text/plain", Vec::new().into());
            let to = HeaderValue::from_str(&lead(shared, agreed));
            answer
                .headers_mut()
                .extend(to.ok().map(|to| (LOCATION, to)));
            answer
        }
        Err(fault) => fault::answer(StatusCode::BAD_REQUEST, "text/plain", fault.into()),
    }
}

/// What was asked for, after it was checked.
struct Asked<'a> {
    redirect_uri: &'a str,
    state: &'a str,
    scope: &'a str,
    nonce: Option<&'a str>,
    challenge: Option<CodeChallenge>,
}

/// What a browser is sent away with.
struct Answered {
    redirect_uri: String,
    members: Map<String, Value>,
}

impl Asked<'_> {
    fn answered(&self, shared: &Shared, members: &[(&str, &str)]) -> Answered {
        let ours = [("state", self.state), ("iss", shared.idp.issuer.as_str())];
        let members = members.iter().chain(&ours);
        Answered {
            redirect_uri: self.redirect_uri.to_owned(),
            members: members
                .map(|&(name, value)| (name.to_owned(), value.into()))
                .collect(),
        }
    }
}

fn agree(shared: &Shared, request: &Form, user: &str) -> Result<Answered, String> {
    let asked = check(shared, request)?;
    let now = shared.idp.clock.now();
    let mut book = shared.book();
    if !book.users.contains_key(user) {
        return Err(format!("nobody here is called `{user}`"));
    }
    let grant = book.grant(user, asked.scope, asked.nonce);
    let code = book.draw("code", shared.port);
    let until = now.saturating_add(CODE_LIFETIME);
    let challenge = asked.challenge.clone();
    book.add_code(&code, asked.redirect_uri, challenge, (grant, until));
    drop(book);
    Ok(asked.answered(shared, &[("code", &code)]))
}

fn check<'a>(shared: &Shared, request: &'a Form) -> Result<Asked<'a>, String> {
    let all = request.refuse_repeats_except(&[]);
    all.map_err(|error| error.to_string())?;
    let one = |name: &str| request.one(name).ok().flatten();
    let required = |name: &str| request.required(name).map_err(|error| error.to_string());
    let rules = shared.book();
    let rules = &rules.rules;
    let redirect_uri = required("redirect_uri")?;
    let scope = one("scope").unwrap_or_default();
    let is_openid = rules.is_openid(scope);
    let nonce = one("nonce");
    let method = one("code_challenge_method");
    let challenge = match (rules.pkce, one("code_challenge")) {
        (false, None) => None,
        (false, Some(_)) => return Err("this provider chokes on `code_challenge`".to_owned()),
        (true, challenge) => {
            let challenge = CodeChallenge::from_request(challenge, method);
            Some(challenge.map_err(|error| error.to_string())?)
        }
    };
    let asked = Asked {
        redirect_uri,
        state: required("state")?,
        scope,
        nonce,
        challenge,
    };
    let redirect_fits = rules
        .redirect_uri
        .as_deref()
        .is_none_or(|known| known == redirect_uri);
    let rules = [
        (
            required("response_type")? == "code",
            "`response_type` is not `code`",
        ),
        (
            required("client_id")? == rules.client_id,
            "`client_id` is not the client's",
        ),
        (redirect_fits, "`redirect_uri` is not the client's"),
        // Base64url has six bits a character.
        (asked.state.len() >= 22, "`state` is shorter than 128 bits"),
        (
            !is_openid || nonce.is_some_and(|nonce| nonce.len() >= 22),
            "`nonce` is missing or short",
        ),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, fault)) => Err(fault.to_owned()),
        None => Ok(asked),
    }
}

/// The URL that the browser is sent to, after the faults of `/authorize`.
fn lead(shared: &Shared, answered: Answered) -> String {
    let mut members = answered.members;
    for fault in shared.book().faults.take("/authorize") {
        if let Kind::Members(change) = fault {
            change(&mut members);
        }
    }
    let query = members.iter().fold(Writer::new(), |query, (name, value)| {
        query.pair(name, &text(value))
    });
    let uri = answered.redirect_uri;
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{}", query.finish())
}

/// RFC 6749 section 4.1.2 allows ten minutes at most.
const CODE_LIFETIME: Duration = Duration::from_secs(600);
