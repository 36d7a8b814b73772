//! Cookies: a strict reader of `Cookie`, and the one writer of `Set-Cookie` (RFC 6265).
//!
//! On `https` a name begins with `__Host-`: the browser then takes the cookie from this host alone,
//! over TLS, for the whole of it, so no other host of the domain can plant one (RFC 6265bis section
//! 4.1.3.2). On `http` loopback there is no such prefix, and Safari refuses `Secure`; there the name
//! has the port, because cookies do not know ports and another server may listen on the next one. Where
//! the base URL has a path, the name has that too.

use std::fmt;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use portcullis_oauth::BaseUrl;

/// All cookies of a request together; browsers send far less.
const MAX_BYTES: usize = 16 * 1024;

/// Our cookies in one request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Jar<'a> {
    pub(crate) browser: Sent<'a>,
    pub(crate) session: Sent<'a>,
    pub(crate) device: Sent<'a>,
}

/// How often a request has a cookie, and with which value.
#[derive(Clone, Copy, Default)]
pub(crate) enum Sent<'a> {
    #[default]
    Never,
    Once(&'a str),
    /// Several times, or as no value of ours is written.
    Useless,
}

impl<'a> Sent<'a> {
    /// The value, where it is one.
    pub(crate) fn value(self) -> Option<&'a str> {
        match self {
            Self::Once(value) => Some(value),
            Self::Never | Self::Useless => None,
        }
    }

    fn add(&mut self, value: &'a str) {
        // SECURITY: of two, one may be planted by a neighbour, and which comes first is his to choose
        // (RFC 6265 section 8.6); sec_cn_03_a_repeated_cookie_counts_as_none
        *self = match self {
            Self::Never if is_value(value) => Self::Once(value),
            _ => Self::Useless,
        };
    }
}

impl fmt::Debug for Jar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jar").finish_non_exhaustive()
    }
}

/// The names of our cookies under one base URL.
#[derive(Clone, Debug)]
pub(crate) struct CookieNames {
    /// What tells one browser from another; interactions are bound to it.
    pub(crate) browser: CookieName,
    /// Who is signed in.
    pub(crate) session: CookieName,
    /// Which accounts signed in from this device before.
    pub(crate) device: CookieName,
    /// That a page was shown. It is only ever set.
    pub(crate) shown: CookieName,
}

impl CookieNames {
    pub(crate) fn for_base(base: &BaseUrl) -> Self {
        let name = |what| CookieName::new(base, what);
        Self {
            browser: name("browser"),
            session: name("session"),
            device: name("device"),
            shown: name("shown"),
        }
    }

    /// Reads all `Cookie` headers. What is not written as the grammar says is left out, and of too
    /// many bytes nothing is read.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap) -> Jar<'a> {
        let mut jar = Jar::default();
        let lines = || headers.get_all(COOKIE).iter();
        if lines().map(HeaderValue::len).sum::<usize>() > MAX_BYTES {
            return jar;
        }
        let lines = lines().filter_map(|line| line.to_str().ok());
        for pair in lines.flat_map(|line| line.split(';')) {
            let Some((name, value)) = pair.trim_matches([' ', '\t']).split_once('=') else {
                continue;
            };
            for (known, sent) in [
                (&self.browser, &mut jar.browser),
                (&self.session, &mut jar.session),
                (&self.device, &mut jar.device),
            ] {
                if known.text == name {
                    sent.add(value);
                }
            }
        }
        jar
    }
}

/// The name of a cookie, and with it how the cookie is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookieName {
    text: String,
    secure: bool,
}

impl CookieName {
    fn new(base: &BaseUrl, what: &str) -> Self {
        // SECURITY: without the prefix, any host of the domain could plant one (RFC 6265bis section
        // 4.1.3.2); sec_cn_03_cookies_of_https_belong_to_the_host
        let mut text = if base.is_https() {
            format!("__Host-portcullis-{what}")
        } else {
            format!("portcullis-{what}-{}", base.port())
        };
        // Such a cookie goes to all of a host, where another server may be below another path.
        let below = base.path().trim_matches('/');
        if !below.is_empty() {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            let byte = |byte: u8| match byte {
                byte if plain(byte) => char::from(byte).to_string(),
                byte => format!("_{byte:02x}"),
            };
            text.push('-');
            text.extend(below.bytes().map(byte));
        }
        Self {
            text,
            secure: base.is_https(),
        }
    }

    /// `Set-Cookie` for this value. It lasts as long as the browser's session, or so long as
    /// `max_age`.
    ///
    /// # Errors
    /// [`InvalidCookie`] when the value has other characters than those of base64url and `.`.
    pub(crate) fn set(
        &self,
        value: &str,
        max_age: Option<Duration>,
    ) -> Result<HeaderValue, InvalidCookie> {
        if value.is_empty() || !value.bytes().all(is_value_byte) {
            return Err(InvalidCookie);
        }
        let max_age = max_age.map(|age| age.as_secs());
        self.write(value, max_age)
    }

    /// `Set-Cookie` that makes the browser forget it.
    ///
    /// # Errors
    /// Never, with the names of [`CookieNames`].
    pub(crate) fn expire(&self) -> Result<HeaderValue, InvalidCookie> {
        self.write("", Some(0))
    }

