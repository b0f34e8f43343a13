//! The supervisor of a run's pods: a process that outlives the driver, and forks a monitor per pod.
//!
//! It is single-threaded and free of any runtime, so that forking in it is safe and cheap. It knows
//! nothing of workflows: an order is bytes that it hands on. A pod's folder is made before the pod
//! is started, under a name that exists once, so that a start that is asked for twice is one.
//!
//! What it is told and tells is in `talk.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{ForkResult, Pid, fork};

use super::fault::{Doing, Fault, complain};
use super::layout::{Layout, NodeDir, SOCKET};
use super::monitor;
use super::news::{self, News, Word};
use super::platform::{self, Ground};
use super::talk::{Driver, Request, VERSION};
use super::wake::{Wake, ended_child, poll_timeout};
use super::{leftover, order};
use crate::base::NodeIx;
use crate::base::limits::SUPERVISOR_LINGER;

/// The name that a supervisor's process is started by, and that process lists show. It is not
/// that of the program: who ends all drivers by name means the drivers.
pub const PROCESS_NAME: &str = "step-supervisor";

/// What a supervisor says on its standard output once its socket is there.
pub(super) const READY: &[u8] = b"ready\n";

/// The exit code of a supervisor that found another one at work.
pub(super) const EXIT_CODE_NOT_NEEDED: i32 = 3;

/// How often monitors of an earlier supervisor are looked at where the system does not tell of their end.
const ADOPTED_LOOK: Duration = Duration::from_secs(1);

/// Runs the supervisor when this process was started as one, and returns its exit code.
///
/// It must be called before anything else: before threads are started, and arguments read.
pub fn intercept() -> Option<i32> {
    (std::env::args_os().next()? == PROCESS_NAME).then(main)
}

/// Supervises the run in whose folder the process was started. Returns the exit code.
pub fn main() -> i32 {
    match Supervisor::begin().and_then(|supervisor| supervisor.map_or(Ok(false), |mut it| it.run().map(|()| true))) {
        Ok(true) => 0,
        Ok(false) => EXIT_CODE_NOT_NEEDED,
        Err(fault) => {
            complain(fault);
            1
        }
    }
}

struct Supervisor {
    layout: Layout,
    ground: Ground,
    news: News,
    wake: Wake,
    listener: Option<UnixListener>,
    drivers: Vec<Driver>,
    pods: BTreeMap<NodeIx, Watched>,
    /// Processes that remove what a pod left.
    cleaners: BTreeSet<Pid>,
    idle_since: Instant,
    /// Held while it lives. Its children must not hold it, who live longer.
    lock: Option<File>,
}

/// A pod whose monitor lives, as far as is known.
struct Watched {
    monitor: Pid,
    whose: Whose,
}

/// Who started a monitor, and so how its end is noticed.
enum Whose {
    /// This supervisor, whose child it is.
    Ours,
    /// An earlier one. The descriptor tells of its end, where the system has such a thing.
    Adopted(Option<OwnedFd>),
}

impl Supervisor {
    /// Makes everything ready, and says so; nothing when another supervisor is at work.
    fn begin() -> Result<Option<Self>, Fault> {
        platform::close_inherited();
        let run = std::env::current_dir().doing("find", Path::new("."))?;
        let layout = Layout::new(run);
        platform::name_process(PROCESS_NAME);
        platform::adopt_orphans();
        // A monitor must not miss a SIGTERM that comes before it awaits it; the supervisor ends by itself.
        SigSet::from(Signal::SIGTERM).thread_block().doing("put off signals in", &layout.run)?;
        let lock = File::options().create(true).append(true).open(layout.lock()).doing("open", &layout.lock())?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        for folder in [layout.nodes(), layout.artifacts(), layout.stage()] {
            fs::create_dir_all(&folder).doing("make", &folder)?;
        }
        let news = News::open(&layout.news())?;
        let ground = Ground::survey(&layout.stage());
        let wake = Wake::on(&[Signal::SIGCHLD]).doing("await signals in", &layout.run)?;
        let listener = Some(listen(&layout)?);
        let mut supervisor = Self {
            layout,
            ground,
            news,
            wake,
            listener,
            drivers: Vec::new(),
            pods: BTreeMap::new(),
            cleaners: BTreeSet::new(),
            idle_since: Instant::now(),
            lock: Some(lock),
        };
        supervisor.adopt()?;
        say_ready()?;
        Ok(Some(supervisor))
    }

