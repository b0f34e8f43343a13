//! How often the command of a container of a set is tried, within its pod. Pure.

use serde::{Deserialize, Serialize};

use crate::base::TimeSpan;
use crate::spec::ContainerSetRetryStrategy;

/// How often a command is tried, and how long is waited in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// How often at most; at least once.
    pub count: u32,
    /// The time between two.
    pub pause: TimeSpan,
}

impl Default for Tries {
    fn default() -> Self {
        Self { count: 1, pause: TimeSpan::ZERO }
    }
}

impl Tries {
    /// Understands the strategy of a set; the fault is a sentence. `retries` counts the first try too. Source:
    /// Argo's `ContainerSetTemplate.GetRetryStrategy`, unlike what it says of the field; but there a set with `0`
    /// runs nothing.
    pub fn of(strategy: Option<&ContainerSetRetryStrategy>) -> Result<Self, String> {
        let Some(ContainerSetRetryStrategy { retries: Some(retries), duration }) = strategy else {
            return Ok(Self::default());
        };
        let of_set = |what: String| format!("the `retryStrategy` of the container set cannot be followed: {what}");
        let retries = retries.as_text();
        let count = retries.trim().parse().map_err(|_| of_set(format!("`{retries}` is no number of `retries`")))?;
        let pause = match duration.as_deref().filter(|text| !text.is_empty()) {
            None => TimeSpan::ZERO,
            Some(text) => TimeSpan::parse_go(text)
                .ok_or_else(|| of_set(format!("`{text}` is not a duration in Go's form (`1m30s`)")))?,
        };
        Ok(Self { count: u32::max(count, 1), pause })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(strategy: Value, expected: Result<(u32, u64), &str>) {
        let strategy: ContainerSetRetryStrategy = serde_json::from_value(strategy).expect("a strategy");
        let found = Tries::of(Some(&strategy)).map(|tries| (tries.count, tries.pause.0));
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|why| *why));
    }

    #[test]
    fn retries_count_the_first_try() {
        check(json!({}), Ok((1, 0)));
        check(json!({ "retries": 0 }), Ok((1, 0)));
        check(json!({ "retries": "3", "duration": "1m" }), Ok((3, 60_000)));
        check(
            json!({ "retries": "x" }),
            Err("the `retryStrategy` of the container set cannot be followed: `x` is no number of `retries`"),
        );
        check(
            json!({ "retries": 2, "duration": "5" }),
            Err(
                "the `retryStrategy` of the container set cannot be followed: `5` is not a duration in Go's form (`1m30s`)",
            ),
        );
    }
}
