//! Telling what happens to a run while it is driven or followed: live on a terminal, as lines
//! elsewhere, as NDJSON for programs, or as what its steps write.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::drive::How;
use super::error::{Error, Kind};
use super::logs::{self, Choice, Follower, Line};
use super::place::Place;
use super::pod_logs::PodFollower;
use super::session::Session;
use super::ui::Ui;
use crate::base::{RunName, TimeSpan, Timestamp};
use crate::engine::{Batch, Event, Phase, Run};
use crate::view::events::{self, RunEvent};
use crate::view::footer::{self, Standing};
use crate::view::watch::{self, Change, Touched, Watch, What};
use crate::view::{NodeView, RunView, ending, look};

/// Redraws in a second at most.
const REDRAWS_PER_SECOND: u8 = 10;

/// How long nothing may be said without a terminal, before surroundings think that we hang.
const HEARTBEAT: TimeSpan = TimeSpan::from_secs(60);

/// Log lines of a failed step that are shown.
const TAIL_LINES: usize = 10;

/// How much is told.
#[derive(Debug, Clone, Default)]
pub enum Show {
    /// The end only, in one line.
    #[default]
    Result,
    /// Each change, and the end in full.
    Watch,
    /// What the steps write.
    Logs(Choice),
}

/// Whether events are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Past,
    Now,
}

/// The logs that are followed.
enum Followed {
    Files(Follower),
    Pods(PodFollower),
}

impl Followed {
    fn new(place: &Place, run: &RunName, how: &How) -> Option<Self> {
        let container = how.container.clone();
        match (&place.cluster, place.folder(run)) {
            (Some(cluster), _) => Some(Self::Pods(PodFollower::new(cluster.clone(), run.clone(), container))),
            (None, Some(folder)) => Some(Self::Files(Follower::new(folder, container))),
            (None, None) => None,
        }
    }

    fn add(&mut self, change: &Change) {
        match self {
            Self::Files(follower) => follower.add(change.ix, &change.label, change.what == What::Ended),
            // Before it runs, a pod has no log.
            Self::Pods(follower) if matches!(change.what, What::Ended | What::Started) => {
                follower.add(change.ix, &change.label);
            }
            Self::Pods(_) => {}
        }
    }

    fn read_new(&mut self) -> Vec<(String, Line)> {
        match self {
            Self::Files(follower) => follower.read_new(),
            Self::Pods(follower) => follower.read_new(),
        }
    }
}

/// The teller of one run.
pub struct Reporter<'a> {
    ui: &'a Ui,
    show: Show,
    run_folder: Option<PathBuf>,
    watch: Watch,
    touched: Touched,
    standing: Standing,
    is_dirty: bool,
    said_at: Timestamp,
    unsaid: Vec<String>,
    drawn_second: i64,
    bar: Option<ProgressBar>,
    follower: Option<Followed>,
    only: Option<String>,
    leaves_when_suspended: bool,
    events: Option<Box<dyn Write>>,
    failure: Option<Error>,
}

impl<'a> Reporter<'a> {
    /// Returns the teller of a run that began, or begins, at `began`.
    pub fn new(session: &'a Session, how: &How, run: &Run, place: &Place) -> Result<Self, Error> {
        let began = run.started_at().unwrap_or(run.created_at());
        let show = how.show.clone();
        let run_folder = place.folder(run.name());
        let follows = match &show {
            Show::Logs(_) => true,
            Show::Watch => place.cluster.is_some(),
            Show::Result => false,
        };
        let followed = follows.then(|| Followed::new(place, run.name(), how));
        let is_live = session.ui.is_live && matches!(show, Show::Watch) && !how.is_one_of_many;
        Ok(Self {
            ui: &session.ui,
            watch: Watch::new(run.name().as_str(), began),
            touched: Touched::default(),
            standing: Standing { progress: run.progress(), suspended: run.is_suspended(), now: began },
            is_dirty: true,
            said_at: super::env::now(),
            unsaid: Vec::new(),
            drawn_second: 0,
            bar: is_live.then(bar),
            follower: followed.flatten(),
            events: how.events.as_deref().map(open_events).transpose()?,
            only: how.only.clone(),
            leaves_when_suspended: how.leaves_when_suspended,
            failure: None,
            show,
            run_folder,
        })
    }

