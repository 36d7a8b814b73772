//! Users: who they are, and how they prove that it is they.

use std::fmt;
use std::future::Future;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{ScopeSet, SecretString, Subject};
use portcullis_resource_server::{ClientAddress, Unavailable};

/// A user who may log in now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct User {
    /// What identifies the user for ever; `sub` of tokens.
    pub subject: Subject,
    /// What pages call the user.
    pub name: String,
    /// Claims for access tokens, as `role`. None of them can replace a claim of the server's own.
    pub claims: Map<String, Value>,
    /// The scopes that the user can be granted; nothing if all.
    pub scopes: Option<ScopeSet>,
}

impl User {
    /// A user who can be granted every scope. The subject is also the name.
    pub fn new(subject: Subject) -> Self {
        Self {
            name: subject.as_str().to_owned(),
            subject,
            claims: Map::new(),
            scopes: None,
        }
    }

    /// Calls the user so on pages.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a claim.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Allows these scopes and no others.
    #[must_use]
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

/// What somebody typed into the login page.
#[non_exhaustive]
pub struct Attempt<'a> {
    /// The name, as it was typed.
    pub username: &'a str,
    /// The password.
    pub password: &'a SecretString,
    /// Where the request came from, if that is known.
    pub address: Option<ClientAddress>,
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

/// Your users. The server asks; what is behind it, is yours.
///
/// The server throttles attempts before it asks. What it cannot do for you: take the same time for an
/// unknown name as for a wrong password.
pub trait Authenticate: Send + Sync + 'static {
    /// The user who knows this password, or none.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said.
    fn authenticate(
        &self,
        attempt: &Attempt<'_>,
    ) -> impl Future<Output = Result<Option<User>, Unavailable>> + Send;

    /// The user as of now, without a password: asked at consent and at every refresh, so that whoever
    /// is removed or loses a role feels it. None for one who may not log in any more.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said.
    fn find(
        &self,
        subject: &Subject,
    ) -> impl Future<Output = Result<Option<User>, Unavailable>> + Send;
}
