//! Azure AD B2C.

use portcullis_oauth::scopes;

use super::argument::{directory, refused, segment};
use crate::upstream::Upstream;

provider! {
    /// Accounts of an Azure AD B2C tenant, by one of its user flows.
    AzureB2cProvider(tenant_name: &str, tenant_id: &str, policy: &str)
}

impl AzureB2cProvider {
    /// B2C, as data: the tenant's short name (`contoso`), its directory's id, which is in the issuer,
    /// and the user flow (`B2C_1_signin`).
    pub fn upstream(tenant_name: &str, tenant_id: &str, policy: &str) -> Upstream {
        let parts = segment("tenant_name", tenant_name).and_then(|name| {
            Ok((
                name,
                directory("tenant_id", tenant_id)?,
                segment("policy_name", policy)?,
            ))
        });
        let (name, id, policy) = match parts {
            Ok(parts) => parts,
            Err(fault) => return refused(fault),
        };
        let flow = format!("https://{name}.b2clogin.com/{name}.onmicrosoft.com/{policy}");
        let own = scopes!["openid", "profile", "email", "offline_access"];
        Upstream::oauth2(
            format!("{flow}/oauth2/v2.0/authorize"),
            format!("{flow}/oauth2/v2.0/token"),
        )
        .name("Microsoft")
        .issuer(format!("https://{name}.b2clogin.com/{id}/v2.0/"))
        .jwks_uri(format!("{flow}/discovery/v2.0/keys"))
        .scopes(scopes!["openid"])
        .always_scopes(scopes!["openid", "offline_access"])
        .scope_prefix(
            format!("https://{name}.onmicrosoft.com/{{client_id}}/"),
            own,
        )
    }
}
