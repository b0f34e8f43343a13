//! How fast the parts are that decide how fast a run can be. Run with `cargo bench`, or
//! `cargo bench -- engine/decide` for a part; `.ci/bench` times whole commands.

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod engine;
mod shapes;
mod source;

criterion::criterion_main!(engine::benches, source::benches);
