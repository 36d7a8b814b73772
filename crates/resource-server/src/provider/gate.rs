//! What holds where tokens are asked for.

use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::{ScopeHierarchy, ScopeSet};

use crate::grant_status::GrantStatuses;
use crate::grantable::{Grantable, GrantableRule};
use crate::layer::OnVerified;
use crate::mcp::ChallengeStyle;
use crate::{ConfigError, SharedVerifier, TokenVerifier as _};

/// Who verifies, what a token has to have, and what clients are told of where to get one.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) verifier: SharedVerifier,
    pub(super) authorization_servers: Vec<String>,
    pub(super) required_scopes: ScopeSet,
    pub(super) scopes_supported: Option<ScopeSet>,
    pub(super) challenge_scopes: Option<ScopeSet>,
    pub(super) hierarchy: ScopeHierarchy,
    pub(super) resource_name: Option<String>,
    pub(super) resource_documentation: Option<String>,
    pub(super) anonymous: bool,
    pub(super) challenge_style: ChallengeStyle,
    pub(super) grant_status: GrantStatuses,
    pub(super) on_verified: Vec<OnVerified>,
    pub(super) verify_within: Option<Duration>,
    pub(super) only_supported: bool,
    pub(super) grantable: Vec<GrantableRule>,
}

impl Gate {
    /// Whatever `verifier` requires, and nothing besides.
    pub(super) fn new(verifier: SharedVerifier) -> Self {
        let required_scopes = verifier.required_scopes();
        Self {
            verifier,
            authorization_servers: Vec::new(),
            required_scopes,
            scopes_supported: None,
            challenge_scopes: None,
            hierarchy: ScopeHierarchy::new(),
            resource_name: None,
            resource_documentation: None,
            anonymous: false,
            challenge_style: ChallengeStyle::default(),
            grant_status: GrantStatuses::default(),
            on_verified: Vec::new(),
            verify_within: None,
            only_supported: false,
            grantable: Vec::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.only_supported && self.scopes_supported.is_none() {
            let fault = "are not set, and the server says that there are no others";
            return Err(ConfigError::new("scopes_supported", fault));
        }
        Ok(())
    }

    /// What can be granted, where that has a bound.
    pub(super) fn grantable(&self) -> Option<Arc<Grantable>> {
        let all = self.scopes_supported.as_ref();
        let grantable = Grantable {
            all: all.filter(|_| self.only_supported).cloned(),
            rules: self.grantable.clone(),
            hierarchy: self.hierarchy.clone(),
        };
        grantable.is_bounded().then(|| Arc::new(grantable))
    }

    pub(super) fn has_metadata(&self) -> bool {
        !self.authorization_servers.is_empty()
    }
}
