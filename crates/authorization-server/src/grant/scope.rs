//! How much is granted: never more than was asked for, and never more than configuration, the client
//! and the user have.

use portcullis_oauth::{OAuthError, OAuthErrorCode, Scope, ScopeHierarchy, ScopeSet};

use crate::client::{Client, ClientOrigin, GrantType};
use crate::users::User;

/// The scope by which a client asks for a refresh token (OpenID Connect Core section 11). It is one
/// of no resource.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

const NOTHING_LEFT: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidScope,
    "none of these scopes can be granted",
);
const WIDER: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidScope,
    "the scope goes beyond what was granted",
);

/// What there is to grant.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    /// All scopes of this server.
    pub(crate) all: ScopeSet,
    /// Which of them stand for others.
    pub(crate) hierarchy: ScopeHierarchy,
    /// Those of them that stand for no other one of them.
    plain: ScopeSet,
}

impl Catalogue {
    /// These scopes, of which some stand for others.
    pub(crate) fn new(all: ScopeSet, hierarchy: ScopeHierarchy) -> Self {
        let is_plain = |scope: &&Scope| {
            let alone = ScopeSet::from_iter([(*scope).clone()]);
            hierarchy.expand(&alone).intersection(&all).len() <= 1
        };
        let plain = all.iter().filter(is_plain).cloned().collect();
        Self {
            all,
            hierarchy,
            plain,
        }
    }

    /// What a user grants to a client, or a client has for itself.
    ///
    /// Words that are no scopes of ours are dropped: clients ask for what they know. Where nothing
    /// is left, and where nothing was asked for, it is the default; without one, all that is allowed
    /// but scopes that stand for others.
    ///
    /// # Errors
    /// `invalid_scope` when there are scopes, and none of them for this client and user.
    pub(crate) fn grant(
        &self,
        requested: &ScopeSet,
        default: Option<&ScopeSet>,
        (client, user): (&Client, Option<&User>),
    ) -> Result<ScopeSet, OAuthError> {
        // SECURITY: asking is no right: what is granted ends where configuration and the user's own
        // rights end (RFC 6749 section 3.3); sec_az_07_nobody_is_granted_more_than_he_has
        let allowed = self.allowed(client, user);
        let mut granted = requested.intersection(&allowed);
        if granted.is_empty() {
            // SECURITY: a scope that stands for others is nobody's who has not asked for it by its name
            // (RFC 6749 section 3.3); sec_az_07_what_stands_for_others_has_to_be_asked_for
            granted = default.unwrap_or(&self.plain).intersection(&allowed);
        }
        if granted.is_empty() && !self.all.is_empty() {
            return Err(NOTHING_LEFT);
        }
        if requested.contains_str(OFFLINE_ACCESS) && may_refresh(client) {
            granted.extend([Scope::from_static(OFFLINE_ACCESS)]);
        }
        Ok(granted)
    }

    /// What of a grant is left to a user today.
    pub(crate) fn still(&self, granted: &ScopeSet, user: Option<&User>) -> ScopeSet {
        bounds(user).fold(granted.clone(), |granted, bound| {
            let mut allowed = self.hierarchy.expand(bound);
            allowed.extend([Scope::from_static(OFFLINE_ACCESS)]);
            granted.intersection(&allowed)
        })
    }

    /// What a request wants of what was granted before (RFC 6749 section 6). Without a scope it is
    /// all of it.
    ///
    /// # Errors
    /// `invalid_scope` when it wants more.
    pub(crate) fn narrow(
        &self,
        granted: &ScopeSet,
        requested: Option<&ScopeSet>,
    ) -> Result<ScopeSet, OAuthError> {
        let Some(requested) = requested else {
            return Ok(granted.clone());
        };
        let reached = self.hierarchy.expand(granted);
        // Clients repeat what they asked for in the first place, with the words that were dropped.
        let known = requested.intersection(&self.all.union(&reached));
        // SECURITY: a token that was narrowed stays so: what was not granted does not come with a
        // refresh (RFC 6749 section 6); sec_rt_08_a_refresh_never_widens
        if known.is_empty() || !known.is_subset(&reached) {
            return Err(WIDER);
        }
        Ok(known)
    }

    fn allowed(&self, client: &Client, user: Option<&User>) -> ScopeSet {
        let of_client = client.scope.as_ref();
        // What a client says of itself is a wish; what an operator says of it is a bound.
        let of_client = of_client.filter(|_| client.origin == ClientOrigin::Configured);
        let bounds = bounds(user).chain(of_client);
        bounds.fold(self.all.clone(), |allowed, bound| {
            allowed.intersection(&self.hierarchy.expand(bound))
        })
    }
}

/// What a user may have, and what an identity provider granted.
fn bounds(user: Option<&User>) -> impl Iterator<Item = &ScopeSet> {
    let bounds = user.map(|user| [user.scopes.as_ref(), user.granted.as_ref()]);
    bounds.into_iter().flatten().flatten()
}

/// Whether a client can use refresh tokens.
pub(crate) fn may_refresh(client: &Client) -> bool {
    client.grant_types.contains(&GrantType::REFRESH_TOKEN)
}

