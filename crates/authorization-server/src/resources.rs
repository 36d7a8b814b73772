//! The resources that tokens are for: one for each endpoint that was mounted.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use portcullis_oauth::{OAuthError, OAuthErrorCode, ResourceUrl, ScopeHierarchy, ScopeSet};

use crate::grant::scope::Catalogue;
use crate::provider::Settings;

/// The resources that were mounted, and what there is to grant.
#[derive(Debug)]
pub(crate) struct Resources {
    settings: Arc<Settings>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    all: Vec<Known>,
    catalogue: Arc<Catalogue>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) resource: ResourceUrl,
    /// What users call it.
    pub(crate) name: Option<String>,
    /// The scopes that something of it needs.
    pub(crate) scopes: ScopeSet,
    /// Those of them without which nothing of it can be had.
    pub(crate) required: ScopeSet,
    pub(crate) hierarchy: ScopeHierarchy,
    /// Whether it stands for itself. The stream of the old transport stands beside another.
    pub(crate) is_main: bool,
}

const FOREIGN: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidTarget,
    "the resource is none of this server's",
);
const SEVERAL: OAuthError =
    OAuthError::new(OAuthErrorCode::InvalidTarget, "a token is for one resource");
const WHICH: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidTarget,
    "resource is required: this server has several",
);

