//! Clients that are gone before they are answered, as all of them are when a server stops.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use http::StatusCode;
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Observer, Observers};

use super::server::{APP, Server};
use crate::event::EventKind;
use crate::grant::record::GrantRecord;

/// What happened.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<EventKind>>>);

impl Observer for Book {
    fn answered(&self, _: &Exchange) {}

    fn authorization(&self, event: &AuthorizationEvent) {
        self.0.lock().unwrap().push(event.kind());
    }
}

impl Book {
    fn count(&self, kind: EventKind) -> usize {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| **event == kind).count()
    }
}

/// Works on something for so many steps, and lets it go. Whether it had come to its end.
async fn leave_after(steps: usize, work: impl Future) -> bool {
    let mut work = pin!(work);
    for _ in 0..steps {
        if poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// DS-13: a grant is there whole and noted, or not at all, whenever its client leaves.
#[tokio::test]
async fn sec_ds_13_whoever_leaves_leaves_no_grant_of_which_nobody_knows() {
    let (mut made, mut unmade) = (0, 0);
    for steps in 0.. {
        let server = Server::new().await;
        let book = Book::default();
        let observer: Arc<dyn Observer> = Arc::new(book.clone());
        server
            .context
            .events
            .observed_by(Observers::new([observer]));
        let code = server.code(APP).await;
        let has_ended = leave_after(steps, server.redeem(APP, &code, &[])).await;
        // What was begun goes on without its client.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        let grants = server.context.records.count::<GrantRecord>().await.unwrap();
        assert_eq!(
            book.count(EventKind::GrantMade),
            usize::try_from(grants).unwrap(),
            "{steps}"
        );
        let again = server.redeem(APP, &code, &[]).await;
        if grants == 0 {
            unmade += 1;
            assert_eq!(
                again.status,
                StatusCode::OK,
                "the code is as good as before"
            );
        } else {
            made += 1;
            // Nobody has these tokens: whoever asks again ends them.
            assert_eq!(again.status, StatusCode::BAD_REQUEST);
            let left = server.context.records.count::<GrantRecord>().await.unwrap();
            assert_eq!(left, 0);
        }
        if has_ended {
            break;
        }
    }
    assert!(made > 3 && unmade > 0, "{made} {unmade}");
}
