//! Amazon Cognito user pools.

use portcullis_oauth::scopes;
use portcullis_resource_server::ConfigError;

use super::argument::{refused, segment};
use crate::upstream::{RevokedTokens, Upstream};

provider! {
    /// Accounts of a user pool of Amazon Cognito.
    ///
    /// Its access tokens have no audience, and nothing is believed of them; the user is in the ID
    /// token. Groups of the pool count as `groups`.
    CognitoProvider(user_pool_id: &str)
}

impl CognitoProvider {
    /// Cognito, as data: the pool's id, which begins with the region, as in `eu-central-1_AbCdEf`.
    pub fn upstream(user_pool_id: &str) -> Upstream {
        let parts = segment("user_pool_id", user_pool_id).and_then(|pool| {
            let region = pool.split_once('_').map(|(region, _)| region.to_owned());
            let region = region.filter(|region| !region.is_empty());
            let region = region.ok_or_else(|| ConfigError::new("user_pool_id", "has no region"))?;
            Ok((region, pool))
        });
        match parts {
            Ok((region, pool)) => {
                Upstream::oidc(format!("https://cognito-idp.{region}.amazonaws.com/{pool}"))
                    .name("Amazon Cognito")
                    .scopes(scopes!["openid"])
                    .claim_alias("groups", "cognito:groups")
                    .claim_alias("preferred_username", "cognito:username")
                    .revoked_tokens(RevokedTokens::Refresh)
                    .revocation_ends_all(false)
            }
            Err(fault) => refused(fault),
        }
    }
}
