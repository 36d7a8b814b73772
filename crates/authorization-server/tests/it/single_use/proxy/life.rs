//! What becomes of one login, as its client knows it, and what the servers make of it after a kill.

use std::time::Duration;

use futures_util::future::join;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::Clock as _;
use portcullis_testkit::{Browser, ScriptedUpstream};

use super::super::client::{Answer, Client, Tokens};
use super::{LOAD, Login};

/// A login.
pub(super) struct Life {
    pub(super) user: String,
    pub(super) browser: Browser,
    pub(super) login: Login,
    /// The latest.
    pub(super) tokens: Option<Tokens>,
    pub(super) is_revoked: bool,
    /// What was asked for, and never answered.
    pub(super) pending: Option<Deed>,
    /// How long one of two took where the other was killed.
    pub(super) waited: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Redeem,
    Refresh,
    /// By two at once.
    RefreshTwice,
    Load,
    Revoke,
}

/// What there was to see of it.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Nothing of these may be worth anything any more.
    pub(super) dead: Option<Tokens>,
    /// How long the first answer took after a kill in the middle of an exchange.
    pub(super) waited: Option<Duration>,
    /// The answer to an exchange was lost, and the provider ended the grant when it was asked again.
    pub(super) is_ended: bool,
    /// A login whose last step was never answered.
    pub(super) is_login_lost: bool,
}

impl Life {
    /// Does it. Whether there was an answer.
    pub(super) async fn does(&mut self, client: &Client, deed: Deed) -> bool {
        let (clock, tokens) = (SystemClock::new(), self.tokens.clone());
        let refresh = || tokens.as_ref().unwrap().refresh.as_str();
        let answer = match deed {
            Deed::Redeem => client.redeem(self.login.code.as_ref().unwrap()).await,
            Deed::Refresh => client.refresh(refresh()).await,
            Deed::RefreshTwice => {
                let begun = clock.monotonic();
                let both = join(client.refresh(refresh()), client.refresh(refresh()));
                let (one, other) = both.await;
                if let (Some(one), Some(other)) = (one.tokens(), other.tokens()) {
                    assert_eq!(one, other, "two successors: {}", self.user);
                } else {
                    let is_lost = one.is_lost() || other.is_lost();
                    assert!(is_lost, "died by itself: {one:?} {other:?} {}", self.user);
                    if one.tokens().is_none() && other.tokens().is_none() {
                        // What became of it is seen later.
                        return false;
                    }
                    self.waited = Some(clock.monotonic().saturating_since(begun));
                }
                if one.is_lost() { other } else { one }
            }
            Deed::Load => {
                let access = &tokens.as_ref().unwrap().access;
                let (status, _) = client.ask(access, LOAD).await;
                let is_lost = matches!(status, 502 | 503);
                assert!(is_lost || status == 200, "{}: {status}", self.user);
                return !is_lost;
            }
            Deed::Revoke => client.revoke(refresh()).await,
        };
        if answer.is_lost() {
            return false;
        }
        assert_eq!(answer.status, 200, "{deed:?} of {}: {answer:?}", self.user);
        match deed {
            Deed::Revoke => self.is_revoked = true,
            _ => self.tokens = answer.tokens(),
        }
        true
    }

