//! The engine alone: no process is started, each pod ends well as soon as it is asked for.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use wf::base::{RunName, RunUid, Timestamp};
use wf::engine::{Action, Batch, Event, Observation, Phase, PodEnd, PodReport, Run};
use wf::plan::Plan;

use crate::shapes;

criterion_group!(benches, decide, fold);

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

fn plans() -> impl Iterator<Item = (String, Arc<Plan>)> {
    let shapes: [(&str, fn(usize) -> String); 3] =
        [("chain", shapes::chain), ("fan", shapes::fan), ("layers", shapes::layers)];
    shapes.into_iter().flat_map(|(name, make)| {
        [1_000, 10_000].map(|nodes| (format!("{name}/{nodes}"), shapes::plan_of(&make(nodes))))
    })
}

fn new_run(plan: &Arc<Plan>) -> Run {
    let name = RunName::new("shape").expect("a good name");
    Run::new(plan.clone(), name, RunUid("uid".into()), Timestamp(0))
}

/// Plays a run and returns its log.
fn play(plan: &Arc<Plan>) -> Vec<Batch> {
    let mut run = new_run(plan);
    let mut log = Vec::new();
    let mut clock = 0;
    let mut observe = |run: &mut Run, observation| {
        clock += 1;
        let at = Timestamp(clock);
        log.push(Batch { at, events: run.decide(observation, at) });
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
    log
}

/// Returns how often a node came into a phase: made, running, ended.
fn transitions(log: &[Batch]) -> u64 {
    let events = log.iter().flat_map(|batch| &batch.events);
    events.filter(|event| matches!(event, Event::Created(_) | Event::Runs { .. } | Event::Finished { .. })).count() as u64
}
