//! What the server behind learns of the caller: nothing, unless it is configured.

mod template;
mod token;

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_oauth::EndpointUrl;
use portcullis_resource_server::{AccessToken, ConfigError, Unavailable};

pub use self::template::Template;
pub use self::token::IdentityToken;

/// Header fields that tell a server behind who is calling.
///
/// ```
/// use portcullis_gateway::Identity;
///
/// let identity = Identity::new()
///     .header("X-User", "{sub}")?
///     .header("X-Email", "{claim:email}")?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
///
/// A field is left out where the token does not say what it asks for. Whatever a client sends goes
/// no further unless the gateway forwards that field by name, so no client can send one of these
/// itself, in any spelling.
///
/// A value is sent as it is when it is printable ASCII. Any other character, and `%`, is
/// percent-encoded as UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Identity {
    headers: Vec<(HeaderName, Template)>,
    forwarded: bool,
    token: Option<IdentityToken>,
}

/// Fields that mean something to HTTP or to MCP and so cannot carry an identity.
const TAKEN: [&str; 14] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
];

impl Identity {
    /// Tells nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells `template`, filled from the caller's token, in the field `name`.
    ///
    /// # Errors
    /// [`ConfigError`] when the name is none, is taken, or was given before, and when the template
    /// cannot be read.
    pub fn header(mut self, name: &str, template: &str) -> Result<Self, ConfigError> {
        let field = field(name)?;
        if self.names().any(|other| *other == field) {
            return Err(fault(name, "is given twice"));
        }
        self.headers.push((field, Template::parse(template)?));
        Ok(self)
    }

    /// Tells who is calling in a statement that is signed, and that the server behind can check.
    ///
    /// # Errors
    /// [`ConfigError`] when its header field tells something else already.
    pub fn signed(mut self, token: IdentityToken) -> Result<Self, ConfigError> {
        let field = token.field();
        if self.headers.iter().any(|(other, _)| other == field) {
            return Err(fault(field.as_str(), "is given twice"));
        }
        self.token = Some(token);
        Ok(self)
    }

    /// Whether a signed statement is told.
    pub(crate) fn is_signed(&self) -> bool {
        self.token.is_some()
    }

    /// The same for the server at `url`.
    pub(crate) fn for_server(mut self, url: &EndpointUrl) -> Self {
        self.token = self.token.map(|token| token.for_server(url));
        self
    }

    /// Tells where a request came in, in `X-Forwarded-For`, `X-Forwarded-Proto` and
    /// `X-Forwarded-Host`: the [address](portcullis_resource_server::ClientAddress) of the client,
    /// where the listener says one, and the scheme and host of the gateway's own public URL. What
    /// the client sent under these names never goes on.
    pub fn forwarded(mut self) -> Self {
        self.forwarded = true;
        self
    }

    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && !self.forwarded && self.token.is_none()
    }

    /// Whether it is told where a request came in.
    pub(crate) fn is_forwarded(&self) -> bool {
        self.forwarded
    }

    /// The names of the fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let signed = self.token.iter().map(IdentityToken::field);
        self.headers.iter().map(|(name, _)| name).chain(signed)
    }

    /// Writes the fields for the caller with `token`; without one, none.
    ///
    /// # Errors
    /// [`Unavailable`] when a statement cannot be signed.
    pub(crate) fn apply(
        &self,
        token: Option<&AccessToken>,
        headers: &mut HeaderMap,
    ) -> Result<(), Unavailable> {
        if let Some(signed) = &self.token {
            // SECURITY: as below; sec_gw_02_a_signed_identity_is_the_gateways_alone
            headers.remove(signed.field());
            if let Some(token) = token {
                headers.insert(signed.field(), signed.statement(token)?);
            }
        }
        for (name, template) in &self.headers {
            // SECURITY: what stood there before was not ours, also where the token has nothing to
            // put in its place; sec_gw_03_a_token_without_the_claim_leaves_no_header
            headers.remove(name);
            let value = token.and_then(|token| template.render(token));
            if let Some(value) = value.as_deref().and_then(printable) {
                headers.insert(name, value);
            }
        }
        Ok(())
    }
}

/// The name of a field that may tell something of a caller.
fn field(name: &str) -> Result<HeaderName, ConfigError> {
    let field: HeaderName = name
        .parse()
        .map_err(|_| fault(name, "is no name of a header field"))?;
    let is_taken = TAKEN.contains(&field.as_str()) || field.as_str().starts_with("mcp-param-");
    if is_taken {
        let fault = fault(name, "has a meaning of its own");
        return Err(fault.with_hint("use a name such as `X-User`"));
    }
    Ok(field)
}

fn fault(name: &str, what: &'static str) -> ConfigError {
    ConfigError::new(format!("identity header `{name}`"), what)
}

/// The value in printable ASCII.
fn printable(text: &str) -> Option<HeaderValue> {
    use std::fmt::Write as _;

    // SECURITY: a line break in a claim would begin a header field of the user's own (CWE-113);
    // sec_gw_02_a_claim_cannot_add_a_header
    let mut value = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let is_outer_space = byte == b' ' && (at == 0 || at == last);
        if (b' '..=b'~').contains(&byte) && byte != b'%' && !is_outer_space {
            value.push(char::from(byte));
        } else {
            write!(value, "%{byte:02X}").ok()?;
        }
    }
    HeaderValue::from_str(&value).ok()
}

#[cfg(test)]
mod tests {
    use portcullis_resource_server::TokenParts;

    use super::*;

    fn told(subject: &str, template: &str) -> Option<String> {
        let identity = Identity::new().header("X-User", template).unwrap();
        let token = AccessToken::assert_verified(TokenParts::new("https://idp.example", subject));
        let mut headers = HeaderMap::new();
        headers.append("x-user", HeaderValue::from_static("mallory"));
        headers.append("x-user", HeaderValue::from_static("eve"));
        identity.apply(Some(&token), &mut headers).unwrap();
        assert!(headers.get_all("x-user").iter().count() <= 1);
        headers
            .get("x-user")
            .map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn sec_gw_02_a_claim_cannot_add_a_header() {
        assert_eq!(
            told("a\r\nX-Admin: 1", "{sub}").as_deref(),
            Some("a%0D%0AX-Admin: 1")
        );
        assert_eq!(
            told("zoë 100%", "{sub}").as_deref(),
            Some("zo%C3%AB 100%25")
        );
        assert_eq!(told(" a ", "{sub}").as_deref(), Some("%20a%20"));
    }

    #[test]
    fn sec_gw_03_a_token_without_the_claim_leaves_no_header() {
        assert_eq!(told("alice", "{claim:email}"), None);
        let identity = Identity::new().header("X-User", "{sub}").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-user", HeaderValue::from_static("mallory"));
        identity.apply(None, &mut headers).unwrap();
        assert!(headers.is_empty());
    }

    #[test]
    fn a_field_with_a_meaning_of_its_own_is_refused() {
        for name in [
            "Authorization",
            "mcp-session-id",
            "Mcp-Param-x",
            "Host",
            "a b",
            "",
        ] {
            assert!(Identity::new().header(name, "{sub}").is_err(), "{name}");
        }
        let twice = Identity::new().header("X-User", "{sub}").unwrap();
        assert!(twice.header("x-user", "{iss}").is_err());
    }
}
