//! A signed statement on who is calling.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::crypto::Sha256;
use portcullis_oauth::{EndpointUrl, Monotonic, SharedClock};
use portcullis_resource_server::{AccessToken, Caller, ConfigError, IdentitySigner, Unavailable};
use quick_cache::sync::Cache;

use super::field;

/// A signed statement on who is calling, for [`Identity::signed`](super::Identity::signed): a JWT in
/// a header field.
///
/// The server behind checks its signature by the signer's public keys, `typ`, `iss`, `aud` and `exp`,
/// and so has to trust neither the network nor other header fields. A statement lasts a minute and is
/// told again for half of that, so a call seldom costs a signature; `jti` is no nonce.
#[derive(Clone)]
#[must_use]
pub struct IdentityToken {
    field: HeaderName,
    audience: Option<Arc<str>>,
    role_claims: Option<Arc<[String]>>,
    signer: Arc<dyn IdentitySigner>,
    clock: SharedClock,
    told: Arc<Cache<[u8; 32], Told>>,
}

/// A statement, as it was told.
#[derive(Clone)]
struct Told {
    value: HeaderValue,
    until: Monotonic,
}

const FIELD: HeaderName = HeaderName::from_static("x-portcullis-identity");
/// How many statements are remembered.
const CAPACITY: usize = 10_000;

impl IdentityToken {
    /// A statement of this signer, in `X-Portcullis-Identity`, for the URL of the server behind.
    pub fn new(signer: Arc<dyn IdentitySigner>) -> Self {
        Self {
            field: FIELD,
            audience: None,
            role_claims: None,
            signer,
            clock: Arc::new(SystemClock::new()),
            told: Arc::new(Cache::new(CAPACITY)),
        }
    }

    /// Tells it in this field.
    ///
    /// # Errors
    /// [`ConfigError`] when the name is none, or is taken.
    pub fn header(mut self, name: &str) -> Result<Self, ConfigError> {
        self.field = field(name)?;
        Ok(self)
    }

    /// Who may believe it (`aud`), in place of the URL of the server behind without its query.
    pub fn audience(mut self, audience: impl Into<Arc<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The claims in which roles are, in place of `role`, `roles` and `groups`.
    pub fn role_claims(mut self, claims: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.role_claims = Some(claims.into_iter().map(Into::into).collect());
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    pub(super) fn field(&self) -> &HeaderName {
        &self.field
    }

    pub(super) fn for_server(mut self, url: &EndpointUrl) -> Self {
        self.audience.get_or_insert_with(|| {
            let url = url.as_str();
            url.split_once('?').map_or(url, |(url, _)| url).into()
        });
        self
    }

    /// What is told of the caller with `token`.
    pub(super) fn statement(&self, token: &AccessToken) -> Result<HeaderValue, Unavailable> {
        let audience = self.audience.as_deref().unwrap_or_default();
        let roles: Vec<&str> = match &self.role_claims {
            Some(claims) => token.roles_in(claims).collect(),
            None => token.roles().collect(),
        };
        let caller = Caller::new(token, &roles, audience);
        let key = digest(&caller);
        let now = self.clock.monotonic();
        // SECURITY: a statement is told only of whom it was made for: all that it says is in the key;
        // sec_gw_02_a_statement_is_never_told_of_somebody_else
        if let Some(told) = self.told.get(&key).filter(|told| now < told.until) {
            return Ok(told.value);
        }
        let signed = self.signer.sign(&caller)?;
        let mut value = HeaderValue::from_str(signed.jwt.expose())
            .map_err(|_| Unavailable::new("the statement on the caller is no header field"))?;
        value.set_sensitive(true);
        let until = now.saturating_add(signed.lifetime / 2);
        let told = Told {
            value: value.clone(),
            until,
        };
        self.told.insert(key, told);
        Ok(value)
    }
}

/// A digest of all that a statement says.
fn digest(caller: &Caller<'_>) -> [u8; 32] {
    let token = caller.token;
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        digest.update(&length.to_be_bytes());
        digest.update(text.as_bytes());
    };
    add(token.issuer());
    add(token.subject());
    // No client is another one than one without a name, which there is not.
    add(token.client_id().unwrap_or_default());
    add(caller.audience);
    add(&token.scopes().to_string());
    caller.roles.iter().for_each(|role| add(role));
    digest.finish()
}

impl PartialEq for IdentityToken {
    fn eq(&self, other: &Self) -> bool {
        self.field == other.field
            && self.audience == other.audience
            && self.role_claims == other.role_claims
            && Arc::ptr_eq(&self.signer, &other.signer)
    }
}

impl Eq for IdentityToken {}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityToken")
            .field("field", &self.field)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use http::HeaderMap;
    use portcullis_oauth::json::{Value, json};
    use portcullis_oauth::{MockClock, ScopeSet, scopes};
    use portcullis_resource_server::{SignedIdentity, TokenParts};

    use super::super::Identity;
    use super::*;
    use crate::{HttpServer, HttpSseServer};

    /// Counts statements, and says what they say.
    #[derive(Debug, Default)]
    struct Pen {
        signed: AtomicUsize,
        roles: Mutex<Vec<String>>,
        is_empty: AtomicBool,
    }

    impl IdentitySigner for Pen {
        fn sign(&self, caller: &Caller<'_>) -> Result<SignedIdentity, Unavailable> {
            if self.is_empty.load(Ordering::SeqCst) {
                return Err(Unavailable::new("there is no key"));
            }
            let count = self.signed.fetch_add(1, Ordering::SeqCst);
            let roles = caller.roles.iter().map(ToString::to_string);
            *self.roles.lock().unwrap() = roles.collect();
            let text = format!("{count}.{}.{}", caller.token.subject(), caller.audience);
            Ok(SignedIdentity::new(text, Duration::from_secs(60)))
        }
    }

