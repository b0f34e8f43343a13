//! Metrics in the text format that Prometheus reads.

use std::fmt::Write;

use crate::engine::metrics::{Metrics, Reading};

/// Returns the metrics as a page.
pub fn render(metrics: &Metrics) -> String {
    let mut page = String::new();
    for (name, metric) in &metrics.metrics {
        let Some(first) = metric.values.values().next() else { continue };
        let kind = match first {
            Reading::Counter(_) => "counter",
            Reading::Gauge(_) => "gauge",
            Reading::Histogram { .. } => "histogram",
        };
        let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, reading) in &metric.values {
            lines(&mut page, name, labels, reading);
        }
    }
    page
}

fn lines(page: &mut String, name: &str, labels: &[(String, String)], reading: &Reading) {
    let of = |more: Option<(&str, String)>| {
        let own = labels.iter().map(|(key, value)| (key.as_str(), value.clone()));
        let all: Vec<String> = own.chain(more).map(|(key, value)| format!("{key}=\"{}\"", escaped(&value))).collect();
        if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
    };
    // Writing to a string cannot fail.
    let _ = match reading {
        Reading::Counter(value) | Reading::Gauge(value) => writeln!(page, "{name}{} {value}", of(None)),
        Reading::Histogram { buckets, sum, count } => {
            for (bound, within) in buckets {
                let _ = writeln!(page, "{name}_bucket{} {within}", of(Some(("le", bound.to_string()))));
            }
            let _ = writeln!(page, "{name}_bucket{} {count}", of(Some(("le", "+Inf".to_owned()))));
            writeln!(page, "{name}_sum{} {sum}\n{name}_count{} {count}", of(None), of(None))
        }
    };
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
