//! Base16 in lower case (RFC 4648 section 8).

use super::InvalidEncoding;

const DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
];

/// Writes bytes as lower-case hexadecimal digits.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect()
}

/// Reads lower-case hexadecimal digits, two a byte.
///
/// # Errors
/// [`InvalidEncoding`] when `encode` would not have written this text.
pub fn decode_strict(text: impl AsRef<[u8]>) -> Result<Vec<u8>, InvalidEncoding> {
    let (pairs, rest) = text.as_ref().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(InvalidEncoding);
    }
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect::<Option<_>>()
        .ok_or(InvalidEncoding)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
