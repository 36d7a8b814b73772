//! Users: who they are, and how they prove that it is they.
//!
//! [`Accounts`] is a user database of this server's own. Where you have one already, implement
//! [`Authenticate`] for it.

pub mod accounts;
mod shared;

use std::fmt;
use std::future::Future;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{ScopeSet, SecretString, Subject};
use portcullis_resource_server::{ClientAddress, Unavailable};

pub use self::accounts::Accounts;
pub(crate) use self::shared::SharedUsers;

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
    /// How often the user's logins were made void, by a new password for example. Sessions and grants
    /// remember the number that they began with, and end when it is another one. 0 unless set.
    pub generation: u64,
    /// What an identity provider granted at this login: a bound of the grant, while another login may
    /// bring more.
    pub(crate) granted: Option<ScopeSet>,
}

impl User {
    /// A user who can be granted every scope. The subject is also the name.
    pub fn new(subject: Subject) -> Self {
        Self {
            name: subject.as_str().to_owned(),
            subject,
            claims: Map::new(),
            scopes: None,
            generation: 0,
            granted: None,
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

    /// Says how often the user's logins were made void: whatever began under another number ends.
    #[must_use]
    pub fn generation(mut self, generation: u64) -> Self {
        self.generation = generation;
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

impl<'a> Attempt<'a> {
    /// An attempt from nowhere in particular.
    pub const fn new(username: &'a str, password: &'a SecretString) -> Self {
        Self {
            username,
            password,
            address: None,
        }
    }

    /// Says where it came from.
    #[must_use]
    pub const fn from_address(mut self, address: Option<ClientAddress>) -> Self {
        self.address = address;
        self
    }
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

/// What became of an attempt to log in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Authentication {
    /// It is this user, who has shown all that a login takes.
    Complete(User),
    /// The name or the password is wrong, or the user may not log in. Nobody is told which.
    Refused,
}

/// `Ok(database.user(..).await?.into())`: nobody is refused.
impl From<Option<User>> for Authentication {
    fn from(user: Option<User>) -> Self {
        user.map_or(Self::Refused, Self::Complete)
    }
}

/// A user whom one click on the login page logs in, for a demonstration on one's own machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Persona {
    /// The name, which is the password too.
    pub name: String,
    /// What the user is there.
    pub role: Option<String>,
}

impl Persona {
    /// A user of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role: None,
        }
    }

    /// Says what the user is.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }
}

/// Your users. The server asks; what is behind it, is yours.
///
/// The server throttles attempts before it asks. What it cannot do for you: take the same time for an
/// unknown name as for a wrong password.
///
/// It waits ten seconds, then the login fails as it does for [`Unavailable`]; so it does when you
/// panic.
///
/// ```
/// use portcullis_authorization_server::users::{Attempt, Authenticate, Authentication, User};
/// use portcullis_oauth::Subject;
/// use portcullis_resource_server::Unavailable;
///
/// struct Doorkeeper;
///
/// impl Authenticate for Doorkeeper {
///     async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
///         if attempt.username == "ali" && attempt.password.ct_eq(b"open sesame, and make it long") {
///             let subject = Subject::parse("user-1").map_err(|_| Unavailable::new("no subject"))?;
///             return Ok(Authentication::Complete(User::new(subject).name("Ali Baba")));
///         }
///         Ok(Authentication::Refused)
///     }
///
///     async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
///         let known = subject.as_str() == "user-1";
///         Ok(known.then(|| User::new(subject.clone()).name("Ali Baba")))
///     }
/// }
/// ```
pub trait Authenticate: Send + Sync + 'static {
    /// Whose password this is.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said.
    fn authenticate(
        &self,
        attempt: &Attempt<'_>,
    ) -> impl Future<Output = Result<Authentication, Unavailable>> + Send;

    /// The user as of now, without a password: asked at consent and at every refresh, so that whoever
    /// is removed or loses a role feels it. None for one who may not log in any more.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said.
    fn find(
        &self,
        subject: &Subject,
    ) -> impl Future<Output = Result<Option<User>, Unavailable>> + Send;

    /// Users whom one click logs in. Everybody who sees the login page can be any of them.
    #[doc(hidden)]
    fn personas(&self) -> Vec<Persona> {
        Vec::new()
    }
}
