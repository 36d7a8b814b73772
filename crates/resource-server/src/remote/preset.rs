//! What all remote presets have in common.

use portcullis_oauth::{BearerToken, SharedClock};

use crate::env::Common;
use crate::presets::{Audience, Preset};
use crate::{
    AccessToken, Auth, ConfigError, IntoAuth, IntrospectionVerifierBuilder, RemoteAuthProvider,
    SharedVerifier, TokenVerifier, Unavailable, VerifyContext, VerifyError,
};

/// A [`RemoteAuthProvider`] whose verifier is a preset's, until it is mounted.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct RemotePreset {
    remote: RemoteAuthProvider,
    source: Source,
    audience: Option<Vec<String>>,
    /// A setting of the preset's own verifier that was said.
    own: Option<&'static str>,
    clock: Option<SharedClock>,
}

#[derive(Debug, Clone)]
enum Source {
    Jwt(Box<Preset>),
    Introspection(Box<IntrospectionVerifierBuilder>),
    Given(SharedVerifier),
}

/// Holds the place of the verifier that mounting puts in. It verifies nothing.
struct Pending;

impl TokenVerifier for Pending {
    async fn verify(
        &self,
        _: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        Err(Unavailable::new("the provider is not mounted yet").into())
    }
}

impl RemotePreset {
    /// Users log in at `authorization_server`, whose metadata is served here too.
    pub(crate) fn new(
        preset: Preset,
        authorization_server: impl Into<String>,
        base_url: &str,
    ) -> Result<Self, ConfigError> {
        Self::from_source(
            Source::Jwt(Box::new(preset)),
            authorization_server.into(),
            base_url,
        )
    }

    /// The same, where the provider is asked about each token.
    pub(crate) fn introspecting(
        verifier: IntrospectionVerifierBuilder,
        authorization_server: impl Into<String>,
        base_url: &str,
    ) -> Result<Self, ConfigError> {
        let source = Source::Introspection(Box::new(verifier));
        Self::from_source(source, authorization_server.into(), base_url)
    }

    fn from_source(source: Source, server: String, base_url: &str) -> Result<Self, ConfigError> {
        let remote = RemoteAuthProvider::new(Pending, base_url)?
            .authorization_server(server)
            .forward_authorization_server_metadata();
        Ok(Self {
            remote,
            source,
            audience: None,
            own: None,
            clock: None,
        })
    }

    pub(crate) fn remote(
        mut self,
        change: impl FnOnce(RemoteAuthProvider) -> RemoteAuthProvider,
    ) -> Self {
        self.remote = change(self.remote);
        self
    }

    pub(crate) fn preset(mut self, field: &'static str, change: impl FnOnce(&mut Preset)) -> Self {
        self.own = Some(field);
        if let Source::Jwt(preset) = &mut self.source {
            change(preset);
        }
        self
    }

    pub(crate) fn introspection(
        mut self,
        change: impl FnOnce(IntrospectionVerifierBuilder) -> IntrospectionVerifierBuilder,
    ) -> Self {
        match self.source {
            Source::Introspection(verifier) => {
                self.source = Source::Introspection(Box::new(change(*verifier)));
            }
            _ => self.own = Some("introspection_client"),
        }
        self
    }

    pub(crate) fn audience(mut self, audience: String) -> Self {
        self.audience.get_or_insert_default().push(audience);
        self
    }

    pub(crate) fn verifier(mut self, verifier: impl TokenVerifier) -> Self {
        self.source = Source::Given(SharedVerifier::new(verifier));
        self
    }

    pub(crate) fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Refuses what was said to a verifier that is not asked.
    fn check(&self) -> Result<(), ConfigError> {
        let audience = self.audience.as_ref().map(|_| "audience");
        let (lost, fault, hint) = match self.source {
            // SECURITY: whoever narrows what is accepted must not be ignored (RFC 8725 section 3.9);
            // sec_jwt_13_nothing_said_to_a_preset_is_lost
            Source::Given(_) => (
                audience.or(self.own),
                "has no effect beside a verifier of one's own",
                "say it to that verifier",
            ),
            Source::Introspection(_) => (
                self.own,
                "has no effect where the provider is asked about each token",
                "leave it out",
            ),
            Source::Jwt(_) => (None, "", ""),
        };
        lost.map_or(Ok(()), |field| {
            Err(ConfigError::new(field, fault).with_hint(hint))
        })
    }

