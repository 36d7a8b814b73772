//! Whose task it is (MCP 2025-11-25, tasks; extension `io.modelcontextprotocol/tasks`).
//!
//! A task's id is a handle that outlives its request. So each belongs to whoever made it, as a
//! session does, and for all others the task does not exist.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_oauth::json::{self, Limits};
use portcullis_resource_server::mcp::session::SessionOwner;

/// The tasks of one server behind. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    owners: HashMap<Arc<str>, SessionOwner>,
    /// In the order in which they were made.
    all: VecDeque<Arc<str>>,
    of_user: HashMap<SessionOwner, VecDeque<Arc<str>>>,
}

/// The tasks as one caller may see them.
#[derive(Debug, Clone)]
pub(crate) struct OwnTasks {
    tasks: Tasks,
    owner: SessionOwner,
}

/// The id is another's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl Tasks {
    pub(crate) fn of(&self, owner: SessionOwner) -> OwnTasks {
        let tasks = self.clone();
        OwnTasks { tasks, owner }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OwnTasks {
    /// Whether a task is the caller's own.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.tasks.known().owners.get(id) == Some(&self.owner)
    }

    /// Notes the task that an answer to the caller says was made, if it does.
    pub(super) fn note(&self, answer: &[u8]) -> Result<(), Taken> {
        match made(answer) {
            Some(id) if id.len() <= LONGEST_ID => self.tasks.known().add(&id, &self.owner),
            // What nobody noted is nobody's.
            _ => Ok(()),
        }
    }
}

impl Known {
    fn add(&mut self, id: &str, owner: &SessionOwner) -> Result<(), Taken> {
        if let Some(known) = self.owners.get(id) {
            // SECURITY: an id that is known keeps its owner, whatever a server says of it later
            // (fixation); sec_rs_16_a_known_task_is_not_taken_over
            return (known == owner).then_some(()).ok_or(Taken);
        }
        let (id, user): (Arc<str>, _) = (id.into(), owner.user());
        self.owners.insert(Arc::clone(&id), owner.clone());
        self.all.push_back(Arc::clone(&id));
        let own = self.of_user.entry(user).or_default();
        own.push_back(id);
        // SECURITY: whoever makes tasks in a loop forgets its own, and not those of others;
        // sec_mt_06_tasks_of_one_user_leave_room
        let first = if own.len() > MOST_OF_USER {
            own.front().cloned()
        } else if self.all.len() > MOST {
            self.all.front().cloned()
        } else {
            None
        };
        if let Some(first) = first {
            self.forget(&first);
        }
        Ok(())
    }

    fn forget(&mut self, id: &Arc<str>) {
        let Some(owner) = self.owners.remove(id) else {
            return;
        };
        self.all.retain(|known| known != id);
        let user = owner.user();
        if let Some(own) = self.of_user.get_mut(&user) {
            own.retain(|known| known != id);
            if own.is_empty() {
                self.of_user.remove(&user);
            }
        }
    }
}

/// The id of the task that this answer says was made: `result.task.taskId`, or `result.taskId`
/// where the result is said to be a task.
fn made(answer: &[u8]) -> Option<String> {
    let (mut nested, mut flat, mut is_task) = (None, None, false);
    json::scan_members(answer, Limits::MCP, |path, value| match path {
        ["result", "task", "taskId"] => nested = value.text(),
        ["result", "taskId"] => flat = value.text(),
        ["result", "resultType"] => is_task = value.text().as_deref() == Some("task"),
        _ => {}
    })
    .ok()?;
    let id = nested.or(flat.filter(|_| is_task))?;
    Some(id.into_owned())
}

/// How many tasks are known, whether they run or ended: the server behind forgets them in its own
/// time. One more makes the oldest one unknown.
const MOST: usize = 10_000;
const MOST_OF_USER: usize = 100;
const LONGEST_ID: usize = 1024;

#[cfg(test)]
mod tests {
    use portcullis_resource_server::{AccessToken, TokenParts};

    use super::*;

    fn owner(subject: &str, client: &str) -> SessionOwner {
        let parts = TokenParts::new("https://idp.example", subject).client_id(client);
        SessionOwner::of(Some(&AccessToken::assert_verified(parts)))
    }

    fn answer(id: &str) -> Vec<u8> {
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"task":{{"taskId":"{id}"}}}}}}"#).into()
    }

    #[test]
    fn both_forms_of_a_new_task_are_read() {
        for (answer, id) in [
            (r#"{"result":{"task":{"taskId":"a"}}}"#, Some("a")),
            (
                r#"{"result":{"taskId":"\u0061","resultType":"task"}}"#,
                Some("a"),
            ),
            (r#"{"result":{"taskId":"a","resultType":"complete"}}"#, None),
            (r#"{"result":{"content":[]}}"#, None),
            (r#"{"error":{"task":{"taskId":"a"}}}"#, None),
            (r#"{"result":{"task":{"taskId":7}}}"#, None),
            (r#"{"result":{"task":{"taskId":"a","taskId":"b"}}}"#, None),
        ] {
            assert_eq!(made(answer.as_bytes()).as_deref(), id, "{answer}");
        }
    }

    #[test]
    fn sec_rs_16_a_known_task_is_not_taken_over() {
        let tasks = Tasks::default();
        let (alice, bob) = (tasks.of(owner("alice", "a")), tasks.of(owner("bob", "a")));
        let elsewhere = tasks.of(owner("alice", "b"));
        assert_eq!(alice.note(&answer("t")), Ok(()));
        assert_eq!(alice.note(&answer("t")), Ok(()));
        assert_eq!(bob.note(&answer("t")), Err(Taken));
        assert_eq!(elsewhere.note(&answer("t")), Err(Taken));
        assert!(alice.has("t") && !bob.has("t") && !elsewhere.has("t"));
        assert_eq!(bob.note(&answer(&"x".repeat(1025))), Ok(()));
        assert!(!bob.has(&"x".repeat(1025)));
    }

    #[test]
    fn sec_mt_06_tasks_of_one_user_leave_room() {
        let tasks = Tasks::default();
        let alice = tasks.of(owner("alice", "a"));
        alice.note(&answer("first")).unwrap();
        for at in 0..=2 * MOST {
            let client = format!("client {}", at % 7);
            let mallory = tasks.of(owner("mallory", &client));
            mallory.note(&answer(&at.to_string())).unwrap();
        }
        assert!(alice.has("first"));
        let known = tasks.known();
        assert_eq!(known.owners.len(), 1 + MOST_OF_USER);
        assert_eq!(known.all.len(), 1 + MOST_OF_USER);
        assert_eq!(known.of_user.len(), 2);
    }

    #[test]
    fn sec_ds_08_tasks_are_bounded() {
        let tasks = Tasks::default();
        for at in 0..=MOST {
            let user = tasks.of(owner(&format!("user {}", at / 50), "a"));
            user.note(&answer(&at.to_string())).unwrap();
        }
        assert_eq!(tasks.known().owners.len(), MOST);
        assert!(!tasks.of(owner("user 0", "a")).has("0"));
    }
}
