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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::metrics::Metric;

    #[test]
    fn a_page_has_help_types_and_quoted_labels() {
        let labels = vec![("a".to_owned(), "x\"y".to_owned())];
        let metric = |reading: Reading| Metric { help: "h".to_owned(), values: [(labels.clone(), reading)].into() };
        let histogram = Reading::Histogram { buckets: vec![(0.5, 1)], sum: 2.5, count: 2 };
        let metrics = [("c", Reading::Counter(2.0)), ("h", histogram)];
        let metrics = metrics.map(|(name, reading)| (name.to_owned(), metric(reading))).into();
        insta::assert_snapshot!(render(&Metrics { metrics, faults: Vec::new() }), @r#"
    # HELP c h
    # TYPE c counter
    c{a="x\"y"} 2
    # HELP h h
    # TYPE h histogram
    h_bucket{a="x\"y",le="0.5"} 1
    h_bucket{a="x\"y",le="+Inf"} 2
    h_sum{a="x\"y"} 2.5
    h_count{a="x\"y"} 2
    "#);
    }
}
