//! Runs, one a line, in the columns of `argo list`.

use super::look::{self, Look, Mark};
use super::table::{self, Row};
use crate::base::Timestamp;
use crate::engine::Phase;

/// What a listing knows of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Why it is in its phase.
    pub message: String,
    /// Ended and known pods, as `3/5`.
    pub progress: String,
    /// Its priority, where the manifest gives one.
    pub priority: i64,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Returns the table of `entries` at `now`; with `wide`, the progress too.
pub fn render(entries: &[Entry], now: Timestamp, wide: bool, look: Look) -> String {
    let mut headers = vec!["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE"];
    if wide {
        headers.insert(5, "PROGRESS");
    }
    let rows: Vec<Row> = entries.iter().map(|entry| row(entry, now, wide)).collect();
    table::render(&headers, &rows, 3, look)
}

fn row(entry: &Entry, now: Timestamp, wide: bool) -> Row {
    let status = entry.status();
    let duration = entry
        .started_at
        .map_or_else(String::new, |started| entry.finished_at.unwrap_or(now).since(started).to_string());
    let mut cells = vec![
        entry.name.clone(),
        status.clone(),
        look::age(now.since(entry.created_at)),
        duration,
        entry.priority.to_string(),
        look::one_line(&entry.message),
    ];
    if wide {
        cells.insert(5, entry.progress.clone());
    }
    Row { cells, painted: Some((status, Mark::of(entry.phase).style())) }
}

impl Entry {
    /// Returns the phase in Argo's words: `Running (Suspended)`.
    pub fn status(&self) -> String {
        if self.suspended && !self.phase.is_final() {
            format!("{} (Suspended)", self.phase)
        } else {
            self.phase.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stand_in_argos_columns() {
        let at = |seconds: i64| Timestamp(1_700_000_000_000 + seconds * 1000);
        let done = Entry {
            name: "ci-x7k2p".into(),
            phase: Phase::Failed,
            suspended: false,
            message: "child failed".into(),
            progress: "3/5".into(),
            priority: 0,
            created_at: at(0),
            started_at: Some(at(1)),
            finished_at: Some(at(64)),
        };
        let paused = Entry {
            name: "approve".into(),
            phase: Phase::Running,
            suspended: true,
            finished_at: None,
            message: String::new(),
            ..done.clone()
        };
        insta::assert_snapshot!(render(&[done, paused], at(600), true, Look::PLAIN), @"
        NAME       STATUS                AGE   DURATION   PRIORITY   PROGRESS   MESSAGE
        ci-x7k2p   Failed                10m   1m03s      0          3/5        child failed
        approve    Running (Suspended)   10m   9m59s      0          3/5
        ");
    }
}
