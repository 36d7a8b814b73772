//! Who hears of changes.

use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::model::{ServerNotification, SubscribeRequestParams, SubscriptionFilter};

use super::*;
use crate::{Prompt, Resource, Tool};

#[tokio::test]
async fn a_session_hears_what_changed() {
    let server = Server::new("s").prompt(Prompt::new("p", async || ""));
    let handle = server.handle();
    let (client, mut heard) = connect_as(Era::Session, server, None).await;
    client.list_all_tools().await.unwrap();
    handle.add_tool(Tool::new("late", async || "")).unwrap();
    assert_eq!(heard.recv().await, Some(Heard::ToolsChanged));
    assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
    handle.disable_prompt("p");
    assert_eq!(heard.recv().await, Some(Heard::PromptsChanged));
}

#[tokio::test]
async fn a_subscription_hears_only_what_it_asked_for() {
    let server = Server::new("s").prompt(Prompt::new("p", async || ""));
    let handle = server.handle();
    let client = connect(Era::Stateless, server).await;
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = client.listen(filter).await.unwrap();
    handle.disable_prompt("p");
    handle.add_tool(Tool::new("late", async || "")).unwrap();
    let first = subscription.next().await.unwrap();
    assert!(
        matches!(
            first,
            Some(ServerNotification::ToolListChangedNotification(_))
        ),
        "{first:?}"
    );
}

#[tokio::test]
async fn sec_updates_follow_the_right_to_read() {
    for era in ERAS {
        let allowed = Arc::new(AtomicBool::new(true));
        let right = Arc::clone(&allowed);
        let server = Server::new("s")
            .resource(
                Resource::new("x://secret", async || "")
                    .allow_if(move |_| right.load(Ordering::SeqCst)),
            )
            .resource(Resource::new("x://plain", async || ""));
        let handle = server.handle();
        let (client, mut heard) = connect_as(era, server, Some(local_user())).await;
        let uris = ["x://secret", "x://plain"];
        let mut subscription = None;
        if era == Era::Session {
            for uri in uris {
                client
                    .subscribe(SubscribeRequestParams::new(uri))
                    .await
                    .unwrap();
            }
        } else {
            let filter = SubscriptionFilter::builder()
                .resource_subscriptions(uris)
                .build();
            subscription = Some(client.listen(filter).await.unwrap());
        }
        let mut next = async || match &mut subscription {
            None => heard.recv().await,
            Some(subscription) => match subscription.next().await.unwrap() {
                Some(ServerNotification::ResourceUpdatedNotification(updated)) => {
                    Some(Heard::Updated(updated.params.uri))
                }
                other => panic!("{other:?}"),
            },
        };
        handle.notify_resource_updated("x://secret");
        assert_eq!(
            next().await,
            Some(Heard::Updated("x://secret".to_owned())),
            "{era:?}"
        );
        allowed.store(false, Ordering::SeqCst);
        handle.notify_resource_updated("x://secret");
        handle.notify_resource_updated("x://plain");
        assert_eq!(
            next().await,
            Some(Heard::Updated("x://plain".to_owned())),
            "{era:?}"
        );
    }
}

#[tokio::test]
async fn only_what_may_be_read_can_be_subscribed_to() {
    let server = Server::new("s").resource(Resource::new("x://y", async || "").allow_if(|_| false));
    let (client, _) = connect_as(Era::Session, server, Some(local_user())).await;
    let mut answers = Vec::new();
    for uri in ["x://y", "x://z"] {
        let error = client
            .subscribe(SubscribeRequestParams::new(uri))
            .await
            .unwrap_err();
        answers.push(error.to_string().replace(uri, "URI"));
    }
    assert_eq!(answers[0], answers[1], "hidden answers as unknown");
}
