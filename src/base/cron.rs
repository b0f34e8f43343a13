//! Schedules as Argo reads them: five fields, cron's words, `@every`, a zone in front.
//!
//! Source: `ParseStandard` of robfig's cron, version 3.

use std::ops::RangeInclusive;

use super::TimeSpan;
use super::suggest::nearest;

/// A schedule that was read: when it comes, without the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At minutes, hours, days, months and weekdays.
    Fields(Box<Fields>),
    /// Again after each span of time.
    Every(TimeSpan),
}

/// The five fields, each as the set of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// 0 to 59.
    pub minutes: u64,
    /// 0 to 23.
    pub hours: u64,
    /// 1 to 31.
    pub days: u64,
    /// 1 to 12.
    pub months: u64,
    /// 0 to 6, from Sunday.
    pub weekdays: u64,
    /// Whether any day of the month will do.
    pub any_day: bool,
    /// Whether any day of the week will do.
    pub any_weekday: bool,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidSchedule {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// A field: its name, its values, and words for some of them.
struct Form {
    name: &'static str,
    values: RangeInclusive<u32>,
    words: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FORMS: [Form; 5] = [
    Form { name: "minute", values: 0..=59, words: &[] },
    Form { name: "hour", values: 0..=23, words: &[] },
    Form { name: "day of the month", values: 1..=31, words: &[] },
    Form { name: "month", values: 1..=12, words: &MONTHS },
    Form { name: "day of the week", values: 0..=6, words: &WEEKDAYS },
];

/// Cron's words and the fields that they mean.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The days of the longest month of each name, February in a leap year.
const MONTH_DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Schedule {
    /// Reads a schedule; a zone in front is passed over, see [`zone`].
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let text = match zone(text) {
            Some(zone) => text.split_once(zone).map_or("", |(_, rest)| rest).trim(),
            None => text,
        };
        if let Some(span) = text.strip_prefix("@every ") {
            let every = TimeSpan::parse_go(span).ok_or_else(|| invalid(format!("`{span}` is no duration")))?;
            return Ok(Self::Every(every));
        }
        if text.starts_with('@') {
            let fields = WORDS.iter().find(|(word, _)| *word == text).map(|(_, fields)| *fields);
            return fields.ok_or_else(|| unknown_word(text)).and_then(Self::of_fields);
        }
        Self::of_fields(text)
    }

    fn of_fields(text: &str) -> Result<Self, InvalidSchedule> {
        let texts: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = texts[..] else {
            let fault = invalid(format!("it has {} fields, not five", texts.len()));
            let help = "the fields are minute, hour, day of the month, month, day of the week";
            return Err(InvalidSchedule { help: Some(help.to_owned()), ..fault });
        };
        Ok(Self::Fields(Box::new(Fields {
            minutes: FORMS[0].read(minutes)?,
            hours: FORMS[1].read(hours)?,
            days: FORMS[2].read(days)?,
            months: FORMS[3].read(months)?,
            weekdays: FORMS[4].read(weekdays)?,
            any_day: is_any(days),
            any_weekday: is_any(weekdays),
        })))
    }

    /// Returns whether it comes at all: the 30th of February never does.
    pub fn comes(&self) -> bool {
        let Self::Fields(fields) = self else { return true };
        // Where both days are restricted, one of them is enough.
        if !fields.any_weekday {
            return true;
        }
        (1..=12).filter(|month| fields.months >> month & 1 == 1).any(|month| {
            let last = MONTH_DAYS[month as usize - 1];
            (1..=last).any(|day| fields.days >> day & 1 == 1)
        })
    }
}

/// Returns the zone that a schedule begins with.
pub fn zone(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="))?;
    Some(rest.split(' ').next().unwrap_or(rest))
}

impl Form {
    fn read(&self, text: &str) -> Result<u64, InvalidSchedule> {
        let mut set = 0;
        for part in text.split(',').filter(|part| !part.is_empty()) {
            set |= self.part(part)?;
        }
        if set == 0 { Err(invalid(format!("the {} is empty", self.name))) } else { Ok(set) }
    }

    /// Reads `*`, `5`, `1-5`, each perhaps with `/step`.
    fn part(&self, part: &str) -> Result<u64, InvalidSchedule> {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (least, most) = (*self.values.start(), *self.values.end());
        let (start, end) = match range.split_once('-') {
            _ if is_any(range) => (least, most),
            Some((start, end)) => (self.value(start)?, self.value(end)?),
            None => {
                let start = self.value(range)?;
                // A step begins at the number and goes on to the end.
                (start, if step.is_some() { most } else { start })
            }
        };
        let step = step.map_or(Some(1), |step| step.parse().ok().filter(|step: &u32| *step > 0));
        let step = step.ok_or_else(|| invalid(format!("`{part}` has no whole number above 0 behind the `/`")))?;
        if start < least || end > most {
            return Err(invalid(format!("`{part}` is beyond what a {} can be, {least} to {most}", self.name)));
        }
        if start > end {
            return Err(invalid(format!("`{part}` ends before it begins")));
        }
        Ok((start..=end).step_by(step as usize).fold(0, |set, value| set | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, InvalidSchedule> {
        let word = text.to_lowercase();
        let named = self.words.iter().position(|known| *known == word);
        // Months begin at 1.
        let named = named.map(|index| index as u32 + self.values.start());
        let value = named.or_else(|| text.parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit())));
        value.ok_or_else(|| {
            let help = nearest(&word, self.words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            InvalidSchedule { help, ..invalid(format!("`{text}` is no {}", self.name)) }
        })
    }
}

fn is_any(text: &str) -> bool {
    text == "*" || text == "?"
}

fn invalid(message: String) -> InvalidSchedule {
    InvalidSchedule { message, help: None }
}

fn unknown_word(text: &str) -> InvalidSchedule {
    let near = nearest(text, WORDS.iter().map(|(word, _)| *word));
    InvalidSchedule {
        help: near.map(|near| format!("did you mean `{near}`?")),
        ..invalid(format!("`{text}` is no word that cron knows"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_argo_reads_them() {
        for (text, valid) in [
            ("* * * * *", true),
            ("*/15 0-6,22 ? JAN-mar mon", true),
            ("5/20 * * * *", true),
            ("@daily", true),
            ("@every 1h30m", true),
            ("TZ=Europe/Berlin 0 3 * * *", true),
            ("CRON_TZ=UTC @hourly", true),
            ("60 * * * *", false),
            ("* 24 * * *", false),
            ("* * 0 * *", false),
            ("* * * 13 *", false),
            ("* * * * 7", false),
            ("*/0 * * * *", false),
            ("9-5 * * * *", false),
            ("* * * *", false),
            ("* * * * * *", false),
            ("@every soon", false),
            ("@dayly", false),
            ("a * * * *", false),
            ("-5 * * * *", false),
            (", * * * *", false),
            ("", false),
        ] {
            assert_eq!(Schedule::parse(text).is_ok(), valid, "{text}: {:?}", Schedule::parse(text));
        }
    }

    #[test]
    fn some_days_never_come() {
        for (text, comes) in
            [("0 0 30 2 *", false), ("0 0 31 4,6,9,11 *", false), ("0 0 29 2 *", true), ("0 0 30 2 1", true)]
        {
            assert_eq!(Schedule::parse(text).expect("it can be read").comes(), comes, "{text}");
        }
    }

    #[test]
    fn the_table_of_schedules_agrees() {
        let folder = std::env::var("WF_CONFORMANCE")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance").to_owned());
        let Ok(table) = std::fs::read_to_string(format!("{folder}/cron.jsonl")) else {
            println!("conformance cron.jsonl (validity): skipped, ../shared/conformance is absent");
            return;
        };
        let mut count = 0;
        for line in table.lines() {
            let case: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
            let schedule = case["schedule"].as_str().expect("a case has a schedule");
            assert_eq!(Schedule::parse(schedule).is_ok(), case["valid"] == true, "{line}");
            count += 1;
        }
        println!("conformance cron.jsonl (validity): {count}/{count}, 0 skipped by name");
    }
}
