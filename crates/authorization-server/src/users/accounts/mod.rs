//! Accounts with passwords, in this server's own store.
//!
//! # Rules
//!
//! * A *name* is 1 to 64 ASCII letters, digits and `.`, `_`, `-`, `+`, `@`, and begins with a letter
//!   or digit: an e-mail address is one. Upper and lower case are the same name. Letters beyond ASCII
//!   are for the name that pages show, because many of them look alike.
//! * The *subject* is 128 random bits. It is never the name, and never used again: whoever gets the
//!   name of somebody who left gets nothing else.
//! * A *password* has at least 12 characters, of any kind, and at most 1 KiB. It is compared in
//!   Unicode's composed form (RFC 8265 section 4.2), so it does not matter which keyboard it comes
//!   from. Refused are well-known ones, repetitions, and the name itself. See [`PasswordPolicy`].
//! * It is kept as Argon2id (RFC 9106) with 19 MiB, 2 passes and 1 lane, over a random salt and a
//!   secret that is derived from the store's keys: whoever has the rows alone cannot try passwords
//!   out. An account whose password was hashed with other costs gets a new hash at its next login.
//! * An unknown name costs what a wrong password costs.
//! * A new password, fewer rights, a disabled and a removed account end all sessions and grants of the
//!   user, in the same commit.
//!
//! # Load
//!
//! Passwords are hashed on at most half of the machine's cores, eight at most, and few wait for that;
//! the others are told to come back in a moment.
//!
//! # Sources
//!
//! RFC 9106, RFC 8265, NIST SP 800-63B section 3.1.1, OWASP *Password Storage*.

mod hasher;
mod login;
mod new;
mod password;
mod record;

use std::fmt;
use std::sync::{Arc, OnceLock};

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{
    EntropyError, ScopeSet, SecretBytes, SecretString, SharedClock, SharedEntropy, Subject,
};
use portcullis_store::{Committed, Family, Records, StoreError, Stored};

use self::hasher::Hasher;
pub use self::new::{AccountError, NewAccount};
use self::password::Password;
pub use self::password::{PasswordPolicy, WeakPassword, generate_password};
pub use self::record::{Account, AccountName, InvalidAccountName};
use self::record::{AccountRecord, NameRecord};

/// A user database of this server's own. Cheap to clone; all clones are one.
///
/// ```
/// use std::sync::Arc;
///
/// use portcullis_authorization_server::users::accounts::{AccountName, Accounts, NewAccount};
/// use portcullis_authorization_server::users::{Attempt, Authenticate, Authentication};
/// use portcullis_fetch::system::{SystemClock, SystemEntropy};
/// use portcullis_oauth::{SharedClock, SharedEntropy};
/// use portcullis_store::{MemoryStore, StoreHandle};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let (clock, entropy): (SharedClock, SharedEntropy) =
///     (Arc::new(SystemClock::new()), Arc::new(SystemEntropy::new()));
/// let records = StoreHandle::from(MemoryStore::new()).open(clock.clone(), entropy.clone()).await?;
/// let accounts = Accounts::new(records, clock, entropy)?;
///
/// let name = AccountName::parse("alice@example.com")?;
/// let password = "the sea is green in winter".into();
/// accounts.add(NewAccount::new(name, password).role("admin")).await?;
///
/// let password = "the sea is green in winter".into();
/// let attempt = Attempt::new("Alice@Example.com", &password);
/// assert!(matches!(accounts.authenticate(&attempt).await?, Authentication::Complete(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

struct Inner {
    records: Records,
    hasher: Hasher,
    policy: PasswordPolicy,
    clock: SharedClock,
    entropy: SharedEntropy,
    /// Told of users whose grants have ended.
    ended: OnceLock<Ended>,
}

type Ended = Box<dyn Fn(&Subject) + Send + Sync>;

impl Accounts {
    /// The accounts of a store.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub fn new(
        records: Records,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Self, EntropyError> {
        Self::with_policy(records, PasswordPolicy::default(), clock, entropy)
    }

