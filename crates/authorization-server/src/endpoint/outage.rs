//! What does not answer, ours or others'.

use std::error::Error;
use std::time::Duration;

use portcullis_oauth::EntropyError;
use portcullis_resource_server::{StartError, Unavailable};
use portcullis_store::StoreError;

use crate::event::Unrecorded;

/// Something that a request cannot be answered without.
#[derive(Debug)]
pub(crate) struct Outage {
    cause: Box<dyn Error + Send + Sync>,
    wait: Option<Duration>,
}

impl Outage {
    /// An outage for that reason.
    pub(crate) fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            wait: None,
        }
    }

    /// The reason.
    pub(crate) fn cause(&self) -> &(dyn Error + 'static) {
        &*self.cause
    }

    /// The same, for whoever knows of nothing else.
    pub(crate) fn into_unavailable(self) -> Unavailable {
        let wait = self.wait;
        let unavailable = Unavailable::new("it cannot be said now").caused_by(self.cause);
        match wait {
            Some(wait) => unavailable.retry_after(wait),
            None => unavailable,
        }
    }

    /// When to try again, where that is known.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait
    }
}

impl From<Unavailable> for Outage {
    fn from(error: Unavailable) -> Self {
        Self {
            wait: Some(error.wait()),
            cause: error.into(),
        }
    }
}

macro_rules! outage {
    ($($error:ty),+) => {$(
        impl From<$error> for Outage {
            fn from(error: $error) -> Self {
                Self::new(error)
            }
        }
    )+};
}
outage!(EntropyError, StartError, StoreError, Unrecorded);

/// What is an [`Outage`] is that to an enum with a variant `Unavailable`.
macro_rules! unavailable {
    ($fault:ty: $($error:ty),+) => {$(
        impl From<$error> for $fault {
            fn from(error: $error) -> Self {
                Self::Unavailable($crate::endpoint::outage::Outage::from(error))
            }
        }
    )+};
}
pub(crate) use unavailable;
