//! Changing a server while it runs.

use std::sync::Arc;

use super::{List, Registry};
use crate::{Prompt, Resource, ResourceTemplate, Tool, error::ConfigError};

/// A running server's components, to be changed while it runs.
///
/// Connected clients are told what changed (`notifications/.../list_changed`), in both protocol
/// eras. Cheap to clone.
///
/// ```
/// use portcullis::{Server, Tool};
///
/// let server = Server::new("plugins");
/// let handle = server.handle();
/// // later, anywhere:
/// handle.add_tool(Tool::new("hello", async || "Hello!"))?;
/// handle.disable_tool("hello");
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandle(Arc<Registry>);

macro_rules! manage {
    ($($what:literal $component:ty: $add:ident $remove:ident $enable:ident $disable:ident)*) => {
        impl ServerHandle {$(
            #[doc = concat!("Adds a ", $what, ".")]
            ///
            /// # Errors
            /// When it is defined already, or cannot work.
            pub fn $add(&self, component: $component) -> Result<(), ConfigError> {
                self.0.add(component)
            }

            #[doc = concat!("Removes a ", $what, "; false if there is none.")]
            pub fn $remove(&self, key: &str) -> bool {
                self.0.remove::<$component>(key)
            }

            #[doc = concat!("Shows a disabled ", $what, " again; false if there is none.")]
            pub fn $enable(&self, key: &str) -> bool {
                self.0.enable::<$component>(key, true)
            }

            #[doc = concat!("Hides a ", $what, " from everybody; false if there is none.")]
            pub fn $disable(&self, key: &str) -> bool {
                self.0.enable::<$component>(key, false)
            }
        )*}
    };
}

manage! {
    "tool" Tool: add_tool remove_tool enable_tool disable_tool
    "prompt" Prompt: add_prompt remove_prompt enable_prompt disable_prompt
    "resource" Resource: add_resource remove_resource enable_resource disable_resource
    "resource template" ResourceTemplate: add_template remove_template enable_template disable_template
}

impl ServerHandle {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self(registry)
    }

    /// Stops the server, as SIGTERM does: no new connections, up to ten seconds for the calls
    /// that run. The future of `serve_http` then ends. Without effect on a mounted server.
    pub fn stop(&self) {
        self.0.draining().cancel();
    }

    /// Tells clients to read the list of tools again. Adding and removing does so by itself;
    /// this is for lists that depend on something else, such as a user's rights.
    pub fn notify_tools_changed(&self) {
        self.0.changed(List::Tools);
    }

    /// Tells clients to read the list of prompts again.
    pub fn notify_prompts_changed(&self) {
        self.0.changed(List::Prompts);
    }

    /// Tells clients to read the lists of resources and templates again.
    pub fn notify_resources_changed(&self) {
        self.0.changed(List::Resources);
    }

    /// Tells those who subscribed to this URI, and may read it, that its content changed.
    pub fn notify_resource_updated(&self, uri: &str) {
        self.0.updated(uri);
    }
}
