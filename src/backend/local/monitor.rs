//! One pod from its start to its end: view, volumes, inputs, containers, outputs, record.
//!
//! A monitor is a process of its own, forked by the supervisor; it outlives supervisor and driver.
//! It decides nothing: how a container ended, and what it left, is written down as it was.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};

use super::fault::{Doing, Fault};
use super::isolation::{Isolation, View};
use super::layout::{Layout, NodeDir};
use super::news::{News, Word};
use super::order::{Container, Order, Volume};
use super::platform::{self, Ground, Reach};
use super::probe::Prober;
use super::process::{self, Process, Site};
use super::wake::Wake;
use super::{collect, place};
use crate::base::Timestamp;
use crate::base::limits::{ADOPTED_ROUNDS_MAX, STOP_GRACE};
use crate::engine::{Phase, PodEnd};

/// How long a pod runs before that is news. Shorter ones only have an end, which spares the
/// driver half of its work for steps that do little.
const RUNNING_IS_NEWS: Duration = Duration::from_millis(50);

/// Room that is kept for the record of an end without results.
const END_BYTES: usize = 4096;

/// What container engines report when a container could not be started.
const EXIT_CODE_NOT_STARTED: i32 = 128;

/// Runs the pod that `order` describes to its end, and records that. `held` is the file that the
/// monitor is known to live by.
pub(super) fn run(order: &Order, layout: &Layout, ground: &Ground, news: &News, held: &mut File) -> Result<(), Fault> {
    let wake = begin(held)?;
    let host = layout.node(order.node);
    let is_plain = ground.isolation() == Isolation::Plain;
    let volumes = disk_volumes(order, &host)?;
    if is_plain {
        fs::create_dir_all(host.scratch()).doing("make", &host.scratch())?;
    }
    fs::write(host.exit_part(), [b' '; END_BYTES]).doing("make room in", host.path())?;
    let (folder, artifacts) = (Reach::to(host.path())?, Reach::to(&layout.artifacts())?);
    let folder = NodeDir(folder.path().to_owned());
    let logs = open_logs(order, &host)?;
    let mut pod = Pod {
        order,
        folder,
        artifacts: artifacts.path().to_owned(),
        site: if is_plain { plain_site(&host.scratch()) } else { isolated_site() },
        wake,
        news,
        held,
        logs,
        processes: Vec::new(),
        prober: None,
        began: None,
        ending: None,
        kill_at: None,
        running_at: None,
        deadline: None,
    };
    let view = View { stage: &layout.stage(), folders: &folders(order), volumes: &volumes };
    let end = match ground.isolate(&view) {
        Ok(()) => pod.live(),
        Err(fault) => pod.broken(&fault),
    };
    pod.record(&end)?;
    news.tell(Word::Ended, order.node);
    if pod.folder.scratch().exists() {
        // What stays is removed by the supervisor.
        let _ = fs::remove_dir_all(pod.folder.scratch());
    }
    Ok(())
}

/// Makes this process a monitor, which can be found by what it writes to `held`.
fn begin(held: &mut File) -> Result<Wake, Fault> {
    let name = Path::new("step-monitor");
    setsid().doing("lead a session as", name)?;
    platform::name_process("step-monitor");
    platform::adopt_orphans();
    let wake = Wake::on(&[Signal::SIGCHLD, Signal::SIGTERM]).doing("await signals in", name)?;
    SigSet::from(Signal::SIGTERM).thread_unblock().doing("await signals in", name)?;
    writeln!(held, "{} {}", platform::boot(), Pid::this()).doing("write the process id of", name)?;
    Ok(wake)
}

/// Makes the folders of the volumes that are kept on disk, and returns them by name.
fn disk_volumes(order: &Order, host: &NodeDir) -> Result<Vec<(String, PathBuf)>, Fault> {
    let on_disk = order.volumes.iter().filter(|volume| !volume.in_memory);
    let make = |volume: &Volume| {
        let folder = host.scratch().join("volumes").join(&volume.name);
        fs::create_dir_all(&folder).doing("make", &folder)?;
        Ok((volume.name.clone(), folder))
    };
    on_disk.map(make).collect()
}

fn isolated_site() -> Site {
    Site {
        isolated: true,
        // Where images that say nothing else have it.
        work: "/".into(),
        temporary: "/tmp".into(),
        script: "/argo/staging/script".into(),
        volumes: platform::VOLUMES.into(),
    }
}

fn plain_site(scratch: &Path) -> Site {
    Site {
        isolated: false,
        work: scratch.join("work"),
        temporary: scratch.join("tmp"),
        script: scratch.join("script"),
        volumes: scratch.join("volumes"),
    }
}

