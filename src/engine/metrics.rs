//! The metrics that a run's templates declare, as they stand. Source: Argo's `computeMetrics`.
//!
//! They follow from the folded run, and are kept nowhere else: whoever exports them asks for them. A metric
//! that cannot be had is left out, and said.

use std::collections::BTreeMap;

use super::decide::render;
use super::durations::ResourcesDurations;
use super::event::Caller;
use super::model::{Node, Phase};
use super::run::{Frame, Run};
use super::scope::global::{Global, ambient};
use super::scope::inner::Chain;
use crate::expr::{Ambient, Scope, TemplateStr, Unresolved, Value, when};
use crate::spec;

/// A metric with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// What it means, for people.
    pub help: String,
    /// Its values by their labels, which are in the manifest's order.
    pub values: BTreeMap<Vec<(String, String)>, Reading>,
}

/// What a metric has come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A sum.
    Counter(f64),
    /// The last value.
    Gauge(f64),
    /// Values in classes.
    Histogram {
        /// How many values are at most as large as each bound.
        buckets: Vec<(f64, u64)>,
        /// The sum of the values.
        sum: f64,
        /// How many there are.
        count: u64,
    },
}

/// The metrics of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// By name.
    pub metrics: BTreeMap<String, Metric>,
    /// What is wrong with those that are left out.
    pub faults: Vec<String>,
}

/// Returns the metrics of a run as it stands.
pub fn of(run: &Run) -> Metrics {
    let mut metrics = Metrics::default();
    let held = ResourcesDurations::of(run);
    let mut ended: Vec<&Node> = run.nodes().filter(|node| has_run(run, node)).collect();
    ended.sort_by_key(|node| (node.finished_at, node.ix));
    for node in ended {
        let slot = run.slot(node.ix);
        let Some(template) = slot.template.map(|ix| run.plan.template(ix)).filter(|it| it.spec.metrics.is_some())
        else {
            continue;
        };
        let resolved = render::part(template, run.last_texts(slot), &["metrics"]);
        let words = words(run, node, &held);
        let global = Global { run, at: node.finished_at.unwrap_or(run.created_at) };
        let ambient = ambient(run, global.at, u64::from(node.ix.0));
        let declared = resolved.metrics.iter().flat_map(|metrics| &metrics.prometheus);
        metrics.take_all(declared, &Chain(&[&words, &global]), &ambient);
    }
    if run.phase.is_final() {
        let global = Global { run, at: run.finished_at.unwrap_or(run.created_at) };
        let declared = run.plan.spec().metrics.iter().flat_map(|metrics| &metrics.prometheus);
        metrics.take_all(declared, &global, &ambient(run, global.at, 0));
    }
    metrics
}

/// Returns whether a node has run to its end; the attempts of a node are in it.
fn has_run(run: &Run, node: &Node) -> bool {
    let is_attempt =
        matches!(run.slot(node.ix).caller, Caller::Attempt(..) | Caller::Container(..) | Caller::Group(..));
    !is_attempt && matches!(node.phase, Phase::Succeeded | Phase::Failed | Phase::Error)
}

/// What metrics may name of their node. Source: Argo's `prepareMetricScope`.
fn words(run: &Run, node: &Node, held: &ResourcesDurations) -> BTreeMap<String, Value> {
    let mut words = BTreeMap::new();
    let mut put = |name: String, value: &str| drop(words.insert(name, Value::text(value)));
    let ran = node.finished_at.map_or(0.0, |end| end.since(node.started_at).as_secs_f64());
    put("status".to_owned(), node.phase.as_str());
    put("duration".to_owned(), &ran.to_string());
    for resource in ["cpu", "memory"] {
        put(format!("resourcesDuration.{resource}"), "0");
    }
    for (resource, seconds) in held.node(node.ix) {
        put(format!("resourcesDuration.{resource}"), &seconds.to_string());
    }
    if let Frame::Retry(attempts) = &run.slot(node.ix).frame {
        put("retries".to_owned(), &attempts.len().saturating_sub(1).to_string());
    }
    for parameter in node.inputs.iter().flat_map(|inputs| &inputs.parameters) {
        put(format!("inputs.parameters.{}", parameter.name), parameter.value.as_deref().unwrap_or_default());
    }
    let Some(outputs) = node.outputs.as_deref() else { return words };
    for parameter in &outputs.parameters {
        put(format!("outputs.parameters.{}", parameter.name), parameter.value.as_deref().unwrap_or_default());
    }
    if let Some(code) = outputs.exit_code {
        put("exitCode".to_owned(), &code.to_string());
    }
    if let Some(result) = &outputs.result {
        put("outputs.result".to_owned(), result);
    }
    words
}

