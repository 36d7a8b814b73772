//! Refresh tokens: what one looks like, and what becomes of one that is offered.
//!
//! A token is the id of its grant, a number that counts, 128 random bits, and a tag that only we can
//! make. So junk is refused without a look into the store, and a token that *was* good is told from
//! junk without anything being kept of it. The grant's record knows the digest of the token that is
//! good now, and of the one before it.

use std::time::Duration;

use portcullis_oauth::crypto::{aead, base64url, ct_eq, hkdf_sha256, hmac_sha256};
use portcullis_oauth::json::{self, Limits};
use portcullis_oauth::secret::RefreshToken;
use portcullis_oauth::{ClientId, Entropy, EntropyError, SecretBytes, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::GrantId;
use super::record::{GrantRecord, Previous, Refreshing};
use crate::serial::{Digest, seconds};

const ID: usize = 16;
const NUMBER: usize = 4;
const RANDOM: usize = 16;
const TAG: usize = 16;
const SIGNED: usize = ID + NUMBER + RANDOM;
const LENGTH: usize = SIGNED + TAG;

/// The keys of refresh tokens.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) tag: SecretBytes,
    pub(crate) digest: SecretBytes,
}

/// A refresh token that was made by us, for a grant that may be there or not.
#[derive(Debug)]
pub(crate) struct OfferedToken {
    pub(crate) grant: GrantId,
    pub(crate) generation: u32,
    pub(crate) digest: Digest,
    bytes: SecretBytes,
}

impl OfferedToken {
    /// A fresh token.
    pub(crate) fn generate(
        keys: &Keys,
        grant: GrantId,
        generation: u32,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
        bytes.extend_from_slice(grant.as_bytes());
        bytes.extend_from_slice(&generation.to_be_bytes());
        let mut random = Zeroizing::new([0; RANDOM]);
        entropy.fill(&mut *random)?;
        bytes.extend_from_slice(&*random);
        let tag = tag(keys, &bytes);
        bytes.extend_from_slice(&tag);
        Ok(Self {
            grant,
            generation,
            digest: Digest::of(keys.digest.expose(), &bytes),
            bytes: SecretBytes::new(std::mem::take(&mut *bytes)),
        })
    }

    /// Reads a token; nothing if it is none of ours.
    pub(crate) fn parse(keys: &Keys, token: &str) -> Option<Self> {
        let bytes = Zeroizing::new(base64url::decode_strict(token).ok()?);
        let (signed, offered) = bytes.split_at_checked(SIGNED)?;
        // SECURITY: what we did not make names no grant, so nobody can end one by guessing its id
        // (RFC 9700 section 4.14); sec_rt_06_a_forged_token_ends_no_grant
        if offered.len() != TAG || !ct_eq(offered, &tag(keys, signed)) {
            return None;
        }
        let (id, rest) = signed.split_first_chunk::<ID>()?;
        let (generation, _) = rest.split_first_chunk::<NUMBER>()?;
        Some(Self {
            grant: GrantId(*id),
            generation: u32::from_be_bytes(*generation),
            digest: Digest::of(keys.digest.expose(), &bytes),
            bytes: SecretBytes::new(bytes.to_vec()),
        })
    }

    /// The token as a client gets it.
    pub(crate) fn to_token(&self) -> RefreshToken {
        RefreshToken::new(base64url::encode(self.bytes.expose()))
    }

    /// What only who has the token can read.
    pub(crate) fn seal(&self, answer: &Answer, entropy: &dyn Entropy) -> Option<String> {
        let mut nonce = [0; aead::NONCE_LEN];
        entropy.fill(&mut nonce).ok()?;
        let plain = Zeroizing::new(json::to_vec(answer).ok()?);
        let sealed = aead::seal(&*self.key()?, &nonce, self.digest.as_bytes(), &plain).ok()?;
        Some(base64url::encode([&nonce[..], &sealed].concat()))
    }

    /// What was sealed for whoever has this token.
    pub(crate) fn open(&self, sealed: &str) -> Option<Answer> {
        let sealed = base64url::decode_strict(sealed).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let plain = aead::open(&*self.key()?, nonce, self.digest.as_bytes(), sealed).ok()?;
        json::from_slice(&Zeroizing::new(plain), Limits::METADATA).ok()
    }

    fn key(&self) -> Option<Zeroizing<[u8; aead::KEY_LEN]>> {
        let mut key = Zeroizing::new([0; aead::KEY_LEN]);
        hkdf_sha256(
            self.bytes.expose(),
            &[],
            b"portcullis refresh answer",
            &mut *key,
        )
        .ok()?;
        Some(key)
    }
}

fn tag(keys: &Keys, signed: &[u8]) -> [u8; TAG] {
    let whole = hmac_sha256(keys.tag.expose(), signed);
    let mut tag = [0; TAG];
    tag.copy_from_slice(whole.split_at(TAG).0);
    tag
}

/// What a refresh was answered with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) access_token: String,
    #[serde(with = "seconds")]
    pub(crate) expires_at: Timestamp,
    pub(crate) refresh_token: String,
    pub(crate) scope: String,
}

/// What becomes of a refresh token that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the one: it is replaced.
    Current,
    /// It was replaced just now, and the answer may have got lost: it is given once more.
    Retry,
    /// Nothing for this client, now; nothing changes.
    Refused(&'static str),
    /// It was replaced before: two have it, and the grant ends.
    Reused,
}

/// Decides what becomes of a refresh token, of whose grant this is the record.
pub(crate) fn decide(
    grant: &GrantRecord,
    offered: &OfferedToken,
    client: &ClientId,
    now: Timestamp,
    grace: Duration,
) -> Verdict {
    // SECURITY: a token is bound to its client, and whoever else has it can neither use it nor end
    // the grant with it (RFC 6749 section 10.4); sec_rt_06_a_foreign_client_changes_nothing
    if grant.client != *client {
        return Verdict::Refused("foreign_token");
    }
    let Some(refresh) = &grant.refresh else {
        return Verdict::Refused("no_refresh");
    };
    if refresh.current.matches(&offered.digest) {
        // SECURITY: a grant that nobody uses ends, and no use of it moves its last day (RFC 9700
        // section 4.14.2); sec_rt_10_idle_and_absolute_ends_hold
        return if refresh.idle_until <= now || grant.ends_at <= now {
            Verdict::Refused("expired_token")
        } else {
            Verdict::Current
        };
    }
    match &refresh.previous {
        Some(previous) if previous.digest.matches(&offered.digest) => {
            let until = previous.replaced_at.saturating_add(grace);
            let from = previous.replaced_at.saturating_sub(grace);
            // SECURITY: a clock that is set back, by more than two processes may differ, opens no
            // window anew (RFC 9700 section 4.14.2); sec_rt_04_a_clock_set_back_opens_no_window_anew
            if from <= now && now < until {
                Verdict::Retry
            } else {
                Verdict::Reused
            }
        }
        // SECURITY: it was good once and was replaced, so somebody else has what came after it, or
        // this is not its client (RFC 9700 section 4.14.2); sec_rt_03_a_reused_token_kills_the_family
        _ => Verdict::Reused,
    }
}

/// What the record says once `next` is in the place of the current token.
pub(crate) fn replaced(
    refresh: &Refreshing,
    next: &OfferedToken,
    now: Timestamp,
    idle_until: Timestamp,
) -> Refreshing {
    Refreshing {
        generation: next.generation,
        current: next.digest,
        idle_until,
        previous: Some(Previous {
            digest: refresh.current,
            replaced_at: now,
        }),
    }
}

#[cfg(test)]
mod tests;
