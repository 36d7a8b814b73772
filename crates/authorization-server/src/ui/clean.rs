//! Text that a stranger chose, made fit for one line of a page.
//!
//! Escaping keeps such text from being markup. What is here keeps it from being something else than
//! it looks: text that turns its own direction, hides letters, breaks its line, or paints the lock
//! or the tick that a page of ours might show.

use std::borrow::Cow;

use crate::hidden::is_hidden;

/// A name has at most so many characters.
const NAME: usize = 64;
const SENTENCE: usize = 200;

/// So many marks on one letter are a language; more climb over the lines around it.
const MARKS: usize = 2;

/// A name, as it may be shown: at most 64 characters on one line, without what is invisible, changes
/// direction, or is a pictograph. Nothing, when nothing is left of it.
pub(crate) fn name(text: &str) -> Option<String> {
    let text = line(text, NAME, true);
    (!text.is_empty()).then_some(text)
}

/// A sentence of the operator's: longer than a name, and with pictographs.
pub(crate) fn sentence(text: &str) -> Option<String> {
    let text = line(text, SENTENCE, false);
    (!text.is_empty()).then_some(text)
}

/// Whether a name has letters of several alphabets that look alike, as `Сlaude` has, whose first
/// letter is Cyrillic.
pub(crate) fn is_mixed(name: &str) -> bool {
    let mut seen = [false; 3];
    for c in name.chars() {
        let alphabet = match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => 0,
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => 1,
            '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' => 2,
            // Cherokee and Lisu capitals, full-width and mathematical letters: nobody's name is
            // written with them beside others.
            '\u{13a0}'..='\u{13ff}'
            | '\u{a4d0}'..='\u{a4ff}'
            | '\u{ff21}'..='\u{ff5a}'
            | '\u{1d400}'..='\u{1d7ff}' => return true,
            _ => continue,
        };
        if let Some(seen) = seen.get_mut(alphabet) {
            *seen = true;
        }
    }
    seen.into_iter().filter(|seen| *seen).count() > 1
}

/// A longer text on one line, as an address is.
pub(crate) fn address(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(line(text, 2048, false))
}

fn line(text: &str, longest: usize, plain: bool) -> String {
    let mut out = String::with_capacity(text.len().min(longest * 4));
    let (mut length, mut marks, mut space) = (0, 0, false);
    for c in text.chars() {
        // SECURITY: a line break starts a line that seems to be the page's own;
        // sec_cn_19_names_stay_on_one_line
        if c.is_whitespace() || c.is_control() {
            space = !out.is_empty();
            continue;
        }
        // SECURITY: what is hidden or turned around shows one name as another (UTS 39 section 3);
        // sec_cn_19_hidden_and_turning_characters_are_dropped
        if is_hidden(c) || (plain && is_pictograph(c)) {
            continue;
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS {
            continue;
        }
        if length + usize::from(space) >= longest {
            out.push('…');
            break;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
            length += 1;
        }
        out.push(c);
        length += 1;
    }
    out
}

/// Locks, shields, ticks, stars and the rest: a name that wears one says that somebody checked it.
fn is_pictograph(c: char) -> bool {
    matches!(c,
        '\u{203c}' | '\u{2049}' | '\u{20d0}'..='\u{20ff}' | '\u{2139}' | '\u{2190}'..='\u{2bff}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1fbff}')
}

fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_and_programs_stay() {
        for fine in [
            "Claude Code",
            "Zoë's Notizbuch 2.0 (beta)",
            "メモ帳",
            "дневник",
            "AT&T <3",
        ] {
            assert_eq!(name(fine).as_deref(), Some(fine));
            assert!(!is_mixed(fine), "{fine}");
        }
    }

    #[test]
    fn sec_cn_19_hidden_and_turning_characters_are_dropped() {
        assert_eq!(
            name("Cla\u{202e}edu\u{200b}x\u{2066}").as_deref(),
            Some("Claedux")
        );
        assert_eq!(name("\u{feff}A\u{ad}B\u{e0041}").as_deref(), Some("AB"));
        assert_eq!(
            name("Claude \u{2705}\u{fe0f} \u{1f512}").as_deref(),
            Some("Claude")
        );
        for empty in [
            "",
            " \u{200b}\n",
            "\u{3164}",
            "\u{2800}\u{115f}",
            "\u{1f512}",
        ] {
            assert_eq!(name(empty), None, "{empty:?}");
        }
    }

    #[test]
    fn sec_cn_19_names_stay_on_one_line() {
        let text = "Claude\r\n\nVerified by Anthropic\u{2028}x\u{85}y\0z\tt";
        let line = name(text).unwrap();
        assert_eq!(line, "Claude Verified by Anthropic x y z t");
    }

    #[test]
    fn sec_cn_19_names_have_an_end() {
        let long = name(&"a".repeat(65)).unwrap();
        assert_eq!(long.chars().count(), 65);
        assert!(long.ends_with("a…"));
        assert_eq!(name(&"a".repeat(64)).unwrap(), "a".repeat(64));
        let spaced = name(&format!("{} b", "a".repeat(63))).unwrap();
        assert_eq!(spaced, format!("{}…", "a".repeat(63)));
        let marked = name(&format!("a{}", "\u{301}".repeat(90))).unwrap();
        assert_eq!(marked, "a\u{301}\u{301}");
    }

    #[test]
    fn sec_cn_19_letters_of_several_alphabets_are_seen() {
        for imitation in [
            "\u{421}laude",
            "Cl\u{3b1}ude",
            "\u{ff23}laude",
            "\u{1d402}laude",
        ] {
            assert!(is_mixed(imitation), "{imitation}");
        }
    }

    #[test]
    fn an_address_is_kept_where_it_is_ascii() {
        assert!(matches!(
            address("https://a.example/?x=1"),
            Cow::Borrowed(_)
        ));
        assert_eq!(
            address("https://a\u{202e}.example/ x"),
            "https://a.example/ x"
        );
    }
}
