//! Sessions: a browser whose user has logged in.
//!
//! A session is 256 random bits in a cookie and a record under their keyed digest, so nobody makes a
//! cookie out of the database. A login always opens a new one; what the browser had before is closed
//! in the same commit. It ends 12 hours after it was last used, and 7 days after the login, whatever
//! happens in between.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use portcullis_oauth::crypto::{base64url, hmac_sha256};
use portcullis_oauth::{SecretBytes, SecretString, SharedClock, SharedEntropy, Subject, Timestamp};
use portcullis_store::{Collection, Family, Record, Records, StoreError};
use serde::{Deserialize, Serialize};

use crate::family;
use crate::serial::bytes;
use crate::users::User;

/// Bytes of a cookie.
const COOKIE: usize = 32;

/// A session that is used is written no more often.
const TOUCH: Duration = Duration::from_secs(300);

/// A user has so many sessions at most.
const MOST: usize = 100;

/// How long sessions live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLifetimes {
    /// Without a request.
    pub(crate) idle: Duration,
    /// From the login on.
    pub(crate) absolute: Duration,
}

impl Default for SessionLifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(12 * 3600),
            absolute: Duration::from_secs(7 * 86_400),
        }
    }
}

/// A user who has logged in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    id: [u8; 32],
    /// The user.
    pub(crate) subject: Subject,
    /// [`User::generation`] at the login: another one, and the login counts no more.
    pub(crate) generation: u64,
    /// What the user was called then, where nobody can be asked later.
    pub(crate) name: Option<String>,
    /// When the password was shown.
    pub(crate) authenticated_at: Timestamp,
    /// When it was last used, to five minutes.
    pub(crate) seen_at: Timestamp,
}

impl Session {
    /// What identifies it: the digest of its cookie, which is no secret and opens nothing.
    pub(crate) fn id(&self) -> &[u8; 32] {
        &self.id
    }
}

/// The value of a session's cookie.
#[must_use = "set it in the browser"]
pub(crate) struct SessionCookie {
    value: SecretString,
    id: [u8; 32],
}

impl SessionCookie {
    /// The value: 43 characters of base64url.
    pub(crate) fn expose(&self) -> &str {
        self.value.expose()
    }

    /// The [id](Session::id) of its session.
    pub(crate) fn id(&self) -> &[u8; 32] {
        &self.id
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionCookie([redacted])")
    }
}

/// The sessions of all browsers.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    records: Records,
    key: SecretBytes,
    lifetimes: SessionLifetimes,
    clock: SharedClock,
    entropy: SharedEntropy,
}

