//! Which language a reader is answered in: `ui_locales` of the request (OpenID Connect Core section
//! 3.1.2.1), then `Accept-Language` (RFC 9110 section 12.5.4), matched as RFC 4647 section 3.4 does.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// What is longer, or names more languages, is no wish of a person.
const MAX_BYTES: usize = 512;
const MAX_RANGES: usize = 20;

/// Languages that are written from right to left.
const RIGHT_TO_LEFT: &[&str] = &["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

/// The place, among those that there are, of the language that the reader wants most.
pub(crate) fn choose(
    ui_locales: Option<&str>,
    headers: &HeaderMap,
    there: &[&str],
) -> Option<usize> {
    let wishes = ui_locales.map(locales).unwrap_or_default();
    let accepted = headers.get(ACCEPT_LANGUAGE);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    wishes
        .into_iter()
        .chain(accepted.map(ranges).unwrap_or_default())
        .find_map(|wish| look_up(wish, there))
}

/// A language tag: a language and its subtags (RFC 5646 section 2.1).
pub(crate) fn is_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let is_language = subtags.next().is_some_and(|language| {
        (2..=8).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic())
    });
    is_language
        && text.len() <= 35
        && subtags.all(|subtag| {
            (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

/// Whether a language is written from right to left.
pub(crate) fn is_right_to_left(tag: &str) -> bool {
    let language = tag.split('-').next().unwrap_or_default();
    RIGHT_TO_LEFT.contains(&language.to_ascii_lowercase().as_str())
}

/// `ui_locales`, in the order of preference.
fn locales(text: &str) -> Vec<&str> {
    if text.len() > MAX_BYTES {
        return Vec::new();
    }
    let tags = text.split(' ').filter(|tag| is_tag(tag));
    tags.take(MAX_RANGES).collect()
}

/// The ranges of `Accept-Language` with a weight above 0, the heaviest first. A part that is not
/// written as the grammar says counts for nothing.
fn ranges(text: &str) -> Vec<&str> {
    if text.len() > MAX_BYTES {
        return Vec::new();
    }
    let mut ranges: Vec<(&str, u16)> = text
        .split(',')
        .take(MAX_RANGES)
        .filter_map(|part| {
            let (range, weight) = match part.split_once(';') {
                Some((range, parameter)) => (range, weight(parameter)?),
                None => (part, 1000),
            };
            let range = range.trim_matches([' ', '\t']);
            (is_tag(range) && weight > 0).then_some((range, weight))
        })
        .collect();
    ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    ranges.into_iter().map(|(range, _)| range).collect()
}

/// `q=` and a number from 0 to 1 with at most three decimals, in thousandths (RFC 9110 section
/// 12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let parameter = parameter.trim_matches([' ', '\t']);
    let number = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// The tag itself, or the longest beginning of it that is there.
fn look_up(wish: &str, there: &[&str]) -> Option<usize> {
    let mut wish = wish;
    loop {
        let found = there.iter().position(|tag| tag.eq_ignore_ascii_case(wish));
        if found.is_some() {
            return found;
        }
        wish = wish.rsplit_once('-')?.0;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn chosen(ui_locales: Option<&str>, accepted: Option<&'static str>) -> Option<&'static str> {
        let there = ["en", "de", "pt-BR"];
        let mut headers = HeaderMap::new();
        if let Some(accepted) = accepted {
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
        }
        choose(ui_locales, &headers, &there).map(|at| there[at])
    }

    #[test]
    fn the_wish_of_the_request_comes_before_the_browsers() {
        assert_eq!(chosen(Some("de"), Some("en")), Some("de"));
        assert_eq!(chosen(Some("fr de-CH en"), None), Some("de"));
        assert_eq!(chosen(Some("fr"), Some("en")), Some("en"));
        assert_eq!(chosen(None, None), None);
    }

    #[test]
    fn weights_order_and_exclude() {
        assert_eq!(chosen(None, Some("en;q=0.5, de;q=0.8")), Some("de"));
        assert_eq!(chosen(None, Some("de;q=0, en;q=0.1")), Some("en"));
        assert_eq!(chosen(None, Some("fr-CH, fr;q=0.9, *;q=0.5")), None);
        assert_eq!(chosen(None, Some("PT-br, en;q=0.9")), Some("pt-BR"));
        assert_eq!(chosen(None, Some("pt")), None);
        assert_eq!(chosen(None, Some("de-DE,de;q=0.9,en;q=0.8")), Some("de"));
    }

    #[test]
    fn sec_az_15_what_is_no_language_counts_for_nothing() {
        for odd in [
            "de;q=2",
            "de;q=0.1234",
            "de;q=-1",
            "de;q",
            "de;level=1",
            "d",
            "de_DE",
            "de\u{e9}",
            "<de>",
            "de;q=1.5",
        ] {
            assert_eq!(chosen(Some(odd), None), None, "{odd}");
        }
        for odd in ["de;q=2", "de;q=0.1234", "de;q=-1", "de;level=1", "de_DE"] {
            assert_eq!(chosen(None, Some(odd)), None, "{odd}");
        }
        assert_eq!(chosen(Some(&"de ".repeat(200)), None), None);
        assert_eq!(chosen(Some(&format!("{}de", "fr ".repeat(20))), None), None);
    }

    #[test]
    fn right_to_left_is_known() {
        assert!(is_right_to_left("ar-EG"));
        assert!(!is_right_to_left("en"));
    }
}