/// Returns the folders that the manifest has the pod write to.
fn folders(order: &Order) -> Vec<PathBuf> {
    let parent = |path: &String| Path::new(path).parent().map(Path::to_owned);
    let parameters = order.parameters.iter().filter_map(|parameter| parent(&parameter.path));
    let artifacts = order.artifacts.iter().filter_map(|artifact| parent(&artifact.path));
    let inputs = order.inputs.iter().filter_map(|input| parent(&input.path));
    let containers = order.init.iter().chain([&order.main]).chain(&order.sidecars);
    let own = containers.flat_map(|container| {
        let mounts = container.mounts.iter().map(|mount| PathBuf::from(&mount.path));
        mounts.chain(container.working_dir.as_ref().map(PathBuf::from))
    });
    let argo = [PathBuf::from("/argo/staging")];
    parameters.chain(artifacts).chain(inputs).chain(own).chain(argo).filter(|folder| folder.is_absolute()).collect()
}

/// Opens the logs of all containers while the host's folders are as they were.
fn open_logs(order: &Order, host: &NodeDir) -> Result<Vec<(String, File)>, Fault> {
    let containers = order.init.iter().chain([&order.main]).chain(&order.sidecars);
    let open = |container: &Container| {
        let path = host.log(&container.name);
        Ok((container.name.clone(), File::create(&path).doing("make", &path)?))
    };
    containers.map(open).collect()
}

/// Why a pod is ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Asked,
    Deadline,
}

struct Pod<'a> {
    order: &'a Order,
    folder: NodeDir,
    artifacts: PathBuf,
    site: Site,
    wake: Wake,
    news: &'a News,
    held: &'a mut File,
    logs: Vec<(String, File)>,
    processes: Vec<Process>,
    prober: Option<Prober>,
    began: Option<Timestamp>,
    ending: Option<Ending>,
    kill_at: Option<Instant>,
    running_at: Option<Instant>,
    deadline: Option<Instant>,
}

