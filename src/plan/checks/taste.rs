//! Matters of taste and of care: what runs, and what some projects would rather not have.
//!
//! Each rule of this file is among `rules::PEDANTIC`: it is told to who asks for it.

use serde_json::Value;

use super::containers::{containers, list, text};
use super::{Checked, title};
use crate::plan::model::{Template, Text};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::Segment;
use crate::spec;

/// Programs that read a program from an argument behind `-c` or `-e`.
const SHELLS: [&str; 9] = ["sh", "bash", "ash", "dash", "zsh", "ksh", "python", "python3", "perl"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    host_paths(&spec.volumes, &place.key("volumes"), problems);
    host_names(&spec.node_selector, &place.key("nodeSelector"), problems);
    if spec.host_network == Some(true) {
        problems.push(of_host(place.key("hostNetwork"), "the pods use the network of their machine"));
    }
    for template in &checked.draft.templates {
        host_paths(&template.spec.volumes, &template.place.key("volumes"), problems);
        host_names(&template.spec.node_selector, &template.place.key("nodeSelector"), problems);
        for (container, place) in containers(template) {
            problems.extend(image(text(container, "image"), &place.key("image")));
            problems.extend(host_ports(container, &place));
        }
        template.texts.iter().for_each(|found| problems.extend(shell(template, found)));
    }
}

/// Source: the reference grammar of container images: a digest, or a tag behind the last `/`.
fn image(image: &str, place: &Place) -> Option<Problem> {
    if image.is_empty() || image.contains("{{") || image.contains('@') {
        return None;
    }
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
    let message = match tag {
        None => format!("the image `{image}` has no tag: what runs is whatever `latest` is then"),
        Some("latest") => format!("the image `{image}` changes under its name"),
        Some(_) => return None,
    };
    Some(
        Problem::warning(rules::IMAGE_TAG, place.clone(), message)
            .help("name a version, or a digest: `image@sha256:…`"),
    )
}

/// A tag in a script, or in an argument that a shell reads as a program.
fn shell(template: &Template, found: &Text) -> Option<Problem> {
    let is = |at: usize, key: &str| found.pointer.get(at) == Some(&Segment::Key(key.into()));
    let in_script = is(0, "script") && is(1, "source");
    let in_argument = is(0, "container") && (is(1, "args") || is(1, "command")) && runs_shell(&template.spec);
    if !in_script && !in_argument {
        return None;
    }
    let variable = found.text.variables().find(|variable| {
        ["inputs.parameters.", "workflow.parameters.", "item"].iter().any(|root| variable.name.starts_with(root))
    })?;
    let message = format!("`{}` becomes part of the program of {}", variable.name, title(template));
    let problem = Problem::warning(rules::SHELL, template.place.below(&found.pointer), message).within(variable.at);
    Some(problem.help("hand it over in `env`, and read the variable in the program: values then stay values"))
}

fn runs_shell(template: &spec::Template) -> bool {
    let Some(container) = template.container.as_ref() else { return false };
    let words = list(&container.0, "command").iter().chain(list(&container.0, "args")).filter_map(Value::as_str);
    let words: Vec<&str> = words.take(3).collect();
    let program = words.first().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
    SHELLS.contains(&program) && words[1..].iter().any(|word| word.starts_with('-') && word.ends_with(['c', 'e']))
}

fn of_host(place: Place, message: &str) -> Problem {
    Problem::warning(rules::HOST, place, message)
}

fn host_paths(volumes: &[spec::Json], place: &Place, problems: &mut Problems) {
    for (index, volume) in volumes.iter().enumerate() {
        if let Some(path) = volume.0.pointer("/hostPath/path").and_then(Value::as_str) {
            let place = place.index(index).key("hostPath");
            let message = format!("what `{path}` holds depends on the machine");
            problems.push(of_host(place, &message).help("use a volume claim, or an artifact"));
        }
    }
}

fn host_names(selector: &indexmap::IndexMap<String, String>, place: &Place, problems: &mut Problems) {
    if selector.contains_key("kubernetes.io/hostname") {
        let message = "the pod can run on one machine only";
        problems.push(of_host(place.key("kubernetes.io/hostname"), message).help("select by what the machine can do"));
    }
}

fn host_ports(container: &Value, place: &Place) -> Option<Problem> {
    let ports = list(container, "ports").iter().enumerate();
    let mut taken = ports.filter(|(_, port)| port.get("hostPort").and_then(Value::as_i64).is_some_and(|port| port > 0));
    let (index, _) = taken.next()?;
    let place = place.key("ports").index(index).key("hostPort");
    Some(of_host(place, "a port of the machine can be taken once: two such pods cannot run on one machine"))
}
