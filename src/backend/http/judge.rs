//! Whether an answer is success: by the template's condition, or by its status.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::broken;
use crate::base::Timestamp;
use crate::engine::{Phase, PodEnd};
use crate::expr::{Ambient, Value, lang};
use crate::spec;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Returns the end of the node whose request was answered so.
pub(super) fn end(http: &spec::HTTP, response: &Response) -> PodEnd {
    let condition = http.success_condition.as_deref().map(str::trim).filter(|condition| !condition.is_empty());
    let failure = match condition {
        None if (200..300).contains(&response.status) => Ok(None),
        None => Ok(Some(format!("received non-2xx response code: {}", response.status))),
        Some(condition) => holds(condition, http, response)
            .map(|holds| (!holds).then(|| format!("successCondition '{condition}' evaluated false"))),
    };
    match failure {
        Err(words) => broken(words),
        Ok(failure) => PodEnd {
            phase: if failure.is_some() { Phase::Failed } else { Phase::Succeeded },
            exit_code: None,
            message: failure.unwrap_or_default(),
            result: Some(response.body.clone()),
            ..PodEnd::exited(0)
        },
    }
}

fn holds(condition: &str, http: &spec::HTTP, response: &Response) -> Result<bool, String> {
    let sent = http.headers.iter().map(|header| (header.name.as_str(), header.value.as_deref().unwrap_or_default()));
    let got = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let words = json!({
        "request": {
            "method": http.method.clone().unwrap_or_default(),
            "url": http.url,
            "body": http.body.clone().unwrap_or_default(),
            "headers": by_name(sent),
        },
        "response": {"statusCode": response.status, "body": response.body, "headers": by_name(got)},
    });
    let Value::Map(_) = Value::from_json(&words) else { return Ok(false) };
    let scope: BTreeMap<String, Value> =
        ["request", "response"].into_iter().map(|name| (name.to_owned(), Value::from_json(&words[name]))).collect();
    // Neither time nor chance decides about an answer.
    let ambient = Ambient { now: Timestamp(0), seed: 0 };
    lang::eval_bool(condition, &scope, &ambient).map_err(|fault| format!("successCondition '{condition}': {fault}"))
}

/// Returns headers as Go has them: lists by names like `Content-Type`.
fn by_name<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> Json {
    let mut lists: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        lists.entry(canonical(name)).or_default().push(value);
    }
    json!(lists)
}

fn canonical(name: &str) -> String {
    let part = |part: &str| {
        let (first, rest) = part.split_at(part.chars().next().map_or(0, char::len_utf8));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_condition_or_status() {
        let response = |status| Response {
            status,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: "all is well".to_owned(),
        };
        for (condition, status, phase, message) in [
            ("", 200, Phase::Succeeded, ""),
            ("", 404, Phase::Failed, "received non-2xx response code: 404"),
            ("", 302, Phase::Failed, "received non-2xx response code: 302"),
            ("response.statusCode == 404", 404, Phase::Succeeded, ""),
            ("response.body contains \"well\"", 500, Phase::Succeeded, ""),
            ("response.headers[\"Content-Type\"][0] == \"text/plain\"", 200, Phase::Succeeded, ""),
            ("request.method == \"PUT\" && request.headers[\"X-A\"][0] == \"1\"", 200, Phase::Succeeded, ""),
            (
                "response.statusCode < 300",
                404,
                Phase::Failed,
                "successCondition 'response.statusCode < 300' evaluated false",
            ),
        ] {
            let header = spec::HTTPHeader { name: "x-a".to_owned(), value: Some("1".to_owned()), ..Default::default() };
            let http = spec::HTTP {
                method: Some("PUT".to_owned()),
                url: "http://x".to_owned(),
                success_condition: Some(condition.to_owned()),
                headers: vec![header],
                ..Default::default()
            };
            let end = end(&http, &response(status));
            assert_eq!((end.phase, &*end.message), (phase, message), "{condition}");
            assert_eq!(end.result.as_deref(), Some("all is well"));
        }
        let broken = spec::HTTP { success_condition: Some("response.".to_owned()), ..Default::default() };
        assert_eq!(end(&broken, &response(200)).phase, Phase::Error);
    }
}
