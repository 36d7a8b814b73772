//! Everything of one [`Auth`] that is mounted, while it is put together.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use axum::routing::any_service;
use http::Request;
use portcullis_oauth::{BaseUrl, ResourceUrl};
use tower::{Layer as _, Service, service_fn};

use super::Auth;
use super::mount::{check_path, other_spelling, resource_at};
use crate::mcp::ChallengeStyle;
use crate::mcp::entrance::Entrance;
use crate::mcp::guard::Guard;
use crate::mcp::legacy_sse::{LegacySse, Lines, Messages, Stream};
use crate::mcp::room::Room;
use crate::mcp::service::{Endpoint, McpService, Transport};
use crate::mcp::session::Sessions;
use crate::observe::Observation;
use crate::{ConfigError, Routes, metadata};

pub(super) struct Site<'a> {
    pub(super) auth: &'a Auth,
    pub(super) base: &'a BaseUrl,
    pub(super) guard: Arc<Guard>,
    pub(super) sessions: Sessions,
    pub(super) room: Room,
    pub(super) observation: Option<Arc<Observation>>,
    pub(super) routes: Routes,
}

impl Site<'_> {
    /// Puts a service behind all that protects an MCP endpoint. A place is the path, the resource
    /// that tokens are for, and its spelling in the challenge.
    pub(super) fn endpoint<S>(
        &mut self,
        (path, resource, spelling): (&str, &ResourceUrl, &ResourceUrl),
        transport: Transport,
        service: S,
    ) -> Result<(), ConfigError>
    where
        S: Service<Request<Body>, Response = Response, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let auth = self.auth;
        let layer = auth.gate.as_ref().map(|gate| {
            let sessions = self.sessions.clone();
            let status = gate.grant_status.clone();
            auth.layer(gate, self.base, resource, spelling)
                .on_revoked(move |token| sessions.end_revoked(token, &status))
        });
        let endpoint = Arc::new(Endpoint {
            access: auth.access(),
            sessions: self.sessions.clone(),
            policy: layer.as_ref().map(|layer| Arc::clone(layer.policy())),
            room: self.room.clone(),
            journal: auth.journal.clone(),
            transport,
            style: auth
                .gate
                .as_ref()
                .map_or_else(ChallengeStyle::default, |gate| gate.challenge_style),
            is_observed: self.observation.is_some(),
            hands_on_message: auth.hands_on_message,
        });
        let (service, guard) = (McpService::new(service, endpoint), Arc::clone(&self.guard));
        let observation = self.observation.clone();
        let route = match layer {
            Some(layer) => any_service(Entrance::new(layer.layer(service), guard, observation)),
            None => any_service(Entrance::new(service, guard, observation)),
        };
        self.routes.add(path, route)
    }

    /// The documents about a resource; at the root too, where they are those of the main one.
    pub(super) fn metadata(
        &mut self,
        resource: &ResourceUrl,
        is_main: bool,
    ) -> Result<(), ConfigError> {
        let Some(document) = self.auth.document(resource)? else {
            return Ok(());
        };
        let described = metadata::routes(resource, &document)?;
        let has_root = described.iter().any(|(path, _)| path == metadata::ROOT);
        for (path, route) in described {
            self.routes.add(&path, route)?;
        }
        if is_main && !has_root {
            self.routes
                .add(metadata::ROOT, metadata::route(&document)?)?;
        }
        Ok(())
    }

    /// The two paths of revision 2024-11-05. Both are one resource, that of the stream.
    pub(super) fn legacy_sse(&mut self, legacy: &LegacySse) -> Result<(), ConfigError> {
        legacy.check()?;
        check_path(&legacy.stream)?;
        check_path(&legacy.messages)?;
        let resource = resource_at(self.base, &legacy.stream)?;
        let endpoint = resource_at(self.base, &legacy.messages)?;
        let (lines, messages) = (Lines::default(), legacy.messages.clone());
        let stream = Stream {
            endpoint: endpoint.path().to_owned(),
            lines: lines.clone(),
            sessions: self.sessions.clone(),
            entropy: Arc::clone(&self.auth.entropy),
            legacy: legacy.clone(),
        };
        for (path, spelling) in places(&legacy.stream, &resource)? {
            let place = (path.as_str(), &resource, &spelling);
            self.endpoint(place, Transport::LegacyStream, stream.clone())?;
        }
        let post = Messages(lines.clone());
        let post = service_fn(move |request| {
            let post = post.clone();
            async move { Ok(post.post(request).await) }
        });
        for path in [messages.clone(), other_spelling(&messages)] {
            let transport = Transport::LegacyMessages(lines.clone());
            self.endpoint((&path, &resource, &resource), transport, post.clone())?;
        }
        self.metadata(&resource, false)
    }
}

/// The paths under which a resource answers, with and without a slash at the end, each with
/// the resource as a client spells it there.
pub(super) fn places(
    path: &str,
    resource: &ResourceUrl,
) -> Result<Vec<(String, ResourceUrl)>, ConfigError> {
    let mut places = Vec::new();
    for spelling in metadata::spellings(resource)? {
        let as_written = spelling.as_str().ends_with('/') == path.ends_with('/');
        let ours = if path == "/" || as_written {
            path.to_owned()
        } else {
            other_spelling(path)
        };
        // Below a base URL with a path, both spellings of `/` arrive as `/`.
        if !places.iter().any(|(known, _)| *known == ours) {
            places.push((ours, spelling));
        }
    }
    Ok(places)
}
