//! What a pod was seen to do. Reports may come late, twice, or out of order.

use std::sync::Arc;

use super::Decider;
use crate::base::NodeIx;
use crate::engine::event::Event;
use crate::engine::model::{Phase, Waiting};
use crate::engine::observation::{PodEnd, PodReport};
use crate::engine::value::Outputs;

impl Decider<'_> {
    /// Takes a report of a node's pod, or of its request, or of its plugin call. Once the node has ended nothing changes it: the first end counts.
    pub(super) fn pod(&mut self, ix: NodeIx, report: PodReport) {
        let known = self.run.slots.get(ix.index()).is_some_and(|slot| slot.node.kind.is_work());
        if !known {
            return;
        }
        if matches!(report, PodReport::Ended(_) | PodReport::Lost { .. }) {
            self.run.doomed.remove(&ix);
        }
        if self.run.slot(ix).gone || self.run.node(ix).phase.is_final() {
            return;
        }
        // A node that waits for its locks has no pod of ours: another driver has taken the run over, and let it in.
        if self.run.gated.contains(&ix) {
            return;
        }
        match report {
            PodReport::Waiting { reason } => self.pod_waits(ix, reason.into()),
            PodReport::Running { ready, ip, host } => self.pod_runs(ix, ready, ip, host),
            PodReport::Ended(end) => self.pod_ended(ix, end),
            PodReport::Lost { message } => {
                let m: Arc<str> = format!("result lost: {message}").into();
                self.give_containers_up(ix, Phase::Error, "container deleted");
                self.emit(Event::Finished { n: ix, p: Phase::Error, m, out: None, host: None, decree: false });
            }
        }
    }

    fn pod_waits(&mut self, ix: NodeIx, reason: Arc<str>) {
        let on = Some(Waiting::Pod { reason });
        let node = self.run.node(ix);
        if node.phase == Phase::Pending && node.waiting != on {
            self.emit(Event::Waits { n: ix, on });
        }
    }

    fn pod_runs(&mut self, ix: NodeIx, ready: bool, ip: Option<String>, host: Option<String>) {
        let daemon = self.run.template_of(ix).is_some_and(|template| template.spec.daemon == Some(true));
        let node = self.run.node(ix);
        let up = daemon && ready;
        if node.phase == Phase::Running && (!up || node.daemoned) {
            return;
        }
        let ip = ip.filter(|_| daemon).map(Arc::from);
        self.emit(Event::Runs { n: ix, ip, host: host.map(Arc::from), up });
        self.run_containers(ix);
    }

    fn pod_ended(&mut self, ix: NodeIx, end: PodEnd) {
        let host = end.host.as_deref().map(Arc::from);
        self.end_containers(ix, &end);
        let (p, m, outputs) = self.pod_end(ix, end);
        let out = (outputs != Outputs::default()).then(|| Arc::new(outputs));
        self.emit(Event::Finished { n: ix, p, m, out, host, decree: false });
        self.share_outputs(ix);
    }
}
