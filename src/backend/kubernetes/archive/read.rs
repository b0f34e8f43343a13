//! Reading logs that were kept.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;

use super::keep::KEY;
use super::shelf::{self, Kept};
use crate::backend::BackendError;
use crate::backend::kubernetes::fault::failed;
use crate::backend::kubernetes::{Cluster, names};
use crate::base::limits::LIST_PAGE_OBJECTS;
use crate::base::{NodeIx, RunName};

/// Returns the name of an object with logs.
pub(super) fn name(run: &RunName, index: u32) -> String {
    format!("wf.logs.{run}.{index}")
}

/// Returns the place of an object among those of its run.
pub(super) fn index(name: &str) -> Option<u32> {
    name.rsplit('.').next()?.parse().ok()
}

/// Returns what is kept of the logs of `wanted`, by node, in the order in which pods went.
pub async fn archived_logs(
    cluster: &Cluster,
    run: &RunName,
    wanted: &BTreeSet<NodeIx>,
) -> Result<BTreeMap<NodeIx, Vec<Kept>>, BackendError> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let refused = |error: kube::Error| failed(format!("read the kept logs of the run `{run}`"), &error);
    let mut found = find(&maps, run, wanted).await.map_err(refused)?;
    found.sort();
    let mut by_node: BTreeMap<NodeIx, Vec<Kept>> = BTreeMap::new();
    for (_, name) in found {
        let map = maps.get_opt(&name).await.map_err(refused)?;
        let data = map.and_then(|map| map.binary_data).unwrap_or_default();
        let Some(packed) = data.get(KEY) else { continue };
        for kept in shelf::unpack(&packed.0).into_iter().filter(|kept| wanted.contains(&kept.about.node)) {
            let of_node = by_node.entry(kept.about.node).or_default();
            // A driver that died in between has kept it before.
            let is_same =
                |other: &Kept| other.about.pod == kept.about.pod && other.about.container == kept.about.container;
            of_node.retain(|other| !is_same(other));
            of_node.push(kept);
        }
    }
    Ok(by_node)
}

async fn find(
    maps: &Api<ConfigMap>,
    run: &RunName,
    wanted: &BTreeSet<NodeIx>,
) -> Result<Vec<(u32, String)>, kube::Error> {
    let selector = format!("{}={run},{}={}", names::RUN, names::KIND, names::LOGS_KIND);
    let mut params = ListParams::default().labels(&selector).limit(LIST_PAGE_OBJECTS);
    let mut found = Vec::new();
    loop {
        let page = maps.list_metadata(&params).await?;
        found.extend(page.items.into_iter().filter_map(|map| {
            let nodes = map.metadata.annotations.as_ref()?.get(names::NODES)?;
            let name = map.metadata.name.clone()?;
            shelf::names_one(nodes, wanted).then_some((index(&name)?, name))
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_in_the_order_of_their_making() {
        let run = RunName::new("ci.1").expect("a name");
        assert_eq!(index(&name(&run, 12)), Some(12));
        assert_eq!(index("wf.logs.ci.x"), None);
    }
}
