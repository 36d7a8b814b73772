//! Rust source as text: what is code, and where the tests begin.
//!
//! The checks look for words. A word in a comment or in a string is not a use of it, so they look
//! at [`code`], where comments and the insides of literals are gone and every line keeps its place.

/// The source with a space for each character of a comment and a `"` for each of a literal.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let (length, kind) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
            '/' if rest.starts_with("/*") => (block_comment(rest), Kind::Comment),
            '"' => (quoted(rest, '"'), Kind::Literal),
            '\'' => match character(rest) {
                Some(length) => (length, Kind::Literal),
                None => (1, Kind::Code),
            },
            'r' | 'b' | 'c' if !is_word(before) => match prefixed(rest) {
                Some(length) => (length, Kind::Literal),
                None => (1, Kind::Code),
            },
            other => (other.len_utf8(), Kind::Code),
        };
        let (taken, left) = rest.split_at(length);
        out.extend(taken.chars().map(|c| match kind {
            Kind::Comment if c != '\n' => ' ',
            Kind::Literal if c != '\n' => '"',
            _ => c,
        }));
        before = taken.chars().next_back().unwrap_or(before);
        rest = left;
    }
    out
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The number of lines before the test module at the foot of a file (all of them without one).
/// Takes what [`code`] returns.
pub(crate) fn lines_before_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let tail = lines.iter().enumerate().position(|(at, line)| {
        let follows = lines
            .iter()
            .skip(at + 1)
            .map(|line| line.trim())
            .find(|line| !line.is_empty());
        line.starts_with("#[cfg(test)]")
            && follows.is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
    });
    tail.unwrap_or(lines.len())
}

/// Does this line of code use the crate `name` by a path (`name::x`) or an import (`use name;`)?
pub(crate) fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + name.len()..).unwrap_or_default().trim_start();
        let starts = !before
            .chars()
            .next_back()
            .is_some_and(|c| is_word(c) || c == '.');
        // `crate::x::rmcp::y` is a module of ours; `::rmcp::y` is the crate.
        let module = before
            .strip_suffix("::")
            .is_some_and(|path| path.ends_with(is_word));
        let imported = before.trim_end().ends_with("use") || before.trim_end().ends_with("crate");
        starts
            && !module
            && (after.starts_with("::")
                || imported && (after.starts_with(';') || after.starts_with("as ")))
    })
}

/// Can this character be part of an identifier?
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of a block comment, nested ones included.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

/// Length of a literal that begins with its quote and ends at the next one that is not escaped.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// Length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.chars().skip(1);
    let (first, second) = (chars.next()?, chars.next()?);
    (first == '\\' || second == '\'').then(|| quoted(text, '\''))
}

/// Length of `b"..", c"..", b'x', r"..", r#".."#, br#".."#`; `None` when the letter begins a word.
fn prefixed(text: &str) -> Option<usize> {
    let marks = text.trim_start_matches(['b', 'c', 'r']);
    let letters = text.len() - marks.len();
    let raw = text.get(..letters)?.contains('r');
    if letters > 2 {
        return None;
    }
    if !raw {
        return match marks.chars().next()? {
            '"' => Some(letters + quoted(marks, '"')),
            '\'' => character(marks).map(|length| letters + length),
            _ => None,
        };
    }
    let body = marks.trim_start_matches('#');
    let hashes = marks.len() - body.len();
    let inner = body.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(letters + hashes + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::{code, lines_before_tests, names_crate};

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "let a = \"rmcp::x \\\" y\"; // rmcp::y\n/* a /* b */\nrmcp:: */ use rmcp::z;\n";
        let code = code(text);
        assert_eq!(code.lines().count(), 3);
        assert_eq!(code.matches("rmcp").count(), 1);
        assert!(code.ends_with(" use rmcp::z;\n"));
    }

    #[test]
    fn raw_and_byte_literals_end_where_they_end() {
        let code =
            code("f(r#\"a \" rmcp\"#, br\"rmcp\", b\"rmcp\", b'\\'', 'r', '\"'); g::<'a>(x)");
        assert!(!code.contains("rmcp"), "{code}");
        assert!(
            code.contains("g::<'a>(x)") || code.contains("g::< a>(x)"),
            "{code}"
        );
    }

    #[test]
    fn words_that_begin_like_a_literal_are_words() {
        assert_eq!(
            code("break; crate::bar; r#type; b"),
            "break; crate::bar; r#type; b"
        );
    }

    #[test]
    fn a_crate_is_named_by_path_or_import() {
        for line in [
            "use rmcp::model;",
            "use rmcp;",
            "let x: ::rmcp::X;",
            "f(rmcp::x())",
            "pub use rmcp as r;",
        ] {
            assert!(names_crate(line, "rmcp"), "{line}");
        }
        for line in [
            "mod rmcp;",
            "use crate::rmcp::x;",
            "use self::integration::rmcp::x;",
            "my_rmcp::x",
            "rmcp_adapter::x",
            "a.rmcp",
        ] {
            assert!(!names_crate(line, "rmcp"), "{line}");
        }
    }

    #[test]
    fn only_an_inline_test_module_is_a_tail() {
        assert_eq!(
            lines_before_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"),
            2
        );
        assert_eq!(lines_before_tests("#[cfg(test)]\nmod tests;\nb\n"), 3);
        assert_eq!(lines_before_tests("#[cfg(test)]\nuse x;\nb\n"), 3);
    }
}
