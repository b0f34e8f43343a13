//! temp
use wf::source::{Sources, render};
use wf::plan::{self, Library};
use wf::spec::{self, Manifest};

#[test]
fn examples_plan() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut sources = Sources::default();
    for folder in [root.to_owned(), format!("{root}/library")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() { sources.add(path.display().to_string(), std::fs::read_to_string(&path).unwrap()); }
        }
    }
    let (reads, ds) = spec::read_all(&sources);
    for d in &ds { println!("{}", render::short(d, &sources)); }
    let (library, ds) = Library::new(&reads);
    for d in &ds { println!("{}", render::short(d, &sources)); }
    for read in &reads {
        for d in plan::lint(&sources, read, &library) { println!("{}", render::short(&d, &sources)); }
        if matches!(read.manifest, Manifest::Workflow(_)) {
            let (plan, _) = plan::check(&sources, read, &library, &plan::Call::default());
            println!("{} {}", sources.name(read.document.file), plan.is_some());
        }
    }
}
