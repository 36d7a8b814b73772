//! `requestState`: what travels through the client between two rounds of a call.
//!
//! It is sealed, so that a client can neither change it nor make one up, and bound to the caller,
//! the method, the component and the arguments: it opens for nobody else and nothing else.

use std::time::Duration;

use rmcp::model::{RequestStateCodec, SealOptions};

use super::McpResult;
use crate::{context::Carried, model};

/// Seals and opens the state of a call.
#[derive(Clone, Debug)]
pub(crate) struct StateCodec(RequestStateCodec);

/// How long a user may take to answer.
const LIFETIME: Duration = Duration::from_secs(600);

/// What a client has to carry at most.
const LIMIT: usize = 64 * 1024;

impl StateCodec {
    /// A key of at least 32 bytes; replicas that share calls share it.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        RequestStateCodec::try_new(key).ok().map(Self)
    }

    pub(super) fn seal(&self, carried: &Carried, binding: &[u8]) -> McpResult<String> {
        let options = SealOptions::new().associated_data(binding).ttl(LIFETIME);
        let sealed = self.0.seal_json_with(carried, &options);
        match sealed {
            Ok(sealed) if sealed.len() <= LIMIT => Ok(sealed),
            _ => Err(model::ErrorData::internal_error("the call's state is too large", None)),
        }
    }

    pub(super) fn open(&self, sealed: &str, binding: &[u8]) -> McpResult<Carried> {
        // SECURITY: state of another caller, call or time is refused, not ignored;
        // sec_rs_19_request_state_is_bound
        let opened = if sealed.len() <= LIMIT {
            self.0.open_json_with(sealed, binding).ok()
        } else {
            None
        };
        opened.ok_or_else(|| {
            model::ErrorData::invalid_params("`requestState` is not ours, or no longer valid", None)
        })
    }
}
