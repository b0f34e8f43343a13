//! Instants and spans of time, as values: nothing here asks what time it is.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds; never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Timestamp {
    /// Returns the instant as a `jiff` timestamp, clamped to the years that it knows.
    pub fn to_jiff(self) -> jiff::Timestamp {
        let clamped = self.0.clamp(jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond());
        jiff::Timestamp::from_millisecond(clamped).expect("clamped to the range of jiff")
    }

    /// Returns the instant as RFC 3339 in whole seconds, the way Kubernetes prints `metav1.Time`.
    pub fn rfc3339(self) -> String {
        self.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Parses RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// Returns the time from `earlier` to here; none when `earlier` is later, as after a clock jump.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add_unsigned(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub_unsigned(span.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// Returns the span of `seconds`.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Returns the span in seconds with its fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Returns the span as the standard library's type, for timers.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// Parses what Argo accepts as a duration: a bare integer is seconds, anything else is Go's
    /// `time.ParseDuration` (`1h30m`, `1.5s`, `300ms`). Source: Argo's `ParseStringToDuration`.
    pub fn parse(text: &str) -> Result<Self, InvalidDuration> {
        let fault = || InvalidDuration { text: text.to_owned() };
        if let Ok(seconds) = text.parse::<i64>() {
            return u64::try_from(seconds).map(Self::from_secs).map_err(|_| fault());
        }
        Self::parse_go(text).ok_or_else(fault)
    }

    /// Parses Go's duration syntax, in which every number has a unit (`0` alone has none).
    pub fn parse_go(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Some(Self::ZERO);
        }
        if rest.is_empty() {
            return None;
        }
        let mut millis = 0f64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let number: f64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
            let factor = match &rest[..unit_len] {
                "ns" => 1e-6,
                "us" | "µs" | "μs" => 1e-3,
                "ms" => 1.0,
                "s" => 1e3,
                "m" => 6e4,
                "h" => 3.6e6,
                _ => return None,
            };
            millis += number * factor;
            rest = &rest[unit_len..];
        }
        // Go's durations end at 292 years.
        (millis < 9.2e15).then_some(Self(millis.round() as u64))
    }
}

impl fmt::Display for Span {
    /// Writes the span as people say it: `0.4s`, `12s`, `1m02s`, `3h05m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        match seconds {
            0..10 => write!(f, "{}.{}s", seconds, self.0 % 1000 / 100),
            10..60 => write!(f, "{seconds}s"),
            60..3600 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            _ => write!(f, "{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: write seconds (`30`) or Go's form (`1h30m`, `1.5s`, `300ms`)")]
pub struct InvalidDuration {
    /// What was given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_or_seconds() {
        for (text, millis) in [("30", 30_000), ("1h30m", 5_400_000), ("1.5s", 1500), ("300ms", 300), ("0", 0)] {
            assert_eq!(Span::parse(text), Ok(Span(millis)), "{text}");
        }
        for text in ["", "30parsecs", "1h30", "-5", "s", "1..5s", "99999999999h"] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_print_as_kubernetes_does() {
        let instant = Timestamp(1_700_000_000_123);
        assert_eq!(instant.rfc3339(), "2023-11-14T22:13:20Z");
        assert_eq!(Timestamp::parse_rfc3339("2023-11-14T22:13:20Z"), Some(Timestamp(1_700_000_000_000)));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Span::ZERO);
    }
}
