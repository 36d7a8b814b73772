//! One file an endpoint, with functions named after HTTP methods, and what all of them stand in.
//!
//! | path | who calls |
//! |---|---|
//! | `/oauth/token`, `/oauth/register`, `/oauth/revoke`, `/oauth/introspect` | clients and resource servers, pages of any origin among them |
//! | `/oauth/authorize`, `/oauth/login`, `/oauth/consent`, `/oauth/logout`, `/account` | browsers |
//! | `/oauth/callback`, in the place of `/oauth/login` | browsers that come back from an identity provider |
//! | `/oauth/shown` | the consent page |
//! | `/oauth/jwks` and the well-known documents | everybody |
//!
//! `/authorize`, `/token` and `/register` at the root are the same, for clients that know no metadata.

mod account;
mod authorize;
mod browser;
mod callback;
mod consent;
pub(crate) mod failure;
mod fault;
mod form;
mod introspect;
pub(crate) mod jwks;
mod login;
mod logout;
pub(crate) mod metadata;
pub(crate) mod outage;
pub(crate) mod path;
mod register;
mod revoke;
pub(crate) mod shell;
mod shown;
mod target;
mod token;
mod visitor;
mod wire;

use std::future::ready;
use std::sync::Arc;

use axum::routing::MethodRouter;

use self::shell::{Media, back_channel, page};
use crate::provider::Core;

/// The endpoints that change something.
pub(crate) fn routes(core: &Arc<Core>) -> Vec<(String, MethodRouter)> {
    let mut routes = back_channels(core);
    routes.extend(pages(core));
    routes.push(match &core.settings().callback {
        Some(path) => (path.as_str(), callback_page(core)),
        None => (path::LOGIN, login_page(core)),
    });
    if core.settings().introspection.is_offered() {
        let introspect = back_channel(core, Media::Form, |context, request| {
            Box::pin(async move { introspect::post(&context, request).await })
        });
        routes.push((path::INTROSPECT, introspect));
    }
    routes
        .into_iter()
        .map(|(path, route)| (path.to_owned(), route))
        .collect()
}

fn back_channels(core: &Arc<Core>) -> Vec<(&'static str, MethodRouter)> {
    let token = back_channel(core, Media::Form, |context, request| {
        Box::pin(async move { token::post(&context, request).await })
    });
    let register = back_channel(core, Media::Json, |context, request| {
        Box::pin(async move { register::post(&context, request).await })
    });
    let revoke = back_channel(core, Media::Form, |context, request| {
        Box::pin(async move { revoke::post(&context, request).await })
    });
    vec![
        (path::TOKEN, token.clone()),
        (path::TOKEN_ALIAS, token),
        (path::REGISTER, register.clone()),
        (path::REGISTER_ALIAS, register),
        (path::REVOKE, revoke),
    ]
}

/// What browsers are shown.
fn pages(core: &Arc<Core>) -> Vec<(&'static str, MethodRouter)> {
    let authorize = page(
        core,
        Some(|visitor| Box::pin(authorize::get(visitor))),
        Some(|visitor| Box::pin(ready(authorize::post(visitor)))),
    );
    let consent = page(
        core,
        Some(|visitor| Box::pin(consent::get(visitor))),
        Some(|visitor| Box::pin(consent::post(visitor))),
    );
    let account = page(
        core,
        Some(|visitor| Box::pin(account::get(visitor))),
        Some(|visitor| Box::pin(account::post(visitor))),
    );
    let shown = page(
        core,
        Some(|visitor| Box::pin(ready(shown::get(visitor)))),
        None,
    );
    let logout = page(core, None, Some(|visitor| Box::pin(logout::post(visitor))));
    vec![
        (path::AUTHORIZE, authorize.clone()),
        (path::AUTHORIZE_ALIAS, authorize),
        (path::CONSENT, consent),
        (path::SHOWN, shown),
        (path::LOGOUT, logout),
        (path::ACCOUNT, account),
    ]
}

/// Where users of ours log in.
fn login_page(core: &Arc<Core>) -> MethodRouter {
    page(
        core,
        Some(|visitor| Box::pin(login::get(visitor))),
        Some(|visitor| Box::pin(login::post(visitor))),
    )
}

/// Where users of an identity provider come back.
fn callback_page(core: &Arc<Core>) -> MethodRouter {
    page(core, Some(|visitor| Box::pin(callback::get(visitor))), None)
}

#[cfg(test)]
mod tests;
