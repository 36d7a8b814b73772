//! What a request brings along to show who it is.
//!
//! | sent | taken for | answer |
//! |---|---|---|
//! | no header, an empty one, `Bearer` without a token | nothing | 401 without `error` (RFC 6750 section 3.1) |
//! | another scheme | nothing that is read here | 401 without `error` |
//! | `Bearer` and something that is no b64token, or no scheme at all | a malformed token | 401 `invalid_token`, which RFC 6750 section 3.1 says of malformed tokens |
//! | two headers | two tokens | 400 `invalid_request` |
//! | `access_token` in the query, alone or beside a header | a token in the wrong place | 400 `invalid_request` |

use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, Request};
use portcullis_oauth::BearerToken;

/// Longer than any token that the verifiers read.
const MAX_HEADER: usize = 20 * 1024;

/// The parameter of RFC 6750 section 2.3.
const PARAMETER: &[u8] = b"access_token";

/// The credentials of a request (RFC 6750 section 2.1: the header alone counts; a token in a form
/// is not looked at).
#[derive(Debug)]
pub(super) enum Credentials {
    /// None.
    None,
    /// Those of another scheme.
    Foreign,
    /// A bearer token, well formed and not verified.
    Bearer(BearerToken),
    /// The bearer scheme without a readable token.
    Malformed,
    /// More than one.
    Several,
    /// A token in the query.
    InQuery,
}

impl Credentials {
    /// Takes them out of the request.
    pub(super) fn take<B>(request: &mut Request<B>) -> Self {
        // SECURITY: a query ends up in logs, histories and referrers (RFC 6750 section 2.3, MCP
        // authorization, token requirements); sec_rs_05_a_token_in_the_query_is_refused
        let in_query = request.uri().query().is_some_and(has_token);
        let headers = request.headers_mut();
        let credentials = if in_query {
            Self::InQuery
        } else {
            Self::read(headers)
        };
        // SECURITY: credentials stop here, so that nothing below can see, log or forward them
        // (MCP authorization, token passthrough); sec_op_01_no_credentials_below_the_layer
        headers.remove(AUTHORIZATION);
        headers.remove(PROXY_AUTHORIZATION);
        credentials
    }

    fn read(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Self::None;
        };
        // SECURITY: of two tokens another reader might take the other one (RFC 6750 section 2);
        // sec_rs_05_two_credentials_are_refused
        if values.next().is_some() {
            return Self::Several;
        }
        let Ok(text) = value.to_str() else {
            return Self::Malformed;
        };
        if text.bytes().all(|b| b == b' ') {
            return Self::None;
        }
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return if is_token(scheme) {
                Self::Foreign
            } else {
                Self::Malformed
            };
        }
        if rest.bytes().all(|b| b == b' ') {
            return Self::None;
        }
        // SECURITY: one space and b64token alone, so that no two readers see two tokens (RFC 6750
        // section 2.1); sec_rs_05_the_header_has_one_spelling
        match BearerToken::parse(rest) {
            Ok(token) if rest.len() <= MAX_HEADER => Self::Bearer(token),
            _ => Self::Malformed,
        }
    }
}

/// Whether a query has a parameter for a token, however it is escaped.
fn has_token(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        unescaped(name.bytes()).eq(PARAMETER.iter().copied())
    })
}

/// Percent-decoded, in lower case.
fn unescaped(mut bytes: impl Iterator<Item = u8> + Clone) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        let mut ahead = bytes.clone();
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let escaped = match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        if escaped.is_some() {
            bytes = ahead;
        }
        Some(escaped.unwrap_or(byte).to_ascii_lowercase())
    })
}

/// `token` of RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn take(values: &[&[u8]]) -> Credentials {
        take_at("/mcp", values)
    }

    fn take_at(uri: &str, values: &[&[u8]]) -> Credentials {
        let mut request = Request::get(uri).body(()).unwrap();
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(AUTHORIZATION, value);
        }
        let credentials = Credentials::take(&mut request);
        assert!(request.headers().is_empty(), "credentials stay behind");
        credentials
    }

    #[test]
    fn sec_rs_01_an_empty_token_is_no_token() {
        for none in [&b""[..], b" ", b"Bearer", b"Bearer ", b"Bearer   "] {
            assert!(matches!(take(&[none]), Credentials::None), "{none:?}");
        }
        assert!(matches!(take(&[]), Credentials::None));
    }

    #[test]
    fn sec_rs_06_another_scheme_brings_no_bearer_token() {
        for foreign in [&b"DPoP abc"[..], b"dpop abc", b"Basic dTpw", b"Bearer2 abc"] {
            assert!(
                matches!(take(&[foreign]), Credentials::Foreign),
                "{foreign:?}"
            );
        }
    }

    #[test]
    fn sec_rs_05_the_header_has_one_spelling() {
        for good in [&b"Bearer a.b-c_d~e+f/=="[..], b"bearer abc", b"BEARER abc"] {
            assert!(matches!(take(&[good]), Credentials::Bearer(_)), "{good:?}");
        }
        for bad in [
            &b"Bearer  abc"[..],
            b"Bearer abc ",
            b"Bearer a b",
            b"Bearer\tabc",
            b"Bearer \tabc",
            b"Bearer \"abc\"",
            b"Bearer abc,def",
            b"Bearer \xa0abc",
            b"Bearer abc\xc3\xa9",
            b"Bearer a=b",
            b"Bearer ==",
        ] {
            assert!(matches!(take(&[bad]), Credentials::Malformed), "{bad:?}");
        }
        let long = [b"Bearer ", "a".repeat(MAX_HEADER + 1).as_bytes()].concat();
        assert!(matches!(take(&[&long]), Credentials::Malformed));
    }

    #[test]
    fn sec_rs_05_a_token_in_the_query_is_refused() {
        for query in [
            "access_token=abc",
            "access_token=",
            "access_token",
            "a=b&access_token=abc",
            "a=b;access_token=abc",
            "access%5Ftoken=abc",
            "%61ccess_token=abc",
            "Access_Token=abc",
        ] {
            let uri = format!("/mcp?{query}");
            for values in [&[][..], &[&b"Bearer abc"[..]]] {
                let taken = take_at(&uri, values);
                assert!(matches!(taken, Credentials::InQuery), "{query}");
            }
        }
        for query in ["a=access_token", "access_tokens=a", "xaccess_token=a", "%"] {
            let uri = format!("/mcp?{query}");
            let taken = take_at(&uri, &[b"Bearer abc"]);
            assert!(matches!(taken, Credentials::Bearer(_)), "{query}");
        }
    }

    #[test]
    fn sec_rs_05_two_credentials_are_refused() {
        assert!(matches!(
            take(&[b"Bearer abc", b"Bearer abc"]),
            Credentials::Several
        ));
        assert!(matches!(
            take(&[b"Basic abc", b"Bearer abc"]),
            Credentials::Several
        ));
    }
}