impl Metrics {
    fn take_all<'m>(
        &mut self,
        declared: impl Iterator<Item = &'m spec::Prometheus>,
        scope: &dyn Scope,
        ambient: &Ambient,
    ) {
        for metric in declared {
            if let Err(fault) = self.take(metric, scope, ambient) {
                self.faults.push(format!("metric `{}`: {fault}", metric.name));
            }
        }
    }

    fn take(&mut self, declared: &spec::Prometheus, scope: &dyn Scope, ambient: &Ambient) -> Result<(), String> {
        let render = |text: &str| -> Result<String, String> {
            let parsed = TemplateStr::parse_lenient(text).map_err(|fault| fault.to_string())?;
            parsed.render(scope, Unresolved::Refuse, ambient).map_err(|fault| fault.to_string())
        };
        if let Some(condition) = declared.when.as_deref().filter(|condition| !condition.is_empty())
            && !when::eval(&render(condition)?).map_err(|fault| fault.to_string())?
        {
            return Ok(());
        }
        let label = |label: &spec::MetricLabel| Ok((label.key.clone(), render(&label.value)?));
        let labels = declared.labels.iter().map(label).collect::<Result<Vec<_>, String>>()?;
        let (name, help) = (render(&declared.name)?, render(&declared.help)?);
        let number = |text: &str| -> Result<f64, String> {
            let text = render(text)?;
            text.trim().parse().map_err(|_| format!("its value `{text}` is no number"))
        };
        let metric = self.metrics.entry(name).or_insert_with(|| Metric { help, values: BTreeMap::new() });
        match (&declared.counter, &declared.gauge, &declared.histogram) {
            (Some(counter), ..) => metric.add(labels, number(&counter.value)?),
            (_, Some(gauge), _) => metric.set(labels, number(&gauge.value)?, gauge.operation.as_deref()),
            (_, _, Some(histogram)) => {
                let bound = |bound: &spec::Amount| bound.0.as_f64();
                metric.observe(labels, number(&histogram.value)?, histogram.buckets.iter().filter_map(bound));
            }
            _ => return Err("it is neither a gauge nor a histogram nor a counter".to_owned()),
        }
        Ok(())
    }
}

impl Metric {
    fn add(&mut self, labels: Vec<(String, String)>, value: f64) {
        match self.values.entry(labels).or_insert(Reading::Counter(0.0)) {
            Reading::Counter(sum) => *sum += value,
            other => *other = Reading::Counter(value),
        }
    }

    fn set(&mut self, labels: Vec<(String, String)>, value: f64, operation: Option<&str>) {
        let reading = self.values.entry(labels).or_insert(Reading::Gauge(0.0));
        let before = if let Reading::Gauge(before) = reading { *before } else { 0.0 };
        *reading = Reading::Gauge(match operation {
            Some("Add") => before + value,
            Some("Sub") => before - value,
            _ => value,
        });
    }

    fn observe(&mut self, labels: Vec<(String, String)>, value: f64, bounds: impl Iterator<Item = f64>) {
        let new = || Reading::Histogram { buckets: bounds.map(|bound| (bound, 0)).collect(), sum: 0.0, count: 0 };
        if let Reading::Histogram { buckets, sum, count } = self.values.entry(labels).or_insert_with(new) {
            buckets.iter_mut().filter(|(bound, _)| value <= *bound).for_each(|(_, within)| *within += 1);
            (*sum, *count) = (*sum + value, *count + 1);
        }
    }
}
