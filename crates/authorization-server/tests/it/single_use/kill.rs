//! Processes that are killed at any point, and what their clients were told before.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_testkit::Browser;
use tokio::sync::watch;

use super::chance::Chance;
use super::client::{Client, Tokens, code};
use super::cluster::Cluster;
use super::{say, times};

/// How often somebody is killed in every run of the tests.
const FEW: u32 = 6;
/// Clients at once.
const WORKERS: u32 = 6;
/// At most so many answers come before the next kill.
const ANSWERS: u32 = 80;
/// Dead tokens that are tried again after each kill.
const TRIED_AGAIN: usize = 12;

/// What one code became, as its client knows it.
#[derive(Debug)]
struct Life {
    code: String,
    /// The latest.
    tokens: Option<Tokens>,
    /// Refresh tokens that were replaced, the oldest first.
    replaced: Vec<String>,
    is_revoked: bool,
    /// What was asked for, and never answered.
    pending: Option<Deed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Redeem,
    Refresh,
    Revoke,
}

/// How many of what there were.
#[derive(Debug, Default)]
struct Tally {
    lives: u32,
    acknowledged: u32,
    redeeming: u32,
    redeeming_done: u32,
    refreshing: u32,
    revoking: u32,
    revoking_done: u32,
    dead: u32,
}

/// Nothing that was answered is lost, nothing is used twice, and nothing comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_st_10_single_use_holds_through_kill_9() {
    let cluster = Cluster::start(2).await;
    let client = Client(cluster.site());
    let (mut tally, mut dead) = (Tally::default(), Vec::<Tokens>::new());
    let kills = times("kills", FEW);
    for kill in 0..kills {
        let chance = Chance::new(u64::from(kill));
        let victims: &[usize] = [&[0][..], &[1], &[0, 1]][kill as usize % 3];
        let lives = until_killed(&cluster, &client, (kill, &chance), victims).await;
        for victim in victims {
            cluster.restart(*victim).await;
        }
        // Of those that died long ago some, of those that died just now all.
        let old = dead.len().saturating_sub(TRIED_AGAIN);
        let some = (0..TRIED_AGAIN).map(|_| chance.below(u32::try_from(old).unwrap().max(1)));
        let tried: Vec<_> = some.filter_map(|at| dead.get(at as usize)).collect();
        for tokens in tried.into_iter().chain(dead.iter().skip(old)) {
            assert_dead(&client, tokens, "after a restart").await;
            tally.dead += 1;
        }
        let judged = lives.into_iter().map(|life| judge(&client, life));
        for (ended, found) in join_all(judged).await {
            dead.extend(ended);
            tally.add(&found);
        }
    }
    assert!(tally.acknowledged > kills, "{tally:?}");
    say(&format!("{kills} times kill -9: {tally}"));
}

/// Lets clients work, and kills somebody among it.
async fn until_killed(
    cluster: &Cluster,
    client: &Client,
    (kill, chance): (u32, &Chance),
    victims: &[usize],
) -> Vec<Life> {
    let (told, mut answered) = watch::channel(0);
    let (told, stop) = (Arc::new(told), Arc::new(AtomicBool::new(false)));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let worker = Worker {
                client: client.clone(),
                user: format!("user-{kill}-{worker}"),
                chance: Chance::new(u64::from(kill * WORKERS + worker) + (1 << 40)),
                told: Arc::clone(&told),
                stop: Arc::clone(&stop),
            };
            tokio::spawn(worker.work())
        })
        .collect();
    let wanted = chance.below(ANSWERS);
    let enough = answered.wait_for(|answers| *answers >= wanted);
    let enough = tokio::time::timeout(Duration::from_secs(60), enough).await;
    drop(enough.expect("clients are answered"));
    for _ in 0..chance.below(200) {
        tokio::task::yield_now().await;
    }
    for victim in victims {
        cluster.kill(*victim);
    }
    stop.store(true, Ordering::SeqCst);
    let lives = join_all(workers).await;
    lives.into_iter().flat_map(Result::unwrap).collect()
}

/// A client and its user.
struct Worker {
    client: Client,
    user: String,
    chance: Chance,
    told: Arc<watch::Sender<u32>>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    async fn work(self) -> Vec<Life> {
        let mut lives = Vec::new();
        let browser = self.client.browser();
        while !self.stop.load(Ordering::SeqCst) {
            lives.extend(self.live(&browser).await);
        }
        lives
    }

    /// A code, and what a client does with it.
    async fn live(&self, browser: &Browser) -> Option<Life> {
        let code = code(browser, &self.user).await?;
        self.answered();
        let mut life = Life {
            code,
            tokens: None,
            replaced: Vec::new(),
            is_revoked: false,
            pending: None,
        };
        let refreshes = self.chance.below(5);
        let mut deeds = vec![Deed::Refresh; refreshes as usize];
        if self.chance.below(3) == 0 {
            deeds.push(Deed::Revoke);
        }
        deeds.insert(0, Deed::Redeem);
        for deed in deeds {
            // Now and then a client is satisfied.
            if self.stop.load(Ordering::SeqCst) || self.chance.below(12) == 0 {
                break;
            }
            life.pending = Some(deed);
            if !life.does(&self.client, deed).await {
                break;
            }
            life.pending = None;
            self.answered();
        }
        Some(life)
    }

    fn answered(&self) {
        self.told.send_modify(|answers| *answers += 1);
    }
}

