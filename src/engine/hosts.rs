//! Which machines an attempt keeps off, since attempts before it failed there.
//! Source: Argo's `scheduleOnDifferentHost`, `FindRetryNode`, `GetFailHosts`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::event::Caller;
use super::run::Run;
use crate::base::NodeIx;

impl Run {
    /// Returns the machines that the pod of `ix` keeps off, where its retry strategy says so.
    pub(super) fn avoided_hosts(&self, ix: NodeIx) -> Vec<Arc<str>> {
        let Some(retry) = self.retried_by(ix) else { return Vec::new() };
        let strategy = self.slot(retry).template.and_then(|template| self.plan.retry_strategy(template));
        let affinity = strategy.and_then(|strategy| strategy.affinity.as_ref());
        match affinity.is_some_and(|affinity| affinity.node_anti_affinity.is_some()) {
            true => self.failed_hosts(retry),
            false => Vec::new(),
        }
    }

    /// Returns the node whose attempt `ix` is, or whose attempt it belongs to.
    fn retried_by(&self, ix: NodeIx) -> Option<NodeIx> {
        let around = [Some(ix), self.node(ix).boundary];
        around.into_iter().flatten().find_map(|ix| match self.slot(ix).caller {
            Caller::Attempt(retry, _) => Some(retry),
            _ => None,
        })
    }

    /// Returns the machines of the pods below a node that failed.
    fn failed_hosts(&self, retry: NodeIx) -> Vec<Arc<str>> {
        let (mut hosts, mut seen, mut next) = (BTreeSet::new(), BTreeSet::from([retry]), vec![retry]);
        while let Some(ix) = next.pop() {
            let node = self.node(ix);
            if node.phase.is_bad() {
                hosts.extend(node.host.clone());
            }
            next.extend(node.children.iter().copied().filter(|child| seen.insert(*child)));
        }
        hosts.into_iter().collect()
    }
}
