//! How long an answer may be kept (RFC 9111).
//!
//! These functions read what the server asks for; bounds are the caller's.

mod date;

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderName};

/// How long the answer stays fresh: by its [`max_age`], or else until it `Expires`, counted from its own
/// `Date` (RFC 9111 section 4.2.1). `None` when the server does not say.
///
/// What cannot be read as a date has expired (RFC 9111 section 5.3).
pub fn freshness(headers: &HeaderMap) -> Option<Duration> {
    max_age(headers).or_else(|| {
        let expires = headers.get(EXPIRES)?;
        let seconds = expires.to_str().ok().and_then(date::seconds);
        let lifetime = match (seconds, time_of(headers, DATE)) {
            (Some(expires), Some(date)) => expires.saturating_sub(date),
            // Nobody can say how long that is.
            (Some(_), None) => return None,
            (None, _) => 0,
        };
        Some(Duration::from_secs(lifetime.saturating_sub(age(headers))))
    })
}

fn time_of(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    date::seconds(headers.get(name)?.to_str().ok()?)
}

fn age(headers: &HeaderMap) -> u64 {
    let value = headers.get(AGE).and_then(|value| value.to_str().ok());
    value
        .and_then(|value| seconds(value.trim()))
        .unwrap_or_default()
}

/// How long the answer stays fresh: its `max-age`, less the `Age` it has already reached (RFC 9111
/// section 4.2). `None` when the server does not say, or not in a way that can be read. Of several
/// `max-age` the smallest counts.
pub fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lifetime = directives(headers)
        .filter_map(|directive| {
            let (name, value) = directive.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("max-age")
                .then(|| seconds(value.trim().trim_matches('"')))?
        })
        .min()?;
    Some(Duration::from_secs(lifetime.saturating_sub(age(headers))))
}

/// Whether the server asks that the answer is not kept, or not used again without asking
/// (`no-store`, `no-cache`, RFC 9111 section 5.2.2).
pub fn no_store(headers: &HeaderMap) -> bool {
    directives(headers).any(|directive| {
        let name = directive
            .split_once('=')
            .map_or(directive, |(name, _)| name);
        ["no-store", "no-cache"]
            .iter()
            .any(|refusal| name.trim().eq_ignore_ascii_case(refusal))
    })
}

/// Whether the server asks that the answer is not used once it is no longer fresh, also while there
/// is no way to a newer one: [`no_store`], `must-revalidate` or, for whoever keeps answers for
/// several, `proxy-revalidate` (RFC 9111 section 4.2.4).
pub fn forbids_stale(headers: &HeaderMap) -> bool {
    no_store(headers)
        || directives(headers).any(|directive| {
            ["must-revalidate", "proxy-revalidate"]
                .iter()
                .any(|refusal| directive.eq_ignore_ascii_case(refusal))
        })
}

fn directives(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// `delta-seconds`; one that no counter can hold is as good as 2^31 (RFC 9111 section 1.2.2).
fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(1 << 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn freshness_is_what_max_age_leaves_after_age() {
        for (lines, expected) in [
            (&[("cache-control", "max-age=60")][..], Some(60)),
            (&[("cache-control", "public, Max-Age = \"60\"")], Some(60)),
            (&[("cache-control", "max-age=60"), ("age", "20")], Some(40)),
            (&[("cache-control", "max-age=60"), ("age", "90")], Some(0)),
            (&[("cache-control", "max-age=60, max-age=5")], Some(5)),
            (
                &[("cache-control", "private"), ("cache-control", "max-age=7")],
                Some(7),
            ),
            (
                &[("cache-control", "max-age=99999999999999999999")],
                Some(1 << 31),
            ),
            (&[("cache-control", "max-age=-1")], None),
            (&[("cache-control", "max-age=+1")], None),
            (&[("cache-control", "max-age=")], None),
            (&[("cache-control", "s-maxage=60")], None),
            (&[], None),
        ] {
            assert_eq!(
                max_age(&headers(lines)),
                expected.map(Duration::from_secs),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn without_max_age_the_date_of_expiry_counts() {
        let at = |seconds: &str| format!("Sun, 06 Nov 1994 08:49:{seconds} GMT");
        let (date, expires) = (&*at("00"), &*at("40"));
        for (lines, expected) in [
            (&[("date", date), ("expires", expires)][..], Some(40)),
            (
                &[("date", date), ("expires", expires), ("age", "15")],
                Some(25),
            ),
            (
                &[
                    ("date", date),
                    ("expires", expires),
                    ("cache-control", "max-age=7"),
                ],
                Some(7),
            ),
            (&[("date", expires), ("expires", date)], Some(0)),
            (&[("date", date), ("expires", "0")], Some(0)),
            (&[("expires", "soon")], Some(0)),
            (&[("expires", expires)], None),
            (&[("date", date)], None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(freshness(&headers(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn no_cache_counts_as_no_store() {
        for (value, expected) in [
            ("no-store", true),
            ("max-age=60, No-Cache", true),
            ("no-cache=\"set-cookie\"", true),
            ("max-age=60", false),
            ("no-transform", false),
        ] {
            assert_eq!(no_store(&headers(&[("cache-control", value)])), expected);
        }
    }
    #[test]
    fn a_server_may_forbid_what_is_stale() {
        for (value, expected) in [
            ("max-age=60, Must-Revalidate", true),
            ("public,proxy-revalidate", true),
            ("no-cache", true),
            ("no-store", true),
            ("public, max-age=0", false),
            ("stale-while-revalidate=60", false),
        ] {
            let headers = headers(&[("cache-control", value)]);
            assert_eq!(forbids_stale(&headers), expected, "{value}");
        }
    }
}