    fn token(subject: &str, client: &str, scopes: ScopeSet, claims: Value) -> AccessToken {
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        AccessToken::assert_verified(
            TokenParts::new("https://idp.example", subject)
                .client_id(client)
                .scopes(scopes)
                .claims(claims),
        )
    }

    fn alice() -> AccessToken {
        token("alice", "cli", scopes!["read"], json!({"role": "admin"}))
    }

    fn signed(pen: &Arc<Pen>, clock: &Arc<MockClock>) -> Identity {
        let signer: Arc<dyn IdentitySigner> = Arc::<Pen>::clone(pen);
        let token = IdentityToken::new(signer).clock(clock.clone());
        let url = EndpointUrl::parse("https://files.internal/mcp?key=hunter2").unwrap();
        Identity::new().signed(token).unwrap().for_server(&url)
    }

    fn told(identity: &Identity, token: Option<&AccessToken>) -> Option<String> {
        let mut headers = HeaderMap::new();
        for name in ["x-portcullis-identity", "X-PORTCULLIS-IDENTITY"] {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_static("mallory"));
        }
        identity.apply(token, &mut headers).unwrap();
        let mut values = headers.get_all("x-portcullis-identity").iter();
        let value = values
            .next()
            .map(|value| value.to_str().unwrap().to_owned());
        assert!(values.next().is_none());
        value
    }

    #[test]
    fn sec_gw_02_a_signed_identity_is_the_gateways_alone() {
        let (pen, clock) = (Arc::default(), Arc::new(MockClock::at(0)));
        let identity = signed(&pen, &clock);
        let value = told(&identity, Some(&alice()));
        assert_eq!(value.as_deref(), Some("0.alice.https://files.internal/mcp"));
        assert_eq!(told(&identity, None), None, "nobody is calling");
        assert_eq!(*pen.roles.lock().unwrap(), ["admin"]);
    }

    #[test]
    fn a_statement_is_told_again_for_half_of_its_life() {
        let (pen, clock) = (Arc::default(), Arc::new(MockClock::at(0)));
        let identity = signed(&pen, &clock);
        let first = told(&identity, Some(&alice()));
        clock.advance(Duration::from_secs(29));
        assert_eq!(told(&identity, Some(&alice())), first);
        clock.advance(Duration::from_secs(1));
        assert_ne!(told(&identity, Some(&alice())), first);
        assert_eq!(pen.signed.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn sec_gw_02_a_statement_is_never_told_of_somebody_else() {
        let (pen, clock): (Arc<Pen>, _) = (Arc::default(), Arc::new(MockClock::at(0)));
        let identity = signed(&pen, &clock);
        let admin = || json!({"role": "admin"});
        let all = [
            alice(),
            token("bob", "cli", scopes!["read"], admin()),
            token("alice", "web", scopes!["read"], admin()),
            token("alice", "cli", scopes!["write"], admin()),
            token("alice", "cli", scopes!["read"], json!({"role": "user"})),
            token(
                "alice",
                "cli",
                scopes!["read"],
                json!({"role": ["ad", "min"]}),
            ),
            token("alicecli", "", scopes!["read"], admin()),
        ];
        let values: Vec<_> = all.iter().map(|one| told(&identity, Some(one))).collect();
        for (at, value) in values.iter().enumerate() {
            assert!(!values[..at].contains(value), "{at}: {value:?}");
        }
        // The same server behind two upstreams is two audiences, each with its own statements.
        let url = EndpointUrl::parse("https://other.internal/mcp").unwrap();
        let signer: Arc<dyn IdentitySigner> = pen.clone();
        let other = IdentityToken::new(signer).for_server(&url);
        let value = other.statement(&alice()).unwrap();
        assert!(
            value
                .to_str()
                .unwrap()
                .ends_with("https://other.internal/mcp")
        );
        assert!(value.is_sensitive());
    }

    #[test]
    fn without_a_signature_nothing_goes_on() {
        let (pen, clock): (Arc<Pen>, _) = (Arc::default(), Arc::new(MockClock::at(0)));
        let identity = signed(&pen, &clock);
        pen.is_empty.store(true, Ordering::SeqCst);
        let mut headers = HeaderMap::new();
        assert!(identity.apply(Some(&alice()), &mut headers).is_err());
        assert!(identity.apply(None, &mut headers).is_ok());
    }

    #[test]
    fn a_field_tells_one_thing() {
        let signer: Arc<dyn IdentitySigner> = Arc::<Pen>::default();
        let token = IdentityToken::new(signer);
        assert!(token.clone().header("Authorization").is_err());
        let user = token.header("X-User").unwrap();
        let named = Identity::new().header("x-user", "{sub}").unwrap();
        assert!(named.signed(user.clone()).is_err());
        let identity = Identity::new().signed(user).unwrap();
        assert!(identity.header("X-USER", "{sub}").is_err());
    }

    #[test]
    fn a_connection_outlives_every_statement() {
        let pen: Arc<dyn IdentitySigner> = Arc::<Pen>::default();
        let identity = Identity::new().signed(IdentityToken::new(pen)).unwrap();
        let url = EndpointUrl::parse("http://127.0.0.1:3001/sse").unwrap();
        let server = HttpSseServer::new(HttpServer::new(url).identity(identity));
        let fault = server.transport(&"old".into()).unwrap_err();
        assert_eq!(fault.field(), "signed identity");
    }
}
