//! What is too weak, or too well known, to be a secret.

/// Beginnings of sentences that manuals and templates put where a secret belongs.
const WELL_KNOWN: [&str; 14] = [
    "256bit",
    "atleast32",
    "changeit",
    "changeme",
    "changethis",
    "dontuse",
    "examplesecret",
    "jwtsecret",
    "mysecret",
    "password",
    "replaceme",
    "secretkey",
    "supersecret",
    "yoursecret",
];

/// Why a text is no secret, if it is none. Says nothing of the text.
///
/// Refused are: a text with fewer than 10 different characters, one that repeats itself, and one
/// with a phrase that comes from a manual or a template.
///
/// ```
/// use portcullis_oauth::secret::weakness;
///
/// assert!(weakness("change-me-before-you-go-live-please").is_some());
/// assert_eq!(weakness("kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u"), None);
/// ```
pub fn weakness(secret: &str) -> Option<&'static str> {
    let bytes = secret.as_bytes();
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    // SECURITY: what everybody can guess, everybody can sign with (RFC 8725 section 3.5);
    // sec_key_17_weak_secrets_are_refused
    if seen.iter().filter(|seen| **seen).count() < 10 {
        return Some("has fewer than 10 different characters");
    }
    if (1..=bytes.len() / 2).any(|period| repeats(bytes, period)) {
        return Some("repeats itself");
    }
    let letters: String = secret
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if WELL_KNOWN.iter().any(|phrase| letters.contains(phrase)) {
        return Some("is an example out of a manual");
    }
    None
}

/// Why a secret that is shown as it is, such as a bearer token or a client secret, could be guessed,
/// if it could. Says nothing of the text.
///
/// Beyond what [`weakness`] refuses, that is a text of fewer than 128 bits, where a hexadecimal digit
/// counts for 4 and any other character for 6 (RFC 6749 section 10.10).
///
/// ```
/// use portcullis_oauth::secret::guessable;
///
/// assert!(guessable("secret").is_some());
/// assert_eq!(guessable("3kTqm1yXw0pZ4n7cR8sUvA"), None);
/// ```
pub fn guessable(secret: &str) -> Option<&'static str> {
    let body = secret.trim_end_matches('=');
    let is_hex = body.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bits_each = if is_hex { 4 } else { 6 };
    // SECURITY: a short secret can be tried out (RFC 6749 section 10.10);
    // sec_key_14_guessable_tokens_are_refused
    if body.len() * bits_each < 128 {
        return Some("has fewer than 128 bits");
    }
    weakness(body)
}

fn repeats(bytes: &[u8], period: usize) -> bool {
    bytes
        .iter()
        .zip(bytes.iter().skip(period))
        .all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_key_17_weak_secrets_are_refused() {
        for secret in [
            "secret",
            "secretsecretsecretsecretsecretsecret",
            "0123456789abcdef0123456789abcdef",
            "00000000000000000000000000000000000",
            "your-256-bit-secret-your-256-bit!",
            "a-string-secret-at-least-256-bits-long",
            "your-super-secret-jwt-token-with-at-least-32-characters-long",
            "CHANGE_ME_to-something-very-long-please",
            "please-change-this_please-really-now",
        ] {
            assert!(weakness(secret).is_some(), "{secret}");
        }
        for secret in [
            "kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "correct horse battery staple, and nine more words",
        ] {
            assert_eq!(weakness(secret), None, "{secret}");
        }
    }
}
