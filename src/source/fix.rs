//! Mends a text: replaces what fixes replace, and keeps every other byte.

use super::{Diagnostic, FileId, Fix};

/// Which fixes are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Those that are certain.
    Certain,
    /// Also what was probably meant.
    Likely,
}

/// Returns the text of a file with the fixes of the diagnostics applied, and how many they are.
///
/// Of fixes that overlap the first counts; the others are found again when the text is read again.
pub fn apply(text: &str, file: FileId, diagnostics: &[Diagnostic], choice: Choice) -> (String, usize) {
    let fixes = diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.as_ref());
    let wanted = |fix: &&Fix| fix.span.file == file && (fix.is_certain || choice == Choice::Likely);
    let mut fixes: Vec<&Fix> = fixes.filter(wanted).collect();
    fixes.sort_by_key(|fix| (fix.span.start, fix.span.end));
    let (mut out, mut count, mut done) = (String::with_capacity(text.len()), 0, 0);
    for fix in fixes {
        let (start, end) = (fix.span.start as usize, fix.span.end as usize);
        let is_next = start >= done && (count == 0 || start > done || end > start);
        let Some(between) = text.get(done..start).filter(|_| is_next && text.get(start..end).is_some()) else {
            continue;
        };
        out.push_str(between);
        out.push_str(&fix.replacement);
        (done, count) = (end, count + 1);
    }
    out.push_str(&text[done..]);
    (out, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Span, rules};

    fn fixed(text: &str, fixes: &[(u32, u32, &str, bool)], choice: Choice) -> (String, usize) {
        let file = FileId(0);
        let diagnostic = |&(start, end, by, is_certain): &(u32, u32, &str, bool)| {
            let span = Span { file, start, end };
            let diagnostic = Diagnostic::error(rules::SYNTAX, span, "x");
            if is_certain { diagnostic.fix(span, by) } else { diagnostic.guess(span, by) }
        };
        apply(text, file, &fixes.iter().map(diagnostic).collect::<Vec<_>>(), choice)
    }

    #[test]
    fn only_what_is_replaced_changes() {
        /// Edits as from, to, text and whether it is certain; what is chosen, what comes of it, and how many.
        type Case<'c> = (&'c [(u32, u32, &'c str, bool)], Choice, &'c str, usize);
        let cases: [Case<'_>; 7] = [
            (&[(0, 1, "X", true), (3, 4, "é", true)], Choice::Certain, "X: é\t#\r\n", 2),
            (&[(3, 4, "Z", true), (0, 1, "X", true)], Choice::Certain, "X: Z\t#\r\n", 2),
            (&[(0, 3, "X", true), (2, 4, "Y", true)], Choice::Certain, "Xb\t#\r\n", 1),
            (&[(0, 1, "X", false)], Choice::Certain, "a: b\t#\r\n", 0),
            (&[(0, 1, "X", false)], Choice::Likely, "X: b\t#\r\n", 1),
            (&[(3, 3, "new ", true)], Choice::Certain, "a: new b\t#\r\n", 1),
            (&[(90, 91, "X", true)], Choice::Certain, "a: b\t#\r\n", 0),
        ];
        for (fixes, choice, wanted, count) in cases {
            assert_eq!(fixed("a: b\t#\r\n", fixes, choice), (wanted.to_owned(), count), "{fixes:?}");
        }
    }
}
