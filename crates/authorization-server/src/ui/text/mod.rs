//! What pages say, in every language: all of it is here, and in [`german`].
//!
//! A text may have places in braces, as `{app}`, which a page fills in. A catalogue is refused when
//! one of its texts has other places than the English one.

mod german;
mod language;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use maud::{Markup, PreEscaped, Render as _, html};
use portcullis_oauth::Timestamp;

pub(crate) use self::language::{choose, is_right_to_left, is_tag};

macro_rules! texts {
    ($($name:ident = $english:literal;)+) => {
        /// What pages say in one language.
        ///
        /// Another language begins with the English texts, so that a text which is added later is at
        /// least English:
        ///
        /// ```
        /// use portcullis_authorization_server::ui::{Texts, Theme};
        ///
        /// let mut swedish = Texts::english();
        /// swedish.language = "sv".into();
        /// swedish.approve = "Godkänn".into();
        /// swedish.consent_heading = "{app} vill ha åtkomst".into();
        /// let theme = Theme::new().language(swedish);
        /// # let _ = theme;
        /// ```
        ///
        /// A text keeps the places in braces that its English one has. Each field's text below is
        /// the English one.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Texts {
            $(#[doc = concat!("“", $english, "”")] pub $name: Cow<'static, str>,)+
        }

        impl Texts {
            /// The English texts.
            pub const fn english() -> Self {
                Self { $($name: Cow::Borrowed($english),)+ }
            }

            /// The name of the first text whose places are not those of the English one.
            fn misplaced(&self) -> Option<&'static str> {
                $(if places(&self.$name) != places($english) {
                    return Some(stringify!($name));
                })+
                None
            }

            /// Every text with its name.
            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($name), self.$name.as_ref()),)+]
            }
        }
    };
}

