//! What would go wrong: one family of checks a file.
//!
//! Each looks at the whole draft and collects; none stops at the first problem, and none
//! depends on another. An error is what fails for certain; what may run is a warning.

mod aggregates;
mod arguments;
mod artifacts;
mod conditions;
mod containers;
mod dag;
mod enums;
mod expressions;
mod fields;
mod http;
mod images;
mod keys;
mod locks;
mod lookup;
mod loops;
mod metadata;
mod metrics;
mod names;
mod never;
mod outputs;
mod patches;
mod placing;
mod pods;
mod policies;
mod probes;
mod reach;
mod references;
mod resources;
mod retries;
mod secrets;
mod taste;
mod templates;
mod types;
mod volumes;
mod workflow;

use super::compile::Draft;
use super::globals::Globals;
use super::library::Library;
use super::model::{Body, Task, TaskIx, Template};
use super::problem::Place;
use super::problems::Problems;

/// What a manifest is checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be run now: every argument needs its value.
    Run,
    /// To be right as a file: arguments may get their values when it is submitted.
    Lint,
    /// To be called by others: it needs no entrypoint, and may use their parameters.
    Library,
}

/// What every check looks at.
struct Checked<'a> {
    draft: &'a Draft,
    purpose: Purpose,
    /// The objects that were given.
    library: &'a Library,
    globals: Globals<'a>,
    /// By template: its steps or tasks.
    calls: Vec<Vec<Called<'a>>>,
}

/// Finds everything that is wrong with what was compiled, apart from what compiling found.
pub(super) fn run(draft: &Draft, purpose: Purpose, library: &Library, problems: &mut Problems) {
    let globals = Globals::of(draft, purpose == Purpose::Library);
    let calls = draft.templates.iter().map(called).collect();
    let checked = Checked { draft, purpose, library, globals, calls };
    let families: [fn(&Checked<'_>, &mut Problems); 32] = [
        workflow::check,
        names::check,
        templates::check,
        arguments::check,
        references::check,
        expressions::check,
        conditions::check,
        loops::check,
        dag::check,
        outputs::check,
        artifacts::check,
        containers::check,
        resources::check,
        retries::check,
        fields::check,
        metrics::check,
        reach::check,
        never::check,
        aggregates::check,
        metadata::check,
        pods::check,
        volumes::check,
        placing::check,
        policies::check,
        enums::check,
        keys::check,
        patches::check,
        locks::check,
        secrets::check,
        types::check,
        http::check,
        taste::check,
    ];
    for family in families {
        family(&checked, problems);
    }
}

impl<'a> Checked<'a> {
    /// Returns every template with its steps or tasks.
    fn each(&self) -> impl Iterator<Item = (&'a Template, &[Called<'a>])> {
        self.draft.templates.iter().zip(self.calls.iter().map(Vec::as_slice))
    }

    /// Returns the template that a task calls, as far as it is known.
    fn target(&self, task: &Task) -> Option<&Template> {
        Some(&self.draft.templates[task.target?.index()])
    }
}

/// A step or task with its place.
struct Called<'a> {
    task: &'a Task,
    /// Its number in the order of the manifest.
    ix: TaskIx,
    /// Its group, of a step; 0 of a task.
    group: usize,
    place: Place,
}

/// Returns the steps or tasks of a template with their places.
fn called(template: &Template) -> Vec<Called<'_>> {
    let groups: Vec<(usize, Place, &[Task])> = match &template.body {
        Body::Steps(groups) => {
            let place = template.place.key("steps");
            groups.iter().enumerate().map(|(group, tasks)| (group, place.index(group), tasks.as_slice())).collect()
        }
        Body::Dag(dag) => vec![(0, template.place.key("dag").key("tasks"), dag.tasks.as_slice())],
        _ => Vec::new(),
    };
    let tasks = groups.into_iter().flat_map(|(group, place, tasks)| {
        tasks.iter().enumerate().map(move |(index, task)| (task, group, place.index(index)))
    });
    tasks.enumerate().map(|(ix, (task, group, place))| Called { task, ix, group, place }).collect()
}

/// Returns what messages call a template.
fn title(template: &Template) -> String {
    format!("template `{}`", template.name)
}

/// Returns a text that is there and not empty.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
