//! From text to a checked plan: what `wf lint` costs beyond reading files.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use wf::plan::{self, Library};
use wf::source::Sources;
use wf::spec::{self, Manifest};

use crate::shapes;

criterion_group!(benches, examples, generated, argo, growth);

/// All manifests of `examples/` at once.
fn examples(criterion: &mut Criterion) {
    let mut texts = Vec::new();
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &mut texts);
    let mut group = criterion.benchmark_group("source/check");
    group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    group.bench_function("examples", |bencher| bencher.iter(|| black_box(check(&texts))));
}

/// One manifest of many tasks.
fn generated(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("source/check");
    group.sample_size(10);
    for (name, text) in [
        ("chain/1000", shapes::chain(1_000)),
        ("chain/10000", shapes::chain(10_000)),
        ("layers/10000", shapes::layers(10_000)),
        ("chain/3000", shapes::chain(3_000)),
        ("wide/5000", shapes::wide(5_000)),
        ("layers/100000", shapes::layers(100_000)),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let texts = [text];
        group.bench_with_input(BenchmarkId::from_parameter(name), &texts, |bencher, texts| {
            bencher.iter(|| black_box(check(texts)));
        });
    }
}

/// All of Argo's examples in one call, as `wf lint` does it.
fn argo(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/manifests");
    if !folder.is_dir() {
        return;
    }
    let mut texts = Vec::new();
    read_folder(&folder, &mut texts);
    let mut group = criterion.benchmark_group("source/lint");
    group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    group.bench_function(format!("argo/{}", texts.len()), |bencher| bencher.iter(|| black_box(lint(&texts))));
}

/// Prints how the time of a check grows with the tasks: 1 is linear.
fn growth(_: &mut Criterion) {
    println!("| shape | tasks | seconds | exponent |\n| --- | --- | --- | --- |");
    let shapes: [(&str, fn(usize) -> String); 3] =
        [("chain", shapes::chain), ("wide", shapes::wide), ("layers", shapes::layers)];
    for (name, make) in shapes {
        let mut before: Option<f64> = None;
        for tasks in [1_000, 10_000, 100_000] {
            let texts = [make(tasks)];
            let begin = Instant::now();
            assert_eq!(black_box(check(&texts)), 1, "what is timed is read and has a plan");
            let seconds = begin.elapsed().as_secs_f64();
            let exponent = before.map_or_else(String::new, |before| format!("{:.2}", (seconds / before).log10()));
            println!("| {name} | {tasks} | {seconds:.3} | {exponent} |");
            before = Some(seconds);
        }
    }
}

/// Returns how many problems there are.
fn lint(texts: &[String]) -> usize {
    let mut sources = Sources::default();
    for (number, text) in texts.iter().enumerate() {
        sources.add(format!("{number}.yaml"), text.as_str());
    }
    let (reads, diagnostics) = spec::read_all(&sources);
    diagnostics.len() + plan::lint_all(&sources, &reads).len()
}

/// Returns how many workflows have a plan, which is all of them.
fn check(texts: &[String]) -> usize {
    let mut sources = Sources::default();
    for (number, text) in texts.iter().enumerate() {
        sources.add(format!("{number}.yaml"), text.as_str());
    }
    let (reads, _) = spec::read_all(&sources);
    let (library, _) = Library::new(&reads);
    let workflows = reads.iter().filter(|read| matches!(read.manifest, Manifest::Workflow(_)));
    let plans = workflows.map(|read| plan::check(&sources, read, &library, &plan::Call::default()).0);
    plans.inspect(|plan| assert!(plan.is_some(), "a manifest that is timed is a good one")).count()
}

fn read_folder(folder: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder is part of the package") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            read_folder(&path, texts);
        } else {
            texts.push(std::fs::read_to_string(&path).expect("an example is text"));
        }
    }
}
