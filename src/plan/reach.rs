//! Which templates a run can come to.

use std::collections::BTreeSet;

use super::model::{Body, Plan, Task, TemplateIx};

impl Plan {
    /// Returns the templates that a run can come to, in the plan's order; all when a name is known
    /// only while it runs.
    pub fn reachable(&self) -> BTreeSet<TemplateIx> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<TemplateIx> = [self.entrypoint].into_iter().chain(self.on_exit).collect();
        waiting.extend(self.hooks.values());
        let mut calls_any = false;
        while let Some(ix) = waiting.pop() {
            if !reached.insert(ix) {
                continue;
            }
            for task in self.template(ix).body.tasks() {
                match task.target {
                    Some(target) => waiting.push(target),
                    None if !std::mem::replace(&mut calls_any, true) => waiting.extend(self.by_name.values()),
                    None => {}
                }
                waiting.extend(task.hooks.values());
            }
        }
        reached
    }

    /// Returns the templates among `reachable` whose `outputs.result` some task asks for, as far as
    /// their names are known.
    pub fn captured(&self, reachable: &BTreeSet<TemplateIx>) -> BTreeSet<TemplateIx> {
        let all = reachable.iter().flat_map(|ix| self.template(*ix).body.tasks());
        all.filter(|task| task.captures_result).filter_map(|task| task.target).collect()
    }
}

impl Body {
    /// Returns its calls: steps or tasks.
    pub fn tasks(&self) -> Vec<&Task> {
        match self {
            Body::Steps(groups) => groups.iter().flatten().collect(),
            Body::Dag(dag) => dag.tasks.iter().collect(),
            Body::Pod | Body::Suspend | Body::Http | Body::Plugin => Vec::new(),
        }
    }
}
