//! Lists on their way to a client, without what it may not see; and tasks, each its maker's own.
//!
//! A message is read only where it can hold a list, or say that a task was made: the answers to the
//! requests for it, and whatever arrives on a stream that redelivers. Everything else goes through
//! unread.

pub(crate) mod events;
mod json;
mod schemes;
mod service;
mod tasks;
mod unmatched;
mod watch;

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, Limited};
use portcullis_resource_server::AccessToken;
use portcullis_resource_server::mcp::SecuritySchemes;

use self::events::Events;
pub(crate) use self::service::Filtered;
use self::tasks::OwnTasks;
pub(crate) use self::tasks::Tasks;
use self::unmatched::Unmatched;
use crate::failure::Failure;
use crate::rules::Rules;

/// The longest message that is read.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// What one caller sees of lists.
#[derive(Debug, Clone)]
struct Filter {
    rules: Arc<Rules>,
    token: Option<AccessToken>,
    tasks: Option<OwnTasks>,
    /// Where a list is to say of tools what they need.
    schemes: Option<SecuritySchemes>,
    unmatched: Unmatched,
    upstream: Arc<str>,
}

impl Filter {
    /// The answer as its caller may see it.
    ///
    /// # Errors
    /// [`Failure`] when a message cannot be read: what nobody here could read might hold anything.
    async fn apply(self, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let (mut parts, body) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        let body = match kind(&parts.headers) {
            Kind::Json => {
                let whole = Limited::new(body, MAX_MESSAGE).collect().await;
                let whole = whole.map_err(|_| Failure::Unreadable)?.to_bytes();
                if whole.is_empty() {
                    Body::empty()
                } else {
                    Body::from(self.visible(&whole)?)
                }
            }
            Kind::Events => self.stream(body.into_data_stream()),
            // SECURITY: what is in no form that can be read could be a list in another one;
            // sec_gw_15_an_answer_of_another_type_is_no_list
            Kind::Other if parts.status.is_success() => return Err(Failure::Unreadable),
            Kind::Other => body,
        };
        Ok(Response::from_parts(parts, body))
    }

    /// The answer, if it is a stream, without changes of resources that its caller may not hear of.
    fn apply_to_stream(self, mut response: Response<Body>) -> Response<Body> {
        if !matches!(kind(response.headers()), Kind::Events) {
            return response;
        }
        response.headers_mut().remove(CONTENT_LENGTH);
        response.map(|body| self.stream(body.into_data_stream()))
    }

    fn visible(&self, message: &Bytes) -> Result<Bytes, Failure> {
        json::visible(self, message).map_err(|_| Failure::Unreadable)
    }

    /// One event with what its reader may see.
    fn event(&self, event: Bytes) -> Result<Bytes, Failure> {
        let Some(data) = events::data(&event).filter(|data| !data.is_empty()) else {
            return Ok(event);
        };
        // SECURITY: a server may tell everybody of everything, unasked;
        // sec_gw_15_changes_of_hidden_resources_are_not_told
        if json::is_hidden_update(self, &data).map_err(|_| Failure::Unreadable)? {
            return Ok(Bytes::from_static(b":\n\n"));
        }
        let visible = self.visible(&data)?;
        if visible == data {
            return Ok(event);
        }
        Ok(events::with_data(&event, &visible))
    }

    fn stream(self, body: BodyDataStream) -> Body {
        let state = Some((self, body, Events::new(MAX_MESSAGE)));
        let shown = stream::unfold(state, |state| async move {
            let (filter, mut body, mut events) = state?;
            loop {
                match events.next() {
                    Ok(Some(event)) => {
                        return match filter.event(event) {
                            Ok(event) => Some((Ok(event), Some((filter, body, events)))),
                            Err(failure) => Some((Err(filter.broken(failure)), None)),
                        };
                    }
                    Ok(None) => {}
                    Err(events::TooLong) => {
                        return Some((Err(filter.broken(Failure::Unreadable)), None));
                    }
                }
                match body.next().await {
                    Some(Ok(bytes)) => events.push(&bytes),
                    Some(Err(error)) => return Some((Err(error), None)),
                    // Without its empty line nobody takes it for an event (HTML standard, section
                    // 9.2.6), so nothing is lost with it.
                    None => return None,
                }
            }
        });
        Body::from_stream(shown)
    }

    fn broken(&self, failure: Failure) -> axum::Error {
        tracing::warn!(
            target: "portcullis::upstream",
            upstream = &*self.upstream,
            error = %failure,
            "a stream ends here",
        );
        axum::Error::new(failure)
    }
}

enum Kind {
    Json,
    Events,
    Other,
}

fn kind(headers: &HeaderMap) -> Kind {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Kind::Other;
    };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    // SECURITY: in another charset the same bytes are another list (RFC 8259 section 8.1);
    // sec_gw_15_an_answer_of_another_type_is_no_list
    let is_utf8 = |part: &str| {
        ["charset=utf-8", "charset=\"utf-8\""]
            .iter()
            .any(|known| part.eq_ignore_ascii_case(known))
    };
    if !parts.all(is_utf8) {
        return Kind::Other;
    }
    match media {
        media if media.eq_ignore_ascii_case("application/json") => Kind::Json,
        media if media.eq_ignore_ascii_case("text/event-stream") => Kind::Events,
        _ => Kind::Other,
    }
}
