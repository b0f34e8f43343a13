//! Whether calls hand over what templates take, and whether that has values.
//!
//! Source: `ProcessArgs`, `validateArgumentsValues`.

use super::lookup::Names;
use super::{Called, Checked, Purpose, given, title};
use crate::plan::model::{Body, Template, TemplateIx};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let mut problem = |found| problems.push(found);
    of_workflow(checked, &mut problem);
    for (template, calls) in checked.each() {
        for call in calls {
            of_call(checked, template, call, &mut problem);
        }
    }
}

/// Who calls a template, and with what.
#[derive(Clone)]
struct Caller<'a> {
    title: String,
    /// Where it is.
    place: Place,
    arguments: Option<&'a spec::Arguments>,
    is_workflow: bool,
}

impl Caller<'_> {
    /// Returns where its arguments are, or would be.
    fn arguments_place(&self) -> Place {
        match self.arguments {
            Some(_) => self.place.key("arguments"),
            None => self.place.clone(),
        }
    }

    fn help(&self, name: &str) -> String {
        match self.is_workflow {
            true => format!("add it to `spec.arguments.parameters`, or submit with `-p {name}=VALUE`"),
            false => "add it to `arguments.parameters`, or give the input a `default`".to_owned(),
        }
    }
}

fn of_workflow(checked: &Checked<'_>, problem: &mut impl FnMut(Problem)) {
    let draft = checked.draft;
    let spec = &draft.resolved.spec;
    let place = Place::root().key("spec");
    let arguments = spec.arguments.as_ref();
    if let Some(arguments) = arguments {
        values(arguments, &place.key("arguments"), checked.purpose == Purpose::Run, problem);
    }
    // What calls a template of a library passes what it likes.
    if checked.purpose == Purpose::Library {
        return;
    }
    let caller = Caller { title: "the workflow".to_owned(), place, arguments, is_workflow: true };
    if let Some(entrypoint) = draft.entrypoint {
        missing(&caller, &draft.templates[entrypoint.index()], problem);
    }
    let on_exit = draft.on_exit.map(|target| ("exit", target));
    let linked = draft.hooks.iter().map(|(name, target)| (&**name, *target)).chain(on_exit);
    of_hooks(checked, &caller, linked, Hooks { on_exit: spec.on_exit.as_deref(), by_name: &spec.hooks }, problem);
}

fn of_call(checked: &Checked<'_>, template: &Template, call: &Called<'_>, problem: &mut impl FnMut(Problem)) {
    let spec = &call.task.spec;
    let kind = if matches!(template.body, Body::Dag(_)) { "task" } else { "step" };
    let title = format!("{kind} `{}`", spec.name);
    let arguments = spec.arguments.as_ref();
    let caller = Caller { title, place: call.place.clone(), arguments, is_workflow: false };
    if let Some(arguments) = arguments {
        values(arguments, &caller.arguments_place(), true, problem);
    }
    if let Some(target) = checked.target(call.task) {
        missing(&caller, target, problem);
        unused(&caller, target, problem);
    }
    let linked = call.task.hooks.iter().map(|(name, target)| (&**name, *target));
    of_hooks(checked, &caller, linked, Hooks { on_exit: spec.on_exit.as_deref(), by_name: &spec.hooks }, problem);
}

/// The hooks of a call or of the workflow, as they are declared.
struct Hooks<'a> {
    on_exit: Option<&'a str>,
    by_name: &'a spec::LifecycleHooks,
}

/// Hooks take arguments of their own; the exit handler takes those of its caller when it has
/// none. Source: `LifecycleHook.WithArgs`.
fn of_hooks<'a>(
    checked: &Checked<'_>,
    caller: &Caller<'_>,
    linked: impl Iterator<Item = (&'a str, TemplateIx)>,
    hooks: Hooks<'_>,
    problem: &mut impl FnMut(Problem),
) {
    for (name, target) in linked {
        let target = &checked.draft.templates[target.index()];
        // `onExit` stands in the place of the hook `exit`.
        let hook = hooks.by_name.get(name).filter(|_| name != "exit" || given(hooks.on_exit).is_none());
        let own = hook.and_then(|hook| hook.arguments.as_ref());
        let own = own.filter(|own| !own.parameters.is_empty() || !own.artifacts.is_empty());
        if own.is_none() && name == "exit" {
            missing(&Caller { title: format!("{} as it ends", caller.title), ..caller.clone() }, target, problem);
            continue;
        }
        let title = format!("the hook `{name}`");
        let hook = Caller { title, place: caller.place.key("hooks").key(name), arguments: own, is_workflow: false };
        missing(&hook, target, problem);
        unused(&hook, target, problem);
    }
}

