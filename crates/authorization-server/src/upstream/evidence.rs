//! Learning who a user is.

use portcullis_oauth::Subject;
use portcullis_oauth::jose::id_token::IdTokenContext;
use portcullis_oauth::json::{Map, Value};

use super::claims::{texts, unverified};
use super::client::Inner;
use super::event::{AtEndpoint as _, Failed};
use super::id_token::{self, Unaccepted};
use super::site::Site;
use super::{Evidence, TokenSet, UpstreamError, userinfo};

impl Inner {
    /// What is known of a user who signs in.
    pub(super) async fn first_evidence(
        &self,
        site: &Site,
        tokens: &TokenSet,
        nonce: &str,
    ) -> Result<Evidence, UpstreamError> {
        let outcome = self.gather(site, tokens, nonce).await;
        outcome.map_err(|mut failed| {
            if let UpstreamError::Ended = failed.error {
                // A token of a moment ago has not ended.
                failed.error = UpstreamError::Invalid("the new access token is not accepted");
            }
            self.log.note(failed)
        })
    }

    async fn gather(
        &self,
        site: &Site,
        tokens: &TokenSet,
        nonce: &str,
    ) -> Result<Evidence, Failed> {
        let settings = &self.settings;
        let access = tokens.access_token.expose();
        let mut access_token = unverified(access);
        let mut id_token = Map::new();
        if settings.speaks_oidc {
            match &tokens.id_token {
                Some(token) => {
                    let context = IdTokenContext::new(self.now())
                        .nonce(nonce)
                        .access_token(access);
                    id_token = self.id_token(site, token.expose(), &context).await?;
                }
                // SECURITY: without one nothing ties the tokens to this login (OpenID Connect Core
                // section 3.1.3.3); sec_px_01_a_provider_with_keys_sends_an_id_token
                None if site.keys.is_some() => {
                    let error = UpstreamError::Invalid("the answer has no ID token");
                    return Err(Failed::new("token", "id_token", error));
                }
                None => {}
            }
        }
        self.alias([&mut access_token, &mut id_token]);
        let said = settings.claims.subject(&id_token).at("id_token")?;
        let profile = self
            .first_profile(site, access, (&id_token, said.as_ref()))
            .await?;
        let subject = match (said, settings.claims.subject(&profile).at("userinfo")?) {
            (Some(said), _) => Some(said),
            (None, Some(found)) => Some(found),
            (None, None) => settings.claims.subject(&access_token).at("token")?,
        };
        let nobody = || UpstreamError::Nobody(settings.upstream.subject.clone());
        let subject = subject.ok_or_else(nobody).at("userinfo")?;
        let mut evidence = Evidence {
            access_token,
            id_token,
            profile,
            ..Evidence::of(subject)
        };
        evidence.organisations = self.organisations(access, &evidence).await?;
        Ok(evidence)
    }

    /// What the userinfo endpoint says, where anything is missing that it may say.
    async fn first_profile(
        &self,
        site: &Site,
        access: &str,
        (id_token, said): (&Map<String, Value>, Option<&Subject>),
    ) -> Result<Map<String, Value>, Failed> {
        let settings = &self.settings;
        let is_needed = said.is_none() || settings.wants.profile;
        let Some(at) = &site.userinfo else {
            return Ok(Map::new());
        };
        if !is_needed && settings.claims.names_the_user(id_token) {
            return Ok(Map::new());
        }
        let found = self.profile(at, access, (id_token, said)).await;
        match found {
            // Nothing but a name for people is missing.
            Err(failed) if !is_needed && !matches!(failed.error, UpstreamError::Invalid(_)) => {
                self.log.note(failed);
                Ok(Map::new())
            }
            found => found,
        }
    }

    async fn profile(
        &self,
        at: &super::site::Endpoint,
        access: &str,
        (id_token, who): (&Map<String, Value>, Option<&Subject>),
    ) -> Result<Map<String, Value>, Failed> {
        let settings = &self.settings;
        let profile = userinfo::profile(settings, at, access).await;
        let mut profile = profile.at("userinfo")?;
        self.alias([&mut profile]);
        let (is_named, is_same) = match (id_token.get("sub"), who) {
            (Some(sub), _) => {
                let found = profile.get("sub");
                (found.is_some(), found == Some(sub))
            }
            (None, Some(who)) => {
                let found = settings.claims.subject(&profile).at("userinfo")?;
                (found.is_some(), found.as_ref() == Some(who))
            }
            (None, None) => (false, true),
        };
        // SECURITY: claims of another user must not be taken for this one's (OpenID Connect Core section
        // 5.3.2); sec_px_09_userinfo_of_another_user_is_refused
        if !is_same {
            let error = UpstreamError::Invalid("userinfo is another user's");
            let code = if is_named { ANOTHER_USER } else { "no_user" };
            return Err(Failed::new("userinfo", code, error));
        }
        if settings.wants.profile {
            let added = userinfo::add_email(settings, access, &mut profile).await;
            added.at("emails")?;
        }
        Ok(profile)
    }

