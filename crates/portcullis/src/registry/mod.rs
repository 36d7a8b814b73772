//! What a server offers, at this moment.
//!
//! A registry is filled while the server is built and may change while it runs. Whoever shows
//! lists to clients watches it. A mounted server keeps its own registry: what changes there
//! changes in every server it is mounted in.

mod component;
mod handle;

use std::{
    collections::HashSet,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexMap;
use portcullis_oauth::json::{Map, Value};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::component::Component;
pub use self::handle::ServerHandle;
#[cfg(feature = "http")]
use crate::access::Access;
use crate::{Prompt, Resource, ResourceTemplate, Tool, access::Gate, error::ConfigError};

/// All components of one server, in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Registry {
    state: RwLock<State>,
    revisions: watch::Sender<Revisions>,
    updates: broadcast::Sender<Arc<str>>,
    /// Somebody holds a handle: what is empty now may fill later.
    live: AtomicBool,
    /// Cancelled when the server that shows this registry stops taking new work.
    draining: CancellationToken,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    tools: Table<Tool>,
    prompts: Table<Prompt>,
    resources: Table<Resource>,
    templates: Table<ResourceTemplate>,
    mounts: Vec<Mount>,
    parents: Vec<(String, Weak<Registry>)>,
}

#[derive(Clone, Debug)]
struct Mount {
    prefix: String,
    registry: Arc<Registry>,
    gate: Arc<Gate>,
}

pub(crate) type Table<C> = IndexMap<String, Entry<C>>;

#[derive(Debug)]
pub(crate) struct Entry<C> {
    component: Arc<C>,
    enabled: bool,
}

/// How often each list has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revisions {
    pub(crate) tools: u64,
    pub(crate) prompts: u64,
    pub(crate) resources: u64,
}

/// Which list a component belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Tools,
    Prompts,
    Resources,
}

/// A component, and the way to it.
#[derive(Debug)]
pub(crate) struct Found<C> {
    pub(crate) component: Arc<C>,
    /// The gates of the servers it is mounted through, outermost first. The server that asks
    /// adds its own.
    pub(crate) gates: Vec<Arc<Gate>>,
}

/// A component as one server shows it: under its name or URI there.
#[derive(Debug)]
pub(crate) struct Listed<C> {
    pub(crate) key: String,
    pub(crate) found: Found<C>,
}

/// A template that fits a URI.
#[derive(Debug)]
pub(crate) struct Matched {
    pub(crate) found: Found<ResourceTemplate>,
    pub(crate) variables: Map<String, Value>,
    /// The URI as the template's own server knows it.
    pub(crate) own_uri: String,
}

