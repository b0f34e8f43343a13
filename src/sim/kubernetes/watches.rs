//! What watches tell: in the order of what happened, but late, twice, and broken off.

use futures_util::StreamExt;
use futures_util::stream;
use http::Response;
use serde_json::json;
use tokio::sync::mpsc;

use super::network::Remote;
use super::weather::Tampering;
use crate::base::{TimeSpan, Timestamp};
use crate::sim::apiserver::{Answer, Asked, Change, body, to_response};
use crate::sim::world::Pid;

/// How late a watch is at most: on a good day, and else.
const LAG_MILLIS: u64 = 6;
const SLOW_LAG_MILLIS: u64 = 8_000;

/// How late the one thing is that is delayed.
const DELAY: TimeSpan = TimeSpan::from_secs(30);

/// A watch that goes on.
pub(super) struct Watching {
    pid: Pid,
    asked: Asked,
    /// Up to which change it has told.
    since: u64,
    /// How late it is.
    lag: u64,
    /// When it has told what it has: nothing overtakes.
    told_by: Timestamp,
    /// Ends with `None`.
    lines: mpsc::UnboundedSender<Option<String>>,
    is_over: bool,
}

impl Remote {
    /// Begins a watch.
    pub(super) fn watch(&self, pid: Pid, asked: Asked) -> Answer {
        let since = asked.since();
        let missed: Vec<Change> = match self.0.state.borrow().changes_since(since) {
            Ok(changes) => changes.cloned().collect(),
            // Servers say it in either way.
            Err(refused) if self.below(2) == 0 => return to_response(Err(refused)),
            Err(refused) => {
                let line = format!("{}\n", json!({"type": "ERROR", "object": refused.status()}));
                return Response::new(body(stream::iter([line]).boxed()));
            }
        };
        let lag = match self.0.weather.is_slow && self.is_stormy() && self.below(3) == 0 {
            true => self.below(SLOW_LAG_MILLIS),
            false => 1 + self.below(LAG_MILLIS),
        };
        let (lines, told) = mpsc::unbounded_channel();
        let watching = Watching { pid, asked, since, lag, told_by: self.now(), lines, is_over: false };
        self.0.watches.borrow_mut().push(watching);
        let told = stream::unfold(told, |mut told| async move { Some((told.recv().await??, told)) });
        self.tell(&missed);
        Response::new(body(told.boxed()))
    }

    /// Has every watch tell what it has not told.
    pub(super) fn tell(&self, changes: &[Change]) {
        let mut watches = std::mem::take(&mut *self.0.watches.borrow_mut());
        watches.retain(|watching| !watching.is_over && !watching.lines.is_closed());
        for watching in &mut watches {
            for change in changes {
                if change.version > watching.since {
                    watching.since = change.version;
                    if let Some(line) = watching.asked.line(change).filter(|_| !watching.is_over) {
                        self.send(watching, change, line);
                    }
                }
            }
        }
        self.0.watches.borrow_mut().append(&mut watches);
    }

    /// Breaks all watches off.
    pub(super) fn break_watches(&self) {
        for watching in self.0.watches.borrow_mut().iter_mut() {
            watching.is_over = true;
            let _ = watching.lines.send(None);
        }
    }

    fn send(&self, watching: &mut Watching, change: &Change, line: String) {
        let number = self.0.told.get() + 1;
        self.0.told.set(number);
        let loses = self.is_stormy() && self.in_thousand(self.0.weather.losses_in_thousand);
        let tampering = match self.0.weather.tampering_at.filter(|(at, _)| *at == number) {
            Some((_, tampering)) => Some(tampering),
            None => loses.then_some(Tampering::Lose),
        };
        if let Some(tampering) = tampering {
            self.0.world.count(format!("watch event, {tampering:?}"));
        }
        if tampering == Some(Tampering::Lose) {
            self.0.world.note(|| format!("event {number} of version {} is lost", change.version));
            return;
        }
        let delay = if tampering == Some(Tampering::Delay) { DELAY } else { TimeSpan(self.below(watching.lag) + 1) };
        watching.told_by = watching.told_by.max(self.now() + delay);
        let breaks = self.is_stormy() && self.in_thousand(self.0.weather.breaks_in_thousand);
        let repeats = tampering == Some(Tampering::Repeat) || (breaks && self.below(2) == 0);
        if repeats {
            self.0.world.count("watch event told twice");
            self.deliver(watching, Some(line.clone()));
        }
        if tampering == Some(Tampering::Skip) {
            self.0.world.note(|| format!("event {number} of version {} is not told", change.version));
            watching.is_over = true;
            self.deliver(watching, None);
            self.cut_history();
            return;
        }
        self.0.world.note(|| format!("{} event {number}: {} of version {}", watching.pid, change.what, change.version));
        self.deliver(watching, Some(line));
        if breaks && !repeats {
            self.0.world.count("watch broken off");
            watching.is_over = true;
            self.deliver(watching, None);
        }
    }

    fn deliver(&self, watching: &Watching, line: Option<String>) {
        let lines = watching.lines.clone();
        let at = watching.told_by.max(self.0.world.goes_on_at(watching.pid));
        // Whoever watched may be gone.
        self.0.world.at(at, move || drop(lines.send(line)));
    }
}
