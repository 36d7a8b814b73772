//! Checking an ID token with its provider's keys.

use portcullis_oauth::jose::claims::Claims;
use portcullis_oauth::jose::compact::{CompactJws, JoseFault};
use portcullis_oauth::jose::id_token::{IdTokenContext, IdTokenFault, IdTokenPolicy};
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_resource_server::Unavailable;

use super::site::Site;

/// Why an ID token is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unaccepted {
    #[error(transparent)]
    Fault(#[from] IdTokenFault),
    #[error(transparent)]
    Keys(#[from] Unavailable),
}

/// The claims of a token that is one of `site`'s for `client`.
pub(super) async fn check(
    site: &Site,
    client: &str,
    token: &str,
    context: &IdTokenContext<'_>,
) -> Result<Claims, Unaccepted> {
    let policy = IdTokenPolicy::new(site.issuers.clone(), client);
    let jws = CompactJws::parse(token).map_err(IdTokenFault::from)?;
    let Some(keys) = &site.keys else {
        return Ok(policy.check_received_directly(&jws, context)?);
    };
    let set = keys.current().await?;
    let outcome = judge(&policy, &jws, set.keys(), context);
    let Err(fault) = outcome else {
        return Ok(outcome?);
    };
    // A provider that has changed its keys signs with one that we have not seen.
    if fault != IdTokenFault::Token(JoseFault::Signature) {
        return Err(fault.into());
    }
    match keys.newer_than(&set).await? {
        Some(newer) => Ok(judge(&policy, &jws, newer.keys(), context)?),
        None => Err(fault.into()),
    }
}

fn judge(
    policy: &IdTokenPolicy,
    jws: &CompactJws<'_>,
    keys: &JwkSet,
    context: &IdTokenContext<'_>,
) -> Result<Claims, IdTokenFault> {
    let (kid, algorithm) = (jws.header().kid(), jws.header().algorithm());
    if algorithm.is_symmetric() {
        return Err(IdTokenFault::AlgorithmNotAllowed);
    }
    for key in keys.candidates(kid, algorithm) {
        match policy.check(jws, key.key(), algorithm, context) {
            Err(IdTokenFault::Token(JoseFault::Signature)) => {}
            verdict => return verdict,
        }
    }
    Err(IdTokenFault::Token(JoseFault::Signature))
}
