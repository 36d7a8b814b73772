//! A complete OAuth 2.1 authorization server for MCP, inside the program that it protects or beside
//! it: users log in and consent on its pages, clients register or bring their metadata, and get
//! tokens that end with their grant.
//!
//! [`OAuthProvider`] is all of it as one value, which becomes an
//! [`Auth`](portcullis_resource_server::Auth): routes beside the protected service, and the verifier
//! in front of it. [`OAuthProxy`] is the same where users log in at an identity provider that does not
//! let MCP clients register themselves: Google, GitHub, Azure and others.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use axum::{Router, extract::Request, http::Response, body::Body};
//! use portcullis_authorization_server::OAuthProvider;
//! use portcullis_resource_server::{ConfigErrors, IntoAuth as _};
//! use portcullis_store::MemoryStore;
//! use tower::service_fn;
//!
//! fn app() -> Result<Router, ConfigErrors> {
//!     let provider = OAuthProvider::builder()
//!         .base_url("https://mcp.example.com")
//!         .store(MemoryStore::new()) // `DiskStore::open(folder).await?` outlives the process
//!         .scope_text("notes:read", "Read your notes")
//!         .build()?;
//!     let service = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(Body::empty())));
//!     Ok(provider.into_auth()?.protect("/mcp", service)?)
//! }
//! # app().unwrap();
//! ```
//!
//! | you want | look at |
//! |---|---|
//! | to say what it is and does | [`OAuthProviderBuilder`] |
//! | users of an identity provider | [`OAuthProxyBuilder`], [`Upstream`], [`AllowList`], [`ClaimsPassthrough`] |
//! | users: its own, or yours | [`Accounts`], [`Authenticate`] |
//! | clients: configured, by document, registered, yours | [`client`] |
//! | pages in your colours and languages | [`ui::Theme`], [`ui::Texts`] |
//! | to bound what strangers may ask for | [`RateLimits`] |
//! | to see what was granted, and take it back | [`Grants`], [`client::Registrations`] |
//! | keys that sign | [`Keyring`], and [`JwtIssuer`] for keys from a secret |
//! | resource servers that ask about tokens | [`Introspection`] |
//! | a token without a login, for tests | [`Mint`] |
//!
//! # What is served
//!
//! | path | what | by |
//! |---|---|---|
//! | `/.well-known/oauth-authorization-server`, `/.well-known/openid-configuration` | metadata | RFC 8414 |
//! | `/oauth/authorize`, `/oauth/login`, `/oauth/consent`, `/oauth/shown`, `/oauth/logout` | a login, as pages | RFC 6749, 7636, 8707, 9207 |
//! | `/oauth/callback`, in the place of `/oauth/login` | the way back from an identity provider | RFC 6749, 9207 |
//! | `/account` | *My connections*: what a user granted, and the way to take it back | |
//! | `/oauth/token` | `authorization_code`, `refresh_token`, `client_credentials` | RFC 6749 |
//! | `/oauth/register` | clients that register themselves | RFC 7591 |
//! | `/oauth/revoke`, `/oauth/introspect` | | RFC 7009, RFC 7662 |
//! | `/oauth/jwks` | public keys of tokens (RFC 9068) | RFC 7517 |
//!
//! # What it does not do
//!
//! It issues no ID tokens and is no login for other sites. It talks to nobody but to the hosts of
//! clients' documents and keys, not to those where [documents](DocumentPolicy::disabled) are off, and
//! to the identity provider, where there is one.
#![forbid(unsafe_code)]

pub mod client;
mod context;
mod csrf;
mod endpoint;
mod event;
mod family;
mod faults;
mod framed;
pub mod grant;
mod hidden;
mod identity;
mod interaction;
mod issuer;
pub mod keyring;
mod limits;
mod mint;
mod moment;
mod provider;
mod proxy;
mod reseal;
mod reserved;
mod resources;
mod retry;
mod serial;
mod session;
pub mod ui;
mod upstream;
pub mod users;

pub use crate::client::{
    Client, ClientRegistry, ConfiguredClient, DocumentPolicy, RedirectCeiling, RegistrationPolicy,
};
pub use crate::grant::{GrantFilter, GrantId, GrantInfo, Grants};
pub use crate::issuer::{DerivedKey, JwtIssuer, Unsigned};
pub use crate::keyring::{
    KeyAlgorithm, KeyInfo, KeyState, Keyring, KeyringError, KeyringSettings, Rotation,
    SigningSecret,
};
pub use crate::limits::RateLimits;
pub use crate::mint::{Mint, MintError};
pub use crate::provider::{Introspection, OAuthProvider, OAuthProviderBuilder, OperationError};
pub use crate::proxy::{
    AllowList, ClaimsPassthrough, DangerousOAuthProxyBuilder, OAuthProxy, OAuthProxyBuilder,
    auth_from_env,
};
pub use crate::reseal::reseal;
pub use crate::upstream::preset::{
    Auth0Proxy, AzureB2cProvider, AzureProvider, ClerkProvider, CognitoProvider, DiscordProvider,
    GitHubProvider, GitLabProvider, GoogleProvider, HuggingFaceProvider, KeycloakProxy,
    LinearProvider, OciProvider, OidcProxy, OktaProvider, SlackProvider, WorkOSProvider,
};
pub use crate::upstream::{
    ClientKey, RevokedTokens, TokenExchange, Upstream, UpstreamAuthentication,
};
pub use crate::users::{Accounts, Attempt, Authenticate, Authentication, User};
