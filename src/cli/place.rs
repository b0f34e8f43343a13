//! Where runs are: on this machine, or in a namespace of a cluster. One store, one log and one
//! backend for both, so that no command asks which.

use std::path::PathBuf;
use std::sync::Arc;

use super::env;
use super::error::Error;
use super::given;
use super::outlived;
use super::session::Session;
use crate::backend::kubernetes::{self, Cluster, KubernetesBackend};
use crate::backend::local::LocalBackend;
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, RunName, TimeSpan, Timestamp};
use crate::engine::{Batch, Control, Memo, Phase, PodReport, PodRequest};
use crate::store::{
    Answer, Claim, DirectoryLog, DirectoryShared, DirectoryStore, DirectoryTail, Header, KubernetesLog,
    KubernetesShared, KubernetesStore, KubernetesTail, Log, Record, Request, RequestId, Shared, Store, StoreError,
    Stored, Summary, Tail,
};

/// Where runs are.
pub struct Place {
    /// The runs that are there.
    pub store: PlaceStore,
    /// The cluster, if it is one.
    pub cluster: Option<Cluster>,
    /// Which place, and why: `runs on this machine (--local)`.
    pub words: String,
}

impl Place {
    /// Returns the folder of a run of this machine.
    pub fn folder(&self, run: &RunName) -> Option<PathBuf> {
        match &self.store {
            PlaceStore::Local(store) => Some(store.folder(run)),
            PlaceStore::Cluster(_) => None,
        }
    }

    /// Returns what starts the pods of the run whose log this is.
    pub fn backend(&self, session: &Session, header: &Header, log: &PlaceLog) -> Result<PlaceBackend, Error> {
        let options = kubernetes::Options { managed: session.makes_pods(), behalf: None };
        self.backend_with(session, header, log, &options)
    }

    /// The same, with what `options` say of a cluster's.
    pub fn backend_with(
        &self,
        session: &Session,
        header: &Header,
        log: &PlaceLog,
        options: &kubernetes::Options,
    ) -> Result<PlaceBackend, Error> {
        match (log, &self.cluster) {
            (PlaceLog::Cluster(log), Some(cluster)) => {
                let owner = kubernetes::Owner {
                    run: header.name.clone(),
                    uid: header.uid.clone(),
                    head: log.head().to_owned(),
                };
                let (resolved, options) = (Arc::new(header.resolved.clone()), options.clone());
                let backend = KubernetesBackend::new(cluster.clone(), owner, resolved, options);
                Ok(PlaceBackend::Cluster(backend.fenced(log.fence())))
            }
            (PlaceLog::Local(log), _) => {
                let files = given::local_files(header, &session.ui);
                let options = session.env.local_options()?;
                Ok(PlaceBackend::Local(LocalBackend::new(log.folder(), &header.resolved, files, options)))
            }
            (PlaceLog::Cluster(_), None) => unreachable!("a log of a cluster comes from a place that has one"),
        }
    }
}

/// The runs of a place.
#[expect(clippy::large_enum_variant, reason = "there is one of it for each run")]
pub enum PlaceStore {
    /// Folders.
    Local(DirectoryStore),
    /// Jobs and ConfigMaps.
    Cluster(KubernetesStore),
}

/// A held log.
pub enum PlaceLog {
    /// A file.
    Local(Box<DirectoryLog>),
    /// ConfigMaps.
    Cluster(Box<KubernetesLog>),
}

/// What a run shares with others.
#[expect(clippy::large_enum_variant, reason = "there is one of it for each run")]
pub enum PlaceShared {
    /// Files.
    Local(DirectoryShared),
    /// ConfigMaps.
    Cluster(KubernetesShared),
}

/// A log that another process writes.
pub enum PlaceTail {
    /// A file.
    Local(Box<DirectoryTail>),
    /// ConfigMaps.
    Cluster(Box<KubernetesTail>),
}

/// What starts pods.
pub enum PlaceBackend {
    /// Processes.
    Local(LocalBackend),
    /// Jobs.
    Cluster(KubernetesBackend),
}

/// Does the same in either place.
macro_rules! either {
    ($enum:ident, $value:expr, $inner:ident => $does:expr) => {
        match $value {
            $enum::Local($inner) => $does,
            $enum::Cluster($inner) => $does,
        }
    };
}

impl Store for PlaceStore {
    type Log = PlaceLog;
    type Tail = PlaceTail;

    async fn create(&self, header: &Header) -> Result<PlaceLog, StoreError> {
        Ok(match self {
            PlaceStore::Local(store) => PlaceLog::Local(Box::new(store.create(header).await?)),
            PlaceStore::Cluster(store) => PlaceLog::Cluster(Box::new(store.create(header).await?)),
        })
    }

