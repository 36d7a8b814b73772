//! Tokens of a fake identity provider, well-formed until a test says otherwise.

use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::Timestamp;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::{Algorithm, sign::sign_compact};
use portcullis_oauth::json::{Map, Value};

use crate::idp::IdpKey;

/// A token in the making, from [`FakeIdp::token`](crate::FakeIdp::token).
///
/// It starts as an access token of RFC 9068: `typ` is `at+jwt`; `iss` is the provider, `sub` is
/// `user`, `client_id` is `client`; it was issued now, lasts 300 s and has a `jti` of its own. It
/// has neither `aud` nor `scope` until the test names them.
#[derive(Debug, Clone)]
#[must_use]
pub struct TokenBuilder {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    keys: Vec<Arc<IdpKey>>,
    signer: Signer,
    now: Timestamp,
}

#[derive(Debug, Clone)]
enum Signer {
    /// The provider's newest key.
    Newest,
    /// The provider's newest key that fits.
    Algorithm(Algorithm),
    /// A key of the test's own.
    Foreign(Arc<SigningKey>, Algorithm),
}

impl TokenBuilder {
    pub(crate) fn new(issuer: &str, keys: Vec<Arc<IdpKey>>, now: Timestamp, id: u64) -> Self {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), issuer.into());
        claims.insert("sub".to_owned(), "user".into());
        claims.insert("client_id".to_owned(), "client".into());
        claims.insert("jti".to_owned(), format!("token-{id}").into());
        let builder = Self {
            header: Map::new(),
            claims,
            keys,
            signer: Signer::Newest,
            now,
        };
        builder
            .typ("at+jwt")
            .issued_at(now)
            .expires_in(Duration::from_secs(300))
    }

    /// `iss`.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// `sub`.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// `aud`: one text, or a `Vec` of them.
    pub fn audience(self, audience: impl Into<Value>) -> Self {
        self.claim("aud", audience)
    }

    /// `client_id`.
    pub fn client_id(self, id: &str) -> Self {
        self.claim("client_id", id)
    }

    /// `scope`, separated by spaces.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// `exp`, counted from the provider's clock now.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        let at = self.now.saturating_add(lifetime);
        self.expires_at(at)
    }

    /// `exp`.
    pub fn expires_at(self, at: Timestamp) -> Self {
        self.claim("exp", at.as_secs())
    }

    /// `iat`.
    pub fn issued_at(self, at: Timestamp) -> Self {
        self.claim("iat", at.as_secs())
    }

    /// `nbf`.
    pub fn not_before(self, at: Timestamp) -> Self {
        self.claim("nbf", at.as_secs())
    }

    /// A claim of any name and value; the last of a name stays.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    /// `typ` in the header.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// A header member of any name and value, `alg` and `kid` too: it says so and changes nothing
    /// about how the token is signed.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a header member out, `alg`, `kid` and `typ` too.
    pub fn without_header(self, name: &str) -> Self {
        self.header(name, Value::Null)
    }

    /// Signs with this algorithm, by the provider's newest key that fits it.
    pub fn alg(mut self, algorithm: Algorithm) -> Self {
        self.signer = Signer::Algorithm(algorithm);
        self
    }

    /// Signs with a key that is not the provider's. There is no `kid` unless a
    /// [`header`](Self::header) names one.
    pub fn signed_by(mut self, key: impl Into<Arc<SigningKey>>, algorithm: Algorithm) -> Self {
        self.signer = Signer::Foreign(key.into(), algorithm);
        self
    }

    /// The token in its compact form.
    ///
    /// # Panics
    /// When the provider has no key for the algorithm, or a foreign key does not fit it.
    #[expect(clippy::expect_used, reason = "it is the test that is wrong")]
    pub fn sign(self) -> String {
        let newest = |fits: &dyn Fn(&IdpKey) -> bool| {
            let key = self.keys.iter().rev().find(|key| fits(key));
            key.expect("the provider has a key for this algorithm")
        };
        let (key, algorithm, kid) = match &self.signer {
            Signer::Newest => {
                let key = newest(&|_| true);
                (&key.key, key.key.default_algorithm(), Some(&key.kid))
            }
            Signer::Algorithm(algorithm) => {
                let key = newest(&|key| algorithm.fits(key.key.kind()));
                (&key.key, *algorithm, Some(&key.kid))
            }
            Signer::Foreign(key, algorithm) => (&**key, *algorithm, None),
        };
        let mut header = Map::new();
        header.insert("alg".to_owned(), algorithm.as_str().into());
        if let Some(kid) = kid {
            header.insert("kid".to_owned(), kid.as_str().into());
        }
        header.extend(self.header);
        header.retain(|_, value| !value.is_null());
        let (header, claims) = (Value::Object(header), Value::Object(self.claims));
        sign_compact(&header, &claims, key, algorithm).expect("the key fits the algorithm")
    }
}
