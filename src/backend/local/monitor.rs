//! The process that watches over one pod: it prepares the pod's surroundings, has it live ([`Pod`]),
//! and records its end.
//!
//! A monitor is a process of its own, forked by the supervisor; it outlives supervisor and driver.
//! It decides nothing: how a container ended, and what it left, is written down as it was.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, setsid};

use super::fault::{Doing, Fault};
use super::isolation::{Isolation, View};
use super::layout::{Layout, NodeDir};
use super::news::{News, Word};
use super::order::{Order, Volume};
use super::platform::{self, Ground, Reach};
use super::pod::{Place, Pod};
use super::process::Site;
use super::wake::Wake;
use crate::engine::{Phase, PodEnd};

/// Room that is kept for the record of an end without results. What is noted before takes less.
const END_BYTES: usize = 4096;

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
    let (folder, artifacts) = (Reach::to(host.path())?, Reach::to(&layout.artifacts())?);
    let folder = NodeDir(folder.path().to_owned());
    let site = if is_plain { plain_site(&host.scratch()) } else { isolated_site() };
    let artifacts = artifacts.path();
    let mut pod = Pod::new(Place { order, folder: &folder, artifacts, site, news }, wake, held);
    let view = View { stage: &layout.stage(), folders: &folders(order), volumes: &volumes };
    let end = match ground.isolate(&view) {
        Ok(()) => pod.live(),
        Err(fault) => pod.broken(&fault),
    };
    record(&folder, &end, held)?;
    news.tell(Word::Ended, order.node);
    if folder.scratch().exists() {
        // What stays is removed by the supervisor.
        let _ = fs::remove_dir_all(folder.scratch());
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
    let room = [b' '; END_BYTES];
    let noted = held.write_all(&room).and_then(|()| held.seek(SeekFrom::Start(0)));
    let noted = noted.and_then(|_| writeln!(held, "{} {}", platform::boot(), Pid::this()));
    noted.doing("note the process id of", name)?;
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
    let set = order.set.iter().map(|member| &member.container);
    let containers = order.init.iter().chain([&order.main]).chain(&order.sidecars).chain(set);
    let own = containers.flat_map(|container| {
        let mounts = container.mounts.iter().map(|mount| PathBuf::from(&mount.path));
        mounts.chain(container.working_dir.as_ref().map(PathBuf::from))
    });
    let argo = [PathBuf::from("/argo/staging")];
    parameters.chain(artifacts).chain(inputs).chain(own).chain(argo).filter(|folder| folder.is_absolute()).collect()
}

/// Writes the end down. On a full disk that is one without results, for which there is room.
fn record(folder: &NodeDir, end: &PodEnd, held: &mut File) -> Result<(), Fault> {
    let path = folder.exit();
    overwrite(held, end).doing("write", &path).or_else(|fault| {
        let message = format!("failed to record the end, which was {}: {fault}", end.phase);
        let (parameters, artifacts) = Default::default();
        let bare = PodEnd { phase: Phase::Error, message, result: None, parameters, artifacts, ..end.clone() };
        overwrite(held, &bare).doing("write", &path)
    })?;
    fs::rename(folder.monitor(), &path).doing("write", &path)
}

/// Writes an end over what is in a file, so that the room it has is used.
fn overwrite(file: &mut File, end: &PodEnd) -> io::Result<()> {
    let text = serde_json::to_vec(end).expect("an end is plain data");
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)
}
