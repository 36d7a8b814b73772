//! Proxies that are killed while they exchange what a provider gave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_oauth::json::json;
use portcullis_testkit::ScriptedUpstream;

use super::super::chance::Chance;
use super::super::client::{Client, Tokens};
use super::super::cluster::Cluster;
use super::super::{say, times};
use super::life::{Deed, Life, Verdict, assert_dead};
use super::log_in;

/// How often somebody is killed in every run of the tests, and how many kills of the others cost as
/// much time as one of these: after each, a lease has to end.
const FEW: u32 = 2;
const COST: u32 = 4;
/// Clients at once.
const WORKERS: u32 = 10;
/// At most so many exchanges come before the next kill.
const EXCHANGES: u32 = 20;
/// Dead tokens that are tried again after each kill.
const TRIED_AGAIN: usize = 12;
/// Longer than a lease of whoever was killed, and what comes after it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many of what there were.
#[derive(Debug, Default)]
struct Tally {
    lives: u32,
    logins_lost: u32,
    exchanges: u32,
    ended: BTreeSet<String>,
    waited: Vec<Duration>,
    dead: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_13_a_proxy_loses_nothing_through_kill_9() {
    kills(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_13_two_proxies_lose_nothing_through_kill_9() {
    kills(2).await;
}

/// Nothing that was answered is lost, nothing is redeemed twice, nothing comes back, and no grant ends
/// but by its provider.
async fn kills(processes: usize) {
    let upstream = Arc::new(ScriptedUpstream::start().await);
    upstream.openid(false);
    upstream.rotates(true);
    // So soon that whoever loads a token exchanges it.
    upstream.access_lifetime(Duration::from_secs(30));
    let cluster = Cluster::before(Some(upstream.issuer().as_str()), processes).await;
    let client = Client(cluster.site());
    let (mut tally, mut dead) = (Tally::default(), Vec::<Tokens>::new());
    let kills = times("kills", FEW * COST).div_ceil(COST);
    for kill in 0..kills {
        let chance = Chance::new(u64::from(kill) + (1 << 41));
        let victims = match processes {
            1 => &[0][..],
            _ => [&[0][..], &[1], &[0, 1]][kill as usize % 3],
        };
        let round = Round {
            kill,
            chance: &chance,
            victims,
        };
        let lives = round.until_killed(&cluster, &client, &upstream).await;
        for victim in victims {
            cluster.restart(*victim).await;
        }
        for tokens in dead.iter().rev().take(TRIED_AGAIN) {
            assert_dead(&client, tokens, "after a restart").await;
            tally.dead += 1;
        }
        let judged = lives.iter().map(|life| life.judge(&client, &upstream));
        let judged = tokio::time::timeout(PATIENCE, join_all(judged)).await;
        for (life, verdict) in lives.iter().zip(judged.expect("it goes on")) {
            dead.extend(verdict.dead.clone());
            tally.add(life, &verdict);
        }
    }
    tally.check(&upstream);
    say(&format!(
        "{kills} times kill -9 of {processes} that stand before a provider: {tally}, {} grants that \
         ended here are left there",
        upstream.live_grants()
    ));
}

/// One kill.
struct Round<'a> {
    kill: u32,
    chance: &'a Chance,
    victims: &'a [usize],
}

impl Round<'_> {
    /// Lets clients work, and kills somebody in the middle of an exchange.
    async fn until_killed(
        &self,
        cluster: &Cluster,
        client: &Client,
        upstream: &Arc<ScriptedUpstream>,
    ) -> Vec<Life> {
        let stop = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let worker = Worker {
                    client: client.clone(),
                    upstream: Arc::clone(upstream),
                    name: format!("user-{}-{worker}", self.kill),
                    chance: Chance::new(u64::from(self.kill * WORKERS + worker) + (1 << 42)),
                    stop: Arc::clone(&stop),
                };
                tokio::spawn(worker.work())
            })
            .collect();
        let wanted = WORKERS + self.chance.below(EXCHANGES);
        let wanted = upstream.hits("/token") + wanted as usize;
        upstream.wait_for_hits("/token", wanted).await;
        // Every other time the provider has not done it yet.
        let held = self.kill.is_multiple_of(2).then(|| upstream.hold("/token"));
        if held.is_some() {
            let wanted = upstream.hits("/token") + 1;
            upstream.wait_for_hits("/token", wanted).await;
        }
        for _ in 0..self.chance.below(200) {
            tokio::task::yield_now().await;
        }
        for victim in self.victims {
            cluster.kill(*victim);
        }
        stop.store(true, Ordering::SeqCst);
        drop(held);
        let lives = join_all(workers).await;
        lives.into_iter().flat_map(Result::unwrap).collect()
    }
}

