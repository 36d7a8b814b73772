//! What can be used once is used once: whoever asks at the same time, on however many processes, and
//! whenever one of them is killed.
//!
//! Few rounds belong to every run of the tests. `cargo xtask race` runs thousands; a longer run finds
//! rarer orders of events.

mod chance;
mod client;
mod cluster;
mod kill;
mod process;
mod proxy;
mod race;

use std::io::Write as _;

/// Before what is for this binary alone, in its arguments and its output.
const MARK: &str = "::single-use::";

/// The argument of that name, which `cargo xtask race` gives. The harness of tests takes it for one
/// more filter, which matches nothing.
fn argument(name: &str) -> Option<String> {
    std::env::args().find_map(|argument| {
        let rest = argument.strip_prefix(MARK)?;
        rest.strip_prefix(name)?
            .strip_prefix('=')
            .map(str::to_owned)
    })
}

/// How often to do it: as often as the command says, or a few times.
fn times(name: &str, few: u32) -> u32 {
    argument(name).map_or(few, |text| text.parse().unwrap())
}

/// Says a line, at once and in one piece, so that a kill never cuts what was answered for.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{MARK}{what}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
