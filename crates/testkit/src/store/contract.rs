//! What each operation does, one after the other.

use bytes::Bytes;
use portcullis_oauth::Timestamp;
use portcullis_store::{Change, Collection, Committed, Page, Row, RowKey, Store};

use super::Subject;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(super) const ONE: Collection = Collection::new("contract_one");
const OTHER: Collection = Collection::new("contract_other");

pub(super) fn key(collection: Collection, at: u32) -> RowKey {
    let mut digest = [0; 32];
    let (head, _) = digest.split_at_mut(4);
    head.copy_from_slice(&at.to_be_bytes());
    RowKey::new(collection, digest)
}

pub(super) fn row(at: u32, value: &str) -> Row {
    Row::new(key(ONE, at), Bytes::copy_from_slice(value.as_bytes()))
}

pub(super) fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn ending(mut row: Row, seconds: i64) -> Row {
    row.expires_at = Some(Timestamp::from_secs(NOW.as_secs() + seconds));
    row
}

fn elsewhere(mut row: Row) -> Row {
    row.key.collection = OTHER;
    row
}

fn of(mut row: Row, families: &[[u8; 32]]) -> Row {
    row.families = families.to_vec();
    row
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + seconds)
}

#[expect(clippy::expect_used, reason = "the store under test must work")]
pub(super) async fn commit(store: &dyn Store, changes: Vec<Change>) -> bool {
    let done = store.commit(changes, NOW).await;
    done.expect("a batch is judged") == Committed::Yes
}

pub(super) async fn put(store: &dyn Store, row: Row) {
    assert!(
        commit(store, vec![Change::Put(row)]).await,
        "a put has no condition"
    );
}

#[expect(clippy::expect_used, reason = "the store under test must work")]
pub(super) async fn get(store: &dyn Store, key: RowKey) -> Option<Row> {
    store.get(key).await.expect("a row can be read")
}

#[expect(clippy::expect_used, reason = "the store under test must work")]
async fn list(store: &dyn Store, collection: Collection, page: Page) -> Vec<Row> {
    store
        .list(collection, page)
        .await
        .expect("rows can be listed")
}

#[expect(clippy::expect_used, reason = "the store under test must work")]
pub(super) async fn family(store: &dyn Store, family: [u8; 32], page: Page) -> Vec<Row> {
    let rows = store.list_family(ONE, family, page).await;
    rows.expect("a family can be listed")
}

/// What was written is read: value, end and families, of any size, at its own key alone.
pub async fn rows_come_back_as_they_were(subject: &Subject) {
    let store = subject.store();
    let large = "x".repeat(100_000);
    let rows = [
        row(1, ""),
        row(2, "text"),
        row(3, &large),
        ending(row(4, "ends"), 10),
        of(row(5, "of two"), &[[1; 32], [2; 32]]),
        ending(of(row(6, "both"), &[[255; 32]]), 20),
        elsewhere(row(1, "in another collection")),
        Row::new(RowKey::new(ONE, [255; 32]), value("the last key")),
        Row::new(RowKey::new(ONE, [0; 32]), value("\0'\"%_;--")),
    ];
    for row in &rows {
        assert_eq!(get(store, row.key).await, None, "nothing is there before");
        put(store, row.clone()).await;
        assert_eq!(get(store, row.key).await.as_ref(), Some(row));
    }
    for row in &rows {
        assert_eq!(
            get(store, row.key).await.as_ref(),
            Some(row),
            "others moved it"
        );
        assert!(commit(store, vec![Change::Delete(row.key)]).await);
        assert_eq!(get(store, row.key).await, None, "it was deleted");
    }
    let over = of(ending(row(5, "again"), 5), &[[3; 32]]);
    put(store, rows[4].clone()).await;
    put(store, over.clone()).await;
    assert_eq!(
        get(store, over.key).await,
        Some(over),
        "a put replaces all of a row"
    );
}

