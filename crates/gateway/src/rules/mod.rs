//! Who may use which tool of a server behind, without a line of its code.

mod pattern;

use std::fmt;

use portcullis_oauth::{ScopeHierarchy, ScopeSet};
use portcullis_resource_server::mcp::{AccessPolicy, Deciding, Decision, Operation, Target};
use portcullis_resource_server::{AccessToken, ConfigError};

pub use self::pattern::Pattern;
use self::pattern::fold;

/// The rules of one upstream.
///
/// ```
/// use portcullis_gateway::{Needs, Rules};
/// use portcullis_oauth::scopes;
///
/// let rules = Rules::new()
///     .tool("write_*", Needs::scopes(scopes!["files:write"]))?
///     .tool("admin_*", Needs::roles(["admin"]))?
///     .resource("file:///private/*", Needs::roles(["admin"]))?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
///
/// Every rule whose pattern matches must be met, so a rule can only narrow what others allow. Who
/// lacks a scope is told which (403 `insufficient_scope`) and sees the component in lists. For who
/// lacks a role it does not exist: absent from lists, unknown when called. What no rule matches,
/// every caller of this upstream may use, unless [`Rules::deny_others`] says otherwise.
///
/// Where there is a rule, methods that MCP does not know are refused: nobody could say what they
/// are about.
#[derive(Clone, Default)]
#[must_use]
pub struct Rules {
    tools: Vec<Rule>,
    prompts: Vec<Rule>,
    resources: Vec<Rule>,
    others: Others,
    hierarchy: ScopeHierarchy,
    /// Where roles are; the usual claims where there are none.
    role_claims: Vec<String>,
}

/// What a rule asks of the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Needs {
    scopes: ScopeSet,
    /// One of these; nobody has one of none.
    roles: Option<Vec<String>>,
    anonymous: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: Pattern,
    needs: Needs,
}

/// What becomes of a component that no rule matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Others {
    #[default]
    Allowed,
    Hidden,
}

impl Needs {
    /// Any caller of the upstream.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Every one of these scopes.
    pub fn scopes(scopes: ScopeSet) -> Self {
        Self {
            scopes,
            ..Self::default()
        }
    }

    /// One of these roles, in the claim `role`, `roles` or `groups`, or in [those that the rules
    /// name](Rules::role_claims). Nobody has one of none.
    pub fn roles<R: Into<String>>(roles: impl IntoIterator<Item = R>) -> Self {
        Self::default().and_roles(roles)
    }

    /// And one of these roles.
    pub fn and_roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        let all = self.roles.get_or_insert_default();
        all.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Not even a token, where the gateway lets requests without one reach the rules.
    pub fn no_token() -> Self {
        Self {
            anonymous: true,
            ..Self::default()
        }
    }
}

impl Rules {
    /// No rule.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the tools need whose name matches.
    ///
    /// # Errors
    /// [`ConfigError`] when the pattern cannot be read.
    pub fn tool(mut self, pattern: &str, needs: Needs) -> Result<Self, ConfigError> {
        self.tools.push(Rule::new(pattern, needs)?);
        Ok(self)
    }

    /// What the prompts need whose name matches.
    ///
    /// # Errors
    /// [`ConfigError`] when the pattern cannot be read.
    pub fn prompt(mut self, pattern: &str, needs: Needs) -> Result<Self, ConfigError> {
        self.prompts.push(Rule::new(pattern, needs)?);
        Ok(self)
    }

    /// What the resources need whose URI matches, and the templates whose text does.
    ///
    /// # Errors
    /// [`ConfigError`] when the pattern cannot be read.
    pub fn resource(mut self, pattern: &str, needs: Needs) -> Result<Self, ConfigError> {
        self.resources.push(Rule::new(pattern, needs)?);
        Ok(self)
    }

    /// Hides what no rule matches.
    pub fn deny_others(mut self) -> Self {
        self.others = Others::Hidden;
        self
    }

    /// The claims in which roles are, each the name of one or the way to a member of one, such as
    /// `realm_access.roles`. Default: `role`, `roles` and `groups`.
    pub fn role_claims<C: Into<String>>(mut self, claims: impl IntoIterator<Item = C>) -> Self {
        self.role_claims = claims.into_iter().map(Into::into).collect();
        self
    }