impl Pod<'_> {
    fn live(&mut self) -> PodEnd {
        if let Err(fault) = self.prepare() {
            return self.broken(&fault);
        }
        self.begin();
        let ran = self.run_init().and_then(|init| match init {
            Some(end) => Ok(end),
            None => self.run_main(),
        });
        self.kill_all();
        ran.unwrap_or_else(|fault| self.broken(&fault))
    }

    fn prepare(&mut self) -> Result<(), Fault> {
        let site = &self.site;
        if !site.isolated {
            for folder in [&site.work, &site.temporary] {
                fs::create_dir_all(folder).doing("make", folder)?;
            }
        }
        if !site.isolated && !self.order.volumes.is_empty() {
            return Err(Fault::refused("pods cannot mount volumes here: the kernel lets this user make no namespaces"));
        }
        for volume in &self.order.volumes {
            place::volume(volume, &site.volumes)?;
        }
        for (source, target, read_only) in process::binds(&self.order.main, site) {
            platform::bind(&source, &target, read_only).doing("mount a volume at", &target)?;
        }
        for input in &self.order.inputs {
            place::input(input, &self.artifacts, site.isolated).map_err(|fault| {
                Fault::refused(format!("failed to load the input artifact `{}`: {fault}", input.name))
            })?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        let (now, at) = (Instant::now(), wall_clock());
        self.began = Some(at);
        self.running_at = Some(now + RUNNING_IS_NEWS);
        let after = self.order.deadline_after_ms.map(Duration::from_millis);
        let until = self.order.deadline.map(|deadline| deadline.since(at).to_std());
        self.deadline = [after, until].into_iter().flatten().min().and_then(|left| now.checked_add(left));
        if self.folder.stop().exists() {
            self.stop();
        }
    }

    /// Runs the init containers; the pod's end when one of them failed.
    fn run_init(&mut self) -> Result<Option<PodEnd>, Fault> {
        for container in &self.order.init {
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
        for sidecar in &self.order.sidecars {
            if let Err(why) = self.start(sidecar) {
                return Ok(self.not_started(sidecar, &why));
            }
        }
        let main = self.processes.len();
        if let Err(why) = self.start(&self.order.main) {
            return Ok(self.not_started(&self.order.main, &why));
        }
        self.watch_readiness();
        self.turn_until(|pod| pod.processes[main].code.is_some())?;
        self.processes[main].signal(Signal::SIGKILL);
        self.end_the_rest(STOP_GRACE);
        let mut end = self.ended(main);
        end.parameters = collect::parameters(self.order);
        end.artifacts = collect::artifacts(self.order, &self.artifacts, &self.folder.log(&self.order.main.name));
        self.turn_until(|pod| pod.processes.iter().all(|process| process.code.is_some()))?;
        Ok(end)
    }

    fn start(&mut self, container: &Container) -> Result<(), Fault> {
        let at = self.logs.iter().position(|(name, _)| *name == container.name);
        let at = at.ok_or_else(|| Fault::refused(format!("two containers are called `{}`", container.name)))?;
        let (_, log) = self.logs.swap_remove(at);
        let process = Process::start(container, &self.order.main, &self.site, log)?;
        // Whoever finds the monitor dead ends what it started.
        let birth = platform::birth(process.pid).unwrap_or_default();
        let noted = writeln!(self.held, "{} {birth}", process.pid);
        self.processes.push(process);
        noted.doing("note the processes in", &self.folder.monitor())
    }

    fn watch_readiness(&mut self) {
        if !self.order.daemon {
            return;
        }
        let main = &self.order.main;
        match main.readiness.clone() {
            Some(probe) => self.prober = Some(Prober::new(probe, main.env.clone(), Instant::now())),
            None => self.ready(),
        }
    }

    fn ready(&mut self) {
        self.prober = None;
        self.running_at = None;
        match File::create(self.folder.ready()) {
            Ok(_) => self.news.tell(Word::Ready, self.order.node),
            Err(error) => eprintln!("failed to note that node {} is ready: {error}", self.order.node),
        }
    }

    /// Asks all that still runs to end, and ends it after `grace`.
    fn end_the_rest(&mut self, grace: Duration) {
        let live = self.processes.iter().filter(|process| process.code.is_none());
        live.for_each(|process| process.signal(Signal::SIGTERM));
        let kill_at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(kill_at, |earlier| earlier.min(kill_at)));
    }

    fn stop(&mut self) {
        let asked = fs::read_to_string(self.folder.stop()).ok();
        let grace = asked.and_then(|text| text.trim().parse().ok()).map_or(STOP_GRACE, Duration::from_millis);
        self.ending.get_or_insert(Ending::Asked);
        self.end_the_rest(grace);
    }

    fn turn_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Fault> {
        while !done(self) {
            self.turn()?;
        }
        Ok(())
    }

    /// Waits until something happens, and takes it in.
    fn turn(&mut self) -> Result<(), Fault> {
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
        let timers = [self.deadline, self.kill_at, self.running_at, self.prober.as_ref().map(Prober::due)];
        let next = timers.into_iter().flatten().min();
        let timeout = next.map_or(PollTimeout::NONE, |at| poll_timeout(at.saturating_duration_since(Instant::now())));
        let mut fds = vec![PollFd::new(self.wake.fd(), PollFlags::POLLIN)];
        let outputs = self.processes.iter().flat_map(Process::readable);
        fds.extend(outputs.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) | Ok(_) => Ok(()),
            Err(error) => Err(error).doing("wait for", self.folder.path()),
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
            self.news.tell(Word::Running, self.order.node);
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
        eprintln!("processes of node {} are left behind", self.order.node);
    }

    /// Returns the pod's end after its main container's.
    fn ended(&self, main: usize) -> PodEnd {
        let process = &self.processes[main];
        let mut end = PodEnd::exited(process.code.unwrap_or(EXIT_CODE_NOT_STARTED));
        if self.ending == Some(Ending::Deadline) {
            end.phase = Phase::Failed;
            end.message = DEADLINE.to_owned();
        }
        end.result = self.order.capture_result.then(|| process.result());
        self.stamped(end)
    }

    fn not_started(&self, container: &Container, why: &Fault) -> PodEnd {
        let mut end = self.failed(Phase::Failed, format!("{}: failed to start: {why}", container.name));
        end.exit_code = Some(EXIT_CODE_NOT_STARTED);
        end
    }

    fn broken(&self, fault: &Fault) -> PodEnd {
        self.failed(Phase::Error, fault.to_string())
    }

    fn failed(&self, phase: Phase, message: String) -> PodEnd {
        let message = if self.ending == Some(Ending::Deadline) { DEADLINE.to_owned() } else { message };
        self.stamped(PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) })
    }

    fn stamped(&self, end: PodEnd) -> PodEnd {
        PodEnd { started_at: self.began, host: Some(platform::host_name()), ..end }
    }

    /// Writes the end down. On a full disk that is one without results, for which there is room.
    fn record(&self, end: &PodEnd) -> Result<(), Fault> {
        let (path, part) = (self.folder.exit(), self.folder.exit_part());
        let end = PodEnd { finished_at: Some(wall_clock()), ..end.clone() };
        overwrite(&part, &end).or_else(|fault| {
            let message = format!("failed to record the end, which was {}: {fault}", end.phase);
            overwrite(&part, &PodEnd { finished_at: end.finished_at, ..self.failed(Phase::Error, message) })
        })?;
        fs::rename(&part, &path).doing("write", &path)
    }
}

/// Writes a record over what is in `part`, so that the room it has is used.
fn overwrite(part: &Path, end: &PodEnd) -> Result<(), Fault> {
    let text = serde_json::to_vec(end).expect("an end is plain data");
    let mut file = File::options().write(true).open(part).doing("open", part)?;
    let written = file.write_all(&text).and_then(|()| file.set_len(text.len() as u64));
    written.doing("write", part)
}

/// What Kubernetes says of a pod that its deadline ended.
const DEADLINE: &str = "Pod was active on the node longer than the specified deadline";

/// Takes the end of one child, if one has ended: its exit code as shells have it.
pub(super) fn ended_child() -> Option<(Pid, i32)> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
        WaitStatus::Exited(pid, code) => Some((pid, code)),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, 128 + signal as i32)),
        _ => None,
    }
}

/// Returns a span as `poll` takes it, rounded up so that a timer is due when it ends.
pub(super) fn poll_timeout(span: Duration) -> PollTimeout {
    let millis = span.as_micros().div_ceil(1000).min(i32::MAX as u128);
    PollTimeout::try_from(millis as i32).unwrap_or(PollTimeout::MAX)
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