    async fn acquire(&self, run: &RunName) -> Result<(PlaceLog, Stored), StoreError> {
        Ok(match self {
            PlaceStore::Local(store) => {
                let (log, stored) = store.acquire(run).await?;
                (PlaceLog::Local(Box::new(log)), stored)
            }
            PlaceStore::Cluster(store) => {
                let (log, stored) = store.acquire(run).await?;
                (PlaceLog::Cluster(Box::new(log)), stored)
            }
        })
    }

    async fn load(&self, run: &RunName) -> Result<Stored, StoreError> {
        either!(PlaceStore, self, store => store.load(run).await)
    }

    async fn follow(&self, run: &RunName) -> Result<(Stored, PlaceTail), StoreError> {
        Ok(match self {
            PlaceStore::Local(store) => {
                let (stored, tail) = store.follow(run).await?;
                (stored, PlaceTail::Local(Box::new(tail)))
            }
            PlaceStore::Cluster(store) => {
                let (stored, tail) = store.follow(run).await?;
                (stored, PlaceTail::Cluster(Box::new(tail)))
            }
        })
    }

    async fn is_held(&self, run: &RunName) -> Result<bool, StoreError> {
        either!(PlaceStore, self, store => store.is_held(run).await)
    }

    fn look_every(&self) -> TimeSpan {
        either!(PlaceStore, self, store => store.look_every())
    }

    async fn list(&self) -> Result<Vec<Summary>, StoreError> {
        match self {
            PlaceStore::Local(store) => Ok(outlived::sweep(store, store.list().await?, env::now()).await),
            PlaceStore::Cluster(store) => store.list().await,
        }
    }

    async fn delete(&self, run: &RunName) -> Result<(), StoreError> {
        either!(PlaceStore, self, store => store.delete(run).await)
    }

    async fn ask(&self, run: &RunName, control: &Control, at: Timestamp) -> Result<RequestId, StoreError> {
        either!(PlaceStore, self, store => store.ask(run, control, at).await)
    }

    async fn answer(&self, run: &RunName, id: &RequestId) -> Result<Answer, StoreError> {
        either!(PlaceStore, self, store => store.answer(run, id).await)
    }
}

impl Tail for PlaceTail {
    async fn next(&mut self) -> Result<Vec<Record>, StoreError> {
        either!(PlaceTail, self, tail => tail.next().await)
    }
}

impl Shared for PlaceShared {
    async fn claim(&self, claim: &Claim) -> Result<u32, StoreError> {
        either!(PlaceShared, self, shared => shared.claim(claim).await)
    }

    async fn freed(&self, lock: &str, granted: u32) -> Result<(), StoreError> {
        either!(PlaceShared, self, shared => shared.freed(lock, granted).await)
    }

    async fn recall(&self, memo: &Memo) -> Result<Option<String>, StoreError> {
        either!(PlaceShared, self, shared => shared.recall(memo).await)
    }

    async fn remember(&self, memo: &Memo, entry: &str) -> Result<(), StoreError> {
        either!(PlaceShared, self, shared => shared.remember(memo, entry).await)
    }
}

impl Log for PlaceLog {
    type Shared = PlaceShared;

    fn shared(&self) -> PlaceShared {
        match self {
            PlaceLog::Local(log) => PlaceShared::Local(log.shared()),
            PlaceLog::Cluster(log) => PlaceShared::Cluster(log.shared()),
        }
    }

    async fn append(&mut self, batches: &[Batch], taken: &[RequestId]) -> Result<(), StoreError> {
        either!(PlaceLog, self, log => log.append(batches, taken).await)
    }

    async fn summarize(&mut self, summary: &Summary) -> Result<(), StoreError> {
        either!(PlaceLog, self, log => log.summarize(summary).await)
    }

    fn summarize_every(&self) -> TimeSpan {
        either!(PlaceLog, self, log => log.summarize_every())
    }

    async fn requests(&mut self) -> Result<Vec<Request>, StoreError> {
        either!(PlaceLog, self, log => log.requests().await)
    }

    async fn respond(&mut self, id: &RequestId, answer: &Answer) -> Result<(), StoreError> {
        either!(PlaceLog, self, log => log.respond(id, answer).await)
    }

    async fn release(self) {
        either!(PlaceLog, self, log => log.release().await);
    }
}

impl Backend for PlaceBackend {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        either!(PlaceBackend, self, backend => backend.start(request).await)
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        either!(PlaceBackend, self, backend => backend.stop(node, grace).await)
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        either!(PlaceBackend, self, backend => backend.next().await)
    }

    fn recorded(&self, nodes: &[NodeIx]) {
        either!(PlaceBackend, self, backend => backend.recorded(nodes))
    }

    async fn finish(&self, phase: Phase) -> Result<(), BackendError> {
        either!(PlaceBackend, self, backend => backend.finish(phase).await)
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        either!(PlaceBackend, self, backend => backend.relist(nodes).await)
    }
}
