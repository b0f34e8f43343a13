//! When a container of a set has its turn, and how often its command is tried: what the helper is told of it.
//! Pure. Source: Argo's `waitForDependencies` and `FindOverlappingVolume`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::needs::Needs;
use crate::backend::kubernetes::containers::MAIN;
use crate::backend::tries::Tries;
use crate::spec;

/// The volume that holds the marks.
const VOLUME: &str = "wf-set";

/// Where it is mounted.
const MOUNT_PATH: &str = "/wf.internal.set";

/// What a container of a set does besides its work. Containers are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// The name under which others see how it ended.
    pub mark: Option<String>,
    /// Those that must have succeeded before its command is run.
    pub after: Vec<String>,
    /// Those that must have ended before its outputs are read, since they may write them.
    pub until: Vec<String>,
    /// How often its command is tried.
    pub tries: Tries,
}

impl Turn {
    /// Returns the turn of each container of a set, in their order; `needs` is what `main` is to report.
    pub fn of(set: &spec::ContainerSetTemplate, needs: &Needs, tries: Tries) -> Vec<Self> {
        let awaited: BTreeSet<&str> =
            set.containers.iter().flat_map(|node| &node.dependencies).map(String::as_str).collect();
        let others: Vec<String> =
            set.containers.iter().map(name).filter(|name| *name != MAIN).map(str::to_owned).collect();
        let reads_late = set.containers.iter().any(|node| name(node) == MAIN && has_shared_outputs(set, node, needs));
        let turn = |node: &spec::ContainerNode| {
            let is_main = name(node) == MAIN;
            let is_marked = awaited.contains(name(node)) || reads_late && !is_main;
            Self {
                mark: is_marked.then(|| name(node).to_owned()),
                after: node.dependencies.clone(),
                until: if reads_late && is_main { others.clone() } else { Vec::new() },
                tries,
            }
        };
        set.containers.iter().map(turn).collect()
    }

    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether it has to do with the turns of others.
    pub fn has_marks(&self) -> bool {
        self.mark.is_some() || !self.after.is_empty() || !self.until.is_empty()
    }

    /// Returns the helper's options for it.
    pub(super) fn options(&self) -> impl Iterator<Item = String> {
        let path = |name: &String| format!("{MOUNT_PATH}/{name}");
        let option = move |word: &'static str| move |name| [word.to_owned(), path(name)];
        let marks = self.mark.iter().flat_map(option("--mark"));
        let after = self.after.iter().flat_map(option("--after"));
        let until = self.until.iter().flat_map(option("--until"));
        let Tries { count, pause } = self.tries;
        let tries = [("--tries", u64::from(count)), ("--pause", pause.0)].into_iter().filter(move |_| count > 1);
        marks.chain(after).chain(until).chain(tries.flat_map(|(word, number)| [word.to_owned(), number.to_string()]))
    }
}

/// Returns the containers of a set that the helper must run, with their names; tags may still stand.
pub(super) fn wrapped<'s>(
    set: &'s spec::ContainerSetTemplate,
    needs: &Needs,
) -> impl Iterator<Item = (&'s str, &'s Value)> {
    let reports = !needs.is_empty();
    let tries_again = set.retry_strategy.is_some();
    let turns = Turn::of(set, needs, Tries::default());
    let is_wrapped =
        move |node: &spec::ContainerNode, turn: &Turn| !turn.is_empty() || tries_again || reports && name(node) == MAIN;
    let wrapped = set.containers.iter().zip(turns).filter(move |(node, turn)| is_wrapped(node, turn));
    wrapped.map(|(node, _)| (name(node), &node.container.0))
}

/// Returns the volume of the marks: a folder that every container may write to, whoever it runs as.
pub fn turn_volume() -> Value {
    json!({ "name": VOLUME, "emptyDir": {} })
}

/// Returns how a container mounts it.
pub(super) fn mount() -> Value {
    json!({ "name": VOLUME, "mountPath": MOUNT_PATH })
}

/// Returns whether outputs of `main` lie on a volume, where other containers may write them.
fn has_shared_outputs(set: &spec::ContainerSetTemplate, main: &spec::ContainerNode, needs: &Needs) -> bool {
    let own = main.container["volumeMounts"].as_array().into_iter().flatten();
    let mounts = set.volume_mounts.iter().map(|mount| &mount.0).chain(own);
    let mut folders = mounts.filter_map(|mount| mount["mountPath"].as_str()).map(|path| path.trim_end_matches('/'));
    let is_below = |file: &str, folder: &str| {
        file.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    folders.any(|folder| needs.parameters.iter().any(|file| is_below(&file.path, folder)))
}

fn name(node: &spec::ContainerNode) -> &str {
    node.container["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::needs::OutputFile;
    use super::*;
    use crate::base::TimeSpan;

    fn check(set: Value, outputs: &[&str], tries: Tries, expected: &[&str]) {
        let set: spec::ContainerSetTemplate = serde_json::from_value(set).expect("a set");
        let file = |path: &&str| OutputFile { name: "o".to_owned(), path: (*path).to_owned() };
        let needs = Needs { result: false, parameters: outputs.iter().map(file).collect() };
        let turns = Turn::of(&set, &needs, tries);
        let shown: Vec<String> = turns
            .iter()
            .map(|turn| turn.options().collect::<Vec<_>>().join(" ").replace("/wf.internal.set/", "/"))
            .collect();
        assert_eq!(shown, expected, "{outputs:?}");
    }

    #[test]
    fn each_has_its_turn() {
        let set = || {
            json!({
                "volumeMounts": [{ "name": "v", "mountPath": "/work/" }],
                "containers": [
                    { "name": "a" }, { "name": "b", "dependencies": ["a"] }, { "name": "main", "dependencies": ["a", "b"] },
                    { "name": "alone" },
                ],
            })
        };
        let once = Tries::default();
        check(set(), &["/out", "/workshop"], once, &["--mark /a", "--mark /b --after /a", "--after /a --after /b", ""]);
        check(
            set(),
            &["/work/out"],
            once,
            &[
                "--mark /a",
                "--mark /b --after /a",
                "--after /a --after /b --until /a --until /b --until /alone",
                "--mark /alone",
            ],
        );
        let alone = json!({ "containers": [{ "name": "a" }] });
        check(alone.clone(), &[], once, &[""]);
        check(alone, &[], Tries { count: 3, pause: TimeSpan(1500) }, &["--tries 3 --pause 1500"]);
    }
}
