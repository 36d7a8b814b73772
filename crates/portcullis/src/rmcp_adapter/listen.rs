//! Who hears of changes: sessions up to 2025-11-25, `subscriptions/listen` from 2026-07-28 on.

#![expect(
    deprecated,
    reason = "logging levels are deprecated in MCP and still spoken"
)]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use rmcp::{
    RoleServer,
    service::{Peer, SubscriptionContext},
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use tokio_util::sync::CancellationToken;

use super::{App, Cx, McpResult, answer};
use crate::{access::Caller, model, registry::Revisions, server::Core};

/// What a session remembers between its requests.
#[derive(Debug, Default)]
pub(super) struct Session {
    state: Mutex<State>,
    /// For subscriptions that are being acknowledged: what they asked for, and where they begin.
    beginning: Mutex<VecDeque<(model::SubscriptionFilter, Watch)>>,
    /// Cancelled when the session ends, if somebody waits for that.
    ended: OnceLock<CancellationToken>,
}

#[derive(Debug)]
struct State {
    level: model::LoggingLevel,
    /// URIs, with who asked for them.
    subscriptions: BTreeMap<String, Caller>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            level: model::LoggingLevel::Info,
            subscriptions: BTreeMap::new(),
        }
    }
}

/// How many resources one session may watch.
const SUBSCRIPTIONS: usize = 1000;

/// How many subscriptions may be acknowledged at the same moment.
const BEGINNING: usize = 64;

impl Session {
    pub(super) fn level(&self) -> model::LoggingLevel {
        self.state().level
    }

    pub(super) fn set_level(&self, level: model::LoggingLevel) {
        self.state().level = level;
    }

    pub(super) fn unsubscribe(&self, uri: &str) {
        self.state().subscriptions.remove(uri);
    }

    fn beginning(&self) -> MutexGuard<'_, VecDeque<(model::SubscriptionFilter, Watch)>> {
        self.beginning
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.get() {
            ended.cancel();
        }
    }
}

impl App {
    /// `resources/subscribe`: only what the caller may read.
    pub(super) async fn subscribe_to(&self, uri: String, cx: &Cx) -> McpResult<()> {
        let caller = self.caller(&cx.extensions);
        let readable = self.core.admit_uri(&caller, &uri).await;
        readable.map_err(|refusal| answer::refused_uri(refusal, &uri))?;
        let mut state = self.session.state();
        if state.subscriptions.len() >= SUBSCRIPTIONS {
            return Err(model::ErrorData::invalid_request(
                "too many subscriptions",
                None,
            ));
        }
        state.subscriptions.insert(uri, caller);
        Ok(())
    }

    /// Tells a session of changes until it ends.
    pub(super) fn announce_changes(&self, peer: Peer<RoleServer>) {
        let core = Arc::clone(&self.core);
        let ended = self.session.ended.get_or_init(CancellationToken::new);
        let ended = ended.clone();
        let session = Arc::downgrade(&self.session);
        // From here on, so that no change falls between the handshake and the first look.
        let watch = Watch::of(&core);
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = announce(&core, watch, &session, &peer) => {}
            }
        });
    }

    /// Watches from before the acknowledgement, so that no change falls between it and
    /// [`stream_changes`](Self::stream_changes).
    pub(super) fn begin_stream(&self, requested: &model::SubscriptionFilter) {
        let mut beginning = self.session.beginning();
        if beginning.len() >= BEGINNING {
            // Left by one whose acknowledgement failed.
            beginning.pop_front();
        }
        beginning.push_back((requested.clone(), Watch::of(&self.core)));
    }

    /// What [`begin_stream`](Self::begin_stream) began.
    fn begun(&self, requested: &model::SubscriptionFilter) -> Watch {
        let mut beginning = self.session.beginning();
        let at = beginning.iter().position(|(asked, _)| asked == requested);
        let begun = at.and_then(|at| beginning.remove(at));
        begun.map_or_else(|| Watch::of(&self.core), |(_, watch)| watch)
    }

    /// Tells a subscription of changes until the client ends it or the server drains.
    pub(super) async fn stream_changes(&self, cx: &SubscriptionContext) {
        let caller = self.caller(&cx.request_context().extensions);
        tokio::select! {
            () = cx.cancelled() => {}
            () = self.core.draining.cancelled() => {}
            () = stream(&self.core, self.begun(cx.requested()), &caller, cx) => {}
        }
    }
}

