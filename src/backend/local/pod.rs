//! One pod from its start to its end: volumes, inputs, containers, outputs.
//!
//! It waits in one place, [`Pod::turn`], for output, ends of processes, requests and timers.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

use super::fault::{Doing, Fault, complain};
use super::layout::NodeDir;
use super::news::{News, Word};
use super::order::{Container, Order};
use super::probe::Prober;
use super::process::{self, Process, Site};
use super::wake::{Wake, ended_child, poll_timeout};
use super::{collect, place, platform};
use crate::base::Timestamp;
use crate::base::limits::{ADOPTED_ROUNDS_MAX, STOP_GRACE};
use crate::engine::{Phase, PodEnd};

/// How long a pod runs before that is news. Shorter ones only have an end, which spares the
/// driver half of its work for steps that do little.
const RUNNING_IS_NEWS: Duration = Duration::from_millis(50);

/// What container engines report when a container could not be started.
const EXIT_CODE_NOT_STARTED: i32 = 128;

/// What Kubernetes says of a pod that its deadline ended.
const DEADLINE: &str = "Pod was active on the node longer than the specified deadline";

/// Why a pod is ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Asked,
    Deadline,
}

/// What a pod is, and where.
pub(super) struct Place<'a> {
    /// What to do.
    pub order: &'a Order,
    /// Its folder, within reach.
    pub folder: &'a NodeDir,
    /// The run's artifact repository, within reach.
    pub artifacts: &'a Path,
    /// What its containers have in common.
    pub site: Site,
    /// Where its news go.
    pub news: &'a News,
}

/// A pod from its preparation to its end.
pub(super) struct Pod<'a> {
    pub(super) at: Place<'a>,
    wake: Wake,
    held: &'a mut File,
    pub(super) processes: Vec<Process>,
    prober: Option<Prober>,
    began: Option<Timestamp>,
    ending: Option<Ending>,
    kill_at: Option<Instant>,
    running_at: Option<Instant>,
    deadline: Option<Instant>,
    /// When a container of the set is to be started again.
    pub(super) again_at: Option<Instant>,
}

impl<'a> Pod<'a> {
    /// Begins with a pod of which nothing runs yet. `held` is where its processes are noted.
    pub(super) fn new(at: Place<'a>, wake: Wake, held: &'a mut File) -> Self {
        Self {
            at,
            wake,
            held,
            processes: Vec::new(),
            prober: None,
            began: None,
            ending: None,
            kill_at: None,
            running_at: None,
            deadline: None,
            again_at: None,
        }
    }

    /// Runs the pod, and returns its end. Nothing of it runs any more then.
    pub(super) fn live(&mut self) -> PodEnd {
        if let Err(fault) = self.prepare() {
            return self.broken(&fault);
        }
        self.begin();
        let ran = self.run_init().and_then(|init| match init {
            Some(end) => Ok(end),
            None if !self.at.order.set.is_empty() => self.run_set(),
            None => self.run_main(),
        });
        self.kill_all();
        ran.unwrap_or_else(|fault| self.broken(&fault))
    }

