//! The decision: a caller and an operation become allowed, hidden or challenged.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use portcullis_oauth::ScopeSet;

use crate::AccessToken;

/// What one JSON-RPC message asks for, as far as authorization must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<'a> {
    method: Cow<'a, str>,
    target: Target<'a>,
}

/// The component that an operation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// None: a list, a ping, a handshake.
    None,
    /// A tool, by name.
    Tool(Cow<'a, str>),
    /// A prompt, by name.
    Prompt(Cow<'a, str>),
    /// A resource, by URI; for a completion the template as it was declared.
    Resource(Cow<'a, str>),
    /// A running task, by id.
    Task(Cow<'a, str>),
}

impl<'a> Operation<'a> {
    /// The operation `method` on `target`.
    pub fn new(method: impl Into<Cow<'a, str>>, target: Target<'a>) -> Self {
        Self {
            method: method.into(),
            target,
        }
    }

    /// A call of the tool `name`.
    pub fn call_tool(name: impl Into<Cow<'a, str>>) -> Self {
        Self::new("tools/call", Target::Tool(name.into()))
    }

    /// The same, free of what it was read from.
    pub fn into_owned(self) -> Operation<'static> {
        fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        Operation {
            method: owned(self.method),
            target: match self.target {
                Target::None => Target::None,
                Target::Tool(name) => Target::Tool(owned(name)),
                Target::Prompt(name) => Target::Prompt(owned(name)),
                Target::Resource(uri) => Target::Resource(owned(uri)),
                Target::Task(id) => Target::Task(owned(id)),
            },
        }
    }

    /// The JSON-RPC method, `tools/call` for example.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What the method is about.
    pub fn target(&self) -> &Target<'a> {
        &self.target
    }
}

/// What becomes of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It goes on.
    Allow,
    /// For this caller the component does not exist: absent from lists, unknown when called. The
    /// request is answered here, or by a dispatcher that asks
    /// [as well](AccessPolicy::is_asked_at_dispatch) as it does for a name that nobody has.
    Hide,
    /// The caller may have it with these scopes, all that the operation needs: 403
    /// `insufficient_scope` before dispatch (RFC 6750 section 3.1), or 401 where there is no token
    /// yet. In lists the component stays.
    StepUp(ScopeSet),
}

/// Who may do what. A server asks it before dispatch, while it builds a list, and at dispatch.
///
/// ```
/// use portcullis_oauth::scopes;
/// use portcullis_resource_server::AccessToken;
/// use portcullis_resource_server::mcp::{AccessPolicy, Deciding, Decision, Operation, Target};
///
/// struct WritersWrite;
///
/// impl AccessPolicy for WritersWrite {
///     fn decide<'a>(
///         &'a self,
///         token: Option<&'a AccessToken>,
///         operation: &'a Operation<'a>,
///     ) -> Deciding<'a> {
///         let needed = match operation.target() {
///             Target::Tool(name) if name.starts_with("write_") => scopes!["files:write"],
///             _ => scopes![],
///         };
///         Deciding::ready(match token {
///             Some(token) if token.has_scopes(&needed) => Decision::Allow,
///             _ => Decision::StepUp(needed),
///         })
///     }
/// }
/// ```
pub trait AccessPolicy: Send + Sync + 'static {
    /// Decides. An implementation that cannot tell answers [`Decision::Hide`].
    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a>;

    /// Whether the server behind asks this policy again when it dispatches, and hides by its own
    /// words what is hidden. Unless it says so, a hidden operation goes no further than here.
    fn is_asked_at_dispatch(&self) -> bool {
        false
    }

    /// The scopes that something needs, as far as they are known: an authorization server that is
    /// mounted with this offers them.
    fn known_scopes(&self) -> ScopeSet {
        ScopeSet::new()
    }
}

/// A decision that is there, or one that has to be waited for.
///
/// Most rules look at the token alone: those answer at once and cost no allocation.
#[must_use = "a decision that is not awaited decides nothing"]
pub struct Deciding<'a>(State<'a>);

enum State<'a> {
    Ready(Option<Decision>),
    Pending(BoxFuture<'a, Decision>),
}

impl<'a> Deciding<'a> {
    /// The decision is known.
    pub fn ready(decision: Decision) -> Self {
        Self(State::Ready(Some(decision)))
    }

    /// The decision has to be waited for.
    pub fn pending(decision: impl Future<Output = Decision> + Send + 'a) -> Self {
        Self(State::Pending(Box::pin(decision)))
    }
}

impl Future for Deciding<'_> {
    type Output = Decision;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Decision> {
        match &mut self.0 {
            // A second poll after the answer is a mistake of the caller, and denies.
            State::Ready(decision) => Poll::Ready(decision.take().unwrap_or(Decision::Hide)),
            State::Pending(decision) => decision.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Deciding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "Deciding(ready)",
            State::Pending(_) => "Deciding(pending)",
        })
    }
}

/// Two policies, of which both have to allow.
pub(crate) struct Both(
    pub(crate) Arc<dyn AccessPolicy>,
    pub(crate) Arc<dyn AccessPolicy>,
);

impl AccessPolicy for Both {
    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        Deciding::pending(async move {
            // SECURITY: a policy that is added takes nothing away from the one that was there (fail
            // closed); sec_rs_02_a_policy_that_is_added_opens_nothing
            match self.0.decide(token, operation).await {
                Decision::Allow => self.1.decide(token, operation).await,
                Decision::Hide => Decision::Hide,
                Decision::StepUp(needed) => match self.1.decide(token, operation).await {
                    Decision::Allow => Decision::StepUp(needed),
                    Decision::Hide => Decision::Hide,
                    Decision::StepUp(more) => Decision::StepUp(needed.union(&more)),
                },
            }
        })
    }

    /// A server that asks but one of them would run what the other one hides.
    fn is_asked_at_dispatch(&self) -> bool {
        self.0.is_asked_at_dispatch() && self.1.is_asked_at_dispatch()
    }

    fn known_scopes(&self) -> ScopeSet {
        self.0.known_scopes().union(&self.1.known_scopes())
    }
}

/// Every operation is allowed to whoever has a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenHolders;

impl AccessPolicy for TokenHolders {
    fn decide<'a>(&'a self, token: Option<&'a AccessToken>, _: &'a Operation<'a>) -> Deciding<'a> {
        Deciding::ready(match token {
            Some(_) => Decision::Allow,
            // SECURITY: where tokens are asked for, only a policy of the server's own lets somebody
            // in without one; sec_rs_02_without_a_policy_nobody_is_anonymous
            None => Decision::StepUp(ScopeSet::new()),
        })
    }
}

/// Every operation is allowed to everybody: what a server that asks for no tokens wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllowAll;

impl AccessPolicy for AllowAll {
    fn decide<'a>(&'a self, _: Option<&'a AccessToken>, _: &'a Operation<'a>) -> Deciding<'a> {
        Deciding::ready(Decision::Allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenParts;

    #[tokio::test]
    async fn sec_rs_02_without_a_policy_nobody_is_anonymous() {
        let token = AccessToken::assert_verified(TokenParts::new("https://i.example", "alice"));
        for operation in [
            Operation::call_tool("x"),
            Operation::new("tools/list", Target::None),
        ] {
            let without = TokenHolders.decide(None, &operation).await;
            assert_eq!(without, Decision::StepUp(ScopeSet::new()));
            let with = TokenHolders.decide(Some(&token), &operation).await;
            assert_eq!(with, Decision::Allow);
        }
    }
}