/// The scopes of an access token: those of resources.
pub(crate) fn of_access_token(granted: &ScopeSet) -> ScopeSet {
    granted.without(OFFLINE_ACCESS)
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::{ClientId, Subject, scopes};

    use super::*;

    fn client(origin: ClientOrigin, scope: Option<ScopeSet>) -> Client {
        Client {
            grant_types: vec![GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN],
            scope,
            ..Client::new(ClientId::parse("c").unwrap(), origin)
        }
    }

    fn user(scopes: ScopeSet) -> User {
        User::new(Subject::parse("alice").unwrap()).scopes(scopes)
    }

    fn catalogue() -> Catalogue {
        let hierarchy = ScopeHierarchy::new();
        let hierarchy = hierarchy.implies(Scope::from_static("admin"), scopes!["read", "write"]);
        Catalogue::new(scopes!["read", "write", "admin"], hierarchy)
    }

    #[test]
    fn sec_az_07_nobody_is_granted_more_than_he_has() {
        let (all, registered) = (catalogue(), client(ClientOrigin::Registered, None));
        let configured = client(ClientOrigin::Configured, Some(scopes!["read"]));
        let bob = user(scopes!["read"]);
        let everything = scopes!["read", "write", "admin"];
        let granted = all.grant(&everything, None, (&registered, Some(&bob)));
        assert_eq!(granted, Ok(scopes!["read"]));
        let granted = all.grant(&everything, None, (&configured, None));
        assert_eq!(granted, Ok(scopes!["read"]));
        let granted = all.grant(
            &scopes!["write"],
            None,
            (&registered, Some(&user(scopes!["x"]))),
        );
        assert_eq!(granted, Err(NOTHING_LEFT));
    }

    #[test]
    fn what_a_client_says_of_itself_is_no_bound() {
        let hinted = client(ClientOrigin::Registered, Some(scopes!["read"]));
        let granted = catalogue().grant(&scopes!["write"], None, (&hinted, None));
        assert_eq!(granted, Ok(scopes!["write"]));
    }

    #[test]
    fn nothing_asked_or_nothing_left_is_the_default() {
        let (all, client) = (catalogue(), client(ClientOrigin::Registered, None));
        for requested in [scopes![], scopes!["openid", "profile"]] {
            let granted = all.grant(&requested, Some(&scopes!["read"]), (&client, None));
            assert_eq!(granted, Ok(scopes!["read"]));
        }
        let bob = user(scopes!["write"]);
        let granted = all.grant(&scopes![], None, (&client, Some(&bob)));
        assert_eq!(granted, Ok(scopes!["write"]));
    }

    #[test]
    fn sec_az_07_what_stands_for_others_has_to_be_asked_for() {
        let (all, client) = (catalogue(), client(ClientOrigin::Registered, None));
        let admin = user(scopes!["admin"]);
        for user in [None, Some(&admin)] {
            for requested in [scopes![], scopes!["evil"]] {
                let granted = all.grant(&requested, None, (&client, user));
                assert_eq!(granted, Ok(scopes!["read", "write"]));
            }
            let granted = all.grant(&scopes!["admin"], None, (&client, user));
            assert_eq!(granted, Ok(scopes!["admin"]));
        }
        // What a scope stands for counts only where it can be had.
        let outside = ScopeHierarchy::new().implies(Scope::from_static("a"), scopes!["z"]);
        let alone = Catalogue::new(scopes!["a", "b"], outside);
        let granted = alone.grant(&scopes![], None, (&client, None));
        assert_eq!(granted, Ok(scopes!["a", "b"]));
    }

    #[test]
    fn a_server_without_scopes_grants_none() {
        let none = Catalogue::new(scopes![], ScopeHierarchy::new());
        let client = client(ClientOrigin::Registered, None);
        assert_eq!(
            none.grant(&scopes!["openid"], None, (&client, None)),
            Ok(scopes![])
        );
    }

    #[test]
    fn a_scope_that_stands_for_others_is_enough_for_them() {
        let (all, client) = (catalogue(), client(ClientOrigin::Registered, None));
        let admin = user(scopes!["admin"]);
        let granted = all.grant(&scopes!["write"], None, (&client, Some(&admin)));
        assert_eq!(granted, Ok(scopes!["write"]));
    }

    #[test]
    fn offline_access_is_for_clients_that_refresh() {
        let mut client = client(ClientOrigin::Registered, None);
        let asked = scopes!["read", "offline_access"];
        let granted = catalogue().grant(&asked, None, (&client, None));
        assert_eq!(granted, Ok(asked.clone()));
        client.grant_types = vec![GrantType::AUTHORIZATION_CODE];
        let granted = catalogue().grant(&asked, None, (&client, None));
        assert_eq!(granted, Ok(scopes!["read"]));
        assert_eq!(of_access_token(&asked), scopes!["read"]);
    }

    #[test]
    fn sec_rt_08_a_refresh_never_widens() {
        let (all, granted) = (catalogue(), scopes!["read", "write"]);
        assert_eq!(all.narrow(&granted, None), Ok(granted.clone()));
        let narrow = all.narrow(&granted, Some(&scopes!["write", "openid"]));
        assert_eq!(narrow, Ok(scopes!["write"]));
        for wider in [
            scopes!["admin"],
            scopes!["read", "admin"],
            scopes!["openid"],
        ] {
            assert_eq!(all.narrow(&granted, Some(&wider)), Err(WIDER), "{wider}");
        }
        // What a granted scope stands for is no more than was granted.
        let narrow = all.narrow(&scopes!["admin"], Some(&scopes!["read"]));
        assert_eq!(narrow, Ok(scopes!["read"]));
    }

    #[test]
    fn sec_rt_11_a_lost_right_is_felt() {
        let granted = scopes!["read", "write", "offline_access"];
        let left = catalogue().still(&granted, Some(&user(scopes!["read"])));
        assert_eq!(left, scopes!["read", "offline_access"]);
    }
}