texts! {
    language = "en";
    months = "January February March April May June July August September October November December";
    date = "{day} {month} {year}";
    few_seconds = "a few seconds";
    seconds = "{count} seconds";
    minutes = "{count} minutes";
    quoted = "“{name}”";
    title = "{title} · {service}";
    error_title = "Error: {title}";
    support = "Get help";

    sign_in = "Sign in";
    sign_in_for = "to continue to {app}";
    sign_in_for_account = "to see which apps you gave access to";
    username = "User name";
    password = "Password";
    wrong_credentials = "The user name or the password is wrong.";
    sign_in_throttled = "That was tried too often. Try again in {wait}.";
    sign_in_unavailable = "Nobody can be signed in at the moment. Try again in {wait}.";
    personas = "Choose who you are";
    personas_note = "For development alone: whoever reaches this page can sign in.";
    sign_in_as = "Sign in as {user}";
    or_password = "Or with a password, which is the user name again";

    consent_title = "Allow access?";
    consent_heading = "{app} wants access";
    consent_intro = "It asks to use {resource} in your name.";
    unnamed_app = "An app without a name";
    app = "App";
    name_unverified = "It chose this name itself. Nobody has checked it.";
    name_of_website = "It is the app of {host}. It chose its name itself.";
    name_configured = "It was set up by whoever runs this service.";
    name_mixed = "Its name mixes letters of several alphabets, as names do that imitate another.";
    access_to = "Access to";
    permissions = "If you approve, it can";
    sends_to = "Sends you to";
    sends_to_app = "an app that opens {scheme} links";
    signed_in_as = "Signed in as";
    signs_in_at = "You sign in next with";
    not_you = "Not you? Sign out";
    warning = "Warning";
    warning_loopback = "The access goes to a program on this computer. Approve only if you have just started it yourself.";
    warning_app = "The access goes to whichever app on this device opens {scheme} links. Approve only if you come from that app.";
    warning_foreign = "The access goes to {place}, and not to {host}, whose app this is.";
    warning_letters = "The “xn--” in an address here stands for letters beyond a to z. Some imitate another address so.";
    technical = "Technical details";
    client_id = "App id";
    website = "Website, as the app says";
    resource_url = "Address of the service";
    redirect_uri = "Address of the answer";
    consent_note = "You can take this back at any time under {connections}.";
    approve = "Approve";
    deny = "Deny";

    scope_none = "Use what the service has for every user, in your name";
    scope_openid = "Know that it is you";
    scope_profile = "See your name and profile";
    scope_email = "See your e-mail address";
    scope_read_user = "Read your user data";
    scope_write_user = "Change your user data";
    scope_offline_access = "Keep this access until you take it back";

    connections = "My connections";
    connections_intro = "These apps can use this service in your name.";
    no_connections = "No app has access.";
    granted_on = "Since {date}";
    used_on = "Last used on {date}";
    never_used = "Not used yet";
    remove = "Remove access";
    remove_of = "Remove access of {app} to {resource}";
    remove_all = "Remove all access of {app}";
    removed = "The access is removed. The app has to ask you again.";
    more = "More connections";
    sign_out = "Sign out";
    signed_out = "You are signed out";
    signed_out_text = "Apps that you gave access to keep it. To take it back, sign in and open “My connections”.";
    sign_in_again = "Sign in again";

    unknown_client = "This app is not known here";
    unknown_client_text = "The app that sent you is not registered with this service, or no longer.";
    unknown_client_advice = "Remove the connection in the app and add it again. The app then registers anew.";
    untrusted_redirect = "This app cannot be answered";
    untrusted_redirect_text = "It wants its answer at an address that it may not use.";
    untrusted_redirect_advice = "Update the app, or remove the connection and add it again. If that does not help, tell whoever makes the app.";
    bad_request = "This request cannot be answered";
    bad_request_text = "What the app sent is incomplete, or it asks for what this service does not have.";
    bad_request_advice = "Go back to the app and try again. If that does not help, tell whoever makes the app.";
    expired = "This page is too old";
    expired_text = "It was open for too long, or its address was copied incompletely.";
    expired_advice = "Go back to the app and start again.";
    other_browser = "This did not begin in this browser";
    other_browser_text = "You began in another browser, or your browser did not send back a cookie of this service.";
    other_browser_advice = "Allow cookies for this service, go back to the app and start again. If the app shows this page in a window of its own, let it open your browser instead.";
    answered = "This question is answered already";
    answered_text = "You approved or denied it before, maybe in another tab.";
    answered_advice = "Go back to the app. If it still waits, start again there.";
    forged = "This did not come from our page";
    forged_text = "The form was sent from elsewhere, or for somebody else who was signed in here. Nothing was changed.";
    forged_advice = "Go back to the app and start again.";
    changed = "The app has changed in the meantime";
    changed_text = "What you were shown is not what the app says now, so it got no access.";
    changed_advice = "Go back to the app and start again.";
    not_signed_in = "You are not signed in";
    not_signed_in_text = "The service where you sign in did not confirm who you are.";
    not_signed_in_advice = "Start again. If that does not help, tell whoever runs this service.";
    not_allowed = "This account is not let in";
    not_allowed_text = "You signed in, with an account that may not use this service.";
    not_allowed_advice = "Start again in the app and choose another account, or ask whoever runs this service to let you in.";
    throttled = "Too many requests";
    throttled_text = "They came from your network within a short time.";
    throttled_advice = "Try again in {wait}.";
    unavailable = "Not available at the moment";
    unavailable_text = "A part of this service does not answer. Nothing was changed.";
    unavailable_advice = "Try again in {wait}.";
    internal = "Something went wrong here";
    internal_text = "The fault is ours, not yours.";
    internal_advice = "Try again. If it happens again, tell whoever runs this service, with the code below.";
    incident = "Code for whoever runs this service";
    reason = "What the app is told";
    return_to = "Return to {host}";
    return_note = "The link leads to {host}. Only the app itself says that this is its address.";
    return_to_app = "Return to the app";
    return_to_app_note = "The link opens whichever app on this device takes {scheme} links.";
    retry = "Try again";
}

impl Texts {
    /// The German texts.
    pub const fn german() -> Self {
        german::TEXTS
    }

    /// The name of the first text that cannot be used.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !is_tag(&self.language) {
            return Some("language");
        }
        if self.months.split(' ').count() != 12 {
            return Some("months");
        }
        self.misplaced()
    }

    /// A day, in UTC.
    pub(crate) fn day(&self, time: Timestamp) -> String {
        let text = time.to_string();
        let mut parts = text.split(['-', 'T']);
        let (year, month, day) = (parts.next(), parts.next(), parts.next());
        let number: usize = month
            .and_then(|month| month.parse().ok())
            .unwrap_or_default();
        let month = self.months.split(' ').nth(number.saturating_sub(1));
        let parts = [
            ("day", day.unwrap_or_default().trim_start_matches('0')),
            ("month", month.unwrap_or_default()),
            ("year", year.unwrap_or_default()),
        ];
        fill_text(&self.date, &parts)
    }

    /// How long to wait: no number that is more exact than of use.
    pub(crate) fn wait(&self, wait: Duration) -> String {
        // Rounded up, as in `Retry-After`.
        match wait.as_millis().div_ceil(1000) {
            0..10 => self.few_seconds.to_string(),
            seconds @ 10..=90 => fill_text(&self.seconds, &[("count", &seconds.to_string())]),
            seconds => {
                let minutes = seconds.div_ceil(60).to_string();
                fill_text(&self.minutes, &[("count", &minutes)])
            }
        }
    }
}

