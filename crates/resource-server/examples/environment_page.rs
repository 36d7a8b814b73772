//! Prints `docs/reference/environment.md`.
#![forbid(unsafe_code)]

#[expect(clippy::print_stdout, reason = "printing is all that it does")]
fn main() {
    print!("{}", portcullis_resource_server::env::reference_page());
}
