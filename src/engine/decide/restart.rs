//! `retry`: the same run again from what failed. Source: Argo's `FormulateRetryWorkflow`.
//!
//! What failed is forgotten with all that came after it; what called it is at work again. What
//! succeeded stays, unless the selector asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Decider;
use crate::base::NodeIx;
use crate::engine::event::{Caller, Event};
use crate::engine::fold::caller_node;
use crate::engine::model::Phase;
use crate::engine::run::{ControlError, Frame, Run};
use crate::engine::selector::Selector;
use crate::engine::value::Parameter;

/// Returns whether a run can be retried: it has ended, and badly, or nodes that succeeded are picked.
pub(super) fn check(run: &Run, picks: bool) -> Result<(), ControlError> {
    match run.phase {
        Phase::Failed | Phase::Error => Ok(()),
        Phase::Succeeded if picks => Ok(()),
        Phase::Succeeded => Err(ControlError::Refused(
            "the run succeeded: pick what is to run again with `--restart-successful --node-field-selector`, or \
             start it anew with `wf resubmit`"
                .to_owned(),
        )),
        _ => Err(ControlError::Refused("the run is at work; a retry is for one that failed".to_owned())),
    }
}

impl Decider<'_> {
    pub(super) fn restart(
        &mut self,
        restart_successful: bool,
        selector: &str,
        parameters: &BTreeMap<String, Arc<str>>,
    ) {
        let Ok(selector) = Selector::parse(selector) else { return };
        let wanted = |ix: NodeIx| restart_successful && selector.matches(self.run, ix);
        let plan = plan_restart(self.run, wanted, !parameters.is_empty());
        let args = (!parameters.is_empty()).then(|| self.changed_arguments(parameters));
        self.emit(Event::Retried { gone: plan.gone, open: plan.open, args });
    }

    fn changed_arguments(&self, parameters: &BTreeMap<String, Arc<str>>) -> Vec<Parameter> {
        let mut arguments = self.run.arguments.clone();
        for (name, value) in parameters {
            match arguments.iter_mut().find(|argument| *argument.name == **name) {
                Some(argument) => argument.value = Some(value.clone()),
                None => arguments.push(Parameter { name: name.as_str().into(), value: Some(value.clone()) }),
            }
        }
        arguments
    }
}

/// What a retry does to the nodes of a run; nodes in neither list stay as they are.
pub(in crate::engine) struct Restart {
    /// Forgotten, and made anew when their turn comes.
    pub gone: Vec<NodeIx>,
    /// At work again.
    pub open: Vec<NodeIx>,
}

/// Returns which nodes a retry forgets, and which it opens. When arguments change (`anew`), loops and
/// groups that are opened forget all their rounds, since what they go over may have changed.
pub(in crate::engine) fn plan_restart(run: &Run, wanted: impl Fn(NodeIx) -> bool, anew: bool) -> Restart {
    let mut gone = BTreeSet::new();
    let mut open = BTreeSet::new();
    for slot in run.slots.iter().filter(|slot| !slot.gone) {
        let ix = slot.node.ix;
        let failed = slot.node.phase.is_bad();
        match slot.frame {
            _ if wanted(ix) => forget(run, ix, &mut gone),
            Frame::Leaf if failed => forget(run, ix, &mut gone),
            Frame::Leaf => {}
            _ if failed => {
                open.insert(ix);
            }
            _ => {}
        }
        if matches!(slot.caller, Caller::Exit) {
            forget(run, ix, &mut gone);
            run.slots.iter().filter(|inner| !inner.gone && inner.on_exit && is_below(run, inner.node.ix, ix)).for_each(
                |inner| {
                    gone.insert(inner.node.ix);
                },
            );
        }
    }
    forget_attempts(run, &mut gone);
    open_callers(run, &gone, &mut open);
    if anew {
        let groups = open.iter().filter(|ix| matches!(run.slot(**ix).frame, Frame::Items(_) | Frame::Group(_)));
        let rounds: Vec<NodeIx> = groups.flat_map(|ix| run.node(*ix).children.iter().copied()).collect();
        rounds.into_iter().for_each(|round| forget(run, round, &mut gone));
    }
    let hooks: Vec<NodeIx> = open.iter().flat_map(|ix| hooks_of(run, *ix)).collect();
    for hook in hooks {
        forget(run, hook, &mut gone);
    }
    let open = open.difference(&gone).copied().collect();
    Restart { gone: gone.into_iter().collect(), open }
}

/// Forgets a node and all that came after it.
fn forget(run: &Run, ix: NodeIx, gone: &mut BTreeSet<NodeIx>) {
    let mut walk = vec![ix];
    while let Some(ix) = walk.pop() {
        if !run.slot(ix).gone && gone.insert(ix) {
            walk.extend(&run.node(ix).children);
        }
    }
}

/// A node that lost an attempt starts counting them anew.
fn forget_attempts(run: &Run, gone: &mut BTreeSet<NodeIx>) {
    let retries: BTreeSet<NodeIx> = gone
        .iter()
        .filter_map(|ix| match run.slot(*ix).caller {
            Caller::Attempt(retry, _) => Some(retry),
            _ => None,
        })
        .collect();
    for retry in retries {
        if let Frame::Retry(attempts) = &run.slot(retry).frame {
            attempts.iter().for_each(|attempt| forget(run, *attempt, gone));
        }
    }
}

fn open_callers(run: &Run, gone: &BTreeSet<NodeIx>, open: &mut BTreeSet<NodeIx>) {
    let mut walk: Vec<NodeIx> = gone.iter().chain(open.iter()).copied().collect();
    let mut seen = BTreeSet::new();
    while let Some(ix) = walk.pop() {
        let slot = run.slot(ix);
        let group = match &slot.caller {
            Caller::Task(dag, task, Some(_)) => run.task_node(*dag, *task),
            _ => None,
        };
        for caller in caller_node(&slot.caller).into_iter().chain(group) {
            if seen.insert(caller) {
                if !gone.contains(&caller) && !matches!(run.slot(caller).frame, Frame::Leaf) {
                    open.insert(caller);
                }
                walk.push(caller);
            }
        }
    }
}

fn hooks_of(run: &Run, ix: NodeIx) -> Vec<NodeIx> {
    let children = run.node(ix).children.iter().copied();
    children.filter(|child| matches!(run.slot(*child).caller, Caller::Hook(of, _) if of == ix)).collect()
}

fn is_below(run: &Run, ix: NodeIx, above: NodeIx) -> bool {
    let mut at = Some(ix);
    while let Some(ix) = at {
        if ix == above {
            return true;
        }
        at = caller_node(&run.slot(ix).caller);
    }
    false
}
