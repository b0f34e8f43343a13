//! The small live part below the scrollback: what runs, what waits and why, and how far it is.

use std::collections::BTreeSet;

use super::look::{self, Look, Mark};
use super::model::NodeView;
use super::watch::{Fold, Watch, split_item};
use crate::base::Timestamp;

/// Lines of the footer at most, however high the terminal is.
const LINES_MAX: usize = 10;

/// A loop with this many items or more is one line.
const FOLD_ITEMS_MIN: usize = 4;

/// Columns of the bar.
const BAR_COLUMNS: usize = 20;

/// What the footer says of the run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Ended pods, and known ones.
    pub progress: (u32, u32),
    /// Whether the run as a whole is suspended.
    pub suspended: bool,
    /// The time.
    pub now: Timestamp,
}

/// Returns the lines of the footer for a terminal of `rows` rows: never more than a third of them.
pub fn lines(watch: &Watch, standing: Standing, rows: usize, look: Look) -> Vec<String> {
    let lines_max = LINES_MAX.min(rows / 3).max(1);
    let mut entries = entries(watch, standing, look);
    let room = lines_max - 1;
    if entries.len() > room {
        let hidden = entries.len() - room.saturating_sub(1);
        entries.truncate(room.saturating_sub(1));
        if room > 0 {
            entries.push(look.dim(&format!(" and {hidden} more")));
        }
    }
    entries.push(progress_line(watch, standing, look));
    entries
}

/// Returns a line for each loop and each other node that goes on: at work first, then waiting.
fn entries(watch: &Watch, standing: Standing, look: Look) -> Vec<String> {
    let mut entries: Vec<(Mark, String)> = Vec::new();
    if standing.suspended {
        entries.push((Mark::Running, line(Mark::Suspended, watch.run(), &resume(watch.run()), look)));
    }
    let mut folded = BTreeSet::new();
    for node in watch.active() {
        let label = node.label(watch.run());
        match split_item(&label).and_then(|(base, _)| Some((base, watch.folds().get(base)?))) {
            Some((base, fold)) if fold.len() >= FOLD_ITEMS_MIN => {
                if folded.insert(base.to_owned()) {
                    let mark = if fold.count(Mark::Running) > 0 { Mark::Running } else { Mark::Pending };
                    entries
                        .push((order(mark), line(mark, &format!("{base}({})", fold.len()), &counts(fold, look), look)));
                }
            }
            _ => entries.push((order(node.mark()), line(node.mark(), &label, &doing(watch, node, standing.now), look))),
        }
    }
    entries.sort_by_key(|(order, _)| *order);
    entries.into_iter().map(|(_, line)| line).collect()
}

/// What waits for a person is as pressing as what runs.
fn order(mark: Mark) -> Mark {
    if mark == Mark::Pending { Mark::Suspended } else { Mark::Running }
}

fn line(mark: Mark, label: &str, words: &str, look: Look) -> String {
    // The mark is painted after the cut, so that the cut counts columns only.
    let plain = format!(" {} {:<24} {words}", look.mark_text(mark), look::harmless(label));
    let cut = look.cut(plain.trim_end(), look.width.saturating_sub(1));
    cut.replacen(look.mark_text(mark), &look.mark(mark), 1)
}

fn doing(watch: &Watch, node: &NodeView, now: Timestamp) -> String {
    let reason = look::one_line(&node.reason(now));
    if node.is_suspended() {
        let until = if reason.is_empty() { "suspended".to_owned() } else { format!("suspended, {reason}") };
        return format!("{until} · {}", resume(watch.run()));
    }
    match node.mark() {
        Mark::Pending if reason.is_empty() => "waiting".to_owned(),
        Mark::Pending => reason,
        _ if node.daemoned => "is up".to_owned(),
        _ if reason.is_empty() => node.duration(now).to_string(),
        _ => format!("{}  {reason}", node.duration(now)),
    }
}

fn resume(run: &str) -> String {
    format!("resume with: wf resume {run}")
}

/// Returns the states of a loop's items: `87 ✔ 3 ● 1 ✖`.
fn counts(fold: &Fold, look: Look) -> String {
    let marks =
        [Mark::Succeeded, Mark::Running, Mark::Suspended, Mark::Pending, Mark::Failed, Mark::Error, Mark::Skipped];
    let counted = marks.into_iter().filter(|&mark| fold.count(mark) > 0);
    counted.map(|mark| format!("{} {}", fold.count(mark), look.mark_text(mark))).collect::<Vec<_>>().join(" ")
}

fn progress_line(watch: &Watch, standing: Standing, look: Look) -> String {
    let (done, known) = standing.progress;
    let filled = if known == 0 { 0 } else { BAR_COLUMNS * done.min(known) as usize / known as usize };
    let (full, empty) = if look.utf8 { ("█", "░") } else { ("#", ".") };
    let bar = full.repeat(filled) + &empty.repeat(BAR_COLUMNS - filled);
    let mut words = format!(" [{bar}] {done}/{known}");
    if watch.bad() > 0 {
        words.push_str(&format!(" · {} failed", watch.bad()));
    }
    words.push_str(&format!(" · {}", standing.now.since(watch.began())));
    let words = if look.utf8 { words } else { words.replace('·', "-") };
    look.cut(&words, look.width.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::watch::tests::follow;

    fn standing(watch: &Watch) -> Standing {
        Standing { progress: (5, 9), suspended: false, now: Timestamp(watch.began().0 + 84_000) }
    }

    #[test]
    fn the_footer_shows_what_goes_on() {
        let mut nodes = String::from(
            "1 wf.gone Pod Failed
             2 wf.test Pod Running
             3 wf.ask Suspend Running
             4 wf.pack Pod Pending msg=waiting_for_a_lock\n",
        );
        for item in 0..6 {
            let phase = ["Succeeded", "Running", "Failed"][item % 3];
            nodes.push_str(&format!("{} wf.map({item}:x) Pod {phase}\n", 10 + item));
        }
        let (watch, _) = follow(&nodes);
        let footer = lines(&watch, standing(&watch), 40, Look::PLAIN).join("\n");
        insta::assert_snapshot!(footer, @"
        ● test                     1m24s
        ǁ ask                      suspended · resume with: wf resume wf
        ● map(6)                   2 ✔ 2 ● 2 ✖
        ◷ pack                     waiting for a lock
        [███████████░░░░░░░░░] 5/9 · 3 failed · 1m24s
        ");
        let ascii = Look { utf8: false, width: 40, ..Look::PLAIN };
        insta::assert_snapshot!(lines(&watch, standing(&watch), 9, ascii).join("\n"), @"
        Running test                     1m24s
        and 3 more
        [###########.........] 5/9 - 3 fail...
        ");
    }

    #[test]
    fn the_footer_is_never_higher_than_a_third() {
        let nodes: String = (0..50).map(|at| format!("{at} wf.n{at} Pod Running\n")).collect();
        let (watch, _) = follow(&nodes);
        for (rows, expected) in [(0, 1), (3, 1), (9, 3), (24, 8), (60, 10), (200, 10)] {
            assert_eq!(lines(&watch, standing(&watch), rows, Look::PLAIN).len(), expected, "{rows} rows");
        }
        let shown = lines(&watch, standing(&watch), 24, Look::PLAIN);
        assert_eq!(shown[6], " and 44 more");
    }
}
