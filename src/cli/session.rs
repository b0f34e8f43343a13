//! What every command works with: the flags, the surroundings, the printer, the store.

use super::app::Global;
use super::env::Env;
use super::error::{Error, Kind};
use super::ui::Ui;
use crate::driver::RealClock;
use crate::store::DirectoryStore;

/// One command's session.
pub struct Session {
    /// The flags that hold for every command.
    pub global: Global,
    /// The surroundings.
    pub env: Env,
    /// The printer.
    pub ui: Ui,
    /// The runs of this machine.
    pub store: DirectoryStore,
    /// The clock of the drivers.
    pub clock: RealClock,
}

impl Session {
    /// Returns the session that flags and surroundings make.
    pub fn new(global: Global, env: Env, ui: Ui) -> Result<Self, Error> {
        let root = global.state_dir.clone().or_else(|| env.state_dir.clone()).ok_or_else(|| {
            Error::new(Kind::Usage, "there is no home folder to keep runs in")
                .hint("name a folder with --state-dir or WF_STATE_DIR")
        })?;
        let root =
            std::path::absolute(&root).map_err(|error| Error::io(format!("find `{}`", root.display()), &error))?;
        ui.detail(&format!("runs are kept in {}", root.display()));
        let store = DirectoryStore::new(root.join("runs"));
        Ok(Self { global, env, ui, store, clock: RealClock::new() })
    }

    /// Returns why runs go to the backend that they go to, or why they cannot.
    pub fn backend(&self) -> Result<String, Error> {
        if let Some(context) = self.global.context.as_ref().filter(|_| !self.global.local) {
            return Err(Error::new(
                Kind::Unreachable,
                format!("cannot use context `{context}`: this release has no cluster backend"),
            )
            .hint("run on this machine with --local"));
        }
        let reason = match &self.env.cluster {
            _ if self.global.local => "--local".to_owned(),
            Some(found) => format!("this release has no cluster backend; {found} is not used"),
            None => "no cluster is configured".to_owned(),
        };
        Ok(format!("runs on this machine ({reason})"))
    }
}
