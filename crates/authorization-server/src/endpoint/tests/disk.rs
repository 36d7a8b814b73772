//! Two processes on one database.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use http::StatusCode;
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::ClientId;
use portcullis_store::{DiskStore, StoreHandle};

use super::failing::registered;
use super::server::{APP, OTHER, Server};
use crate::client::Registrations;
use crate::grant::record::GrantRecord;
use crate::grant::{GrantFilter, Grants};

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let next = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("portcullis-grants-{}-{next}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// A server of its own on the database here, as another process would be.
    async fn server(&self) -> Server {
        let store = DiskStore::open(&self.0).await.unwrap();
        let entropy = Arc::new(SystemEntropy::new());
        Server::with(|builder| builder.store(StoreHandle::from(store)).entropy(entropy)).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn sec_rv_02_a_client_that_another_process_revokes_is_none_at_once() {
    let folder = Folder::new();
    let (one, other) = (folder.server().await, folder.server().await);
    let client = registered(&one).await;
    let (_, refresh) = one.tokens(&client).await;
    let next = one.refresh(&client, &refresh, &[]).await;
    let next = next.text("refresh_token");
    let registrations = Registrations::new(other.context.records.clone());
    let id = ClientId::parse(&client).unwrap();
    assert!(registrations.revoke(&id).await.unwrap());
    let refused = one.refresh(&client, &next, &[]).await;
    assert_eq!(refused.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn sec_rv_02_what_another_process_revokes_is_dead_on_the_next_request() {
    let folder = Folder::new();
    let (one, other) = (folder.server().await, folder.server().await);
    let (access, refresh) = one.tokens(APP).await;
    // Both have it in memory.
    for server in [&one, &other, &one, &other] {
        assert_eq!(server.call(&access).await, StatusCode::OK);
    }
    let grants = Grants::new(other.context.records.clone());
    let all = grants.list(&GrantFilter::All).await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(grants.revoke(all[0].id).await.unwrap());
    assert!(!grants.revoke(all[0].id).await.unwrap());
    assert_eq!(one.call(&access).await, StatusCode::UNAUTHORIZED);
    let dead = one.refresh(APP, &refresh, &[]).await;
    assert_eq!(dead.error(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn sec_rt_11_codes_end_with_the_grants() {
    let folder = Folder::new();
    let (one, other) = (folder.server().await, folder.server().await);
    let grants = Grants::new(other.context.records.clone());
    for filter in 0..4 {
        let (access, _) = one.tokens(APP).await;
        let (kept, _) = one.tokens(OTHER).await;
        let code = one.code(APP).await;
        assert_eq!(one.call(&access).await, StatusCode::OK);
        let all = grants.list(&GrantFilter::All).await.unwrap();
        let of_app = all.iter().find(|grant| grant.client.as_str() == APP);
        let (user, client) = (
            of_app.unwrap().subject.clone().unwrap(),
            of_app.unwrap().client.clone(),
        );
        let (filter, takes_both) = match filter {
            0 => (GrantFilter::UserAndClient(user, client), false),
            1 => (GrantFilter::Client(client), false),
            2 => (GrantFilter::User(user), true),
            _ => (GrantFilter::All, true),
        };
        let named = grants.list(&filter).await.unwrap().len();
        assert_eq!(grants.revoke_all(&filter).await.unwrap(), named);
        assert_eq!(grants.revoke_all(&filter).await.unwrap(), 0);
        assert_eq!(one.call(&access).await, StatusCode::UNAUTHORIZED);
        let late = one.redeem(APP, &code, &[]).await;
        assert_eq!(
            late.error(),
            (400, "invalid_grant".to_owned()),
            "{filter:?}"
        );
        let stays = one.call(&kept).await == StatusCode::OK;
        assert_eq!(stays, !takes_both, "{filter:?}");
    }
}

/// R12, T4: a client that came to one process goes on at another, and single use holds over both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cd_01_one_of_64_exchanges_wins_over_two_processes() {
    let folder = Folder::new();
    let servers = [
        Arc::new(folder.server().await),
        Arc::new(folder.server().await),
    ];
    for _ in 0..5 {
        let code = servers[0].code(APP).await;
        let all = (0..64).map(|n| {
            let (server, code) = (Arc::clone(&servers[n % 2]), code.clone());
            tokio::spawn(async move { server.redeem(APP, &code, &[]).await.status })
        });
        let all = join_all(all).await.into_iter().map(Result::unwrap);
        assert_eq!(all.filter(|status| *status == StatusCode::OK).count(), 1);
    }
    let grants = servers[1].context.records.count::<GrantRecord>();
    assert_eq!(grants.await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_02_t4_one_of_20_refreshes_replaces_the_token_over_two_processes() {
    let folder = Folder::new();
    let servers = [
        Arc::new(folder.server().await),
        Arc::new(folder.server().await),
    ];
    let (_, mut refresh) = servers[0].tokens(APP).await;
    for _ in 0..10 {
        let all = (0..20).map(|n| {
            let (server, refresh) = (Arc::clone(&servers[n % 2]), refresh.clone());
            tokio::spawn(async move { server.refresh(APP, &refresh, &[]).await })
        });
        let all = join_all(all).await.into_iter().map(Result::unwrap);
        let mut next: Vec<_> = all.map(|answer| answer.text("refresh_token")).collect();
        next.dedup();
        assert_eq!(next.len(), 1);
        refresh = next.remove(0);
    }
}

#[tokio::test]
async fn what_was_granted_outlives_the_process() {
    let folder = Folder::new();
    let (access, refresh) = folder.server().await.tokens(APP).await;
    let again = folder.server().await;
    assert_eq!(again.call(&access).await, StatusCode::OK);
    let answer = again.refresh(APP, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
}
