//! `user`: accounts of the built-in authorization server.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_oauth::json::{self, Limits, Value};

use crate::support::Ended;

/// A folder with a configuration, in which several commands run.
struct Place(PathBuf);

const PASSWORD: &str = "the sea is green in winter";
const STORE: &str = "[store]\nurl = \"sqlite:state.db\"\n";

impl Place {
    fn new(name: &str, configuration: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("user-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("portcullis.toml"), configuration).unwrap();
        Self(folder)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .env("COLUMNS", "80")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run_with(&self, arguments: &[&str], stdin: &str) -> Ended {
        let arguments = [&["user"], arguments].concat();
        let mut command = self.command(env!("CARGO_BIN_EXE_portcullis"), &arguments);
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // Whoever needs no password does not wait for one.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// Runs, and nothing is said.
    fn silently(&self, arguments: &[&str], stdin: &str) {
        let ended = self.run_with(arguments, stdin);
        assert_eq!(ended.seen(), "exit 0\n", "{arguments:?}");
    }

    fn users(&self) -> Vec<Value> {
        let ended = self.run(&["list", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let listed = json::value(ended.stdout.trim().as_bytes(), Limits::METADATA).unwrap();
        listed["users"].as_array().unwrap().clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn accounts_come_and_go() {
    let place = Place::new("life", STORE);
    place.silently(&["add", "alice", "--role", "admin"], PASSWORD);
    fs::write(place.0.join("password"), format!("{PASSWORD}\r\nmore\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(place.0.join("password"), mode).unwrap();
    let bob = [
        "add",
        "Bob@example.com",
        "--display-name",
        "Bob B.",
        "--scopes",
        "notes:read notes:write",
        "--password-file",
        "password",
    ];
    place.silently(&bob, "");
    let filters = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r#""subject":"[\w-]{22}""#, r#""subject":"DRAWN""#),
    ];
    insta::with_settings!({ filters => filters.to_vec() }, {
        insta::assert_snapshot!("users_for_people", place.run(&["list", "--human"]).seen());
        insta::assert_snapshot!("users_as_json", place.run(&["list", "--json"]).seen());
    });
    let before = place.users();
    place.silently(&["passwd", "ALICE"], "the sea is grey in summer\n");
    assert_eq!(place.users()[0]["subject"], before[0]["subject"]);
    place.silently(&["remove", "bob@EXAMPLE.com"], "");
    assert_eq!(place.users().len(), 1);
    let gone = place.run(&["remove", "bob@example.com"]);
    assert_eq!(gone.code, 1, "{gone:?}");
}

#[test]
fn a_drawn_password_is_printed_once() {
    let place = Place::new("drawn", STORE);
    let drawn = place.run(&["add", "alice", "--generate", "--human"]);
    assert_eq!((drawn.code, drawn.stderr.as_str()), (0, ""));
    assert_eq!(drawn.stdout.trim().len(), 23, "{drawn:?}");
    let again = place.run(&["passwd", "alice", "--generate", "--json"]);
    let again = json::value(again.stdout.trim().as_bytes(), Limits::METADATA).unwrap();
    assert_eq!(again["name"], "alice");
    assert_ne!(again["password"], drawn.stdout.trim());
    let listed = place.run(&["list", "--json"]).stdout;
    assert!(!listed.contains(again["password"].as_str().unwrap()));
}

#[test]
fn mistakes_are_explained() {
    let place = Place::new("mistakes", STORE);
    let mut seen = place.run(&["list", "--human"]).seen();
    place.silently(&["add", "alice"], PASSWORD);
    for (arguments, stdin) in [
        (&["add", "alice"][..], PASSWORD),
        (&["add", "bob"][..], ""),
        (&["add", "bob"][..], "too short\n"),
        (&["add", "bob", "--role", ""][..], PASSWORD),
        (&["add", "no name"][..], PASSWORD),
        (&["add", "bob", "--scopes", "a\"b"][..], PASSWORD),
        (&["add", "bob", "--password-file", "missing"][..], ""),
        (
            &["add", "bob", "--password-file", "x", "--generate"][..],
            "",
        ),
        (&["add", "bob", PASSWORD][..], ""),
        (&["passwd", "bob"][..], PASSWORD),
        (&["remove", "bob"][..], ""),
    ] {
        let ended = place.run_with(&[arguments, &["--human"]].concat(), stdin);
        assert_eq!(ended.code, 1, "{ended:?}");
        seen.push_str(&ended.seen());
    }
    let memory = Place::new("memory", "[store]\nurl = \"memory:\"\n");
    seen.push_str(&memory.run(&["list", "--human"]).seen());
    let filters = [(place.0.to_str().unwrap(), "FOLDER")];
    insta::with_settings!({ filters => filters.to_vec() }, {
        insta::assert_snapshot!("mistakes_with_users", seen);
    });
    assert_eq!(place.users().len(), 1, "nothing was written");
}

#[test]
fn sec_op_14_a_password_is_not_shown_while_it_is_typed() {
    let place = Place::new("typed", STORE);
    let program = env!("CARGO_BIN_EXE_portcullis");
    let typed = |again: &str| {
        // A terminal of its own; what it shows is its output.
        let command = format!("'{program}' user add alice");
        let mut command = place.command("/usr/bin/script", &["-qec", &command, "/dev/null"]);
        let mut child = command.env("SHELL", "/bin/sh").spawn().unwrap();
        let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shown = Vec::new();
        for (question, answer) in [("Password for alice: ", PASSWORD), ("again: ", again)] {
            while !String::from_utf8_lossy(&shown).contains(question) {
                let mut byte = [0];
                assert_ne!(screen.read(&mut byte).unwrap(), 0, "{shown:?}");
                shown.extend(byte);
            }
            keys.write_all(format!("{answer}\r").as_bytes()).unwrap();
        }
        screen.read_to_end(&mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(!shown.contains("sea"), "{shown}");
        (child.wait().unwrap().code(), shown)
    };
    let (code, shown) = typed("the sea is green in summer");
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("the two passwords differ"), "{shown}");
    let (code, shown) = typed(PASSWORD);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(place.users()[0]["name"], "alice");
}

#[test]
fn the_store_is_beside_the_configuration_unless_one_is_here() {
    let place = Place::new("place", "");
    fs::create_dir_all(place.0.join("etc")).unwrap();
    fs::write(place.0.join("etc/portcullis.toml"), "").unwrap();
    let there = ["--config", "etc/portcullis.toml"];
    let listed = place.run(&[&["list"][..], &there].concat());
    let told = "there is no store at `etc/portcullis.db`";
    assert!(listed.stderr.contains(told), "{listed:?}");

    // An earlier version made it in the working directory: it is found.
    place.silently(&["add", "alice"], PASSWORD);
    assert!(place.0.join("portcullis.db").exists());
    place.silently(&[&["passwd", "alice"][..], &there].concat(), PASSWORD);
    assert!(!place.0.join("etc/portcullis.db").exists());

    fs::rename(
        place.0.join("portcullis.db"),
        place.0.join("etc/portcullis.db"),
    )
    .unwrap();
    fs::rename(
        place.0.join("portcullis.key"),
        place.0.join("etc/portcullis.key"),
    )
    .unwrap();
    place.silently(&[&["disable", "alice"][..], &there].concat(), "");
    assert!(!place.0.join("portcullis.db").exists());
}
