//! Writing an instant by a layout.

use std::fmt::Write as _;

use jiff::Zoned;

use super::layout::{Element, MONTHS, OffsetForm, WEEK_DAYS, split};

/// Returns an instant as Go's `Format` writes it.
pub fn format(time: &Zoned, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    loop {
        let (before, element, after) = split(rest);
        out.push_str(before);
        let Some(element) = element else { return out };
        let separator = rest[before.len()..].chars().next().unwrap_or('.');
        write_element(&mut out, time, element, separator);
        rest = after;
    }
}

fn write_element(out: &mut String, time: &Zoned, element: Element, separator: char) {
    let month = MONTHS[time.month().clamp(1, 12) as usize - 1];
    let week_day = WEEK_DAYS[time.weekday().to_monday_zero_offset().clamp(0, 6) as usize];
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    // Writing to a text cannot fail.
    let _ = match element {
        Element::LongMonth => write!(out, "{month}"),
        Element::Month => write!(out, "{}", &month[..3]),
        Element::NumMonth => write!(out, "{}", time.month()),
        Element::ZeroMonth => write!(out, "{:02}", time.month()),
        Element::LongWeekDay => write!(out, "{week_day}"),
        Element::WeekDay => write!(out, "{}", &week_day[..3]),
        Element::Day => write!(out, "{}", time.day()),
        Element::BlankDay => write!(out, "{:2}", time.day()),
        Element::ZeroDay => write!(out, "{:02}", time.day()),
        Element::BlankYearDay => write!(out, "{:3}", time.day_of_year()),
        Element::ZeroYearDay => write!(out, "{:03}", time.day_of_year()),
        Element::Hour => write!(out, "{:02}", time.hour()),
        Element::Hour12 => write!(out, "{hour12}"),
        Element::ZeroHour12 => write!(out, "{hour12:02}"),
        Element::Minute => write!(out, "{}", time.minute()),
        Element::ZeroMinute => write!(out, "{:02}", time.minute()),
        Element::Second => write!(out, "{}", time.second()),
        Element::ZeroSecond => write!(out, "{:02}", time.second()),
        Element::LongYear => write!(out, "{:04}", time.year()),
        Element::Year => write!(out, "{:02}", time.year().rem_euclid(100)),
        Element::UpperHalf => write!(out, "{half}"),
        Element::LowerHalf => write!(out, "{}", half.to_lowercase()),
        Element::ZoneName => write!(out, "{}", zone_name(time)),
        Element::Offset(form) => write!(out, "{}", offset(time.offset().seconds(), form)),
        Element::Fraction { digits, trims } => {
            write!(out, "{}", fraction(time.subsec_nanosecond(), digits, trims, separator))
        }
    };
}

/// Returns the zone's abbreviation; Go writes the offset where a zone has no name.
fn zone_name(time: &Zoned) -> String {
    if *time.time_zone() == jiff::tz::TimeZone::UTC {
        return "UTC".to_owned();
    }
    let info = time.time_zone().to_offset_info(time.timestamp());
    let name = info.abbreviation();
    if name.starts_with(|c: char| c.is_alphabetic()) {
        return name.to_owned();
    }
    let seconds = time.offset().seconds();
    let parts = if seconds % 3600 == 0 { 1 } else { 2 };
    offset(seconds, OffsetForm { z: false, colons: false, parts })
}

fn offset(seconds: i32, form: OffsetForm) -> String {
    if seconds == 0 && form.z {
        return "Z".to_owned();
    }
    let size = seconds.unsigned_abs();
    let parts = [size / 3600, size / 60 % 60, size % 60].map(|part| format!("{part:02}"));
    let separator = if form.colons { ":" } else { "" };
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{}", parts[..form.parts.min(3)].join(separator))
}

fn fraction(nanos: i32, digits: usize, trims: bool, separator: char) -> String {
    let all = format!("{nanos:09}");
    let kept = &all[..digits.min(9)];
    let kept = if trims { kept.trim_end_matches('0') } else { kept };
    if kept.is_empty() { String::new() } else { format!("{separator}{kept}") }
}
