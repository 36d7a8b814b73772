//! The protocol's types, from the one crate that defines them.

#![expect(
    deprecated,
    reason = "sampling, roots and logging are deprecated in MCP and still spoken"
)]

pub use rmcp::model::{
    Annotations, AudioContent, CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult,
    CancelTaskParams, ClientCapabilities, ClientConfig, CompleteRequestParams, CompleteResult,
    CompletionInfo, ConstTitle, ContentBlock, CreateMessageRequest, CreateMessageRequestParams,
    CreateMessageResult, CreateTaskResult, CustomRequest, CustomResult, DetailedTask,
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    EmbeddedResource, EnumSchema, ErrorCode, ErrorData, Extensions, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, GetTaskParams, GetTaskResult, Icon, ImageContent,
    Implementation, InputRequest, InputRequests, InputRequiredResult, InputResponses, JsonObject,
    LegacyEnumSchema, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListRootsRequest, ListRootsResult, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, MetaObject, ModelHint, ModelPreferences,
    PaginatedRequestParams, PrimitiveSchemaDefinition, ProgressNotificationParam, Prompt,
    PromptArgument, PromptMessage, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Reference, RequestId, Resource, ResourceContents,
    ResourceTemplate, Role, Root, SamplingContent, SamplingMessage, SamplingMessageContentBlock,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Task, TaskStatus, TextContent, Tool, ToolAnnotations, ToolChoice,
    UnsubscribeRequestParams, UpdateTaskParams,
};
