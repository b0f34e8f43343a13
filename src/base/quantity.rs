//! Kubernetes' quantities.

/// Returns the amount that a quantity says, in its base unit; none of a text that is none, or has tags.
/// Source: `resource.ParseQuantity`.
pub fn amount(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    match factor(&text[end..]) {
        Some(factor) => Some(number * factor),
        None => text.parse().ok(),
    }
}

/// Returns whether the text is a quantity: a decimal number and one of the suffixes, or an exponent.
/// Source: `resource.ParseQuantity`.
pub fn is_quantity(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number_len = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(number_len);
    let exponent = suffix.strip_prefix(['e', 'E']).filter(|exponent| exponent.parse::<i64>().is_ok());
    number.contains(|c: char| c.is_ascii_digit())
        && number.matches('.').count() <= 1
        && (exponent.is_some() || factor(suffix).is_some())
}

/// Returns what a suffix multiplies by.
fn factor(suffix: &str) -> Option<f64> {
    Some(match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024f64,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        _ => return None,
    })
}
