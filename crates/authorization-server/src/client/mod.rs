//! Clients: who they are, where codes for them may go, and how they prove that it is they.
//!
//! # Where a client comes from
//!
//! | client | known by | may be sent codes to |
//! |---|---|---|
//! | of yours, by a [`ClientRegistry`] | your own database | what it says |
//! | configured, by a [`ConfiguredClient`] | the operator | what it says |
//! | with a metadata document | an `https` URL as its id, fetched under a [`DocumentPolicy`] | the document's URIs, below the [`RedirectCeiling`] |
//! | registered (RFC 7591), under a [`RegistrationPolicy`] | the store | the registered URIs, below the [`RedirectCeiling`] |
//!
//! They are asked in this order. Everything that users see of a client of the last two kinds is what
//! it says of itself.

mod assertion;
mod authentication;
mod ceiling;
mod clients;
mod configured;
mod credentials;
mod document;
mod enrolment;
mod event;
mod initial_token;
mod keys;
mod metadata;
mod profile;
mod record;
mod registration;
mod registrations;
mod registry;
mod remembered;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod usage;

use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::jwk::Jwk;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::{ClientId, EndpointUrl, ScopeSet};

use crate::framed::FramedDigest;

pub(crate) use self::authentication::{AuthenticatedClient, ClientAuthenticationError};
pub use self::ceiling::RedirectCeiling;
pub(crate) use self::clients::{Clients, ClientsParts};
pub use self::configured::ConfiguredClient;
pub(crate) use self::credentials::Presented;
pub use self::document::DocumentPolicy;
pub(crate) use self::record::ClientRecord;
pub use self::registration::RegistrationPolicy;
pub(crate) use self::registration::{RegisterError, Registration};
pub use self::registrations::{RegisteredClient, Registrations};
pub use self::registry::ClientRegistry;
pub(crate) use self::registry::SharedRegistry;
pub use self::secret::SecretDigest;
pub(crate) use self::settings::{CheckedClientSettings, ClientSettings};
pub(crate) use self::usage::Use;

/// A client as it is known now. Everything that users see of it is as it claims.
///
/// A [`ConfiguredClient`] makes one.
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
    /// The algorithm of its assertions, where it names one.
    pub assertion_algorithm: Option<Algorithm>,
    /// The digest of its secret, where it has one.
    pub secret: Option<SecretDigest>,
    /// Its public keys, where it has some.
    pub keys: Option<ClientKeys>,
    /// What it may offer for tokens.
    pub grant_types: Vec<GrantType>,
    /// The scopes that it registered. For a configured client this is a ceiling, for others a hint.
    pub scope: Option<ScopeSet>,
}

impl Client {
    /// A public client of that id which may do nothing yet.
    pub(crate) fn new(id: ClientId, origin: ClientOrigin) -> Self {
        Self {
            id,
            origin,
            name: None,
            uri: None,
            redirect_uris: Vec::new(),
            authentication: vec![AuthenticationMethod::None],
            assertion_algorithm: None,
            secret: None,
            keys: None,
            grant_types: Vec::new(),
            scope: None,
        }
    }

    /// Whether it may offer that for tokens.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// Whether it can keep a secret, and so proves who it is.
    pub fn is_confidential(&self) -> bool {
        !self.authentication.contains(&AuthenticationMethod::None)
    }

    /// A digest of all that a user decides upon. Another one than at consent asks for consent anew.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = FramedDigest::new();
        digest.text("portcullis client 1");
        digest.text(self.origin.as_str());
        digest.text(self.id.as_str());
        digest.optional(self.name.as_deref());
        digest.optional(self.uri.as_deref());
        digest.list(self.redirect_uris.iter().map(RedirectUri::as_str));
        digest.list(self.authentication.iter().map(|method| method.as_str()));
        digest.optional(self.assertion_algorithm.map(Algorithm::as_str));
        match &self.keys {
            None => digest.text("none"),
            Some(ClientKeys::At(url)) => digest.list([url.as_str()].into_iter()),
            Some(ClientKeys::Inline(keys)) => {
                let prints: Vec<String> = keys.keys().iter().map(Jwk::thumbprint).collect();
                digest.list(prints.iter().map(String::as_str));
            }
        }
        digest.list(self.grant_types.iter().map(|grant| grant.as_str()));
        digest.finish()
    }
}

/// How a client became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientOrigin {
    /// By configuration, or by a [`ClientRegistry`].
    Configured,
    /// By its client id metadata document.
    MetadataDocument,
    /// It registered itself (RFC 7591).
    Registered,
}

impl ClientOrigin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::MetadataDocument => "metadata document",
            Self::Registered => "registered",
        }
    }
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

    /// Whether it needs a secret that both sides know.
    pub const fn needs_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
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

/// A client's public keys (RFC 7591 section 2, `jwks` and `jwks_uri`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientKeys {
    /// In its metadata.
    Inline(JwkSet),
    /// At a URL, fetched by the guarded fetcher.
    At(EndpointUrl),
}
