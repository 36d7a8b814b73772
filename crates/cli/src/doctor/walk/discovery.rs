//! From the challenge to the authorization servers.

use http::header::ORIGIN;
use portcullis_oauth::Issuer;
use portcullis_oauth::metadata::resource::{WELL_KNOWN, well_known_url};
use portcullis_oauth::metadata::server::{Endpoint, WELL_KNOWN_OAUTH, well_known_urls};

use super::Walk;
use crate::doctor::ask::{Ask, PAGE};
use crate::doctor::message::{REVISION, SESSIONS};
use crate::doctor::rule;
use crate::doctor::step::challenge::Told;
use crate::doctor::step::resource::Resource;
use crate::doctor::step::{registration, resource, server};

impl Walk {
    pub(super) async fn resource(&mut self, told: &Told) -> Option<Resource> {
        let target = &self.target.url;
        let path_url = well_known_url(target);
        let root_url = format!("{}{WELL_KNOWN}", target.origin());
        let path = self.asker.ask(Ask::get(&path_url)).await;
        let told = match &told.metadata {
            Some(url) if *url == path_url => Some(path.clone()),
            Some(url) => Some(self.asker.ask(Ask::get(url)).await),
            None => None,
        };
        let root = if root_url == path_url {
            None
        } else {
            Some(self.asker.ask(Ask::get(&root_url)).await)
        };
        let documents = resource::Documents { told, path, root };
        let found = resource::judge(&self.target, &documents, &mut self.findings);
        if let Some(used) = documents.used() {
            let page = Ask::get(&used.url)
                .header(ORIGIN, PAGE)
                .header(REVISION, SESSIONS);
            let page = self.asker.ask(page).await;
            let preflight = Ask::preflight(&used.url, "GET", REVISION.as_str());
            let preflight = self.asker.ask(preflight).await;
            resource::judge_pages(&page, &preflight, &mut self.findings);
        } else if !self.findings.has(rule::PRM_DEAD) {
            self.without_resource(&documents).await;
        }
        found
    }

    /// No document at all: who gets in, and how?
    async fn without_resource(&mut self, documents: &resource::Documents) {
        let (at, brief) = (documents.path.at(), documents.path.brief());
        let ancient = format!("{}{WELL_KNOWN_OAUTH}", self.target.url.origin());
        let ancient = self.asker.ask(Ask::get(ancient)).await;
        let rule = if server::is_metadata(&ancient) {
            rule::PRM_ANCIENT
        } else if self.given.token.is_some() {
            rule::PRM_FIXED
        } else {
            rule::PRM_NONE
        };
        self.findings.found(rule, &at, &brief);
    }

    pub(super) async fn server(&mut self, issuer: &Issuer, resource: &Resource, is_first: bool) {
        let mut places = Vec::new();
        for url in well_known_urls(issuer) {
            places.push(self.asker.ask(Ask::get(url)).await);
        }
        let mut elsewhere = Vec::new();
        let path = issuer.path().trim_end_matches('/');
        if !path.is_empty() && places.iter().all(|seen| seen.ok().is_none()) {
            let (origin, known) = (issuer.origin(), WELL_KNOWN_OAUTH);
            for url in [format!("{origin}{path}{known}"), format!("{origin}{known}")] {
                elsewhere.push(self.asker.ask(Ask::get(url)).await);
            }
        }
        let documents = server::Documents { places, elsewhere };
        let Some(server) = server::judge(issuer, &documents, &mut self.findings) else {
            return;
        };
        let page = Ask::get(&server.url).header(ORIGIN, PAGE);
        let page = self.asker.ask(page).await;
        server::judge_page(&page, &mut self.findings);
        server::judge_keys_place(&server, &mut self.findings);
        if let Some(url) = server.endpoint(Endpoint::Jwks) {
            let keys = self.asker.ask(Ask::get(url.as_str())).await;
            server::judge_keys(&keys, &mut self.findings);
        }
        registration::judge(&server, &mut self.findings);
        if is_first {
            self.login(&server, resource).await;
        }
    }
}
