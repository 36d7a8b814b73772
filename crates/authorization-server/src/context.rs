//! What every endpoint works with, while the server runs.

use std::sync::Arc;

use portcullis_oauth::{SharedClock, SharedEntropy};
use portcullis_store::Records;

use crate::client::Clients;
use crate::event::Events;
use crate::grant::Ledger;
use crate::grant::scope::Catalogue;
use crate::limits::Limits;
use crate::provider::Settings;
use crate::resources::Resources;
use crate::session::Sessions;
use crate::ui::Pages;
use crate::users::SharedUsers;

/// What every endpoint works with. It is there once the server has started.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) records: Records,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clients: Clients,
    pub(crate) users: SharedUsers,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) pages: Pages,
    pub(crate) events: Arc<Events>,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// The context, as it is handed around.
pub(crate) type Shared = Arc<Context>;

impl Context {
    /// What there is to grant, as of now: another server may have been mounted since.
    pub(crate) fn catalogue(&self) -> Catalogue {
        let settings = &self.settings;
        let mounted = || self.resources.scopes();
        Catalogue {
            all: settings.scopes.clone().unwrap_or_else(mounted),
            hierarchy: settings.hierarchy.clone().and(self.resources.hierarchy()),
            default: settings.default_scopes.clone(),
        }
    }
}
