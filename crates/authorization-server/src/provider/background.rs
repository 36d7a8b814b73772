//! What has to be done from time to time: expired state is deleted, and keys are followed and
//! exchanged. It stops when the last handle of the server is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::context::{Context, Shared};
use crate::event::{Event, EventKind};

/// How many rows are deleted at a time, so that nobody waits for long.
const BATCH: usize = 500;
/// How long others have the store to themselves between two batches.
const REST: Duration = Duration::from_millis(50);
/// How often keys are looked at, at least.
const TICK: Duration = Duration::from_secs(30);

/// Does it until `stop`.
pub(super) fn spawn(context: &Shared, stop: CancellationToken) {
    let weak = Arc::downgrade(context);
    let pause = context.records.sweep_interval().max(Duration::from_secs(1));
    tokio::spawn(async move {
        let work = async {
            tokio::join!(sweeping(weak.clone(), pause), ticking(weak));
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    });
}

async fn sweeping(context: Weak<Context>, pause: Duration) {
    let mut is_more = false;
    loop {
        let Some(jitter) = context.upgrade().map(|context| jitter(&context, pause)) else {
            return;
        };
        // However much ends, it is deleted as fast as it comes.
        tokio::time::sleep(if is_more { REST } else { pause + jitter }).await;
        let Some(context) = context.upgrade() else {
            return;
        };
        is_more = sweep(&context).await;
    }
}

async fn ticking(context: Weak<Context>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(context) = context.upgrade() else {
            return;
        };
        match context.keyring.tick().await {
            Ok(Some(_)) => context.events.note(Event::new(EventKind::KeyRotated)),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the signing keys could not be looked at"),
        }
    }
}

/// Deletes a batch of what is expired. Whether there may be more.
async fn sweep(context: &Context) -> bool {
    if let Some(broker) = context.identity.broker()
        && let Err(error) = broker.give_back_what_expired().await
    {
        tracing::warn!(%error, "tokens of an identity provider could not be given back");
    }
    match context.records.sweep(BATCH).await {
        Ok(swept) => swept >= BATCH as u64,
        Err(error) => {
            tracing::warn!(%error, "expired state could not be deleted");
            false
        }
    }
}

/// Up to a quarter of the pause more, so that replicas do not all sweep at once.
fn jitter(context: &Context, pause: Duration) -> Duration {
    let mut byte = [0];
    let drawn = context.entropy.fill(&mut byte);
    let [part] = drawn.map_or([0], |()| byte);
    pause * u32::from(part) / 1024
}
