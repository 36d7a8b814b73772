//! Starts the program in a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_oauth::json::{self, Limits, Value};

/// A folder, an environment and what the program is asked.
pub(crate) struct Program {
    folder: PathBuf,
    command: Command,
    stdin: String,
}

impl Program {
    /// With these arguments, in an empty folder and environment.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command
            .args(arguments)
            .current_dir(&folder)
            .env_clear()
            .env("COLUMNS", "80");
        Self {
            folder,
            command,
            stdin: String::new(),
        }
    }

    /// The server to try things out with, on a port that is free.
    pub(crate) fn dev() -> Self {
        Self::new(&["dev", "--listen", "127.0.0.1:0"])
    }

    /// The same with that configuration.
    pub(crate) fn dev_by(toml: &str) -> Self {
        let program = Self::dev().and(&["--config", "portcullis.toml"]);
        program.toml(toml)
    }

    /// With these arguments behind the others.
    pub(crate) fn and(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// With a file in its folder.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.file_with_mode(name, text, 0o600)
    }

    pub(crate) fn file_with_mode(self, name: &str, text: &str, mode: u32) -> Self {
        use std::os::unix::fs::PermissionsExt as _;

        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// With a pipe in its folder, to which nobody writes.
    pub(crate) fn pipe(self, name: &str) -> Self {
        let path = self.folder.join(name);
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
        self
    }

    /// With a configuration.
    pub(crate) fn toml(self, text: &str) -> Self {
        self.file("portcullis.toml", text)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// The same in a shell that has set a limit: `ulimit -f 800`.
    pub(crate) fn under(mut self, limit: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\""));
        shell.arg(self.command.get_program());
        shell.args(self.command.get_args());
        shell.current_dir(&self.folder).env_clear();
        let set = self.command.get_envs();
        shell.envs(set.filter_map(|(name, value)| Some((name, value?))));
        self.command = shell;
        self
    }

    /// Runs to its end.
    pub(crate) fn end(self) -> Ended {
        self.end_and(|_| ())
    }

    /// Runs to its end, and looks at what it left in its folder.
    pub(crate) fn end_and(mut self, look: impl FnOnce(&Path)) -> Ended {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(self.stdin.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        look(&self.folder);
        let _ = fs::remove_dir_all(&self.folder);
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Another command in the folder of a server.
    pub(crate) fn beside(serving: &Serving, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(arguments).current_dir(&serving.folder);
        let output = command.env_clear().output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A line of a shell in the folder of a server, and what it shows.
    pub(crate) fn shell_beside(serving: &Serving, line: &str) -> String {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).current_dir(&serving.folder);
        let command = command.env_clear().env("SHELL", "/bin/sh");
        let output = command.env("PATH", "/usr/bin:/bin").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs until it has said what to do, and is ended.
    pub(crate) fn first_block(self) -> String {
        // The call to paste ends with the quote of its body.
        self.lines_until("}'\n")
    }

    /// Runs until it has written that, and is ended.
    pub(crate) fn lines_until(mut self, end: &str) -> String {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = self.command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut block = String::new();
        while !block.contains(end) && stdout.read_line(&mut block).unwrap() > 0 {}
        child.kill().unwrap();
        child.wait().unwrap();
        let _ = fs::remove_dir_all(&self.folder);
        block
    }

    /// Runs until clients can come.
    pub(crate) fn serve(self) -> Serving {
        self.serve_logging_to(Stdio::piped())
    }

    /// The same, with its log lines there.
    pub(crate) fn serve_logging_to(mut self, stderr: Stdio) -> Serving {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut child = self.command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("it does not serve: {said}");
        }
        let ready = json::value(line.as_bytes(), Limits::METADATA).unwrap();
        let stderr: Box<dyn BufRead> = match child.stderr.take() {
            Some(piped) => Box::new(BufReader::new(piped)),
            None => Box::new(io::empty()),
        };
        Serving {
            child,
            stderr,
            stdout,
            ready,
            folder: self.folder,
        }
    }
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Everything that its user sees, for a snapshot.
    pub(crate) fn seen(&self) -> String {
        let mut seen = format!("exit {}\n", self.code);
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(seen, "--- {name}\n{text}").unwrap();
            }
        }
        seen
    }
}

