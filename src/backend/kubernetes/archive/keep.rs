//! Reading what pods wrote, and keeping it with the run before they go.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{ListParams, LogParams, PostParams};
use tokio::sync::Mutex as AsyncMutex;

use super::policy::LogPolicy;
use super::shelf::{self, About, End, Kept};
use crate::backend::kubernetes::client::Owner;
use crate::backend::kubernetes::due::Due;
use crate::backend::kubernetes::fault::{Trouble, trouble};
use crate::backend::kubernetes::kinds::{ContainerStatus, Pod};
use crate::backend::kubernetes::logs::Lines;
use crate::backend::kubernetes::{Cluster, helper, job, names};
use crate::base::NodeIx;
use crate::base::limits::{KEPT_LOG_LINES_MAX, KEPT_LOGS_PER_RUN_BYTES_MAX, LIST_PAGE_OBJECTS};

/// Pods whose logs are read at one time.
const READS_AT_ONCE_MAX: usize = 8;

/// How long the logs of one pod may take: its containers have ended, so they are there.
const READ_WAIT: Duration = Duration::from_secs(10);

/// How often a name is tried that another driver of the run was faster to take.
const TRIES_MAX: usize = 64;

/// The key of an object's bytes.
pub(super) const KEY: &str = "data";

/// The logs of one run that are kept.
pub struct Archive {
    cluster: Cluster,
    owner: Owner,
    pub policy: LogPolicy,
    /// Where the next goes; found out at first use.
    place: AsyncMutex<Option<Place>>,
    /// The pods, by uid, whose logs are kept already.
    kept: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    index: u32,
    /// How many bytes are kept so far.
    bytes: usize,
}

/// What was read of a container: the end of its log, and whether its beginning is missing.
type Read = (Vec<u8>, bool);

impl Archive {
    pub fn new(cluster: Cluster, owner: Owner, policy: LogPolicy) -> Self {
        Self { cluster, owner, policy, place: AsyncMutex::default(), kept: Mutex::default() }
    }

    /// Keeps what the containers of `pods` wrote. Returns the nodes of which not all could be read: their
    /// pods must stay. All the rest is safe when this returns `Ok`.
    pub async fn keep(&self, pods: &[Pod]) -> Result<BTreeSet<NodeIx>, kube::Error> {
        let fresh: Vec<&Pod> = pods.iter().filter(|pod| self.keeps(pod) && !self.has(pod)).collect();
        let (mut entries, mut safe, mut unread) = (Vec::new(), Vec::new(), BTreeSet::new());
        // A machine that does not answer is not asked for each of its pods.
        let mut silent: BTreeSet<&str> = BTreeSet::new();
        for group in fresh.chunks(READS_AT_ONCE_MAX) {
            let reads = join_all(group.iter().map(|pod| self.read(pod, silent.contains(host_of(pod))))).await;
            for (pod, read) in group.iter().zip(reads) {
                match read {
                    Some(read) => {
                        entries.extend(read);
                        safe.extend(pod.metadata.uid.clone());
                    }
                    None => {
                        silent.insert(host_of(pod));
                        unread.extend(node_of(pod));
                    }
                }
            }
        }
        for object in shelf::divide(entries) {
            self.put(object).await?;
        }
        self.kept.lock().expect("nothing panics while it holds the lock").extend(safe);
        Ok(unread)
    }

    fn keeps(&self, pod: &Pod) -> bool {
        self.policy.keeps(Due::read(pod.metadata.annotations.as_ref()).archive_logs)
    }

    fn has(&self, pod: &Pod) -> bool {
        let kept = self.kept.lock().expect("nothing panics while it holds the lock");
        pod.metadata.uid.as_ref().is_some_and(|uid| kept.contains(uid))
    }

    /// Reads the logs of a pod; none when they cannot be read now.
    async fn read(&self, pod: &Pod, is_silent: bool) -> Option<Vec<Kept>> {
        if is_silent {
            return None;
        }
        let Some(node) = node_of(pod) else { return Some(Vec::new()) };
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let read = async {
            let mut entries = Vec::new();
            for (container, is_main) in containers(pod) {
                if let Some((text, is_cut)) = self.read_container(name, &container).await? {
                    let about = About::new(node, name, &container, is_main, is_cut);
                    entries.push(Kept { about, text });
                }
            }
            Some(entries)
        };
        tokio::time::timeout(READ_WAIT, read).await.ok().flatten()
    }

