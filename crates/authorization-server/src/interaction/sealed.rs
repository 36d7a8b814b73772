//! The form in which an interaction travels.

use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::json;
use portcullis_oauth::{
    ClientId, CodeChallenge, RedirectUri, ResourceUrl, ScopeSet, SecretString, Timestamp,
};
use portcullis_store::{Records, StoreError};
use serde::{Deserialize, Serialize};

use super::{Asked, Browser, BrowserDigest, Errand, Interaction, InteractionId, Login};
use crate::serial::bytes;

/// Why there is nothing to go on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InteractionError {
    /// What the browser brings was not made here, or not whole.
    #[error("the interaction is not one of ours")]
    Malformed,
    /// It began too long ago.
    #[error("the interaction has ended")]
    Expired,
    /// It began in another browser, or this one keeps no cookies.
    #[error("the interaction belongs to another browser")]
    OtherBrowser,
    /// It cannot be said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Interaction {
    /// Seals it into a text for a URL or a form.
    ///
    /// # Errors
    /// [`StoreError`] when there is no sealing now.
    pub(crate) fn seal(&self, records: &Records) -> Result<String, StoreError> {
        let plain = json::to_vec(&Wire::from(self)).map_err(|_| StoreError::TooLarge)?;
        let sealed = records.seal(PURPOSE, &[], &plain)?;
        Ok(base64url::encode(sealed))
    }

    /// Opens what [`seal`](Self::seal) made, in the browser that it was made for.
    ///
    /// # Errors
    /// [`InteractionError`].
    pub(crate) fn open(
        text: &str,
        browser: Option<&Browser>,
        records: &Records,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, InteractionError> {
        let interaction = Self::unseal(text, records, now, lifetime)?;
        // SECURITY: who begins and who decides are the same person at the same browser, or an
        // attacker begins and a victim decides (RFC 9700 section 4.7);
        // sec_cn_25_another_browser_cannot_go_on
        if !browser.is_some_and(|browser| interaction.browser.is(browser)) {
            return Err(InteractionError::OtherBrowser);
        }
        Ok(interaction)
    }

    /// What was asked for in an interaction of any browser, to begin one of one's own with it. That is
    /// no more than to follow the client's link.
    ///
    /// # Errors
    /// [`InteractionError`].
    pub(crate) fn again(
        text: &str,
        records: &Records,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<(Errand, Login), InteractionError> {
        let interaction = Self::unseal(text, records, now, lifetime)?;
        let login = match interaction.login {
            // Whoever logged in there did not do it here.
            Login::Made(_) => Login::Anew,
            login => login,
        };
        Ok((interaction.errand, login))
    }

    fn unseal(
        text: &str,
        records: &Records,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, InteractionError> {
        if text.len() > MOST_TEXT {
            return Err(InteractionError::Malformed);
        }
        let sealed = base64url::decode_strict(text).map_err(|_| InteractionError::Malformed)?;
        let plain = match records.open_sealed(PURPOSE, &[], &sealed) {
            Ok(plain) => plain,
            Err(error @ StoreError::Unavailable(_)) => return Err(error.into()),
            Err(_) => return Err(InteractionError::Malformed),
        };
        // Nobody else can have written it.
        let wire: Wire = json::from_own(&plain).map_err(|_| InteractionError::Malformed)?;
        let interaction = Self::try_from(wire).map_err(|()| InteractionError::Malformed)?;
        // SECURITY: what was left open in a tab is not somebody's to finish later;
        // sec_az_14_an_interaction_ends_after_ten_minutes
        if now.duration_since(interaction.began) >= lifetime {
            return Err(InteractionError::Expired);
        }
        Ok(interaction)
    }
}

/// As it is written inside the seal. A member that comes later needs a default: an interaction may
/// be opened by the next version.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(with = "bytes")]
    id: [u8; 16],
    #[serde(with = "bytes")]
    browser: [u8; 32],
    began: i64,
    login: WireLogin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<WireAsked>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireLogin {
    Any,
    Within(u64),
    Anew,
    Made(#[serde(with = "bytes")] [u8; 32]),
}

#[derive(Serialize, Deserialize)]
struct WireAsked {
    client_id: ClientId,
    redirect_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    code_challenge: CodeChallenge,
    scope: ScopeSet,
    resource: ResourceUrl,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ui_locales: Option<String>,
}

impl From<&Interaction> for Wire {
    fn from(interaction: &Interaction) -> Self {
        Self {
            id: interaction.id.0,
            browser: *interaction.browser.as_bytes(),
            began: interaction.began.as_secs(),
            login: match interaction.login {
                Login::Any => WireLogin::Any,
                Login::Within(age) => WireLogin::Within(age.as_secs()),
                Login::Anew => WireLogin::Anew,
                Login::Made(session) => WireLogin::Made(session),
            },
            asked: interaction.asked().map(WireAsked::from),
        }
    }
}

impl From<&Asked> for WireAsked {
    fn from(asked: &Asked) -> Self {
        Self {
            client_id: asked.client_id.clone(),
            redirect_uri: asked.redirect_uri.as_str().to_owned(),
            state: asked.state.as_ref().map(|state| state.expose().to_owned()),
            code_challenge: asked.code_challenge.clone(),
            scope: asked.scope.clone(),
            resource: asked.resource.clone(),
            login_hint: asked.login_hint.clone(),
            ui_locales: asked.ui_locales.clone(),
        }
    }
}

impl TryFrom<Wire> for Interaction {
    type Error = ();

    fn try_from(wire: Wire) -> Result<Self, ()> {
        let errand = match wire.asked {
            Some(asked) => Errand::Authorization(Box::new(asked.try_into()?)),
            None => Errand::Account,
        };
        Ok(Self {
            id: InteractionId(wire.id),
            browser: BrowserDigest::of_bytes(wire.browser),
            began: Timestamp::from_secs(wire.began),
            errand,
            login: match wire.login {
                WireLogin::Any => Login::Any,
                WireLogin::Within(age) => Login::Within(Duration::from_secs(age)),
                WireLogin::Anew => Login::Anew,
                WireLogin::Made(session) => Login::Made(session),
            },
        })
    }
}

impl TryFrom<WireAsked> for Asked {
    type Error = ();

    fn try_from(wire: WireAsked) -> Result<Self, ()> {
        // Its scheme was judged before it was sealed; what a server allows may be more than the
        // parser knows by itself.
        let text = wire.redirect_uri;
        let scheme = text
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        Ok(Self {
            client_id: wire.client_id,
            redirect_uri: RedirectUri::parse_allowing(&text, &[&scheme]).map_err(drop)?,
            state: wire.state.map(SecretString::from),
            code_challenge: wire.code_challenge,
            scope: wire.scope,
            resource: wire.resource,
            login_hint: wire.login_hint,
            ui_locales: wire.ui_locales,
        })
    }
}

/// What values are sealed for; a change of their form takes another name.
const PURPOSE: &str = "interaction 2";
/// The longest text that is looked at. A request with the longest `state`, redirect URI and scope is
/// below it.
const MOST_TEXT: usize = 32 * 1024;
