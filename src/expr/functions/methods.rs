//! The methods of Go's `time.Time` and `time.Duration` that expressions may call.

use std::sync::Arc;

use jiff::Zoned;

use super::{dates, durations};
use crate::base::suggest;
use crate::expr::json;
use crate::expr::value::Value;

type Outcome = Result<Value, String>;

const TIME: [&str; 26] = [
    "Add",
    "AddDate",
    "After",
    "Before",
    "Compare",
    "Day",
    "Equal",
    "Format",
    "Hour",
    "In",
    "IsZero",
    "Local",
    "Minute",
    "Month",
    "Nanosecond",
    "Second",
    "String",
    "Sub",
    "UTC",
    "Unix",
    "UnixMicro",
    "UnixMilli",
    "UnixNano",
    "Weekday",
    "Year",
    "YearDay",
];

const DURATION: [&str; 10] = [
    "Abs",
    "Hours",
    "Microseconds",
    "Milliseconds",
    "Minutes",
    "Nanoseconds",
    "Round",
    "Seconds",
    "String",
    "Truncate",
];

/// Calls a method.
pub fn call(receiver: &Value, name: &str, args: &[Value]) -> Outcome {
    let known = match receiver {
        Value::Time(time) => of_time(time, name, args),
        Value::Duration(nanos) => of_duration(*nanos, name, args),
        _ => None,
    };
    known.unwrap_or_else(|| Err(unknown(receiver, name)))
}

fn unknown(receiver: &Value, name: &str) -> String {
    let names: &[&str] = if matches!(receiver, Value::Time(_)) { &TIME } else { &DURATION };
    let near = suggest::nearest(name, names.iter().copied());
    let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
    format!("a {} has no method `{name}` that takes these arguments{hint}", receiver.type_name())
}

/// Returns what a method of a time gives; none where there is no such method, or it takes
/// other arguments.
fn of_time(time: &Zoned, name: &str, args: &[Value]) -> Option<Outcome> {
    let stamp = time.timestamp();
    let int = |number: i64| Some(Ok(Value::Int(number)));
    match (name, args) {
        ("Format", [Value::Str(layout)]) => Some(Ok(Value::from(dates::format(time, layout)))),
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
            Some(dates::plus_date(time, *years, *months, *days))
        }
        ("Add", [Value::Duration(nanos)]) => Some(dates::plus(time, *nanos)),
        ("Sub", [Value::Time(other)]) => Some(Ok(Value::Duration(dates::between(other, time)))),
        ("Before", [Value::Time(other)]) => Some(Ok(Value::Bool(stamp < other.timestamp()))),
        ("After", [Value::Time(other)]) => Some(Ok(Value::Bool(stamp > other.timestamp()))),
        ("Equal", [Value::Time(other)]) => Some(Ok(Value::Bool(stamp == other.timestamp()))),
        ("Compare", [Value::Time(other)]) => int(stamp.cmp(&other.timestamp()) as i64),
        ("In", [Value::Zone(zone)]) => Some(Ok(Value::Time(Arc::new(time.with_time_zone(zone.clone()))))),
        ("UTC" | "Local", []) => Some(Ok(Value::Time(Arc::new(time.with_time_zone(jiff::tz::TimeZone::UTC))))),
        ("Unix", []) => int(json::floor_div(stamp.as_nanosecond(), 1_000_000_000)),
        ("UnixMilli", []) => int(json::floor_div(stamp.as_nanosecond(), 1_000_000)),
        ("UnixMicro", []) => int(json::floor_div(stamp.as_nanosecond(), 1_000)),
        ("UnixNano", []) => int(stamp.as_nanosecond() as i64),
        ("Year", []) => int(time.year().into()),
        ("Month", []) => int(time.month().into()),
        ("Day", []) => int(time.day().into()),
        ("Hour", []) => int(time.hour().into()),
        ("Minute", []) => int(time.minute().into()),
        ("Second", []) => int(time.second().into()),
        ("Nanosecond", []) => int(time.subsec_nanosecond().into()),
        ("YearDay", []) => int(time.day_of_year().into()),
        ("Weekday", []) => int(time.weekday().to_sunday_zero_offset().into()),
        ("IsZero", []) => Some(Ok(Value::Bool(stamp.as_second() == -62_135_596_800 && time.subsec_nanosecond() == 0))),
        ("String", []) => Some(Ok(Value::from(dates::go_string(time)))),
        _ => None,
    }
}

fn of_duration(nanos: i64, name: &str, args: &[Value]) -> Option<Outcome> {
    let float = |unit: f64| Some(Ok(Value::Float(nanos as f64 / unit)));
    match (name, args) {
        ("Hours", []) => float(3.6e12),
        ("Minutes", []) => float(6e10),
        ("Seconds", []) => float(1e9),
        ("Milliseconds", []) => Some(Ok(Value::Int(nanos / 1_000_000))),
        ("Microseconds", []) => Some(Ok(Value::Int(nanos / 1_000))),
        ("Nanoseconds", []) => Some(Ok(Value::Int(nanos))),
        ("Abs", []) => Some(Ok(Value::Duration(nanos.saturating_abs()))),
        ("String", []) => Some(Ok(Value::from(durations::go_string(nanos)))),
        ("Round", [Value::Duration(unit)]) => Some(Ok(Value::Duration(durations::rounded(nanos, *unit)))),
        ("Truncate", [Value::Duration(unit)]) if *unit > 0 => Some(Ok(Value::Duration(nanos - nanos % unit))),
        _ => None,
    }
}
