//! Resources: data that a client can read by its URI.

mod output;
mod template;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use portcullis_oauth::json::{Map, Value};

pub use self::output::IntoResourceResult;
pub use self::output::ResourceOutput;
pub(crate) use self::template::UriTemplate;
use crate::{
    access::{Access, access_methods},
    args::Signature,
    complete::{Completer, Completion, Completions},
    definition::definition_methods,
    error::ConfigError,
    handler::{Arguments, Erased, Handler, erase},
    model,
    text_args::{self, TextArguments},
};

/// A resource with a fixed URI.
///
/// ```
/// use portcullis::Resource;
///
/// let motd = Resource::new("notes://motd", async || "Have a good day")
///     .name("Message of the day")
///     .mime_type("text/plain");
/// ```
#[derive(Clone)]
pub struct Resource {
    pub(crate) definition: model::Resource,
    pub(crate) access: Access,
    pub(crate) call: Erased<ResourceOutput>,
    pub(crate) cache: Option<Cache>,
    fault: Option<&'static str>,
}

/// A family of resources: a URI with variables in braces (RFC 6570, levels 1 and 2).
///
/// `{id}` stands for one segment: it never matches a `/`, a `.` or `..` on its own, also where
/// they are percent-encoded. `{+path}` matches the rest, slashes included, and lets `..` through: a
/// handler that makes a file's path of it must check that it stays inside its folder. The variables
/// are the handler's arguments: strings, or numbers and booleans that are read from them. A URI from
/// which they cannot be read names no resource.
///
/// ```
/// use portcullis::{Args, ResourceTemplate};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Note { id: String }
///
/// async fn note(Args(Note { id }): Args<Note>) -> String { format!("Note number {id}") }
///
/// let notes = ResourceTemplate::new("notes://{id}", note).name("Notes");
/// ```
#[derive(Clone)]
pub struct ResourceTemplate {
    pub(crate) definition: model::ResourceTemplate,
    pub(crate) pattern: Option<Arc<UriTemplate>>,
    pub(crate) access: Access,
    pub(crate) call: Erased<ResourceOutput>,
    pub(crate) completers: Vec<(String, Completer)>,
    pub(crate) cache: Option<Cache>,
    pub(crate) text: TextArguments,
    fault: Option<&'static str>,
}

/// How long a client may keep what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cache {
    pub(crate) fresh: Duration,
    pub(crate) shared: bool,
}

impl Resource {
    /// A resource that this handler reads. Its name is its URI until [`name`](Self::name) gives
    /// it a better one.
    pub fn new<F, A>(uri: impl Into<String>, handler: F) -> Self
    where
        F: Handler<A>,
        F::Output: IntoResourceResult + Send,
        A: Arguments,
    {
        let uri = uri.into();
        let Signature {
            needs_token, fault, ..
        } = A::signature();
        Self {
            definition: model::Resource::new(uri.clone(), uri),
            access: Access {
                needs_token,
                ..Access::default()
            },
            call: erase(handler, |output, _| output.into_resource_result()),
            cache: None,
            fault,
        }
    }

    /// The resource's URI.
    pub fn uri(&self) -> &str {
        &self.definition.uri
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let uri = self.uri();
        let no_scheme = (!uri.contains(':')).then_some("a resource's URI is absolute");
        let fault = self.fault.or_else(|| self.access.fault()).or(no_scheme);
        let fault = fault.or_else(|| cache_fault(&self.access, self.cache));
        fault.map_or(Ok(()), |fault| {
            Err(ConfigError::new(format!("resource `{uri}`"), fault))
        })
    }
}

