//! A complete login: a client registers, a browser signs in and consents, the client gets tokens.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header, request::Builder};
use http_body_util::Full;
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::{
    form,
    json::{self, Limits, Value, json},
    pkce::CodeVerifier,
};

use super::page::{Person, onward};
use crate::load::web::{Connection, whole};

const REDIRECT: &str = "http://127.0.0.1:4711/callback";

/// Users who have logged in.
static USERS: AtomicUsize = AtomicUsize::new(0);

/// More pages and redirects than any login takes.
const MOST_STEPS: usize = 20;

/// An authorization server.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(super) registration: String,
    pub(super) authorization: String,
    pub(super) token: String,
    pub(super) resource: String,
    pub(super) scope: &'static str,
    pub(super) person: Person,
    /// Whether anybody may log in, and so each is another user.
    pub(super) is_open: bool,
    /// Whether the browser is still signed in when it comes again.
    pub(super) keeps_session: bool,
    /// The identity provider that users are sent to, which lets everybody in.
    pub(super) upstream: Option<SocketAddr>,
}

impl Site {
    /// What the server's metadata say (RFC 8414).
    pub(super) async fn discover(
        address: SocketAddr,
        (resource, scope): (String, &'static str),
        person: Person,
    ) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        let place = "/.well-known/oauth-authorization-server";
        let answer = connection.send(Request::get(place).body(Full::default())?);
        let metadata = json::value(whole(answer.await?).await?.body(), Limits::MCP)?;
        let endpoint = |name: &str| {
            let url = metadata.get(name).and_then(Value::as_str);
            let url = url.with_context(|| format!("the metadata name no `{name}`"))?;
            anyhow::Ok(path_of(url)?.to_owned())
        };
        Ok(Self {
            address,
            registration: endpoint("registration_endpoint")?,
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            resource,
            scope,
            person,
            is_open: true,
            keeps_session: false,
            upstream: None,
        })
    }

    /// The same for one user and no other.
    pub(super) fn of_one_user(self) -> Self {
        Self {
            is_open: false,
            ..self
        }
    }

    /// The same where users are sent to an identity provider on their way.
    pub(crate) fn before(&self, upstream: SocketAddr) -> Self {
        Self {
            upstream: Some(upstream),
            ..self.clone()
        }
    }

    /// The same for browsers that are signed in already.
    pub(super) fn keeping_sessions(&self) -> Self {
        Self {
            keeps_session: true,
            ..self.clone()
        }
    }
}

/// One browser and one client after the other, on one connection.
#[derive(Debug)]
pub(crate) struct Walker {
    site: Arc<Site>,
    person: Person,
    connection: Connection,
    upstream: Option<Connection>,
    cookies: Vec<(String, String)>,
}

/// What a browser has before it.
enum Step {
    Get(String),
    Post(String, String),
}

impl Step {
    fn path(&self) -> &str {
        match self {
            Self::Get(path) | Self::Post(path, _) => path,
        }
    }
}

impl Walker {
    pub(crate) async fn new(site: Arc<Site>) -> Result<Self> {
        let connection = Connection::open(site.address).await?;
        let upstream = match site.upstream {
            Some(address) => Some(Connection::open(address).await?),
            None => None,
        };
        Ok(Self {
            person: site.person.clone(),
            site,
            connection,
            upstream,
            cookies: Vec::new(),
        })
    }

    /// The whole way. In the end the client has both tokens; here is the one for access.
    pub(crate) async fn login(&mut self) -> Result<String> {
        if !self.site.keeps_session {
            self.cookies.clear();
        }
        if self.site.is_open {
            let users = USERS.fetch_add(1, Ordering::Relaxed);
            self.person.user = format!("user-{users}");
        }
        let client = self.register().await.context("registration")?;
        let verifier = CodeVerifier::generate(&SystemEntropy::new())?;
        let code = self.authorize(&client, &verifier).await?;
        self.redeem(&client, &code, &verifier)
            .await
            .context("token")
    }