    /// Returns how often [`Reporter::tick`] wants to be called.
    pub fn tick_every(&self) -> TimeSpan {
        match (&self.bar, &self.follower) {
            (Some(_), _) | (_, Some(_)) => TimeSpan(1000 / u64::from(REDRAWS_PER_SECOND)),
            _ => TimeSpan::from_secs(1),
        }
    }

    /// Takes in what happened before this process came: only what still matters is told, apart
    /// from NDJSON and logs, which are whole.
    pub fn catch_up(&mut self, run: &Run, batches: &[Batch]) {
        let ended_before = self.take_in(run, batches, Telling::Past);
        if ended_before > 0 && matches!(self.show, Show::Watch) {
            let steps = if ended_before == 1 { "step" } else { "steps" };
            self.say(&self.ui.err().dim(&format!("{ended_before} {steps} ended before")));
        }
    }

    /// Takes in new events, which `run` has folded already.
    pub fn tell(&mut self, run: &Run, batches: &[Batch]) {
        self.take_in(run, batches, Telling::Now);
    }

    /// Returns how many ends were not told.
    fn take_in(&mut self, run: &Run, batches: &[Batch], telling: Telling) -> usize {
        let at = batches.last().map_or(self.standing.now, |batch| batch.at);
        self.tell_run(run, batches, at, RunEvent::Started);
        let mut untold = 0;
        for ix in self.touched.of(batches) {
            let node = NodeView::alone(run.node(ix), self.watch.run());
            let Some(change) = self.watch.touch(ix, node, at) else { continue };
            let is_old = telling == Telling::Past && change.what == What::Ended;
            untold += usize::from(is_old);
            self.tell_change(&change, is_old);
        }
        self.tell_run(run, batches, at, RunEvent::Suspended);
        self.tell_run(run, batches, at, RunEvent::Resumed);
        self.tell_run(run, batches, at, RunEvent::Finished);
        self.standing = Standing { progress: run.progress(), suspended: run.is_suspended(), now: at };
        self.is_dirty = true;
        untold
    }

    /// Writes that something happened to the run, where one of `batches` says so.
    fn tell_run(&mut self, run: &Run, batches: &[Batch], at: Timestamp, wanted: RunEvent) {
        let says_so = |event: &Event| match event {
            Event::Began => wanted == RunEvent::Started,
            Event::Suspended => wanted == RunEvent::Suspended,
            Event::Resumed => wanted == RunEvent::Resumed,
            Event::Ended { .. } => wanted == RunEvent::Finished,
            _ => false,
        };
        if batches.iter().flat_map(|batch| &batch.events).any(says_so) {
            let line = events::run_line(self.watch.run(), wanted, run.phase(), run.message(), at);
            self.write_event(&line);
        }
    }

    fn tell_change(&mut self, change: &Change, is_old: bool) {
        self.write_event(&events::node_line(self.watch.run(), change));
        match (&self.show, &mut self.follower) {
            (Show::Watch, _) if is_old => {}
            (Show::Watch, _) => self.tell_watched(change),
            (Show::Logs(_), Some(follower)) if is_below(&change.label, self.only.as_deref()) => {
                follower.add(change);
            }
            _ => self.tell_hints_of_suspension(change),
        }
    }

    fn tell_watched(&mut self, change: &Change) {
        let look = self.ui.err();
        let mut lines: Vec<String> = if self.bar.is_some() {
            change.scrolled(look).into_iter().collect()
        } else {
            vec![change.stamped(self.watch.began(), look)]
        };
        if change.wants_log_tail() {
            lines.extend(self.last_lines(change));
        }
        lines.iter().for_each(|line| self.say(line));
        if self.bar.is_none() {
            self.tell_hints_of_suspension(change);
        }
    }

    /// Returns the last lines of a step that failed; those of a pod come a moment later.
    fn last_lines(&mut self, change: &Change) -> Vec<String> {
        if let Some(Followed::Pods(follower)) = &mut self.follower {
            follower.add_end(change.ix, &change.label, TAIL_LINES);
        }
        let Some(folder) = &self.run_folder else { return Vec::new() };
        let look = self.ui.err();
        let bar = if look.utf8 { "│" } else { "|" };
        let tail = logs::last_lines(folder, change.ix, TAIL_LINES);
        tail.iter().map(|line| format!("  {} {line}", look.dim(bar))).collect()
    }

    /// Without a footer that says so, a pause is silent: say how to end it.
    fn tell_hints_of_suspension(&self, change: &Change) {
        if change.what == What::Suspended && !self.leaves_when_suspended {
            self.ui.hint(&format!("`{}` waits; go on with: wf resume {}", change.label, self.watch.run()));
        }
    }

