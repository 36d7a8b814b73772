//! What is mounted: the protection of a server, and the endpoints beside it.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use http::StatusCode;
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::metadata::server::{WELL_KNOWN_OAUTH, WELL_KNOWN_OPENID};
use portcullis_resource_server::{Auth, ConfigError, IntoAuth, MountedResource, public_route};

use super::verify::{OwnGrants, OwnTokens};
use super::{Core, OAuthProvider};
use crate::client::{AuthenticationMethod, GrantType};
use crate::endpoint::metadata::{Dialect, Metadata, Offer, places};
use crate::endpoint::{self, jwks, path};
use crate::grant::exchange::HANDLERS;
use crate::resources::Known;

impl IntoAuth for OAuthProvider {
    fn into_auth(self) -> Result<Auth, ConfigError> {
        let core = self.core;
        let settings = Arc::clone(&core.plan.settings);
        let mut auth = Auth::new(OwnTokens::new(&core))
            .base_url(settings.base_url.clone())
            .authorization_server(settings.issuer.as_str())
            .grant_status(OwnGrants(Arc::clone(&core)))
            .scope_hierarchy(settings.hierarchy.clone())
            .clock(Arc::clone(&core.plan.clock));
        if settings.issuer_place.origin() != settings.base_url.origin() {
            auth = auth.allow_host(settings.issuer_place.host());
        }
        if let Some(scopes) = &settings.scopes {
            auth = auth
                .scopes_supported(scopes.clone())
                .only_supported_scopes();
        }
        if let Some(scopes) = &settings.default_scopes {
            // Without it, clients ask for all that is supported at once (MCP Authorization, Scope
            // Selection Strategy).
            auth = auth.challenge_scopes(scopes.clone());
        }
        let asked = Arc::clone(&core);
        auth = auth.grantable(move |token| asked.reach(token));
        let told = Arc::clone(&core);
        auth = auth.on_mount(move |mounted| told.mounted(mounted));
        let started = Arc::clone(&core);
        auth = auth.on_start(move || {
            let core = Arc::clone(&started);
            async move { core.context().await.map(drop) }
        });
        let mut routes = endpoint::routes(&core);
        routes.extend(public_documents(&core));
        Ok(routes
            .into_iter()
            .fold(auth, |auth, (path, route)| auth.guarded_route(path, route)))
    }
}

impl Core {
    fn mounted(&self, mounted: &MountedResource) {
        self.resources.add(Known {
            resource: mounted.resource.clone(),
            name: mounted.name.clone(),
            scopes: mounted.scopes.clone(),
            required: mounted.required.clone(),
            hierarchy: mounted.hierarchy.clone(),
            is_main: mounted.is_main,
        });
        self.events.also_observed_by(&mounted.observers);
    }

    fn offer(&self) -> Offer {
        let (settings, clients) = (&self.plan.settings, &self.plan.clients);
        let hands_out = self.plan.hands_out();
        let all = Algorithm::ALL.into_iter();
        let asymmetric = all.filter(|algorithm| !algorithm.is_symmetric());
        Offer {
            issuer: settings.issuer.clone(),
            base_url: settings.base_url.clone(),
            grant_types: HANDLERS
                .iter()
                .map(|one| one.grant_type())
                .filter(|one| !hands_out || *one != GrantType::CLIENT_CREDENTIALS)
                .collect(),
            authentication: AuthenticationMethod::ALL.to_vec(),
            assertion_algorithms: asymmetric.collect(),
            registration: clients.registration().is_enabled(),
            documents: clients.documents().is_enabled(),
            introspection: settings.introspection.is_offered(),
        }
    }
}

/// The documents of the server, and what of them is looked for at its resources.
struct Documents {
    core: Arc<Core>,
    metadata: Metadata,
}

impl Documents {
    fn get(&self, dialect: Dialect) -> Response {
        let core = &self.core;
        let catalogue = core.resources.catalogue();
        self.metadata.get(dialect, &catalogue.all).into_response()
    }

    /// The document, where a resource of ours has that path.
    fn get_for(&self, dialect: Dialect, path: &str) -> Response {
        let wanted = format!("/{}", path.trim_matches('/'));
        let resources = self.core.resources.list();
        let is_ours = resources
            .iter()
            .any(|resource| resource.path().trim_end_matches('/') == wanted);
        if is_ours {
            self.get(dialect)
        } else {
            StatusCode::NOT_FOUND.into_response()
        }
    }
}

/// What anybody may read.
fn public_documents(core: &Arc<Core>) -> Vec<(String, MethodRouter)> {
    let documents = Arc::new(Documents {
        core: Arc::clone(core),
        metadata: Metadata::new(core.offer()),
    });
    let settings = core.settings();
    let mut own = places("");
    for url in [&settings.base_url, &settings.issuer_place] {
        for place in places(url.path().trim_end_matches('/')) {
            if !own.contains(&place) {
                own.push(place);
            }
        }
    }
    let mut routes: Vec<(String, MethodRouter)> = own
        .into_iter()
        .map(|(path, dialect)| {
            let documents = Arc::clone(&documents);
            let route = public_route(move || std::future::ready(documents.get(dialect)));
            (path, route)
        })
        .collect();
    for (path, dialect) in [
        (format!("{WELL_KNOWN_OAUTH}/{{*resource}}"), Dialect::OAuth),
        (
            format!("{WELL_KNOWN_OPENID}/{{*resource}}"),
            Dialect::OpenId,
        ),
        (format!("/{{resource}}{WELL_KNOWN_OPENID}"), Dialect::OpenId),
    ] {
        let documents = Arc::clone(&documents);
        let route = public_route(move |Path(path): Path<String>| {
            std::future::ready(documents.get_for(dialect, &path))
        });
        routes.push((path, route));
    }
    let core = Arc::clone(core);
    let keys = public_route(move || {
        let core = Arc::clone(&core);
        async move {
            match core.context().await {
                Ok(context) => jwks::get(&context.keyring).await,
                Err(error) => endpoint::failure::Failure::from(error).into_response(),
            }
        }
    });
    routes.push((path::JWKS.to_owned(), keys));
    routes
}
