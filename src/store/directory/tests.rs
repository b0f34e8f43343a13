//! The store on the disk of this machine; faults that only a simulated disk has are the
//! simulated world's tests.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::{Answer, Header, Log, RequestId, Store, StoreError, Stored, Summary, Tail};
use super::{DirectoryLog, DirectoryStore};
use crate::base::{RunName, Timestamp};
use crate::engine::{Batch, Control, Event};

mod shared;

fn name(text: &str) -> RunName {
    RunName::new(text).expect("a valid name")
}

fn header(run: &str, created_at: i64) -> Header {
    let value = json!({
        "version": 1, "name": run, "uid": format!("uid-of-{run}"), "createdAt": created_at,
        "resolved": {"metadata": {}, "spec": {"entrypoint": "main", "templates": []}},
    });
    serde_json::from_value(value).expect("a header")
}

fn batch(at: i64) -> Vec<Batch> {
    vec![Batch { at: Timestamp(at), events: vec![Event::Began] }]
}

fn times(stored: &Stored) -> Vec<i64> {
    stored.records.iter().flat_map(|record| &record.batches).map(|batch| batch.at.0).collect()
}

fn summary(run: &str, phase: &str) -> Summary {
    let value = json!({"name": run, "uid": "u", "createdAt": 5, "phase": phase});
    serde_json::from_value(value).expect("a summary")
}

struct Fixture {
    _folder: tempfile::TempDir,
    store: DirectoryStore,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = DirectoryStore::new(folder.path().join("state/wf/runs"));
        Self { _folder: folder, store }
    }

    /// Makes a run of `records` records, and lets go of it.
    async fn run(&self, run: &str, records: i64) {
        let mut log = self.store.create(&header(run, 1)).await.expect("it can be created");
        for at in 1..=records {
            log.append(&batch(at), &[]).await.expect("it can be appended to");
        }
    }

    fn file(&self, run: &str, file: &str) -> std::path::PathBuf {
        self.store.folder(&name(run)).join(file)
    }

    fn lines(&self, run: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file(run, "events.jsonl")).expect("a log");
        text.lines().map(str::to_owned).collect()
    }

    fn rewrite(&self, run: &str, lines: &[String]) {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(self.file(run, "events.jsonl"), text).expect("a log can be replaced");
    }

    async fn load(&self, run: &str) -> Result<Stored, StoreError> {
        self.store.load(&name(run)).await
    }

    async fn acquire(&self, run: &str) -> Result<(DirectoryLog, Stored), StoreError> {
        self.store.acquire(&name(run)).await
    }
}

