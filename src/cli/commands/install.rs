//! `wf install`.

use clap::Args;

use crate::backend::kubernetes::install::{Installation, NAME};
use crate::backend::kubernetes::{Cluster, installer};
use crate::cli::error::{Error, Kind};
use crate::cli::session::Session;

/// Let drivers live in a namespace of the cluster: an account, and what it may do there
///
/// A run that is driven from here needs none of it, only your own rights.
#[derive(Debug, Args)]
pub struct Install {
    /// Only print the objects, as YAML that `kubectl apply -f -` takes
    #[arg(long)]
    pub print: bool,
}

impl Install {
    /// Installs, or prints what would be installed.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        if self.print {
            return session.ui.data(&Installation::of(&namespace(session).await?).to_yaml());
        }
        let cluster = cluster(session).await?;
        let namespace = &cluster.namespace;
        installer::install(cluster, &Installation::of(namespace)).await?;
        session.ui.status(&format!("the account `{NAME}` may drive runs in namespace `{namespace}`"));
        Ok(())
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
