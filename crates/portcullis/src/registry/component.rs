//! What the four kinds of components have in common.

use std::borrow::Cow;

use super::{List, State, Table};
use crate::{Prompt, Resource, ResourceTemplate, Tool, access::Access, error::ConfigError};

/// A tool, a prompt, a resource or a resource template.
pub(crate) trait Component: Send + Sync + Sized + 'static {
    const LIST: List;
    /// What errors call it.
    const KIND: &'static str;

    fn key(&self) -> &str;
    fn access(&self) -> &Access;
    fn check(&self) -> Result<(), ConfigError>;
    fn table(state: &State) -> &Table<Self>;
    fn table_mut(state: &mut State) -> &mut Table<Self>;
    /// The key under which a server shows a mounted component.
    fn with_prefix(prefix: &str, key: &str) -> String;
    /// The way back, if the key belongs to the mount.
    fn without_prefix<'a>(prefix: &str, key: &'a str) -> Option<Cow<'a, str>>;
}

macro_rules! component {
    ($component:ty, $kind:literal, $list:expr, $table:ident, $key:ident, $with:ident, $without:ident) => {
        impl Component for $component {
            const LIST: List = $list;
            const KIND: &'static str = $kind;

            fn key(&self) -> &str {
                self.$key()
            }

            fn access(&self) -> &Access {
                &self.access
            }

            fn check(&self) -> Result<(), ConfigError> {
                self.check()
            }

            fn table(state: &State) -> &Table<Self> {
                &state.$table
            }

            fn table_mut(state: &mut State) -> &mut Table<Self> {
                &mut state.$table
            }

            fn with_prefix(prefix: &str, key: &str) -> String {
                $with(prefix, key)
            }

            fn without_prefix<'a>(prefix: &str, key: &'a str) -> Option<Cow<'a, str>> {
                $without(prefix, key)
            }
        }
    };
}

component!(
    Tool,
    "tool",
    List::Tools,
    tools,
    name,
    prefix_name,
    strip_name
);
component!(
    Prompt,
    "prompt",
    List::Prompts,
    prompts,
    name,
    prefix_name,
    strip_name
);
component!(
    Resource,
    "resource",
    List::Resources,
    resources,
    uri,
    prefix_uri,
    strip_uri
);
component!(
    ResourceTemplate,
    "resource template",
    List::Resources,
    templates,
    uri_template,
    prefix_uri,
    strip_uri
);

/// `greet` becomes `prefix_greet`.
fn prefix_name(prefix: &str, name: &str) -> String {
    format!("{prefix}_{name}")
}

fn strip_name<'a>(prefix: &str, name: &'a str) -> Option<Cow<'a, str>> {
    Some(name.strip_prefix(prefix)?.strip_prefix('_')?.into())
}

/// `notes://motd` becomes `notes://prefix/motd`; a URI without `//` gets `prefix/` after its
/// scheme.
fn prefix_uri(prefix: &str, uri: &str) -> String {
    let (scheme, rest) = split_uri(uri);
    format!("{scheme}{prefix}/{rest}")
}

fn strip_uri<'a>(prefix: &str, uri: &'a str) -> Option<Cow<'a, str>> {
    let (scheme, rest) = split_uri(uri);
    let rest = rest.strip_prefix(prefix)?.strip_prefix('/')?;
    Some(format!("{scheme}{rest}").into())
}

fn split_uri(uri: &str) -> (&str, &str) {
    let end = uri
        .find("://")
        .map(|at| at + 3)
        .or_else(|| uri.find(':').map(|at| at + 1));
    uri.split_at_checked(end.unwrap_or(0)).unwrap_or((uri, ""))
}
