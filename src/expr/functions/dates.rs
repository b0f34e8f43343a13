//! Instants, as Go's `time` has them. The local zone is UTC: a manifest means the same on
//! every machine, as it does in Argo's controller.

mod format;
mod layout;
mod read;

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Call;
use crate::expr::value::Value;

pub use format::format;
pub use read::parse;

type Outcome = Result<Value, String>;

/// Go's named layouts.
const ANSIC: &str = "Mon Jan _2 15:04:05 2006";
const UNIX_DATE: &str = "Mon Jan _2 15:04:05 MST 2006";
const RUBY_DATE: &str = "Mon Jan 02 15:04:05 -0700 2006";
const RFC822: &str = "02 Jan 06 15:04 MST";
const RFC850: &str = "Monday, 02-Jan-06 15:04:05 MST";
const RFC1123: &str = "Mon, 02 Jan 2006 15:04:05 MST";
const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

/// Returns an instant as Go's `String()` writes it.
pub fn go_string(time: &Zoned) -> String {
    format(time, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// Returns the zone of a name; the empty one, `UTC` and `Local` are UTC.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    match name {
        "" | "UTC" | "Local" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|_| format!("unknown time zone `{name}`")),
    }
}

/// Returns an instant some nanoseconds later.
pub fn plus(time: &Zoned, nanos: i64) -> Outcome {
    let shifted = time.timestamp().as_nanosecond() + i128::from(nanos);
    let timestamp = Timestamp::from_nanosecond(shifted).map_err(|_| "the time is out of range".to_owned())?;
    Ok(Value::Time(Arc::new(timestamp.to_zoned(time.time_zone().clone()))))
}

/// Returns the nanoseconds from one instant to another, within the 292 years that Go's
/// durations hold.
pub fn between(from: &Zoned, to: &Zoned) -> i64 {
    let nanos = to.timestamp().as_nanosecond() - from.timestamp().as_nanosecond();
    nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Returns a date some years, months and days later; what is too much for a month runs into
/// the next one, as in Go's `AddDate`.
pub fn plus_date(time: &Zoned, years: i64, months: i64, days: i64) -> Outcome {
    let out_of_range = || "the time is out of range".to_owned();
    let total = (i64::from(time.year()) + years.clamp(-20_000, 20_000)) * 12 + i64::from(time.month()) - 1
        + months.clamp(-240_000, 240_000);
    let year = i16::try_from(total.div_euclid(12)).map_err(|_| out_of_range())?;
    let first = jiff::civil::Date::new(year, (total.rem_euclid(12) + 1) as i8, 1).map_err(|_| out_of_range())?;
    let days = i64::from(time.day()) - 1 + days.clamp(-7_300_000, 7_300_000);
    let span = jiff::Span::new().try_days(days).map_err(|_| out_of_range())?;
    let date = first.checked_add(span).map_err(|_| out_of_range())?;
    let moved = date.to_datetime(time.time()).to_zoned(time.time_zone().clone()).map_err(|_| out_of_range())?;
    Ok(Value::Time(Arc::new(moved)))
}

/// Returns the instant of whole seconds since 1970, in UTC.
pub fn of_seconds(seconds: i64) -> Result<Zoned, String> {
    let timestamp = Timestamp::from_second(seconds).map_err(|_| "the time is out of range".to_owned())?;
    Ok(timestamp.to_zoned(TimeZone::UTC))
}

/// Returns what the ambient gives as now, in UTC.
pub fn ambient_now(call: &Call<'_, '_>) -> Zoned {
    call.tools.ambient.now.to_jiff().to_zoned(TimeZone::UTC)
}

pub(super) fn now(call: &mut Call<'_, '_>) -> Outcome {
    let now = ambient_now(call);
    match call.args.first() {
        None => Ok(Value::Time(Arc::new(now))),
        Some(Value::Zone(zone)) => Ok(Value::Time(Arc::new(now.with_time_zone(zone.clone())))),
        Some(_) => Err(call.wrong(0, "a time zone")),
    }
}

pub(super) fn timezone(call: &mut Call<'_, '_>) -> Outcome {
    zone(call.text(0)?).map(Value::Zone)
}

/// `date(text)`, `date(text, layout)`, `date(text, layout, zone)`, each with a zone before it.
pub(super) fn date(call: &mut Call<'_, '_>) -> Outcome {
    let (given, first) = match call.arg(0) {
        Value::Zone(zone) => (Some(zone.clone()), 1),
        _ => (None, 0),
    };
    let text = call.text(first)?;
    let local = given.unwrap_or(TimeZone::UTC);
    let parsed = match call.args.len() - first {
        1 => {
            const KNOWN: [&str; 7] =
                ["2006-01-02", "15:04:05", "2006-01-02 15:04:05", RFC3339, RFC822, RFC850, RFC1123];
            KNOWN
                .iter()
                .find_map(|layout| parse(layout, text, &local).ok())
                .ok_or_else(|| format!("invalid date `{text}`"))
        }
        2 => parse(call.text(first + 1)?, text, &local),
        _ => parse(call.text(first + 1)?, text, &zone(call.text(first + 2)?)?),
    };
    parsed.map(|time| Value::Time(Arc::new(time)))
}

/// Returns the seconds since 1970 of a text in one of the formats in which govaluate sees a date.
pub fn seconds_of_any_format(text: &str) -> Option<f64> {
    const KNOWN: [&str; 13] = [
        ANSIC,
        UNIX_DATE,
        RUBY_DATE,
        "3:04PM",
        RFC3339,
        "2006-01-02",
        "2006-01-02 15:04",
        "2006-01-02 15:04:05",
        "2006-01-02 15:04:05-07:00",
        "2006-01-02T15Z0700",
        "2006-01-02T15:04Z0700",
        "2006-01-02T15:04:05Z0700",
        "2006-01-02T15:04:05.999999999Z0700",
    ];
    // Every one of them begins with a digit or a day's name, and few texts do.
    let may_be = text.len() >= 6 && text.len() < 64 && text.contains([':', '-']);
    let found = may_be.then(|| KNOWN.iter().find_map(|layout| parse(layout, text, &TimeZone::UTC).ok()));
    found.flatten().map(|time| time.timestamp().as_second() as f64)
}