/// Everything that changes, from one moment on.
#[derive(Debug)]
struct Watch {
    revisions: watch::Receiver<Revisions>,
    updates: broadcast::Receiver<Arc<str>>,
    seen: Revisions,
}

impl Watch {
    fn of(core: &Core) -> Self {
        let mut revisions = core.registry.watch();
        let seen = *revisions.borrow_and_update();
        Self {
            revisions,
            updates: core.registry.watch_updates(),
            seen,
        }
    }
}

async fn announce(core: &Core, watch: Watch, session: &Weak<Session>, peer: &Peer<RoleServer>) {
    let Watch {
        mut revisions,
        mut updates,
        mut seen,
    } = watch;
    loop {
        // A failed notification means that the session is ending, which ends this task too.
        tokio::select! {
            changed = revisions.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = *revisions.borrow_and_update();
                if now.tools != seen.tools {
                    let _ = peer.notify_tool_list_changed().await;
                }
                if now.prompts != seen.prompts {
                    let _ = peer.notify_prompt_list_changed().await;
                }
                if now.resources != seen.resources {
                    let _ = peer.notify_resource_list_changed().await;
                }
                seen = now;
            }
            update = updates.recv() => {
                let Some(session) = session.upgrade() else { return };
                let due: Vec<(String, Caller)> = match update {
                    Ok(uri) => {
                        let state = session.state();
                        let caller = state.subscriptions.get(&*uri).cloned();
                        caller.map(|caller| (uri.to_string(), caller)).into_iter().collect()
                    }
                    // Some were missed: say that everything may have changed.
                    Err(RecvError::Lagged(_)) => session.state().subscriptions.clone().into_iter().collect(),
                    Err(RecvError::Closed) => return,
                };
                for (uri, caller) in due {
                    // SECURITY: a right that was lost ends the updates too; sec_updates_follow_the_right_to_read
                    if core.admit_uri(&caller, &uri).await.is_ok() {
                        let params = rmcp::model::ResourceUpdatedNotificationParam::new(uri);
                        let _ = peer.notify_resource_updated(params).await;
                    }
                }
            }
        }
    }
}

async fn stream(core: &Core, watch: Watch, caller: &Caller, cx: &SubscriptionContext) {
    let Watch {
        mut revisions,
        mut updates,
        mut seen,
    } = watch;
    loop {
        tokio::select! {
            changed = revisions.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = *revisions.borrow_and_update();
                send_lists(cx, seen, now).await;
                seen = now;
            }
            update = updates.recv() => {
                let due = match update {
                    Ok(uri) => vec![uri.to_string()],
                    Err(RecvError::Lagged(_)) => {
                        cx.accepted().resource_subscriptions.clone().unwrap_or_default()
                    }
                    Err(RecvError::Closed) => return,
                };
                for uri in due {
                    // SECURITY: the filter was accepted without a look at the caller; sec_updates_follow_the_right_to_read
                    if core.admit_uri(caller, &uri).await.is_ok() {
                        let _ = cx.sink().notify_resource_updated(uri).await;
                    }
                }
            }
        }
    }
}

/// The sink drops what the client did not ask for.
async fn send_lists(cx: &SubscriptionContext, seen: Revisions, now: Revisions) {
    let sink = cx.sink();
    if now.tools != seen.tools {
        let _ = sink.notify_tool_list_changed().await;
    }
    if now.prompts != seen.prompts {
        let _ = sink.notify_prompt_list_changed().await;
    }
    if now.resources != seen.resources {
        let _ = sink.notify_resource_list_changed().await;
    }
}

#[cfg(test)]
mod tests {
    use rmcp::ServerHandler as _;

    use super::*;
    use crate::{Server, Tool};

    #[test]
    fn a_change_after_the_acknowledgement_is_heard() {
        let server = Server::new("s");
        let handle = server.handle();
        let app = App::new(server.finish().unwrap(), None);
        let filter = model::SubscriptionFilter::builder()
            .tools_list_changed()
            .build();
        // The SDK asks this, acknowledges, and only then lets us listen.
        assert!(app.accepted_subscription_filter(&filter).is_some());
        handle.add_tool(Tool::new("late", async || "")).unwrap();
        handle.notify_resource_updated("x://y");
        let mut begun = app.begun(&filter);
        assert!(begun.revisions.has_changed().unwrap());
        assert_ne!(*begun.revisions.borrow(), begun.seen);
        assert_eq!(&*begun.updates.try_recv().unwrap(), "x://y");
        assert!(!app.begun(&filter).revisions.has_changed().unwrap(), "once");
    }
}