    /// With what the environment says.
    pub(crate) fn configured(mut self, common: Common) -> Self {
        for audience in &common.audience {
            self = self.audience(audience.clone());
        }
        if let Some(list) = common.algorithms {
            self = self.preset("algorithms", |preset| preset.algorithms = list);
        }
        self.remote(|remote| common.apply(remote))
    }
}

impl IntoAuth for RemotePreset {
    fn into_auth(self) -> Result<Auth, ConfigError> {
        self.check()?;
        let verifier = match self.source {
            Source::Given(verifier) => verifier,
            Source::Jwt(mut preset) => {
                if let Some(listed) = self.audience {
                    preset.audience = Audience::Listed(listed);
                }
                let verifier = preset.verifier();
                let verifier = match &self.clock {
                    Some(clock) => verifier.clock(clock.clone()),
                    None => verifier,
                };
                SharedVerifier::new(verifier.build()?)
            }
            Source::Introspection(verifier) => {
                let listed = self.audience.into_iter().flatten();
                let verifier = listed.fold(*verifier, IntrospectionVerifierBuilder::audience);
                let verifier = match &self.clock {
                    Some(clock) => verifier.clock(clock.clone()),
                    None => verifier,
                };
                SharedVerifier::new(verifier.build()?)
            }
        };
        let auth = self.remote.into_auth()?.verified_by(verifier);
        Ok(match self.clock {
            Some(clock) => auth.clock(clock),
            None => auth,
        })
    }
}

/// A remote provider by its preset: the type, its settings, and its way to `Auth`.
macro_rules! remote_provider {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[must_use]
        pub struct $name(crate::remote::preset::RemotePreset);

        impl $name {
            /// The provider that the environment describes.
            ///
            /// # Errors
            /// [`ConfigErrors`](crate::ConfigErrors) names every variable that is missing or wrong.
            pub fn from_env(env: &crate::AuthEnv) -> Result<Self, crate::ConfigErrors> {
                let mut read = env.read(&SECTION);
                let common = read.common();
                Self::read(read).map(|provider| Self(provider.0.configured(common)))
            }

            /// Scopes that every request needs. A token without them is answered with 403. Each call
            /// adds to them.
            pub fn required_scopes(self, scopes: portcullis_oauth::ScopeSet) -> Self {
                Self(self.0.remote(|remote| remote.required_scopes(scopes)))
            }

            /// The scopes that metadata lists; the required ones unless set.
            pub fn scopes_supported(self, scopes: portcullis_oauth::ScopeSet) -> Self {
                Self(self.0.remote(|remote| remote.scopes_supported(scopes)))
            }

            /// A name of this server for users.
            pub fn resource_name(self, name: impl Into<String>) -> Self {
                Self(self.0.remote(|remote| remote.resource_name(name)))
            }

            /// The URL of a page about this server for developers.
            pub fn resource_documentation(self, url: impl Into<String>) -> Self {
                Self(self.0.remote(|remote| remote.resource_documentation(url)))
            }

            /// Accepts tokens for this audience instead of the provider's usual one, byte for
            /// byte. Each call adds one.
            pub fn audience(self, audience: impl Into<String>) -> Self {
                Self(self.0.audience(audience.into()))
            }

            /// The algorithms that the provider signs with, instead of its usual ones.
            pub fn algorithms(self, list: &'static [crate::Algorithm]) -> Self {
                Self(self.0.preset("algorithms", |preset| preset.algorithms = list))
            }

            /// Verifies tokens in another way; the rest of the provider stays. Audience and
            /// algorithms are then that verifier's, and an error here.
            pub fn verifier(self, verifier: impl crate::TokenVerifier) -> Self {
                Self(self.0.verifier(verifier))
            }

            /// The clock; the operating system's unless set.
            pub fn clock(self, clock: portcullis_oauth::SharedClock) -> Self {
                Self(self.0.clock(clock))
            }

            /// Anything else that [`RemoteAuthProvider`](crate::RemoteAuthProvider) can be told.
            pub fn with(
                self,
                change: impl FnOnce(crate::RemoteAuthProvider) -> crate::RemoteAuthProvider,
            ) -> Self {
                Self(self.0.remote(change))
            }
        }

        impl crate::IntoAuth for $name {
            fn into_auth(self) -> Result<crate::Auth, crate::ConfigError> {
                self.0.into_auth()
            }
        }
    };
}
