//! Sprig's functions of time. Its local zone is UTC, as in Argo's controller.

use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::{Call, Function, Outcome};
use crate::expr::functions::dates;
use crate::expr::functions::durations;
use crate::expr::value::Value;

const SECOND: i64 = 1_000_000_000;

pub(super) static TABLE: [Function; 16] = [
    Function::new("ago", 1, 1, "string", ago),
    Function::new("date", 2, 2, "string", |call| date(call, "UTC")),
    Function::new("dateInZone", 3, 3, "string", |call| date(call, call.text(2)?)),
    Function::new("dateModify", 2, 2, "time.Time", |call| Ok(modified(call).unwrap_or_else(|_| call.arg(1).clone()))),
    Function::new("date_in_zone", 3, 3, "string", |call| date(call, call.text(2)?)),
    Function::new("date_modify", 2, 2, "time.Time", |call| Ok(modified(call).unwrap_or_else(|_| call.arg(1).clone()))),
    Function::new("duration", 1, 1, "string", duration),
    Function::new("durationRound", 1, 1, "string", duration_round),
    Function::new("htmlDate", 1, 1, "string", |call| html_date(call, "UTC")),
    Function::new("htmlDateInZone", 2, 2, "string", |call| html_date(call, call.text(1)?)),
    Function::new("mustDateModify", 2, 2, "time.Time", modified),
    Function::new("mustToDate", 2, 2, "time.Time", to_date),
    Function::new("must_date_modify", 2, 2, "time.Time", modified),
    Function::new("now", 0, 0, "time.Time", |call| Ok(Value::Time(Arc::new(dates::ambient_now(call))))),
    Function::new("toDate", 2, 2, "time.Time", |call| to_date(call).or_else(|_| zero_time())),
    Function::new("unixEpoch", 1, 1, "string", unix_epoch),
];

/// Returns Go's zero time, which a fault gives.
fn zero_time() -> Outcome {
    dates::of_seconds(-62_135_596_800).map(|time| Value::Time(Arc::new(time)))
}

/// Returns an argument as a time: seconds since 1970 too, and now for anything else.
fn time(call: &Call<'_, '_>, at: usize) -> Result<Zoned, String> {
    match call.arg(at) {
        Value::Time(time) => Ok((**time).clone()),
        Value::Int(seconds) => dates::of_seconds(*seconds),
        _ => Ok(dates::ambient_now(call)),
    }
}

fn in_zone(time: Zoned, zone: &str) -> Zoned {
    time.with_time_zone(dates::zone(zone).unwrap_or(TimeZone::UTC))
}

fn date(call: &Call<'_, '_>, zone: &str) -> Outcome {
    Ok(Value::from(dates::format(&in_zone(time(call, 1)?, zone), call.text(0)?)))
}

fn html_date(call: &Call<'_, '_>, zone: &str) -> Outcome {
    Ok(Value::from(dates::format(&in_zone(time(call, 0)?, zone), "2006-01-02")))
}

fn ago(call: &mut Call<'_, '_>) -> Outcome {
    let nanos = dates::between(&time(call, 0)?, &dates::ambient_now(call));
    Ok(Value::from(durations::go_string(durations::rounded(nanos, SECOND))))
}

fn modified(call: &mut Call<'_, '_>) -> Outcome {
    let Value::Time(time) = call.arg(1) else { return Err(call.wrong(1, "a time")) };
    dates::plus(time, durations::parse(call.text(0)?)?)
}

fn to_date(call: &mut Call<'_, '_>) -> Outcome {
    let time = dates::parse(call.text(0)?, call.text(1)?, &TimeZone::UTC)?;
    Ok(Value::Time(Arc::new(time)))
}

fn duration(call: &mut Call<'_, '_>) -> Outcome {
    let seconds = match call.arg(0) {
        Value::Str(text) => text.parse().unwrap_or(0),
        Value::Int(seconds) => *seconds,
        _ => 0,
    };
    Ok(Value::from(durations::go_string(seconds.saturating_mul(SECOND))))
}

/// Returns a duration in its largest unit: `3mo`, `2h`.
fn duration_round(call: &mut Call<'_, '_>) -> Outcome {
    let nanos = match call.arg(0) {
        Value::Str(text) => durations::parse(text).unwrap_or(0),
        Value::Int(nanos) | Value::Duration(nanos) => *nanos,
        Value::Time(time) => dates::between(time, &dates::ambient_now(call)),
        _ => 0,
    };
    const HOUR: u64 = 3600;
    const UNITS: [(u64, &str); 6] =
        [(HOUR * 24 * 365, "y"), (HOUR * 24 * 30, "mo"), (HOUR * 24, "d"), (HOUR, "h"), (60, "m"), (1, "s")];
    let size = nanos.unsigned_abs();
    let unit = UNITS.iter().find(|(seconds, _)| size > seconds * SECOND as u64);
    Ok(Value::from(
        unit.map_or("0s".to_owned(), |(seconds, name)| format!("{}{name}", size / (seconds * SECOND as u64))),
    ))
}

fn unix_epoch(call: &mut Call<'_, '_>) -> Outcome {
    let Value::Time(time) = call.arg(0) else { return Err(call.wrong(0, "a time")) };
    Ok(Value::from(time.timestamp().as_second().to_string()))
}
