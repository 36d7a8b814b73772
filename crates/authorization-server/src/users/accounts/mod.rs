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

mod change;
mod hasher;
mod login;
mod new;
mod password;
mod record;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{EntropyError, SecretBytes, SharedClock, SharedEntropy, Subject};
use portcullis_store::{Committed, Record, Records, StoreError, Stored};

use self::hasher::Hasher;
pub use self::new::{AccountError, NewAccount};
use self::password::Password;
pub use self::password::{PasswordPolicy, WeakPassword, generate_password};
pub use self::record::{Account, AccountName, InvalidAccountName};
use self::record::{AccountRecord, LoginRecord, NameRecord};

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
            Committed::Yes => Ok(account.account(None)),
            Committed::No => Err(AccountError::Taken),
        }
    }

    /// The account of that name, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn get(&self, name: &AccountName) -> Result<Option<Account>, StoreError> {
        let Some(read) = self.read(name).await? else {
            return Ok(None);
        };
        let login = self.login_of(&read).await?;
        Ok(Some(read.account(login.as_deref())))
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(&self) -> Result<Vec<Account>, StoreError> {
        let records = self.all::<AccountRecord>().await?;
        let logins = self.all::<LoginRecord>().await?;
        let logins: HashMap<_, _> = logins
            .iter()
            .map(|login| (login.subject.as_str(), login))
            .collect();
        let login_of = |account: &AccountRecord| logins.get(account.subject.as_str()).copied();
        let accounts = records
            .iter()
            .map(|record| record.account(login_of(record)));
        let mut accounts: Vec<_> = accounts.collect();
        accounts.sort_by_cached_key(|account| account.name.folded());
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

    async fn all<T: Record>(&self) -> Result<Vec<T>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.inner.records.list(after, 200).await?;
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
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

    async fn login_of(
        &self,
        account: &AccountRecord,
    ) -> Result<Option<Stored<LoginRecord>>, StoreError> {
        self.inner.records.get(account.subject.as_bytes()).await
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
