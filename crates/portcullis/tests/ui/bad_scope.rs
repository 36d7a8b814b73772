//! A scope holds no space (RFC 6749 section 3.3), which the build says.
use portcullis::scopes;

fn main() {
    let _ = scopes!["notes:read", "bad scope"];
}
