//! The standard alphabet of base64, with padding (RFC 4648 section 4).

use ::base64::{Engine as _, engine::general_purpose::STANDARD};

use super::InvalidEncoding;

/// Writes bytes as base64 with padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 in its canonical form: padded, no white space, unused bits zero.
///
/// # Errors
/// [`InvalidEncoding`] when `encode` would not have written this text.
pub fn decode_strict(text: impl AsRef<[u8]>) -> Result<Vec<u8>, InvalidEncoding> {
    STANDARD.decode(text).map_err(|_| InvalidEncoding)
}
