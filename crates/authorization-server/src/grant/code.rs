//! Authorization codes: what one looks like, and what becomes of one that is offered.
//!
//! A code is the id of the interaction that it came from, and 256 bits that only we can make: they
//! follow from what was approved, and are those of no other approval. The record under that
//! id is changed by compare-and-swap alone, so a code is redeemed once, whatever else happens at the
//! same time, on every replica.

use portcullis_oauth::crypto::{base64url, hmac_sha256};
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{ClientId, CodeVerifier, SecretBytes, Timestamp};
use zeroize::Zeroizing;

use super::GrantId;
use super::record::{CodeState, Issued};
use crate::serial::Digest;

/// How many wrong proofs burn a code.
pub(crate) const MOST_WRONG: u8 = 5;

const ID: usize = 16;
const LENGTH: usize = ID + 32;

/// A code as a client offers it: well-formed, and nothing more.
#[derive(Debug)]
pub(crate) struct OfferedCode {
    pub(crate) interaction: [u8; ID],
    pub(crate) digest: Digest,
}

/// The keys of codes.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) secret: SecretBytes,
    pub(crate) digest: SecretBytes,
}

/// The code of an approval, whose digest is the same for the same approval alone.
pub(crate) fn of_approval(
    keys: &Keys,
    interaction: [u8; ID],
    approval: &[u8; 32],
) -> (AuthorizationCode, Digest) {
    let mut approved = [0; LENGTH];
    let mut bytes = Zeroizing::new([0; LENGTH]);
    for whole in [&mut approved, &mut *bytes] {
        whole.split_at_mut(ID).0.copy_from_slice(&interaction);
    }
    approved.split_at_mut(ID).1.copy_from_slice(approval);
    // SECURITY: nobody without the key can say a code, whatever he knows of the approval (RFC 6749
    // section 10.10); sec_cd_09_nobody_makes_a_code_of_what_was_approved
    let secret = Zeroizing::new(hmac_sha256(keys.secret.expose(), &approved));
    bytes.split_at_mut(ID).1.copy_from_slice(&*secret);
    let digest = Digest::of(keys.digest.expose(), &*bytes);
    (AuthorizationCode::new(base64url::encode(*bytes)), digest)
}

impl OfferedCode {
    /// Reads a code; nothing if it cannot be one.
    pub(crate) fn parse(keys: &Keys, code: &AuthorizationCode) -> Option<Self> {
        let bytes = base64url::decode_strict(code.expose()).ok()?;
        let bytes: Zeroizing<[u8; LENGTH]> = Zeroizing::new(bytes.try_into().ok()?);
        let (id, _) = bytes.split_first_chunk()?;
        Some(Self {
            interaction: *id,
            digest: Digest::of(keys.digest.expose(), &*bytes),
        })
    }
}

/// What is offered beside a code.
#[derive(Debug)]
pub(crate) struct Proof<'a> {
    pub(crate) digest: &'a Digest,
    /// Who offers it, proven.
    pub(crate) client: &'a ClientId,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) verifier: &'a CodeVerifier,
}

/// What becomes of a code that is offered.
#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    /// It may be redeemed.
    Live(&'a Issued),
    /// No code that anybody was given; nothing changes.
    Unknown(&'static str),
    /// A code, and not for this client, now; nothing changes.
    Refused(&'static str),
    /// The verifier is wrong: this is counted, and the last time burns the code.
    WrongProof {
        /// What the record says from now on.
        next: CodeState,
    },
    /// It was redeemed before: its grant ends.
    Replayed(GrantId),
}

/// Decides what becomes of a code.
pub(crate) fn decide<'a>(state: &'a CodeState, proof: &Proof<'_>, now: Timestamp) -> Verdict<'a> {
    let issued = match state {
        CodeState::Denied | CodeState::Burned => return Verdict::Unknown("no_code"),
        CodeState::Used(used) => {
            // SECURITY: only who has the whole code, and is the client it was for, can end what came
            // of it; a part of it or another client changes nothing (RFC 6749 section 4.1.2);
            // sec_cd_03_a_forged_replay_ends_no_grant
            return match (
                used.digest.matches(proof.digest),
                used.client == *proof.client,
            ) {
                (true, true) => Verdict::Replayed(used.grant),
                (true, false) => Verdict::Refused("foreign_code"),
                (false, _) => Verdict::Unknown("unknown_code"),
            };
        }
        CodeState::Issued(issued) => issued,
    };
    if !issued.digest.matches(proof.digest) {
        return Verdict::Unknown("unknown_code");
    }
    // SECURITY: a code is bound to its client, and another one cannot even spoil it (RFC 6749
    // section 4.1.3); sec_cd_05_another_client_leaves_the_code_usable
    if issued.client != *proof.client {
        return Verdict::Refused("foreign_code");
    }
    // SECURITY: a code that leaks late is worth nothing (RFC 6749 section 4.1.2);
    // sec_cd_01_a_code_lives_five_minutes
    if issued.until <= now {
        return Verdict::Refused("expired_code");
    }
    // SECURITY: the code went where the client says that it wanted it (RFC 6749 section 4.1.3);
    // sec_cd_06_another_redirect_uri_is_refused_and_none_is_fine
    if proof
        .redirect_uri
        .is_some_and(|uri| uri != issued.redirect_uri)
    {
        return Verdict::Refused("other_redirect_uri");
    }
    // SECURITY: whoever finds a code lacks what its client kept (RFC 7636 section 4.6);
    // sec_pk_05_a_wrong_verifier_is_refused_and_the_fifth_burns_the_code
    if !issued.code_challenge.verify(proof.verifier) {
        return Verdict::WrongProof {
            next: after_wrong_proof(issued),
        };
    }
    Verdict::Live(issued)
}

fn after_wrong_proof(issued: &Issued) -> CodeState {
    let wrong = issued.wrong.saturating_add(1);
    if wrong >= MOST_WRONG {
        return CodeState::Burned;
    }
    CodeState::Issued(Box::new(Issued {
        wrong,
        ..issued.clone()
    }))
}

#[cfg(test)]
mod tests;
