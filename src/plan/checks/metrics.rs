//! Metrics: names, labels, help texts, values.
//!
//! Source: `workflow/metrics/util.go`.

use super::Checked;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        let metrics = template.spec.metrics.iter().flat_map(|metrics| metrics.prometheus.iter().enumerate());
        let place = template.place.key("metrics").key("prometheus");
        for (index, metric) in metrics {
            of_metric(metric, &place.index(index), problems);
        }
    }
}

fn of_metric(metric: &spec::Prometheus, place: &Place, problems: &mut Problems) {
    let mut error = |place: Place, message: String, help: &str| {
        problems.push(Problem::error(rules::METRIC, place, message).help(help));
    };
    if !is_name(&metric.name) {
        error(place.key("name"), format!("`{}` is not the name of a metric", metric.name), NAME_HELP);
    }
    for (index, label) in metric.labels.iter().enumerate().filter(|(_, label)| !is_name(&label.key)) {
        let place = place.key("labels").index(index).key("key");
        error(place, format!("`{}` is not the name of a label", label.key), NAME_HELP);
    }
    if metric.help.is_empty() {
        error(place.clone(), format!("the metric `{}` does not say what it means", metric.name), "add `help`");
    }
    let values = [
        ("gauge", metric.gauge.as_ref().map(|gauge| &gauge.value)),
        ("counter", metric.counter.as_ref().map(|counter| &counter.value)),
        ("histogram", metric.histogram.as_ref().map(|histogram| &histogram.value)),
    ];
    let kinds: Vec<&str> = values.iter().filter(|(_, value)| value.is_some()).map(|(kind, _)| *kind).collect();
    match kinds.as_slice() {
        [_] => {}
        [] => error(place.clone(), format!("the metric `{}` counts nothing", metric.name), KIND_HELP),
        [first, second, ..] => {
            let message = format!("the metric `{}` is both `{first}` and `{second}`", metric.name);
            error(place.key(second), message, "make two metrics of it");
        }
    }
    for (kind, value) in values {
        if value.is_some_and(String::is_empty) {
            error(place.key(kind), format!("the metric `{}` has no value", metric.name), "add `value`");
        }
    }
    let realtime = metric.gauge.as_ref().filter(|gauge| gauge.realtime == Some(true));
    if realtime.is_some_and(|gauge| gauge.value.contains("resourcesDuration.")) {
        let message = "`resourcesDuration` is known only when the node has ended".to_owned();
        error(place.key("gauge").key("value"), message, "take `realtime` away");
    }
}

const KIND_HELP: &str = "add one of `counter`, `gauge`, `histogram`";

const NAME_HELP: &str = "use letters, digits and `_`, not beginning with a digit";

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
