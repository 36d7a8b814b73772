//! Accounts as they are kept, and as they are shown.

use std::borrow::Cow;
use std::fmt;

use portcullis_oauth::{ScopeSet, Subject, Timestamp};
use portcullis_store::{Collection, Record};
use serde::{Deserialize, Serialize};

use super::AccountError;
use crate::users::User;

/// The name of an account: 1 to 64 ASCII letters, digits and `.`, `_`, `-`, `+`, `@`, a letter or
/// digit first. It is shown as it was written; upper and lower case are the same name.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

/// A text that cannot name an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 64 letters, digits and `.`, `_`, `-`, `+`, `@`, none of them beyond ASCII, and \
     begins with a letter or digit"
)]
#[non_exhaustive]
pub struct InvalidAccountName;

impl AccountName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidAccountName`]
    pub fn parse(text: &str) -> Result<Self, InvalidAccountName> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-+@".contains(&c);
        let first = text.bytes().next().ok_or(InvalidAccountName)?;
        let good = first.is_ascii_alphanumeric() && text.len() <= 64 && text.bytes().all(allowed);
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccountName)
        }
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one spelling by which it is found.
    pub(super) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for AccountName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AccountName {}

impl TryFrom<String> for AccountName {
    type Error = InvalidAccountName;

    fn try_from(text: String) -> Result<Self, InvalidAccountName> {
        Self::parse(&text)
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// An account, without its password.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// What identifies the user for ever.
    pub subject: String,
    /// What the user types.
    pub name: AccountName,
    /// What pages call the user, where that is something else.
    pub display_name: Option<String>,
    /// The claim `role`.
    pub role: Option<String>,
    /// The scopes that the user can be granted; nothing if all.
    pub scopes: Option<ScopeSet>,
    /// Whether nobody can log in with it.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got the password that it has.
    pub password_changed_at: Timestamp,
    /// When its user logged in last, to a minute.
    pub last_login_at: Option<Timestamp>,
}

/// An account, as it is kept: by its subject.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AccountRecord {
    pub(super) subject: String,
    pub(super) name: AccountName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scopes: Option<ScopeSet>,
    pub(super) disabled: bool,
    pub(super) generation: u64,
    /// As PHC writes it: algorithm, costs, salt and hash.
    pub(super) password: String,
    pub(super) created_at: i64,
    pub(super) password_changed_at: i64,
    /// Kept here by earlier versions; [`LoginRecord`] has it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_login_at: Option<i64>,
}

impl AccountRecord {
    /// What identifies the user. It was written by us, so it is one.
    pub(super) fn subject(&self) -> Option<Subject> {
        Subject::parse(&self.subject).ok()
    }

    /// The account, whose last login is noted apart.
    pub(super) fn account(&self, login: Option<&LoginRecord>) -> Account {
        let last = login.map(|login| login.at).max(self.last_login_at);
        Account {
            subject: self.subject.clone(),
            name: self.name.clone(),
            display_name: self.display_name.clone(),
            role: self.role.clone(),
            scopes: self.scopes.clone(),
            disabled: self.disabled,
            created_at: Timestamp::from_secs(self.created_at),
            password_changed_at: Timestamp::from_secs(self.password_changed_at),
            last_login_at: last.map(Timestamp::from_secs),
        }
    }

    /// Whether its user could do something before that these rights do not allow.
    pub(super) fn loses_by(&self, role: Option<&str>, scopes: Option<&ScopeSet>) -> bool {
        let loses_role = self.role.is_some() && self.role.as_deref() != role;
        let loses_scope = match (&self.scopes, scopes) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => !before.is_subset(after),
        };
        loses_role || loses_scope
    }

    pub(super) fn user(&self) -> Option<User> {
        let shown = self.display_name.as_deref();
        let mut user = User::new(self.subject()?)
            .name(shown.unwrap_or(self.name.as_str()))
            .generation(self.generation);
        if let Some(role) = &self.role {
            user = user.claim("role", role.as_str());
        }
        user.scopes.clone_from(&self.scopes);
        Some(user)
    }
}

impl Record for AccountRecord {
    const COLLECTION: Collection = Collection::new("account");

    fn key(&self) -> Cow<'_, [u8]> {
        self.subject.as_bytes().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// When a user logged in last. It is apart from the account, so that no login stands in the way of a
/// change of the account.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LoginRecord {
    pub(super) subject: String,
    pub(super) at: i64,
}

impl Record for LoginRecord {
    const COLLECTION: Collection = Collection::new("account_login");

    fn key(&self) -> Cow<'_, [u8]> {
        self.subject.as_bytes().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Whose a name is. It cannot belong to the family of its user, whose end it outlives.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct NameRecord {
    pub(super) name: String,
    pub(super) subject: String,
}

impl NameRecord {
    pub(super) fn of(account: &AccountRecord) -> Self {
        Self {
            name: account.name.folded(),
            subject: account.subject.clone(),
        }
    }
}

impl Record for NameRecord {
    const COLLECTION: Collection = Collection::new("account_name");

    fn key(&self) -> Cow<'_, [u8]> {
        self.name.as_bytes().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Refuses what would spoil a page or a line of a log.
pub(super) fn check_text(what: &'static str, text: Option<&str>) -> Result<(), AccountError> {
    let Some(text) = text else {
        return Ok(());
    };
    // A subject has the same grammar: no line breaks, no controls, nothing that turns text around.
    if Subject::parse(text).is_err() || text.chars().count() > 64 || text.trim() != text {
        return Err(AccountError::Text(what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::scopes;

    use super::*;

    #[test]
    fn a_name_is_ascii_in_any_case() {
        for good in ["a", "Alice", "alice@example.com", "a.b_c-d+e", "0"] {
            assert_eq!(AccountName::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(65);
        for bad in [
            "",
            "@a",
            ".a",
            "a b",
            "a/b",
            "ä",
            "\u{430}lice",
            "a\n",
            &long,
        ] {
            assert_eq!(
                AccountName::parse(bad).err(),
                Some(InvalidAccountName),
                "{bad:?}"
            );
        }
        let (one, other) = (AccountName::parse("Alice"), AccountName::parse("aLICE"));
        assert_eq!(one, other);
        assert_eq!(one.unwrap().folded(), other.unwrap().folded());
    }

    #[test]
    fn less_than_before_is_a_loss() {
        let account = |role: Option<&str>, scopes: Option<ScopeSet>| AccountRecord {
            subject: "s".to_owned(),
            name: AccountName("a".to_owned()),
            display_name: None,
            role: role.map(str::to_owned),
            scopes,
            disabled: false,
            generation: 0,
            password: String::new(),
            created_at: 0,
            password_changed_at: 0,
            last_login_at: None,
        };
        let (read, both) = (scopes!["read"], scopes!["read", "write"]);
        for (before, after, loses) in [
            ((None, None), (None, None), false),
            ((None, None), (Some("admin"), None), false),
            ((Some("admin"), None), (Some("admin"), None), false),
            ((Some("admin"), None), (Some("user"), None), true),
            ((Some("admin"), None), (None, None), true),
            ((None, None), (None, Some(&both)), true),
            ((None, Some(&both)), (None, None), false),
            ((None, Some(&read)), (None, Some(&both)), false),
            ((None, Some(&both)), (None, Some(&read)), true),
        ] {
            let had = account(before.0, before.1.cloned());
            assert_eq!(
                had.loses_by(after.0, after.1),
                loses,
                "{before:?} {after:?}"
            );
        }
    }

    #[test]
    fn what_is_shown_stays_in_its_line() {
        assert!(check_text("role", None).is_ok());
        assert!(check_text("role", Some("Jürgen Groß")).is_ok());
        let long = "a".repeat(65);
        for bad in ["", " a", "a ", "a\nb", "\u{202e}nimda", "\0", &long] {
            assert!(check_text("role", Some(bad)).is_err(), "{bad:?}");
        }
    }
}