    /// What a refresh says of the user, if anything.
    pub(super) async fn later_evidence(
        &self,
        site: &Site,
        tokens: &mut TokenSet,
        old: &TokenSet,
        (who, has_id_token): (&Subject, bool),
    ) -> Result<Option<Evidence>, UpstreamError> {
        let mut evidence = Evidence::of(who.clone());
        evidence.access_token = unverified(tokens.access_token.expose());
        if has_id_token && self.settings.speaks_oidc {
            let context = IdTokenContext::new(self.now());
            let context = context.access_token(tokens.access_token.expose());
            let new = tokens.id_token.take();
            let text = new.as_ref().map_or("", |token| token.expose());
            match id_token::check(site, self.settings.client_id.as_str(), text, &context).await {
                Ok(claims) => {
                    evidence.id_token = claims.into_map();
                    tokens.id_token = new;
                }
                Err(Unaccepted::Keys(unavailable)) => {
                    let error = UpstreamError::Unavailable(unavailable);
                    self.log.failed("keys", "refresh", &error);
                    tokens.id_token.clone_from(&old.id_token);
                }
                Err(Unaccepted::Fault(fault)) => {
                    return Err(self.log.note(not_accepted(fault.reason())));
                }
            }
        }
        self.alias([&mut evidence.access_token, &mut evidence.id_token]);
        self.same_user(&evidence.id_token, old, who)?;
        let is_empty = evidence.access_token.is_empty() && evidence.id_token.is_empty();
        Ok((!is_empty).then_some(evidence))
    }

    /// Whether an ID token of a refresh is of the same login as the one before (OpenID Connect Core
    /// section 12.2).
    fn same_user(
        &self,
        new: &Map<String, Value>,
        old: &TokenSet,
        who: &Subject,
    ) -> Result<(), UpstreamError> {
        if new.is_empty() {
            return Ok(());
        }
        let before = old.id_token.as_ref();
        let before = before
            .map(|token| unverified(token.expose()))
            .unwrap_or_default();
        let is_same = |name: &str| match (new.get(name), before.get(name)) {
            (Some(new), Some(before)) => new == before,
            _ => true,
        };
        let found = self.settings.claims.subject(new)?;
        // SECURITY: a refresh token that was mixed up would turn one user into another (OpenID Connect
        // Core section 12.2); sec_px_09_a_refresh_keeps_its_user
        if found.is_some_and(|found| found != *who)
            || !["iss", "sub", "nonce"].into_iter().all(is_same)
        {
            self.log.note(not_accepted("another_user"));
            // These tokens are somebody else's, and what the user had is gone with them.
            return Err(UpstreamError::Ended);
        }
        Ok(())
    }

    /// Whether tokens are still good.
    pub(super) async fn recheck(
        &self,
        site: &Site,
        tokens: &TokenSet,
        before: &Evidence,
    ) -> Result<Option<Evidence>, Failed> {
        let settings = &self.settings;
        let access = tokens.access_token.expose();
        let check = settings.userinfo.check.as_ref();
        if let Some(check) = check {
            let checked = userinfo::check_token(settings, check, access).await;
            checked.at("token_check")?;
        }
        let mut evidence = Evidence::of(before.subject.clone());
        // It was checked when it came, and says who the user is. What else it and the access token say is
        // of then.
        let kept = tokens.id_token.as_ref();
        let kept = kept.map(|token| unverified(token.expose()));
        match &site.userinfo {
            Some(at) => {
                let who = (&kept.unwrap_or_default(), Some(&before.subject));
                // SECURITY: nothing of then is said anew, or it would stand for ever beside what is said
                // now (RFC 9700 section 4.14);
                // sec_px_10_who_has_left_a_group_is_out_though_the_id_token_is_old
                let profile = self.profile(at, access, who).await;
                evidence.profile = profile.map_err(ended_by_another)?;
            }
            None if check.is_none() => return Ok(None),
            None => {}
        }
        let mut known = before.clone();
        known.renew(&evidence);
        evidence.organisations = self.organisations(access, &known).await?;
        Ok(Some(evidence))
    }

    async fn id_token(
        &self,
        site: &Site,
        token: &str,
        context: &IdTokenContext<'_>,
    ) -> Result<Map<String, Value>, Failed> {
        let client = self.settings.client_id.as_str();
        match id_token::check(site, client, token, context).await {
            Ok(claims) => Ok(claims.into_map()),
            Err(Unaccepted::Keys(unavailable)) => {
                Err(Failed::new("keys", "none", unavailable.into()))
            }
            Err(Unaccepted::Fault(fault)) => Err(not_accepted(fault.reason())),
        }
    }

    /// The organisations of the user, by what its claims and the provider's API say.
    async fn organisations(
        &self,
        access: &str,
        evidence: &Evidence,
    ) -> Result<Vec<String>, Failed> {
        let settings = &self.settings;
        if !settings.wants.organisations {
            return Ok(Vec::new());
        }
        let claims = settings.userinfo.organisation_claims.iter();
        let claims = claims.flat_map(|claim| {
            [&evidence.id_token, &evidence.profile]
                .into_iter()
                .flat_map(|map| texts(claim.all(map)))
        });
        let mut all: Vec<String> = claims.collect();
        let told = userinfo::organisations(settings, access).await;
        all.extend(told.at("organisations")?);
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn alias<const N: usize>(&self, maps: [&mut Map<String, Value>; N]) {
        for claims in maps {
            self.settings.claims.add_aliases(claims);
        }
    }
}

fn not_accepted(reason: &'static str) -> Failed {
    Failed::new("id_token", reason, UpstreamError::Invalid("the ID token"))
}

/// A profile of somebody else.
const ANOTHER_USER: &str = "another_user";

/// Whose tokens are another's now has none any more.
fn ended_by_another(mut failed: Failed) -> Failed {
    // SECURITY: tokens that open another account than the grant's are not its user's (OpenID Connect
    // Core section 5.3.2); sec_px_09_tokens_that_became_another_users_end_the_grant
    if failed.code == ANOTHER_USER {
        failed.error = UpstreamError::Ended;
    }
    failed
}