#[tokio::test]
async fn what_was_appended_is_loaded() {
    let fixture = Fixture::new();
    fixture.run("a", 3).await;
    let stored = fixture.load("a").await.expect("it can be loaded");
    assert_eq!((times(&stored), stored.torn), (vec![1, 2, 3], None));
    assert_eq!(stored.header.uid.to_string(), "uid-of-a");
    assert_eq!(stored.records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_name_is_given_once() {
    let fixture = Fixture::new();
    fixture.run("a", 0).await;
    let again = fixture.store.create(&header("a", 2)).await.err().expect("the name is taken");
    assert_eq!(again.to_string(), "a run named `a` exists already");
}

#[tokio::test]
async fn a_missing_run_is_said_so_with_the_nearest_name() {
    let fixture = Fixture::new();
    let nothing = fixture.load("build").await.expect_err("there is none");
    assert!(matches!(nothing, StoreError::NotFound { nearest: None, .. }), "{nothing}");
    fixture.run("build", 0).await;
    let near = fixture.load("buidl").await.expect_err("there is none");
    assert!(matches!(&near, StoreError::NotFound { nearest: Some(name), .. } if name == "build"), "{near}");
}

#[tokio::test]
async fn one_process_drives_at_a_time() {
    let fixture = Fixture::new();
    let log = fixture.store.create(&header("a", 1)).await.expect("it can be created");
    let refused = fixture.acquire("a").await.err().expect("it is held");
    assert_eq!(refused.to_string(), format!("run `a` is driven by process {}", std::process::id()));
    let refused = fixture.store.delete(&name("a")).await.expect_err("it is held");
    assert!(matches!(refused, StoreError::DrivenBy { .. }), "{refused}");
    drop(log);
    let (mut log, _) = fixture.acquire("a").await.expect("it is free");
    log.append(&batch(1), &[]).await.expect("it can be appended to");
    assert_eq!(times(&fixture.load("a").await.expect("reading needs no lock")), [1]);
}

#[tokio::test]
async fn a_torn_end_is_left_out_and_mended() {
    let fixture = Fixture::new();
    fixture.run("a", 3).await;
    let whole = fs::read(fixture.file("a", "events.jsonl")).expect("a log");
    let last = whole.len() - fixture.lines("a").last().expect("a line").len() - 1;
    for end in [last + 1, last + 9, whole.len() - 1] {
        fs::write(fixture.file("a", "events.jsonl"), &whole[..end]).expect("a log can be cut");
        let loaded = fixture.load("a").await.expect("a torn log can be loaded");
        assert!(loaded.torn.is_some() && times(&loaded) == [1, 2], "cut at {end}");
        let (mut log, stored) = fixture.acquire("a").await.expect("a torn log can be taken over");
        assert!(stored.torn.is_some());
        log.append(&batch(9), &[]).await.expect("it can be appended to");
        drop(log);
        let mended = fixture.load("a").await.expect("it is mended");
        assert_eq!((times(&mended), mended.torn), (vec![1, 2, 9], None));
    }
}

#[tokio::test]
async fn damage_is_told_by_line() {
    let fixture = Fixture::new();
    fixture.run("a", 4).await;
    let lines = fixture.lines("a");
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat();
    let with = |at: usize, line: String| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines
    };
    let cases = [
        ("an altered middle", with(2, lines[2].replace("\"at\":2", "\"at\":7")), 3, "was altered"),
        ("an altered end", with(4, lines[4].replace("\"at\":4", "\"at\":7")), 5, "was altered"),
        ("an altered header", with(0, lines[0].replace("main", "mine")), 1, "was altered"),
        ("a missing line", without(2), 3, "record 3 stands where record 2 belongs"),
        ("a missing header", without(0), 1, "record 1 stands where record 0 belongs"),
        ("a cut line", with(3, lines[3][..20].to_owned()), 4, "it is cut"),
        ("an empty line", with(3, String::new()), 4, "it is cut"),
        ("something else", with(1, "hello".to_owned()), 2, "it is cut, or was never"),
    ];
    for (what, lines, line, reason) in cases {
        fixture.rewrite("a", &lines);
        for error in [fixture.load("a").await.err(), fixture.acquire("a").await.err()] {
            let text = error.expect(what).to_string();
            let place = format!("line {line} of `{}`", fixture.file("a", "events.jsonl").display());
            assert!(text.contains(&place) && text.contains(reason), "{what}: {text}");
        }
    }
    fixture.rewrite("a", &lines);
    assert_eq!(times(&fixture.load("a").await.expect("nothing was written")), [1, 2, 3, 4]);
}

#[tokio::test]
async fn binary_or_empty_logs_are_damaged_at_their_first_line() {
    let fixture = Fixture::new();
    fixture.run("a", 1).await;
    for bytes in [&b""[..], b"\0\0\0", b"\xff\xfe\n\x80", b"{\"seq\":0"] {
        fs::write(fixture.file("a", "events.jsonl"), bytes).expect("a log can be replaced");
        fs::remove_file(fixture.file("a", "summary.json")).ok();
        let error = fixture.acquire("a").await.err().expect("no log").to_string();
        assert!(error.contains("damaged at line 1"), "{error}");
        assert_eq!(fs::read(fixture.file("a", "events.jsonl")).expect("a log"), bytes, "nothing is mended");
    }
}

#[tokio::test]
async fn a_log_that_lost_whole_lines_is_told_by_its_summary() {
    let fixture = Fixture::new();
    fixture.run("a", 3).await;
    let (mut log, _) = fixture.acquire("a").await.expect("it is free");
    log.summarize(&summary("a", "Running")).await.expect("it can be summarized");
    drop(log);
    let lines = fixture.lines("a");
    fixture.rewrite("a", &lines[..2]);
    let error = fixture.load("a").await.expect_err("lines are missing").to_string();
    assert!(error.contains("2 of 4 lines are left"), "{error}");
    fs::remove_file(fixture.file("a", "summary.json")).expect("what the message says can be done");
    assert_eq!(times(&fixture.load("a").await.expect("it goes on")), [1]);
}

#[tokio::test]
async fn a_later_format_is_refused_by_its_number() {
    let fixture = Fixture::new();
    let mut later = header("a", 1);
    later.version = 2;
    drop(fixture.store.create(&later).await.expect("it can be created"));
    let error = fixture.load("a").await.expect_err("it is newer");
    assert_eq!(error.to_string(), "the log of run `a` has format 2; this release reads up to 1");
}

#[tokio::test]
async fn a_run_cannot_be_renamed_behind_our_back() {
    let fixture = Fixture::new();
    fixture.run("a", 1).await;
    fs::rename(fixture.store.folder(&name("a")), fixture.store.folder(&name("b"))).expect("a rename");
    let error = fixture.load("b").await.expect_err("it is the log of another").to_string();
    assert!(error.contains("it is the log of run `a`"), "{error}");
}

#[tokio::test]
async fn big_texts_lie_beside_the_log_once() {
    let fixture = Fixture::new();
    fixture.run("a", 0).await;
    // Whatever holds a big text is treated alike; ids are the plainest.
    let ids = [RequestId("x".repeat(5000)), RequestId("y".repeat(5000)), RequestId("small".to_owned())];
    let (mut log, _) = fixture.acquire("a").await.expect("it is free");
    log.append(&[], &ids).await.expect("it can be appended to");
    log.append(&[], &ids[..1]).await.expect("it can be appended to");
    drop(log);
    assert!(fixture.lines("a").iter().skip(1).all(|line| line.len() < 600));
    let mut blobs: Vec<_> = fs::read_dir(fixture.file("a", "blobs")).expect("blobs").flatten().collect();
    blobs.sort_by_key(fs::DirEntry::path);
    assert_eq!(blobs.len(), 2);
    let stored = fixture.load("a").await.expect("it can be loaded");
    assert_eq!((&stored.records[0].taken[..], &stored.records[1].taken[..]), (&ids[..], &ids[..1]));

    fs::write(blobs[0].path(), "z".repeat(5000)).expect("a blob can be altered");
    let altered = fixture.load("a").await.expect_err("a blob was altered").to_string();
    assert!(altered.contains("damaged at line 2") && altered.contains("which was altered"), "{altered}");
    fs::remove_file(blobs[0].path()).expect("a blob can be removed");
    let missing = fixture.load("a").await.expect_err("a blob is missing").to_string();
    assert!(missing.contains("which is missing"), "{missing}");
}

#[tokio::test]
async fn listings_show_every_run_newest_first() {
    let fixture = Fixture::new();
    assert!(fixture.store.list().await.expect("no folder is no run").is_empty());
    for (run, at) in [("old", 1), ("new", 3), ("mid", 2), ("lost", 4), ("wild", 0)] {
        drop(fixture.store.create(&header(run, at)).await.expect("it can be created"));
    }
    fs::write(fixture.file("lost", "summary.json"), "{").expect("a summary can be garbled");
    fs::remove_file(fixture.file("wild", "summary.json")).expect("a summary can be lost");
    fs::write(fixture.file("wild", "events.jsonl"), "wild").expect("a log can be garbled");
    fs::create_dir(fixture.store.folder(&name("no-run"))).expect("a folder");
    fs::create_dir(fixture.file("no-run", ".new-x-1")).expect("a folder");
    let listed = fixture.store.list().await.expect("a listing");
    let listed: Vec<_> = listed.iter().map(|summary| (summary.name.as_str(), summary.phase.as_str())).collect();
    let pending = "Pending";
    assert_eq!(
        listed,
        [("lost", "Unknown"), ("new", pending), ("mid", pending), ("old", pending), ("wild", "Unknown")]
    );
    assert_eq!(fixture.store.list().await.expect("there are runs")[0].name.as_str(), "lost");
}

#[tokio::test]
async fn deleting_leaves_nothing_and_sweeps_what_died() {
    let fixture = Fixture::new();
    fixture.run("a", 2).await;
    fixture.run("b", 2).await;
    let root = fixture.store.folder(&name("a")).parent().expect("a root").to_owned();
    for left in [".new-c-1", ".gone-d-2"] {
        fs::create_dir(root.join(left)).expect("a folder");
        fs::write(root.join(left).join("lock"), "").expect("a lock");
    }
    fixture.store.delete(&name("a")).await.expect("it can be deleted");
    let left: Vec<_> = fs::read_dir(&root).expect("the root").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["b"]);
    assert!(matches!(fixture.load("a").await, Err(StoreError::NotFound { .. })));
    fixture.run("a", 1).await;
}

