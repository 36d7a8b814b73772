//! A finished server: what it offers, and who may have it.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "http")]
use portcullis_oauth::SharedEntropy;
use portcullis_oauth::{ScopeSet, json::Value};
use portcullis_resource_server::{
    AccessToken,
    mcp::{AccessPolicy, Deciding, SecuritySchemes, Target},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Prompt, Resource, ResourceTemplate, Tool,
    access::{Access, Caller, Decision, Gate, Operation, Way, decide, decide_now, scopes_named},
    model,
    registry::{Component, Found, Listed, Matched, Registry},
    rmcp_adapter::{Introduction, StateCodec, Tasks},
};

/// Everything that the transports share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) info: model::Implementation,
    pub(crate) instructions: Option<String>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) gate: Gate,
    pub(crate) introduction: Introduction,
    /// In milliseconds.
    pub(crate) list_freshness: u64,
    /// How many components a page of a list has at most.
    pub(crate) list_page: usize,
    pub(crate) states: StateCodec,
    /// What session ids are made of.
    #[cfg(feature = "http")]
    pub(crate) entropy: SharedEntropy,
    pub(crate) tasks: Arc<Tasks>,
    /// Cancelled when the server stops taking new work.
    pub(crate) draining: CancellationToken,
    /// The calls that are running.
    pub(crate) running: TaskTracker,
}

/// How long the rules of a list may take: twice what one hook has, so that a rule which falls back
/// from a hook that hangs still counts.
const LIST_LIMIT: Duration = Duration::from_secs(10);

/// Why a component cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not exist, as far as this caller is concerned.
    Unknown,
    /// The caller's token lacks scopes; these are to be asked for.
    StepUp(ScopeSet),
}

/// What a URI leads to.
#[derive(Debug)]
pub(crate) enum Readable {
    Resource(Found<Resource>),
    Template(Matched),
}

impl Readable {
    /// The URI or the template by which it was defined: no part of what a client sent.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Resource(found) => found.component.uri(),
            Self::Template(matched) => matched.found.component.uri_template(),
        }
    }

    fn gates_and_access(&self) -> (&[Arc<Gate>], &Access) {
        match self {
            Self::Resource(found) => (&found.gates, &found.component.access),
            Self::Template(matched) => (&matched.found.gates, &matched.found.component.access),
        }
    }
}

impl Core {
    /// What this caller sees of a list: what is allowed, and what more scopes would open. With
    /// `after`, only what follows the component of that name or URI; `None` if it is gone.
    pub(crate) async fn visible<C: Component>(
        &self,
        caller: &Caller,
        after: Option<&str>,
    ) -> Option<Vec<Listed<C>>> {
        let mut all = self.registry.all::<C>();
        if let Some(after) = after {
            let at = all.iter().position(|listed| listed.key == after)?;
            all.drain(..=at);
        }
        // All at once, so that hooks which hang take the time of one, and not of each.
        let decided = all.into_iter().map(async |listed| {
            let Found { component, gates } = &listed.found;
            let decision = self.judge(gates, component.access(), caller);
            // SECURITY: what is not decided in time is hidden; sec_rs_09_hanging_hooks_end_the_list
            let decision = tokio::time::timeout(LIST_LIMIT, decision).await;
            let shown = decision.is_ok_and(|decision| decision != Decision::Hide);
            shown.then_some(listed)
        });
        let decided = futures_util::future::join_all(decided).await;
        Some(decided.into_iter().flatten().collect())
    }

    /// A component by its name, if this caller may use it. The same predicate as for lists.
    pub(crate) async fn admit<C: Component>(
        &self,
        caller: &Caller,
        key: &str,
    ) -> Result<Found<C>, Refusal> {
        let found = self.registry.find::<C>(key).ok_or(Refusal::Unknown)?;
        let decision = self
            .judge(&found.gates, found.component.access(), caller)
            .await;
        admitted(decision).map(|()| found)
    }

    /// What a URI leads to, if this caller may read it. A fixed URI wins over a template.
    pub(crate) async fn admit_uri(&self, caller: &Caller, uri: &str) -> Result<Readable, Refusal> {
        let resource = self.registry.find::<Resource>(uri).map(Readable::Resource);
        let template = || self.registry.find_template(uri).map(Readable::Template);
        let readable = resource.or_else(template).ok_or(Refusal::Unknown)?;
        let (gates, access) = readable.gates_and_access();
        let decision = self.judge(gates, access, caller).await;
        admitted(decision).map(|()| readable)
    }

