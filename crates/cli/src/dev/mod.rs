//! Trying things out: two users, and a server to be used by them.

mod demo;

use portcullis::auth::{StaticToken, StaticTokenVerifier};
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::crypto::hex;
use portcullis_oauth::{Entropy, Scope, ScopeSet, SecretString};

pub(crate) use self::demo::{scopes, server};
use crate::config::problem;
use crate::report::{Failure, Problem};

/// Two users with fixed tokens, made anew at each start.
#[derive(Debug)]
pub(crate) struct Personas([Persona; 2]);

/// A user to try things out with.
#[derive(Debug)]
pub(crate) struct Persona {
    pub(crate) name: &'static str,
    pub(crate) role: &'static str,
    pub(crate) scopes: ScopeSet,
    pub(crate) token: SecretString,
}

impl Personas {
    /// `alice`, who may do everything, and `bob`, who may read. Nothing works without `required`,
    /// so both have it.
    pub(crate) fn new(all: &ScopeSet, required: &ScopeSet) -> Result<Self, Failure> {
        let persona = |name, role, scopes| {
            let token = token(name)?;
            Ok::<_, Failure>(Persona {
                name,
                role,
                scopes,
                token,
            })
        };
        Ok(Self([
            persona("alice", "admin", all.union(required))?,
            persona("bob", "user", required.union(&readable(all)))?,
        ]))
    }

    /// The same users, with their tokens, where other scopes are known.
    pub(crate) fn with_scopes(&self, all: &ScopeSet, required: &ScopeSet) -> Self {
        let [alice, bob] = &self.0;
        let with = |persona: &Persona, scopes| Persona {
            scopes,
            token: persona.token.clone(),
            ..*persona
        };
        Self([
            with(alice, all.union(required)),
            with(bob, required.union(&readable(all))),
        ])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Persona> {
        self.0.iter()
    }

    /// Who lets them in, and nobody else.
    pub(crate) fn verifier(&self) -> Result<StaticTokenVerifier, Failure> {
        let verifier = StaticTokenVerifier::builder().issuer("urn:portcullis:dev");
        let verifier = self.0.iter().fold(verifier, |verifier, persona| {
            let token = StaticToken::new(persona.name)
                .scopes(persona.scopes.clone())
                .claim("role", persona.role);
            verifier.token(persona.token.clone(), token)
        });
        verifier.build().map_err(problem)
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

fn token(name: &str) -> Result<SecretString, Failure> {
    let mut random = [0; 16];
    SystemEntropy::new().fill(&mut random).map_err(|error| {
        Failure::from(Problem::new("the system gives no random numbers").because(error))
    })?;
    Ok(format!("dev-{name}-{}", hex::encode(random)).into())
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::scopes;

    use super::*;

    #[test]
    fn alice_may_everything_and_bob_may_read() {
        let all = scopes!["notes:read", "notes:write", "read:files", "mcp", "spread"];
        let personas = Personas::new(&all, &scopes!["mcp"]).unwrap();
        let [alice, bob] = &personas.0;
        assert_eq!(alice.scopes.len(), 5);
        assert_eq!(bob.scopes.to_string(), "mcp notes:read read:files");
        assert_eq!((alice.role, bob.role), ("admin", "user"));
    }

    #[test]
    fn tokens_differ_from_start_to_start_and_are_not_shown() {
        let new = || Personas::new(&ScopeSet::new(), &ScopeSet::new()).unwrap();
        let (first, second) = (new(), new());
        for (a, b) in first.iter().zip(second.iter()) {
            assert_ne!(a.token.expose(), b.token.expose());
        }
        assert!(first.verifier().is_ok());
        assert!(!format!("{first:?}").contains("dev-alice-"));
    }
}
