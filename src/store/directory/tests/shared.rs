//! What runs of one folder share.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::engine::{Memo, Phase};
use crate::store::Shared as _;
use crate::store::claims::Claim;

/// How long to wait for what is not to happen.
const A_WHILE: Duration = Duration::from_millis(100);
/// How long to wait for what is.
const LONG: Duration = Duration::from_secs(30);

fn claim(wanted: u32, outlives_driver: bool) -> Claim {
    Claim { lock: "here/Mutex/m".to_owned(), limit: 1, wanted, priority: 0, since: Timestamp(1), outlives_driver }
}

impl Fixture {
    async fn created(&self, run: &str) -> DirectoryLog {
        self.store.create(&header(run, 1)).await.expect("it can be created")
    }
}

#[tokio::test]
async fn a_lock_is_one_runs_until_that_gives_it_back() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.created("a").await, fixture.created("b").await);
    let (one, other) = (a.shared(), b.shared());
    assert_eq!(one.claim(&claim(1, false)).await.expect("it can be claimed"), 1);
    assert_eq!(one.claim(&claim(1, false)).await.expect("it can be claimed"), 1, "it is its own");
    assert_eq!(other.claim(&claim(1, false)).await.expect("it can be claimed"), 0);
    assert!(timeout(A_WHILE, other.freed("here/Mutex/m", 0)).await.is_err(), "nothing has changed");
    let back = async {
        tokio::task::yield_now().await;
        one.claim(&claim(0, false)).await.expect("it can be given back")
    };
    let (freed, _) =
        timeout(LONG, async { tokio::join!(other.freed("here/Mutex/m", 0), back) }).await.expect("it wakes");
    freed.expect("it can be watched");
    assert_eq!(other.claim(&claim(1, false)).await.expect("it can be claimed"), 1);
    timeout(LONG, other.freed("here/Mutex/m", 0)).await.expect("it has it already").expect("it can be read");
    // A record that nobody is in goes.
    other.claim(&claim(0, false)).await.expect("it can be given back");
    let left = fs::read_dir(fixture.store.root.join(".locks")).expect("a folder");
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().ends_with(".json")));
}

/// What runs hold while they are driven is free when they no longer are.
#[tokio::test]
async fn a_driver_that_died_holds_what_outlives_it_until_its_run_is_over() {
    for outlives in [false, true] {
        for fate in ["driven", "left", "ended", "deleted", "another"] {
            let fixture = Fixture::new();
            let mut first = fixture.created("a").await;
            let second = fixture.created("b").await;
            assert_eq!(first.shared().claim(&claim(1, outlives)).await.expect("it can be claimed"), 1);
            let mut kept = None;
            match fate {
                "driven" => kept = Some(first),
                "left" => drop(first),
                "ended" => {
                    let events = vec![Event::Ended { p: Phase::Succeeded, m: "".into() }];
                    first.append(&[Batch { at: Timestamp(2), events }], &[]).await.expect("it can be appended to");
                    drop(first);
                }
                _ => {
                    drop(first);
                    fixture.store.delete(&name("a")).await.expect("nobody drives it");
                }
            }
            if fate == "another" {
                let header = Header { uid: crate::base::RunUid("another".into()), ..header("a", 2) };
                drop(fixture.store.create(&header).await.expect("the name is free"));
            }
            let is_free = fate != "driven" && !(outlives && fate == "left");
            let granted = second.shared().claim(&claim(1, outlives)).await.expect("it can be claimed");
            assert_eq!(granted, u32::from(is_free), "{fate}, outlives: {outlives}");
            drop(kept);
        }
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_frees_nothing() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.created("a").await, fixture.created("b").await);
    a.shared().claim(&claim(1, false)).await.expect("it can be claimed");
    let folder = fs::read_dir(fixture.store.root.join(".locks")).expect("a folder");
    let records = folder.flatten().map(|entry| entry.path());
    let record = records.into_iter().find(|path| path.extension().is_some_and(|end| end == "json"));
    fs::write(record.expect("a record"), "{").expect("it can be overwritten");
    let error = b.shared().claim(&claim(1, false)).await.expect_err("who holds it is not known");
    assert!(error.to_string().contains("failed to read `"), "{error}");
}

#[tokio::test]
async fn a_cache_keeps_the_last_entry_of_each_key() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.created("a").await, fixture.created("b").await);
    let memo = |cache: &str, key: &str| Memo { cache: cache.into(), key: key.into(), hit: false };
    assert_eq!(a.shared().recall(&memo("c", "k/../1")).await.expect("it can be read"), None);
    for entry in ["one", "two"] {
        a.shared().remember(&memo("c", "k/../1"), entry).await.expect("it can be kept");
    }
    assert_eq!(b.shared().recall(&memo("c", "k/../1")).await.expect("it can be read").as_deref(), Some("two"));
    for other in [memo("d", "k/../1"), memo("c", "k")] {
        assert_eq!(b.shared().recall(&other).await.expect("it can be read"), None);
    }
}

#[tokio::test]
async fn a_store_knows_who_is_driven() {
    let fixture = Fixture::new();
    let log = fixture.created("a").await;
    assert!(fixture.store.is_held(&name("a")).await.expect("it is there"));
    log.release().await;
    assert!(!fixture.store.is_held(&name("a")).await.expect("it is there"));
    assert!(matches!(fixture.store.is_held(&name("b")).await, Err(StoreError::NotFound { .. })));
}
