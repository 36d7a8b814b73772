//! Slack.

use portcullis_oauth::scopes;

use crate::upstream::Upstream;

provider! {
    /// Slack accounts, by *Sign in with Slack*.
    SlackProvider()
}

impl SlackProvider {
    /// Slack, as data. Its workspaces are the organisations, by their ids.
    pub fn upstream() -> Upstream {
        Upstream::oidc("https://slack.com")
            .name("Slack")
            .scopes(scopes!["openid", "profile", "email"])
            .organisations_claim("https://slack.com/team_id")
            .multi_tenant(true)
    }
}
