//! `wf doctor`.

use anstyle::{AnsiColor, Style};
use clap::Args;

use crate::backend::kubernetes::{Finding, Health, examine, pull};
use crate::cli::error::{Error, Kind};
use crate::cli::session::Session;

/// Check whether the cluster lets you run workflows, and say what to do
///
/// Asks for each permission that a run needs, for the version, the pod security level and the
/// quotas of the namespace. Exits 4 when something is in the way.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Also see whether this image can be pulled, by a pod that is deleted again
    #[arg(long, value_name = "IMAGE")]
    pub image: Vec<String>,
}

impl Doctor {
    /// Examines the place of runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let place = session.place().await?;
        let Some(cluster) = &place.cluster else {
            session.ui.status(&format!("{}: nothing else is needed", place.words));
            return Ok(());
        };
        session.ui.status(&place.words);
        let mut findings = examine(cluster).await?;
        for image in &self.image {
            findings.push(pull(cluster, image).await?);
        }
        for finding in &findings {
            session.ui.data(&line(finding, session))?;
        }
        match findings.iter().any(|finding| finding.health == Health::Bad) {
            true => Err(Error::new(Kind::Forbidden, "runs are not possible in this namespace as it is")),
            false => Ok(()),
        }
    }
}

fn line(finding: &Finding, session: &Session) -> String {
    let look = session.ui.out();
    let (utf8, ascii, colour) = match finding.health {
        Health::Good => ("✔", "ok", AnsiColor::Green),
        Health::Lacking => ("!", "!", AnsiColor::Yellow),
        Health::Bad => ("✖", "x", AnsiColor::Red),
    };
    let mark = look.paint(Style::new().fg_color(Some(colour.into())), if look.utf8 { utf8 } else { ascii });
    let help = finding.help.as_ref().map(|help| format!("\n    {help}")).unwrap_or_default();
    format!("{mark} {}{help}\n", finding.what)
}
