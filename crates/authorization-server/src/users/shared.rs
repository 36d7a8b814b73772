//! Any user database, shared, and held to its word.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portcullis_oauth::Subject;
use portcullis_resource_server::Unavailable;

use super::{Attempt, Authenticate, Authentication, Persona, User};
use crate::session::Session;

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// [`Authenticate`] as a trait object.
trait ErasedUsers: Send + Sync {
    fn dyn_authenticate<'a>(
        &'a self,
        attempt: &'a Attempt<'a>,
    ) -> BoxFuture<'a, Result<Authentication, Unavailable>>;

    fn dyn_find<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<User>, Unavailable>>;

    fn dyn_personas(&self) -> Vec<Persona>;
}

impl<U: Authenticate> ErasedUsers for U {
    fn dyn_authenticate<'a>(
        &'a self,
        attempt: &'a Attempt<'a>,
    ) -> BoxFuture<'a, Result<Authentication, Unavailable>> {
        Box::pin(async move { Authenticate::authenticate(self, attempt).await })
    }

    fn dyn_find<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<User>, Unavailable>> {
        Box::pin(async move { Authenticate::find(self, subject).await })
    }

    fn dyn_personas(&self) -> Vec<Persona> {
        Authenticate::personas(self)
    }
}

/// The users of a server. An answer that does not come in time, or a panic, is no answer.
#[derive(Clone)]
pub(crate) struct SharedUsers(Arc<dyn ErasedUsers>);

impl SharedUsers {
    pub(crate) fn new(users: impl Authenticate) -> Self {
        Self(Arc::new(users))
    }

    /// Whose password this is.
    pub(crate) async fn authenticate(
        &self,
        attempt: &Attempt<'_>,
    ) -> Result<Authentication, Unavailable> {
        guarded(self.0.dyn_authenticate(attempt)).await
    }

    /// The user of that subject, if there is one who may log in.
    pub(crate) async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        let user = guarded(self.0.dyn_find(subject)).await?;
        // SECURITY: one user is never taken for another, whatever a database answers (CWE-287);
        // sec_az_16_a_database_that_answers_with_another_user_is_refused
        if user.as_ref().is_some_and(|user| user.subject != *subject) {
            tracing::error!("the user database was asked for one user and answered with another");
            return Err(Unavailable::new(
                "the user database answered with another user",
            ));
        }
        Ok(user)
    }

    /// The user of a session, if the user may log in and the login still counts.
    pub(crate) async fn of_session(&self, session: &Session) -> Result<Option<User>, Unavailable> {
        let user = self.find(&session.subject).await?;
        // SECURITY: a new password ends what began with the old one, also what began while it was
        // changed (RFC 9700 section 4.14.2); sec_rt_11_a_new_password_ends_sessions
        Ok(user.filter(|user| user.generation == session.generation))
    }

    /// Users whom one click logs in.
    pub(crate) fn personas(&self) -> Vec<Persona> {
        self.0.dyn_personas()
    }
}

impl fmt::Debug for SharedUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedUsers").finish_non_exhaustive()
    }
}

/// An answer, unless it panics or takes too long.
async fn guarded<T>(asking: BoxFuture<'_, Result<T, Unavailable>>) -> Result<T, Unavailable> {
    // SECURITY: no answer is no login (RFC 9700 section 4.16);
    // sec_az_16_a_database_that_panics_or_hangs_lets_nobody_in
    let caught = AssertUnwindSafe(asking).catch_unwind();
    match tokio::time::timeout(WITHIN, caught).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            tracing::error!("the user database panicked");
            Err(Unavailable::new("the user database panicked"))
        }
        Err(_) => {
            tracing::error!("the user database does not answer");
            Err(Unavailable::new("the user database does not answer"))
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::SecretString;

    use super::*;

    /// Does what the name asks for.
    struct Moody;

    fn user(subject: &str) -> User {
        User::new(Subject::parse(subject).unwrap())
    }

    impl Authenticate for Moody {
        async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
            match attempt.username {
                "panic" => panic!("as asked"),
                "hang" => std::future::pending().await,
                name => Ok(Authentication::Complete(user(name))),
            }
        }

        async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
            match subject.as_str() {
                "panic" => panic!("as asked"),
                "hang" => std::future::pending().await,
                "other" => Ok(Some(user("admin"))),
                "none" => Ok(None),
                name => Ok(Some(user(name))),
            }
        }
    }

    async fn found(subject: &str) -> Result<Option<User>, Unavailable> {
        let users = SharedUsers::new(Moody);
        users.find(&Subject::parse(subject).unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn sec_az_16_a_database_that_panics_or_hangs_lets_nobody_in() {
        let users = SharedUsers::new(Moody);
        let password = SecretString::from("a password");
        for name in ["panic", "hang"] {
            let attempt = Attempt::new(name, &password);
            let minute = std::time::Duration::from_secs(60);
            let answer = tokio::time::timeout(minute, users.authenticate(&attempt)).await;
            assert!(matches!(answer, Ok(Err(_))), "{name}");
            let answer = tokio::time::timeout(minute, found(name)).await;
            assert!(matches!(answer, Ok(Err(_))), "{name}");
        }
        let complete = users.authenticate(&Attempt::new("alice", &password)).await;
        assert!(matches!(complete, Ok(Authentication::Complete(_))));
    }

    #[tokio::test]
    async fn sec_az_16_a_database_that_answers_with_another_user_is_refused() {
        assert!(found("other").await.is_err());
        assert!(matches!(found("none").await, Ok(None)));
        assert!(matches!(found("alice").await, Ok(Some(_))));
    }
}