    async fn decide_slowly(&self, caller: &Caller, operation: &Operation<'_>) -> Decision {
        let admitted = match operation.target() {
            Target::None | Target::Task(_) => Ok(()),
            Target::Tool(name) => self.admit::<Tool>(caller, name).await.map(drop),
            Target::Prompt(name) => self.admit::<Prompt>(caller, name).await.map(drop),
            // Here the target is the text of a template, which an earlier `{+path}` could match.
            Target::Resource(template) if operation.method() == "completion/complete" => {
                let admitted = self.admit::<ResourceTemplate>(caller, template).await;
                admitted.map(drop)
            }
            Target::Resource(uri) => self.admit_uri(caller, uri).await.map(drop),
            _ => Err(Refusal::Unknown),
        };
        match admitted {
            Ok(()) => Decision::Allow,
            Err(Refusal::Unknown) => Decision::Hide,
            Err(Refusal::StepUp(scopes)) => Decision::StepUp(scopes),
        }
    }

    /// The decision about a tool, where no hook has to be waited for: the way of most requests.
    fn decide_tool_now(&self, caller: &Caller, name: &str) -> Option<Decision> {
        match self.registry.find::<Tool>(name) {
            Some(found) => self.judge_now(&found.gates, &found.component.access, caller),
            None => Some(Decision::Hide),
        }
    }

    /// A tool's input schema, unless it is hidden from this caller or that takes time to tell.
    pub(crate) fn schema_for(&self, caller: &Caller, name: &str) -> Option<Arc<model::JsonObject>> {
        let found = self.registry.find::<Tool>(name)?;
        let tool = &found.component;
        let decision = self.judge_now(&found.gates, &tool.access, caller)?;
        (decision != Decision::Hide).then(|| Arc::clone(&tool.definition.input_schema))
    }

    /// What a list is to say of a tool, if there still is one of this name.
    pub(crate) fn schemes_of(&self, schemes: &SecuritySchemes, name: &str) -> Option<Value> {
        let found = self.registry.find::<Tool>(name)?;
        let way = Way::new(&self.gate, &found.gates);
        let scopes = scopes_named(way, &found.component.access);
        Some(schemes.of_tool(scopes.as_ref()))
    }

    async fn judge(&self, mounts: &[Arc<Gate>], access: &Access, caller: &Caller) -> Decision {
        match self.judge_now(mounts, access, caller) {
            Some(decision) => decision,
            None => decide(Way::new(&self.gate, mounts), access, caller).await,
        }
    }

    /// The decision, where no hook has to be waited for.
    fn judge_now(
        &self,
        mounts: &[Arc<Gate>],
        access: &Access,
        caller: &Caller,
    ) -> Option<Decision> {
        decide_now(Way::new(&self.gate, mounts), access, caller)
    }
}

/// Before dispatch, while the HTTP status is open. The dispatcher asks again.
impl AccessPolicy for Core {
    fn is_asked_at_dispatch(&self) -> bool {
        true
    }

    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        let caller = token.map_or(Caller::Nobody, |token| Caller::Bearer(token.clone()));
        match operation.target() {
            Target::None => return Deciding::ready(Decision::Allow),
            Target::Tool(name) => {
                if let Some(decision) = self.decide_tool_now(&caller, name) {
                    return Deciding::ready(self.or_login(&caller, decision));
                }
            }
            _ => {}
        }
        Deciding::pending(async move {
            let decision = self.decide_slowly(&caller, operation).await;
            self.or_login(&caller, decision)
        })
    }

    fn known_scopes(&self) -> ScopeSet {
        self.scopes_of::<Tool>()
            .union(&self.scopes_of::<Prompt>())
            .union(&self.scopes_of::<Resource>())
            .union(&self.scopes_of::<ResourceTemplate>())
    }
}

impl Core {
    /// The scopes that components of a kind name.
    fn scopes_of<C: Component>(&self) -> ScopeSet {
        let all = self.registry.all::<C>().into_iter();
        all.fold(ScopeSet::new(), |sum, listed| {
            let Found { component, gates } = &listed.found;
            let way = Way::new(&self.gate, gates);
            let named = scopes_named(way, component.access());
            sum.union(&named.unwrap_or_default())
        })
    }

    /// Where some components are anonymous, the others are behind a login: whoever has no token is
    /// asked for one. That holds for names that nobody has too, so it tells nothing of what exists.
    fn or_login(&self, caller: &Caller, decision: Decision) -> Decision {
        let is_stranger = self.gate.closed && matches!(caller, Caller::Nobody);
        if is_stranger && decision == Decision::Hide {
            Decision::StepUp(ScopeSet::new())
        } else {
            decision
        }
    }
}

fn admitted(decision: Decision) -> Result<(), Refusal> {
    match decision {
        Decision::Allow => Ok(()),
        Decision::StepUp(scopes) => Err(Refusal::StepUp(scopes)),
        _ => Err(Refusal::Unknown),
    }
}
