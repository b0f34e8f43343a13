//! How text may look: whether symbols and colour are allowed, and how wide a line may be.
//! Colour only repeats what words or symbols already say.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::engine::Phase;

/// What the place that text goes to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether symbols beyond ASCII may be used; words stand in their place otherwise.
    pub utf8: bool,
    /// Whether colour may be used.
    pub colour: bool,
    /// Columns of a line.
    pub width: usize,
}

impl Look {
    /// Plain text with symbols, as files and pipes get it.
    pub const PLAIN: Look = Look { utf8: true, colour: false, width: 100 };

    /// Returns `text` in `style`, or as it is where colour is not allowed.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colour && style != Style::new() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Returns `text` dimmed.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Returns `text` emphasised.
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Returns the painted symbol, or word, of `mark`.
    pub fn mark(self, mark: Mark) -> String {
        self.paint(mark.style(), self.mark_text(mark))
    }

    /// Returns the symbol, or word, of `mark`, without colour.
    pub fn mark_text(self, mark: Mark) -> &'static str {
        if self.utf8 { mark.symbol() } else { mark.word() }
    }

    /// Returns `text` cut to at most `columns`, the last of which then shows that it was cut.
    pub fn cut(self, text: &str, columns: usize) -> String {
        if text.width() <= columns {
            return text.to_owned();
        }
        let ellipsis = if self.utf8 { "…" } else { "..." };
        let room = columns.saturating_sub(ellipsis.width());
        let mut cut = String::new();
        let mut used = 0;
        for c in text.chars() {
            used += c.width().unwrap_or(0);
            if used > room {
                break;
            }
            cut.push(c);
        }
        cut + ellipsis
    }
}

/// The state of a node or run as one symbol. Symbols and colours are those of `argo get`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Waits.
    Pending,
    /// At work.
    Running,
    /// Waits for a person.
    Suspended,
    /// Ended well.
    Succeeded,
    /// Never ran.
    Skipped,
    /// Ended badly.
    Failed,
    /// Could not be carried out.
    Error,
}

impl Mark {
    /// Returns the mark of `phase`.
    pub fn of(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Mark::Pending,
            Phase::Running => Mark::Running,
            Phase::Succeeded => Mark::Succeeded,
            Phase::Skipped | Phase::Omitted => Mark::Skipped,
            Phase::Failed => Mark::Failed,
            Phase::Error => Mark::Error,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Mark::Pending => "◷",
            Mark::Running => "●",
            Mark::Suspended => "ǁ",
            Mark::Succeeded => "✔",
            Mark::Skipped => "○",
            Mark::Failed => "✖",
            Mark::Error => "⚠",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Mark::Pending => "Pending",
            Mark::Running => "Running",
            Mark::Suspended => "Suspended",
            Mark::Succeeded => "Succeeded",
            Mark::Skipped => "Skipped",
            Mark::Failed => "Failed",
            Mark::Error => "Error",
        }
    }

    /// Returns the colour that repeats the mark.
    pub fn style(self) -> Style {
        let colour = match self {
            Mark::Pending => AnsiColor::Yellow,
            Mark::Running | Mark::Suspended => AnsiColor::Cyan,
            Mark::Succeeded => AnsiColor::Green,
            Mark::Skipped => return Style::new().dimmed(),
            Mark::Failed | Mark::Error => AnsiColor::Red,
        };
        colour.on_default()
    }
}

/// Returns how long ago something was, in one unit, as `kubectl` prints ages: `12s`, `5m`, `3h`, `2d`.
pub fn age(span: crate::base::TimeSpan) -> String {
    let seconds = span.0 / 1000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns `text` with everything removed that would steer a terminal, so that what a step
/// printed or a manifest says cannot draw over the screen. Tabs stay; lines must be split before.
pub fn harmless(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Returns the first line of `text`, harmless.
pub fn one_line(text: &str) -> String {
    harmless(text.lines().next().unwrap_or_default())
}

/// Returns `text` as one word of a shell: as it is where it is plain, within quotes otherwise.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TimeSpan;

    #[test]
    fn cuts_by_columns_not_characters() {
        let look = Look::PLAIN;
        assert_eq!(look.cut("short", 10), "short");
        assert_eq!(look.cut("longer than ten", 10), "longer th…");
        assert_eq!(look.cut("日本語の長い", 7), "日本語…");
        assert_eq!(Look { utf8: false, ..look }.cut("longer than ten", 10), "longer ...");
    }

    #[test]
    fn colour_repeats_and_can_be_left_out() {
        assert_eq!(Look::PLAIN.mark(Mark::Failed), "✖");
        let colour = Look { colour: true, utf8: false, width: 80 };
        assert_eq!(colour.mark(Mark::Failed), "\u{1b}[31mFailed\u{1b}[0m");
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")] {
            assert_eq!(age(TimeSpan::from_secs(seconds)), text);
        }
    }

    #[test]
    fn shell_words_are_quoted_where_needed() {
        assert_eq!(shell_word("build.test"), "build.test");
        assert_eq!(shell_word("map(0:it's)"), r"'map(0:it'\''s)'");
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        assert_eq!(one_line("red \u{1b}[31m\nsecond"), "red \u{fffd}[31m");
    }
}
