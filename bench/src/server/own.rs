//! Our server with tokens of its own, from an authorization server on SQLite beside it.

use std::{fs, path::PathBuf, process, time::Duration};

use anyhow::{Context as _, Result};
use portcullis_authorization_server::{Mint, OAuthProvider};
use portcullis_oauth::{ClientId, ResourceUrl, Subject, scopes};
use portcullis_store::DiskStore;
use tokio::sync::oneshot;

use super::ours::server;
use crate::host::Host;

/// Longer than any benchmark.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The server, a token of it, and the folder of its state, which is removed with this.
pub(super) struct Own {
    pub(super) host: Host,
    pub(super) token: String,
    folder: PathBuf,
}

impl Own {
    pub(super) async fn start() -> Result<Self> {
        // Beside the program: a folder for temporary files may be in memory.
        let name = format!("server-state-{}", process::id());
        let folder = std::env::current_exe()?.with_file_name(name);
        let (minted, token) = oneshot::channel();
        let state = folder.clone();
        let host = Host::start(|listener| async move {
            let base_url = format!("http://{}", listener.local_addr()?);
            let provider = OAuthProvider::builder()
                .base_url(&base_url)
                .store(DiskStore::open(state).await?)
                .scopes(scopes!["notes:read"])
                .access_token_lifetime(LIFETIME)
                .build()?;
            let resource = ResourceUrl::parse(&format!("{base_url}/mcp"))?;
            let mint = Mint::new(
                Subject::parse("casey")?,
                ClientId::parse("bench")?,
                resource,
            )
            .scope(scopes!["notes:read"])
            .lifetime(LIFETIME);
            let token = provider.mint(&mint).await?;
            // Nobody waits when the benchmark has ended already.
            let _ = minted.send(token.expose().to_owned());
            Ok(server()
                .auth(provider)
                .serve_with_listener(listener)
                .await?)
        })
        .await?;
        Ok(Self {
            host,
            token: token.await.context("no token was minted")?,
            folder,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // It fails only when it is gone already.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
