//! Trying whether a container is ready, in a process per try, so that nothing waits for it.

#![expect(unsafe_code, reason = "a child is forked to look from inside the view of its pod")]

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, fork};

use super::order::{Check, Probe};
use super::platform;

/// How long after a try that failed the next one follows. Kubernetes' default of ten seconds suits
/// clusters; here nothing is gained by letting those wait that wait for a daemon.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// The tries of one container's readiness.
pub(super) struct Prober {
    probe: Probe,
    env: Vec<(String, String)>,
    next: Instant,
    trying: Option<Pid>,
    succeeded: u32,
}

impl Prober {
    /// Begins with a container that was started `now`.
    pub(super) fn new(probe: Probe, env: Vec<(String, String)>, now: Instant) -> Self {
        let next = now + Duration::from_millis(probe.initial_delay_ms);
        Self { probe, env, next, trying: None, succeeded: 0 }
    }

    /// Returns when [`Prober::wake`] has something to do.
    pub(super) fn due(&self) -> Instant {
        self.next
    }

    /// Begins a try when one is due, and ends one that takes too long.
    pub(super) fn wake(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        match self.trying {
            Some(pid) => drop(kill(pid, Signal::SIGKILL)),
            None => self.trying = start(&self.probe, &self.env),
        }
        let timeout = Duration::from_millis(self.probe.timeout_ms);
        self.next = now + if self.trying.is_some() { timeout } else { TRY_AGAIN };
    }

    /// Takes the end of a process: whether the container counts as ready now. Nothing when the
    /// process was no try.
    pub(super) fn ended(&mut self, pid: Pid, code: i32, now: Instant) -> Option<bool> {
        if self.trying != Some(pid) {
            return None;
        }
        self.trying = None;
        self.next = now + TRY_AGAIN;
        self.succeeded = if code == 0 { self.succeeded + 1 } else { 0 };
        Some(self.succeeded >= self.probe.successes)
    }
}

fn start(probe: &Probe, env: &[(String, String)]) -> Option<Pid> {
    // SAFETY: the process is single-threaded, so its child may do what it likes.
    match unsafe { fork() }.ok()? {
        ForkResult::Parent { child } => Some(child),
        ForkResult::Child => {
            let _ = platform::die_with_parent();
            let _ = nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let held = holds(&probe.check, Duration::from_millis(probe.timeout_ms), env);
            // SAFETY: ends the child at once; nothing of the parent's is run twice.
            unsafe { nix::libc::_exit(i32::from(!held)) }
        }
    }
}

fn holds(check: &Check, timeout: Duration, env: &[(String, String)]) -> bool {
    match check {
        Check::Tcp { host, port } => connect(host, *port, timeout).is_some(),
        Check::Http { host, port, path } => {
            let status = connect(host, *port, timeout).and_then(|stream| status(stream, host, path, timeout));
            status.is_some_and(|status| (200..400).contains(&status))
        }
        Check::Exec(command) => {
            let mut process = Command::new(&command[0]);
            process.args(&command[1..]).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
            process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let _failed = process.exec();
            false
        }
    }
}

fn connect(host: &str, port: u16, timeout: Duration) -> Option<TcpStream> {
    let mut addresses = (host, port).to_socket_addrs().ok()?;
    addresses.find_map(|address| TcpStream::connect_timeout(&address, timeout).ok())
}

/// Sends a request and returns the status of the answer.
fn status(mut stream: TcpStream, host: &str, path: &str, timeout: Duration) -> Option<u16> {
    stream.set_read_timeout(Some(timeout)).ok()?;
    // In one piece: a server may answer and close as soon as it has seen the first line.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut first = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut first).ok()?;
    let text = std::str::from_utf8(&first).ok()?;
    text.starts_with("HTTP/1.").then(|| text[9..].parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answers(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            // What is left unread when a connection is closed resets it, and the answer may be lost.
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
                request.push(byte[0]);
            }
            let _ = stream.write_all(answer.as_bytes());
        });
        port
    }

    #[test]
    fn answers_decide() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.0 302 Found\r\n\r\n", true),
            ("HTTP/1.1 503 No\r\n\r\n", false),
            ("SSH-2.0 hello there", false),
            ("", false),
        ] {
            let check = Check::Http { host: "127.0.0.1".into(), port: answers(answer), path: "/".into() };
            assert_eq!(holds(&check, Duration::from_secs(5), &[]), expected, "{answer}");
        }
        let tcp = |port| Check::Tcp { host: "127.0.0.1".into(), port };
        assert!(holds(&tcp(answers("")), Duration::from_secs(5), &[]));
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        assert!(!holds(&tcp(free), Duration::from_secs(5), &[]));
    }
}