impl Sessions {
    pub(crate) fn new(
        records: Records,
        lifetimes: SessionLifetimes,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Self {
        Self {
            key: SecretBytes::new(records.derive("session cookie")),
            records,
            lifetimes,
            clock,
            entropy,
        }
    }

    /// No session lives longer.
    pub(crate) fn longest(&self) -> Duration {
        self.lifetimes.absolute
    }

    /// Opens a session for a user who has logged in just now, and closes the one that the browser had.
    /// `name` is kept for users of whom nobody can be asked later.
    ///
    /// # Errors
    /// [`StoreError`]; then neither happened.
    pub(crate) async fn open(
        &self,
        user: &User,
        name: Option<&str>,
        replacing: Option<&Session>,
    ) -> Result<SessionCookie, StoreError> {
        let mut value = [0; COOKIE];
        self.entropy.fill(&mut value)?;
        let now = self.clock.now();
        let record = SessionRecord {
            id: self.digest(&value),
            subject: user.subject.clone(),
            generation: user.generation,
            name: name.map(str::to_owned),
            authenticated_at: now.as_secs(),
            seen_at: now.as_secs(),
            ends_at: self.end(now, now).as_secs(),
        };
        let mut batch = self.records.batch().put(&record);
        if let Some(old) = replacing {
            // SECURITY: what somebody planted in the browser before the login is worth nothing after
            // it (CWE-384); sec_az_16_a_login_opens_a_new_session
            batch = batch.delete::<SessionRecord>(&old.id);
        }
        // SECURITY: whoever knows one password does not fill the disk (CWE-770);
        // sec_ds_08_a_user_has_so_many_sessions_and_no_more
        for id in self.surplus(&user.subject).await? {
            batch = batch.delete::<SessionRecord>(&id);
        }
        let _ = batch.commit().await?;
        Ok(SessionCookie {
            value: SecretString::new(base64url::encode(value)),
            id: record.id,
        })
    }

    /// The session of a cookie, if there is one that has not ended. Whether its user may still log in
    /// is for [`SharedUsers::of_session`](crate::users::SharedUsers::of_session) to say.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn find(&self, cookie: &str) -> Result<Option<Session>, StoreError> {
        let Some(id) = self.id(cookie) else {
            return Ok(None);
        };
        let Some(read) = self.records.get::<SessionRecord>(&id).await? else {
            return Ok(None);
        };
        let mut session = read.session();
        let now = self.clock.now();
        // SECURITY: a session ends when its time is over, also after that was made shorter (NIST SP
        // 800-63B section 5.1); sec_op_14_a_session_ends
        if now >= self.end(session.authenticated_at, session.seen_at) {
            return Ok(None);
        }
        if now.duration_since(session.seen_at) >= TOUCH {
            let touched = SessionRecord {
                seen_at: now.as_secs(),
                ends_at: self.end(session.authenticated_at, now).as_secs(),
                ..(*read).clone()
            };
            // Whoever was faster wrote as much, or closed it.
            let _ = self.records.compare_and_swap(&read, &touched).await?;
            session.seen_at = now;
        }
        Ok(Some(session))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn close(&self, session: &Session) -> Result<(), StoreError> {
        self.records.delete::<SessionRecord>(&session.id).await
    }

    /// The sessions of a user, the one that was used last first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn list(&self, user: &Subject) -> Result<Vec<Session>, StoreError> {
        let (mut sessions, mut after) = (Vec::new(), None);
        loop {
            let family = of_user(user);
            let page = self
                .records
                .list_family::<SessionRecord>(&family, after, 100);
            let page = page.await?;
            sessions.extend(page.items.iter().map(SessionRecord::session));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.seen_at));
        Ok(sessions)
    }

    /// What has to be closed for one more: the sessions that were used longest ago, where there are
    /// as many as a user can have. Where there are fewer, none of them is read.
    async fn surplus(&self, user: &Subject) -> Result<Vec<[u8; 32]>, StoreError> {
        let family = of_user(user);
        let open = self.records.count_family::<SessionRecord>(&family).await?;
        if usize::try_from(open).is_ok_and(|open| open < MOST) {
            return Ok(Vec::new());
        }
        let latest_first = self.list(user).await?.into_iter();
        let surplus = latest_first.skip(MOST - 1).map(|session| session.id);
        Ok(surplus.collect())
    }

    fn end(&self, authenticated_at: Timestamp, seen_at: Timestamp) -> Timestamp {
        let idle = seen_at.saturating_add(self.lifetimes.idle);
        idle.min(authenticated_at.saturating_add(self.lifetimes.absolute))
    }

    /// Under which a cookie's session is kept; nothing if it is no cookie of ours.
    fn id(&self, cookie: &str) -> Option<[u8; 32]> {
        if cookie.len() > 2 * COOKIE {
            return None;
        }
        let value = base64url::decode_strict(cookie).ok()?;
        (value.len() == COOKIE).then(|| self.digest(&value))
    }

    fn digest(&self, value: &[u8]) -> [u8; 32] {
        // SECURITY: the store has no cookie, nor anything that a cookie can be found from (RFC 6819
        // section 5.1.4.1.3); sec_st_06_no_cookie_is_in_the_store
        hmac_sha256(self.key.expose(), value)
    }
}

fn of_user(user: &Subject) -> Family {
    Family::new("session", user.as_str().to_owned())
}

/// A session, as it is kept. It belongs to its user, together with grants, and to the user's
/// sessions.
#[derive(Clone, Serialize, Deserialize)]
struct SessionRecord {
    #[serde(with = "bytes")]
    id: [u8; 32],
    subject: Subject,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    authenticated_at: i64,
    seen_at: i64,
    ends_at: i64,
}

impl SessionRecord {
    fn session(&self) -> Session {
        Session {
            id: self.id,
            subject: self.subject.clone(),
            generation: self.generation,
            name: self.name.clone(),
            authenticated_at: Timestamp::from_secs(self.authenticated_at),
            seen_at: Timestamp::from_secs(self.seen_at),
        }
    }
}

impl Record for SessionRecord {
    const COLLECTION: Collection = Collection::new("session");

    fn key(&self) -> Cow<'_, [u8]> {
        self.id.as_slice().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp::from_secs(self.ends_at))
    }

    fn families(&self) -> Vec<Family> {
        vec![
            family::of_user(self.subject.as_str()),
            of_user(&self.subject),
        ]
    }
}

#[cfg(test)]
mod tests;
