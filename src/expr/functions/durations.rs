//! Go's durations: a whole number of nanoseconds.

use super::Call;
use crate::expr::value::Value;

/// Returns a duration as Go's `String()` writes it: `1h30m0s`, `1.5s`, `20ms`, `0s`.
pub fn go_string(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let body = match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{size}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(size, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(size, 1_000_000)),
        _ => clock(size),
    };
    format!("{sign}{body}")
}

/// Returns hours, minutes and seconds, the leading zeros left out.
fn clock(nanos: u64) -> String {
    const MINUTE: u64 = 60_000_000_000;
    let seconds = decimal(nanos % MINUTE, 1_000_000_000);
    let minutes = nanos / MINUTE;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Returns `amount / unit` with as many decimals as are needed; `unit` is a power of ten.
fn decimal(amount: u64, unit: u64) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", amount / unit, amount % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn duration(call: &mut Call<'_, '_>) -> Result<Value, String> {
    parse(call.text(0)?).map(Value::Duration)
}

/// Reads a duration as Go's `ParseDuration`: `1h30m`, `-1.5s`, `300ms`.
pub fn parse(text: &str) -> Result<i64, String> {
    let fault = || format!("`{text}` is not a duration: write it like `1h30m`, `1.5s` or `300ms`");
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if unsigned == "0" {
        return Ok(0);
    }
    let nanos = unsigned_nanos(unsigned).ok_or_else(fault)?;
    let signed = if negative { -nanos } else { nanos };
    i64::try_from(signed).map_err(|_| fault())
}

fn unsigned_nanos(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        total = total.checked_add(scaled(number, unit_nanos(unit)?)?)?;
        rest = after;
    }
    Some(total)
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Returns a decimal number of a unit, in nanoseconds; exact, what is below one is cut.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = &fraction[..fraction.len().min(18)];
    let part: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let part = part.checked_mul(unit)? / 10i128.checked_pow(digits.len() as u32)?;
    whole.checked_mul(unit)?.checked_add(part)
}

/// Returns a duration rounded to a multiple of a unit, halves away from zero, as Go's `Round`.
pub fn rounded(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let (nanos, unit) = (i128::from(nanos), i128::from(unit));
    let half = if nanos < 0 { -unit } else { unit };
    let rounded = (2 * nanos + half) / (2 * unit) * unit;
    rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}
