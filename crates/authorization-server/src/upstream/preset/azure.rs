//! Microsoft Entra ID, which was Azure AD.

use portcullis_oauth::scopes;

use super::argument::{base, directory, refused};
use crate::upstream::{TokenExchange, Upstream};

provider! {
    /// Accounts of one directory of Microsoft Entra ID, or of many.
    ///
    /// Scopes of the application are `api://{client_id}/..` there and short here. `resource` is never
    /// sent: Entra refuses it.
    AzureProvider(tenant: &str)
}

const PUBLIC_CLOUD: &str = "login.microsoftonline.com";
/// The directory in which accounts of persons are.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

impl AzureProvider {
    /// Entra, as data. `tenant` is the id of a directory, or `common`, `organizations` or `consumers`,
    /// with which everybody has an account who has one at Microsoft.
    pub fn upstream(tenant: &str) -> Upstream {
        Self::upstream_at(PUBLIC_CLOUD, tenant)
    }

    /// The same in a national cloud: `login.microsoftonline.us`.
    pub fn upstream_at(authority: &str, tenant: &str) -> Upstream {
        let tenant = tenant.trim().to_ascii_lowercase();
        let (issued_by, anybody) = match tenant.as_str() {
            // `{tenantid}` is the directory that the ID token names.
            "common" | "organizations" => (Ok("{tenantid}".to_owned()), true),
            "consumers" => (Ok(CONSUMERS.to_owned()), true),
            tenant => (directory("tenant_id", tenant), false),
        };
        let parts = base("base_authority", authority).and_then(|base| Ok((base, issued_by?)));
        let (base, issued_by) = match parts {
            Ok(parts) => parts,
            Err(fault) => return refused(fault),
        };
        let own = scopes!["openid", "profile", "email", "offline_access"];
        Upstream::oauth2(
            format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            format!("{base}/{tenant}/oauth2/v2.0/token"),
        )
        .name("Microsoft")
        .issuer(format!("{base}/{issued_by}/v2.0"))
        .jwks_uri(format!("{base}/{tenant}/discovery/v2.0/keys"))
        .scopes(scopes!["openid", "profile", "email"])
        .always_scopes(scopes!["openid", "offline_access"])
        .scope_prefix("api://{client_id}/", own)
        .authorize_param("prompt", "select_account")
        .multi_tenant(anybody)
        .token_exchange(TokenExchange::OnBehalfOf)
    }
}
