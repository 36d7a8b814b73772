//! The server that `portcullis dev` shows where it is given none: it keeps notes.

use std::sync::{Arc, Mutex, PoisonError};

use portcullis::{AccessToken, Args, Server, Tool};
use portcullis_oauth::{ScopeSet, scopes};

/// The notes of everybody. They end with the process.
#[derive(Debug, Clone, Default)]
struct Notes(Arc<Mutex<Vec<Note>>>);

#[derive(Debug, Clone)]
struct Note {
    by: String,
    text: String,
}

/// A new note.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct NewNote {
    /// What to remember.
    text: String,
}

/// No more notes than this: it is a try-out.
const MAX_NOTES: usize = 1000;
const MAX_LENGTH: usize = 4000;

/// Every scope that the server knows.
pub(crate) fn scopes() -> ScopeSet {
    scopes!["notes:read", "notes:write"]
}

/// The server, without auth.
pub(crate) fn server() -> Server {
    let notes = Notes::default();
    let (list, add, stats) = (notes.clone(), notes.clone(), notes);
    Server::new("portcullis-demo")
        .tool(Tool::new("whoami", whoami).description("Says who you are and what you may do"))
        .tool(
            Tool::new("list_notes", move |user: AccessToken| {
                let notes = list.clone();
                async move { notes.list(user.subject()) }
            })
            .description("Lists your notes")
            .require_scopes(scopes!["notes:read"]),
        )
        .tool(
            Tool::new(
                "add_note",
                move |user: AccessToken, Args(note): Args<NewNote>| {
                    let notes = add.clone();
                    async move { notes.add(user.subject(), note.text) }
                },
            )
            .description("Remembers something")
            .require_scopes(scopes!["notes:write"]),
        )
        .tool(
            Tool::new("admin_stats", move || {
                let notes = stats.clone();
                async move { notes.stats() }
            })
            .description("Counts the notes of everybody")
            .allow_if(|user| user.claim::<String>("role").as_deref() == Some("admin")),
        )
}

async fn whoami(user: AccessToken) -> String {
    let role = user.claim::<String>("role").unwrap_or_default();
    format!(
        "{} (role {role}), scopes: {}",
        user.subject(),
        user.scopes()
    )
}

impl Notes {
    fn list(&self, user: &str) -> String {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = notes.iter().filter(|note| note.by == user);
        let lines: Vec<_> = own.map(|note| format!("- {}", note.text)).collect();
        if lines.is_empty() {
            "no notes".to_owned()
        } else {
            lines.join("\n")
        }
    }

    fn add(&self, user: &str, text: String) -> String {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= MAX_NOTES || text.len() > MAX_LENGTH {
            return "there is no room for it".to_owned();
        }
        notes.push(Note {
            by: user.to_owned(),
            text,
        });
        format!("noted for {user}")
    }

    fn stats(&self) -> String {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} notes", notes.len())
    }
}
