//! What a pod leaves: a monitor that may live or not, processes of one that does not, files.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::fault::complain;
use super::layout::NodeDir;
use super::platform;

/// How often, and how long after each other, the id of a monitor is looked for that was forked just now.
const LOOKS: (u32, Duration) = (100, Duration::from_millis(10));

/// Returns whether the monitor of the pod in `folder` lives.
pub(super) fn is_alive(folder: &NodeDir) -> bool {
    // A shared lock is enough to know, and disturbs nobody else who asks.
    File::open(folder.monitor()).is_ok_and(|file| file.try_lock_shared().is_err())
}

/// Returns the monitor of the pod in `folder`, when it lives.
pub(super) fn monitor(folder: &NodeDir) -> Option<Pid> {
    for _ in 0..LOOKS.0 {
        if !is_alive(folder) {
            return None;
        }
        let text = fs::read_to_string(folder.monitor()).unwrap_or_default();
        let first = text.split_inclusive('\n').next().filter(|line| line.ends_with('\n'));
        if let Some(pid) = first.and_then(|line| line.trim_end().rsplit_once(' ')?.1.parse().ok()) {
            return Some(Pid::from_raw(pid));
        }
        std::thread::sleep(LOOKS.1);
    }
    None
}

/// Ends the processes that the dead monitor of the pod in `folder` started.
pub(super) fn end(folder: &NodeDir) {
    let text = fs::read_to_string(folder.monitor()).unwrap_or_default();
    let mut lines = text.lines();
    let boot = lines.next().and_then(|line| line.rsplit_once(' ')).map(|(boot, _)| boot);
    // After a boot the ids are those of others.
    if boot != Some(platform::boot().as_str()) {
        return;
    }
    for (pid, birth) in lines.filter_map(|line| line.split_once(' ')) {
        let Ok(pid) = pid.parse().map(Pid::from_raw) else { continue };
        // An id stays taken while its group has processes; another process of that id has another birth.
        if platform::birth(pid).is_none_or(|known| known == birth) {
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
}

/// Removes a folder with all that is in it, folders included that their owner closed.
pub(super) fn remove(folder: &Path) {
    if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
        return;
    }
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        waiting.extend(
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
    if let Err(error) = fs::remove_dir_all(folder) {
        complain(format_args!("failed to remove `{}`: {error}", folder.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_tells_the_living() {
        let folder = tempfile::tempdir().expect("a folder");
        let node = NodeDir(folder.path().to_owned());
        assert!(!is_alive(&node), "there is no file");
        let file = File::create(node.monitor()).expect("a file");
        assert!(!is_alive(&node), "nobody holds it");
        file.try_lock().expect("nobody holds it");
        fs::write(node.monitor(), "boot 17\n").expect("written");
        assert_eq!(monitor(&node), Some(Pid::from_raw(17)));
        drop(file);
        assert_eq!(monitor(&node), None);
    }

    #[test]
    fn closed_folders_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let closed = folder.path().join("a/closed");
        fs::create_dir_all(closed.join("deep")).expect("folders");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0)).expect("its mode");
        remove(&folder.path().join("a"));
        assert!(!folder.path().join("a").exists());
    }
}