    /// Which scopes stand for others.
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.hierarchy = hierarchy;
        self
    }

    /// Whether everything is allowed to every caller.
    pub fn is_empty(&self) -> bool {
        let all = [&self.tools, &self.prompts, &self.resources];
        self.others == Others::Allowed && all.into_iter().all(Vec::is_empty)
    }

    /// Whether not everybody may use every resource.
    pub(crate) fn names_resources(&self) -> bool {
        self.others == Others::Hidden || !self.resources.is_empty()
    }

    /// What rules about tools match, in the order of the rules.
    pub(crate) fn tool_patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.tools.iter().map(|rule| &rule.pattern)
    }

    /// All scopes that a rule names.
    pub fn scopes_named(&self) -> ScopeSet {
        let all = self
            .tools
            .iter()
            .chain(&self.prompts)
            .chain(&self.resources);
        all.fold(ScopeSet::new(), |scopes, rule| {
            scopes.union(&rule.needs.scopes)
        })
    }

    /// The scopes that rules name for the tool `name`; `None` where it is open without a token.
    pub(crate) fn scopes_of_tool(&self, name: &str) -> Option<ScopeSet> {
        if self.judge(None, &Operation::call_tool(name)) == Decision::Allow {
            return None;
        }
        let name = fold(name);
        let matching = self.tools.iter();
        let matching = matching.filter(|rule| rule.pattern.matches_folded(&name));
        Some(matching.fold(ScopeSet::new(), |all, rule| all.union(&rule.needs.scopes)))
    }

    /// The decision on one operation.
    pub fn judge(&self, token: Option<&AccessToken>, operation: &Operation<'_>) -> Decision {
        if self.is_empty() {
            return match token {
                Some(_) => Decision::Allow,
                None => Decision::StepUp(ScopeSet::new()),
            };
        }
        match operation.target() {
            Target::Tool(name) => self.component(&self.tools, token, name),
            Target::Prompt(name) => self.component(&self.prompts, token, name),
            Target::Resource(uri) => self.component(&self.resources, token, uri),
            Target::Task(_) => signed_in(token),
            // SECURITY: nobody knows what an unknown method is about, so no rule could speak of
            // it; sec_gw_13_an_unknown_method_is_refused_under_rules
            Target::None if is_known(operation.method()) => Decision::Allow,
            _ => Decision::Hide,
        }
    }

    fn has_role(&self, token: &AccessToken, roles: &[String]) -> bool {
        if self.role_claims.is_empty() {
            token.has_any_role(roles)
        } else {
            token.has_any_role_in(&self.role_claims, roles)
        }
    }

    fn component(&self, rules: &[Rule], token: Option<&AccessToken>, name: &str) -> Decision {
        // SECURITY: a name that looks like another, or is cut or trimmed by whoever reads it next,
        // is nobody's; sec_gw_13_a_name_that_others_would_read_differently_is_hidden
        if !is_plain(name) {
            return Decision::Hide;
        }
        let name = fold(name);
        let mut matching = rules
            .iter()
            .filter(|rule| rule.pattern.matches_folded(&name))
            .peekable();
        if matching.peek().is_none() {
            return match self.others {
                Others::Allowed => signed_in(token),
                Others::Hidden => Decision::Hide,
            };
        }
        let mut needed = ScopeSet::new();
        let mut anonymous = true;
        for rule in matching {
            anonymous &= rule.needs.anonymous;
            // SECURITY: a role cannot be asked for, so for others there is nothing;
            // sec_gw_13_who_lacks_a_role_never_learns_of_the_tool
            if let Some(roles) = &rule.needs.roles
                && !token.is_some_and(|token| self.has_role(token, roles))
            {
                return Decision::Hide;
            }
            needed = needed.union(&rule.needs.scopes);
        }
        match token {
            Some(token) => {
                let granted = self.hierarchy.expand(token.effective_scopes());
                if needed.is_subset(&granted) {
                    Decision::Allow
                } else {
                    Decision::StepUp(needed)
                }
            }
            None if anonymous && needed.is_empty() => Decision::Allow,
            None => Decision::StepUp(needed),
        }
    }
}

impl AccessPolicy for Rules {
    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        Deciding::ready(self.judge(token, operation))
    }

    fn known_scopes(&self) -> ScopeSet {
        self.scopes_named()
    }
}

impl Rule {
    fn new(pattern: &str, needs: Needs) -> Result<Self, ConfigError> {
        Ok(Self {
            pattern: Pattern::parse(pattern)?,
            needs,
        })
    }
}

fn signed_in(token: Option<&AccessToken>) -> Decision {
    match token {
        Some(_) => Decision::Allow,
        None => Decision::StepUp(ScopeSet::new()),
    }
}

/// The methods of MCP, of every revision, that are about no component.
fn is_known(method: &str) -> bool {
    method.starts_with("notifications/")
        || matches!(
            method,
            "initialize"
                | "ping"
                | "server/discover"
                | "tools/list"
                | "prompts/list"
                | "resources/list"
                | "resources/templates/list"
                | "resources/subscribe"
                | "resources/unsubscribe"
                | "subscriptions/listen"
                | "logging/setLevel"
                | "tasks/list"
        )
}

const MAX_NAME: usize = 2048;

fn is_plain(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || is_invisible(c);
    name.len() <= MAX_NAME && name.trim() == name && !name.chars().any(is_odd)
}

/// What nobody sees in a name, and some readers leave out (Unicode, `Default_Ignorable_Code_Point`;
/// and the marks of line, paragraph and direction).
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("tools", &self.tools)
            .field("prompts", &self.prompts)
            .field("resources", &self.resources)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