/// How many resource updates a slow subscriber may lag behind before it misses some.
const UPDATE_BACKLOG: usize = 256;

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: RwLock::default(),
            revisions: watch::Sender::new(Revisions::default()),
            updates: broadcast::Sender::new(UPDATE_BACKLOG),
            live: AtomicBool::new(false),
            draining: CancellationToken::new(),
        })
    }

    /// Adds a component.
    pub(crate) fn add<C: Component>(&self, component: C) -> Result<(), ConfigError> {
        component.check()?;
        let key = component.key().to_owned();
        {
            let mut state = self.write();
            let table = C::table_mut(&mut state);
            if table.contains_key(&key) {
                let component = format!("{} `{key}`", C::KIND);
                return Err(ConfigError::new(component, "is defined twice"));
            }
            table.insert(
                key,
                Entry {
                    component: Arc::new(component),
                    enabled: true,
                },
            );
        }
        self.changed(C::LIST);
        Ok(())
    }

    /// Removes a component; false if there is none.
    pub(crate) fn remove<C: Component>(&self, key: &str) -> bool {
        let removed = C::table_mut(&mut self.write()).shift_remove(key).is_some();
        if removed {
            self.changed(C::LIST);
        }
        removed
    }

    /// Shows or hides a component; false if there is none.
    pub(crate) fn enable<C: Component>(&self, key: &str, enabled: bool) -> bool {
        let before = match C::table_mut(&mut self.write()).get_mut(key) {
            Some(entry) => std::mem::replace(&mut entry.enabled, enabled),
            None => return false,
        };
        if before != enabled {
            self.changed(C::LIST);
        }
        true
    }

    /// Shows everything of another registry under a prefix, behind its gate.
    pub(crate) fn mount(
        self: &Arc<Self>,
        prefix: &str,
        registry: Arc<Self>,
        gate: Arc<Gate>,
    ) -> Result<(), ConfigError> {
        let subject = || format!("mount `{prefix}`");
        if let Some(fault) = crate::tool::name_fault(prefix) {
            return Err(ConfigError::new(subject(), fault));
        }
        if self
            .read()
            .mounts
            .iter()
            .any(|mount| mount.prefix == prefix)
        {
            return Err(ConfigError::new(subject(), "is defined twice"));
        }
        registry
            .write()
            .parents
            .push((prefix.to_owned(), Arc::downgrade(self)));
        self.write().mounts.push(Mount {
            prefix: prefix.to_owned(),
            registry,
            gate,
        });
        for list in [List::Tools, List::Prompts, List::Resources] {
            self.changed(list);
        }
        Ok(())
    }

    /// All enabled components of a kind, mounted ones last. Where two have the same name or URI
    /// (a tool `a_b`, and the tool `b` of the mount `a`), the first is shown: the one that
    /// [`find`](Self::find) leads to.
    pub(crate) fn all<C: Component>(&self) -> Vec<Listed<C>> {
        let (mut all, mounts) = {
            let state = self.read();
            let enabled = C::table(&state).iter().filter(|(_, entry)| entry.enabled);
            let own: Vec<Listed<C>> = enabled
                .map(|(key, entry)| Listed {
                    key: key.clone(),
                    found: Found::own(&entry.component),
                })
                .collect();
            (own, state.mounts.clone())
        };
        for mount in mounts {
            let mounted = mount.registry.all::<C>().into_iter();
            all.extend(mounted.map(|listed| Listed {
                key: C::with_prefix(&mount.prefix, &listed.key),
                found: listed.found.behind(&mount),
            }));
        }
        let mut keys = HashSet::with_capacity(all.len());
        all.retain(|listed| keys.insert(listed.key.clone()));
        all
    }

    /// The enabled component with this name or URI. On the way of each call, so it copies nothing.
    pub(crate) fn find<C: Component>(&self, key: &str) -> Option<Found<C>> {
        // Mounts are no circle and locks are taken from the outside in, so none waits for another.
        let state = self.read();
        if let Some(entry) = C::table(&state).get(key).filter(|entry| entry.enabled) {
            return Some(Found::own(&entry.component));
        }
        state.mounts.iter().find_map(|mount| {
            let inner = C::without_prefix(&mount.prefix, key)?;
            Some(mount.registry.find::<C>(&inner)?.behind(mount))
        })
    }

    /// The enabled template that fits a URI, with the values of its variables and the URI as
    /// the template's own server knows it.
    pub(crate) fn find_template(&self, uri: &str) -> Option<Matched> {
        let state = self.read();
        let enabled = state.templates.values().filter(|entry| entry.enabled);
        let mut own = enabled.filter_map(|entry| {
            let variables = entry.component.pattern.as_ref()?.read(uri)?;
            Some(Matched {
                found: Found::own(&entry.component),
                variables,
                own_uri: uri.to_owned(),
            })
        });
        own.next().or_else(|| {
            state.mounts.iter().find_map(|mount| {
                let inner = ResourceTemplate::without_prefix(&mount.prefix, uri)?;
                let mut matched = mount.registry.find_template(&inner)?;
                matched.found = matched.found.behind(mount);
                Some(matched)
            })
        })
    }

    /// Whether there is a component of this kind, or may be one later.
    pub(crate) fn offers<C: Component>(&self) -> bool {
        let state = self.read();
        self.is_live()
            || !C::table(&state).is_empty()
            || state
                .mounts
                .iter()
                .any(|mount| mount.registry.offers::<C>())
    }

    /// The server's own components that are marked anonymous, as errors name them.
    #[cfg(feature = "http")]
    pub(crate) fn anonymous(&self) -> Vec<String> {
        self.named(|access| access.anonymous)
    }

    /// The server's own components that nobody has without a token, as warnings name them.
    #[cfg(feature = "http")]
    pub(crate) fn restricted(&self) -> Vec<String> {
        self.named(Access::is_restricted)
    }

    #[cfg(feature = "http")]
    fn named(&self, is_wanted: fn(&Access) -> bool) -> Vec<String> {
        fn of<C: Component>(state: &State, is_wanted: fn(&Access) -> bool) -> Vec<String> {
            let entries = C::table(state).iter();
            let wanted = entries.filter(|(_, entry)| is_wanted(entry.component.access()));
            wanted
                .map(|(key, _)| format!("{} `{key}`", C::KIND))
                .collect()
        }
        let state = self.read();
        let mut names = of::<Tool>(&state, is_wanted);
        names.extend(of::<Prompt>(&state, is_wanted));
        names.extend(of::<Resource>(&state, is_wanted));
        names.extend(of::<ResourceTemplate>(&state, is_wanted));
        names
    }

    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    pub(crate) fn set_live(&self) {
        self.live.store(true, Ordering::Relaxed);
    }

    fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    /// Tells everybody who watches that a list changed.
    pub(crate) fn changed(&self, list: List) {
        self.revisions.send_modify(|revisions| {
            let count = match list {
                List::Tools => &mut revisions.tools,
                List::Prompts => &mut revisions.prompts,
                List::Resources => &mut revisions.resources,
            };
            *count = count.wrapping_add(1);
        });
        for (_, parent) in self.parents() {
            parent.changed(list);
        }
    }

    /// Tells everybody who watches that the content of a resource changed.
    pub(crate) fn updated(&self, uri: &str) {
        // Nobody listening is fine.
        let _ = self.updates.send(uri.into());
        for (prefix, parent) in self.parents() {
            parent.updated(&Resource::with_prefix(&prefix, uri));
        }
    }

    pub(crate) fn revisions(&self) -> Revisions {
        *self.revisions.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Revisions> {
        self.revisions.subscribe()
    }

    pub(crate) fn watch_updates(&self) -> broadcast::Receiver<Arc<str>> {
        self.updates.subscribe()
    }

    fn parents(&self) -> Vec<(String, Arc<Self>)> {
        let state = self.read();
        let parents = state.parents.iter();
        parents
            .filter_map(|(prefix, parent)| Some((prefix.clone(), parent.upgrade()?)))
            .collect()
    }

    /// A panic elsewhere never leaves the tables half changed, so a poisoned lock is usable.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Found<C> {
    fn own(component: &Arc<C>) -> Self {
        Self {
            component: Arc::clone(component),
            gates: Vec::new(),
        }
    }

    fn behind(mut self, mount: &Mount) -> Self {
        self.gates.insert(0, Arc::clone(&mount.gate));
        self
    }
}

#[cfg(test)]
mod tests;
