//! Which pods ran, as the cluster saw them: by this it is known that nothing ran twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};

use super::space::{Space, spawn};

/// The label that holds a node's number.
const NODE: &str = "wf.internal/node";

/// The label that holds a run's name.
const RUN: &str = "wf.internal/run";

/// Every pod of the namespace that ran, from the moment this was made.
pub struct Starts {
    /// The node, by the uid of its pod.
    ran: Arc<Mutex<BTreeMap<String, (String, String)>>>,
}

impl Starts {
    /// Begins to look.
    pub fn new(space: &Space) -> Self {
        let ran = Arc::new(Mutex::new(BTreeMap::new()));
        let kept = Arc::downgrade(&ran);
        let mut pods = watcher(space.api::<Pod>(), watcher::Config::default()).default_backoff().boxed();
        spawn(async move {
            while let Some(event) = pods.next().await {
                let Some(kept) = kept.upgrade() else { return };
                if let Ok(Event::Apply(pod) | Event::InitApply(pod) | Event::Delete(pod)) = event {
                    note(&mut kept.lock().expect("nobody panics with it"), &pod);
                }
            }
        });
        Self { ran }
    }

    /// Returns how many pods of each node ran, by run and number of the node.
    pub fn counts(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for node in self.ran.lock().expect("nobody panics with it").values() {
            *counts.entry(node.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// Fails when a node's pod ran twice, or when not `nodes` of them ran.
    pub fn assert_once(&self, nodes: usize) {
        let counts = self.counts();
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "ran more than once: {twice:?}");
        assert_eq!(counts.len(), nodes, "{:?}", counts.keys().collect::<Vec<_>>());
    }
}

fn note(ran: &mut BTreeMap<String, (String, String)>, pod: &Pod) {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let (Some(uid), Some(run), Some(node)) = (&pod.metadata.uid, labels.get(RUN), labels.get(NODE)) else { return };
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let began = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    if statuses.into_iter().any(|status| status.state.as_ref().is_some_and(began)) {
        ran.insert(uid.clone(), (run.clone(), node.clone()));
    }
}
