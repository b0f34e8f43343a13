//! Artifacts of templates: paths where containers use them, and only there.
//!
//! Source: `validateInputs`, `validateOutputs`, `Artifact.CleanPath`.

use super::{Checked, given};
use crate::plan::kinds;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        let inputs = template.spec.inputs.as_ref().map(|inputs| inputs.artifacts.as_slice()).unwrap_or_default();
        let outputs = template.spec.outputs.as_ref().map(|outputs| outputs.artifacts.as_slice()).unwrap_or_default();
        for (artifacts, of) in [(inputs, "inputs"), (outputs, "outputs")] {
            let place = template.place.key(of).key("artifacts");
            for (index, artifact) in artifacts.iter().enumerate() {
                let place = place.index(index);
                problems.extend(path(template, artifact, &place));
                problems.extend(location(artifact, &place));
            }
        }
        for (index, artifact) in inputs.iter().enumerate() {
            if given(artifact.from.as_deref()).is_some() {
                let place = template.place.key("inputs").key("artifacts").index(index).key("from");
                let message = format!("the input artifact `{}` cannot have `from`", artifact.name);
                problems.push(
                    Problem::error(rules::ARTIFACT_SOURCE, place, message)
                        .help("the caller passes it, in its `arguments.artifacts`"),
                );
            }
        }
    }
}

fn path(template: &Template, artifact: &spec::Artifact, place: &Place) -> Option<Problem> {
    let name = &artifact.name;
    match (kinds::is_leaf(&template.spec), given(artifact.path.as_deref())) {
        (true, None) => {
            let message = format!("the artifact `{name}` has no `path`");
            Some(
                Problem::error(rules::ARTIFACT_PATH, place.clone(), message)
                    .help("add `path`, the place of its file in the container"),
            )
        }
        (true, Some(path)) if leaves_its_folder(path) => {
            let message = format!("the path of the artifact `{name}` leads out of its folder by `..`");
            Some(Problem::error(rules::ARTIFACT_PATH, place.key("path"), message))
        }
        (false, Some(_)) => {
            let message = format!("the artifact `{name}` has a `path`, but its template runs no container");
            Some(Problem::error(rules::ARTIFACT_PATH, place.key("path"), message).help("take `path` away"))
        }
        _ => None,
    }
}

/// Returns whether `..` leads above what stands before it.
fn leaves_its_folder(path: &str) -> bool {
    let Some(before) = path.split_once("/../").map(|(before, _)| before).or(path.strip_suffix("/..")) else {
        return false;
    };
    let cleaned = clean(path);
    let stays = cleaned.strip_prefix(before).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
    !before.is_empty() && !stays
}

/// Returns the shortest path that means the same, as Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

fn location(artifact: &spec::Artifact, place: &Place) -> Option<Problem> {
    let git = artifact.location.git.as_ref()?;
    let problem = Problem::error(
        rules::ARTIFACT_SOURCE,
        place.key("git"),
        format!("the artifact `{}` names no repository", artifact.name),
    );
    git.repo.is_empty().then(|| problem.help("add `repo`"))
}

#[cfg(test)]
mod tests {
    use super::leaves_its_folder;

    #[test]
    fn paths_stay_in_their_folders() {
        for (path, leaves) in
            [("/tmp/a", false), ("/tmp/../a", true), ("/a/b/..", true), ("/a/../a/b", false), ("a", false)]
        {
            assert_eq!(leaves_its_folder(path), leaves, "{path}");
        }
    }
}
