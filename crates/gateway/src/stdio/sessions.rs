//! Sessions of the revisions up to 2025-11-25.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use portcullis_oauth::Monotonic;
use portcullis_oauth::crypto::base64url;
use portcullis_resource_server::mcp::session::SessionOwner;

use super::fault::Fault;
use super::process::{Process, Setup, lock};
use super::queue::Queue;
use super::source::Values;

/// One client's session on a process.
#[derive(Debug)]
pub(super) struct Session {
    /// Its name on the process.
    pub(super) number: u64,
    pub(super) owner: SessionOwner,
    pub(super) values: Values,
    pub(super) process: Arc<Process>,
    pub(super) inbox: Arc<Queue>,
    /// Whether the process serves this session alone, and ends with it.
    pub(super) is_alone: bool,
    last_used: Mutex<Monotonic>,
}

impl Session {
    /// The session on its process ends, and the process where it was for this one.
    pub(super) fn end(&self) {
        self.process.detach(self.number);
        if self.is_alone {
            self.process.end();
        }
    }
}

/// What a session is made of.
#[derive(Debug)]
pub(super) struct NewSession {
    pub(super) number: u64,
    pub(super) owner: SessionOwner,
    pub(super) values: Values,
    pub(super) process: Arc<Process>,
    pub(super) inbox: Arc<Queue>,
    pub(super) is_alone: bool,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
    last: AtomicU64,
}

impl Sessions {
    /// A number that no session had.
    pub(super) fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Opens a session under a fresh id.
    pub(super) fn open(&self, setup: &Setup, new: NewSession) -> Result<String, Fault> {
        let mut bytes = [0; ID_BYTES];
        // SECURITY: an id is a secret of 256 bits (MCP 2025-11-25, session management);
        // sec_rs_15_session_ids_are_long_and_never_repeat
        setup
            .entropy
            .fill(&mut bytes)
            .map_err(|_| Fault::NoEntropy)?;
        let id = base64url::encode(bytes);
        let session = Arc::new(Session {
            number: new.number,
            owner: new.owner,
            values: new.values,
            process: new.process,
            inbox: new.inbox,
            is_alone: new.is_alone,
            last_used: Mutex::new(setup.clock.monotonic()),
        });
        let mut open = lock(&self.open);
        // SECURITY: sessions on one process are bounded as processes are;
        // sec_ds_08_sessions_on_a_process_are_capped
        if open.len() >= setup.limits.sessions {
            return Err(Fault::Busy { retry: LATER });
        }
        open.insert(id.clone(), session);
        Ok(id)
    }

    /// The session of that id, if it is the caller's own and its process lives.
    pub(super) fn find(
        &self,
        id: &str,
        owner: &SessionOwner,
        now: Monotonic,
    ) -> Option<Arc<Session>> {
        let session = Arc::clone(lock(&self.open).get(id)?);
        // SECURITY: the id alone opens nothing, here as in the layer in front;
        // sec_rs_15_a_foreign_session_does_not_exist_on_stdio
        if session.owner != *owner {
            return None;
        }
        if session.process.is_closed() {
            lock(&self.open).remove(id);
            return None;
        }
        *lock(&session.last_used) = now;
        Some(session)
    }

    /// Takes a session out. Whether there was one.
    pub(super) fn close(&self, id: &str) -> bool {
        let session = lock(&self.open).remove(id);
        session.map(|session| session.end()).is_some()
    }

    /// Takes out sessions whose process is gone, and those that nobody used for long.
    pub(super) fn sweep(&self, setup: &Setup) {
        let now = setup.clock.monotonic();
        let is_over = |session: &Session| {
            let is_idle = now.saturating_since(*lock(&session.last_used)) >= setup.limits.idle;
            session.process.is_closed()
                || (is_idle && !session.process.is_session_busy(session.number))
        };
        let over: Vec<Arc<Session>> = {
            let mut open = lock(&self.open);
            open.extract_if(|_, session| is_over(session))
                .map(|(_, session)| session)
                .collect()
        };
        for session in over {
            session.end();
        }
    }
}

const ID_BYTES: usize = 32;
const LATER: std::time::Duration = std::time::Duration::from_secs(5);
