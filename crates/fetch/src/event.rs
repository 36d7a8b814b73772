//! Security events. Their names are stable; a host is shown escaped and shortened.

use crate::error::Refusal;

/// A rule stopped a request.
pub(crate) fn refused(host: &str, refusal: Refusal) {
    tracing::warn!(
        target: "portcullis::security",
        event = "outbound_refused",
        reason = refusal.reason(),
        host = %printable(host),
        "outbound request refused: {refusal}",
    );
}

/// An answer went beyond its bound and was dropped.
pub(crate) fn too_large(host: &str, limit: usize) {
    tracing::warn!(
        target: "portcullis::security",
        event = "answer_too_large",
        host = %printable(host),
        limit,
        "outbound request dropped: the answer is too long",
    );
}

/// The longest name that DNS knows has 253 characters.
fn printable(host: &str) -> String {
    host.chars()
        .take(253)
        .flat_map(char::escape_debug)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_printed_on_one_line_of_bounded_length() {
        assert_eq!(
            printable("a.example\n\u{1b}[31m"),
            "a.example\\n\\u{1b}[31m"
        );
        assert_eq!(printable(&"a".repeat(10_000)).len(), 253);
    }
}
