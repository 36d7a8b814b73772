//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::poll_immediate;
use portcullis_store::{Change, Page, Row, Store};
use tokio::task::JoinSet;

use super::Subject;
use super::contract::{NOW, ONE, commit, family, get, key, put, row, value};

/// Callers at once.
const CALLERS: usize = 64;
/// How often they race.
const ROUNDS: u32 = 1000;

/// Of many inserts of one key exactly one happens, and it is what is there.
pub async fn one_of_many_inserts(subject: &Subject) {
    for round in 0..ROUNDS {
        let winner = race(subject, move |store, caller| async move {
            commit(&*store, vec![Change::Insert(row(round, &caller))]).await
        });
        let winner = winner.await;
        assert_eq!(
            get(subject.store(), key(ONE, round)).await,
            Some(row(round, &winner))
        );
    }
}

/// Of many who take a row exactly one gets it.
pub async fn one_of_many_takes(subject: &Subject) {
    for round in 0..ROUNDS {
        put(subject.store(), row(round, "text")).await;
        let winner = race(subject, move |store, _| async move {
            matches!(store.take(key(ONE, round)).await, Ok(Some(_)))
        });
        winner.await;
        assert_eq!(get(subject.store(), key(ONE, round)).await, None);
    }
}

/// Of many who swap what they have all read exactly one does.
pub async fn one_of_many_swaps(subject: &Subject) {
    for round in 0..ROUNDS {
        put(subject.store(), row(round, "read")).await;
        let winner = race(subject, move |store, caller| async move {
            let (expected, row) = (value("read"), row(round, &caller));
            commit(&*store, vec![Change::Swap { expected, row }]).await
        });
        let winner = winner.await;
        assert_eq!(
            get(subject.store(), key(ONE, round)).await,
            Some(row(round, &winner))
        );
    }
}

/// Of many who use one row up and write another in its place, in one batch, exactly one does: no
/// second row comes to be.
pub async fn one_of_many_batches(subject: &Subject) {
    let kin = [5; 32];
    for round in 0..ROUNDS {
        put(subject.store(), row(0, "unused")).await;
        let winner = race(subject, move |store, caller| async move {
            let number = caller.parse().unwrap_or(u32::MAX);
            let mut grant = row(1 + number, &caller);
            grant.families = vec![kin];
            let swap = Change::Swap {
                expected: value("unused"),
                row: row(0, &format!("used by {caller}")),
            };
            // In either order: a condition that fails last must undo what came before.
            let mut batch = vec![Change::Insert(grant), swap];
            if round % 2 == 0 {
                batch.reverse();
            }
            commit(&*store, batch).await
        });
        let winner = winner.await;
        let grants = family(subject.store(), kin, Page::first(10)).await;
        assert_eq!(grants.len(), 1, "round {round}");
        let used = get(subject.store(), key(ONE, 0)).await;
        assert_eq!(used, Some(row(0, &format!("used by {winner}"))));
        assert!(commit(subject.store(), vec![Change::DeleteFamily(kin)]).await);
    }
}

/// All callers do the same on all handles; the one that says it succeeded.
#[expect(
    clippy::expect_used,
    reason = "a caller that panics is the test's own fault"
)]
async fn race<F>(subject: &Subject, call: impl Fn(Arc<dyn Store>, String) -> F) -> String
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let name = caller.to_string();
        let call = call(Arc::clone(subject.handle(caller)), name.clone());
        callers.spawn(async move { call.await.then_some(name) });
    }
    let mut winners = Vec::new();
    while let Some(winner) = callers.join_next().await {
        winners.extend(winner.expect("a caller ends"));
    }
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    winners.pop().unwrap_or_default()
}

const ACCOUNTS: u32 = 8;
const START: i64 = 100;
/// How often somebody looks at all of them.
const LOOKS: usize = 300;

/// Amounts move between accounts, two rows in a batch, while others look on: whoever looks, sees the
/// same sum.
pub async fn transfers_keep_the_sum(subject: &Subject) {
    for account in 0..ACCOUNTS {
        put(subject.store(), balance(account, START, u32::MAX, 0)).await;
    }
    let seen_enough = Arc::new(AtomicBool::new(false));
    let mut movers = JoinSet::new();
    for mover in 0..16_u32 {
        let store = Arc::clone(subject.handle(mover as usize));
        let seen_enough = Arc::clone(&seen_enough);
        movers.spawn(async move {
            for step in 0.. {
                let from = (mover + step) % ACCOUNTS;
                let to = (from + 1 + step % (ACCOUNTS - 1)) % ACCOUNTS;
                while !transfer(&*store, from, to, (mover, step)).await {
                    tokio::task::yield_now().await;
                }
                if seen_enough.load(Ordering::SeqCst) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let expected = i64::from(ACCOUNTS) * START;
    for _ in 0..LOOKS {
        assert_eq!(sum(subject).await, expected, "seen between two halves");
        tokio::task::yield_now().await;
    }
    seen_enough.store(true, Ordering::SeqCst);
    while let Some(moved) = movers.join_next().await {
        assert!(moved.is_ok(), "a transfer ends");
    }
    assert_eq!(sum(subject).await, expected);
}

/// Moves 1, if neither account was changed meanwhile.
async fn transfer(store: &dyn Store, from: u32, to: u32, who: (u32, u32)) -> bool {
    let (Some(source), Some(target)) = (
        get(store, key(ONE, from)).await,
        get(store, key(ONE, to)).await,
    ) else {
        return false;
    };
    let moved = |account, row: &Row, amount| Change::Swap {
        expected: row.value.clone(),
        row: balance(account, amount_of(row) + amount, who.0, who.1),
    };
    let batch = vec![moved(from, &source, -1), moved(to, &target, 1)];
    commit(store, batch).await
}

/// A row of an account. Who wrote it makes it differ from all others.
fn balance(account: u32, amount: i64, mover: u32, step: u32) -> Row {
    row(account, &format!("{amount} {mover} {step}"))
}

fn amount_of(row: &Row) -> i64 {
    let text = std::str::from_utf8(&row.value).unwrap_or_default();
    let amount = text.split(' ').next().unwrap_or_default();
    amount.parse().unwrap_or(i64::MIN / 100)
}

async fn sum(subject: &Subject) -> i64 {
    let rows = subject.store().list(ONE, Page::first(100)).await;
    rows.unwrap_or_default().iter().map(amount_of).sum()
}

/// A caller that leaves before its answer leaves a whole batch or none.
pub async fn dropped_calls_leave_nothing_half(subject: &Subject) {
    let kin = |round: u32| {
        let mut kin = [8; 32];
        let (head, _) = kin.split_at_mut(4);
        head.copy_from_slice(&round.to_be_bytes());
        kin
    };
    for round in 0..300_u32 {
        let pair = [round * 2, round * 2 + 1].map(|at| {
            let mut row = row(at, "text");
            row.families = vec![kin(round)];
            Change::Insert(row)
        });
        let mut call = subject.store().commit(pair.to_vec(), NOW);
        // Looked at a few times, and let go.
        for _ in 0..=round % 4 {
            if poll_immediate(&mut call).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        let members = family(subject.store(), kin(round), Page::first(10)).await;
        assert!(
            matches!(members.len(), 0 | 2),
            "half a batch in round {round}"
        );
    }
    put(subject.store(), row(u32::MAX, "the store still works")).await;
    for round in 0..300 {
        let members = family(subject.store(), kin(round), Page::first(10)).await;
        assert!(
            matches!(members.len(), 0 | 2),
            "half a batch in round {round}"
        );
    }
}
