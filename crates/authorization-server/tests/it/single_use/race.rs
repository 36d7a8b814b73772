//! Many who use the same thing at once.

use std::sync::Arc;

use futures_util::future::join_all;
use portcullis_store::{MemoryStore, SealingKeys};
use portcullis_testkit::SeededEntropy;
use portcullis_testkit::store::FaultyStore;

use super::client::{Answer, Client, Tokens, code, server};
use super::cluster::Cluster;
use super::{say, times};

/// Callers at once.
const CALLERS: usize = 64;
/// Rounds of each kind in every run of the tests.
const FEW: u32 = 6;
/// Refreshes of one family.
const GENERATIONS: u32 = 5;
/// Grants of one user: more would end the oldest.
const GRANTS: u32 = 20;

fn rounds() -> u32 {
    times("rounds", FEW)
}

/// In memory, where callers come between each other at every step.
async fn in_memory() -> Client {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    let keys = SealingKeys::generate(&SeededEntropy::new(1)).unwrap();
    Client(server((store, keys).into()).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cd_01_one_of_64_redemptions_wins_in_memory() {
    codes(&in_memory().await, "in memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cd_01_one_of_64_redemptions_wins_over_two_processes() {
    let cluster = Cluster::start(2).await;
    codes(&Client(cluster.site()), "on two processes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_02_refreshes_at_once_have_one_successor_in_memory() {
    refreshes(&in_memory().await, "in memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_02_refreshes_at_once_have_one_successor_over_two_processes() {
    let cluster = Cluster::start(2).await;
    refreshes(&Client(cluster.site()), "on two processes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rv_02_no_refresh_outruns_a_revocation_in_memory() {
    revocations(&in_memory().await, "in memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rv_02_no_refresh_outruns_a_revocation_over_two_processes() {
    let cluster = Cluster::start(2).await;
    revocations(&Client(cluster.site()), "on two processes").await;
}

/// One code, many who redeem it: one gets tokens, the others are told that it was used, and because
/// two have had it, what came of it is worth nothing.
async fn codes(client: &Client, place: &str) {
    for round in 0..rounds() {
        let code = fresh_code(client, round).await;
        let answers = at_once(client, |client, _| {
            let code = code.clone();
            async move { client.redeem(&code).await }
        });
        let answers = answers.await;
        let won: Vec<_> = answers.iter().filter_map(Answer::tokens).collect();
        assert_eq!(won.len(), 1, "round {round}");
        let refused = answers.iter().filter(|answer| answer.is_refusal()).count();
        assert_eq!(refused, CALLERS - 1, "round {round}: {answers:?}");
        assert_dead(client, &won[0], round).await;
    }
    say(&format!(
        "{} codes {place}, each redeemed by {CALLERS} at once: one winner each",
        rounds()
    ));
}

/// One refresh token, many who use it: all get the same successor, and it is the only one.
async fn refreshes(client: &Client, place: &str) {
    let families = rounds().div_ceil(GENERATIONS);
    for round in 0..families {
        let mut tokens = fresh_tokens(client, round).await;
        let first = tokens.clone();
        for generation in 0..GENERATIONS {
            let answers = at_once(client, |client, _| {
                let refresh = tokens.refresh.clone();
                async move { client.refresh(&refresh).await }
            });
            let answers = answers.await;
            let mut next: Vec<_> = answers.iter().filter_map(Answer::tokens).collect();
            assert_eq!(next.len(), CALLERS, "family {round}: {answers:?}");
            next.dedup();
            assert_eq!(next.len(), 1, "family {round}, generation {generation}");
            tokens = next.remove(0);
            assert_eq!(client.call(&tokens.access).await, 200);
        }
        // Whoever comes with one of long ago is not its client any more.
        let reused = client.refresh(&first.refresh).await;
        assert!(reused.is_refusal(), "family {round}: {reused:?}");
        assert_dead(client, &tokens, round).await;
    }
    say(&format!(
        "{families} families {place}, {GENERATIONS} times refreshed by {CALLERS} at once: one successor each",
    ));
}

/// One family, many who refresh while some revoke: whatever they were told, all of it is dead then.
async fn revocations(client: &Client, place: &str) {
    let mut late = 0;
    for round in 0..rounds() {
        let tokens = fresh_tokens(client, round).await;
        // One of them revokes, the first, or the second, ..
        let revoker = round as usize % CALLERS;
        let answers = at_once(client, |client, caller| {
            let refresh = tokens.refresh.clone();
            async move {
                if caller == revoker {
                    client.revoke(&refresh).await
                } else {
                    client.refresh(&refresh).await
                }
            }
        });
        let answers = answers.await;
        let mut got: Vec<_> = answers.iter().filter_map(Answer::tokens).collect();
        got.dedup();
        assert!(got.len() <= 1, "round {round}: two successors");
        late += got.len();
        for tokens in got.iter().chain([&tokens]) {
            assert_dead(client, tokens, round).await;
        }
    }
    say(&format!(
        "{} families {place}, revoked while {CALLERS} use them: all dead, {late} after a refresh",
        rounds()
    ));
}

/// Nothing of it is worth anything.
async fn assert_dead(client: &Client, tokens: &Tokens, round: u32) {
    // Each process is asked.
    for _ in 0..2 {
        assert_eq!(client.call(&tokens.access).await, 401, "round {round}");
        let refused = client.refresh(&tokens.refresh).await;
        assert!(refused.is_refusal(), "round {round}: {refused:?}");
    }
}

/// All of them do it at once.
async fn at_once<F>(client: &Client, act: impl Fn(Client, usize) -> F) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let callers = (0..CALLERS).map(|caller| tokio::spawn(act(client.clone(), caller)));
    let answers = join_all(callers.collect::<Vec<_>>()).await;
    answers.into_iter().map(Result::unwrap).collect()
}

async fn fresh_code(client: &Client, round: u32) -> String {
    let user = format!("user-{}", round / GRANTS);
    let code = code(&client.browser(), &user).await;
    code.expect("a user gives a code")
}

async fn fresh_tokens(client: &Client, round: u32) -> Tokens {
    let code = fresh_code(client, round).await;
    let answer = client.redeem(&code).await;
    answer.tokens().expect("a code gives tokens")
}
