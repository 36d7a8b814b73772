//! The audit log: what is in it, and what happens when it cannot be written.

use std::fs;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::{MockClock, SharedClock};
use portcullis_resource_server::ClientAddress;
use portcullis_resource_server::observe::{
    AuthorizationEvent, AuthorizationEventKind, Observer as _,
};
use portcullis_telemetry::{AuditError, AuditLog};

use crate::support::{CANARY, Endpoint, Folder, auth, lines};

/// A writer that can be told to refuse.
#[derive(Clone, Default)]
struct Disk {
    text: Arc<Mutex<Vec<u8>>>,
    is_full: Arc<AtomicBool>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // As little at once as a disk may take.
        let taken = bytes.len().min(7);
        self.text.lock().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_line_says_who_reached_which_tool() {
    let folder = Folder::new();
    let file = folder.file("audit.jsonl");
    let clock = Arc::new(MockClock::at(1_800_000_000)) as SharedClock;
    let log = AuditLog::open(&file).unwrap();
    let auth = auth().clock(clock).endpoint_name("notes");
    let endpoint = Endpoint::new(&auth.observer(log.clone()));
    endpoint.call("alice", "add_note").await;
    endpoint.call("bob", "add_note").await;
    endpoint.call("alice", "secret").await;
    endpoint.call("stranger", "add_note").await;
    log.flush().await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(CANARY), "{text}");
    let lines = lines(&text);
    let id = lines[0]["id"].as_str().unwrap();
    assert_eq!(id.len(), 16);
    let expected = format!(
        concat!(
            r#"{{"time":"2027-01-15T08:00:00.000Z","event":"request","id":"{}","endpoint":"notes","#,
            r#""client_address":"192.0.2.7","issuer":"https://auth.example.com","subject":"alice","#,
            r#""client_id":"cli","http_method":"POST","method":"tools/call","target_type":"tool","#,
            r#""target":"add_note","outcome":"allowed","reached_server":true,"status":200,"#,
            r#""duration_ms":0.0}}"#
        ),
        id
    );
    assert_eq!(text.lines().next().unwrap(), expected);
    let said = |at: usize, name: &str| lines[at][name].clone();
    assert_eq!(said(1, "subject"), "bob");
    assert_eq!(said(1, "outcome"), "insufficient_scope");
    assert_eq!(said(1, "missing_scopes")[0], "notes:write");
    assert_eq!(said(1, "reached_server"), false);
    assert_eq!(said(2, "outcome"), "hidden");
    assert_eq!(said(3, "outcome"), "unauthenticated");
    assert_eq!(said(3, "reason"), "unknown");
    assert!(said(3, "subject").is_null());
    assert_eq!(lines.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_at_once_are_a_thousand_whole_lines() {
    let disk = Disk::default();
    let log = AuditLog::builder().write_to(disk.clone()).unwrap();
    let endpoint = Arc::new(Endpoint::new(&auth().observer(log.clone())));
    let mut running = tokio::task::JoinSet::new();
    for n in 0..1000 {
        let endpoint = Arc::clone(&endpoint);
        running.spawn(async move { endpoint.call("alice", &format!("tool_{n}")).await });
    }
    running.join_all().await;
    log.flush().await.unwrap();
    let lines = lines(&disk.text());
    assert_eq!(lines.len(), 1000);
    let names: std::collections::BTreeSet<_> = lines
        .iter()
        .map(|line| line["target"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 1000);
    assert_eq!((log.written(), log.lost()), (1000, 0));
}

#[tokio::test]
async fn sec_gw_25_what_cannot_be_written_is_not_served() {
    let disk = Disk::default();
    let log = AuditLog::builder().write_to(disk.clone()).unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    disk.is_full.store(true, Ordering::SeqCst);
    // The line of a request that came before anybody knew waits.
    assert_eq!(endpoint.call("alice", "first").await, StatusCode::OK);
    assert!(log.flush().await.is_err());
    assert!(log.is_stuck());
    let refused = endpoint.call("alice", "second").await;
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(endpoint.calls.load(Ordering::SeqCst), 1);
    disk.is_full.store(false, Ordering::SeqCst);
    log.flush().await.unwrap();
    assert_eq!(endpoint.call("alice", "third").await, StatusCode::OK);
    log.flush().await.unwrap();
    let lines = lines(&disk.text());
    let targets: Vec<_> = lines.iter().map(|line| &line["target"]).collect();
    assert_eq!(targets, ["first", "third"]);
    assert_eq!(log.lost(), 0);
}

#[tokio::test]
async fn room_is_for_requests_that_are_under_way_too() {
    let disk = Disk::default();
    let log = AuditLog::builder()
        .capacity(1)
        .write_to(disk.clone())
        .unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    for n in 0..5 {
        let answer = endpoint.call("alice", "one").await;
        assert_eq!(answer, StatusCode::OK, "{n}");
        log.flush().await.unwrap();
    }
    assert_eq!(log.written(), 5);
}

#[tokio::test]
async fn one_that_may_lose_lines_counts_them() {
    let disk = Disk::default();
    let builder = AuditLog::builder().dangerous_drop_when_full();
    let log = builder.write_to(disk.clone()).unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    disk.is_full.store(true, Ordering::SeqCst);
    endpoint.call("alice", "first").await;
    assert!(log.flush().await.is_err());
    assert_eq!(endpoint.call("alice", "second").await, StatusCode::OK);
    assert_eq!(log.lost(), 1);
    for _ in 0..30 {
        endpoint.call("nobody", "x").await;
    }
    assert_eq!(log.lost(), 21);
    assert!(log.flush().await.is_err());
    assert_eq!(log.lost(), 31, "those that are counted alone are lost too");
    disk.is_full.store(false, Ordering::SeqCst);
    log.flush().await.unwrap();
    assert_eq!(endpoint.call("alice", "third").await, StatusCode::OK);
    log.flush().await.unwrap();
    assert_eq!(lines(&disk.text()).len(), 2);
}

#[tokio::test]
async fn sec_ds_12_strangers_do_not_fill_the_audit_log() {
    let disk = Disk::default();
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let builder = AuditLog::builder().clock(clock.clone()).capacity(100);
    let log = builder.write_to(disk.clone()).unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    for _ in 0..500 {
        endpoint.call("nobody", "x").await;
    }
    for _ in 0..50 {
        endpoint.call("bob", "add_note").await;
    }
    clock.advance(Duration::from_secs(1));
    endpoint.call("nobody", "x").await;
    log.flush().await.unwrap();
    let lines = lines(&disk.text());
    let of = |reason: &str| {
        let of = lines.iter().filter(|line| line["event"] == "request");
        of.filter(|line| line["outcome"] == reason).count()
    };
    assert_eq!(of("unauthenticated"), 21);
    assert_eq!(of("insufficient_scope"), 50, "he is somebody");
    let left_out = lines.iter().find(|line| line["event"] == "left_out");
    let left_out = left_out.expect("one says how many there were");
    assert_eq!(left_out["count"], 480);
    assert_eq!(left_out["reason"], "missing_token");
}

#[tokio::test]
async fn after_it_was_moved_away_the_next_line_goes_to_a_new_file() {
    let folder = Folder::new();
    let (file, old) = (folder.file("audit.jsonl"), folder.file("audit.1"));
    let log = AuditLog::open(&file).unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    endpoint.call("alice", "before").await;
    fs::rename(&file, &old).unwrap();
    endpoint.call("alice", "between").await;
    log.reopen().await.unwrap();
    endpoint.call("alice", "after").await;
    log.flush().await.unwrap();
    let targets = |path: &std::path::Path| -> Vec<String> {
        let lines = lines(&fs::read_to_string(path).unwrap());
        let targets = lines.iter().map(|line| line["target"].as_str().unwrap());
        targets.map(str::to_owned).collect()
    };
    assert_eq!(targets(&old), ["before", "between"]);
    assert_eq!(targets(&file), ["after"]);
    // Where the name leads nowhere, the file is kept.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(log.reopen().await, Err(AuditError::NoFile { .. })));
    assert_eq!(endpoint.call("alice", "kept").await, StatusCode::OK);
    log.flush().await.unwrap();
    assert_eq!(log.written(), 4);
}

#[tokio::test]
async fn a_line_that_broke_off_spoils_no_other() {
    let folder = Folder::new();
    let file = folder.file("audit.jsonl");
    fs::write(&file, "{\"whole\":1}\n{\"half").unwrap();
    let log = AuditLog::open(&file).unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    endpoint.call("alice", "x").await;
    log.reopen().await.unwrap();
    endpoint.call("alice", "y").await;
    log.flush().await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let read: Vec<_> = text.lines().collect();
    assert_eq!(read.len(), 4, "{text}");
    assert_eq!(read[1], "{\"half");
    assert!(read[2].contains("\"x\"") && read[3].contains("\"y\""));
}

#[cfg(unix)]
#[tokio::test]
async fn sec_gw_25_the_file_is_the_owners_and_no_link() {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    let folder = Folder::new();
    let file = folder.file("audit.jsonl");
    drop(AuditLog::open(&file).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    let link = folder.file("link");
    symlink(&file, &link).unwrap();
    assert!(matches!(
        AuditLog::open(&link),
        Err(AuditError::NoFile { .. })
    ));
    let folder_itself = folder.file("");
    assert!(matches!(
        AuditLog::open(folder_itself),
        Err(AuditError::NoFile { .. })
    ));
    assert!(matches!(
        AuditLog::open(folder.file("no/such/folder")),
        Err(AuditError::Open { .. })
    ));
    // What was written before stays.
    fs::write(&file, "{}\n").unwrap();
    let log = AuditLog::open(&file).unwrap();
    let endpoint = Endpoint::new(&auth().observer(log.clone()));
    endpoint.call("alice", "x").await;
    log.flush().await.unwrap();
    assert_eq!(lines(&fs::read_to_string(&file).unwrap()).len(), 2);
}

#[tokio::test]
async fn a_line_says_what_happened_at_the_authorization_server() {
    let folder = Folder::new();
    let file = folder.file("audit.jsonl");
    let log = AuditLog::open(&file).unwrap();
    let address = ClientAddress::new("192.0.2.7".parse().unwrap());
    let event = AuthorizationEvent::new(AuthorizationEventKind::GrantMade)
        .at(Duration::from_millis(1_800_000_000_042))
        .of_user("alice")
        .of_client("cli")
        .of_grant("AAAA")
        .of_resource("https://mcp.example/mcp")
        .from_address(Some(address))
        .because("code");
    log.authorization(&event);
    log.flush().await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(
        text.trim_end(),
        r#"{"time":"2027-01-15T08:00:00.042Z","event":"grant_made","client_address":"192.0.2.7","subject":"alice","client_id":"cli","grant":"AAAA","resource":"https://mcp.example/mcp","reason":"code"}"#
    );
}

#[tokio::test]
async fn sec_st_14_without_room_there_is_none_for_an_event() {
    let disk = Disk::default();
    let log = AuditLog::builder()
        .capacity(2)
        .write_to(disk.clone())
        .unwrap();
    assert!(log.reserve_event() && log.reserve_event());
    assert!(!log.reserve_event());
    log.release_event();
    assert!(log.reserve_event());
    // What ends a grant is written in any case, and gives its place back.
    let event = AuthorizationEvent::new(AuthorizationEventKind::GrantEnded);
    log.authorization(&event);
    log.flush().await.unwrap();
    assert!(disk.text().contains("grant_ended"));
    assert!(!log.reserve_event());
    log.release_event();
    assert!(log.reserve_event());
}

#[tokio::test]
async fn sec_ds_12_events_of_strangers_do_not_fill_the_audit_log() {
    let disk = Disk::default();
    let clock = Arc::new(MockClock::at(1_800_000_000)) as SharedClock;
    let log = AuditLog::builder()
        .clock(clock)
        .write_to(disk.clone())
        .unwrap();
    let event = AuthorizationEvent::new(AuthorizationEventKind::LoginFailed);
    let event = event.because("password");
    for _ in 0..1000 {
        log.authorization(&event);
    }
    log.flush().await.unwrap();
    let text = disk.text();
    assert_eq!(text.matches("login_failed").count(), 21);
    assert!(text.contains(
        r#""event":"left_out","outcome":"login_failed","reason":"password","count":980"#
    ));
}
