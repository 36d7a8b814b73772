//! What a list says of the tools in it: who may call them.

use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{Scope, ScopeSet};

use super::peek::Message;
use crate::layer::Policy;

/// In the extensions of a request for the list of tools whose answer says what each tool needs: an
/// entry then has a member `securitySchemes`, and the same in its `_meta`. ChatGPT offers to sign in
/// only for tools that say so, and calls a tool without a token only where it says `noauth`.
///
/// Where operations are decided for callers without a token too
/// ([`anonymous_per_component`](crate::Auth::anonymous_per_component)) everybody is told, else those
/// alone who are told in band what a call lacks.
#[derive(Debug, Clone)]
pub struct SecuritySchemes {
    required: ScopeSet,
    has_anonymous: bool,
}

impl SecuritySchemes {
    /// What an answer to `message` says of the tools in it, where it does.
    pub(super) fn wanted(
        policy: Option<&Policy>,
        message: &Message<'_>,
        is_in_band: bool,
    ) -> Option<Self> {
        let is_list = message.operation()?.method() == "tools/list";
        let policy = policy.filter(|policy| is_list && (is_in_band || policy.optional))?;
        Some(Self::new(&policy.required, policy.optional))
    }

    fn new(required: &ScopeSet, has_anonymous: bool) -> Self {
        Self {
            required: required.clone(),
            has_anonymous,
        }
    }

    /// The name of the member.
    pub const MEMBER: &'static str = "securitySchemes";

    /// What is said of a tool that needs `scopes` beside those of every request, or not even a token.
    pub fn of_tool(&self, scopes: Option<&ScopeSet>) -> Value {
        let needed = match scopes {
            None if self.has_anonymous => return json!([{"type": "noauth"}]),
            None => self.required.clone(),
            Some(scopes) => self.required.union(scopes),
        };
        let needed = needed.without("offline_access");
        if needed.is_empty() {
            return json!([{"type": "oauth2"}]);
        }
        let scopes: Vec<_> = needed.iter().map(Scope::as_str).collect();
        json!([{"type": "oauth2", "scopes": scopes}])
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::scopes;

    use super::*;

    #[test]
    fn m3_schemes_name_the_scopes_of_every_request_too() {
        let schemes = SecuritySchemes::new(&scopes!["mcp:read", "offline_access"], true);
        assert_eq!(schemes.of_tool(None), json!([{"type": "noauth"}]));
        let write = scopes!["write"];
        assert_eq!(
            schemes.of_tool(Some(&write)),
            json!([{"type": "oauth2", "scopes": ["mcp:read", "write"]}])
        );
        let closed = SecuritySchemes::new(&ScopeSet::new(), false);
        assert_eq!(closed.of_tool(None), json!([{"type": "oauth2"}]));
    }
}
