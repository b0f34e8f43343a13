//! `wf install`.

use clap::Args;

use crate::backend::kubernetes::drivers::{DriverKind, Drivers};
use crate::backend::kubernetes::install::{Installation, NAME};
use crate::backend::kubernetes::{Cluster, installer};
use crate::cli::error::{Error, Kind};
use crate::cli::session::Session;

/// Let drivers live in a namespace of the cluster: an account, and what it may do there
///
/// A run that is driven from here needs none of it, only your own rights. With --image, `wf submit`
/// leaves each run to a Job that drives it; with --controller too, to one controller for all runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wf install --image registry.example/wf:1 --print\n  wf install --image registry.example/wf:1 --controller --runs 50"
)]
pub struct Install {
    /// Image of wf for the drivers; without, what was installed before stays
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,

    /// One controller that drives all runs of the namespace, instead of a Job for each
    #[arg(long, requires = "image")]
    pub controller: bool,

    /// Runs that the controller drives at one time
    #[arg(long, value_name = "NUMBER", requires = "controller")]
    pub runs: Option<usize>,

    /// The only accounts whose pods the controller starts; repeat it for several
    #[arg(long = "account", value_name = "NAME", requires = "controller")]
    pub accounts: Vec<String>,

    /// Only print the objects, as YAML that `kubectl apply -f -` takes
    #[arg(long)]
    pub print: bool,
}

impl Install {
    /// Installs, or prints what would be installed.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        if self.print {
            return session.ui.data(&self.installation(&namespace(session).await?).to_yaml());
        }
        let cluster = cluster(session).await?;
        let namespace = &cluster.namespace;
        installer::install(cluster, &self.installation(namespace)).await?;
        session.ui.status(&format!("the account `{NAME}` may drive runs in namespace `{namespace}`"));
        match (&self.image, self.controller) {
            (None, _) => session.ui.hint("with --image, `wf submit` leaves runs to drivers in the cluster"),
            (Some(_), false) => session.ui.status("`wf submit` leaves each run to a Job that drives it"),
            (Some(_), true) => session.ui.status("`wf submit` leaves runs to the controller"),
        }
        Ok(())
    }

    fn installation(&self, namespace: &str) -> Installation {
        let kind = if self.controller { DriverKind::Controller } else { DriverKind::Job };
        let drivers = self.image.clone().map(|image| Drivers { image, kind });
        let runs = self.runs.map(|runs| format!("--runs={runs}"));
        let accounts = self.accounts.iter().map(|account| format!("--account={account}"));
        Installation::of(namespace, drivers.as_ref(), &runs.into_iter().chain(accounts).collect::<Vec<_>>())
    }
}

/// Returns the cluster, which there must be.
pub(super) async fn cluster(session: &Session) -> Result<&Cluster, Error> {
    let place = session.place().await?;
    place.cluster.as_ref().ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no cluster to act on: {}", place.words))
            .hint("name one with KUBECONFIG or --context")
    })
}

/// Returns the namespace that is meant. To print for it, no cluster is needed.
async fn namespace(session: &Session) -> Result<String, Error> {
    match &session.global.namespace {
        Some(namespace) => Ok(namespace.clone()),
        None if session.is_local() => Ok("default".to_owned()),
        None => Ok(cluster(session).await?.namespace.clone()),
    }
}
