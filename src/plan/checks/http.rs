//! Requests: a URL that can be asked, and a method that there is.
//!
//! Argo sends what it is given, and the node fails.

use super::{Checked, title};
use crate::plan::problem::Problem;
use crate::plan::problems::Problems;
use crate::plan::rules;

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        let Some(http) = &template.spec.http else { continue };
        let place = template.place.key("http");
        let url = http.url.as_str();
        if url.is_empty() {
            let problem = Problem::error(rules::HTTP, place.clone(), format!("{} has no URL", title(template)));
            problems.push(problem.help("add `url`"));
        } else if !url.contains("{{") && !url.starts_with("http://") && !url.starts_with("https://") {
            let message = format!("`{url}` cannot be asked: it begins with neither `http://` nor `https://`");
            problems.push(Problem::error(rules::HTTP, place.key("url"), message));
        }
        let method = http.method.as_deref().unwrap_or_default();
        if !method.is_empty() && !method.contains("{{") && !METHODS.contains(&method) {
            let message = format!("HTTP has no method `{method}`");
            problems.push(Problem::error(rules::CHOICE, place.key("method"), message).suggest(method, METHODS));
        }
        if http.timeout_seconds.is_some_and(|seconds| seconds < 0) {
            let problem =
                Problem::error(rules::DURATION, place.key("timeoutSeconds"), "the time limit is less than zero");
            problems.push(problem);
        }
    }
}
