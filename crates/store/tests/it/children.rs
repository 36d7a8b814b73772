//! Other processes: this test binary again, told by its arguments what to do.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that runs one test of this binary, as a child.
pub(crate) struct Other {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Other {
    /// Starts it. The test of that name finds its arguments by [`arguments`].
    pub(crate) fn start(test: &str, state: &Path, detail: &str) -> Self {
        let exe = std::env::current_exe().unwrap();
        // What the program of tests takes for further filters, which match nothing.
        let marked = format!("{MARK}{}{MARK}{detail}", state.display());
        // Writing beyond a limit is an error of the write, not the end of the process.
        let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
        let mut process = Command::new("sh")
            .args(["-c", script])
            .arg(exe)
            .args(["--exact", "--nocapture", "--test-threads=1", test, &marked])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, said }
    }

    /// The next thing it says of itself; nothing at its end.
    pub(crate) fn says(&mut self) -> Option<String> {
        self.said.find_map(|line| {
            let line = line.ok()?;
            line.split_once(MARK).map(|(_, said)| said.to_owned())
        })
    }

    /// Ends it in the middle of whatever it does, and reads what it had said before.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        let left = std::iter::from_fn(|| self.says()).collect();
        self.process.wait().unwrap();
        left
    }

    /// Waits for its end: whether it was content.
    pub(crate) fn ends_well(mut self) -> bool {
        while self.says().is_some() {}
        self.process.wait().unwrap().success()
    }
}

/// What no other line of output holds.
const MARK: &str = "::child::";

/// In a child: where the state is, and what else it was told. Nothing in a test of its own.
pub(crate) fn arguments() -> Option<(PathBuf, String)> {
    std::env::args().find_map(|argument| {
        let rest = argument.strip_prefix(MARK)?;
        rest.split_once(MARK)
            .map(|(state, detail)| (PathBuf::from(state), detail.to_owned()))
    })
}

/// In a child: says something to its parent, at once.
pub(crate) fn say(what: &str) {
    // One write, so that a kill never cuts a line that was answered for.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{MARK}{what}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
