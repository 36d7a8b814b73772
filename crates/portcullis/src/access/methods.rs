//! The access rules that every component's builder has, written once.

/// Adds the access methods to a builder with a field `access: Access`.
macro_rules! access_methods {
    ($builder:ty) => {
        impl $builder {
            /// Needs a token with all of these scopes. A caller who lacks some still sees the
            /// component; the call is answered with HTTP 403 `insufficient_scope`, which names
            /// the scopes to ask for (RFC 6750 section 3.1).
            #[must_use]
            pub fn require_scopes(self, scopes: portcullis_oauth::scope::ScopeSet) -> Self {
                self.authorize($crate::access::require_scopes(scopes))
            }

            /// Only for callers whose token satisfies `allow`; hidden from everybody else.
            #[must_use]
            pub fn allow_if(
                self,
                allow: impl Fn(&portcullis_resource_server::AccessToken) -> bool
                + Send
                + Sync
                + 'static,
            ) -> Self {
                self.authorize($crate::access::check(allow))
            }

            /// Like `allow_if`, for a condition that has to wait. It gets five seconds.
            #[must_use]
            pub fn allow_if_async<F, Fut>(self, allow: F) -> Self
            where
                F: Fn(portcullis_resource_server::AccessToken) -> Fut
                    + Send
                    + Sync
                    + 'static,
                Fut: Future<Output = bool> + Send + 'static,
            {
                self.authorize($crate::access::check_async(allow))
            }

            /// Adds a rule. All rules of a component must pass.
            #[must_use]
            pub fn authorize(mut self, rule: $crate::access::Rule) -> Self {
                self.access.rules.push(rule);
                self
            }

            /// Listed and usable without a token on a server whose auth admits anonymous callers
            /// per component (`Auth::anonymous_per_component`); behind any other auth it is a fault,
            /// and without auth it changes nothing. It cannot have other rules.
            #[must_use]
            pub fn anonymous(mut self) -> Self {
                self.access.anonymous = true;
                self
            }
        }
    };
}

pub(crate) use access_methods;
