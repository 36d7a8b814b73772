//! Proof that a form was filled in on a page that we showed, by whom we showed it to, and that it
//! still says what it said then.
//!
//! A token has two halves, each a tag under a key that no other server has. The first binds it to a
//! page, an interaction, and a session or browser: without it the form is forged. The second binds it
//! to all that was displayed: where only that one fails, something changed meanwhile, and the user has
//! to look again.

use portcullis_oauth::SecretBytes;
use portcullis_oauth::crypto::{base64url, ct_eq, hmac_sha256};

use crate::framed::FramedDigest;
use crate::interaction::InteractionId;

/// The key of all tokens.
#[derive(Clone, Debug)]
pub(crate) struct Csrf(SecretBytes);

/// The page that a form is on, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// Which page.
    pub(crate) page: FormPage,
    /// What the browser is in the middle of, if the page is part of it.
    pub(crate) interaction: Option<InteractionId>,
    /// The id of the session, or before there is one the digest of the browser.
    pub(crate) holder: &'a [u8; 32],
}

/// A page with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormPage {
    /// Who are you?
    Login,
    /// May it?
    Consent,
    /// My connections.
    Account,
}

/// A digest of what a page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown([u8; 32]);

/// Why a form is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CsrfError {
    /// It is not from a page of ours, or from somebody else's.
    #[error("the form was not sent from a page of this server")]
    Forged,
    /// What it was about has changed since.
    #[error("what the form is about has changed")]
    Changed,
}

impl Csrf {
    /// Tokens under that key.
    pub(crate) fn new(key: impl Into<Vec<u8>>) -> Self {
        Self(SecretBytes::new(key))
    }

    /// The token for a form of a page that shows this.
    pub(crate) fn token(&self, form: &Form<'_>, shown: &Shown) -> String {
        let mut token = [0; 64];
        let (whose, what) = token.split_at_mut(32);
        whose.copy_from_slice(&self.whose(form));
        what.copy_from_slice(&self.what(form, shown));
        base64url::encode(token)
    }

    /// Checks a token for what the page would show now.
    ///
    /// # Errors
    /// [`CsrfError`].
    pub(crate) fn check(
        &self,
        form: &Form<'_>,
        shown: &Shown,
        presented: Option<&str>,
    ) -> Result<(), CsrfError> {
        let (_, what) = self.check_whose(form, presented)?;
        // SECURITY: what is approved is what was displayed, and nothing that came later;
        // sec_cn_13_a_change_between_page_and_approval_asks_again
        if ct_eq(&what, &self.what(form, shown)) {
            Ok(())
        } else {
            Err(CsrfError::Changed)
        }
    }

    /// Checks a token, whatever was displayed: enough to log out.
    ///
    /// # Errors
    /// [`CsrfError::Forged`].
    pub(crate) fn check_holder(
        &self,
        form: &Form<'_>,
        presented: Option<&str>,
    ) -> Result<(), CsrfError> {
        self.check_whose(form, presented).map(drop)
    }

    fn check_whose(
        &self,
        form: &Form<'_>,
        presented: Option<&str>,
    ) -> Result<([u8; 32], [u8; 32]), CsrfError> {
        let bytes = presented
            .filter(|text| text.len() == 86)
            .and_then(|text| base64url::decode_strict(text).ok())
            .unwrap_or_default();
        let halves = bytes.split_first_chunk::<32>();
        let halves = halves.and_then(|(whose, what)| Some((*whose, what.try_into().ok()?)));
        let (whose, what) = halves.ok_or(CsrfError::Forged)?;
        // SECURITY: an approval that a foreign page sent is nobody's (RFC 6749 section 10.12);
        // sec_cn_03_a_form_without_our_token_is_refused
        if ct_eq(&whose, &self.whose(form)) {
            Ok((whose, what))
        } else {
            Err(CsrfError::Forged)
        }
    }

    fn whose(&self, form: &Form<'_>) -> [u8; 32] {
        hmac_sha256(self.0.expose(), &form.framed(b"whose", &[]))
    }

