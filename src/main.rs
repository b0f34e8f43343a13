//! The command line of `wf`. All of it is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A supervisor of local steps is this same program under another name.
    match wf::backend::local::supervise::intercept() {
        Some(code) => std::process::exit(code),
        None => wf::cli::main(),
    }
}
