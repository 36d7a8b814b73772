//! Trying things out: two users, and a server to be used by them.

mod demo;

use portcullis_authorization_server::users::{
    Attempt, Authenticate, Authentication, Persona, User,
};
use portcullis_oauth::{Scope, ScopeSet, Subject};
use portcullis_resource_server::Unavailable;

pub(crate) use self::demo::{scopes, server};

/// Two users, each of whom one click logs in.
#[derive(Debug, Clone)]
pub(crate) struct Personas([Known; 2]);

/// A user to try things out with. The name is the password.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) role: &'static str,
    pub(crate) scopes: ScopeSet,
}

impl Personas {
    /// `alice`, who may do everything, and `bob`, who may read. Nothing works without `required`,
    /// so both have it.
    pub(crate) fn new(all: &ScopeSet, required: &ScopeSet) -> Self {
        let known = |name, role, scopes| Known { name, role, scopes };
        Self([
            known("alice", "admin", all.union(required)),
            known("bob", "user", required.union(&readable(all))),
        ])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.0.iter()
    }

    fn named(&self, name: &str) -> Option<&Known> {
        self.iter().find(|known| known.name == name)
    }
}

impl Known {
    fn user(&self, subject: Subject) -> User {
        User::new(subject)
            .claim("role", self.role)
            .scopes(self.scopes.clone())
    }
}

impl Authenticate for Personas {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        let known = self.named(attempt.username);
        let known = known.filter(|known| attempt.password.ct_eq(known.name.as_bytes()));
        let subject = Subject::parse(attempt.username).ok();
        let user = known.zip(subject);
        Ok(user.map(|(known, subject)| known.user(subject)).into())
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        let known = self.named(subject.as_str());
        Ok(known.map(|known| known.user(subject.clone())))
    }

    fn personas(&self) -> Vec<Persona> {
        let all = self.iter();
        all.map(|known| Persona::new(known.name).role(known.role))
            .collect()
    }
}

fn readable(all: &ScopeSet) -> ScopeSet {
    let read = all.iter().filter(|scope| is_to_read(scope));
    read.cloned().collect()
}

/// `notes:read`, `read:notes`, `files.read`, `read`.
fn is_to_read(scope: &Scope) -> bool {
    scope
        .as_str()
        .split([':', '.', '/', '_', '-'])
        .any(|part| part == "read")
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::{SecretString, scopes};

    use super::*;

    #[test]
    fn alice_may_everything_and_bob_may_read() {
        let all = scopes!["notes:read", "notes:write", "read:files", "mcp", "spread"];
        let personas = Personas::new(&all, &scopes!["mcp"]);
        let [alice, bob] = &personas.0;
        assert_eq!(alice.scopes.len(), 5);
        assert_eq!(bob.scopes.to_string(), "mcp notes:read read:files");
        assert_eq!((alice.role, bob.role), ("admin", "user"));
    }

    #[tokio::test]
    async fn the_name_is_the_password() {
        let personas = Personas::new(&ScopeSet::new(), &ScopeSet::new());
        let log_in = async |name: &str, password: &str| {
            let password = SecretString::from(password);
            let attempt = Attempt::new(name, &password);
            match personas.authenticate(&attempt).await {
                Ok(Authentication::Complete(user)) => Some(user.subject.as_str().to_owned()),
                _ => None,
            }
        };
        assert_eq!(log_in("alice", "alice").await.as_deref(), Some("alice"));
        for (name, password) in [
            ("alice", "bob"),
            ("mallory", "mallory"),
            ("", ""),
            ("bob", ""),
        ] {
            assert_eq!(log_in(name, password).await, None, "{name}");
        }
        let nobody = Subject::parse("mallory").unwrap();
        assert!(personas.find(&nobody).await.unwrap().is_none());
    }
}