#[tokio::test]
async fn a_tail_sees_what_is_appended_and_waits_for_more() {
    let fixture = Fixture::new();
    fixture.run("a", 1).await;
    let (mut log, _) = fixture.acquire("a").await.expect("it is free");
    let (stored, mut tail) = fixture.store.follow(&name("a")).await.expect("it can be followed");
    assert_eq!(times(&stored), [1]);
    assert!(tail.read().expect("nothing is no error").is_empty());
    let appended = async {
        tokio::task::yield_now().await;
        log.append(&batch(2), &[]).await.expect("it can be appended to");
    };
    let (records, ()) = tokio::join!(tail.next(), appended);
    let records = records.expect("something came");
    assert_eq!((records.len(), records[0].seq, records[0].batches[0].at.0), (1, 2, 2));
    fs::write(fixture.file("a", "events.jsonl"), {
        let mut bytes = fs::read(fixture.file("a", "events.jsonl")).expect("a log");
        bytes.extend(b"{\"seq\":3,\"crc\"");
        bytes
    })
    .expect("a log can grow");
    assert!(tail.read().expect("the beginning of a record is no error").is_empty());
}

#[tokio::test]
async fn requests_come_in_order_once_and_are_answered() {
    let fixture = Fixture::new();
    let mut log = fixture.store.create(&header("a", 1)).await.expect("it can be created");
    let run = name("a");
    let mut ids = Vec::new();
    for (control, at) in [(Control::Suspend, 7), (Control::Terminate, 7), (Control::Suspend, 8)] {
        ids.push(fixture.store.ask(&run, &control, Timestamp(at)).await.expect("it can be asked"));
    }
    fs::write(fixture.file("a", "control/000000000000001-0000-1.json"), "nonsense").expect("a file");
    let requests = log.requests().await.expect("requests");
    assert_eq!(requests.iter().map(|request| &request.id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    assert_eq!(requests[1].control, Control::Terminate);

    log.append(&[], &ids[..1]).await.expect("it can be appended to");
    log.respond(&ids[1], &Answer::Refused { reason: "no".to_owned() }).await.expect("it can be answered");
    let answer = fixture.store.answer(&run, &ids[1]).await.expect("an answer");
    assert_eq!(answer, Answer::Refused { reason: "no".to_owned() });
    drop(log);

    // The next holder answers what was taken, and is asked for the rest.
    let (mut log, stored) = fixture.acquire("a").await.expect("it is free");
    assert_eq!(stored.records[0].taken, ids[..1]);
    let (again, answer) = tokio::join!(log.requests(), fixture.store.answer(&run, &ids[0]));
    assert_eq!(again.expect("requests").iter().map(|request| &request.id).collect::<Vec<_>>(), [&ids[2]]);
    assert_eq!(answer.expect("an answer"), Answer::Accepted);
}

#[tokio::test]
async fn a_request_wakes_a_waiting_driver() {
    let fixture = Fixture::new();
    let mut log = fixture.store.create(&header("a", 1)).await.expect("it can be created");
    let run = name("a");
    let ask = async {
        tokio::task::yield_now().await;
        fixture.store.ask(&run, &Control::Suspend, Timestamp(1)).await.expect("it can be asked")
    };
    let (requests, id) = tokio::join!(log.requests(), ask);
    assert_eq!(requests.expect("requests")[0].id, id);
}

/// A tmpfs mounted for a test, for faults of a disk that only the system can make.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, having said so, where this user may not mount.
    fn mount(test: &str, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let none: Option<&str> = None;
        let flags = nix::mount::MsFlags::empty();
        match nix::mount::mount(none, folder.path(), Some("tmpfs"), flags, Some(options)) {
            Ok(()) => Some(Self { folder }),
            Err(error) => {
                eprintln!("{test}: skipped, this user may not mount a tmpfs: {error}");
                None
            }
        }
    }

    fn make_read_only(&self) {
        let (none, flags) = (None::<&str>, nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY);
        nix::mount::mount(none, self.path(), none, flags, none).expect("what was mounted can be remounted");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.folder.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_durable() {
    let Some(disk) = SmallDisk::mount("a_full_disk", "size=256k") else { return };
    let store = DirectoryStore::new(disk.path().join("runs"));
    let mut log = store.create(&header("a", 1)).await.expect("it can be created");
    let many: Vec<Batch> = (0..50).flat_map(batch).collect();
    let mut appended = 0;
    let error = loop {
        match log.append(&many, &[]).await {
            Ok(()) => appended += 1,
            Err(error) => break error.to_string(),
        }
        assert!(appended < 10_000, "the disk fills up");
    };
    assert!(error.contains("failed to append to `") && error.contains("No space left on device"), "{error}");
    drop(log);
    let (_, stored) = store.acquire(&name("a")).await.expect("it can be taken over");
    assert_eq!(stored.records.len(), appended);
    let full = store.create(&header("b", 1)).await.err().map(|error| error.to_string());
    assert!(full.is_none_or(|error| error.contains("No space left on device")));
}

#[tokio::test]
async fn a_read_only_folder_can_be_read_and_says_why_not_more() {
    let Some(disk) = SmallDisk::mount("a_read_only_folder", "size=256k") else { return };
    let store = DirectoryStore::new(disk.path().join("runs"));
    let mut log = store.create(&header("a", 1)).await.expect("it can be created");
    log.append(&batch(1), &[]).await.expect("it can be appended to");
    drop(log);
    disk.make_read_only();
    assert_eq!(times(&store.load(&name("a")).await.expect("it can be read")), [1]);
    assert_eq!(store.list().await.expect("it can be listed").len(), 1);
    let path = disk.path().display().to_string();
    let refusals = [
        store.create(&header("b", 1)).await.err(),
        store.acquire(&name("a")).await.err(),
        store.delete(&name("a")).await.err(),
        store.ask(&name("a"), &Control::Suspend, Timestamp(1)).await.err(),
    ];
    for error in refusals {
        let text = error.expect("nothing can be written").to_string();
        assert!(text.contains("Read-only file system") && text.contains(&path), "{text}");
    }
}
