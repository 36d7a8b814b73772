//! Who may come, of all that an identity provider lets in.
//!
//! # Rules
//!
//! * One list that has the user is enough. With no list nobody may come, and that everybody may has
//!   to be said.
//! * An e-mail address counts where the same statement says that it is verified, as `true` or, as
//!   Amazon Cognito and Apple write it, `"true"`.
//! * A domain is that of a verified address, unless the provider has a claim for the domain that
//!   manages the account (Google's `hd`): then only that one counts.
//! * Addresses, domains, organisations and tenants are the same in capitals. Groups are not: a
//!   provider can have both spellings.

use std::fmt;

use futures_util::future::BoxFuture;
use portcullis_oauth::json::{Map, Value};
use portcullis_resource_server::{AccessToken, ConfigError, GrantStatus, Unavailable};

use crate::upstream::{Evidence, Wants};

/// Who may come, of all that the identity provider lets in. Whoever is on one of the lists may.
///
/// At a provider where anybody can have an account, this is what keeps strangers out.
///
/// ```
/// use portcullis_authorization_server::AllowList;
///
/// let staff = AllowList::new()
///     .domains(["example.com"])
///     .emails(["auditor@partner.example"]);
/// # let _ = staff;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AllowList {
    is_open: bool,
    domains: Vec<String>,
    emails: Vec<String>,
    organisations: Vec<String>,
    groups: Vec<String>,
    tenants: Vec<String>,
}

impl AllowList {
    /// Everybody who has an account at the provider.
    pub fn anyone() -> Self {
        Self {
            is_open: true,
            ..Self::new()
        }
    }

    /// Nobody, until a list names somebody.
    pub fn new() -> Self {
        Self {
            is_open: false,
            domains: Vec::new(),
            emails: Vec::new(),
            organisations: Vec::new(),
            groups: Vec::new(),
            tenants: Vec::new(),
        }
    }

    /// Everybody of these domains, as `example.com`; its subdomains are others. It is the domain of a
    /// verified e-mail address; at Google it is the organisation's (`hd`), which accounts that
    /// somebody made with an address of that domain do not have.
    pub fn domains(mut self, domains: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.domains = domains.into_iter().map(Into::into).collect();
        self
    }

    /// Whoever has one of these e-mail addresses, verified by the provider.
    pub fn emails(mut self, emails: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.emails = emails.into_iter().map(Into::into).collect();
        self
    }

    /// Members of these organisations: names at GitHub, identifiers (`org_id`) elsewhere.
    pub fn organisations(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.organisations = names.into_iter().map(Into::into).collect();
        self
    }

    /// Members of these groups (`groups`), spelled as the provider spells them.
    pub fn groups(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.groups = names.into_iter().map(Into::into).collect();
        self
    }

    /// Everybody of these Microsoft tenants (`tid`).
    pub fn tenants(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tenants = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Whether it lets nobody in.
    pub fn is_empty(&self) -> bool {
        !self.is_open && self.lists().into_iter().all(|(_, list)| list.is_empty())
    }

    /// Whether it lets in whoever a verified token says these claims of.
    ///
    /// ```
    /// use portcullis_authorization_server::AllowList;
    /// use portcullis_resource_server::{AccessToken, TokenParts};
    ///
    /// let token = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
    /// assert!(!AllowList::new().groups(["staff"]).admits_claims(token.claims()));
    /// ```
    pub fn admits_claims(&self, claims: &Map<String, Value>) -> bool {
        self.admits(&Standing::of_claims([claims], None))
    }

    /// Whether it lets in somebody of this standing.
    pub(crate) fn admits(&self, standing: &Standing) -> bool {
        let Standing {
            emails,
            domains,
            organisations,
            groups,
            tenants,
        } = standing;
        let same = |listed: &[String], said: &[String]| {
            said.iter()
                .any(|said| listed.iter().any(|one| one.eq_ignore_ascii_case(said)))
        };
        self.is_open
            || same(&self.domains, domains)
            || same(&self.emails, emails)
            || same(&self.organisations, organisations)
            || groups.iter().any(|said| self.groups.contains(said))
            || same(&self.tenants, tenants)
    }

    /// What has to be known of users.
    pub(crate) fn wants(&self) -> Wants {
        let is_asked = |list: &[String]| !self.is_open && !list.is_empty();
        let of_profile = [&self.domains, &self.emails, &self.groups, &self.tenants];
        Wants {
            profile: of_profile.into_iter().any(|list| is_asked(list)),
            email: is_asked(&self.domains) || is_asked(&self.emails),
            organisations: is_asked(&self.organisations),
        }
    }

    /// What is wrong with these lists.
    pub(crate) fn faults(&self) -> Vec<ConfigError> {
        let error = |fault: &str| ConfigError::new("allow", fault.to_owned());
        if self.is_empty() {
            let hint = "name domains, emails, organisations, groups or tenants";
            return vec![error("lets nobody in: all its lists are empty").with_hint(hint)];
        }
        let mut faults = Vec::new();
        if self.is_open && self.lists().into_iter().any(|(_, list)| !list.is_empty()) {
            faults.push(error("lets everybody in, and has lists"));
        }
        let is_blank = |entry: &String| entry.trim() != entry || entry.is_empty();
        for (name, list) in self.lists() {
            if list.iter().any(is_blank) {
                let fault =
                    format!("has an entry in `{name}` that is empty, or has spaces around it");
                faults.push(error(&fault));
            }
        }
        let mut domains = self.domains.iter().filter(|entry| !is_blank(entry));
        let mut emails = self.emails.iter().filter(|entry| !is_blank(entry));
        if domains
            .clone()
            .any(|domain| domain.contains(['@', '*', '/']))
        {
            let hint = "write each as `example.com`; subdomains are domains of their own";
            faults.push(error("has an entry in `domains` that is no domain").with_hint(hint));
        } else if domains.any(|domain| !domain.contains('.')) {
            let hint =
                "write each as `example.com`; organisations and groups have lists of their own";
            faults.push(error("has an entry in `domains` without a dot").with_hint(hint));
        }
        if emails.any(|email| domain_of(email).is_none()) {
            let fault = "has an entry in `emails` that is no address";
            faults.push(error(fault).with_hint("a whole domain goes into `domains`"));
        }
        faults
    }

    fn lists(&self) -> [(&'static str, &[String]); 5] {
        [
            ("domains", &self.domains),
            ("emails", &self.emails),
            ("organisations", &self.organisations),
            ("groups", &self.groups),
            ("tenants", &self.tenants),
        ]
    }
}

/// [Everybody](AllowList::anyone), as where nothing is said.
impl Default for AllowList {
    fn default() -> Self {
        Self::anyone()
    }
}

/// Tokens of others, judged on every request by what they say.
impl GrantStatus for AllowList {
    fn known(&self, token: &AccessToken) -> Option<bool> {
        Some(self.admits_claims(token.claims()))
    }

    fn ask<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        Box::pin(async { Ok(self.admits_claims(token.claims())) })
    }
}

/// What a provider says of a user that an [`AllowList`] can be asked about.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    emails: Vec<String>,
    domains: Vec<String>,
    organisations: Vec<String>,
    groups: Vec<String>,
    tenants: Vec<String>,
}