    /// The accounts of a store, for whose passwords more is asked than usual.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub fn with_policy(
        records: Records,
        policy: PasswordPolicy,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Self, EntropyError> {
        let pepper = SecretBytes::new(records.derive("password pepper"));
        let inner = Inner {
            hasher: Hasher::new(pepper, &*entropy)?,
            records,
            policy,
            clock,
            entropy,
            ended: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Who is told, in this process, that all of a user's sessions and grants have ended. The first
    /// one stays.
    pub(crate) fn on_end(&self, tell: impl Fn(&Subject) + Send + Sync + 'static) {
        let _ = self.inner.ended.set(Box::new(tell));
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`AccountError::Taken`], [`AccountError::Text`], [`AccountError::Weak`], and whatever keeps it
    /// from being written.
    pub async fn add(&self, new: NewAccount) -> Result<Account, AccountError> {
        record::check_text("displayed name", new.display_name.as_deref())?;
        record::check_text("role", new.role.as_deref())?;
        let password = self.inner.policy.check(&new.password, &new.name)?;
        // Hashing is dear, and the answer is known.
        if self.name(&new.name).await?.is_some() {
            return Err(AccountError::Taken);
        }
        let mut subject = [0; 16];
        self.inner.entropy.fill(&mut subject)?;
        let now = self.inner.clock.now();
        let account = AccountRecord {
            subject: base64url::encode(subject),
            name: new.name,
            display_name: new.display_name,
            role: new.role,
            scopes: new.scopes,
            disabled: false,
            generation: 0,
            password: self.hash(password).await?,
            created_at: now.as_secs(),
            password_changed_at: now.as_secs(),
            last_login_at: None,
        };
        let name = NameRecord::of(&account);
        let batch = self.inner.records.batch().insert(&name).insert(&account);
        match batch.commit().await? {
            Committed::Yes => Ok(account.account()),
            Committed::No => Err(AccountError::Taken),
        }
    }

    /// The account of that name, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn get(&self, name: &AccountName) -> Result<Option<Account>, StoreError> {
        let read = self.read(name).await?;
        Ok(read.map(|account| account.account()))
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(&self) -> Result<Vec<Account>, StoreError> {
        let (mut accounts, mut after) = (Vec::new(), None);
        loop {
            let page = self.inner.records.list::<AccountRecord>(after, 200).await?;
            accounts.extend(page.items.iter().map(AccountRecord::account));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        accounts.sort_by_key(|account| account.name.folded());
        Ok(accounts)
    }

    /// Whether there is no account.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        let page = self.inner.records.list::<AccountRecord>(None, 1).await?;
        Ok(page.items.is_empty())
    }

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
        self.end(&read, |account| {
            account.password = hash;
            account.password_changed_at = now;
        })
        .await
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
        if read.disabled == disabled {
            return Ok(());
        }
        self.end(&read, |account| account.disabled = disabled).await
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
        // SECURITY: a token that says what its user may no longer do is not left until it expires
        // (RFC 9700 section 4.14.2); sec_rt_11_less_rights_end_sessions_and_grants
        if read.loses_by(role.as_deref(), scopes.as_ref()) {
            let change = |account: &mut AccountRecord| {
                account.role = role;
                account.scopes = scopes;
            };
            return self.end(&read, change).await;
        }
        let next = AccountRecord {
            role,
            scopes,
            ..(*read).clone()
        };
        if self.inner.records.compare_and_swap(&read, &next).await? {
            Ok(())
        } else {
            Err(AccountError::Raced)
        }
    }

    /// Removes an account. All sessions and grants of its user end, and nobody gets its subject again.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], and whatever keeps it from being written.
    pub async fn remove(&self, name: &AccountName) -> Result<(), AccountError> {
        let read = self.read(name).await?.ok_or(AccountError::Unknown)?;
        let batch = self.inner.records.batch().remove(&read);
        let batch = batch.delete::<NameRecord>(name.folded().as_bytes());
        self.ended(&read, batch.delete_family(&of_user(&read)).commit().await)
    }

    /// Changes an account and ends all sessions and grants of its user, at once.
    async fn end(
        &self,
        read: &Stored<AccountRecord>,
        change: impl FnOnce(&mut AccountRecord),
    ) -> Result<(), AccountError> {
        let mut next = (**read).clone();
        change(&mut next);
        // SECURITY: whatever is under way with the old password ends too (RFC 9700 section 4.14.2);
        // sec_rt_11_a_new_password_ends_sessions_and_grants
        next.generation = next.generation.wrapping_add(1);
        let batch = self.inner.records.batch().swap(read, &next);
        // SECURITY: what stands already ends in the same commit;
        // sec_rt_11_a_new_password_ends_sessions_and_grants
        self.ended(read, batch.delete_family(&of_user(read)).commit().await)
    }

    /// What became of the end of all that a user has.
    fn ended(
        &self,
        account: &AccountRecord,
        outcome: Result<Committed, StoreError>,
    ) -> Result<(), AccountError> {
        // SECURITY: where nobody knows whether it happened, nothing in memory outlives it (RFC 9700
        // section 4.14.2); sec_rv_02_a_revocation_whose_answer_is_lost_counts
        if !matches!(outcome, Ok(Committed::No)) {
            self.tell(account);
        }
        match outcome? {
            Committed::Yes => Ok(()),
            Committed::No => Err(AccountError::Raced),
        }
    }

    fn tell(&self, account: &AccountRecord) {
        if let (Some(tell), Some(subject)) = (self.inner.ended.get(), account.subject()) {
            tell(&subject);
        }
    }

    async fn hash(&self, password: Password) -> Result<String, AccountError> {
        let mut salt = [0; 16];
        self.inner.entropy.fill(&mut salt)?;
        Ok(self.inner.hasher.hash(password, salt).await?)
    }

    async fn name(&self, name: &AccountName) -> Result<Option<Stored<NameRecord>>, StoreError> {
        self.inner.records.get(name.folded().as_bytes()).await
    }

    async fn read(&self, name: &AccountName) -> Result<Option<Stored<AccountRecord>>, StoreError> {
        match self.name(name).await? {
            Some(name) => self.inner.records.get(name.subject.as_bytes()).await,
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// All sessions and grants of a user.
fn of_user(account: &AccountRecord) -> Family {
    Family::new("user", account.subject.clone())
}

#[cfg(test)]
mod tests;