/// A program that serves.
pub(crate) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Box<dyn BufRead>,
    pub(crate) ready: Value,
    folder: PathBuf,
}

impl Serving {
    /// Where MCP is.
    pub(crate) fn url(&self) -> String {
        self.ready["servers"][0]["url"].as_str().unwrap().to_owned()
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The token of a persona.
    pub(crate) fn token(&self, name: &str) -> String {
        let all = self.ready["personas"].as_array().unwrap();
        let persona = all.iter().find(|persona| persona["name"] == name).unwrap();
        persona["token"].as_str().unwrap().to_owned()
    }

    /// Where the admin listener is.
    pub(crate) fn admin(&self) -> String {
        self.ready["admin"].as_str().unwrap().to_owned()
    }

    /// A file in its folder, written anew.
    pub(crate) fn rewrite(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// Lets it read its configuration again, and waits until it has: what it said meanwhile.
    pub(crate) fn reload(&mut self) -> String {
        self.signal("HUP");
        self.said_until("the configuration is ")
    }

    /// What it says until it says that. It is ended if that takes a minute.
    pub(crate) fn said_until(&mut self, end: &str) -> String {
        let (done, patience) = mpsc::channel::<()>();
        let kill = format!("kill -KILL {}", self.child.id());
        let watch = thread::spawn(move || {
            if patience.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("sh").args(["-c", &kill]).status();
            }
        });
        let mut said = String::new();
        while !said.contains(end) {
            let read = self.stderr.read_line(&mut said).unwrap();
            assert_ne!(read, 0, "it has ended: {said}");
        }
        drop(done);
        watch.join().unwrap();
        said
    }

    /// Ends it, and starts it in the same folder with another configuration.
    pub(crate) fn again(mut self, toml: &str) -> Self {
        self.signal("TERM");
        self.child.wait().unwrap();
        self.rewrite("portcullis.toml", toml);
        let folder = std::mem::take(&mut self.folder);
        let mut program = Program::new(&["run", "--json"]);
        fs::remove_dir_all(&program.folder).unwrap();
        program.command.current_dir(&folder);
        program.folder = folder;
        program.serve()
    }

    /// Goes away from where its log lines are read: from now on none can be written.
    pub(crate) fn read_no_more(&mut self) {
        self.stderr = Box::new(io::empty());
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        // By the shell's own `kill`: the program of that name is not on every machine.
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to stop, and says how it ended.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for its end, and not for ever.
    pub(crate) fn ended(mut self) -> Ended {
        drop(self.child.stdin.take());
        soon(|| self.child.try_wait().unwrap().is_some());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        Ended {
            code,
            stdout,
            stderr,
        }
    }
}

/// Waits for another process, at most for a minute.
pub(crate) fn soon(mut is: impl FnMut() -> bool) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test waits for another process"
    )]
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "in time");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Header fields and body.
    pub(crate) text: String,
}

/// Sends `body` with these header fields, or asks by GET where there is none.
pub(crate) fn send(url: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
    let (authority, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut head =
        format!("{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let body = body.unwrap_or_default();
    write!(head, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, text }
}

/// Calls a tool as a client of revision 2026-07-28 would.
pub(crate) fn call(url: &str, token: Option<&str>, tool: &str) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool),
    ];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"hello"}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    send(url, &headers, Some(&body))
}

/// A server that says the same to everybody: the tool was called. Its URL.
pub(crate) fn upstream() -> String {
    upstream_that_tells().0
}

/// The same, and the head of each request that it gets.
pub(crate) fn upstream_that_tells() -> (String, Receiver<String>) {
    let (tell, told) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = tell.send(answer(&stream));
        }
    });
    (url, told)
}

/// Answers a request, and returns its head.
fn answer(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        head.push_str(&line);
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let said = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"called"}]}}"#;
    let mut stream = stream;
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    );
    head
}
