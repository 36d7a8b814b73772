//! One question at a time about one token.
//!
//! A client that sends many requests at once sends one token, and its issuer is asked about it
//! once: whoever comes while the question is under way shares the answer, whatever it is. The
//! question is a task of its own, so it goes on when those who wait give up; their number has a
//! bound, and that of the questions too.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::token_cache::CacheKey;
use crate::waiters::{MOST, Waiters, too_many};
use crate::{AccessToken, Unavailable, VerifyError};

pub(super) type Verdict = Result<AccessToken, VerifyError>;

/// Closed without a verdict when the question ended in a panic.
type Answer = watch::Receiver<Option<Verdict>>;

/// The questions that are under way.
pub(super) struct Flights {
    waiters: Waiters,
    running: Mutex<HashMap<CacheKey, Answer>>,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self {
            waiters: Waiters::new(MOST),
            running: Mutex::default(),
        }
    }

    /// The answer about `key`, which `ask` asks for unless somebody does already.
    pub(super) async fn join<F>(self: &Arc<Self>, key: CacheKey, ask: impl FnOnce() -> F) -> Verdict
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        let _place = self.waiters.enter()?;
        let mut answer = self.running_or_start(key, ask)?;
        let answered = answer.wait_for(Option::is_some).await;
        let verdict = answered.ok().and_then(|verdict| verdict.clone());
        verdict.unwrap_or_else(|| Err(Unavailable::new("the question about a token failed").into()))
    }

    fn running_or_start<F>(
        self: &Arc<Self>,
        key: CacheKey,
        ask: impl FnOnce() -> F,
    ) -> Result<Answer, Unavailable>
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        let mut running = self.running();
        if let Some(answer) = running.get(&key) {
            return Ok(answer.clone());
        }
        // SECURITY: clients that hang up leave their questions behind, and not without bound
        // (CWE-400); sec_key_11_questions_that_nobody_waits_for_are_bounded
        if running.len() >= MOST {
            return Err(too_many());
        }
        let (speaker, answer) = watch::channel(None);
        running.insert(key.clone(), answer.clone());
        let landing = Landing {
            flights: Arc::clone(self),
            key,
        };
        let question = ask();
        tokio::spawn(async move {
            let verdict = question.await;
            // Whoever comes from now on asks anew.
            drop(landing);
            // Nobody may be waiting any more.
            let _ = speaker.send(Some(verdict));
        });
        Ok(answer)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<CacheKey, Answer>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a question, also one that panics.
struct Landing {
    flights: Arc<Flights>,
    key: CacheKey,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.running().remove(&self.key);
    }
}
