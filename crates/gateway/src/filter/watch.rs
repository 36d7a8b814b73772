//! Answers that may say that a task was made, read as they pass.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, future, stream};
use http::Response;

use super::events::{self, Events};
use super::tasks::{OwnTasks, Taken};
use super::{Kind, kind};
use crate::failure::Failure;

/// An answer that says that a task was made is short.
const MOST: usize = 64 * 1024;

/// Notes the task that an answer says was made, before its caller hears of it. The answer stays as
/// it is; one beyond [`MOST`] bytes is not read.
pub(super) async fn watch(
    tasks: OwnTasks,
    response: Response<Body>,
) -> Result<Response<Body>, Failure> {
    let (parts, body) = response.into_parts();
    let body = match kind(&parts.headers) {
        Kind::Json => json(&tasks, body.into_data_stream()).await?,
        Kind::Events => events(tasks, body.into_data_stream()),
        // Nobody finds a message in there.
        Kind::Other => body,
    };
    Ok(Response::from_parts(parts, body))
}

async fn json(tasks: &OwnTasks, mut body: BodyDataStream) -> Result<Body, Failure> {
    let mut read = BytesMut::new();
    while read.len() <= MOST {
        match body.next().await {
            Some(Ok(bytes)) => read.extend_from_slice(&bytes),
            Some(Err(error)) => {
                let broken = stream::iter([Ok(read.freeze()), Err(error)]);
                return Ok(Body::from_stream(broken));
            }
            None => {
                tasks.note(&read).map_err(|Taken| Failure::Task)?;
                return Ok(Body::from(read.freeze()));
            }
        }
    }
    let read = stream::once(future::ready(Ok(read.freeze())));
    Ok(Body::from_stream(read.chain(body)))
}

fn events(tasks: OwnTasks, body: BodyDataStream) -> Body {
    let mut reader = Reader {
        events: Events::new(MOST),
        is_lost: false,
    };
    let watched = body.map(move |piece| {
        let piece = piece?;
        reader
            .read(&tasks, &piece)
            .map_err(|Taken| axum::Error::new(Failure::Task))?;
        Ok::<Bytes, axum::Error>(piece)
    });
    Body::from_stream(watched)
}

struct Reader {
    events: Events,
    /// A message was too long to be kept, so where the next begins is not known.
    is_lost: bool,
}

impl Reader {
    fn read(&mut self, tasks: &OwnTasks, piece: &[u8]) -> Result<(), Taken> {
        if self.is_lost {
            return Ok(());
        }
        self.events.push(piece);
        loop {
            match self.events.next() {
                Ok(Some(event)) => {
                    if let Some(data) = events::data(&event) {
                        tasks.note(&data)?;
                    }
                }
                Ok(None) => return Ok(()),
                Err(events::TooLong) => {
                    self.is_lost = true;
                    self.events = Events::new(0);
                    return Ok(());
                }
            }
        }
    }
}
