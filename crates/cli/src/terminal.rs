//! What somebody types: secrets, and whether to go on.

use std::io::{self, BufRead as _, IsTerminal as _, Read, Write as _};

use portcullis_oauth::SecretString;

/// No password that somebody types is longer, in bytes.
const LONGEST: usize = 4096;

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Typed {
    /// It was answered.
    Secret(SecretString),
    /// Ctrl-C, Ctrl-D or the end of the input came instead.
    Ended,
}

/// Whether somebody can be asked.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Asks whether to go on; only `y` or `yes` means so.
pub(crate) fn is_yes(question: &str) -> io::Result<bool> {
    write!(io::stderr().lock(), "{question} ")?;
    let mut answer = Vec::new();
    let mut stdin = io::stdin().lock().take(LONGEST as u64);
    stdin.read_until(b'\n', &mut answer)?;
    let answer = answer.trim_ascii();
    Ok(answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes"))
}

/// Asks for a secret. What is typed is not shown.
pub(crate) fn ask(question: &str) -> io::Result<Typed> {
    let quiet = Quiet::new()?;
    write!(io::stderr().lock(), "{question}: ")?;
    let typed = line(&mut io::stdin().lock());
    writeln!(io::stderr().lock())?;
    drop(quiet);
    typed
}

/// Reads keys until Enter, as a terminal would that edits lines.
fn line(keys: &mut impl Read) -> io::Result<Typed> {
    let mut bytes = Bytes(Vec::with_capacity(LONGEST));
    loop {
        let mut key = [0];
        if keys.read(&mut key)? == 0 {
            return Ok(Typed::Ended);
        }
        match key {
            [b'\n' | b'\r'] => break,
            [CTRL_C] => return Ok(Typed::Ended),
            [CTRL_D] if bytes.0.is_empty() => return Ok(Typed::Ended),
            [BACKSPACE | DELETE] => bytes.forget_last(),
            [CTRL_U | CTRL_W] => bytes.forget(),
            [key] if bytes.0.len() < LONGEST => bytes.0.push(key),
            _ => {}
        }
    }
    let text = str::from_utf8(&bytes.0).map(SecretString::from);
    text.map(Typed::Secret)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was typed is not UTF-8"))
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_W: u8 = 0x17;
const DELETE: u8 = 0x7f;

/// What was typed so far. It never grows, so that no copy of it stays behind, and is wiped.
struct Bytes(Vec<u8>);

impl Bytes {
    /// Takes back the last character, with all of its bytes.
    fn forget_last(&mut self) {
        while let Some(byte) = self.0.pop() {
            if byte & 0xc0 != 0x80 {
                return;
            }
        }
    }

    fn forget(&mut self) {
        self.0.fill(0);
        self.0.clear();
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.fill(0);
    }
}

/// A terminal that shows nothing of what is typed, and gives each key at once: Ctrl-C too, so that
/// the terminal is never left as it is now.
#[cfg(unix)]
struct Quiet(rustix::termios::Termios);

#[cfg(unix)]
impl Quiet {
    fn new() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex};

        let before = rustix::termios::tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        let modes = LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        // SECURITY: whoever looks on sees no password (CWE-549);
        // sec_op_14_a_password_is_not_shown_while_it_is_typed
        quiet.local_modes.remove(modes);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};

        // There is nobody to tell.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// Elsewhere nothing can be asked.
#[cfg(not(unix))]
struct Quiet;

#[cfg(not(unix))]
impl Quiet {
    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Option<String> {
        match line(&mut keys.as_bytes()).unwrap() {
            Typed::Secret(secret) => Some(secret.expose().to_owned()),
            Typed::Ended => None,
        }
    }

    #[test]
    fn a_line_can_be_edited() {
        assert_eq!(typed("green\n").as_deref(), Some("green"));
        assert_eq!(typed("greem\u{7f}n\r").as_deref(), Some("green"));
        assert_eq!(typed("grüx\u{8}\u{8}een\n").as_deref(), Some("green"));
        assert_eq!(
            typed("\u{7f}a wrong one\u{15}green\n").as_deref(),
            Some("green")
        );
        assert_eq!(typed("\n").as_deref(), Some(""));
        assert_eq!(typed("gre\u{4}en\n").as_deref(), Some("gre\u{4}en"));
    }

    #[test]
    fn whoever_goes_away_has_not_answered() {
        for keys in ["", "green", "gre\u{3}en\n", "\u{4}"] {
            assert_eq!(typed(keys), None, "{keys:?}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_text_is_no_secret() {
        assert_eq!(typed(&"a".repeat(10_000)), None);
        let long = format!("{}\n", "a".repeat(10_000));
        assert_eq!(typed(&long).map(|text| text.len()), Some(LONGEST));
        assert!(line(&mut [0xff, b'\n'].as_slice()).is_err());
    }
}
