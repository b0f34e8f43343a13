//! From text to a checked plan: what `wf lint` costs beyond reading files.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use wf::plan::{self, Library};
use wf::source::Sources;
use wf::spec::{self, Manifest};

use crate::shapes;

criterion_group!(benches, examples, generated);

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
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let texts = [text];
        group.bench_with_input(BenchmarkId::from_parameter(name), &texts, |bencher, texts| {
            bencher.iter(|| black_box(check(texts)));
        });
    }
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