/// The text with its places filled by other text.
pub(crate) fn fill_text(text: &str, values: &[(&str, &str)]) -> String {
    pieces(text)
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Place(place) => value(values, place).copied().unwrap_or_default(),
        })
        .collect()
}

/// The text, escaped, with its places filled by markup.
pub(crate) fn fill(text: &str, values: &[(&str, Markup)]) -> Markup {
    let mut out = String::with_capacity(text.len() * 2);
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => text.render_to(&mut out),
            Piece::Place(place) => {
                if let Some(PreEscaped(markup)) = value(values, place) {
                    out.push_str(markup);
                }
            }
        }
    }
    PreEscaped(out)
}

/// A name in running text, which keeps its own direction of writing.
pub(crate) fn name(text: &str) -> Markup {
    html! { bdi { (text) } }
}

fn value<'a, T>(values: &'a [(&str, T)], place: &str) -> Option<&'a T> {
    let (_, value) = values.iter().find(|(name, _)| *name == place)?;
    Some(value)
}

enum Piece<'a> {
    Text(&'a str),
    Place(&'a str),
}

/// A text, cut at its places. A brace that closes nothing, or is never closed, is text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    text.split_inclusive('}').flat_map(|part| {
        let place = part
            .strip_suffix('}')
            .and_then(|part| part.rsplit_once('{'));
        match place {
            Some((text, place)) => [Some(Piece::Text(text)), Some(Piece::Place(place))],
            None => [Some(Piece::Text(part)), None],
        }
        .into_iter()
        .flatten()
    })
}

fn places(text: &str) -> BTreeSet<&str> {
    pieces(text)
        .filter_map(|piece| match piece {
            Piece::Place(place) => Some(place),
            Piece::Text(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_text_is_escaped() {
        let filled = fill("<b> {app} & {x}", &[("app", name("<i>"))]);
        assert_eq!(
            filled.into_string(),
            "&lt;b&gt; <bdi>&lt;i&gt;</bdi> &amp; "
        );
        assert_eq!(fill_text("{a}} {b", &[("a", "{b}")]), "{b}} {b");
    }

    #[test]
    fn built_in_languages_are_complete() {
        assert_eq!(Texts::english().fault(), None);
        assert_eq!(Texts::german().fault(), None);
        let (english, german) = (Texts::english(), Texts::german());
        for ((name, english), (_, german)) in english.all().into_iter().zip(german.all()) {
            assert!(!german.is_empty(), "{name}");
            let same = ["title", "app", "minutes", "date"];
            assert!(
                same.contains(&name) || english != german,
                "{name} is not translated"
            );
        }
    }

    #[test]
    fn a_text_without_its_place_is_named() {
        let mut texts = Texts::english();
        texts.consent_heading = "Something wants access".into();
        assert_eq!(texts.fault(), Some("consent_heading"));
        texts = Texts::english();
        texts.approve = "Approve {app}".into();
        assert_eq!(texts.fault(), Some("approve"));
        texts = Texts::english();
        texts.language = "en us".into();
        assert_eq!(texts.fault(), Some("language"));
        texts = Texts::english();
        texts.months = "Jan Feb".into();
        assert_eq!(texts.fault(), Some("months"));
    }

    #[test]
    fn days_and_waits_read_as_people_say_them() {
        let day = Timestamp::from_secs(1_795_219_500);
        assert_eq!(Texts::english().day(day), "21 November 2026");
        assert_eq!(Texts::german().day(day), "21. November 2026");
        assert_eq!(
            Texts::english().day(Timestamp::from_secs(0)),
            "1 January 1970"
        );
        let wait = |seconds| Texts::english().wait(Duration::from_secs(seconds));
        assert_eq!(wait(3), "a few seconds");
        assert_eq!(wait(45), "45 seconds");
        assert_eq!(wait(91), "2 minutes");
        assert_eq!(wait(900), "15 minutes");
    }
}
