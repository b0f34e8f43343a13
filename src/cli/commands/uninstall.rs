//! `wf uninstall`.

use clap::Args;

use super::install::cluster;
use crate::backend::kubernetes::installer;
use crate::cli::error::Error;
use crate::cli::session::Session;

/// Remove from a namespace what `wf install` put there; runs stay
#[derive(Debug, Args)]
pub struct Uninstall {}

impl Uninstall {
    /// Removes the objects.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let cluster = cluster(session).await?;
        let namespace = &cluster.namespace;
        let removed = installer::uninstall(cluster).await?;
        if removed.is_empty() {
            session.ui.status(&format!("nothing is installed in namespace `{namespace}`"));
        }
        for kind in removed {
            session.ui.status(&format!("{kind} removed from namespace `{namespace}`"));
        }
        Ok(())
    }
}
