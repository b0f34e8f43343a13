//! What `resume` and `retry` do after the run was asked: somebody must drive it.

use clap::Args;

use crate::base::RunName;
use crate::cli::drive::{self, How};
use crate::cli::error::Error;
use crate::cli::handover;
use crate::cli::report::Show;
use crate::cli::runs;
use crate::cli::session::Session;

/// How to go on with a run.
#[derive(Debug, Clone, Default, Args)]
pub struct GoingOn {
    /// Wait until the run has ended, whoever drives it
    #[arg(long, short = 'w', conflicts_with = "watch")]
    pub wait: bool,

    /// Watch the run to its end
    #[arg(long)]
    pub watch: bool,

    /// Print what the steps write, to the end of the run
    #[arg(long, conflicts_with_all = ["watch", "wait"])]
    pub log: bool,

    /// Return at once, though nobody drives the run
    #[arg(long, conflicts_with_all = ["wait", "watch", "log"])]
    pub no_wait: bool,
}

impl GoingOn {
    /// Accompanies each run to its end, all at once; a run that another process drives, or a driver in the
    /// cluster is to drive, only when the flags say so.
    pub async fn go_on(&self, session: &Session, runs: &[(RunName, bool)]) -> Result<(), Error> {
        let stays = self.wait || self.watch || self.log;
        if !stays && handover::is_elsewhere(session).await {
            return leave(session, runs).await;
        }
        if self.no_wait {
            for (name, _) in runs.iter().filter(|(_, is_driven)| !is_driven) {
                session.ui.hint(&format!("nobody drives `{name}` now; go on with: wf watch {name}"));
            }
            return Ok(());
        }
        let how = self.how(runs.len());
        let accompanied = runs.iter().filter(|(_, is_driven)| stays || !is_driven);
        let ends =
            futures_util::future::join_all(accompanied.map(|(name, _)| drive::attach(session, name, &how))).await;
        ends.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    /// Returns how each of `runs` runs is accompanied.
    pub fn how(&self, runs: usize) -> How {
        let show = match (self.watch && runs == 1, self.log) {
            (true, _) => Show::Watch,
            (_, true) => Show::Logs(crate::cli::logs::Choice { prefix: true, ..Default::default() }),
            _ => Show::Result,
        };
        // A command that nobody told to wait must not hang where only a person can help.
        How { show, leaves_when_suspended: !(self.wait || self.watch || self.log), ..How::default() }
    }
}

/// Has the drivers in the cluster go on with the runs that nobody drives.
async fn leave(session: &Session, runs: &[(RunName, bool)]) -> Result<(), Error> {
    for (name, _) in runs.iter().filter(|(_, is_driven)| !is_driven) {
        let loaded = runs::load(session, name).await?;
        if handover::ensure(session, &loaded.stored).await? {
            session.ui.status(&format!("`{name}` is driven in the cluster; look at it with: wf watch {name}"));
        }
    }
    Ok(())
}
