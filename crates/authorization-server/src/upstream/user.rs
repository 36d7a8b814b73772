//! What a provider says of its users, and where, as data.

use portcullis_oauth::ScopeSet;

use super::Upstream;

/// Where claims about the user are asked for.
#[derive(Clone, Debug)]
pub(super) struct UserInfo {
    pub(super) endpoint: String,
    /// A JSON document that is posted there; nothing: it is got.
    pub(super) query: Option<String>,
    /// Where in the answer the user is; nothing: the answer is the user.
    pub(super) at: Option<String>,
}

/// Where the names of a user's organisations are.
#[derive(Clone, Debug)]
pub(super) enum Organisations {
    Endpoint {
        url: String,
        at: String,
        needs: ScopeSet,
    },
    Claim(String),
}

/// How a provider tells whether an access token is good, and whose.
#[derive(Clone, Debug)]
pub(super) struct TokenCheck {
    pub(super) endpoint: String,
    /// Where in the answer our client id has to be.
    pub(super) client: String,
    /// Whether the token is posted by us as a client, or is itself what authenticates.
    pub(super) by_client: bool,
}

/// What it says of its users.
impl Upstream {
    /// Where claims about the user are (OpenID Connect Core section 5.3), or a provider's own endpoint
    /// of that kind, which answers the access token with a JSON object.
    pub fn userinfo_endpoint(mut self, url: impl Into<String>) -> Self {
        self.userinfo = Some(UserInfo {
            endpoint: url.into(),
            query: None,
            at: None,
        });
        self
    }

    /// As [`userinfo_endpoint`](Self::userinfo_endpoint), for an endpoint to which this JSON document
    /// is posted, and whose answer has the user at `at`: `/data/viewer`.
    pub fn userinfo_query(
        mut self,
        url: impl Into<String>,
        document: impl Into<String>,
        at: impl Into<String>,
    ) -> Self {
        self.userinfo = Some(UserInfo {
            endpoint: url.into(),
            query: Some(document.into()),
            at: Some(at.into()),
        });
        self
    }

    /// The claim that is the user's id, and never another's. A number is as good as a text. Default:
    /// `sub`.
    pub fn subject(mut self, claim: impl Into<String>) -> Self {
        self.subject = claim.into();
        self
    }

    /// The claims that name the user to people; the first that is there does. Default: `name`,
    /// `preferred_username`, `email`.
    pub fn display<S: Into<String>>(mut self, claims: impl IntoIterator<Item = S>) -> Self {
        self.display = claims.into_iter().map(Into::into).collect();
        self
    }

    /// Another name for a claim: `theirs` is also found as `ours`, where that is absent.
    pub fn claim_alias(mut self, ours: impl Into<String>, theirs: impl Into<String>) -> Self {
        self.claim_aliases.push((ours.into(), theirs.into()));
        self
    }

    /// The claim with the domain that manages the user's account (Google's `hd`), where the domain of an
    /// address says less.
    pub fn domain_claim(mut self, claim: impl Into<String>) -> Self {
        self.domain_claim = Some(claim.into());
        self
    }

    /// Where the names of a user's organisations are, all of them that count: an endpoint that answers
    /// the access token, where in the answer they stand (`/*/login`), and the scopes that open it. It is
    /// asked, and these scopes are sent, only where an allow-list wants to know.
    pub fn organisations(
        mut self,
        url: impl Into<String>,
        at: impl Into<String>,
        needs: ScopeSet,
    ) -> Self {
        self.organisations.push(Organisations::Endpoint {
            url: url.into(),
            at: at.into(),
            needs,
        });
        self
    }

    /// A claim with names of the user's organisations (`/orgs/*/name`), one or a list.
    pub fn organisations_claim(mut self, claim: impl Into<String>) -> Self {
        self.organisations.push(Organisations::Claim(claim.into()));
        self
    }

    /// An endpoint that answers the access token with all addresses of the user, each an object with
    /// `email`, `primary` and `verified`. It is asked only where an allow-list wants to know; the primary
    /// one becomes `email`, and `email_verified` says whether it is.
    pub fn verified_emails(mut self, url: impl Into<String>) -> Self {
        self.verified_emails = Some(url.into());
        self
    }

    /// An endpoint that tells whether an access token is still good, asked with that token, and where in
    /// its answer the client is to which the token was issued.
    pub fn token_check(mut self, url: impl Into<String>, client: impl Into<String>) -> Self {
        self.token_check = Some(TokenCheck {
            endpoint: url.into(),
            client: client.into(),
            by_client: false,
        });
        self
    }

    /// As [`token_check`](Self::token_check), for an endpoint to which this server posts
    /// `{"access_token": ".."}` under its own name and secret. It answers 404 for a token that ended.
    pub fn token_check_by_client(
        mut self,
        url: impl Into<String>,
        client: impl Into<String>,
    ) -> Self {
        self.token_check = Some(TokenCheck {
            endpoint: url.into(),
            client: client.into(),
            by_client: true,
        });
        self
    }
}
