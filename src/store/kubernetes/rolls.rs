//! The runs of a namespace as they come, go on and end, for whoever drives them all.

use std::collections::BTreeSet;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};

use super::head::{self, Head};
use crate::backend::kubernetes::Job;
use crate::backend::kubernetes::{Cluster, names};
use crate::base::{RunName, Timestamp};

/// What is new of the runs that have not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunNews {
    /// One is there, or has changed: its priority among others, and when it was submitted.
    Seen(RunName, i32, Timestamp),
    /// One has ended, or is gone.
    Gone(RunName),
    /// Nobody drives one any more.
    Freed(RunName),
    /// These are all.
    Listed(BTreeSet<RunName>),
}

/// The watch over a namespace's runs.
pub struct RunWatch {
    heads: BoxStream<'static, watcher::Result<Event<PartialObjectMeta<Job>>>>,
    leases: BoxStream<'static, watcher::Result<Event<PartialObjectMeta<Lease>>>>,
    /// The runs of a list that is not complete.
    listed: BTreeSet<RunName>,
}

impl RunWatch {
    /// Begins to watch the namespace of `cluster`.
    pub fn new(cluster: &Cluster) -> Self {
        let heads: Api<PartialObjectMeta<Job>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let leases: Api<PartialObjectMeta<Lease>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        // A run that ends is no longer selected, which comes as a deletion.
        let open = format!("{}={},{}=false", names::KIND, head::KIND, names::COMPLETED);
        let of_runs = format!("{}=lease", names::KIND);
        let config = |labels: &str| watcher::Config::default().labels(labels);
        Self {
            heads: watcher::watcher(heads, config(&open)).default_backoff().boxed(),
            leases: watcher::watcher(leases, config(&of_runs)).default_backoff().boxed(),
            listed: BTreeSet::new(),
        }
    }

    /// Waits for news. What the cluster refuses is told by `refused`, and asked again. Safe to drop while
    /// it waits.
    pub async fn next(&mut self, mut refused: impl FnMut(String)) -> RunNews {
        loop {
            let news = tokio::select! {
                event = self.heads.try_next() => match event {
                    Ok(Some(event)) => head_news(event, &mut self.listed),
                    Ok(None) => std::future::pending().await,
                    Err(error) => { refused(error.to_string()); None }
                },
                event = self.leases.try_next() => match event {
                    Ok(Some(Event::Delete(lease))) => label(&lease.metadata, names::RUN).map(RunNews::Freed),
                    Ok(Some(_)) => None,
                    Ok(None) => std::future::pending().await,
                    Err(error) => { refused(error.to_string()); None }
                },
            };
            if let Some(news) = news {
                return news;
            }
        }
    }
}

fn head_news(event: Event<PartialObjectMeta<Job>>, listed: &mut BTreeSet<RunName>) -> Option<RunNews> {
    match event {
        Event::Init => {
            listed.clear();
            None
        }
        Event::InitApply(job) => {
            let run = run_of(&job.metadata)?;
            listed.insert(run.clone());
            Some(seen(run, &job.metadata))
        }
        Event::InitDone => Some(RunNews::Listed(std::mem::take(listed))),
        // It is about to go, with all that it owns.
        Event::Apply(job) if job.metadata.deletion_timestamp.is_some() => None,
        Event::Apply(job) => run_of(&job.metadata).map(|run| seen(run, &job.metadata)),
        Event::Delete(job) => run_of(&job.metadata).map(RunNews::Gone),
    }
}

fn run_of(metadata: &ObjectMeta) -> Option<RunName> {
    RunName::new(metadata.name.clone()?).ok()
}

fn seen(run: RunName, metadata: &ObjectMeta) -> RunNews {
    let stored = Head::read(metadata).and_then(|head| head.stored);
    let created_at = metadata.creation_timestamp.as_ref().map(|time| Timestamp(time.0.as_millisecond()));
    RunNews::Seen(run, stored.map_or(0, |stored| stored.summary.priority), created_at.unwrap_or_default())
}

fn label(metadata: &ObjectMeta, key: &str) -> Option<RunName> {
    RunName::new(metadata.labels.as_ref()?.get(key)?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> PartialObjectMeta<Job> {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        PartialObjectMeta { metadata, ..PartialObjectMeta::default() }
    }

    #[test]
    fn a_list_tells_of_each_run_and_then_of_all() {
        let mut listed = BTreeSet::new();
        let run = |name: &str| RunName::new(name).expect("a name");
        let events = [
            Event::Init,
            Event::InitApply(job("a")),
            Event::InitApply(job("Not A Run")),
            Event::InitDone,
            Event::Apply(job("b")),
            Event::Delete(job("a")),
        ];
        let news: Vec<RunNews> = events.into_iter().filter_map(|event| head_news(event, &mut listed)).collect();
        let seen = |name: &str| RunNews::Seen(run(name), 0, Timestamp::default());
        assert_eq!(news, [seen("a"), RunNews::Listed([run("a")].into()), seen("b"), RunNews::Gone(run("a"))]);
    }
}