/// A client, and users who come one after the other.
struct Worker {
    client: Client,
    upstream: Arc<ScriptedUpstream>,
    name: String,
    chance: Chance,
    stop: Arc<AtomicBool>,
}

impl Worker {
    async fn work(self) -> Vec<Life> {
        let mut lives = Vec::new();
        while !self.is_stopped() {
            let user = format!("{}-{}", self.name, lives.len());
            let Some(life) = self.live(user).await else {
                break;
            };
            lives.push(life);
        }
        lives
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// A login, and what a client does with it.
    async fn live(&self, user: String) -> Option<Life> {
        self.upstream.user(&user, json!({}));
        let browser = self.client.browser();
        let login = log_in(&browser, &self.upstream, &user).await?;
        let has_code = login.code.is_some();
        let mut life = Life {
            user,
            browser,
            login,
            tokens: None,
            is_revoked: false,
            pending: None,
            waited: None,
        };
        let kinds = [Deed::Refresh, Deed::RefreshTwice, Deed::Load];
        let number = self.chance.below(4);
        let deeds = (0..number).map(|_| kinds[self.chance.below(3) as usize]);
        let mut deeds: Vec<_> = [Deed::Redeem].into_iter().chain(deeds).collect();
        if self.chance.below(3) == 0 {
            deeds.push(Deed::Revoke);
        }
        for deed in deeds.into_iter().filter(|_| has_code) {
            if self.is_stopped() {
                break;
            }
            if deed != Deed::Redeem && deed != Deed::Revoke {
                // What was had in this second is not exchanged.
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            life.pending = Some(deed);
            if !life.does(&self.client, deed).await {
                break;
            }
            life.pending = None;
        }
        Some(life)
    }
}

impl Tally {
    fn add(&mut self, life: &Life, verdict: &Verdict) {
        self.lives += 1;
        self.logins_lost += u32::from(verdict.is_login_lost);
        self.waited.extend(verdict.waited);
        self.exchanges += u32::from(verdict.waited.is_some());
        if verdict.is_ended {
            self.ended.insert(life.user.clone());
        }
    }

    /// What the provider has seen.
    fn check(&self, upstream: &ScriptedUpstream) {
        let mut offered = BTreeMap::<String, usize>::new();
        for seen in upstream.requests("/token") {
            if let Some(code) = seen.field("code") {
                *offered.entry(code.to_owned()).or_default() += 1;
            }
        }
        assert!(offered.values().all(|times| *times == 1), "a code twice");
        assert!(!offered.is_empty());
        for user in upstream.reused() {
            assert!(
                self.ended.contains(&user),
                "a refresh token was redeemed twice, and no answer was lost: {user}"
            );
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.waited.iter().max().copied().unwrap_or_default();
        write!(
            f,
            "{} logins, {} of them cut off on the way back; {} exchanges without an answer, of which \
             {} had happened and were ended by the provider, and the others went on after {:.1} s at \
             most; {} dead grants stayed dead",
            self.lives,
            self.logins_lost,
            self.exchanges,
            self.ended.len(),
            longest.as_secs_f64(),
            self.dead,
        )
    }
}