impl ResourceTemplate {
    /// A family of resources that this handler reads.
    pub fn new<F, A>(template: impl Into<String>, handler: F) -> Self
    where
        F: Handler<A>,
        F::Output: IntoResourceResult + Send,
        A: Arguments,
    {
        let template = template.into();
        let Signature {
            input,
            needs_token,
            fault,
        } = A::signature();
        let (pattern, bad) = match UriTemplate::parse(&template) {
            Ok(pattern) => (Some(Arc::new(pattern)), None),
            Err(bad) => (None, Some(bad)),
        };
        let unfilled = pattern.as_ref().zip(input.as_ref());
        let unfilled = unfilled.and_then(|(pattern, input)| unfilled_fault(pattern, input));
        let (text, unspeakable) = text_args::parts(input.as_ref().map(TextArguments::of));
        Self {
            definition: model::ResourceTemplate::new(template.clone(), template),
            pattern,
            access: Access {
                needs_token,
                ..Access::default()
            },
            call: erase(handler, |output, _| output.into_resource_result()),
            completers: Vec::new(),
            cache: None,
            text,
            fault: fault.or(bad).or(unspeakable).or(unfilled),
        }
    }

    /// Offers values for a variable while the user types (`completion/complete`).
    #[must_use]
    pub fn complete<F, Fut>(mut self, variable: impl Into<String>, complete: F) -> Self
    where
        F: Fn(Completion) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Into<Completions>> + Send + 'static,
    {
        let completer: Completer = Arc::new(move |typed| complete(typed).map(Into::into).boxed());
        self.completers.push((variable.into(), completer));
        self
    }

    /// The template's text.
    pub fn uri_template(&self) -> &str {
        &self.definition.uri_template
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fault = self.fault.or_else(|| self.access.fault());
        let fault = fault.or_else(|| cache_fault(&self.access, self.cache));
        let component = || format!("resource template `{}`", self.uri_template());
        fault.map_or(Ok(()), |fault| Err(ConfigError::new(component(), fault)))
    }
}

macro_rules! resource_methods {
    ($builder:ty, $name:literal) => {
        impl $builder {
            /// The name, for programs.
            #[must_use]
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.definition.name = name.into();
                self
            }

            /// The media type, also of text and bytes that the handler returns.
            #[must_use]
            pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
                self.definition.mime_type = Some(mime_type.into());
                self
            }

            /// Each client may keep what it read for this long.
            #[must_use]
            pub fn cache_private(mut self, fresh: Duration) -> Self {
                self.cache = Some(Cache {
                    fresh,
                    shared: false,
                });
                self
            }

            /// Caches shared by several users may keep what was read for this long. Only for a
            /// resource that everybody may read.
            #[must_use]
            pub fn cache_public(mut self, fresh: Duration) -> Self {
                self.cache = Some(Cache {
                    fresh,
                    shared: true,
                });
                self
            }
        }

        definition_methods!($builder, "What can be read here.");
        access_methods!($builder);

        impl fmt::Debug for $builder {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("name", &self.definition.name)
                    .field("access", &self.access)
                    .finish_non_exhaustive()
            }
        }
    };
}

resource_methods!(Resource, "Resource");
resource_methods!(ResourceTemplate, "ResourceTemplate");

/// The fault of arguments that no URI gives, which would fail on each read.
fn unfilled_fault(pattern: &UriTemplate, arguments: &Map<String, Value>) -> Option<&'static str> {
    let required = arguments.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    required
        .any(|name| !pattern.names().any(|known| known == name))
        .then_some("a required argument of a resource template is one of its variables")
}

/// A shared cache knows no callers.
fn cache_fault(access: &Access, cache: Option<Cache>) -> Option<&'static str> {
    let shared = cache.is_some_and(|cache| cache.shared);
    (shared && access.is_restricted())
        .then_some("`.cache_public(..)` would show it to callers whom its rules keep out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Note<T> {
        #[expect(dead_code, reason = "only its type matters")]
        id: T,
        #[expect(dead_code, reason = "only its type matters")]
        draft: Option<bool>,
    }

    fn fits<T>(template: &str) -> bool
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema + Send + 'static,
    {
        let template = ResourceTemplate::new(template, async |Args(_): Args<Note<T>>| "");
        template.check().is_ok()
    }

    #[test]
    fn arguments_that_no_uri_gives_are_refused() {
        assert!(fits::<String>("x://{id}") && fits::<u32>("x://{id}"));
        assert!(fits::<bool>("x://{draft}/{id}"));
        assert!(!fits::<Vec<String>>("x://{id}"), "no list in a segment");
        assert!(!fits::<String>("x://{name}"), "nothing gives `id`");
    }
}
