//! Strings as they stand in a document: where they end, and what their escapes stand for.

use std::borrow::Cow;

/// How many bytes stand before the next quote, backslash or control character, eight at a time.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // The high bit of each byte that is below `limit` (at most 0x80); a borrow may mark a later
    // byte wrongly, never the first.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let mut passed = 0;
    let (chunks, _) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        let stops = below(word, 0x20)
            | below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1);
        if stops != 0 {
            return passed + stops.trailing_zeros() as usize / 8;
        }
        passed += 8;
    }
    let tail = bytes.get(passed..).unwrap_or_default();
    passed
        + tail
            .iter()
            .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F))
            .count()
}

/// What stands between the quotes of a string that the scanner has passed.
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a str,
    pub(super) has_escapes: bool,
}

impl<'a> Quoted<'a> {
    /// The text that the string stands for.
    pub(super) fn text(self) -> Cow<'a, str> {
        if self.has_escapes {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let (character, length) = escaped(after);
        plain.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// The character that an escape stands for, and its length without the backslash.
fn escaped(after: &str) -> (char, usize) {
    let unit = |from: usize| after.get(from..from + 4).and_then(hex_unit);
    match after.as_bytes().first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => match (unit(1), unit(7)) {
            (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                (char::from_u32(code).unwrap_or_default(), 11)
            }
            (Some(code), _) => (char::from_u32(code).unwrap_or_default(), 5),
            (None, _) => (char::REPLACEMENT_CHARACTER, 1),
        },
        Some(&byte) => (char::from(byte), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

/// Four hexadecimal digits; `from_str_radix` alone would take a sign.
pub(super) fn hex_unit(digits: &str) -> Option<u32> {
    let hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}