    fn write(&self, value: &str, max_age: Option<u64>) -> Result<HeaderValue, InvalidCookie> {
        // SECURITY: no script reads it, no foreign page's form sends it (RFC 6265bis section 8.8);
        // sec_cn_03_cookies_of_https_belong_to_the_host
        let mut text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.text);
        if self.secure {
            text.push_str("; Secure");
        }
        if let Some(max_age) = max_age {
            text.push_str("; Max-Age=");
            text.push_str(&max_age.to_string());
        }
        let mut value = HeaderValue::try_from(text).map_err(|_| InvalidCookie)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A value that no cookie of ours has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cookie's value is base64url")]
pub(crate) struct InvalidCookie;

fn is_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_value_byte)
}

/// base64url, and a dot to join two of them.
fn is_value_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &str) -> CookieNames {
        CookieNames::for_base(&BaseUrl::parse(base).unwrap())
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::try_from(*line).unwrap());
        }
        headers
    }

    fn session(base: &str, lines: &[&str]) -> Option<String> {
        let headers = headers(lines);
        let jar = names(base).read(&headers);
        jar.session.value().map(str::to_owned)
    }

    const HTTPS: &str = "https://mcp.example.com";

    #[test]
    fn cookies_are_found_by_their_exact_name() {
        let name = "__Host-portcullis-session";
        let found = |lines: &[&str]| session(HTTPS, lines);
        assert_eq!(
            found(&[&format!("a=b; {name}=x-1_.y; c=d")]),
            Some("x-1_.y".into())
        );
        assert_eq!(found(&["a=b", &format!("{name}=x")]), Some("x".into()));
        for other in [
            "__host-portcullis-session=x",
            "portcullis-session=x",
            "__Host-portcullis-session =x",
            "x__Host-portcullis-session=x",
            "__Host-portcullis-session",
            "__Host-portcullis-session=",
            "__Host-portcullis-session=\"x\"",
            "__Host-portcullis-session=x y",
            "__Host-portcullis-session=x=y",
            "a=__Host-portcullis-session=x",
        ] {
            assert_eq!(found(&[other]), None, "{other}");
        }
    }

    #[test]
    fn sec_cn_03_servers_below_two_paths_of_a_host_have_cookies_of_their_own() {
        let name = |base: &str| names(base).session.text;
        for (base, expected) in [
            (HTTPS, "__Host-portcullis-session"),
            ("https://mcp.example.com/", "__Host-portcullis-session"),
            ("https://mcp.example.com/a/", "__Host-portcullis-session-a"),
            (
                "https://mcp.example.com/a-b",
                "__Host-portcullis-session-a-b",
            ),
            (
                "https://mcp.example.com/a/b",
                "__Host-portcullis-session-a_2fb",
            ),
            (
                "https://mcp.example.com/a_2fb",
                "__Host-portcullis-session-a_5f2fb",
            ),
            ("http://localhost:8000/a", "portcullis-session-8000-a"),
        ] {
            assert_eq!(name(base), expected);
        }
        let next_door = session(
            "https://mcp.example.com/a",
            &["__Host-portcullis-session-b=x"],
        );
        assert_eq!(next_door, None);
    }

    #[test]
    fn sec_cn_03_a_repeated_cookie_counts_as_none() {
        let name = "__Host-portcullis-session";
        let pair = |value: &str| format!("{name}={value}");
        assert_eq!(
            session(HTTPS, &[&format!("{}; {}", pair("x"), pair("x"))]),
            None
        );
        assert_eq!(session(HTTPS, &[&pair("x"), &pair("y")]), None);
        assert_eq!(session(HTTPS, &[&pair("x"), &pair("")]), None);
        assert_eq!(session(HTTPS, &[&pair("x"), &pair("x"), &pair("x")]), None);
    }

    #[test]
    fn a_flood_of_cookies_is_not_read() {
        let name = "__Host-portcullis-session";
        let flood = format!("{name}=x; a={}", "a".repeat(MAX_BYTES));
        assert_eq!(session(HTTPS, &[&flood]), None);
    }

    #[test]
    fn sec_cn_03_cookies_of_https_belong_to_the_host() {
        let names = names(HTTPS);
        let set = names.browser.set("abc", None).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-portcullis-browser=abc; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        let week = Duration::from_secs(604_800);
        let device = names.device.set("abc.d", None).unwrap();
        assert!(
            device
                .to_str()
                .unwrap()
                .starts_with("__Host-portcullis-device=abc.d; ")
        );
        let set = names.session.set("abc", Some(week)).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-portcullis-session=abc; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=604800"
        );
        let expired = names.session.expire().unwrap();
        assert_eq!(
            expired.to_str().unwrap(),
            "__Host-portcullis-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"
        );
    }

    #[test]
    fn cookies_of_loopback_know_their_port() {
        let names = names("http://localhost:8000");
        let set = names.browser.set("abc", None).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "portcullis-browser-8000=abc; Path=/; HttpOnly; SameSite=Lax"
        );
        let there = session("http://127.0.0.1:8000", &["portcullis-session-8000=x"]);
        assert_eq!(there.as_deref(), Some("x"));
        assert_eq!(
            session("http://127.0.0.1:8001", &["portcullis-session-8000=x"]),
            None
        );
    }

    #[test]
    fn a_value_cannot_add_an_attribute() {
        for odd in ["", "a;Domain=x", "a\r\nb", "a b", "a,b", "é"] {
            assert_eq!(
                names(HTTPS).session.set(odd, None),
                Err(InvalidCookie),
                "{odd:?}"
            );
        }
    }

    #[test]
    fn values_are_in_no_debug_output() {
        let headers = headers(&["__Host-portcullis-session=canary"]);
        let set = names(HTTPS).session.set("canary", None).unwrap();
        let jar = names(HTTPS).read(&headers);
        assert!(jar.session.value().is_some());
        assert!(!format!("{jar:?} {set:?}").contains("canary"));
    }
}
