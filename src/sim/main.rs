//! `wf-sim` runs seeds of the simulated world, and prints what failed and which faults there were.

use std::io::{self, Write};
use std::process::ExitCode;
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

fn main() -> ExitCode {
    ended(run(&Args::parse(), &mut io::stdout().lock()))
}

/// Who reads no further has seen what they wanted.
fn ended(told: io::Result<ExitCode>) -> ExitCode {
    match told {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "wf-sim: failed to write: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what is asked for, and tells of it.
fn run(args: &Args, out: &mut impl Write) -> io::Result<ExitCode> {
    if args.trace {
        let (name, scenario) = Scenarios::default().of(args.from);
        writeln!(out, "seed {}, {name}", args.from)?;
        let breaks = Breaks::of(args.world.place(), args.from);
        breaks.trace(args.from, &scenario).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let begun = Instant::now();
    let tally = if args.exhaustive {
        exhaustive(args.world.place(), &args.only, args.threads, args.fail_fast)
    } else {
        by_chance(args.world.place(), args.from..args.from + args.seeds, &args.only, args.threads, args.fail_fast)
    };
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(
        out,
        "{} histories, {} failed, {:.1} s, {:.0} a second; {} pods, {} requests",
        tally.seeds,
        tally.failed.len(),
        seconds,
        tally.seeds as f64 / seconds,
        tally.pods,
        tally.calls
    )?;
    for (kind, times) in &tally.faults {
        writeln!(out, "{times:>10} {kind}")?;
    }
    for (seed, name, violations) in &tally.failed {
        writeln!(out, "seed {seed}, {name}: {violations:?}")?;
    }
    let has_failed = !tally.failed.is_empty();
    if let Some(first) = tally.first.filter(|_| args.tail > 0) {
        show(if args.as_is { first } else { first.smallest() }, args.tail, out)?;
    }
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tells of a history that fails: what breaks in it, its workflow, and the end of its trace.
fn show(failure: Failure, tail: usize, out: &mut impl Write) -> io::Result<()> {
    let Failure { seed, breaks, scenario, manifest, violations } = failure;
    writeln!(out, "\nseed {seed}: {violations:?}\n{breaks:?}\npeople ask: {:?}", scenario.asks)?;
    if let Some(manifest) = manifest {
        writeln!(out, "{}", serde_yaml::to_string(&manifest).expect("plain data"))?;
    }
    let lines = breaks.trace(seed, &scenario);
    let end = lines.iter().position(|line| line.contains("VIOLATION")).map_or(lines.len(), |at| at + 1);
    lines[end.saturating_sub(tail)..end].iter().try_for_each(|line| writeln!(out, "{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that nobody reads.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_reads_no_further_is_no_fault() {
        for options in [&["--trace", "--world", "local"][..], &["--seeds", "1", "--world", "local"]] {
            let args = Args::parse_from(std::iter::once("wf-sim").chain(options.iter().copied()));
            let told = run(&args, &mut Closed);
            assert_eq!(told.as_ref().map_err(io::Error::kind), Err(io::ErrorKind::BrokenPipe), "{options:?}");
            assert_eq!(ended(told), ExitCode::SUCCESS);
        }
    }
}
