//! `resubmit`: from an old run to what a new one runs. Source: Argo's `FormulateResubmitWorkflow`.
//!
//! The new run has the old one's manifest, with the arguments that the old one had at its end, and no
//! trace of how the old one was ended or by whom it was made.

use super::run::Run;
use crate::plan::Resolved;
use crate::spec::ObjectMeta;

/// The label of a run that another was made of.
pub const RESUBMITTED_FROM: &str = "workflows.argoproj.io/resubmitted-from-workflow";

/// Labels that say something of the old run only.
const OF_THE_OLD: [&str; 6] = [
    "workflows.argoproj.io/creator",
    "workflows.argoproj.io/creator-email",
    "workflows.argoproj.io/creator-preferred-username",
    "workflows.argoproj.io/phase",
    "workflows.argoproj.io/completed",
    "workflows.argoproj.io/workflow-archiving-status",
];

/// Returns what a run of `old` ran, to be run again. Its name is to be made of `generateName`.
pub fn resolved(kept: &Resolved, old: &Run) -> Resolved {
    let mut resolved = kept.clone();
    resolved.metadata = metadata(&kept.metadata, old.name.as_str());
    let spec = &mut resolved.spec;
    spec.shutdown = None;
    if spec.active_deadline_seconds == Some(0) {
        spec.active_deadline_seconds = None;
    }
    // `wf retry -p` may have changed them.
    let parameters = spec.arguments.iter_mut().flat_map(|arguments| &mut arguments.parameters);
    for parameter in parameters.filter(|parameter| parameter.value_from.is_none()) {
        let had = old.arguments.iter().find(|had| *had.name == *parameter.name);
        if let Some(value) = had.and_then(|had| had.value.as_deref()) {
            parameter.value = Some(value.into());
        }
    }
    resolved
}

/// Returns the metadata of a run made of the one called `old`: what the user wrote, and where it is from.
pub fn metadata(kept: &ObjectMeta, old: &str) -> ObjectMeta {
    let prefix = kept.generate_name.clone().filter(|prefix| !prefix.is_empty());
    let mut labels = kept.labels.clone();
    labels.retain(|label, _| !OF_THE_OLD.contains(&label.as_str()));
    labels.insert(RESUBMITTED_FROM.to_owned(), old.to_owned());
    ObjectMeta {
        generate_name: Some(prefix.unwrap_or_else(|| format!("{old}-"))),
        namespace: kept.namespace.clone(),
        labels,
        annotations: kept.annotations.clone(),
        owner_references: kept.owner_references.clone(),
        ..ObjectMeta::default()
    }
}

/// Gives parameters of the workflow other values; the name of one that it does not have is the error.
pub fn override_parameters<'p>(
    resolved: &mut Resolved,
    parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
) -> Result<(), String> {
    let arguments = resolved.spec.arguments.get_or_insert_default();
    for (name, value) in parameters {
        match arguments.parameters.iter_mut().find(|parameter| parameter.name == name) {
            Some(parameter) => parameter.value = Some(value.into()),
            None => return Err(name.to_owned()),
        }
    }
    Ok(())
}