/// Each conditional change happens exactly when its condition holds.
pub async fn conditions_hold(subject: &Subject) {
    let store = subject.store();
    let swap = |expected: &str, row| {
        let expected = value(expected);
        vec![Change::Swap { expected, row }]
    };
    let remove = |expected: &str| {
        let (key, expected) = (key(ONE, 1), value(expected));
        vec![Change::Remove { key, expected }]
    };
    assert!(
        !commit(store, swap("a", row(1, "b"))).await,
        "nothing to swap"
    );
    assert!(!commit(store, remove("a")).await, "nothing to remove");
    assert!(commit(store, vec![Change::Insert(row(1, "a"))]).await);
    assert!(
        !commit(store, vec![Change::Insert(row(1, "b"))]).await,
        "one is there"
    );
    for wrong in ["", "b", "aa", "A"] {
        assert!(!commit(store, swap(wrong, row(1, "b"))).await, "{wrong:?}");
        assert!(!commit(store, remove(wrong)).await, "{wrong:?}");
    }
    assert_eq!(get(store, key(ONE, 1)).await, Some(row(1, "a")));
    let next = ending(row(1, "b"), 10);
    assert!(commit(store, swap("a", next.clone())).await);
    assert_eq!(get(store, key(ONE, 1)).await, Some(next));

    // It ends when the clock says its second, neither before nor after.
    let at = async |seconds, change| {
        let done = store.commit(vec![change], later(seconds)).await;
        matches!(done, Ok(Committed::Yes))
    };
    let again = || ending(row(1, "c"), 30);
    let change = |expected: &str| Change::Swap {
        expected: value(expected),
        row: again(),
    };
    let gone = |expected: &str| Change::Remove {
        key: key(ONE, 1),
        expected: value(expected),
    };
    assert!(
        !at(9, Change::Insert(again())).await,
        "it has a second left"
    );
    assert!(!at(10, change("b")).await, "an expired row is no row");
    assert!(!at(10, gone("b")).await, "an expired row is no row");
    assert!(
        at(10, Change::Insert(again())).await,
        "it stands in nobody's way"
    );
    assert!(at(29, change("c")).await);
    assert!(at(29, gone("c")).await);
    assert_eq!(get(store, key(ONE, 1)).await, None);
    // Reading and taking leave it to the caller to look at the end.
    let past = ending(row(2, "past"), -5);
    put(store, past.clone()).await;
    assert_eq!(get(store, past.key).await.as_ref(), Some(&past));
    let taken = async || store.take(past.key).await.ok().flatten();
    assert_eq!(taken().await, Some(past.clone()));
    assert_eq!(taken().await, None, "taken once");
    assert_eq!(get(store, past.key).await, None);
}

/// A batch happens in its order, or not at all.
pub async fn batches_are_whole(subject: &Subject) {
    let store = subject.store();
    let kin = [7; 32];
    let old = of(row(1, "old"), &[kin]);
    put(store, old.clone()).await;
    put(store, row(2, "taken")).await;
    let changes = [
        Change::Insert(row(10, "new")),
        Change::Put(row(1, "put")),
        Change::Put(of(row(11, "put"), &[kin])),
        Change::Delete(key(ONE, 10)),
        Change::DeleteFamily(kin),
        Change::Insert(row(11, "again")),
        Change::Swap {
            expected: value("put"),
            row: row(1, "swapped"),
        },
        Change::Remove {
            key: key(ONE, 1),
            expected: value("swapped"),
        },
    ];
    // Each of these fails behind changes that could be made.
    for wrong in [
        Change::Insert(row(2, "one is there")),
        Change::Swap {
            expected: value("another"),
            row: row(2, "next"),
        },
        Change::Remove {
            key: key(ONE, 3),
            expected: value("none"),
        },
    ] {
        let batch = changes.iter().cloned().chain([wrong]).collect();
        assert!(!commit(store, batch).await);
        let all = list(store, ONE, Page::first(10)).await;
        assert_eq!(all, [old.clone(), row(2, "taken")], "a part was left");
        let members = family(store, kin, Page::first(10)).await;
        assert_eq!(members.first(), Some(&old), "a part was left of a family");
        assert_eq!(members.len(), 1, "a part was left of a family");
    }
    assert!(
        commit(store, changes.to_vec()).await,
        "conditions see what came before"
    );
    let all = list(store, ONE, Page::first(10)).await;
    assert_eq!(all, [row(2, "taken"), row(11, "again")]);
    assert!(
        commit(store, Vec::new()).await,
        "nothing is always possible"
    );
}

/// A family is what its rows say, in every collection, and goes at once.
pub async fn families_hold_together(subject: &Subject) {
    let store = subject.store();
    let (ann, ben) = ([1; 32], [2; 32]);
    for at in 0..7 {
        put(store, of(row(at, "ann's"), &[ann])).await;
        put(store, elsewhere(of(row(at, "ann's"), &[ann]))).await;
        put(store, of(row(100 + at, "both"), &[ann, ben])).await;
        put(store, of(row(200 + at, "ben's"), &[ben])).await;
    }
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key).collect::<Vec<_>>();
    let all = family(store, ann, Page::first(100)).await;
    let expected: Vec<_> = (0..7).chain(100..107).map(|at| key(ONE, at)).collect();
    assert_eq!(keys(&all), expected);
    let counts = async |family| {
        let one = store.count_family(ONE, family).await;
        let other = store.count_family(OTHER, family).await;
        [one, other].map(|count| count.unwrap_or(u64::MAX))
    };
    assert_eq!(counts(ann).await, [14, 7]);
    assert_eq!(counts(ben).await, [14, 0]);
    assert_eq!(counts([9; 32]).await, [0, 0], "nobody's family");
    let page = Page::after(key(ONE, 5).digest, 3);
    let some = family(store, ann, page).await;
    assert_eq!(keys(&some), [6, 100, 101].map(|at| key(ONE, at)));
    assert!(family(store, [9; 32], Page::first(10)).await.is_empty());

    // Whoever is written anew without it has left, and so has whoever was taken.
    put(store, row(0, "nobody's")).await;
    put(store, of(row(100, "ben's alone"), &[ben])).await;
    let taken = store.take(key(ONE, 1)).await;
    assert!(taken.is_ok_and(|row| row.is_some()));
    assert!(commit(store, vec![Change::Delete(key(ONE, 2))]).await);
    let left = family(store, ann, Page::first(100)).await;
    assert_eq!(left.len(), 10);
    assert_eq!(counts(ann).await, [10, 7], "the count follows");
    assert!(commit(store, vec![Change::DeleteFamily(ann)]).await);
    assert!(family(store, ann, Page::first(100)).await.is_empty());
    let all = list(store, ONE, Page::first(100)).await;
    let expected = [0, 100].into_iter().chain(200..207);
    let expected: Vec<_> = expected.map(|at| key(ONE, at)).collect();
    assert_eq!(keys(&all), expected);
    assert!(list(store, OTHER, Page::first(100)).await.is_empty());
    let bens = family(store, ben, Page::first(100)).await;
    assert_eq!(bens.len(), 8, "the others stay");
    assert_eq!([counts(ann).await, counts(ben).await], [[0, 0], [8, 0]]);
}

