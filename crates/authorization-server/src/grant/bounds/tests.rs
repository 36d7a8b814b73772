use portcullis_oauth::ClientId;

use super::*;
use crate::grant::world::{START, World, approval, grant, world};

impl World {
    /// Makes a grant, and looks at the others as what follows its answer does.
    async fn make(&self, granted_at: i64, client: &str) -> GrantId {
        let id = self.ledger.fresh_id().unwrap();
        let grant = GrantRecord {
            client: ClientId::parse(client).unwrap(),
            ..grant(id, granted_at)
        };
        assert!(self.ledger.open(&grant).await.unwrap());
        let latest = Latest::of(&grant).unwrap();
        self.ledger.bound(&latest).await.unwrap();
        id
    }
}

#[tokio::test]
async fn sec_cd_12_the_oldest_of_too_many_grants_ends() {
    let world = world().await;
    let other = world.make(START - 200, "other").await;
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(world.make(START - 100 + n, "client").await);
    }
    for (n, id) in ids.into_iter().enumerate() {
        let found = world.ledger.find(id).await.unwrap();
        assert_eq!(found.is_some(), n >= 10, "{n}");
    }
    assert!(world.ledger.find(other).await.unwrap().is_some());
    let subject = approval([0; 16]).subject;
    let shown = world.ledger.connections(&subject).await.unwrap();
    assert_eq!(shown.len(), 51);
    assert!(shown.is_sorted_by(|a, b| a.granted_at > b.granted_at));
}

/// Several times the bound, to as many clients: what is left is the bound, and what came between two
/// looks.
#[tokio::test]
async fn sec_ds_08_a_user_has_so_many_grants_and_no_more() {
    let world = world().await;
    let (mut latest, mut most) = (None, 0);
    for n in 0..4500 {
        latest = Some(
            world
                .make(START - 3000 + n / 2, &format!("client-{n}"))
                .await,
        );
        most = most.max(world.records.count::<GrantRecord>().await.unwrap());
    }
    assert!((1000..1500).contains(&most), "{most}");
    let left = world.records.count::<GrantRecord>().await.unwrap();
    assert!((750..=most).contains(&left), "{left}");
    let latest = world.ledger.find(latest.unwrap()).await.unwrap();
    assert!(latest.is_some());
}

#[tokio::test]
async fn sec_cd_12_a_user_is_looked_at_once_at_a_time() {
    let world = world().await;
    let user = |n: usize| Subject::parse(&format!("user-{n}")).unwrap();
    let first = world.ledger.look(&user(0)).unwrap();
    assert!(world.ledger.look(&user(0)).is_none());
    let others: Vec<_> = (1..)
        .map_while(|n| world.ledger.look(&user(n)))
        .take(2 * AT_ONCE)
        .collect();
    assert_eq!(others.len(), AT_ONCE - 1);
    drop(first);
    assert!(world.ledger.look(&user(0)).is_some());
}
