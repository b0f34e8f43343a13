//! Go's instants.

/// Returns an instant as Go's `String()` writes it.
pub fn go_string(time: &jiff::Zoned) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// Returns the seconds since 1970 of a text in one of the formats in which govaluate sees a date.
pub fn seconds_of_any_format(_text: &str) -> Option<f64> {
    None
}
