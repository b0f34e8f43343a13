//! Regular expressions, bounded in size.

use regex::{Regex, RegexBuilder};

/// Memory that one compiled expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Compiles an expression, or says what is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|fault| format!("`{pattern}` is not a regular expression: {}", one_line(&fault.to_string())))
}

/// Returns the last line of a message of several, which holds the reason.
fn one_line(message: &str) -> &str {
    message.lines().last().unwrap_or(message).trim_start_matches("error:").trim()
}