impl Life {
    /// Does it. Whether there was an answer.
    async fn does(&mut self, client: &Client, deed: Deed) -> bool {
        let refresh = self.tokens.as_ref().map(|tokens| tokens.refresh.clone());
        let refresh = refresh.unwrap_or_default();
        let answer = match deed {
            Deed::Redeem => client.redeem(&self.code).await,
            Deed::Refresh => client.refresh(&refresh).await,
            Deed::Revoke => client.revoke(&refresh).await,
        };
        if answer.is_lost() {
            return false;
        }
        assert_eq!(answer.status, 200, "{deed:?}: {answer:?}");
        match deed {
            Deed::Revoke => self.is_revoked = true,
            Deed::Redeem => self.tokens = answer.tokens(),
            Deed::Refresh => {
                self.replaced.push(refresh);
                self.tokens = answer.tokens();
            }
        }
        true
    }
}

/// Holds what a client knows against what the servers do now. What is dead afterwards, and what there
/// was to see.
async fn judge(client: &Client, life: Life) -> (Option<Tokens>, Tally) {
    let mut tally = Tally {
        lives: 1,
        acknowledged: u32::from(life.pending.is_none()),
        ..Tally::default()
    };
    let dead = match (&life.tokens, life.pending) {
        (None, None) => Some(redeems(client, &life, "a code that was given").await),
        (None, _) => {
            tally.redeeming = 1;
            let answer = client.redeem(&life.code).await;
            assert!(answer.status == 200 || answer.is_refusal(), "{answer:?}");
            tally.redeeming_done = u32::from(answer.is_refusal());
            let tokens = answer.tokens();
            if let Some(tokens) = &tokens {
                spend_again(client, &life, tokens).await;
            }
            tokens
        }
        (Some(tokens), None) if life.is_revoked => Some(tokens.clone()),
        (Some(tokens), None) => Some(goes_on(client, &life, tokens).await),
        (Some(tokens), Some(Deed::Revoke)) => {
            tally.revoking = 1;
            tally.revoking_done = u32::from(client.call(&tokens.access).await == 401);
            assert_eq!(client.revoke(&tokens.refresh).await.status, 200);
            Some(tokens.clone())
        }
        (Some(tokens), Some(_)) => {
            tally.refreshing = 1;
            Some(tries_again(client, tokens).await)
        }
    };
    if let Some(tokens) = &dead {
        assert_dead(client, tokens, &format!("{life:?}")).await;
        let replayed = client.redeem(&life.code).await;
        assert!(replayed.is_refusal(), "twice: {life:?}");
    }
    (dead, tally)
}

/// A code that was not used is good, once.
async fn redeems(client: &Client, life: &Life, what: &str) -> Tokens {
    let tokens = client.redeem(&life.code).await.tokens();
    let tokens = tokens.unwrap_or_else(|| panic!("{what} is lost: {life:?}"));
    spend_again(client, life, &tokens).await;
    tokens
}

/// A code that was used is not good again, and ends what came of it.
async fn spend_again(client: &Client, life: &Life, tokens: &Tokens) {
    assert_eq!(client.call(&tokens.access).await, 200, "{life:?}");
    let again = client.redeem(&life.code).await;
    assert!(again.is_refusal(), "twice: {again:?} {life:?}");
}

/// Tokens that were given are good; what they replaced is not.
async fn goes_on(client: &Client, life: &Life, tokens: &Tokens) -> Tokens {
    assert_eq!(client.call(&tokens.access).await, 200, "lost: {life:?}");
    if let [oldest, _, ..] = &*life.replaced {
        let reused = client.refresh(oldest).await;
        assert!(reused.is_refusal(), "{reused:?} {life:?}");
        return tokens.clone();
    }
    let next = client.refresh(&tokens.refresh).await.tokens();
    let next = next.unwrap_or_else(|| panic!("lost: {life:?}"));
    let again = client.refresh(&tokens.refresh).await.tokens();
    assert_eq!(again.as_ref(), Some(&next), "two successors: {life:?}");
    assert_eq!(client.call(&next.access).await, 200);
    let spent = client.redeem(&life.code).await;
    assert!(spent.is_refusal(), "twice: {spent:?} {life:?}");
    next
}

/// A refresh without an answer is tried again, and it has one successor, whether the first one
/// happened or not.
async fn tries_again(client: &Client, tokens: &Tokens) -> Tokens {
    let both = [0, 1].map(|_| client.refresh(&tokens.refresh));
    let both = join_all(both).await;
    let [one, other] = [0, 1].map(|at| both[at].tokens());
    let next = one.unwrap_or_else(|| panic!("shut out: {both:?}"));
    assert_eq!(other.as_ref(), Some(&next), "two successors");
    let after = client.refresh(&next.refresh).await.tokens();
    let after = after.expect("a successor is good");
    assert_eq!(client.call(&after.access).await, 200);
    let reused = client.refresh(&tokens.refresh).await;
    assert!(reused.is_refusal(), "{reused:?}");
    after
}

async fn assert_dead(client: &Client, tokens: &Tokens, what: &str) {
    // Each process is asked.
    for _ in 0..2 {
        assert_eq!(client.call(&tokens.access).await, 401, "alive: {what}");
        let refused = client.refresh(&tokens.refresh).await;
        assert!(refused.is_refusal(), "alive: {refused:?} {what}");
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.acknowledged += other.acknowledged;
        self.redeeming += other.redeeming;
        self.redeeming_done += other.redeeming_done;
        self.refreshing += other.refreshing;
        self.revoking += other.revoking;
        self.revoking_done += other.revoking_done;
        self.dead += other.dead;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lives,
            acknowledged,
            redeeming,
            redeeming_done,
            refreshing,
            revoking,
            revoking_done,
            dead,
        } = self;
        write!(
            f,
            "{lives} codes and what came of them, {acknowledged} with every answer; without the last \
             one {redeeming} redemptions ({redeeming_done} had happened), {refreshing} refreshes, \
             {revoking} revocations ({revoking_done} had happened); {dead} dead grants stayed dead"
        )
    }
}