    /// Reads a container's log, if it has one and still has it; none when it cannot be read now.
    async fn read_container(&self, pod: &str, container: &str) -> Option<Option<Read>> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let params = LogParams {
            container: Some(container.to_owned()),
            timestamps: true,
            tail_lines: Some(KEPT_LOG_LINES_MAX),
            ..LogParams::default()
        };
        let stream = match pods.log_stream(pod, &params).await {
            Ok(stream) => stream,
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => return Some(None),
            Err(_) => return None,
        };
        let (mut lines, mut end, mut count) = (Lines::new(stream), End::new(self.policy.bytes), 0);
        while let Some(line) = lines.next().await.ok()? {
            count += 1;
            if let Some(own) = helper::without_trailer(&line) {
                end.add(own);
            }
        }
        let (text, is_cut) = end.finish();
        Some(Some((text, is_cut || count >= KEPT_LOG_LINES_MAX)))
    }

    /// Makes an object of entries; what is too much for one run is only named.
    async fn put(&self, mut entries: Vec<Kept>) -> Result<(), kube::Error> {
        let mut held = self.place.lock().await;
        let mut place = match *held {
            Some(place) => place,
            None => self.find_place().await?,
        };
        if place.bytes >= KEPT_LOGS_PER_RUN_BYTES_MAX {
            for entry in &mut entries {
                entry.about.is_left_out = true;
                entry.text.clear();
            }
        }
        let packed = shelf::pack(&entries);
        let bytes = packed.len();
        let nodes = entries.iter().map(|entry| entry.about.node).collect();
        let maps = self.maps();
        for _ in 0..TRIES_MAX {
            match maps.create(&PostParams::default(), &self.object(place.index, &nodes, packed.clone())).await {
                Err(error) if trouble(&error) == Trouble::Exists => place.index += 1,
                created => {
                    created?;
                    *held = Some(Place { index: place.index + 1, bytes: place.bytes + bytes });
                    return Ok(());
                }
            }
        }
        *held = None;
        Ok(())
    }

    /// Finds out what earlier drivers of the run have kept.
    async fn find_place(&self) -> Result<Place, kube::Error> {
        let selector = format!("{}={},{}={}", names::HEAD, self.owner.head, names::KIND, names::LOGS_KIND);
        let mut params = ListParams::default().labels(&selector).limit(LIST_PAGE_OBJECTS);
        let mut place = Place { index: 0, bytes: 0 };
        loop {
            let page = self.maps().list_metadata(&params).await?;
            for map in &page.items {
                let index = map.metadata.name.as_deref().and_then(super::read::index);
                place.index = place.index.max(index.map_or(0, |index| index + 1));
                let bytes = map.metadata.annotations.as_ref().and_then(|all| all.get(names::BYTES)?.parse().ok());
                place.bytes += bytes.unwrap_or(0);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(place),
            }
        }
    }

    fn object(&self, index: u32, nodes: &BTreeSet<NodeIx>, packed: Vec<u8>) -> ConfigMap {
        let labels =
            [(names::RUN, self.owner.run.as_str()), (names::HEAD, &self.owner.head), (names::KIND, names::LOGS_KIND)];
        let annotations = [(names::NODES, shelf::write_nodes(nodes)), (names::BYTES, packed.len().to_string())];
        let metadata = ObjectMeta {
            name: Some(super::read::name(&self.owner.run, index)),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
            owner_references: serde_json::from_value(serde_json::json!([job::owner_reference(&self.owner)])).ok(),
            ..ObjectMeta::default()
        };
        let data = [(KEY.to_owned(), ByteString(packed))].into();
        ConfigMap { metadata, immutable: Some(true), binary_data: Some(data), ..ConfigMap::default() }
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }
}

/// Returns the node whose attempt a pod is.
pub fn node_of(pod: &Pod) -> Option<NodeIx> {
    pod.metadata.labels.as_ref()?.get(names::NODE)?.parse().ok().map(NodeIx)
}

/// Returns the machine that a pod is on.
fn host_of(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// Returns the containers of a pod that have run, in their order, and which does the work.
fn containers(pod: &Pod) -> Vec<(String, bool)> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else { return Vec::new() };
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let ran: BTreeSet<&str> = statuses.filter(|status| has_run(status)).map(|status| status.name.as_str()).collect();
    let due = Due::read(pod.metadata.annotations.as_ref());
    let work = due.workers();
    let all = spec.init_containers.iter().flatten().chain(&spec.containers).map(|container| container.name.as_str());
    all.filter(|name| ran.contains(name)).map(|name| (name.to_owned(), work.contains(&name))).collect()
}

fn has_run(status: &ContainerStatus) -> bool {
    let state = status.state.as_ref();
    state.is_some_and(|state| state.terminated.is_some() || state.running.is_some()) || status.restart_count > 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_that_never_ran_have_no_log() {
        let ended = json!({ "terminated": { "exitCode": 0 } });
        let status = |name: &str, state| json!({ "name": name, "state": state, "image": "i", "imageID": "", "ready": false, "restartCount": 0 });
        let pod = json!({
            "metadata": { "labels": { "wf.internal/node": "7" } },
            "spec": { "initContainers": [{ "name": "before" }, { "name": "side" }], "containers": [{ "name": "main" }] },
            "status": {
                "initContainerStatuses": [status("before", ended.clone()), status("side", json!({ "waiting": {} }))],
                "containerStatuses": [status("main", ended)],
            },
        });
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        assert_eq!(containers(&pod), [("before".to_owned(), false), ("main".to_owned(), true)]);
        assert_eq!(node_of(&pod), Some(NodeIx(7)));
        assert_eq!((containers(&Pod::default()), node_of(&Pod::default())), (Vec::new(), None));
    }
}
