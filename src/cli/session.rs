//! What every command works with: the flags, the surroundings, the printer, the place of the runs.

use tokio::sync::OnceCell;

use super::app::Global;
use super::env::{self, Env};
use super::error::{Error, Kind};
use super::place::{Place, PlaceStore};
use super::ui::Ui;
use crate::backend::kubernetes::drivers::Drivers;
use crate::backend::kubernetes::{Cluster, installer};
use crate::driver::RealClock;
use crate::store::{DirectoryStore, KubernetesStore, kubernetes::Identity};

/// One command's session.
pub struct Session {
    /// The flags that hold for every command.
    pub global: Global,
    /// The surroundings.
    pub env: Env,
    /// The printer.
    pub ui: Ui,
    /// The clock of the drivers.
    pub clock: RealClock,
    place: OnceCell<Place>,
    drivers: OnceCell<Option<Drivers>>,
}

impl Session {
    /// Returns the session that flags and surroundings make. Nothing is asked of a cluster yet.
    pub fn new(global: Global, env: Env, ui: Ui) -> Self {
        Self { global, env, ui, clock: RealClock::new(), place: OnceCell::new(), drivers: OnceCell::new() }
    }

    /// Returns where the runs are: in a cluster where one is configured, on this machine otherwise,
    /// or with `--local`.
    pub async fn place(&self) -> Result<&Place, Error> {
        self.place.get_or_try_init(|| self.find_place()).await
    }

    /// Returns the runs of the place.
    pub async fn store(&self) -> Result<&PlaceStore, Error> {
        Ok(&self.place().await?.store)
    }

    /// Returns who drives runs in the cluster; nobody where nothing is installed.
    pub async fn drivers(&self) -> Result<Option<&Drivers>, Error> {
        let Some(cluster) = &self.place().await?.cluster else { return Ok(None) };
        let drivers = self.drivers.get_or_try_init(|| installer::installed(cluster)).await?;
        Ok(drivers.as_ref())
    }

    /// Returns whether runs are on this machine.
    pub fn is_local(&self) -> bool {
        let is_asked_for = self.global.context.is_some() || self.global.namespace.is_some();
        self.global.local || (self.env.cluster.is_none() && !is_asked_for)
    }

    /// Returns whether pods are made by this process: it lives in the cluster, or was told to.
    pub fn makes_pods(&self) -> bool {
        self.global.managed || self.env.is_in_cluster
    }

    /// Returns the namespace that keeps manifests of a kind: those for all namespaces are in one of
    /// their own.
    pub fn namespace_of(&self, kind: crate::spec::Kind, cluster: &Cluster) -> String {
        match kind {
            crate::spec::Kind::ClusterWorkflowTemplate => self.global.shared_namespace.clone(),
            _ => cluster.namespace.clone(),
        }
    }

    async fn find_place(&self) -> Result<Place, Error> {
        let place = if self.is_local() { self.local()? } else { self.cluster().await? };
        self.ui.detail(&place.words);
        Ok(place)
    }

    fn local(&self) -> Result<Place, Error> {
        let root = self.global.state_dir.clone().or_else(|| self.env.state_dir.clone()).ok_or_else(|| {
            Error::new(Kind::Usage, "there is no home folder to keep runs in")
                .hint("name a folder with --state-dir or WF_STATE_DIR")
        })?;
        let root =
            std::path::absolute(&root).map_err(|error| Error::io(format!("find `{}`", root.display()), &error))?;
        self.ui.detail(&format!("runs are kept in {}", root.display()));
        let reason = if self.global.local { "--local" } else { "no cluster is configured" };
        Ok(Place {
            store: PlaceStore::Local(DirectoryStore::new(root.join("runs"))),
            cluster: None,
            words: format!("runs on this machine ({reason})"),
        })
    }

    async fn cluster(&self) -> Result<Place, Error> {
        let Global { context, namespace, .. } = &self.global;
        let cluster = Cluster::connect(context.as_deref(), namespace.as_deref()).await?;
        let found = self.env.cluster.as_deref().unwrap_or("the default configuration");
        let words = match context {
            Some(context) => format!("runs in namespace `{}` of context `{context}`", cluster.namespace),
            None => format!("runs in namespace `{}` of the cluster of {found}", cluster.namespace),
        };
        let me = Identity::new(env::process_name(), env::now);
        let store = PlaceStore::Cluster(KubernetesStore::new(cluster.clone(), me));
        Ok(Place { store, cluster: Some(cluster), words })
    }
}
