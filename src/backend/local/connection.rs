//! A driver's connection to the supervisor, and the start of one.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::UnboundedSender;

use super::client::{Heard, State};
use super::fault::{Doing, Fault};
use super::isolation::Isolation;
use super::layout::{Layout, SOCKET};
use super::supervise::{EXIT_CODE_NOT_NEEDED, PROCESS_NAME, READY};
use super::talk::VERSION;
use super::{news, platform};
use crate::base::NodeIx;

/// The writing side.
#[derive(Clone)]
pub(super) struct Connection {
    /// What tells it from those before and after it.
    pub id: u64,
    writer: Arc<AsyncMutex<OwnedWriteHalf>>,
}

/// A connection whose first line was read.
pub(super) struct Opened {
    lines: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    isolation: Isolation,
}

impl Connection {
    /// Asks for the start of a pod.
    pub(super) async fn start(&self, node: NodeIx, order: &[u8]) -> Result<(), Fault> {
        let head = format!("start {node} {}\n", order.len());
        self.write(&[head.as_bytes(), order].concat()).await
    }

    /// Asks for the end of a pod whose folder says how long it may take.
    pub(super) async fn stop(&self, node: NodeIx) -> Result<(), Fault> {
        self.write(format!("stop {node} 0\n").as_bytes()).await
    }

    async fn write(&self, bytes: &[u8]) -> Result<(), Fault> {
        self.writer.lock().await.write_all(bytes).await.doing("write to", Path::new(SOCKET))
    }
}

/// Connects to the supervisor that is there.
pub(super) async fn open(layout: &Layout) -> Result<Opened, Fault> {
    let socket = layout.socket();
    let (path, _open) = platform::socket_path(&layout.run, SOCKET).doing("find", &socket)?;
    let (reader, writer) = UnixStream::connect(path).await.doing("connect to", &socket)?.into_split();
    let mut lines = BufReader::new(reader);
    let mut hello = String::new();
    lines.read_line(&mut hello).await.doing("read from", &socket)?;
    let words: Vec<&str> = hello.split_whitespace().collect();
    match words[..] {
        ["hello", version, isolation] if version == VERSION.to_string() => {
            let isolation = Isolation::parse(isolation).unwrap_or(Isolation::Plain);
            Ok(Opened { lines, writer, isolation })
        }
        ["hello", version, _] => Err(Fault::refused(format!(
            "the supervisor of the run speaks version {version}, this release {VERSION}; use the release that started it"
        ))),
        _ => Err(Fault::refused("the supervisor of the run ended")),
    }
}

/// Makes the connection the one that is used, and listens to it until it breaks.
pub(super) fn attach(opened: Opened, state: Arc<Mutex<State>>, hears: UnboundedSender<Heard>) {
    let id = {
        let mut state = state.lock().expect("nothing panics while it holds the lock");
        state.connections += 1;
        let id = state.connections;
        state.connection = Some(Connection { id, writer: Arc::new(AsyncMutex::new(opened.writer)) });
        state.isolation = Some(opened.isolation);
        id
    };
    // It ends with the backend: when the receiver of what it hears is gone.
    tokio::spawn(listen(id, opened.lines, state, hears));
}

async fn listen(id: u64, mut lines: BufReader<OwnedReadHalf>, state: Arc<Mutex<State>>, hears: UnboundedSender<Heard>) {
    let mut line = String::new();
    loop {
        line.clear();
        let read = tokio::select! {
            read = lines.read_line(&mut line) => read,
            () = hears.closed() => return,
        };
        match read {
            Ok(count) if count > 0 => take(&line, &state, &hears),
            _ => break,
        }
    }
    state.lock().expect("nothing panics while it holds the lock").lost(id);
    let _ = hears.send(Heard::Wake);
}

fn take(line: &str, state: &Mutex<State>, hears: &UnboundedSender<Heard>) {
    if let Some((word, node)) = news::parse(line) {
        // Nobody is left to hear it when the backend is gone.
        let _ = hears.send(Heard::News(word, node));
    } else if let Some((node, answer)) = answer(line) {
        let waiting = state.lock().expect("nothing panics while it holds the lock").starting.remove(&node);
        if let Some((_, waiting)) = waiting {
            let _ = waiting.send(answer);
        }
    }
}

/// Reads the answer to a start.
fn answer(line: &str) -> Option<(NodeIx, Result<(), String>)> {
    let mut words = line.trim_end().splitn(3, ' ');
    let (verb, node) = (words.next()?, NodeIx(words.next()?.parse().ok()?));
    match verb {
        "accepted" => Some((node, Ok(()))),
        "refused" => Some((node, Err(words.next().unwrap_or_default().to_owned()))),
        _ => None,
    }
}

/// Starts a supervisor, and waits until it can be connected to, or finds that there is one.
pub(super) async fn start_supervisor(layout: &Layout, executable: &Path) -> Result<(), Fault> {
    let (layout, executable) = (layout.clone(), executable.to_owned());
    let started = tokio::task::spawn_blocking(move || spawn(&layout, &executable)).await;
    started.unwrap_or_else(|failed| Err(Fault::refused(format!("the start of a supervisor was given up: {failed}"))))
}

fn spawn(layout: &Layout, executable: &Path) -> Result<(), Fault> {
    let complaints = layout.complaints();
    let log = std::fs::File::options().create(true).append(true).open(&complaints).doing("open", &complaints)?;
    let mut command = Command::new(executable);
    command.arg0(PROCESS_NAME).current_dir(&layout.run);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    // SAFETY: `setsid` is async-signal-safe. It keeps the terminal's signals away from the start.
    unsafe {
        command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?));
    }
    let mut child = command.spawn().doing("start a supervisor with", executable)?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        use std::io::Read;
        stdout.take(READY.len() as u64).read_to_end(&mut said).doing("await a supervisor of", executable)?;
    }
    if said == READY {
        return Ok(());
    }
    let status = child.wait().doing("await a supervisor of", executable)?;
    if status.code() == Some(EXIT_CODE_NOT_NEEDED) {
        return Ok(());
    }
    Err(Fault::refused(format!(
        "the supervisor of the run ended at once, with {status}; see `{}`",
        complaints.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(answer("accepted 3\n"), Some((NodeIx(3), Ok(()))));
        assert_eq!(answer("refused 3 no room left\n"), Some((NodeIx(3), Err("no room left".to_owned()))));
        for line in ["", "accepted", "accepted x", "ended 3"] {
            assert_eq!(answer(line), None, "{line}");
        }
    }
}
