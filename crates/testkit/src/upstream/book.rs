//! What the provider knows.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{CodeChallenge, Timestamp};

use super::client::ClientProof;
use super::fault::Faults;

/// What answers at a path, by the claims of a user.
pub(super) type Api = Arc<dyn Fn(&Map<String, Value>) -> Value + Send + Sync>;

pub(super) struct Book {
    pub(super) rules: Rules,
    pub(super) users: BTreeMap<String, Map<String, Value>>,
    pub(super) apis: BTreeMap<String, Api>,
    pub(super) faults: Faults,
    pub(super) given: Vec<String>,
    /// Whose grants ended because a refresh token came again.
    pub(super) reused: Vec<String>,
    codes: HashMap<String, Code>,
    grants: Vec<Grant>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

/// What the provider does.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that a provider does or not, whatever the others are"
)]
pub(super) struct Rules {
    pub(super) client_id: String,
    pub(super) proof: ClientProof,
    pub(super) redirect_uri: Option<String>,
    pub(super) lifetime: Duration,
    pub(super) jwt_access_tokens: bool,
    pub(super) refresh_tokens: bool,
    pub(super) rotates: bool,
    pub(super) pkce: bool,
    pub(super) openid: bool,
    pub(super) revocation_ends_all: bool,
}

impl Rules {
    /// Whether an ID token is asked for.
    pub(super) fn is_openid(&self, scope: &str) -> bool {
        self.openid && scope.split([' ', ',']).any(|scope| scope == "openid")
    }
}

#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<CodeChallenge>,
    pub(super) expires_at: Timestamp,
    pub(super) grant: usize,
    spent: bool,
}

/// What a user has agreed to.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) user: String,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    ended: bool,
}

#[derive(Debug)]
struct Access {
    grant: usize,
    expires_at: Timestamp,
}

#[derive(Debug)]
struct Refresh {
    grant: usize,
    spent: bool,
}

impl Book {
    pub(super) fn new() -> Self {
        let mut apis: BTreeMap<String, Api> = BTreeMap::new();
        apis.insert(
            "/userinfo".to_owned(),
            Arc::new(|claims| Value::Object(claims.clone())),
        );
        Self {
            rules: Rules {
                client_id: "proxy".to_owned(),
                proof: ClientProof::default(),
                redirect_uri: None,
                lifetime: Duration::from_secs(3600),
                jwt_access_tokens: false,
                refresh_tokens: true,
                rotates: false,
                pkce: true,
                openid: true,
                revocation_ends_all: false,
            },
            users: BTreeMap::new(),
            apis,
            faults: Faults::default(),
            given: Vec::new(),
            reused: Vec::new(),
            codes: HashMap::new(),
            grants: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
        }
    }

    /// A text that was never drawn before, and that a search finds.
    pub(super) fn draw(&mut self, kind: &str, port: u16) -> String {
        let drawn = format!("up-{kind}-{port}-{}-c4n4ry", self.given.len());
        self.given.push(drawn.clone());
        drawn
    }

    pub(super) fn grant(&mut self, user: &str, scope: &str, nonce: Option<&str>) -> usize {
        self.grants.push(Grant {
            user: user.to_owned(),
            scope: scope.to_owned(),
            nonce: nonce.map(ToOwned::to_owned),
            ended: false,
        });
        self.grants.len() - 1
    }

    pub(super) fn add_code(
        &mut self,
        text: &str,
        redirect_uri: &str,
        challenge: Option<CodeChallenge>,
        (grant, expires_at): (usize, Timestamp),
    ) {
        let code = Code {
            redirect_uri: redirect_uri.to_owned(),
            challenge,
            expires_at,
            grant,
            spent: false,
        };
        self.codes.insert(text.to_owned(), code);
    }

    pub(super) fn code(&self, text: &str) -> Option<&Code> {
        self.codes.get(text)
    }

    /// Whether it is the first who spends the code. A second one ends the grant (RFC 6749
    /// section 4.1.2).
    pub(super) fn spend_code(&mut self, text: &str) -> bool {
        let Some(code) = self.codes.get_mut(text) else {
            return false;
        };
        let (grant, first) = (code.grant, !code.spent);
        code.spent = true;
        if !first {
            self.end_grant(grant);
        }
        first
    }

    pub(super) fn add_access(&mut self, text: &str, grant: usize, expires_at: Timestamp) {
        let access = Access { grant, expires_at };
        self.access.insert(text.to_owned(), access);
    }

    pub(super) fn add_refresh(&mut self, text: &str, grant: usize) {
        let spent = false;
        self.refresh
            .insert(text.to_owned(), Refresh { grant, spent });
    }

    /// The grant of a refresh token that is good, which it spends where tokens rotate.
    pub(super) fn spend_refresh(&mut self, text: &str) -> Option<usize> {
        let rotates = self.rules.rotates;
        let refresh = self.refresh.get_mut(text)?;
        let (grant, spent) = (refresh.grant, refresh.spent);
        refresh.spent = rotates;
        if spent {
            let user = self.live(grant).map(|grant| grant.user.clone());
            self.reused.extend(user);
            self.end_grant(grant);
        }
        self.live(grant).map(|_| grant)
    }

    /// The claims of the user whose access token this is, while it is good.
    pub(super) fn claims_of(&self, access: &str, now: Timestamp) -> Option<&Map<String, Value>> {
        let access = self.access.get(access)?;
        let grant = self.live(access.grant)?;
        self.users
            .get(&grant.user)
            .filter(|_| now < access.expires_at)
    }

    pub(super) fn live(&self, grant: usize) -> Option<&Grant> {
        self.grants.get(grant).filter(|grant| !grant.ended)
    }

    pub(super) fn live_grants(&self) -> usize {
        self.grants.iter().filter(|grant| !grant.ended).count()
    }

    /// Ends the grant of a token of either kind, or all of its user. Whether there was one.
    pub(super) fn revoke(&mut self, token: &str, all: bool) -> bool {
        let access = self.access.get(token).map(|access| access.grant);
        let refresh = self.refresh.get(token).map(|refresh| refresh.grant);
        let Some(number) = access.or(refresh) else {
            return false;
        };
        let Some(user) = self.live(number).map(|grant| grant.user.clone()) else {
            return false;
        };
        if all || self.rules.revocation_ends_all {
            self.end(|grant| grant.user == user);
        } else {
            self.end_grant(number);
        }
        true
    }

    /// The grant of an access token, while both are good.
    pub(super) fn grant_of(&self, access: &str, now: Timestamp) -> Option<usize> {
        let access = self.access.get(access)?;
        let grant = self.live(access.grant).map(|_| access.grant);
        grant.filter(|_| now < access.expires_at)
    }

    pub(super) fn end(&mut self, which: impl Fn(&Grant) -> bool) {
        for grant in self.grants.iter_mut().filter(|grant| which(grant)) {
            grant.ended = true;
        }
    }

    fn end_grant(&mut self, grant: usize) {
        if let Some(grant) = self.grants.get_mut(grant) {
            grant.ended = true;
        }
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("rules", &self.rules)
            .field("users", &self.users.keys())
            .finish_non_exhaustive()
    }
}