/// Reports inputs that get nothing.
fn missing(caller: &Caller<'_>, target: &Template, problem: &mut impl FnMut(Problem)) {
    let Some(inputs) = &target.spec.inputs else { return };
    let place = target.place.key("inputs");
    let passed = caller.arguments.map(|arguments| arguments.parameters.as_slice()).unwrap_or_default();
    let passed = Names::of(passed.iter().map(|argument| argument.name.as_str()));
    for (index, input) in inputs.parameters.iter().enumerate() {
        if !passed.has(&input.name) && !has_value(input) {
            let message = format!("{} does not pass `{}`, which {} needs", caller.title, input.name, title(target));
            let found = Problem::error(rules::ARGUMENT_MISSING, caller.arguments_place(), message);
            let declared = place.key("parameters").index(index);
            problem(found.also(declared, "it is declared here, without a default").help(caller.help(&input.name)));
        }
    }
    let passed = caller.arguments.map(|arguments| arguments.artifacts.as_slice()).unwrap_or_default();
    let passed = Names::of(passed.iter().map(|argument| argument.name.as_str()));
    for (index, input) in inputs.artifacts.iter().enumerate() {
        if !passed.has(&input.name) && input.optional != Some(true) && !has_location(input) {
            let (name, target) = (&input.name, title(target));
            let message = format!("{} does not pass the artifact `{name}`, which {target} needs", caller.title);
            let found = Problem::error(rules::ARGUMENT_MISSING, caller.arguments_place(), message);
            let found = found.also(place.key("artifacts").index(index), "it is declared here");
            problem(found.help("add it to `arguments.artifacts`, or make the input `optional: true`"));
        }
    }
}

/// Returns whether an input has a value of its own.
fn has_value(input: &spec::Parameter) -> bool {
    let from_config = input.value_from.as_ref().is_some_and(|from| from.config_map_key_ref.is_some());
    input.value.is_some() || input.default.is_some() || from_config
}

/// Warns of what nobody takes: Argo drops it without a word.
fn unused(caller: &Caller<'_>, target: &Template, problem: &mut impl FnMut(Problem)) {
    let Some(arguments) = caller.arguments else { return };
    let inputs = target.spec.inputs.as_ref();
    let parameters = inputs.into_iter().flat_map(|inputs| inputs.parameters.iter().map(|input| input.name.as_str()));
    let artifacts = inputs.into_iter().flat_map(|inputs| inputs.artifacts.iter().map(|input| input.name.as_str()));
    let passed = arguments.parameters.iter().map(|argument| argument.name.as_str());
    let files = arguments.artifacts.iter().map(|argument| argument.name.as_str());
    untaken(caller, target, "parameters", passed, parameters, problem);
    untaken(caller, target, "artifacts", files, artifacts, problem);
}

fn untaken<'a>(
    caller: &Caller<'_>,
    target: &Template,
    of: &str,
    passed: impl Iterator<Item = &'a str>,
    inputs: impl Iterator<Item = &'a str> + Clone,
    problem: &mut impl FnMut(Problem),
) {
    let known = Names::of(inputs.clone());
    for (index, name) in passed.enumerate().filter(|(_, name)| !name.is_empty() && !known.has(name)) {
        let message = format!("{} has no input `{name}`", title(target));
        let place = caller.arguments_place().key(of).index(index).key("name");
        let found = Problem::warning(rules::ARGUMENT_UNUSED, place, message);
        problem(found.says("nobody takes this").suggest(name, inputs.clone()));
    }
}

