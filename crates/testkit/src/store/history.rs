//! Whether what many callers saw can be put into one order.
//!
//! Callers do random operations on one key and note when each began and ended. A history is
//! linearizable if its operations can be put into an order that keeps every "ended before the other
//! began", and in which each answer is what a single thread would have got. The search is that of
//! Wing and Gong (1993), with a memory of the states that were tried.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_oauth::Entropy as _;
use portcullis_store::{Change, Store};
use tokio::task::JoinSet;

use super::Subject;
use super::contract::{ONE, commit, get, key, row, value};
use crate::SeededEntropy;

const HISTORIES: u32 = 150;
const CALLERS: u32 = 5;
const OPERATIONS: u32 = 12;

/// What somebody did, and what came of it. Values are numbers, each written once.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Get {
        found: Option<u32>,
    },
    Take {
        found: Option<u32>,
    },
    Put {
        value: u32,
    },
    Delete,
    Insert {
        value: u32,
        done: bool,
    },
    Swap {
        expected: u32,
        value: u32,
        done: bool,
    },
    Remove {
        expected: u32,
        done: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Event {
    began: u64,
    ended: u64,
    operation: Operation,
}

/// Every history of concurrent operations can be put into one order.
///
/// # Panics
/// When one cannot.
pub async fn histories_have_one_order(subject: &Subject) {
    for at in 0..HISTORIES {
        let ticks = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let store = Arc::clone(subject.handle(caller as usize));
            callers.spawn(act(store, Arc::clone(&ticks), (at, caller)));
        }
        let history = callers.join_all().await.concat();
        assert!(has_one_order(&history), "no order explains {history:#?}");
    }
}

/// What one caller does, one operation after the other.
async fn act(store: Arc<dyn Store>, ticks: Arc<AtomicU64>, (at, caller): (u32, u32)) -> Vec<Event> {
    let entropy = SeededEntropy::new(u64::from(at * CALLERS + caller));
    let (mut events, mut last_seen) = (Vec::new(), 0);
    for step in 0..OPERATIONS {
        let mut dice = [0];
        assert!(entropy.fill(&mut dice).is_ok(), "dice");
        let fresh = (at * CALLERS + caller) * OPERATIONS + step + 1;
        let began = ticks.fetch_add(1, Ordering::SeqCst);
        let operation = operate(&*store, at, dice[0], fresh, last_seen).await;
        let ended = ticks.fetch_add(1, Ordering::SeqCst);
        if let Operation::Get { found: Some(seen) } = operation {
            last_seen = seen;
        }
        events.push(Event {
            began,
            ended,
            operation,
        });
    }
    events
}

async fn operate(store: &dyn Store, at: u32, dice: u8, fresh: u32, seen: u32) -> Operation {
    let key = key(ONE, at);
    let next = row(at, &fresh.to_string());
    let expected = value(&seen.to_string());
    match dice % 16 {
        0..=4 => {
            let found = get(store, key).await.map(|row| number(&row.value));
            Operation::Get { found }
        }
        5..=6 => {
            let taken = store.take(key).await.ok().flatten();
            let found = taken.map(|row| number(&row.value));
            Operation::Take { found }
        }
        7 => {
            commit(store, vec![Change::Put(next)]).await;
            Operation::Put { value: fresh }
        }
        8 => {
            commit(store, vec![Change::Delete(key)]).await;
            Operation::Delete
        }
        9..=11 => {
            let done = commit(store, vec![Change::Insert(next)]).await;
            Operation::Insert { value: fresh, done }
        }
        12..=14 => {
            let swap = Change::Swap {
                expected,
                row: next,
            };
            let done = commit(store, vec![swap]).await;
            Operation::Swap {
                expected: seen,
                value: fresh,
                done,
            }
        }
        _ => {
            let done = commit(store, vec![Change::Remove { key, expected }]).await;
            Operation::Remove {
                expected: seen,
                done,
            }
        }
    }
}

fn number(value: &[u8]) -> u32 {
    let text = std::str::from_utf8(value).unwrap_or_default();
    text.parse().unwrap_or(u32::MAX)
}

/// Whether some order explains all answers.
fn has_one_order(history: &[Event]) -> bool {
    assert!(
        history.len() <= 64,
        "a longer history has no room in a mask"
    );
    let all = u64::MAX >> (64 - history.len());
    let mut tried = HashSet::new();
    let mut open = vec![(0_u64, None)];
    while let Some((done, state)) = open.pop() {
        if done == all {
            return true;
        }
        let left = || {
            let events = history.iter().enumerate();
            events.filter(|(at, _)| done & (1 << at) == 0)
        };
        // Next can only be what began before anything else that is left had ended.
        let first_end = left().map(|(_, event)| event.ended).min();
        for (at, event) in left() {
            if first_end.is_some_and(|end| event.began > end) {
                continue;
            }
            let (fits, next) = after(event.operation, state);
            let next = (done | (1 << at), next);
            if fits && tried.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

/// What is there: a number, or nothing.
type State = Option<u32>;

/// Whether the answer of an operation fits what is there, and what is there after it.
fn after(operation: Operation, state: State) -> (bool, State) {
    let changed = |done, next| if done { next } else { state };
    match operation {
        Operation::Get { found } => (found == state, state),
        Operation::Take { found } => (found == state, None),
        Operation::Put { value } => (true, Some(value)),
        Operation::Delete => (true, None),
        Operation::Insert { value, done } => (done == state.is_none(), changed(done, Some(value))),
        Operation::Swap {
            expected,
            value,
            done,
        } => (
            done == (state == Some(expected)),
            changed(done, Some(value)),
        ),
        Operation::Remove { expected, done } => {
            (done == (state == Some(expected)), changed(done, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(events: &[(u64, u64, Operation)]) -> Vec<Event> {
        let event = |&(began, ended, operation)| Event {
            began,
            ended,
            operation,
        };
        events.iter().map(event).collect()
    }

    #[test]
    fn an_order_is_found_where_there_is_one() {
        // The read began first and saw what was written while it was under way.
        let overlapping = history(&[
            (0, 5, Operation::Get { found: Some(1) }),
            (1, 2, Operation::Put { value: 1 }),
            (3, 7, Operation::Take { found: Some(1) }),
            (4, 6, Operation::Take { found: None }),
        ]);
        assert!(has_one_order(&overlapping));
    }

    #[test]
    fn no_order_is_found_where_there_is_none() {
        let put = (0, 1, Operation::Put { value: 1 });
        let insert = |value| Operation::Insert { value, done: true };
        let swap = |value| Operation::Swap {
            expected: 1,
            value,
            done: true,
        };
        for impossible in [
            // A stale read, after the write had been answered.
            vec![put, (2, 3, Operation::Get { found: None })],
            // Two winners.
            vec![
                put,
                (2, 4, Operation::Take { found: Some(1) }),
                (3, 5, Operation::Take { found: Some(1) }),
            ],
            vec![(0, 2, insert(1)), (1, 3, insert(2))],
            vec![put, (2, 4, swap(2)), (3, 5, swap(3))],
            // A value that was there, then not, then again.
            vec![
                (0, 9, Operation::Put { value: 1 }),
                (1, 2, Operation::Get { found: Some(1) }),
                (3, 4, Operation::Get { found: None }),
            ],
        ] {
            assert!(!has_one_order(&history(&impossible)), "{impossible:?}");
        }
    }
}