    fn prepare(&mut self) -> Result<(), Fault> {
        let site = &self.at.site;
        if !site.isolated {
            for folder in [&site.work, &site.temporary] {
                fs::create_dir_all(folder).doing("make", folder)?;
            }
        }
        if !site.isolated && !self.at.order.volumes.is_empty() {
            return Err(Fault::refused("pods cannot mount volumes here: the kernel lets this user make no namespaces"));
        }
        for volume in &self.at.order.volumes {
            place::volume(volume, &site.volumes)?;
        }
        for (source, target, read_only) in process::binds(&self.at.order.main, site) {
            platform::bind(&source, &target, read_only).doing("mount a volume at", &target)?;
        }
        for input in &self.at.order.inputs {
            place::input(input, self.at.artifacts, site.isolated).map_err(|fault| {
                Fault::refused(format!("failed to load the input artifact `{}`: {fault}", input.name))
            })?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        let (now, at) = (Instant::now(), wall_clock());
        self.began = Some(at);
        self.running_at = Some(now + RUNNING_IS_NEWS);
        let after = self.at.order.deadline_after_ms.map(Duration::from_millis);
        let until = self.at.order.deadline.map(|deadline| deadline.since(at).to_std());
        self.deadline = [after, until].into_iter().flatten().min().and_then(|left| now.checked_add(left));
        if self.at.folder.stop().exists() {
            self.stop();
        }
    }

    /// Runs the init containers; the pod's end when one of them failed.
    fn run_init(&mut self) -> Result<Option<PodEnd>, Fault> {
        for container in &self.at.order.init {
            if let Err(why) = self.start(container) {
                return Ok(Some(self.not_started(container, &why)));
            }
            let at = self.processes.len() - 1;
            self.turn_until(|pod| pod.processes[at].code.is_some())?;
            self.processes[at].signal(Signal::SIGKILL);
            let code = self.processes[at].code.unwrap_or(0);
            if code != 0 || self.ending.is_some() {
                return Ok(Some(self.failed(Phase::Failed, format!("{}: Error (exit code {code})", container.name))));
            }
        }
        Ok(None)
    }

    fn run_main(&mut self) -> Result<PodEnd, Fault> {
        for sidecar in &self.at.order.sidecars {
            if let Err(why) = self.start(sidecar) {
                return Ok(self.not_started(sidecar, &why));
            }
        }
        let main = self.processes.len();
        if let Err(why) = self.start(&self.at.order.main) {
            return Ok(self.not_started(&self.at.order.main, &why));
        }
        self.watch_readiness();
        self.turn_until(|pod| pod.processes[main].code.is_some())?;
        self.processes[main].signal(Signal::SIGKILL);
        self.end_the_rest(STOP_GRACE);
        let mut end = self.ended(main);
        self.collect(&mut end);
        self.turn_until(|pod| pod.processes.iter().all(|process| process.code.is_some()))?;
        Ok(end)
    }

    /// Takes the outputs of the pod.
    pub(super) fn collect(&self, end: &mut PodEnd) {
        let order = self.at.order;
        end.parameters = collect::parameters(order);
        end.artifacts = collect::artifacts(order, self.at.artifacts, &self.at.folder.log(&order.main.name));
    }

    /// Returns whether the pod is being ended before its time.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(super) fn start(&mut self, container: &Container) -> Result<(), Fault> {
        if self.processes.iter().any(|process| process.name == container.name) {
            return Err(Fault::refused(format!("two containers are called `{}`", container.name)));
        }
        let log = self.at.folder.log(&container.name);
        self.processes.push(Process::start(container, &self.at.order.main, &self.at.site, log)?);
        self.note(self.processes.len() - 1)
    }

    /// Starts a container again whose process, the one of that number, has ended.
    pub(super) fn start_again(&mut self, process: usize, container: &Container) -> Result<(), Fault> {
        self.processes[process].again(container, &self.at.order.main, &self.at.site)?;
        self.note(process)
    }

    /// Whoever finds the monitor dead ends what it started.
    fn note(&mut self, process: usize) -> Result<(), Fault> {
        let pid = self.processes[process].pid;
        let birth = platform::birth(pid).unwrap_or_default();
        writeln!(self.held, "{pid} {birth}").doing("note the processes in", &self.at.folder.monitor())
    }

    fn watch_readiness(&mut self) {
        if !self.at.order.daemon {
            return;
        }
        let main = &self.at.order.main;
        match main.readiness.clone() {
            Some(probe) => self.prober = Some(Prober::new(probe, main.env.clone(), Instant::now())),
            None => self.ready(),
        }
    }

    fn ready(&mut self) {
        self.prober = None;
        self.running_at = None;
        match File::create(self.at.folder.ready()) {
            Ok(_) => self.at.news.tell(Word::Ready, self.at.order.node),
            Err(error) => complain(format_args!("failed to note that node {} is ready: {error}", self.at.order.node)),
        }
    }

