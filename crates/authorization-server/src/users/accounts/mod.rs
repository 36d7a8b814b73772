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
//! * A new password, a disabled and a removed account end all sessions and grants of the user, in the
//!   same commit.
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
mod password;
mod record;

use std::fmt;
use std::sync::{Arc, OnceLock};

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{
    EntropyError, ScopeSet, SecretBytes, SecretString, SharedClock, SharedEntropy, Subject,
};
use portcullis_resource_server::Unavailable;
use portcullis_store::{Committed, Family, Records, StoreError, Stored};

use self::hasher::Hasher;
use self::password::Password;
pub use self::password::{PasswordPolicy, WeakPassword, generate_password};
pub use self::record::{Account, AccountName, InvalidAccountName};
use self::record::{AccountRecord, NameRecord};
use super::{Attempt, Authenticate, Authentication, User};

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

/// What an account begins with.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewAccount {
    name: AccountName,
    password: SecretString,
    display_name: Option<String>,
    role: Option<String>,
    scopes: Option<ScopeSet>,
}

impl NewAccount {
    /// An account without a role, whose user can be granted every scope.
    pub fn new(name: AccountName, password: SecretString) -> Self {
        Self {
            name,
            password,
            display_name: None,
            role: None,
            scopes: None,
        }
    }

    /// What pages call the user; the name unless set. 1 to 64 characters, none of which breaks or
    /// turns a line.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// The claim `role` of the user's tokens.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The scopes that the user can be granted, and no others.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

/// Why an account is not as it was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// There is an account of that name.
    #[error("there is an account of that name")]
    Taken,
    /// There is no account of that name.
    #[error("there is no account of that name")]
    Unknown,
    /// What pages would show, or the role, has characters that do not belong there, or too many.
    #[error("the {0} is empty, longer than 64 characters, or breaks or turns a line")]
    Text(&'static str),
    /// The password is not good enough.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// Somebody else changed the account at the same time.
    #[error("the account was changed meanwhile")]
    Raced,
    /// Nothing could be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password could not be hashed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

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

    /// Gives an account another role and other scopes. Grants stay; whatever they gave beyond that
    /// ends at their next refresh.
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
        match batch.delete_family(&of_user(&read)).commit().await? {
            Committed::Yes => {
                self.tell(&read);
                Ok(())
            }
            Committed::No => Err(AccountError::Raced),
        }
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
        match batch.delete_family(&of_user(read)).commit().await? {
            Committed::Yes => {
                self.tell(read);
                Ok(())
            }
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

    /// Notes a login, and hashes the password anew where that costs something else now. Whether the
    /// account still is as it was when the password was compared.
    async fn log_in(
        &self,
        read: Stored<AccountRecord>,
        password: Password,
    ) -> Result<Option<AccountRecord>, AccountError> {
        let mut next = (*read).clone();
        next.last_login_at = Some(self.inner.clock.now().as_secs());
        if self.inner.hasher.is_outdated(&next.password) {
            next.password = self.hash(password).await?;
        }
        if self.inner.records.compare_and_swap(&read, &next).await? {
            return Ok(Some(next));
        }
        let now: Option<Stored<AccountRecord>> =
            self.inner.records.get(read.subject.as_bytes()).await?;
        // SECURITY: another login may have been noted meanwhile; another password or an end of the
        // account counts (CWE-367); sec_az_16_a_login_beside_a_new_password_is_refused
        let now = now.map(Stored::into_inner);
        Ok(now.filter(|now| now.generation == read.generation && !now.disabled))
    }
}

impl Authenticate for Accounts {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        let read = match AccountName::parse(attempt.username.trim()) {
            Ok(name) => self.read(&name).await.map_err(unavailable)?,
            Err(_) => None,
        };
        let password = Password::typed(attempt.password);
        let hash = read.as_ref().map(|account| account.password.clone());
        // SECURITY: an unknown name is answered after as much work as a wrong password (OWASP,
        // Authentication); sec_op_03_an_unknown_name_costs_what_a_wrong_password_costs
        let right = self.inner.hasher.verify(password.clone(), hash).await?;
        // SECURITY: who is disabled does not get in, and learns it no sooner than others (CWE-287);
        // sec_az_16_a_disabled_account_is_refused
        let read = read.filter(|account| right && !account.disabled);
        let (Some(read), Some(password)) = (read, password) else {
            return Ok(Authentication::Refused);
        };
        let account = self.log_in(read, password).await;
        let account = account.map_err(|error| match error {
            AccountError::Unavailable(unavailable) => unavailable,
            error => unavailable(error),
        })?;
        Ok(account.and_then(|account| account.user()).into())
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        let key = subject.as_str().as_bytes();
        let read = self.inner.records.get::<AccountRecord>(key).await;
        let read = read.map_err(unavailable)?;
        // SECURITY: asked at every refresh, so that who is disabled is out at once (RFC 6749 section
        // 10.4); sec_az_16_a_disabled_account_is_refused
        let account = read.filter(|account| !account.disabled);
        Ok(account.and_then(|account| account.user()))
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unavailable {
    Unavailable::new("the accounts are not available").caused_by(error)
}

/// All sessions and grants of a user.
fn of_user(account: &AccountRecord) -> Family {
    Family::new("user", account.subject.clone())
}

#[cfg(test)]
mod tests;
