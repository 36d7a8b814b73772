//! PEM: DER between two lines (RFC 7468).

use super::base64;

/// The label and the DER of the first block, if the text has the strict form of RFC 7468 section 3:
/// lines of base64 between matching boundaries, line ends of either kind.
pub(super) fn decode(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    let (end, _) = rest.split_once("-----")?;
    if end != label {
        return None;
    }
    let body: String = body
        .chars()
        .filter(|c| !matches!(c, '\n' | '\r' | ' ' | '\t'))
        .collect();
    Some((label, base64::decode_strict(body).ok()?))
}

/// DER as PEM, with lines of 64 characters.
#[cfg(feature = "sign")]
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        text.push_str(&base64::encode(line));
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}
