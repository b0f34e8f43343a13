//! Logs of each release, which every later one must read, and fold to what they were.
//!
//! `WF_GOLDEN=new cargo test golden_log` writes those of this release anew; once it is out they
//! are never written again, and the next format gets a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wf::base::RunName;
use wf::driver::fold;
use wf::engine::Run;
use wf::plan::Plan;
use wf::sim::{Faults, run_seed, scenarios};
use wf::store::{DirectoryStore, Log, Store};

/// The seed whose histories are kept.
const SEED: u64 = 1;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log-v1")
}

#[tokio::test]
async fn logs_of_format_1_fold_to_what_they_were() {
    if std::env::var("WF_GOLDEN").is_ok_and(|value| value == "new") {
        write_anew().await;
    }
    let store = DirectoryStore::new(folder().join("runs"));
    let mut read = 0;
    for (name, _) in scenarios() {
        let stored = store.load(&RunName::new(name).expect("a valid name")).await.expect("a kept log can be read");
        let plan = Plan::compile(stored.header.resolved.clone());
        let plan =
            plan.unwrap_or_else(|problems| panic!("{name}: what was planned once can be planned again: {problems:?}"));
        let expected = fs::read_to_string(folder().join(format!("{name}.txt"))).expect("a kept picture");
        assert_eq!(picture(&fold(Arc::new(plan), &stored)), expected, "{name}");
        read += stored.records.len();
    }
    assert!(read > 50, "the logs hold something: {read} records");
}

/// Returns what a run looks like to a reader who knows nothing of this release's insides.
fn picture(run: &Run) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} {:?} progress {:?}", run.phase(), run.message(), run.progress());
    for node in run.nodes() {
        let _ = write!(text, "{:>3} {} {} {} {:?}", node.ix, node.name, node.kind.as_str(), node.phase, node.message);
        let _ = write!(text, " children {:?}", node.children.iter().map(|child| child.0).collect::<Vec<_>>());
        let short = |value: Option<&Arc<str>>| value.map_or(String::new(), |value| value.chars().take(40).collect());
        for parameter in node.inputs.iter().flat_map(|inputs| &inputs.parameters) {
            let _ = write!(text, " in {}={:?}", parameter.name, short(parameter.value.as_ref()));
        }
        for parameter in node.outputs.iter().flat_map(|outputs| &outputs.parameters) {
            let _ = write!(text, " out {}={:?}", parameter.name, short(parameter.value.as_ref()));
        }
        let result = node.outputs.as_ref().and_then(|outputs| outputs.result.as_ref());
        let _ = writeln!(text, " result {:?}", short(result));
    }
    text
}

async fn write_anew() {
    let _ = fs::remove_dir_all(folder());
    let store = DirectoryStore::new(folder().join("runs"));
    for (name, scenario) in scenarios() {
        let stored = run_seed(SEED, &scenario, &Faults::none()).stored.expect("without faults it ends");
        let mut header = stored.header.clone();
        header.name = RunName::new(name).expect("a valid name");
        let mut log = store.create(&header).await.expect("the folder can be written");
        for record in &stored.records {
            log.append(&record.batches, &record.taken).await.expect("the folder can be written");
        }
        let renamed = wf::store::Stored { header, ..stored };
        fs::write(folder().join(format!("{name}.txt")), picture(&fold(scenario.plan, &renamed)))
            .expect("it can be written");
        for left in ["lock", "summary.json", "control"] {
            let path = store.folder(&renamed.header.name).join(left);
            let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
    }
}
