//! Characters that change what a reader sees, and are not seen themselves.

use std::fmt::Write as _;

/// A JSON document in which they are escapes. Beyond ASCII they stand in strings alone, and so does
/// DEL; the writer has escaped the others.
pub(super) fn escaped(document: String) -> String {
    if !document.chars().any(is_unseen) {
        return document;
    }
    let mut escaped = String::with_capacity(document.len() + 16);
    for character in document.chars() {
        // SECURITY: a line that a log's reader breaks in two, or that a terminal obeys, says what a
        // stranger wants (CWE-117, CWE-150); sec_op_10_unseen_characters_are_escapes
        if is_unseen(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Controls, and the format characters and separators of Unicode that have no glyph.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use crate::json::{self, Limits};

    #[test]
    fn sec_op_10_unseen_characters_are_escapes() {
        let text = "a\u{7f}\u{85}\u{9b}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0041}\u{1b}\nz";
        let written = json::to_visible_string(text).unwrap();
        assert_eq!(
            written,
            concat!(
                r#""a\u007f\u0085\u009b\u2028\u2029\u202e\u2066\ufeff\udb40\udc41"#,
                r#"\u001b\nz""#
            )
        );
        let read = json::value(written.as_bytes(), Limits::MCP).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn what_is_seen_stays() {
        let text = "é \u{a0} 日本 \u{1f512} \\ \" /";
        let written = json::to_visible_string(text).unwrap();
        assert_eq!(written, json::to_string(text).unwrap());
    }
}