/// Entries of each kind that are kept, and bytes of one.
const MAX_ENTRIES: usize = 500;
const MAX_ENTRY: usize = 256;

impl Standing {
    /// What the provider says. `domain_claim` names the domain that manages the account, where the
    /// provider has such a claim.
    pub(crate) fn of(evidence: &Evidence, domain_claim: Option<&str>) -> Self {
        let sources = [
            &evidence.id_token,
            &evidence.profile,
            &evidence.access_token,
        ];
        let mut standing = Self::of_claims(sources, domain_claim);
        keep(&mut standing.organisations, &evidence.organisations);
        standing
    }

    fn of_claims<'a>(
        sources: impl IntoIterator<Item = &'a Map<String, Value>>,
        domain_claim: Option<&str>,
    ) -> Self {
        let mut standing = Self::default();
        for claims in sources {
            let email = verified_email(claims);
            keep(&mut standing.emails, email);
            match domain_claim {
                // SECURITY: anybody can make an account with an address of a domain that is not
                // theirs to manage, and keep it when the address is gone;
                // sec_px_10_an_address_is_not_the_domain_that_manages_the_account
                Some(claim) => keep(&mut standing.domains, texts(claims, claim)),
                None => keep(&mut standing.domains, email.and_then(domain_of)),
            }
            keep(&mut standing.organisations, texts(claims, "org_id"));
            keep(&mut standing.groups, texts(claims, "groups"));
            keep(&mut standing.tenants, texts(claims, "tid"));
        }
        standing
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is about a person.
        f.debug_struct("Standing").finish_non_exhaustive()
    }
}

/// The address that the provider has verified; any other may be somebody else's.
fn verified_email(claims: &Map<String, Value>) -> Option<&str> {
    // SECURITY: whoever may type an address at the provider may type anybody's (OpenID Connect Core
    // section 5.7); sec_px_09_an_address_counts_only_when_it_is_verified
    let is_verified = match claims.get("email_verified")? {
        Value::Bool(is_verified) => *is_verified,
        Value::String(text) => text == "true",
        _ => false,
    };
    let email = claims.get("email")?.as_str()?;
    (is_verified && domain_of(email).is_some()).then_some(email)
}

/// The domain of an address of one line, without quotes or comments.
fn domain_of(email: &str) -> Option<&str> {
    let (name, domain) = email.split_once('@')?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "@\"(),:;<>[\\]".contains(c);
    let is_good = |part: &str| !part.is_empty() && !part.contains(is_odd);
    (is_good(name) && is_good(domain)).then_some(domain)
}

/// The texts of a claim: itself, or those of its list.
fn texts<'c>(claims: &'c Map<String, Value>, name: &str) -> impl Iterator<Item = &'c str> {
    let value = claims.get(name);
    let one = value.and_then(Value::as_str);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}

/// Adds what is new, as far as there is room.
fn keep(kept: &mut Vec<String>, said: impl IntoIterator<Item = impl AsRef<str>>) {
    for text in said {
        let text = text.as_ref();
        let fits = (1..=MAX_ENTRY).contains(&text.len()) && kept.len() < MAX_ENTRIES;
        if fits && !kept.iter().any(|known| known == text) {
            kept.push(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