    /// Says a line; on a terminal with the next redraw, so that many at once cost one.
    fn say(&mut self, line: &str) {
        if self.bar.is_some() {
            self.unsaid.push(line.to_owned());
        } else {
            self.ui.status(line);
        }
        self.said_at = super::env::now();
    }

    /// Says above the footer what waits to be said.
    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.unsaid).join("\n");
        if let Some(bar) = self.bar.as_ref().filter(|_| !lines.is_empty()) {
            bar.suspend(|| self.ui.status(&lines));
        }
    }

    /// Draws what changed since the last call, and reads what was written.
    pub fn tick(&mut self, now: Timestamp) {
        self.drain_logs();
        self.flush();
        if let Some(bar) = &self.bar {
            let second = now.0 / 1000;
            if self.is_dirty || second != self.drawn_second {
                (self.is_dirty, self.drawn_second) = (false, second);
                self.standing.now = now;
                let lines = footer::lines(&self.watch, self.standing, self.ui.rows, self.ui.err());
                bar.set_message(lines.join("\n"));
            }
        } else if matches!(self.show, Show::Watch) && now.since(self.said_at) >= HEARTBEAT {
            let line = watch::heartbeat(&self.watch, self.standing.progress, now, self.ui.err());
            self.say(&line);
        }
    }

    fn drain_logs(&mut self) {
        let Some(follower) = &mut self.follower else { return };
        let lines = follower.read_new();
        let Show::Logs(choice) = &self.show else { return self.tell_ends(lines) };
        for (label, line) in lines {
            let Some(shown) = choice.show(&label, &line, self.ui.out()) else { continue };
            if let Err(error) = self.ui.data_bytes(&shown) {
                self.failure.get_or_insert(error);
                return;
            }
        }
    }

    /// Tells the last lines of steps that failed in a cluster, which come a moment later.
    fn tell_ends(&mut self, lines: Vec<(String, Line)>) {
        let look = self.ui.err();
        let bar = if look.utf8 { "│" } else { "|" };
        for (label, line) in lines {
            let text = look::harmless(&String::from_utf8_lossy(&line.text));
            self.say(&format!("  {} {} {text}", look.dim(bar), look.dim(&format!("[{label}]"))));
        }
    }

    /// Hands out the followers of pods, whose last lines must be waited for.
    pub fn take_pod_logs(&mut self) -> Option<PodFollower> {
        match self.follower.take() {
            Some(Followed::Pods(follower)) => Some(follower),
            other => {
                self.follower = other;
                None
            }
        }
    }

    /// Takes back what [`Reporter::take_pod_logs`] handed out.
    pub fn give_pod_logs(&mut self, follower: PodFollower) {
        self.follower = Some(Followed::Pods(follower));
    }

    /// Returns why nobody can be told any more, once.
    pub fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Takes the footer away.
    pub fn close(&mut self) {
        self.drain_logs();
        self.flush();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Says how the run ended.
    pub fn end(&mut self, view: &RunView) {
        self.close();
        let look = self.ui.err();
        let words = match &self.show {
            Show::Watch => ending::render(view, look),
            Show::Logs(_) | Show::Result => ending::brief(view, look),
        };
        self.ui.status(&words);
    }

    fn write_event(&mut self, line: &str) {
        let Some(events) = &mut self.events else { return };
        if let Err(error) = events.write_all(line.as_bytes()).and_then(|()| events.flush()) {
            self.events = None;
            self.failure.get_or_insert(Error::io("write events", &error));
        }
    }
}

/// Returns whether a label is that of the wanted node, of an attempt at it, or of what it holds.
fn is_below(label: &str, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| {
        label.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['(', '.']))
    })
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
    bar.set_style(ProgressStyle::with_template("{msg}").expect("the template has one known key"));
    bar
}

fn open_events(path: &Path) -> Result<Box<dyn Write>, Error> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdout()));
    }
    let file = File::create(path).map_err(|error| Error::io(format!("create `{}`", path.display()), &error))?;
    Ok(Box::new(file))
}

/// Returns the end of a command that waited for a run in this phase.
pub fn end_of(phase: Phase) -> Result<(), Error> {
    if phase.is_bad() { Err(Error::told(Kind::Failed)) } else { Ok(()) }
}