impl Resources {
    /// None yet.
    pub(crate) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            state: RwLock::new(State {
                all: Vec::new(),
                catalogue: Arc::new(catalogue(settings, &[])),
            }),
            settings: Arc::clone(settings),
        }
    }

    /// Adds one, or puts it in the place of the same one.
    pub(crate) fn add(&self, known: Known) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.all.retain(|other| other.resource != known.resource);
        state.all.push(known);
        state.catalogue = Arc::new(catalogue(&self.settings, &state.all));
    }

    /// What there is to grant, as of now: another server may have been mounted since.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.state().catalogue)
    }

    /// What somebody gets at a resource who asks for nothing that there is; nothing where nobody has
    /// said.
    pub(crate) fn default_at(&self, resource: &ResourceUrl) -> Option<ScopeSet> {
        let settings = &self.settings;
        // SECURITY: who asks for nothing that there is gets what was said, or what every request there
        // needs, which its own challenge asks for (RFC 6749 section 3.3);
        // sec_az_07_words_that_nobody_knows_are_worth_the_least
        settings.default_scopes.clone().or_else(|| {
            let state = self.state();
            let known = state.all.iter().find(|known| known.resource == *resource);
            let required = known.map(|known| known.required.union(&settings.required_scopes));
            required.filter(|some| !some.is_empty())
        })
    }

    /// Which resource a request is for (RFC 8707 section 2). The answer is always spelled as
    /// configured.
    ///
    /// # Errors
    /// `invalid_target` for a resource that is not ours, for several, and for none where there are
    /// several.
    pub(crate) fn judge(&self, requested: &[String]) -> Result<ResourceUrl, OAuthError> {
        let all = &self.state().all;
        let mut mains = all.iter().filter(|known| known.is_main);
        let only = match (mains.next(), mains.next()) {
            (Some(only), None) => Some(&only.resource),
            _ => None,
        };
        let find = |text: &String| {
            let same = all.iter().map(|known| &known.resource);
            let same = same.clone().find(|known| known.is_same_resource(text));
            // SECURITY: the origin stands for one resource only where there is no other one that a
            // client could mean (RFC 8707 section 2); sec_mt_05_the_origin_names_no_one_of_several
            same.or_else(|| only.filter(|only| is_origin_of(only, text)))
        };
        let mut requested = requested.iter();
        let Some(first) = requested.next() else {
            return only.cloned().ok_or(WHICH);
        };
        let found = find(first).ok_or(FOREIGN)?;
        for other in requested {
            // SECURITY: a token that two resources accept is one that each can use at the other (RFC
            // 9700 section 2.3); sec_mt_05_a_token_is_for_one_resource
            if find(other).ok_or(FOREIGN)? != found {
                return Err(SEVERAL);
            }
        }
        Ok(found.clone())
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<ResourceUrl> {
        let state = self.state();
        state.all.iter().map(|one| one.resource.clone()).collect()
    }

    /// What users call a resource.
    pub(crate) fn name_of(&self, resource: &ResourceUrl) -> Option<String> {
        let state = self.state();
        let known = state.all.iter().find(|known| known.resource == *resource)?;
        known.name.clone()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to grant where these are mounted.
fn catalogue(settings: &Settings, mounted: &[Known]) -> Catalogue {
    let needed = || {
        let scopes = mounted.iter().map(|known| &known.scopes);
        scopes.fold(settings.required_scopes.clone(), |sum, one| sum.union(one))
    };
    let hierarchies = mounted.iter().map(|known| known.hierarchy.clone());
    let hierarchy = hierarchies.fold(settings.hierarchy.clone(), ScopeHierarchy::and);
    Catalogue::new(settings.scopes.clone().unwrap_or_else(needed), hierarchy)
}

fn is_origin_of(resource: &ResourceUrl, text: &str) -> bool {
    text.strip_suffix('/').unwrap_or(text) == resource.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(resource: &str, is_main: bool) -> Known {
        Known {
            resource: ResourceUrl::parse(resource).unwrap(),
            name: None,
            scopes: ScopeSet::new(),
            required: ScopeSet::new(),
            hierarchy: ScopeHierarchy::new(),
            is_main,
        }
    }

    fn with(resources: &[(&str, bool)]) -> Resources {
        let base = portcullis_oauth::BaseUrl::parse("https://mcp.example").unwrap();
        let issuer = portcullis_oauth::Issuer::parse("https://mcp.example").unwrap();
        let all = Resources::new(&Arc::new(Settings::new(issuer, base)));
        for (resource, is_main) in resources {
            all.add(known(resource, *is_main));
        }
        all
    }

    fn judge(resources: &Resources, requested: &[&str]) -> Result<String, OAuthErrorCode> {
        let requested: Vec<String> = requested.iter().map(ToString::to_string).collect();
        let judged = resources.judge(&requested);
        judged
            .map(|resource| resource.as_str().to_owned())
            .map_err(|error| error.code)
    }

    const MCP: &str = "https://mcp.example/mcp";
    const SSE: &str = "https://mcp.example/sse";
    const OTHER: &str = "https://mcp.example/b/mcp";

    #[test]
    fn the_only_resource_has_all_its_spellings() {
        let one = with(&[(MCP, true)]);
        for asked in [
            &[][..],
            &[MCP],
            &["https://mcp.example/mcp/"],
            &["https://mcp.example"],
            &["https://mcp.example/"],
            &[MCP, "https://mcp.example"],
        ] {
            assert_eq!(judge(&one, asked), Ok(MCP.to_owned()), "{asked:?}");
        }
    }

    #[test]
    fn sec_cd_07_a_foreign_resource_is_no_target() {
        let one = with(&[(MCP, true)]);
        for asked in [
            "https://evil.example/mcp",
            "https://mcp.example/mcp2",
            "https://mcp.example/mc",
            "https://mcp.example/MCP",
            "http://mcp.example/mcp",
            "https://mcp.example:8443/mcp",
            "https://mcp.example.evil/mcp",
            "https://mcp.example/mcp?x",
            "https://mcp.example/mcp#x",
            "mcp",
            " ",
        ] {
            assert_eq!(judge(&one, &[asked]), Err(OAuthErrorCode::InvalidTarget));
            assert_eq!(
                judge(&one, &[MCP, asked]),
                Err(OAuthErrorCode::InvalidTarget)
            );
        }
    }

    #[test]
    fn sec_mt_05_the_origin_names_no_one_of_several() {
        let two = with(&[(MCP, true), (OTHER, true)]);
        for asked in [&[][..], &["https://mcp.example"], &["https://mcp.example/"]] {
            assert_eq!(judge(&two, asked), Err(OAuthErrorCode::InvalidTarget));
        }
        assert_eq!(judge(&two, &[OTHER]), Ok(OTHER.to_owned()));
    }

    #[test]
    fn sec_mt_05_a_token_is_for_one_resource() {
        let two = with(&[(MCP, true), (OTHER, true)]);
        assert_eq!(
            judge(&two, &[MCP, OTHER]),
            Err(OAuthErrorCode::InvalidTarget)
        );
        assert_eq!(judge(&two, &[MCP, MCP]), Ok(MCP.to_owned()));
    }

    #[test]
    fn a_stream_of_the_old_transport_stands_beside_its_server() {
        let both = with(&[(MCP, true), (SSE, false)]);
        assert_eq!(judge(&both, &[]), Ok(MCP.to_owned()));
        assert_eq!(judge(&both, &[SSE]), Ok(SSE.to_owned()));
    }

    #[test]
    fn a_resource_that_is_mounted_again_is_still_one() {
        let twice = with(&[(MCP, true), (MCP, true)]);
        assert_eq!(judge(&twice, &[]), Ok(MCP.to_owned()));
    }
}
