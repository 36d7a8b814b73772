//! A complete OAuth 2.1 authorization server for MCP, inside the program that it protects or beside
//! it.

#![forbid(unsafe_code)]

pub mod client;
mod context;
mod csrf;
mod endpoint;
mod event;
pub mod grant;
mod interaction;
mod issuer;
pub mod keyring;
mod limits;
mod mint;
mod provider;
mod reseal;
mod resources;
mod session;
pub mod ui;
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
pub use crate::provider::{Introspection, OAuthProvider, OAuthProviderBuilder};
pub use crate::reseal::reseal;
pub use crate::users::{Accounts, Attempt, Authenticate, Authentication, User};
