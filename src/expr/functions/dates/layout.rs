//! Go's layouts: a text that shows how the second of January 2006 would be written.

/// An element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    BlankDay,
    ZeroDay,
    BlankYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    ZoneName,
    /// An offset from UTC.
    Offset(OffsetForm),
    /// A fraction of a second of so many digits, with its separator.
    Fraction {
        digits: usize,
        trims: bool,
    },
}

/// How an offset from UTC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetForm {
    /// `Z` for no offset.
    pub z: bool,
    /// Colons between hours, minutes and seconds.
    pub colons: bool,
    /// How many of hours, minutes and seconds there are.
    pub parts: usize,
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEK_DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The elements with a fixed text; of those that begin alike, the longer stands first.
const FIXED: [(&str, Element); 33] = {
    use Element::*;
    const fn offset(z: bool, colons: bool, parts: usize) -> Element {
        Offset(OffsetForm { z, colons, parts })
    }
    [
        ("January", LongMonth),
        ("Jan", Month),
        ("Monday", LongWeekDay),
        ("Mon", WeekDay),
        ("MST", ZoneName),
        ("002", ZeroYearDay),
        ("01", ZeroMonth),
        ("02", ZeroDay),
        ("03", ZeroHour12),
        ("04", ZeroMinute),
        ("05", ZeroSecond),
        ("06", Year),
        ("15", Hour),
        ("1", NumMonth),
        ("2006", LongYear),
        ("2", Day),
        ("__2", BlankYearDay),
        ("_2", BlankDay),
        ("3", Hour12),
        ("4", Minute),
        ("5", Second),
        ("PM", UpperHalf),
        ("pm", LowerHalf),
        ("-07:00:00", offset(false, true, 3)),
        ("-07:00", offset(false, true, 2)),
        ("-070000", offset(false, false, 3)),
        ("-0700", offset(false, false, 2)),
        ("-07", offset(false, false, 1)),
        ("Z07:00:00", offset(true, true, 3)),
        ("Z07:00", offset(true, true, 2)),
        ("Z070000", offset(true, false, 3)),
        ("Z0700", offset(true, false, 2)),
        ("Z07", offset(true, false, 1)),
    ]
};

/// Splits a layout at its first element: what stands before it, the element, the rest.
pub(super) fn split(layout: &str) -> (&str, Option<Element>, &str) {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if let Some((element, len)) = element_at(rest) {
            return (&layout[..at], Some(element), &rest[len..]);
        }
    }
    (layout, None, "")
}

fn element_at(rest: &str) -> Option<(Element, usize)> {
    // `_2006` is an underscore and a year.
    if rest.starts_with("_2006") {
        return None;
    }
    // `Month` is no month.
    if rest.starts_with("Jan")
        && !rest.starts_with("January")
        && rest[3..].starts_with(|c: char| c.is_ascii_lowercase())
    {
        return None;
    }
    if rest.starts_with("Mon") && !rest.starts_with("Monday") && rest[3..].starts_with(|c: char| c.is_ascii_lowercase())
    {
        return None;
    }
    let fixed = FIXED.iter().find(|(text, _)| rest.starts_with(text));
    fixed.map(|(text, element)| (*element, text.len())).or_else(|| fraction_at(rest))
}

/// Reads `.000` or `.999`, with a comma too, not followed by a digit.
fn fraction_at(rest: &str) -> Option<(Element, usize)> {
    let digit = rest.strip_prefix(['.', ','])?.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = rest[1..].chars().take_while(|c| *c == digit).count();
    let ends = !rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
    ends.then_some((Element::Fraction { digits, trims: digit == '9' }, digits + 1))
}
