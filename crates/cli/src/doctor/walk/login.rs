//! Registration, and the endpoints of a login.

use http::Method;
use http::header::{ACCEPT, ORIGIN};
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::metadata::server::Endpoint;
use portcullis_oauth::pkce::CodeVerifier;
use portcullis_oauth::{EndpointUrl, form};

use super::{MADE_UP, Walk};
use crate::doctor::ask::{Ask, PAGE};
use crate::doctor::client::Way;
use crate::doctor::step::login::{Authorized, NOWHERE};
use crate::doctor::step::registration::Registered;
use crate::doctor::step::resource::Resource;
use crate::doctor::step::server::Server;
use crate::doctor::step::{login, registration};

impl Walk {
    pub(super) async fn login(&mut self, server: &Server, resource: &Resource) {
        let registered = self.register(server, resource).await;
        let own = self
            .given
            .client_id
            .clone()
            .zip(self.given.redirect_uri.clone());
        let first = registered
            .first()
            .map(|one| (one.client_id.as_str().to_owned(), one.redirect_uri.clone()));
        let client = own.or(first);
        match (&client, server.endpoint(Endpoint::Authorization)) {
            (Some(client), Some(endpoint)) => {
                self.authorize(server, &endpoint, client, resource).await;
            }
            (None, _) => self.left_out.push(
                "the authorization endpoint: say `--register`, or `--client-id` with `--redirect-uri`",
            ),
            (_, None) => {}
        }
        if let Some(endpoint) = server.endpoint(Endpoint::Token) {
            let client_id = self.given.client_id.clone();
            let client_id = client_id.or(client.map(|(id, _)| id));
            self.token_endpoint(&endpoint, client_id, resource).await;
        }
        self.remove(server, &registered).await;
    }

    /// Registers as each client would that registers at all.
    async fn register(&mut self, server: &Server, resource: &Resource) -> Vec<Registered> {
        let mut all = Vec::new();
        let Some(endpoint) = server.endpoint(Endpoint::Registration) else {
            return all;
        };
        if !self.given.register {
            self.left_out
                .push("registration: `--register` tries it, and leaves clients behind");
            return all;
        }
        for client in self.findings.clients().to_vec() {
            let Some(body) = registration::body(client, &resource.scopes) else {
                continue;
            };
            if client.ways.contains(&Way::Register) {
                let ask = Ask::new(Method::POST, endpoint.as_str()).body("application/json", body);
                let seen = self.asker.ask(ask).await;
                all.extend(registration::judge_answer(
                    client,
                    &seen,
                    &mut self.findings,
                ));
            }
        }
        all
    }

    /// Removes registered clients, where their server says how.
    async fn remove(&mut self, server: &Server, all: &[Registered]) {
        let endpoint = server.endpoint(Endpoint::Registration);
        let origin = endpoint.map(|endpoint| endpoint.origin());
        let mut left = Vec::new();
        for registered in all {
            let management = registered.management.as_ref().filter(|(url, _)| {
                // SECURITY: the token of a client goes to where it came from, and not elsewhere;
                // sec_cl_08_the_management_token_stays_on_its_origin
                EndpointUrl::parse(url).ok().map(|url| url.origin()) == origin
            });
            let gone = match management {
                Some((url, token)) => {
                    let ask = Ask::new(Method::DELETE, url).bearer(token.expose());
                    self.asker.ask(ask).await.status()
                }
                None => None,
            };
            if !gone.is_some_and(|status| (200..300).contains(&status)) {
                left.push(registered.client_id.as_str().to_owned());
            }
        }
        if !all.is_empty() {
            registration::judge_removal(&server.url, &left, &mut self.findings);
        }
    }

    async fn authorize(
        &mut self,
        server: &Server,
        endpoint: &EndpointUrl,
        client: &(String, String),
        resource: &Resource,
    ) {
        let (client_id, redirect_uri) = client;
        let Ok(verifier) = CodeVerifier::generate(&SystemEntropy::new()) else {
            return;
        };
        let challenge = verifier.challenge();
        let scope = resource.scopes.join(" ");
        let url = |redirect_uri: &str, challenge: Option<&str>| {
            let query = form::Writer::new()
                .pair("response_type", "code")
                .pair("client_id", client_id)
                .pair("redirect_uri", redirect_uri)
                .pair("state", MADE_UP)
                .pair("resource", &resource.name)
                .optional(
                    "scope",
                    Some(scope.as_str()).filter(|scope| !scope.is_empty()),
                )
                .optional("code_challenge", challenge)
                .optional("code_challenge_method", challenge.map(|_| "S256"))
                .finish();
            let between = if endpoint.as_str().contains('?') {
                '&'
            } else {
                '?'
            };
            format!("{}{between}{query}", endpoint.as_str())
        };
        let good = url(redirect_uri, Some(challenge.as_str()));
        let foreign = url(NOWHERE, Some(challenge.as_str()));
        let without_pkce = url(redirect_uri, None);
        let authorized = Authorized {
            redirect_uri: redirect_uri.clone(),
            good: self.asker.ask(Ask::new(Method::GET, good)).await,
            foreign: self.asker.ask(Ask::new(Method::GET, foreign)).await,
            without_pkce: self.asker.ask(Ask::new(Method::GET, without_pkce)).await,
        };
        login::judge_authorize(server, &authorized, &mut self.findings);
        // An agreement is written down at the server.
        if self.given.register {
            self.provider(authorized.good, redirect_uri).await;
        }
    }

    async fn token_endpoint(
        &mut self,
        endpoint: &EndpointUrl,
        client_id: Option<String>,
        resource: &Resource,
    ) {
        let client_id = client_id.unwrap_or_else(|| MADE_UP.to_owned());
        let verifier = "portcullis-doctor-made-this-up-and-nobody-knows-it";
        let body = form::encode(&[
            ("grant_type", "authorization_code"),
            ("code", MADE_UP),
            ("redirect_uri", "http://127.0.0.1:49152/callback"),
            ("client_id", &client_id),
            ("code_verifier", verifier),
            ("resource", &resource.name),
        ]);
        let ask = Ask::new(Method::POST, endpoint.as_str())
            .header(ORIGIN, PAGE)
            .header(ACCEPT, "application/json")
            .body("application/x-www-form-urlencoded", body);
        let seen = self.asker.ask(ask).await;
        login::judge_token(&seen, &mut self.findings);
    }
}