    /// Asks all that still runs to end, and ends it after `grace`.
    pub(super) fn end_the_rest(&mut self, grace: Duration) {
        let live = self.processes.iter().filter(|process| process.code.is_none());
        live.for_each(|process| process.signal(Signal::SIGTERM));
        let kill_at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(kill_at, |earlier| earlier.min(kill_at)));
    }

    fn stop(&mut self) {
        let asked = fs::read_to_string(self.at.folder.stop()).ok();
        let grace = asked.and_then(|text| text.trim().parse().ok()).map_or(STOP_GRACE, Duration::from_millis);
        self.ending.get_or_insert(Ending::Asked);
        self.end_the_rest(grace);
    }

    pub(super) fn turn_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Fault> {
        while !done(self) {
            self.turn()?;
        }
        Ok(())
    }

    /// Waits until something happens, and takes it in.
    pub(super) fn turn(&mut self) -> Result<(), Fault> {
        self.wait()?;
        let signals = self.wake.take();
        let now = wall_clock();
        for process in &mut self.processes {
            process.take_output(now)?;
        }
        self.reap(now)?;
        if signals.contains(&(Signal::SIGTERM as u8)) {
            self.stop();
        }
        self.tick(Instant::now());
        Ok(())
    }

    fn wait(&self) -> Result<(), Fault> {
        let probe_at = self.prober.as_ref().map(Prober::due);
        let timers = [self.deadline, self.kill_at, self.running_at, self.again_at, probe_at];
        let next = timers.into_iter().flatten().min();
        let timeout = next.map_or(PollTimeout::NONE, |at| poll_timeout(at.saturating_duration_since(Instant::now())));
        let mut fds = vec![PollFd::new(self.wake.fd(), PollFlags::POLLIN)];
        let outputs = self.processes.iter().flat_map(Process::readable);
        fds.extend(outputs.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) | Ok(_) => Ok(()),
            Err(error) => Err(error).doing("wait for", self.at.folder.path()),
        }
    }

    fn reap(&mut self, now: Timestamp) -> Result<(), Fault> {
        while let Some((pid, code)) = ended_child() {
            if let Some(process) = self.processes.iter_mut().find(|process| process.pid == pid) {
                process.code = Some(code);
                process.drain(now)?;
            } else if self.prober.as_mut().and_then(|prober| prober.ended(pid, code, Instant::now())) == Some(true) {
                self.ready();
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            self.ending.get_or_insert(Ending::Deadline);
            self.end_the_rest(STOP_GRACE);
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            let live = self.processes.iter().filter(|process| process.code.is_none());
            live.for_each(|process| process.signal(Signal::SIGKILL));
        }
        if self.running_at.is_some_and(|at| at <= now) {
            self.running_at = None;
            self.at.news.tell(Word::Running, self.at.order.node);
        }
        if let Some(prober) = &mut self.prober {
            prober.wake(now);
        }
    }

    /// Ends what is left, that which left its group included.
    fn kill_all(&mut self) {
        self.processes
            .iter()
            .filter(|process| process.code.is_none())
            .for_each(|process| process.signal(Signal::SIGKILL));
        for _ in 0..ADOPTED_ROUNDS_MAX {
            let children = platform::children();
            if children.is_empty() {
                return;
            }
            children.into_iter().for_each(|child| {
                let _ = kill(child, Signal::SIGKILL);
            });
            let _ = waitpid(None, None);
        }
        complain(format_args!("processes of node {} are left behind", self.at.order.node));
    }

    /// Returns the pod's end after its main container's.
    fn ended(&self, main: usize) -> PodEnd {
        let process = &self.processes[main];
        let mut end = PodEnd::exited(process.code.unwrap_or(EXIT_CODE_NOT_STARTED));
        if self.ending == Some(Ending::Deadline) {
            end.phase = Phase::Failed;
            end.message = DEADLINE.to_owned();
        }
        end.result = self.at.order.capture_result.then(|| process.result());
        self.stamped(end)
    }

    pub(super) fn not_started(&self, container: &Container, why: &Fault) -> PodEnd {
        let mut end = self.failed(Phase::Failed, format!("{}: failed to start: {why}", container.name));
        end.exit_code = Some(EXIT_CODE_NOT_STARTED);
        end
    }

    /// Returns the end of a pod that its surroundings failed.
    pub(super) fn broken(&self, fault: &Fault) -> PodEnd {
        self.failed(Phase::Error, fault.to_string())
    }

    pub(super) fn failed(&self, phase: Phase, message: String) -> PodEnd {
        let message = if self.ending == Some(Ending::Deadline) { DEADLINE.to_owned() } else { message };
        self.stamped(PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) })
    }

    pub(super) fn stamped(&self, end: PodEnd) -> PodEnd {
        PodEnd { started_at: self.began, finished_at: Some(wall_clock()), host: Some(platform::host_name()), ..end }
    }
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
