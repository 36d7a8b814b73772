//! The four lists, each filtered by its caller, and what the server says about itself.

#![expect(deprecated, reason = "logging is deprecated in MCP and still spoken")]

use std::sync::{PoisonError, RwLock};

use portcullis_resource_server::mcp::SecuritySchemes;

use super::{App, McpResult, state::Position};
use crate::{
    Prompt, Resource, ResourceTemplate, Tool,
    access::Caller,
    model,
    registry::{Component, Listed, Revisions},
};

/// What a server says about itself, kept until a list changes: the SDK asks with each request.
#[derive(Debug, Default)]
pub(crate) struct Introduction(RwLock<Option<(Revisions, model::ServerConfig)>>);

impl Introduction {
    fn at(
        &self,
        revisions: Revisions,
        introduce: impl FnOnce() -> model::ServerConfig,
    ) -> model::ServerConfig {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kept)) = kept.as_ref().filter(|(since, _)| *since == revisions) {
            return kept.clone();
        }
        drop(kept);
        let made = introduce();
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((revisions, made.clone()));
        made
    }
}

/// A part of a list, and the cursor of the next one if there is more.
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl App {
    pub(super) fn info(&self) -> model::ServerConfig {
        let core = &self.core;
        // Read before the lists are, so that no change in between goes unseen.
        let revisions = core.registry.revisions();
        core.introduction.at(revisions, || {
            let config = model::ServerConfig::new(self.capabilities());
            let config = config.with_server_info(core.info.clone());
            match &core.instructions {
                Some(text) => config.with_instructions(text),
                None => config,
            }
        })
    }

    /// Only what the handlers do: a server without prompts has no `prompts`.
    fn capabilities(&self) -> model::ServerCapabilities {
        let registry = &self.core.registry;
        let resources = registry.offers::<Resource>() || registry.offers::<ResourceTemplate>();
        let mut capabilities = model::ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_tasks()
            .build();
        if !registry.offers::<Tool>() {
            capabilities.tools = None;
        }
        if !registry.offers::<Prompt>() {
            capabilities.prompts = None;
        }
        if !resources {
            capabilities.resources = None;
        }
        if !self.completes() {
            capabilities.completions = None;
        }
        capabilities
    }

    /// Adds to each tool what a call of it needs, if the request is for that. The SDK's type has no
    /// member for it, so it stands in `_meta` alone.
    pub(super) fn add_schemes(&self, extensions: &model::Extensions, tools: &mut [model::Tool]) {
        let parts = extensions.get::<http::request::Parts>();
        let Some(schemes) = parts.and_then(|parts| parts.extensions.get::<SecuritySchemes>())
        else {
            return;
        };
        for tool in tools {
            if let Some(said) = self.core.schemes_of(schemes, &tool.name) {
                let meta = tool.meta.get_or_insert_with(model::MetaObject::new);
                meta.insert(SecuritySchemes::MEMBER.to_owned(), said);
            }
        }
    }

    fn completes(&self) -> bool {
        let registry = &self.core.registry;
        let prompts = registry.all::<Prompt>();
        let templates = registry.all::<ResourceTemplate>();
        prompts
            .iter()
            .any(|prompt| !prompt.found.component.completers.is_empty())
            || templates
                .iter()
                .any(|template| !template.found.component.completers.is_empty())
    }

    /// What follows a cursor, or the beginning. A place in a list is the last name that was
    /// shown, so it stays the same whatever else comes, goes or is hidden.
    async fn page<C: Component, T>(
        &self,
        list: &'static str,
        caller: &Caller,
        asked: Asked,
        show: fn(Listed<C>) -> T,
    ) -> McpResult<Page<T>> {
        let core = &self.core;
        let cursor = asked.and_then(|asked| asked.cursor);
        let binding = || cursor_binding(list, caller);
        let after = match cursor {
            Some(cursor) => Some(core.states.open_cursor(&cursor, &binding())?.after),
            None => None,
        };
        let mut shown = core
            .visible::<C>(caller, after.as_deref())
            .await
            .ok_or_else(bad_cursor)?;
        let more = shown.len() > core.list_page;
        shown.truncate(core.list_page);
        let next = match shown.last() {
            Some(end) if more => {
                let after = end.key.clone();
                Some(core.states.seal_cursor(&Position { after }, &binding())?)
            }
            _ => None,
        };
        Ok(Page {
            items: shown.into_iter().map(show).collect(),
            next,
        })
    }
}

macro_rules! lists {
    ($($method:literal $list:ident: $component:ident by $key:ident => $result:ident,)*) => {
        impl App {$(
            #[doc = concat!("`", $method, "`")]
            pub(super) async fn $list(
                &self,
                caller: &Caller,
                asked: Asked,
            ) -> McpResult<model::$result> {
                let page = self.page($method, caller, asked, |listed: Listed<$component>| {
                    let mut definition = listed.found.component.definition.clone();
                    definition.$key = listed.key.into();
                    definition
                });
                let Page { items, next } = page.await?;
                let mut result = model::$result::with_all_items(items)
                    .with_ttl_ms(self.core.list_freshness)
                    .with_cache_scope(model::CacheScope::Private);
                result.next_cursor = next;
                Ok(result)
            }
        )*}
    };
}

lists! {
    "tools/list" tools: Tool by name => ListToolsResult,
    "prompts/list" prompts: Prompt by name => ListPromptsResult,
    "resources/list" resources: Resource by uri => ListResourcesResult,
    "resources/templates/list" resource_templates:
        ResourceTemplate by uri_template => ListResourceTemplatesResult,
}

/// What a client says of the page it wants.
pub(super) type Asked = Option<model::PaginatedRequestParams>;

/// One answer for a cursor that was made up, changed, is another's or another list's, or leads
/// nowhere any more: the client begins anew.
pub(super) fn bad_cursor() -> model::ErrorData {
    model::ErrorData::invalid_params("the cursor is not ours, or no longer valid", None)
}

/// The list comes first and has an end of its own, so no two bindings share their bytes.
fn cursor_binding(list: &str, caller: &Caller) -> Vec<u8> {
    [list.as_bytes(), b"\0", &caller.binding()].concat()
}
