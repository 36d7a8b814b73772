//! What an account begins with, and why there is none.

use portcullis_oauth::{EntropyError, ScopeSet, SecretString};
use portcullis_resource_server::Unavailable;
use portcullis_store::StoreError;

use super::{AccountName, WeakPassword};

/// What an account begins with.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewAccount {
    pub(super) name: AccountName,
    pub(super) password: SecretString,
    pub(super) display_name: Option<String>,
    pub(super) role: Option<String>,
    pub(super) scopes: Option<ScopeSet>,
}

impl NewAccount {
    /// An account without a role, whose user can be granted every scope.
    pub fn new(name: AccountName, password: SecretString) -> Self {
        Self {
            name,
            password,
            display_name: None,
            role: None,
            scopes: None,
        }
    }

    /// What pages call the user; the name unless set. 1 to 64 characters, none of which breaks or
    /// turns a line.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// The claim `role` of the user's tokens.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The scopes that the user can be granted, and no others.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

/// Why an account is not as it was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// There is an account of that name.
    #[error("there is an account of that name")]
    Taken,
    /// There is no account of that name.
    #[error("there is no account of that name")]
    Unknown,
    /// What pages would show, or the role, has characters that do not belong there, or too many.
    #[error("the {0} is empty, longer than 64 characters, or breaks or turns a line")]
    Text(&'static str),
    /// The password is not good enough.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// Somebody else changed the account at the same time.
    #[error("the account was changed meanwhile")]
    Raced,
    /// Nothing could be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password could not be hashed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}
