//! Those in one process that share a store: what one of them changes, the others are told.
//!
//! A store tells a process of what other processes changed. Whoever remembers what it read must hear
//! of its own process too: a server that takes the place of another one, or an operator's hand beside
//! a server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// All in this process that have opened one store. A [`Store`](crate::Store) keeps one of these and
/// shows it to whoever asks; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Siblings(Arc<Mutex<Vec<Weak<AtomicU64>>>>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Sibling {
    all: Siblings,
    heard: Arc<AtomicU64>,
}

impl Siblings {
    /// One more.
    pub(crate) fn join(&self) -> Sibling {
        let heard = Arc::default();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(&heard));
        Sibling {
            all: self.clone(),
            heard,
        }
    }
}

impl Sibling {
    /// It has changed something: all others hear of it.
    pub(crate) fn tell(&self) {
        let all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in all.iter().filter_map(Weak::upgrade) {
            if !Arc::ptr_eq(&one, &self.heard) {
                one.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// How often others have changed something. It only grows.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }
}
