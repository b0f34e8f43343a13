//! Pods as process groups on this machine.
//!
//! A run has one *supervisor*, a detached process that outlives the driver; it forks one *monitor*
//! per pod, which gives the pod a view of the file system of its own, runs its containers, and
//! records its end. The driver talks to the supervisor over a socket and reads ends from files.
//!
//! In the run's folder the backend owns:
//!
//! | path | what |
//! | --- | --- |
//! | `nodes/<node>/` | made once, before the pod is started: that it exists means that it was started |
//! | `nodes/<node>/<container>.log` | what the container wrote, if anything, in the form of a kubelet's logs ([`logs`]) |
//! | `nodes/<node>/monitor` | locked by the monitor while it lives; in it, the processes that it started |
//! | `nodes/<node>/exit.json` | the end, a [`PodEnd`](crate::engine::PodEnd): what `monitor` becomes |
//! | `nodes/<node>/scratch/` | the pod's volumes; removed at the end |
//! | `artifacts/` | the run's artifact repository: a file or folder per key |
//! | `supervisor.*` | socket, lock, queue of news and log of the supervisor |
//!
//! A pod is what Kubernetes would make of the template, with this machine's programs in place of
//! images: its containers share one view of the host's files, in which all that they write is
//! theirs and goes with them. A container that says no `workingDir` works in `/`, as most images do;
//! `/tmp` is new; volumes are mounted where they are wanted, for each container its own. They have
//! a clean environment, share the machine's network and, since nothing stands between, its
//! processes and its memory.
//!
//! What is particular to Linux is in `linux.rs`, and what takes its place elsewhere in `portable.rs`.
//! A power cut may take back the making of a node's folder, since it is not flushed to the disk:
//! a pod that was started in the last moments before it is then started again.

pub mod files;
pub mod support;
pub mod client;
pub mod logs;
pub mod supervise;

mod archive;
mod collect;
mod connection;
mod data;
mod container;
mod environment;
mod fault;
mod isolation;
mod layout;
mod leftover;
mod monitor;
mod news;
mod order;
mod place;
mod pod;
mod prepare;
mod probe;
mod process;
mod repository;
mod set;
mod talk;
mod volumes;
mod wake;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod platform;

pub use client::{LocalBackend, LocalOptions};
pub use files::LocalFiles;
pub use isolation::Isolation;
pub use repository::share_artifacts;
pub use support::{Unsupported, notes, shared_paths, unsupported};

/// The address of every pod: they share this machine's network.
const POD_IP: &str = "127.0.0.1";
