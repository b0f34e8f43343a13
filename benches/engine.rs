//! The engine alone: no process is started, each pod ends well as soon as it is asked for.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use wf::base::{RunName, RunUid, Timestamp};
use wf::engine::{Action, Batch, Event, Observation, Phase, PodEnd, PodReport, Run};
use wf::plan::Plan;

use crate::shapes;

criterion_group!(benches, decide, fold, memory);

/// From the first observation to the end of the run, actions included.
fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine/decide");
    group.sample_size(10);
    for (name, plan) in plans() {
        group.throughput(Throughput::Elements(transitions(&play(&plan))));
        group.bench_with_input(BenchmarkId::from_parameter(name), &plan, |bencher, plan| {
            bencher.iter(|| black_box(play(plan)));
        });
    }
}

/// The same logs, folded: what taking over a run costs.
fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine/fold");
    group.sample_size(10);
    for (name, plan) in plans() {
        let log = play(&plan);
        group.throughput(Throughput::Elements(transitions(&log)));
        group.bench_with_input(BenchmarkId::from_parameter(name), &log, |bencher, log| {
            bencher.iter(|| {
                let mut run = new_run(&plan);
                log.iter().for_each(|batch| run.apply(batch));
                assert_eq!(run.phase(), Phase::Succeeded);
                black_box(run)
            });
        });
    }
}

const SHAPES: [(&str, fn(usize) -> String); 5] = [
    ("chain", shapes::chain),
    ("fan", shapes::fan),
    ("layers", shapes::layers),
    ("nested", shapes::nested),
    ("star", shapes::wide),
];

fn plans() -> impl Iterator<Item = (String, Arc<Plan>)> {
    SHAPES.into_iter().flat_map(|(name, make)| {
        [1_000, 10_000, 100_000].map(|nodes| (format!("{name}/{nodes}"), shapes::plan_of(&make(nodes))))
    })
}

/// Prints how much memory a run holds that has ended, its log and its plan left out.
fn memory(_: &mut Criterion) {
    println!("| shape | nodes | bytes a node |\n| --- | --- | --- |");
    for (name, make) in SHAPES {
        let plan = shapes::plan_of(&make(100_000));
        let before = resident_bytes();
        let run = play_to_the_end(&plan, |_| {});
        let nodes = run.nodes().count() as u64;
        println!("| {name} | {nodes} | {} |", resident_bytes().saturating_sub(before) / nodes);
    }
}

/// Returns how much memory this process holds now. Source: proc(5), `statm` counts pages.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second number is the resident pages") * 4096
}

fn new_run(plan: &Arc<Plan>) -> Run {
    let name = RunName::new("shape").expect("a good name");
    Run::new(plan.clone(), name, RunUid("uid".into()), Timestamp(0))
}

/// Plays a run and returns its log.
fn play(plan: &Arc<Plan>) -> Vec<Batch> {
    let mut log = Vec::new();
    play_to_the_end(plan, |batch| log.push(batch));
    log
}

/// Plays a run, tells each batch of its log, and returns it.
fn play_to_the_end(plan: &Arc<Plan>, mut tell: impl FnMut(Batch)) -> Run {
    let mut run = new_run(plan);
    let mut clock = 0;
    let mut observe = |run: &mut Run, observation| {
        clock += 1;
        let at = Timestamp(clock);
        tell(Batch { at, events: run.decide(observation, at) });
    };
    observe(&mut run, Observation::Begin);
    loop {
        let actions = run.pending();
        if actions.is_empty() {
            break;
        }
        for action in actions {
            let Action::Start(request) = action else { unreachable!("nothing is stopped here") };
            let running = PodReport::Running { ready: true, ip: None, host: None };
            observe(&mut run, Observation::Pod(request.node, running));
            observe(&mut run, Observation::Pod(request.node, PodReport::Ended(PodEnd::exited(0))));
        }
    }
    assert_eq!(run.phase(), Phase::Succeeded);
    run
}

/// Returns how often a node came into a phase: made, running, ended.
fn transitions(log: &[Batch]) -> u64 {
    let events = log.iter().flat_map(|batch| &batch.events);
    events.filter(|event| matches!(event, Event::Created(_) | Event::Runs { .. } | Event::Finished { .. })).count()
        as u64
}
