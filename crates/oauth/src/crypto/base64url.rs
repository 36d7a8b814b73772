//! The URL-safe alphabet of base64, without padding (RFC 4648 section 5, RFC 7515 section 2).

use ::base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::InvalidEncoding;

/// Writes bytes as base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url in its canonical form: no padding, no white space, no `+` or `/`, unused bits
/// zero. So no two texts stand for the same bytes.
///
/// # Errors
/// [`InvalidEncoding`] when `encode` would not have written this text.
pub fn decode_strict(text: impl AsRef<[u8]>) -> Result<Vec<u8>, InvalidEncoding> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidEncoding)
}

/// The same where it is known how many bytes there are, without an allocation.
///
/// # Errors
/// [`InvalidEncoding`], also for fewer or more bytes.
pub fn decode_array<const N: usize>(text: impl AsRef<[u8]>) -> Result<[u8; N], InvalidEncoding> {
    let mut bytes = [0; N];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(length) if length == N => Ok(bytes),
        _ => Err(InvalidEncoding),
    }
}