    /// Holds what the client knows against what the servers do now.
    pub(super) async fn judge(&self, client: &Client, upstream: &ScriptedUpstream) -> Verdict {
        let clock = SystemClock::new();
        let mut verdict = Verdict {
            waited: self.waited,
            ..Verdict::default()
        };
        let Some(code) = &self.login.code else {
            verdict.is_login_lost = true;
            self.comes_back_once(client).await;
            return verdict;
        };
        verdict.dead = match (&self.tokens, self.pending) {
            (None, pending) => self.redeems(client, code, pending.is_some()).await,
            (Some(tokens), None) if self.is_revoked => Some(tokens.clone()),
            (Some(tokens), None) => Some(self.goes_on(client, tokens).await),
            (Some(tokens), Some(Deed::Revoke)) => {
                assert_eq!(client.revoke(&tokens.refresh).await.status, 200);
                Some(tokens.clone())
            }
            (Some(tokens), Some(_)) => {
                let begun = clock.monotonic();
                let answer = client.refresh(&tokens.refresh).await;
                verdict.waited = Some(clock.monotonic().saturating_since(begun));
                Some(
                    self.after(client, upstream, (tokens, &answer), &mut verdict)
                        .await,
                )
            }
        };
        if let Some(tokens) = &verdict.dead {
            assert_dead(client, tokens, &self.user).await;
            assert!(
                client.redeem(code).await.is_refusal(),
                "twice: {}",
                self.user
            );
            self.comes_back_once(client).await;
        }
        verdict
    }

    /// A browser that comes back again gets nothing, unless it never did before.
    async fn comes_back_once(&self, client: &Client) {
        let again = self.browser.open(&self.login.callback).await;
        let code = again.location().and_then(|_| {
            let answer = again.answer();
            answer.one("code").unwrap().map(str::to_owned)
        });
        let Some(code) = code else { return };
        assert_eq!(self.login.code, None, "came back twice: {}", self.user);
        let tokens = client.redeem(&code).await.tokens().expect("a code is good");
        assert_eq!(client.revoke(&tokens.refresh).await.status, 200);
    }

    /// A code that was not used is good, once.
    async fn redeems(&self, client: &Client, code: &str, may_be_used: bool) -> Option<Tokens> {
        let answer = client.redeem(code).await;
        let Some(tokens) = answer.tokens() else {
            assert!(
                may_be_used && answer.is_refusal(),
                "lost: {} {answer:?}",
                self.user
            );
            return None;
        };
        assert_eq!(client.call(&tokens.access).await, 200, "{}", self.user);
        // A code that was used is not good again, and ends what came of it.
        assert!(
            client.redeem(code).await.is_refusal(),
            "twice: {}",
            self.user
        );
        Some(tokens)
    }

    /// Tokens that were given are good, and so is what stands behind them.
    async fn goes_on(&self, client: &Client, tokens: &Tokens) -> Tokens {
        let user = &self.user;
        let (status, theirs) = client.ask(&tokens.access, LOAD).await;
        assert_eq!(status, 200, "lost: {user}");
        assert!(theirs.starts_with("up-access"), "{user}: {theirs}");
        let next = client.refresh(&tokens.refresh).await;
        let next = next
            .tokens()
            .unwrap_or_else(|| panic!("lost: {user} {next:?}"));
        let again = client.refresh(&tokens.refresh).await.tokens();
        assert_eq!(again.as_ref(), Some(&next), "two successors: {user}");
        assert_eq!(client.revoke(&next.refresh).await.status, 200);
        next
    }

    /// An exchange without an answer is tried again. It goes on, or the provider has ended the grant
    /// because it had answered.
    async fn after(
        &self,
        client: &Client,
        upstream: &ScriptedUpstream,
        (tokens, answer): (&Tokens, &Answer),
        verdict: &mut Verdict,
    ) -> Tokens {
        if let Some(next) = answer.tokens() {
            return self.goes_on(client, &next).await;
        }
        assert!(answer.is_refusal(), "{}: {answer:?}", self.user);
        let reused = upstream.reused();
        assert!(reused.contains(&self.user), "died by itself: {}", self.user);
        verdict.is_ended = true;
        tokens.clone()
    }
}

/// Nothing of it is worth anything.
pub(super) async fn assert_dead(client: &Client, tokens: &Tokens, what: &str) {
    // Each process is asked.
    for _ in 0..2 {
        assert_eq!(client.call(&tokens.access).await, 401, "alive: {what}");
        let refused = client.refresh(&tokens.refresh).await;
        assert!(refused.is_refusal(), "alive: {what} {refused:?}");
    }
}
