//! Verifying our own tokens, by the keys that are at hand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use portcullis_oauth::Issuer;
use portcullis_resource_server::{
    Algorithm, ConfigError, JwtVerifier, KeySetSnapshot, KeySetSource, Unavailable,
};

use super::{Keyring, KeyringError, SECOND_LOOK};

/// How far the clocks of replicas may be apart. Elsewhere nobody's clock matters but ours, so that the
/// end of a token is its end.
const LEEWAY: Duration = Duration::from_secs(5);
/// No access token of ours lives longer, unless it was configured.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

impl Keyring {
    /// Verifies the access tokens that this ring signed for `issuer`: `at+jwt` alone, for the
    /// resource at which they are presented.
    ///
    /// # Errors
    /// [`ConfigError`], which no issuer of ours causes.
    pub(crate) fn verifier(&self, issuer: &Issuer) -> Result<JwtVerifier, ConfigError> {
        let source: Arc<dyn KeySetSource> = Arc::new(self.clone());
        JwtVerifier::builder(issuer.as_str())
            .key_set(source)
            .algorithms([Algorithm::Es256, Algorithm::EdDsa])
            .leeway(LEEWAY)
            .max_lifetime(self.inner.settings.life.max(LONGEST_LIFE))
            .clock(Arc::clone(self.clock()))
            .build()
    }

    fn snapshot(&self) -> Result<KeySetSnapshot, Unavailable> {
        let view = self.view().map_err(unavailable)?;
        let keys = Arc::clone(&view.published.set);
        Ok(KeySetSnapshot::new(keys, view.generation))
    }
}

impl KeySetSource for Keyring {
    fn settled(&self) -> Option<u64> {
        let now = self.clock().now();
        let inner = &self.inner;
        inner.is_sure().then(|| inner.generation(now)).flatten()
    }

    fn current(&self) -> BoxFuture<'_, Result<KeySetSnapshot, Unavailable>> {
        Box::pin(async {
            self.refresh().await.map_err(unavailable)?;
            self.snapshot()
        })
    }

    fn newer_than(
        &self,
        generation: u64,
    ) -> BoxFuture<'_, Result<Option<KeySetSnapshot>, Unavailable>> {
        Box::pin(async move {
            // SECURITY: made-up key ids must not make the store work (CWE-400);
            // sec_key_01_made_up_key_ids_look_into_the_store_once_a_second
            let look = self.look(Some(SECOND_LOOK)).await;
            look.map_err(unavailable)?;
            let newer = self.snapshot()?;
            Ok((newer.generation() != generation).then_some(newer))
        })
    }
}

fn unavailable(error: KeyringError) -> Unavailable {
    Unavailable::new("the signing keys are out of reach").caused_by(error)
}
