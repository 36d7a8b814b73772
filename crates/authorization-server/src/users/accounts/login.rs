//! Logging in with an account.

use portcullis_oauth::Subject;
use portcullis_resource_server::Unavailable;
use portcullis_store::Stored;

use super::password::Password;
use super::record::{AccountRecord, LoginRecord};
use super::{AccountError, AccountName, Accounts};
use crate::users::{Attempt, Authenticate, Authentication, User};

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

impl Accounts {
    /// Notes a login, and hashes the password anew where that costs something else now. Whether the
    /// account still is as it was when the password was compared.
    pub(super) async fn log_in(
        &self,
        read: Stored<AccountRecord>,
        password: Password,
    ) -> Result<Option<AccountRecord>, AccountError> {
        if self.inner.hasher.is_outdated(&read.password) {
            let mut next = (*read).clone();
            next.password = self.hash(password).await?;
            // Where something else was written meanwhile, the next login does it.
            let _ = self.inner.records.compare_and_swap(&read, &next).await?;
        }
        let now: Option<Stored<AccountRecord>> =
            self.inner.records.get(read.subject.as_bytes()).await?;
        // SECURITY: another password or an end of the account that came meanwhile counts (CWE-367);
        // sec_az_16_a_login_beside_a_new_password_is_refused
        let now = now.filter(|now| now.generation == read.generation && !now.disabled);
        let Some(now) = now else {
            return Ok(None);
        };
        self.note_login(&now).await?;
        Ok(Some(now.into_inner()))
    }

    /// Notes when a user logged in, unless that was done a moment ago.
    async fn note_login(&self, account: &AccountRecord) -> Result<(), AccountError> {
        let at = self.inner.clock.now().as_secs();
        let noted = self.login_of(account).await?;
        if noted.is_some_and(|noted| (noted.at..noted.at.saturating_add(NOTED)).contains(&at)) {
            return Ok(());
        }
        let login = LoginRecord {
            subject: account.subject.clone(),
            at,
        };
        Ok(self.inner.records.put(&login).await?)
    }
}

/// For how many seconds one login stands for all.
const NOTED: i64 = 60;

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unavailable {
    Unavailable::new("the accounts are not available").caused_by(error)
}