fn values(arguments: &spec::Arguments, place: &Place, must_have: bool, problem: &mut impl FnMut(Problem)) {
    for (index, parameter) in arguments.parameters.iter().enumerate() {
        let place = place.key("parameters").index(index);
        parameter_value(parameter, &place, must_have, problem);
    }
    for (index, artifact) in arguments.artifacts.iter().enumerate() {
        artifact_source(artifact, &place.key("artifacts").index(index), problem);
    }
}

fn parameter_value(parameter: &spec::Parameter, place: &Place, must_have: bool, problem: &mut impl FnMut(Problem)) {
    let name = &parameter.name;
    match (&parameter.value, &parameter.value_from) {
        (None, None) if must_have => {
            let message = format!("the argument `{name}` has no value");
            problem(
                Problem::error(rules::ARGUMENT_VALUE, place.clone(), message)
                    .help("add `value`, or `valueFrom.configMapKeyRef`"),
            );
        }
        (_, Some(from)) => problem_of_source(from, name, place).into_iter().for_each(&mut *problem),
        _ => {}
    }
    problem_of_choice(parameter, place).into_iter().for_each(problem);
}

/// A value without tags has to be one of those that are allowed, if any are named.
fn problem_of_choice(parameter: &spec::Parameter, place: &Place) -> Option<Problem> {
    let value = parameter.value.as_ref().filter(|value| !value.contains("{{"))?;
    if parameter.enum_.is_empty() || parameter.enum_.contains(value) {
        return None;
    }
    let message = format!("`{}` is `{value}`, which its `enum` does not allow", parameter.name);
    let allowed = parameter.enum_.iter().map(|value| value.as_str());
    Some(Problem::error(rules::ENUM, place.key("value"), message).suggest(value, allowed))
}

fn problem_of_source(from: &spec::ValueFrom, name: &str, place: &Place) -> Option<Problem> {
    let allowed =
        from.config_map_key_ref.is_some() || given(from.event.as_deref()).is_some() || from.supplied.is_some();
    let refused = [
        ("path", &from.path),
        ("jsonPath", &from.json_path),
        ("parameter", &from.parameter),
        ("expression", &from.expression),
    ];
    let refused = refused.into_iter().find(|(_, text)| given(text.as_deref()).is_some()).map(|(field, _)| field);
    if allowed && refused.is_none() {
        return None;
    }
    let place = place.key("valueFrom");
    let place = refused.map_or(place.clone(), |field| place.key(field));
    let message = format!("the argument `{name}` takes its value from where arguments cannot");
    let help = "arguments take `value`, `valueFrom.configMapKeyRef` or `valueFrom.supplied`; write a tag as `value: \"{{…}}\"`";
    Some(Problem::error(rules::ARGUMENT_VALUE, place, message).help(help))
}

fn artifact_source(artifact: &spec::Artifact, place: &Place, problem: &mut impl FnMut(Problem)) {
    let from = given(artifact.from.as_deref());
    let expression = given(artifact.from_expression.as_deref());
    if from.is_some() && expression.is_some() {
        let message = format!("the artifact `{}` has both `from` and `fromExpression`", artifact.name);
        problem(
            Problem::error(rules::ARTIFACT_SOURCE, place.key("fromExpression"), message)
                .help("keep the one that is meant"),
        );
    }
    if from.is_none() && expression.is_none() && !has_location(artifact) {
        let message = format!("the artifact `{}` comes from nowhere", artifact.name);
        problem(
            Problem::error(rules::ARTIFACT_SOURCE, place.clone(), message)
                .help("add `from`, or say where it is stored"),
        );
    }
}

/// Returns whether an artifact says where it is stored, if only by a key in the repository.
/// Source: `ArtifactLocation.HasLocationOrKey`.
pub(super) fn has_location(artifact: &spec::Artifact) -> bool {
    let location = &artifact.location;
    location.s3.is_some()
        || location.git.is_some()
        || location.http.is_some()
        || location.artifactory.is_some()
        || location.hdfs.is_some()
        || location.raw.is_some()
        || location.oss.is_some()
        || location.gcs.is_some()
        || location.azure.is_some()
        || location.plugin.is_some()
}
