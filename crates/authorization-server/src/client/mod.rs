//! Clients: who they are, where codes for them may go, and how they prove that it is they.

use std::fmt;
use std::future::Future;

use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::{ClientId, EndpointUrl, ScopeSet};
use portcullis_resource_server::Unavailable;

/// A client as it is known now. Everything that users see of it is as it claims.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// How it became known.
    pub origin: ClientOrigin,
    /// The name that it gives itself, for pages.
    pub name: Option<String>,
    /// Its home page, `https` alone.
    pub uri: Option<String>,
    /// Where codes for it may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it may authenticate; one of these, and nothing else (RFC 7591 section 2).
    pub authentication: Vec<AuthenticationMethod>,
    /// The digest of its secret, where it has one.
    pub secret: Option<SecretDigest>,
    /// Its public keys, where it has some.
    pub keys: Option<ClientKeys>,
    /// What it may offer for tokens.
    pub grant_types: Vec<GrantType>,
    /// The scopes that it registered. For a configured client this is a ceiling, for others a hint.
    pub scope: Option<ScopeSet>,
    /// A digest of all that a user decides upon: a change asks for consent anew.
    pub digest: [u8; 32],
}

/// How a client became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientOrigin {
    /// By configuration.
    Configured,
    /// By its client id metadata document.
    MetadataDocument,
    /// It registered itself (RFC 7591).
    Registered,
}

/// How a client authenticates at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticationMethod {
    /// Not at all: a public client.
    None,
    /// A secret in `Authorization: Basic` (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// A secret in the body.
    ClientSecretPost,
    /// An assertion, signed with a key of its own (RFC 7523).
    PrivateKeyJwt,
}

impl AuthenticationMethod {
    /// All that there are, in the order in which metadata lists them.
    pub const ALL: [Self; 4] = [
        Self::None,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// What a client may offer for tokens, as the wire names it. An open set: each grant is a file of
/// its own in [`grant`](crate::grant).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantType(&'static str);

impl GrantType {
    /// A code (RFC 6749 section 4.1).
    pub const AUTHORIZATION_CODE: Self = Self("authorization_code");
    /// A refresh token (RFC 6749 section 6).
    pub const REFRESH_TOKEN: Self = Self("refresh_token");
    /// The client's own credentials (RFC 6749 section 4.4).
    pub const CLIENT_CREDENTIALS: Self = Self("client_credentials");

    /// A grant type of that name.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A keyed digest of a client secret, by which the secret can be checked and not found.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest that was stored.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Its bytes, to be compared in constant time.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

/// A client's public keys (RFC 7591 section 2, `jwks` and `jwks_uri`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientKeys {
    /// In its metadata.
    Inline(JwkSet),
    /// At a URL, fetched by the guarded fetcher.
    At(EndpointUrl),
}

/// Where clients are looked up. The server has its own, of configured clients, metadata documents
/// and registrations; one of yours is asked before it.
pub trait ClientRegistry: Send + Sync + 'static {
    /// The client of that id, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said.
    fn find(
        &self,
        id: &ClientId,
    ) -> impl Future<Output = Result<Option<Client>, Unavailable>> + Send;
}
