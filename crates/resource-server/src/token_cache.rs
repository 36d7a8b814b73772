//! Tokens that were verified already.
//!
//! # Rules
//!
//! * The key is a digest of the token, and the resource; the token's text is not kept.
//! * An entry ends at the token's `exp`, by the wall clock *and* by the monotonic one, so a wall
//!   clock that is set back brings nothing back.
//! * There is a bound. What is used least makes room.
//! * A lookup neither waits nor allocates.

use std::fmt;
use std::time::Duration;

use portcullis_oauth::{BearerToken, Clock, Monotonic, ResourceUrl, Timestamp};
use quick_cache::sync::Cache;

use crate::AccessToken;

/// What a token is remembered under: its digest, and the resource at which it was presented.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    token: [u8; 32],
    resource: ResourceUrl,
}

impl CacheKey {
    pub(crate) fn of(token: &BearerToken, resource: &ResourceUrl) -> Self {
        Self {
            token: *token.digest(),
            resource: resource.clone(),
        }
    }
}

/// Verified tokens, each with a stamp `S` that says on what the verdict rests.
pub(crate) struct VerifiedCache<S> {
    entries: Option<Cache<CacheKey, Entry<S>>>,
}

#[derive(Clone)]
struct Entry<S> {
    token: AccessToken,
    stamp: S,
    /// The token's own end.
    expires_at: Option<Timestamp>,
    /// The same end, or an earlier one, on the clock that never goes back.
    until: Monotonic,
}

impl<S: Clone> VerifiedCache<S> {
    /// A cache of at most `capacity` tokens; none at all with 0.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: (capacity > 0).then(|| Cache::new(capacity)),
        }
    }

    /// A token that was verified, and is still valid by both clocks.
    pub(crate) fn get(&self, key: &CacheKey, clock: &dyn Clock) -> Option<(AccessToken, S)> {
        let entries = self.entries.as_ref()?;
        let entry = entries.get(key)?;
        // SECURITY: no hit at or after `exp`, even when the wall clock was set back (RFC 7519
        // section 4.1.4); sec_jwt_21_a_wall_clock_set_back_revives_nothing
        let over = clock.monotonic() >= entry.until
            || entry.expires_at.is_some_and(|end| clock.now() >= end);
        if over {
            entries.remove(key);
            return None;
        }
        Some((entry.token, entry.stamp))
    }

    /// Remembers a token until its `exp`, at most for `cap`. A token without an end and without a
    /// cap is not remembered.
    pub(crate) fn insert(
        &self,
        key: CacheKey,
        token: &AccessToken,
        stamp: S,
        (cap, clock): (Option<Duration>, &dyn Clock),
    ) {
        let Some(entries) = &self.entries else { return };
        let expires_at = token.expires_at();
        let left = expires_at.map(|end| end.duration_since(clock.now()));
        let Some(lifetime) = left.into_iter().chain(cap).min() else {
            return;
        };
        if lifetime.is_zero() {
            return;
        }
        let entry = Entry {
            token: token.clone(),
            stamp,
            expires_at,
            until: clock.monotonic().saturating_add(lifetime),
        };
        entries.insert(key, entry);
    }
}

impl<S: Clone> fmt::Debug for VerifiedCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCache")
            .field("capacity", &self.entries.as_ref().map(Cache::capacity))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::MockClock;

    use super::*;
    use crate::TokenParts;

    const NOW: i64 = 1_700_000_000;

    fn key(token: &str, resource: &str) -> CacheKey {
        let resource = ResourceUrl::parse(resource).unwrap();
        CacheKey::of(&BearerToken::new(token), &resource)
    }

    fn token(lifetime: i64) -> AccessToken {
        let parts = TokenParts::new("https://i.example", "alice");
        AccessToken::assert_verified(parts.expires_at(Timestamp::from_secs(NOW + lifetime)))
    }

    #[test]
    fn a_token_is_known_for_its_resource_alone() {
        let (cache, clock) = (VerifiedCache::new(10), MockClock::at(NOW));
        let here = key("t", "https://a.example/mcp");
        cache.insert(here.clone(), &token(60), (), (None, &clock));
        assert!(cache.get(&here, &clock).is_some());
        assert!(
            cache
                .get(&key("t", "https://a.example/mcp2"), &clock)
                .is_none()
        );
        assert!(
            cache
                .get(&key("u", "https://a.example/mcp"), &clock)
                .is_none()
        );
        // The border between resource and token is part of the key.
        assert!(key("/xt", "https://a.example/mcp") != key("t", "https://a.example/mcp/x"));
    }

    #[test]
    fn sec_jwt_21_an_entry_ends_at_exp() {
        let (cache, clock) = (VerifiedCache::new(10), MockClock::at(NOW));
        let key = key("t", "https://a.example/mcp");
        cache.insert(key.clone(), &token(60), (), (None, &clock));
        clock.advance(Duration::from_secs(59));
        assert!(cache.get(&key, &clock).is_some());
        clock.advance(Duration::from_secs(1));
        assert!(cache.get(&key, &clock).is_none());
        cache.insert(key.clone(), &token(60), (), (None, &clock));
        assert!(
            cache.get(&key, &clock).is_none(),
            "no entry of an ended token"
        );
    }

    #[test]
    fn sec_jwt_21_a_wall_clock_set_back_revives_nothing() {
        let (cache, clock) = (VerifiedCache::new(10), MockClock::at(NOW));
        let key = key("t", "https://a.example/mcp");
        cache.insert(key.clone(), &token(60), (), (None, &clock));
        clock.advance(Duration::from_secs(60));
        clock.set_wall(NOW - 3600);
        assert!(cache.get(&key, &clock).is_none());
        // And one that is set ahead ends it at once.
        clock.set_wall(NOW);
        cache.insert(key.clone(), &token(60), (), (None, &clock));
        clock.set_wall(NOW + 60);
        assert!(cache.get(&key, &clock).is_none());
    }

    #[test]
    fn a_cap_ends_an_entry_before_exp() {
        let (cache, clock) = (VerifiedCache::new(10), MockClock::at(NOW));
        let key = key("t", "https://a.example/mcp");
        let cap = Some(Duration::from_secs(10));
        cache.insert(key.clone(), &token(60), (), (cap, &clock));
        clock.advance(Duration::from_secs(10));
        assert!(cache.get(&key, &clock).is_none());
        cache.insert(key.clone(), &token(15), (), (cap, &clock));
        clock.advance(Duration::from_secs(5));
        assert!(
            cache.get(&key, &clock).is_none(),
            "`exp` comes before the cap"
        );
    }

    #[test]
    fn without_end_and_cap_nothing_is_kept_and_the_bound_holds() {
        let (cache, clock) = (VerifiedCache::new(16), MockClock::at(NOW));
        let endless = AccessToken::assert_verified(TokenParts::new("i", "s"));
        let one = key("t", "https://a.example/mcp");
        cache.insert(one.clone(), &endless, (), (None, &clock));
        assert!(cache.get(&one, &clock).is_none());
        for n in 0..10_000 {
            let key = key(&n.to_string(), "https://a.example/mcp");
            cache.insert(key, &token(60), (), (None, &clock));
        }
        assert!(cache.entries.as_ref().unwrap().len() <= 32);
        let off = VerifiedCache::new(0);
        off.insert(one.clone(), &token(60), (), (None, &clock));
        assert!(off.get(&one, &clock).is_none());
    }
}