/// Listings are in the order of digests, and their pages leave nothing out and show nothing twice.
pub async fn pages_follow_one_another(subject: &Subject) {
    let store = subject.store();
    for at in (0..23).rev() {
        put(store, row(at * 3, "text")).await;
        put(store, elsewhere(row(at, "text"))).await;
    }
    for limit in [1, 2, 7, 23, 100] {
        let (mut seen, mut page) = (Vec::new(), Page::first(limit));
        loop {
            let rows = list(store, ONE, page).await;
            assert!(rows.len() <= limit, "more than asked for");
            seen.extend(rows.iter().map(|row| row.key));
            match rows.last() {
                Some(last) => page = Page::after(last.key.digest, limit),
                None => break,
            }
        }
        let expected: Vec<_> = (0..23).map(|at| key(ONE, at * 3)).collect();
        assert_eq!(seen, expected, "pages of {limit}");
    }
    // Behind a row that is not there any more.
    let behind = list(store, ONE, Page::after(key(ONE, 4).digest, 1)).await;
    assert_eq!(behind.first().map(|row| row.key), Some(key(ONE, 6)));
    assert!(list(store, ONE, Page::first(0)).await.is_empty());
    let count = store.count(ONE).await;
    assert!(
        count.is_ok_and(|count| count == 23),
        "a quiet store counts exactly"
    );
}

/// What ends first is listed first; sweeping deletes what is expired, so much of it as was asked
/// for, and nothing else.
pub async fn endings_are_listed_and_swept(subject: &Subject) {
    let store = subject.store();
    let kin = [3; 32];
    for at in 0..10_u32 {
        let seconds = i64::from(at) - 4;
        put(store, of(ending(row(10 - at, "text"), seconds), &[kin])).await;
        put(store, elsewhere(ending(row(at, "text"), 100))).await;
    }
    put(store, row(50, "endless")).await;
    let ends = async |limit| {
        let rows = store.list_ending(ONE, limit).await.unwrap_or_default();
        let ends = rows.iter().map(|row| row.expires_at);
        ends.map(|end| end.map(|end| end.as_secs() - NOW.as_secs()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ends(3).await, [Some(-4), Some(-3), Some(-2)]);
    let all = ends(100).await;
    let expected = (-4..=5).map(Some).chain([None]);
    assert_eq!(all, expected.collect::<Vec<_>>());

    // Five are expired: -4 to 0.
    let sweep = async |limit| store.sweep(NOW, limit).await.unwrap_or(u64::MAX);
    assert_eq!(sweep(0).await, 0);
    assert_eq!(sweep(3).await, 3);
    assert_eq!(sweep(3).await, 2);
    assert_eq!(sweep(3).await, 0);
    assert_eq!(ends(1).await, [Some(1)]);
    let members = family(store, kin, Page::first(100)).await;
    assert_eq!(members.len(), 5, "what is swept leaves its family");
    assert_eq!(list(store, OTHER, Page::first(100)).await.len(), 10);
    // Many at once.
    for at in 100..800 {
        put(store, ending(row(at, "text"), -1)).await;
    }
    assert_eq!(sweep(650).await, 650);
    assert_eq!(sweep(1000).await, 50);
    assert!(
        get(store, key(ONE, 50)).await.is_some(),
        "no end is never swept"
    );
}

/// A collection in which rows end all the time keeps no other from being swept.
pub async fn sweeping_reaches_every_collection(subject: &Subject) {
    let store = subject.store();
    for at in 0..5 {
        put(store, elsewhere(ending(row(at, "text"), 0))).await;
    }
    for round in 0..20 {
        for at in 0..10 {
            put(store, ending(row(round * 10 + at, "text"), -100)).await;
        }
        let swept = store.sweep(NOW, 10).await.unwrap_or_default();
        assert_eq!(swept, 10, "there is more than was asked for");
    }
    let left = list(store, OTHER, Page::first(10)).await;
    assert!(left.is_empty(), "{} were never swept", left.len());
}
