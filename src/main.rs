fn main() {
    if let Some(code) = wf::backend::local::supervise::intercept() {
        std::process::exit(code);
    }
}
