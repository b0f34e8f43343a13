//! Who we are to a cluster: a name that no other process ever has, and a clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kube::api::PatchParams;
use sha2::{Digest, Sha256};

use crate::base::Timestamp;

/// Who reads and writes.
#[derive(Clone)]
pub struct Identity {
    /// A name for people that is never given twice, such as `anna@laptop-4711-x7k2p`.
    pub name: String,
    /// The time, for what others read.
    pub now: fn() -> Timestamp,
    serial: Arc<AtomicU32>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Identity {
    /// Returns the identity of that name.
    pub fn new(name: String, now: fn() -> Timestamp) -> Self {
        Self { name, now, serial: Arc::default() }
    }

    /// Returns ten hexadecimal digits that stand for the name where there is little room.
    pub(super) fn mark(&self) -> String {
        Sha256::digest(self.name.as_bytes()).iter().take(5).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns a number that was not returned before.
    pub(super) fn next(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns a text that was not written before.
    pub(super) fn unique(&self) -> String {
        format!("{}-{}", self.mark(), self.next())
    }

    /// Returns how our patches are marked.
    pub(super) fn patch_params(&self) -> PatchParams {
        PatchParams { field_manager: Some("wf".to_owned()), ..PatchParams::default() }
    }
}
