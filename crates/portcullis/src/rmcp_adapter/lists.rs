//! The four lists, each filtered by its caller, and what the server says about itself.

#![expect(deprecated, reason = "logging is deprecated in MCP and still spoken")]

use super::App;
use crate::{
    Prompt, Resource, ResourceTemplate, Tool,
    access::Caller,
    model,
    registry::{Component, Found},
};

impl App {
    pub(super) fn info(&self) -> model::ServerConfig {
        let core = &self.core;
        let config = model::ServerConfig::new(self.capabilities());
        let config = config.with_server_info(core.info.clone());
        match &core.instructions {
            Some(text) => config.with_instructions(text),
            None => config,
        }
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

    fn completes(&self) -> bool {
        let registry = &self.core.registry;
        let prompts = registry.all::<Prompt>();
        let templates = registry.all::<ResourceTemplate>();
        prompts
            .iter()
            .any(|found| !found.component.completers.is_empty())
            || templates
                .iter()
                .any(|found| !found.component.completers.is_empty())
    }

    pub(super) async fn tools(&self, caller: &Caller) -> model::ListToolsResult {
        let tools = self.list(caller, |found: Found<Tool>| {
            let mut tool = found.component.definition.clone();
            tool.name = found.key.into();
            tool
        });
        let result = model::ListToolsResult::with_all_items(tools.await);
        result
            .with_ttl_ms(self.core.list_freshness)
            .with_cache_scope(model::CacheScope::Private)
    }

    pub(super) async fn prompts(&self, caller: &Caller) -> model::ListPromptsResult {
        let prompts = self.list(caller, |found: Found<Prompt>| {
            let mut prompt = found.component.definition.clone();
            prompt.name = found.key;
            prompt
        });
        let result = model::ListPromptsResult::with_all_items(prompts.await);
        result
            .with_ttl_ms(self.core.list_freshness)
            .with_cache_scope(model::CacheScope::Private)
    }

    pub(super) async fn resources(&self, caller: &Caller) -> model::ListResourcesResult {
        let resources = self.list(caller, |found: Found<Resource>| {
            let mut resource = found.component.definition.clone();
            resource.uri = found.key;
            resource
        });
        let result = model::ListResourcesResult::with_all_items(resources.await);
        result
            .with_ttl_ms(self.core.list_freshness)
            .with_cache_scope(model::CacheScope::Private)
    }

    pub(super) async fn resource_templates(
        &self,
        caller: &Caller,
    ) -> model::ListResourceTemplatesResult {
        let templates = self.list(caller, |found: Found<ResourceTemplate>| {
            let mut template = found.component.definition.clone();
            template.uri_template = found.key;
            template
        });
        let result = model::ListResourceTemplatesResult::with_all_items(templates.await);
        result
            .with_ttl_ms(self.core.list_freshness)
            .with_cache_scope(model::CacheScope::Private)
    }

    async fn list<C: Component, T>(&self, caller: &Caller, show: fn(Found<C>) -> T) -> Vec<T> {
        self.core
            .visible::<C>(caller)
            .await
            .into_iter()
            .map(show)
            .collect()
    }
}
