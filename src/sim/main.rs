//! `wf-sim` runs seeds of the simulated world, and prints what failed and which faults there were.

use std::time::Instant;

use clap::{Parser, ValueEnum};
use wf::sim::{Breaks, Failure, Place, Scenarios, by_chance, exhaustive};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Run the simulated world, seed by seed
#[derive(Parser)]
#[command(name = "wf-sim")]
struct Args {
    /// How many seeds to run
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Where runs take place
    #[arg(long, value_enum, default_value_t = World::Cluster)]
    world: World,
    /// Break at each place in turn instead: every step, request and watch event of every fixed scenario
    #[arg(long)]
    exhaustive: bool,
    /// Only the scenarios whose names contain this
    #[arg(long, default_value = "")]
    only: String,
    /// How many threads share them
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Print all that happens in the first seed
    #[arg(long)]
    trace: bool,
    /// Of the smallest history found that fails like the first one, print so many lines before the failure
    #[arg(long, default_value_t = 40)]
    tail: usize,
    /// Look for no smaller history: show the first one that fails
    #[arg(long)]
    as_is: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum World {
    /// This machine
    Local,
    /// A cluster
    Cluster,
}

impl World {
    fn place(self) -> Place {
        match self {
            World::Local => Place::Local,
            World::Cluster => Place::Cluster,
        }
    }
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    if args.trace {
        let (name, scenario) = Scenarios::default().of(args.from);
        println!("seed {}, {name}", args.from);
        let breaks = Breaks::of(args.world.place(), args.from);
        breaks.trace(args.from, &scenario).iter().for_each(|line| println!("{line}"));
        return std::process::ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let tally = if args.exhaustive {
        exhaustive(args.world.place(), &args.only, args.threads, args.fail_fast)
    } else {
        by_chance(args.world.place(), args.from..args.from + args.seeds, &args.only, args.threads, args.fail_fast)
    };
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} histories, {} failed, {:.1} s, {:.0} a second; {} pods, {} requests",
        tally.seeds,
        tally.failed.len(),
        seconds,
        tally.seeds as f64 / seconds,
        tally.pods,
        tally.calls
    );
    for (kind, times) in &tally.faults {
        println!("{times:>10} {kind}");
    }
    for (seed, name, violations) in &tally.failed {
        println!("seed {seed}, {name}: {violations:?}");
    }
    if let Some(first) = tally.first.filter(|_| args.tail > 0) {
        show(if args.as_is { first } else { first.smallest() }, args.tail);
    }
    if tally.failed.is_empty() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// Prints a history that fails: what breaks in it, its workflow, and the end of its trace.
fn show(failure: Failure, tail: usize) {
    let Failure { seed, breaks, scenario, manifest, violations } = failure;
    println!("\nseed {seed}: {violations:?}\n{breaks:?}\npeople ask: {:?}", scenario.asks);
    if let Some(manifest) = manifest {
        println!("{}", serde_yaml::to_string(&manifest).expect("plain data"));
    }
    let lines = breaks.trace(seed, &scenario);
    let end = lines.iter().position(|line| line.contains("VIOLATION")).map_or(lines.len(), |at| at + 1);
    lines[end.saturating_sub(tail)..end].iter().for_each(|line| println!("{line}"));
}
