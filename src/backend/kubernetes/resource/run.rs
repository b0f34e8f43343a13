//! Doing it: the action, then the wait for what it leads to.

use std::collections::BTreeMap;

use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::{FutureExt, TryFutureExt};
use kube::Api;
use kube::api::DynamicObject;
use serde_json::Value;

use super::act::{Fault, Task, json_of, persist};
use super::outputs;
use crate::backend::kubernetes::watch::{News, Watch, Which};
use crate::base::{NodeIx, Timestamp};
use crate::engine::{Phase, PodEnd, PodReport, PodRequest};
use crate::expr::conditions::Condition;

/// What Kubernetes says of a pod that its deadline ended; Argo runs one for each of these templates.
const DEADLINE: &str = "Pod was active on the node longer than the specified deadline";

/// Work under way: the node, and what it comes to.
pub(in crate::backend::kubernetes) type Work = BoxFuture<'static, (NodeIx, PodReport)>;

/// What the driver does itself instead of starting a pod, by node, with what ends it.
#[derive(Default)]
pub(in crate::backend::kubernetes) struct OwnWork {
    handles: BTreeMap<NodeIx, AbortHandle>,
    /// Work that nobody waits for yet.
    pub new: Vec<Work>,
}

impl OwnWork {
    /// Begins with a node's work; one that is under way already is left alone.
    pub(in crate::backend::kubernetes) fn begin(
        &mut self,
        request: &PodRequest,
        work: BoxFuture<'static, PodReport>,
        now: Timestamp,
    ) {
        let node = request.node;
        if self.handles.contains_key(&node) {
            return;
        }
        let (handle, registration) = AbortHandle::new_pair();
        self.handles.insert(node, handle);
        let left = request.deadline.map(|deadline| deadline.since(now));
        let limit = request.deadline_after.into_iter().chain(left).min();
        let work = async move {
            match limit {
                Some(limit) => tokio::time::timeout(limit.to_std(), work)
                    .await
                    .unwrap_or_else(|_| ended(Phase::Failed, DEADLINE.to_owned())),
                None => work.await,
            }
        };
        let work = Abortable::new(work, registration);
        let work = work.unwrap_or_else(|_| ended(Phase::Failed, "stopped".to_owned()));
        self.new.push(work.map(move |report| (node, report)).boxed());
    }

    /// Ends a node's work. Returns whether there was any.
    pub(in crate::backend::kubernetes) fn stop(&mut self, node: NodeIx) -> bool {
        self.handles.get(&node).inspect(|handle| handle.abort()).is_some()
    }
}

fn ended(phase: Phase, message: String) -> PodReport {
    PodReport::Ended(PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) })
}

/// What the wait for an object came to.
enum Waited {
    /// The condition holds.
    Good(Value),
    /// It cannot hold any more, in these words.
    Bad(String),
}

impl Task {
    /// Does it, and returns the node's end.
    pub(in crate::backend::kubernetes) async fn run(self) -> PodReport {
        match self.work().await {
            Ok(Waited::Good(object)) => {
                let parameters = outputs::parameters(&self.request.template, &object);
                PodReport::Ended(PodEnd { parameters, ..PodEnd::exited(0) })
            }
            Ok(Waited::Bad(words)) => ended(Phase::Failed, words),
            Err(fault) => ended(Phase::Error, fault.to_string()),
        }
    }

    async fn work(&self) -> Result<Waited, Fault> {
        let (success, failure) = self.conditions()?;
        match self.act().await? {
            Some((api, object)) if success.is_some() || failure.is_some() => {
                wait(&api, &object, &success.unwrap_or_default(), &failure.unwrap_or_default()).await
            }
            Some((_, object)) => Ok(Waited::Good(json_of(&object))),
            None => Ok(Waited::Good(Value::Null)),
        }
    }

    fn conditions(&self) -> Result<(Option<Condition>, Option<Condition>), Fault> {
        let parse = |text: &Option<String>| -> Result<Option<Condition>, Fault> {
            let text = text.as_deref().filter(|text| !text.trim().is_empty());
            Ok(text.map(Condition::parse).transpose()?)
        };
        let resource = self.resource()?;
        Ok((parse(&resource.success_condition)?, parse(&resource.failure_condition)?))
    }
}

/// Waits until an object is as it should be, or never can be. Source: Argo's `WaitResource`, which polls.
async fn wait(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    success: &Condition,
    failure: &Condition,
) -> Result<Waited, Fault> {
    let name = object.metadata.name.clone().unwrap_or_default();
    let gone = || Waited::Bad(format!("`{name}` was deleted while its state was waited for"));
    loop {
        let mut watch = Watch::new(api.clone(), Which::Fields(format!("metadata.name={name}")));
        let Some(now) = list(&mut watch).await? else { return Ok(gone()) };
        if let Some(waited) = judge(&now, success, failure) {
            return Ok(waited);
        }
        // What breaks the watch off leads to another list, which tells whether it lasts.
        while let Ok(news) = watch.next().await {
            match news {
                News::Is(object) => {
                    if let Some(waited) = judge(&object, success, failure) {
                        return Ok(waited);
                    }
                }
                News::Gone(_) => return Ok(gone()),
                News::Forgotten => break,
            }
        }
    }
}

async fn list(watch: &mut Watch<DynamicObject>) -> Result<Option<DynamicObject>, Fault> {
    let watch = tokio::sync::Mutex::new(watch);
    Ok(persist(|| async { watch.lock().await.list().await }).await?.into_iter().next())
}

/// A failure counts before a success, and one requirement of it is enough.
fn judge(object: &DynamicObject, success: &Condition, failure: &Condition) -> Option<Waited> {
    let object = json_of(object);
    if let Some(failed) = failure.first(&object) {
        return Some(Waited::Bad(format!("failure condition '{failed}' evaluated true")));
    }
    success.holds(&object).then_some(Waited::Good(object))
}
