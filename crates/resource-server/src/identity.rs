//! What a server behind learns of a caller, as something that it can check.

use std::fmt;
use std::time::Duration;

use portcullis_oauth::SecretString;

use crate::{AccessToken, Unavailable};

/// Signs a statement on who is calling, for a server behind that shall not have to trust the network
/// between: a JWT of `typ` `portcullis-identity+jwt`, with `iss`, `aud`, `sub`, `sub_id` (RFC 9493
/// section 3.2.4), `client_id`, `scope`, `roles`, `iat`, `exp` and `jti`.
///
/// It is no access token: nobody who follows RFC 9068 takes it for one.
pub trait IdentitySigner: fmt::Debug + Send + Sync + 'static {
    /// The statement, signed anew.
    ///
    /// # Errors
    /// [`Unavailable`] without a key. The request then goes no further.
    fn sign(&self, caller: &Caller<'_>) -> Result<SignedIdentity, Unavailable>;
}

/// Who is calling, and who is told.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Caller<'a> {
    /// What the caller presented.
    pub token: &'a AccessToken,
    /// The roles in it.
    pub roles: &'a [&'a str],
    /// Who may believe it (`aud`).
    pub audience: &'a str,
}

impl<'a> Caller<'a> {
    /// The caller with this token, for that audience.
    pub fn new(token: &'a AccessToken, roles: &'a [&'a str], audience: &'a str) -> Self {
        Self {
            token,
            roles,
            audience,
        }
    }
}

/// A statement on who is calling. Whoever has it can pass for the caller, at its audience, until it
/// ends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedIdentity {
    /// The compact JWS.
    pub jwt: SecretString,
    /// How long it lasts.
    pub lifetime: Duration,
}

impl SignedIdentity {
    /// This JWT, which lasts so long from now on.
    pub fn new(jwt: impl Into<SecretString>, lifetime: Duration) -> Self {
        Self {
            jwt: jwt.into(),
            lifetime,
        }
    }
}
