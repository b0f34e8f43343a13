//! Reading an instant by a layout.

use jiff::Zoned;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::layout::{Element, MONTHS, OffsetForm, WEEK_DAYS, split};

/// What was read so far; what a layout lacks is the first of January of the year 0.
struct Parts<'t> {
    rest: &'t str,
    year: i16,
    month: i8,
    day: i8,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    afternoon: Option<bool>,
    zone: Option<TimeZone>,
}

/// Reads an instant as Go's `ParseInLocation`; `local` is its zone where the text has none.
pub fn parse(layout: &str, text: &str, local: &TimeZone) -> Result<Zoned, String> {
    let fault = || format!("`{text}` is no time of the form `{layout}`");
    read(layout, text).and_then(|parts| parts.into_zoned(local)).ok_or_else(fault)
}

fn read<'t>(layout: &str, text: &'t str) -> Option<Parts<'t>> {
    let mut parts = Parts {
        rest: text,
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        afternoon: None,
        zone: None,
    };
    let mut layout = layout;
    loop {
        let (before, element, after) = split(layout);
        parts.skip(before)?;
        let Some(element) = element else { return parts.rest.is_empty().then_some(parts) };
        parts.take(element)?;
        let more = split(after);
        let fraction_follows = more.0.is_empty() && matches!(more.1, Some(Element::Fraction { .. }));
        if matches!(element, Element::Second | Element::ZeroSecond) && !fraction_follows {
            parts.implied_fraction();
        }
        layout = after;
    }
}

impl<'t> Parts<'t> {
    /// Skips the text between elements; a run of blanks matches any other.
    fn skip(&mut self, before: &str) -> Option<()> {
        for c in before.chars() {
            match c {
                ' ' if self.rest.is_empty() => return None,
                ' ' if !self.rest.starts_with(' ') => return None,
                ' ' => self.rest = self.rest.trim_start_matches(' '),
                c => self.rest = self.rest.strip_prefix(c)?,
            }
        }
        Some(())
    }

    fn take(&mut self, element: Element) -> Option<()> {
        match element {
            Element::LongYear => self.year = self.number(4, 4)?,
            Element::Year => {
                let short: i16 = self.number(2, 2)?;
                self.year = if short >= 69 { 1900 + short } else { 2000 + short };
            }
            Element::LongMonth => self.month = self.word(&MONTHS, 9)?,
            Element::Month => self.month = self.word(&MONTHS, 3)?,
            Element::NumMonth => self.month = self.number(1, 2)?,
            Element::ZeroMonth => self.month = self.number(2, 2)?,
            Element::LongWeekDay => drop(self.word(&WEEK_DAYS, 9)?),
            Element::WeekDay => drop(self.word(&WEEK_DAYS, 3)?),
            Element::Day => self.day = self.number(1, 2)?,
            Element::BlankDay => {
                self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                self.day = self.number(1, 2)?;
            }
            Element::ZeroDay => self.day = self.number(2, 2)?,
            Element::BlankYearDay => {
                self.rest = self.rest.trim_start_matches(' ');
                self.year_day = Some(self.number(1, 3)?);
            }
            Element::ZeroYearDay => self.year_day = Some(self.number(3, 3)?),
            Element::Hour => self.hour = self.number(1, 2)?,
            Element::Hour12 => self.hour = self.number(1, 2).filter(|hour| *hour <= 12)?,
            Element::ZeroHour12 => self.hour = self.number(2, 2).filter(|hour| *hour <= 12)?,
            Element::Minute => self.minute = self.number(1, 2)?,
            Element::ZeroMinute => self.minute = self.number(2, 2)?,
            Element::Second => self.second = self.number(1, 2)?,
            Element::ZeroSecond => self.second = self.number(2, 2)?,
            Element::UpperHalf => self.afternoon = Some(self.half(["AM", "PM"])?),
            Element::LowerHalf => self.afternoon = Some(self.half(["am", "pm"])?),
            Element::ZoneName => self.zone = Some(self.zone_name()?),
            Element::Offset(form) => self.zone = Some(self.offset(form)?),
            Element::Fraction { trims: true, .. } => self.implied_fraction(),
            Element::Fraction { digits, trims: false } => self.fraction(digits)?,
        }
        Some(())
    }

    /// Reads a number of so many digits.
    fn number<N: std::str::FromStr>(&mut self, least: usize, most: usize) -> Option<N> {
        let digits = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    /// Reads one of some names, cut to `len`, in any case; returns its place from 1 on.
    fn word(&mut self, names: &[&str], len: usize) -> Option<i8> {
        for (at, name) in names.iter().enumerate() {
            let name = &name[..len.min(name.len())];
            if self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
                self.rest = &self.rest[name.len()..];
                return i8::try_from(at + 1).ok();
            }
        }
        None
    }

    fn half(&mut self, words: [&str; 2]) -> Option<bool> {
        let afternoon = self.rest.starts_with(words[1]);
        self.rest = self.rest.strip_prefix(words[usize::from(afternoon)])?;
        Some(afternoon)
    }

    /// Reads a fraction that may be there behind seconds even where the layout has none.
    fn implied_fraction(&mut self) {
        let digits = match self.rest.strip_prefix(['.', ',']) {
            Some(after) => after.bytes().take_while(u8::is_ascii_digit).count(),
            None => 0,
        };
        if digits > 0 {
            // Digits were counted, so this reads them.
            let _ = self.fraction(digits);
        }
    }

    fn fraction(&mut self, digits: usize) -> Option<()> {
        let after = self.rest.strip_prefix(['.', ','])?;
        let number = after.get(..digits).filter(|number| number.bytes().all(|b| b.is_ascii_digit()))?;
        self.rest = &after[digits..];
        self.nanos = format!("{number:0<9}")[..9].parse().ok()?;
        Some(())
    }

    /// Reads `UTC`, or an abbreviation of which Go knows the name and not the offset.
    fn zone_name(&mut self) -> Option<TimeZone> {
        let len = self.rest.bytes().take_while(u8::is_ascii_uppercase).count();
        if !(3..=5).contains(&len) {
            return None;
        }
        self.rest = &self.rest[len..];
        Some(TimeZone::UTC)
    }

    fn offset(&mut self, form: OffsetForm) -> Option<TimeZone> {
        if form.z
            && let Some(rest) = self.rest.strip_prefix('Z')
        {
            self.rest = rest;
            return Some(TimeZone::UTC);
        }
        let negative = self.rest.starts_with('-');
        self.rest = self.rest.strip_prefix(['+', '-'])?;
        let mut seconds: i32 = self.number(2, 2)?;
        seconds *= 3600;
        for unit in [60, 1].into_iter().take(form.parts - 1) {
            if form.colons {
                self.rest = self.rest.strip_prefix(':')?;
            }
            let part: i32 = self.number(2, 2)?;
            seconds += part * unit;
        }
        let offset = Offset::from_seconds(if negative { -seconds } else { seconds }).ok()?;
        Some(if seconds == 0 { TimeZone::UTC } else { TimeZone::fixed(offset) })
    }

    fn into_zoned(self, local: &TimeZone) -> Option<Zoned> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.year_day {
            Some(day) => jiff::civil::Date::new(self.year, 1, 1).ok()?.with().day_of_year(day).build().ok()?,
            None => jiff::civil::Date::new(self.year, self.month, self.day).ok()?,
        };
        let time = jiff::civil::Time::new(hour, self.minute, self.second, self.nanos).ok()?;
        DateTime::from_parts(date, time).to_zoned(self.zone.unwrap_or_else(|| local.clone())).ok()
    }
}
