//! Who and what: the names that OAuth compares byte for byte.
//!
//! Every type keeps the text it was made from, unchanged. Reading is strict: a URL that a browser
//! would repair (a missing slash apart, which a bare origin may do without) is refused, and the
//! error names the spelling to use instead. So two names are equal exactly when their texts are.

mod url;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::url::{BaseUrl, EndpointUrl, InvalidUrl, Issuer, ResourceUrl, is_loopback_host};

/// A text that is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// There is no identifier without characters.
    #[error("an identifier cannot be empty")]
    Empty,
    /// Longer than the type allows.
    #[error("an identifier cannot be longer than {0} bytes")]
    TooLong(usize),
    /// A control character, or one beyond ASCII where the standard allows none.
    #[error("an identifier cannot contain this character")]
    Character,
}

macro_rules! identifier {
    ($($(#[$doc:meta])+ $name:ident: $max:literal bytes, $allowed:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Reads an identifier; the text is kept as it is.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long or has a character outside the
            /// grammar.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() {
                    return Err(InvalidId::Empty);
                }
                if text.len() > $max {
                    return Err(InvalidId::TooLong($max));
                }
                if !text.chars().all(allowed) {
                    return Err(InvalidId::Character);
                }
                Ok(Self(text.into()))
            }

            /// The identifier as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    )+};
}

identifier! {
    /// A client (RFC 6749 section 2.2): 1 to 2048 visible ASCII characters or spaces. A client id
    /// metadata document's id is a URL, hence the length.
    ClientId: 2048 bytes, |c| matches!(c, ' '..='~');
    /// A user at one issuer (`sub`, RFC 7519 section 4.1.2): 1 to 255 bytes without control
    /// characters and what else breaks or reorders a line. It means nothing without its issuer.
    Subject: 255 bytes, stays_in_line;
    /// One token (`jti`, RFC 7519 section 4.1.7): 1 to 255 bytes without control characters and what
    /// else breaks or reorders a line. It means nothing without its issuer.
    TokenId: 255 bytes, stays_in_line;
}

/// No control character, line or paragraph separator, nor an override of the direction of text,
/// which shows a name as another one.
fn stays_in_line(c: char) -> bool {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}') && !reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_keep_to_their_grammar() {
        assert_eq!(ClientId::parse(""), Err(InvalidId::Empty));
        assert_eq!(ClientId::parse("a\nb"), Err(InvalidId::Character));
        assert_eq!(ClientId::parse("ä"), Err(InvalidId::Character));
        assert_eq!(
            ClientId::parse(&"a".repeat(2049)),
            Err(InvalidId::TooLong(2048))
        );
        assert_eq!(
            ClientId::parse("https://c.example/client.json")
                .unwrap()
                .as_str()
                .len(),
            29
        );
        assert_eq!(Subject::parse("a\0"), Err(InvalidId::Character));
        assert_eq!(
            Subject::parse(&"a".repeat(256)),
            Err(InvalidId::TooLong(255))
        );
        assert!(Subject::parse("jürgen|42").is_ok());
        for odd in [
            "a\u{2028}b",
            "a\u{2029}b",
            "\u{202e}nimda",
            "\u{2066}a",
            "a\u{85}b",
        ] {
            assert_eq!(Subject::parse(odd), Err(InvalidId::Character), "{odd:?}");
            assert_eq!(TokenId::parse(odd), Err(InvalidId::Character), "{odd:?}");
        }
        assert_eq!(TokenId::parse(""), Err(InvalidId::Empty));
    }
}
