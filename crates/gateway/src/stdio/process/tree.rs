//! A process with all that it started, and its end.
//!
//! A server may start others: `npx` starts a shell that starts node. They share a process group,
//! but one that wants to can leave it, and one whose parent ended has another parent. So all of
//! them carry a mark in their environment, by which they are found again (on Linux; elsewhere the
//! group has to do).

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use portcullis_oauth::Entropy;
use portcullis_oauth::crypto::hex;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// The variable that holds the mark.
pub(super) const VARIABLE: &str = "MCP_PROCESS_TREE";

/// A mark that no other tree has.
#[derive(Debug, Clone)]
pub(super) struct Marker(String);

impl Marker {
    pub(super) fn new(entropy: &dyn Entropy) -> io::Result<Self> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(hex::encode(bytes)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    root: Option<u32>,
    marker: Marker,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Terminate,
    Kill,
}

impl Tree {
    pub(super) fn new(child: &Child, marker: Marker) -> Self {
        let root = child.id();
        Self { root, marker }
    }

    /// Waits for the end of the tree, whose root's input was closed; asks for it, then forces it.
    /// What the root left as its status, if it is known.
    pub(super) async fn end(
        self,
        child: &mut Child,
        (close, terminate): (Duration, Duration),
    ) -> Option<String> {
        let _ = timeout(close, child.wait()).await;
        if !self.signal(child, Order::Terminate).await {
            let _ = timeout(terminate, self.wait(child)).await;
            for _ in 0..KILLS {
                // SECURITY: what a server started does not outlive it;
                // sec_gw_18_grandchildren_end_with_their_server
                if self.signal(child, Order::Kill).await {
                    break;
                }
                sleep(FIRST_WAIT).await;
            }
        }
        // On a system without signals this is what ends the process.
        let status = match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => child.kill().await.map(|()| ExitStatus::default()),
        };
        status.ok().map(|status| status.to_string())
    }

    /// Until the whole tree is gone.
    async fn wait(&self, child: &mut Child) {
        let mut wait = FIRST_WAIT;
        loop {
            let _ = timeout(wait, child.wait()).await;
            if self.members(child).await.is_empty() {
                return;
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Signals every member. Whether there was none.
    async fn signal(&self, child: &Child, order: Order) -> bool {
        let members = self.members(child).await;
        for member in &members {
            send(*member, order);
        }
        members.is_empty()
    }

    async fn members(&self, child: &Child) -> Vec<u32> {
        let (root, is_reaped) = (self.root, child.id().is_none());
        let Some(root) = root else {
            return Vec::new();
        };
        let marker = format!("{VARIABLE}={}", self.marker.0);
        let search = move || members(root, is_reaped, marker.as_bytes());
        tokio::task::spawn_blocking(search)
            .await
            .unwrap_or_default()
    }
}

/// The living members of a tree. The number of a root that is gone may be another's by now.
#[cfg(target_os = "linux")]
fn members(root: u32, is_reaped: bool, marker: &[u8]) -> Vec<u32> {
    let all = all_processes();
    let mut members: Vec<u32> = Vec::new();
    for process in &all {
        let is_near = !is_reaped && (process.number == root || process.group == root);
        if is_near || has_mark(process.number, marker) {
            members.push(process.number);
        }
    }
    // Children of members, wherever they stand in the list.
    let mut known = 0;
    while known < members.len() {
        known = members.len();
        for process in &all {
            if members.contains(&process.parent) && !members.contains(&process.number) {
                members.push(process.number);
            }
        }
    }
    members
}

#[cfg(target_os = "linux")]
struct Entry {
    number: u32,
    parent: u32,
    group: u32,
}

#[cfg(target_os = "linux")]
fn all_processes() -> Vec<Entry> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(entry).collect()
}

/// A process that still runs (proc(5), `/proc/pid/stat`).
#[cfg(target_os = "linux")]
fn entry(number: u32) -> Option<Entry> {
    let line = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The name stands in parentheses and may hold any.
    let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Entry {
        number,
        parent,
        group,
    })
}

#[cfg(target_os = "linux")]
fn has_mark(number: u32, marker: &[u8]) -> bool {
    std::fs::read(format!("/proc/{number}/environ")).is_ok_and(|all| {
        all.split(|byte| *byte == 0)
            .any(|variable| variable == marker)
    })
}

/// The group stands for all of its members.
#[cfg(all(unix, not(target_os = "linux")))]
fn members(root: u32, _: bool, _: &[u8]) -> Vec<u32> {
    let is_alive = |root| rustix::process::test_kill_process_group(root).is_ok();
    pid(root)
        .filter(|root| is_alive(*root))
        .map(|_| root)
        .into_iter()
        .collect()
}

#[cfg(not(unix))]
fn members(_: u32, _: bool, _: &[u8]) -> Vec<u32> {
    Vec::new()
}

#[cfg(unix)]
fn pid(number: u32) -> Option<rustix::process::Pid> {
    i32::try_from(number)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
}

#[cfg(unix)]
fn send(member: u32, order: Order) {
    use rustix::process::Signal;
    let signal = match order {
        Order::Terminate => Signal::TERM,
        Order::Kill => Signal::KILL,
    };
    #[cfg(target_os = "linux")]
    let send = rustix::process::kill_process;
    #[cfg(not(target_os = "linux"))]
    let send = rustix::process::kill_process_group;
    // Whoever is gone needs no signal.
    let _ = pid(member).map(|member| send(member, signal));
}

#[cfg(not(unix))]
fn send(_: u32, _: Order) {}

const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(320);
/// One that forks as it is killed is found the next time.
const KILLS: usize = 10;
