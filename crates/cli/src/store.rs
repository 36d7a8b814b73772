//! The store of the configuration, for commands that look into it.

use std::sync::Arc;

use anyhow::Result;
use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::{SharedClock, SharedEntropy};
use portcullis_resource_server::Causes;
use portcullis_store::{Records, StoreError};

use crate::config::{self, AuditSettings, Beside, Request, StorePlace};
use crate::report::{Failure, Problem, Report};
use crate::trail::Trail;

/// A store that was opened, and what everything in it is told the time by.
pub(crate) struct Opened {
    pub(crate) records: Records,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
    audit: Option<AuditSettings>,
    /// The mode, where users come from an identity provider.
    pub(crate) provider: Option<&'static str>,
}

impl Opened {
    /// Where what is changed is written down. To be opened before anything is.
    pub(crate) fn trail(&self) -> Result<Trail, Failure> {
        Trail::open(self.audit.as_ref(), Arc::clone(&self.clock))
    }
}

/// Opens the store of a configuration. A server may run on it at the same time.
///
/// One in memory is refused: it is another process's, or nobody's. So is one that is not there yet,
/// because its place may be misspelt.
pub(crate) async fn open(request: Request, report: Report) -> Result<Opened> {
    let beside = beside(request, report)?;
    if let StorePlace::Sqlite { file, .. } = &beside.place
        && !file.exists()
    {
        let problem = Problem::new(format!("there is no store at `{}`", file.display()));
        let hint = "check `store.url`; `portcullis user add` makes a store, and so does a server";
        return Err(Failure::from(problem.hint(hint)).into());
    }
    open_with(beside).await
}

/// Opens the store of a configuration, and makes it where there is none.
pub(crate) async fn open_or_make(request: Request, report: Report) -> Result<Opened> {
    open_with(beside(request, report)?).await
}

async fn open_with(beside: Beside) -> Result<Opened> {
    let opened = open_at(&beside.place).await?;
    Ok(Opened {
        audit: beside.audit,
        provider: beside.provider,
        ..opened
    })
}

fn beside(request: Request, report: Report) -> Result<Beside, Failure> {
    let beside = config::beside(request, report)?;
    match beside.place {
        StorePlace::Memory => {
            let problem = Problem::new("the store is in memory, and ends with each process");
            let hint = "set `store.url`, as in `sqlite:portcullis.db`";
            Err(problem.hint(hint).into())
        }
        StorePlace::Sqlite { .. } => Ok(beside),
    }
}

/// Opens the store at a place; one in memory is a new one.
pub(crate) async fn open_at(place: &StorePlace) -> Result<Opened> {
    let clock: SharedClock = Arc::new(SystemClock::new());
    let entropy: SharedEntropy = Arc::new(SystemEntropy::new());
    let store = place.open().await.map_err(failed)?;
    let opened = store.open(Arc::clone(&clock), Arc::clone(&entropy)).await;
    Ok(Opened {
        records: opened.map_err(failed)?,
        clock,
        entropy,
        audit: None,
        provider: None,
    })
}

/// A failure of the store, with what its user can do about it.
pub(crate) fn failed(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Corrupt | StoreError::TooLarge => error.into(),
        error => {
            let mut problem = Problem::new(error.to_string()).maybe_hint(error.hint());
            if let Some(cause) = std::error::Error::source(&error) {
                problem = problem.because(Causes::of(cause));
            }
            Failure::from(problem).into()
        }
    }
}