    async fn register(&mut self) -> Result<String> {
        let body = json!({
            "client_name": "bench",
            "redirect_uris": [REDIRECT],
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        let request = Request::post(&self.site.registration)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        let answer = self.back_channel(request).await?;
        member(&answer, "client_id")
    }

    /// The browser's way, to the code.
    async fn authorize(&mut self, client: &str, verifier: &CodeVerifier) -> Result<String> {
        let challenge = verifier.challenge();
        let query = form::encode(&[
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("scope", self.site.scope),
            ("state", "a-state-of-the-benchmark"),
            ("resource", &self.site.resource),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        let mut step = Step::Get(format!("{}?{query}", self.site.authorization));
        for _ in 0..MOST_STEPS {
            let here = step.path().to_owned();
            let answer = self.visit(step).await?;
            self.keep_cookies(answer.headers());
            let location = answer.headers().get(header::LOCATION);
            step = match location {
                Some(location) => {
                    let location = location.to_str()?;
                    if let Some(answer) = location.strip_prefix(REDIRECT) {
                        return code_in(answer);
                    }
                    let location = self.past_upstream(location).await?;
                    Step::Get(path_of(&location)?.to_owned())
                }
                None => self.press(&answer, &here)?,
            };
        }
        bail!("the login has no end")
    }

    /// Where a redirect leads in the end: the identity provider sends the browser back at once.
    async fn past_upstream(&mut self, location: &str) -> Result<String> {
        let Some(upstream) = &mut self.upstream else {
            return Ok(location.to_owned());
        };
        let origin = format!("http://{}/", upstream.host());
        if !location.starts_with(&origin) {
            return Ok(location.to_owned());
        }
        let request = Request::get(path_of(location)?).body(Full::default())?;
        let answer = whole(upstream.send(request).await?).await?;
        let back = answer.headers().get(header::LOCATION);
        let back = back.context("the identity provider sends nobody back")?;
        Ok(back.to_str()?.to_owned())
    }

    async fn visit(&mut self, step: Step) -> Result<Response<Bytes>> {
        let (request, body) = match step {
            Step::Get(path) => (Request::get(path).header("sec-fetch-site", "none"), None),
            Step::Post(path, form) => {
                let request = Request::post(path)
                    .header("sec-fetch-site", "same-origin")
                    .header(header::ORIGIN, format!("http://{}", self.connection.host()))
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                (request, Some(form))
            }
        };
        let request = self
            .with_cookies(request)
            .header(header::ACCEPT, "text/html");
        let request = request.body(Full::from(body.unwrap_or_default()))?;
        whole(self.connection.send(request).await?).await
    }

    /// Sends the form of the page that is `here`.
    fn press(&self, page: &Response<Bytes>, here: &str) -> Result<Step> {
        let text = std::str::from_utf8(page.body())?;
        let filled = onward(text, &self.person)
            .with_context(|| format!("status {}: {text}", page.status()))?;
        let fields: Vec<(&str, &str)> = filled
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let path = match filled.action.as_str() {
            // A form without a place goes where its page came from.
            "" => here,
            action => path_of(action)?,
        };
        Ok(Step::Post(path.to_owned(), form::encode(&fields)))
    }

    async fn redeem(
        &mut self,
        client: &str,
        code: &str,
        verifier: &CodeVerifier,
    ) -> Result<String> {
        let body = form::encode(&[
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("code", code),
            ("code_verifier", verifier.expose()),
            ("resource", &self.site.resource),
        ]);
        let request = Request::post(&self.site.token)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(body))?;
        let answer = self.back_channel(request).await?;
        member(&answer, "refresh_token")?;
        member(&answer, "access_token")
    }

    async fn back_channel(&mut self, request: Request<Full<Bytes>>) -> Result<Value> {
        let answer = whole(self.connection.send(request).await?).await?;
        if !answer.status().is_success() {
            let body = String::from_utf8_lossy(answer.body());
            bail!("status {}, body `{body}`", answer.status());
        }
        Ok(json::value(answer.body(), Limits::MCP)?)
    }

    fn with_cookies(&self, request: Builder) -> Builder {
        if self.cookies.is_empty() {
            return request;
        }
        let pairs = self.cookies.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        request.header(header::COOKIE, pairs.join("; "))
    }

    /// By name alone: no server here needs more.
    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().ok().and_then(|line| line.split(';').next());
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.retain(|(known, _)| known != name);
                if !value.is_empty() {
                    self.cookies.push((name.to_owned(), value.to_owned()));
                }
            }
        }
    }
}

/// `http://127.0.0.1:1/a?b` -> `/a?b`
fn path_of(url: &str) -> Result<&str> {
    if url.starts_with('/') {
        return Ok(url);
    }
    let (_, rest) = url.split_once("://").context("this is no URL")?;
    let start = rest.find('/').context("a URL without a path")?;
    rest.get(start..).context("a URL without a path")
}

fn code_in(answer: &str) -> Result<String> {
    let query = answer.strip_prefix('?').unwrap_or_default();
    let parameters = form::Form::parse(query.as_bytes(), form::Limits::ENDPOINT)?;
    match parameters.one("code")? {
        Some(code) => Ok(code.to_owned()),
        None => bail!("no code, but `{query}`"),
    }
}

fn member(answer: &Value, name: &str) -> Result<String> {
    let value = answer.get(name).and_then(Value::as_str);
    let value = value.with_context(|| format!("no `{name}` in `{answer}`"))?;
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{code_in, path_of};

    #[test]
    fn urls_lose_their_origin() {
        assert_eq!(path_of("http://127.0.0.1:1/a?b").unwrap(), "/a?b");
        assert_eq!(path_of("/a").unwrap(), "/a");
        assert!(path_of("nowhere").is_err());
    }

    #[test]
    fn an_answer_has_a_code_or_is_an_error() {
        assert_eq!(code_in("?state=s&code=a%2Bb").unwrap(), "a+b");
        assert!(code_in("?error=access_denied").is_err());
    }
}