    fn run(&mut self) -> Result<(), Fault> {
        while !self.is_done() {
            self.wait()?;
            self.wake.take();
            self.reap();
            self.greet();
            self.listen_to_drivers();
            let news = self.news.take();
            news.into_iter().for_each(|(word, node)| self.tell(&news::line(word, node)));
        }
        // A driver that connects from now on finds nobody, and starts another supervisor.
        let _ = fs::remove_file(self.layout.socket());
        Ok(())
    }

    fn is_done(&mut self) -> bool {
        if !self.is_idle() {
            self.idle_since = Instant::now();
        }
        self.is_idle() && self.idle_since.elapsed() >= SUPERVISOR_LINGER
    }

    fn is_idle(&self) -> bool {
        self.drivers.is_empty() && self.pods.is_empty() && self.cleaners.is_empty()
    }

    fn wait(&self) -> Result<(), Fault> {
        let left = SUPERVISOR_LINGER.saturating_sub(self.idle_since.elapsed());
        let is_looking = self.pods.values().any(|pod| matches!(pod.whose, Whose::Adopted(None)));
        let timeout = match self.is_idle() {
            true => poll_timeout(left),
            false if is_looking => poll_timeout(ADOPTED_LOOK),
            false => PollTimeout::NONE,
        };
        let adopted = self.pods.values().filter_map(|pod| match &pod.whose {
            Whose::Adopted(end) => end.as_ref().map(AsFd::as_fd),
            Whose::Ours => None,
        });
        let fds = [self.wake.fd(), self.news.fd()].into_iter().chain(self.listener.as_ref().map(AsFd::as_fd));
        let fds = fds.chain(adopted).chain(self.drivers.iter().map(Driver::fd));
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error).doing("wait in", &self.layout.run),
        }
    }

    /// Takes over the pods of a supervisor that is gone.
    fn adopt(&mut self) -> Result<(), Fault> {
        for entry in fs::read_dir(self.layout.nodes()).doing("list", &self.layout.nodes())? {
            let path = entry.doing("list", &self.layout.nodes())?.path();
            let node = path.file_name().and_then(|name| name.to_str()?.parse().ok()).map(NodeIx);
            let Some(node) = node else {
                // What was begun and never got its name was never started.
                let _ = fs::remove_dir_all(&path);
                continue;
            };
            let folder = NodeDir(path);
            match leftover::monitor(&folder) {
                Some(monitor) => {
                    let whose = Whose::Adopted(platform::watch(monitor).ok());
                    self.pods.insert(node, Watched { monitor, whose });
                    if folder.stop().exists() {
                        self.stop(node);
                    }
                }
                None if folder.scratch().exists() => self.clean(node),
                None => {}
            }
        }
        Ok(())
    }

    /// Takes note of monitors and others that ended.
    fn reap(&mut self) {
        while let Some((pid, _)) = ended_child() {
            let node = self.pods.iter().find(|(_, pod)| pod.monitor == pid).map(|(node, _)| *node);
            match node {
                Some(node) => self.gone(node),
                None => drop(self.cleaners.remove(&pid)),
            }
        }
        let is_over = |node: &NodeIx, pod: &Watched| match &pod.whose {
            Whose::Ours => false,
            Whose::Adopted(Some(end)) => is_readable(end),
            Whose::Adopted(None) => !leftover::is_alive(&self.layout.node(*node)),
        };
        let over = self.pods.iter().filter(|(node, pod)| is_over(node, pod)).map(|(node, _)| *node);
        over.collect::<Vec<_>>().into_iter().for_each(|node| self.gone(node));
    }

    /// Deals with a monitor that is no more.
    fn gone(&mut self, node: NodeIx) {
        self.pods.remove(&node);
        let folder = self.layout.node(node);
        if !folder.exit().exists() {
            leftover::end(&folder);
            self.end_strangers();
            self.tell(&news::line(Word::Ended, node));
        }
        if folder.scratch().exists() {
            self.clean(node);
        }
    }

    /// Ends the processes that a dead monitor left to this one.
    fn end_strangers(&self) {
        let known = |pid: &Pid| self.cleaners.contains(pid) || self.pods.values().any(|pod| pod.monitor == *pid);
        platform::children().into_iter().filter(|pid| !known(pid)).for_each(|pid| {
            let _ = kill(pid, Signal::SIGKILL);
        });
    }

    /// Removes what a pod left, in a process of its own, since that may be much.
    fn clean(&mut self, node: NodeIx) {
        let scratch = self.layout.node(node).scratch();
        // SAFETY: this process is single-threaded, so its child may do what it likes.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => drop(self.cleaners.insert(child)),
            Ok(ForkResult::Child) => {
                self.forget();
                leftover::remove(&scratch);
                exit(0)
            }
            Err(error) => complain(format_args!("failed to clean up after node {node}: {error}")),
        }
    }

    /// Lets go of what only the supervisor may hold, in a child of it.
    fn forget(&mut self) {
        self.listener = None;
        self.lock = None;
        self.drivers.clear();
    }

    fn greet(&mut self) {
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) {
            if stream.set_nonblocking(true).is_ok() {
                let hello = format!("hello {VERSION} {}\n", self.ground.isolation());
                let mut driver = Driver::new(stream);
                if driver.tell(&hello) {
                    self.drivers.push(driver);
                }
            }
        }
    }

    /// Tells all drivers a line; one that does not listen is let go, and will come back.
    fn tell(&mut self, line: &str) {
        self.drivers.retain_mut(|driver| driver.tell(line));
    }

    fn listen_to_drivers(&mut self) {
        let mut at = 0;
        while at < self.drivers.len() {
            let (requests, is_there) = self.drivers[at].requests();
            let answers: Vec<String> = requests.into_iter().filter_map(|request| self.serve(request)).collect();
            let is_told = answers.iter().all(|answer| self.drivers[at].tell(answer));
            if is_there && is_told {
                at += 1;
            } else {
                self.drivers.remove(at);
            }
        }
    }

    fn serve(&mut self, request: Request) -> Option<String> {
        match request {
            Request::Start { node, order } => Some(match self.start(node, &order) {
                Ok(()) => format!("accepted {node}\n"),
                Err(fault) => format!("refused {node} {}\n", fault.to_string().replace('\n', " ")),
            }),
            Request::Stop { node } => {
                self.stop(node);
                None
            }
        }
    }

    /// Starts a pod whose folder is not there yet.
    fn start(&mut self, node: NodeIx, order: &[u8]) -> Result<(), Fault> {
        let folder = self.layout.node(node);
        if folder.path().exists() {
            return Ok(());
        }
        let part = NodeDir(self.layout.nodes().join(format!(".{node}")));
        let _ = fs::remove_dir_all(part.path());
        fs::create_dir(part.path()).doing("make", part.path())?;
        let mut held = File::create_new(part.monitor()).doing("make", &part.monitor())?;
        // The lock passes on to the monitor, and ends with it: whoever can take it knows that it is gone.
        held.try_lock().map_err(io::Error::from).doing("lock", &part.monitor())?;
        // From here on the pod counts as started.
        fs::rename(part.path(), folder.path()).doing("make", folder.path())?;
        // SAFETY: this process is single-threaded, so its child may do what it likes.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => {
                self.pods.insert(node, Watched { monitor: child, whose: Whose::Ours });
                Ok(())
            }
            Ok(ForkResult::Child) => {
                self.forget();
                exit(self.become_monitor(order, &mut held))
            }
            Err(error) => {
                let _ = fs::remove_dir_all(folder.path());
                Err(error).doing("fork for", folder.path())
            }
        }
    }

    fn become_monitor(&self, order: &[u8], held: &mut File) -> i32 {
        let order = serde_json::from_slice::<order::Order>(order).map_err(io::Error::other);
        let order = order.doing("read the order for", &self.layout.run);
        match order.and_then(|order| monitor::run(&order, &self.layout, &self.ground, &self.news, held)) {
            Ok(()) => 0,
            Err(fault) => {
                complain(fault);
                1
            }
        }
    }

    /// Has the monitor look at what its pod's folder says of the end.
    fn stop(&self, node: NodeIx) {
        let Some(pod) = self.pods.get(&node) else { return };
        // The id of a child that has ended is nobody else's until it is reaped.
        if matches!(pod.whose, Whose::Ours) || leftover::is_alive(&self.layout.node(node)) {
            let _ = kill(pod.monitor, Signal::SIGTERM);
        }
    }
}

/// Makes the socket. Its address is relative, since those have little room.
fn listen(layout: &Layout) -> Result<UnixListener, Fault> {
    let _ = fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET).doing("listen at", &layout.socket())?;
    listener.set_nonblocking(true).doing("listen at", &layout.socket())?;
    Ok(listener)
}

/// Tells whoever started this process that it is ready, and lets go of them.
fn say_ready() -> Result<(), Fault> {
    let name = PathBuf::from("standard output");
    io::stdout().write_all(READY).and_then(|()| io::stdout().flush()).doing("write", &name)?;
    let nothing = File::options().write(true).open("/dev/null").doing("open", Path::new("/dev/null"))?;
    nix::unistd::dup2_stdout(nothing).doing("let go of", &name)
}

fn is_readable(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Ends a forked child at once, so that nothing of its parent's is run twice.
fn exit(code: i32) -> ! {
    // SAFETY: `_exit` takes any code and does not return.
    unsafe { nix::libc::_exit(code) }
}
