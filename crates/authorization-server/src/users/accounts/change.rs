//! Changes of an account that is there.
//!
//! Each is decided anew on what is read, as long as the account's generation is the one that it
//! began with: logins beside it do not keep it from being written.

use portcullis_oauth::{ScopeSet, SecretString};
use portcullis_store::{Committed, Family, StoreError, Stored};

use super::record::{self, AccountRecord, LoginRecord, NameRecord};
use super::{AccountError, AccountName, Accounts};
use crate::family;

/// How often something else may be written between a look and its change.
const TRIES: usize = 8;

/// What an account becomes.
pub(super) enum Next {
    /// It is what it should be.
    Same,
    /// This, which its user feels with the next token.
    Quietly(AccountRecord),
    /// This; all sessions and grants of its user end.
    Anew(AccountRecord),
    /// Nothing; so does all that its user has.
    Gone,
}

impl Accounts {
    /// Gives an account another password. All sessions and grants of its user end.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Weak`], and whatever keeps it from being written.
    pub async fn set_password(
        &self,
        name: &AccountName,
        password: &SecretString,
    ) -> Result<(), AccountError> {
        let password = self.inner.policy.check(password, name)?;
        let read = self.read(name).await?.ok_or(AccountError::Unknown)?;
        let hash = self.hash(password).await?;
        let now = self.inner.clock.now().as_secs();
        let change = |account: &AccountRecord| {
            let mut next = account.clone();
            next.password.clone_from(&hash);
            next.password_changed_at = now;
            Next::Anew(next)
        };
        self.change(read, change).await
    }

    /// Disables an account, or enables it again. While it is disabled nobody logs in with it; all
    /// sessions and grants of its user end.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], and whatever keeps it from being written.
    pub async fn set_disabled(
        &self,
        name: &AccountName,
        disabled: bool,
    ) -> Result<(), AccountError> {
        let read = self.read(name).await?.ok_or(AccountError::Unknown)?;
        let change = |account: &AccountRecord| {
            if account.disabled == disabled {
                return Next::Same;
            }
            Next::Anew(AccountRecord {
                disabled,
                ..account.clone()
            })
        };
        self.change(read, change).await
    }

    /// Gives an account another role and other scopes. Where it had more before, all sessions and
    /// grants of its user end: a role in the place of another one may be less, any scope that is
    /// missing is.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Text`], and whatever keeps it from being written.
    pub async fn set_rights(
        &self,
        name: &AccountName,
        role: Option<String>,
        scopes: Option<ScopeSet>,
    ) -> Result<(), AccountError> {
        record::check_text("role", role.as_deref())?;
        let read = self.read(name).await?.ok_or(AccountError::Unknown)?;
        let change = |account: &AccountRecord| {
            let next = AccountRecord {
                role: role.clone(),
                scopes: scopes.clone(),
                ..account.clone()
            };
            // SECURITY: a token that says what its user may no longer do is not left until it expires
            // (RFC 9700 section 4.14.2); sec_rt_11_less_rights_end_sessions_and_grants
            if account.loses_by(role.as_deref(), scopes.as_ref()) {
                Next::Anew(next)
            } else {
                Next::Quietly(next)
            }
        };
        self.change(read, change).await
    }

    /// Removes an account. All sessions and grants of its user end, and nobody gets its subject again.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], and whatever keeps it from being written.
    pub async fn remove(&self, name: &AccountName) -> Result<(), AccountError> {
        let read = self.read(name).await?.ok_or(AccountError::Unknown)?;
        self.change(read, |_| Next::Gone).await
    }

    /// Changes an account, as often as it takes.
    pub(super) async fn change(
        &self,
        mut read: Stored<AccountRecord>,
        next: impl Fn(&AccountRecord) -> Next,
    ) -> Result<(), AccountError> {
        let generation = read.generation;
        for _ in 0..TRIES {
            if self.try_change(&read, next(&read)).await? {
                return Ok(());
            }
            let now = self.inner.records.get(read.subject.as_bytes()).await?;
            read = now.ok_or(AccountError::Unknown)?;
            // Another's change of the same account is not written over unseen.
            if read.generation != generation {
                break;
            }
        }
        Err(AccountError::Raced)
    }

    /// Whether it is written: nothing came between.
    pub(super) async fn try_change(
        &self,
        read: &Stored<AccountRecord>,
        next: Next,
    ) -> Result<bool, AccountError> {
        let batch = self.inner.records.batch();
        let batch = match next {
            Next::Same => return Ok(true),
            Next::Quietly(next) => {
                return Ok(self.inner.records.compare_and_swap(read, &next).await?);
            }
            Next::Anew(mut next) => {
                // SECURITY: whatever is under way with the old password ends too (RFC 9700 section
                // 4.14.2); sec_rt_11_a_new_password_ends_sessions_and_grants
                next.generation = read.generation.wrapping_add(1);
                batch.swap(read, &next)
            }
            Next::Gone => batch
                .remove(read)
                .delete::<NameRecord>(read.name.folded().as_bytes())
                .delete::<LoginRecord>(read.subject.as_bytes()),
        };
        // SECURITY: what stands already ends in the same commit;
        // sec_rt_11_a_new_password_ends_sessions_and_grants
        self.ended(read, batch.delete_family(&of_user(read)).commit().await)
    }

    /// Whether all that a user has has ended.
    fn ended(
        &self,
        account: &AccountRecord,
        outcome: Result<Committed, StoreError>,
    ) -> Result<bool, AccountError> {
        // SECURITY: where nobody knows whether it happened, nothing in memory outlives it (RFC 9700
        // section 4.14.2); sec_rv_02_a_change_of_an_account_whose_answer_is_lost_counts
        if !matches!(outcome, Ok(Committed::No)) {
            self.tell(account);
        }
        Ok(outcome? == Committed::Yes)
    }

    fn tell(&self, account: &AccountRecord) {
        if let (Some(tell), Some(subject)) = (self.inner.ended.get(), account.subject()) {
            tell(&subject);
        }
    }
}

/// All sessions and grants of a user.
fn of_user(account: &AccountRecord) -> Family {
    family::of_user(&account.subject)
}
