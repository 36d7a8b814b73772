//! Settings of a [`StdioTransport`].

use std::sync::Arc;

use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::{SharedClock, SharedEntropy};
use portcullis_resource_server::ConfigError;

use super::StdioTransport;
use super::command::StdioCommand;
use super::limits::{Isolation, StdioLimits};
use super::process::Setup;
use super::source::Source;

/// Makes a [`StdioTransport`].
#[derive(Debug, Clone)]
#[must_use]
pub struct StdioTransportBuilder {
    name: String,
    command: StdioCommand,
    isolation: Isolation,
    limits: StdioLimits,
    clock: Option<SharedClock>,
    entropy: Option<SharedEntropy>,
}

impl StdioTransportBuilder {
    pub(super) fn new(name: String, command: StdioCommand) -> Self {
        Self {
            name,
            command,
            isolation: Isolation::default(),
            limits: StdioLimits::default(),
            clock: None,
            entropy: None,
        }
    }

    /// Whether the same processes can serve both.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_usual = |builder: &Self| builder.clock.is_none() && builder.entropy.is_none();
        self.name == other.name
            && self.command == other.command
            && self.isolation == other.isolation
            && self.limits == other.limits
            && is_usual(self) == is_usual(other)
    }

    /// What it is called in the log.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Who shares a process; nobody unless set.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Bounds on processes and messages.
    pub fn limits(mut self, limits: StdioLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The clock of time-outs, idle times and waits; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where session ids come from; the system's generator unless set.
    pub fn entropy(mut self, entropy: SharedEntropy) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// The transport. Nothing is started before the first request.
    ///
    /// # Errors
    /// [`ConfigError`] when the command cannot be run as it is written: an unknown placeholder, a
    /// name that no variable has, a directory that is not there, or a placeholder in a command
    /// that everybody shares.
    pub fn build(self) -> Result<StdioTransport, ConfigError> {
        let source = Source::Program(self.command.resolve()?);
        let setup = Setup {
            name: self.name.into(),
            isolation: self.isolation,
            limits: self.limits,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            entropy: self
                .entropy
                .unwrap_or_else(|| Arc::new(SystemEntropy::new())),
        };
        StdioTransport::new(setup, source)
    }
}