    fn what(&self, form: &Form<'_>, shown: &Shown) -> [u8; 32] {
        hmac_sha256(self.0.expose(), &form.framed(b"what", &shown.0))
    }
}

impl Form<'_> {
    /// Every part has one length, so none can run into the next.
    fn framed(&self, half: &[u8], shown: &[u8]) -> Vec<u8> {
        let interaction = self.interaction.map(|id| *id.as_bytes());
        let mut text = Vec::with_capacity(128);
        text.extend_from_slice(half);
        text.push(0);
        text.push(self.page as u8);
        text.push(u8::from(interaction.is_some()));
        text.extend_from_slice(&interaction.unwrap_or_default());
        text.extend_from_slice(self.holder);
        text.extend_from_slice(shown);
        text
    }
}

impl Shown {
    /// Nothing that a decision depends on.
    pub(crate) const NOTHING: Self = Self([0; 32]);

    /// These texts, in this order.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = FramedDigest::new();
        for text in texts {
            digest.bytes(text);
        }
        Self(digest.finish())
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::{SeededEntropy, Timestamp};

    use super::*;
    use crate::interaction::{Browser, Errand, Interaction, Login};

    fn an_interaction(seed: u64) -> InteractionId {
        let entropy = SeededEntropy::new(seed);
        let browser = Browser::generate(&entropy).unwrap();
        let (errand, login, now) = (Errand::Account, Login::Any, Timestamp::from_secs(0));
        let begun = Interaction::begin(errand, login, &browser, now, &entropy);
        begun.unwrap().id()
    }

    #[test]
    fn sec_cn_03_a_form_without_our_token_is_refused() {
        let csrf = Csrf::new([7; 32]);
        let (one, other) = (an_interaction(1), an_interaction(2));
        let form = Form {
            page: FormPage::Consent,
            interaction: Some(one),
            holder: &[1; 32],
        };
        let shown = Shown::of([b"a".as_slice(), b"b"]);
        let token = csrf.token(&form, &shown);
        assert_eq!(csrf.check(&form, &shown, Some(&token)), Ok(()));
        assert_eq!(csrf.check_holder(&form, Some(&token)), Ok(()));

        let elsewhere = [
            Form {
                page: FormPage::Login,
                ..form
            },
            Form {
                page: FormPage::Account,
                ..form
            },
            Form {
                interaction: Some(other),
                ..form
            },
            Form {
                interaction: None,
                ..form
            },
            Form {
                holder: &[2; 32],
                ..form
            },
        ];
        for other in elsewhere {
            let refused = Err(CsrfError::Forged);
            assert_eq!(
                csrf.check(&other, &shown, Some(&token)),
                refused,
                "{other:?}"
            );
            assert_eq!(
                csrf.check_holder(&other, Some(&token)),
                refused,
                "{other:?}"
            );
        }
        let (start, end) = token.split_at(43);
        let (turned, long) = (format!("{end}{start}"), format!("{token}A"));
        let others = Csrf::new([8; 32]).token(&form, &shown);
        for bad in [
            None,
            Some(""),
            Some(start),
            Some(&long),
            Some(&others),
            Some(&turned),
        ] {
            assert_eq!(
                csrf.check(&form, &shown, bad),
                Err(CsrfError::Forged),
                "{bad:?}"
            );
            assert_eq!(
                csrf.check_holder(&form, bad),
                Err(CsrfError::Forged),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn sec_cn_13_a_token_is_for_what_was_shown() {
        let csrf = Csrf::new([7; 32]);
        let form = Form {
            page: FormPage::Consent,
            interaction: None,
            holder: &[1; 32],
        };
        let token = csrf.token(&form, &Shown::of([b"ab".as_slice(), b"c"]));
        for other in [
            Shown::of([b"a".as_slice(), b"bc"]),
            Shown::of([b"abc".as_slice()]),
            Shown::of([b"ab".as_slice(), b"c", b""]),
            Shown::NOTHING,
        ] {
            let checked = csrf.check(&form, &other, Some(&token));
            assert_eq!(checked, Err(CsrfError::Changed), "{other:?}");
            assert_eq!(csrf.check_holder(&form, Some(&token)), Ok(()));
        }
    }
}
