//! Watching the head Job of a run that we hold: requests come in, and whoever asks whether we
//! live gets an answer, whatever the driver does meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::head::Head;
use super::inbox;
use super::lease::RunLease;
use super::objects::Owner;
use super::pauses::Pauses;
use crate::backend::kubernetes::Job;
use crate::backend::kubernetes::names;
use crate::base::RunName;
use crate::base::limits::RELIST_SECONDS;
use crate::store::RequestId;

/// How long a watch is believed.
const RENEW: Duration = Duration::from_secs(RELIST_SECONDS);

/// What the head Job tells.
#[derive(Debug)]
pub(super) enum News {
    /// The requests that are there.
    Requests(BTreeMap<RequestId, String>),
    /// How far the log has come, as the last who wrote a summary says.
    Records(u64),
    /// The run was deleted.
    Gone,
}

/// The watch over one head Job, until it is dropped.
pub(super) struct Keeper {
    news: UnboundedReceiver<News>,
    task: AbortHandle,
}

impl Keeper {
    /// Begins to watch the head of `owner`'s run; `pinged` is the last question whether somebody
    /// drives it that was there before we took the Lease.
    pub(super) fn new(
        jobs: Api<PartialObjectMeta<Job>>,
        owner: &Owner,
        pinged: Option<String>,
        lease: RunLease,
    ) -> Self {
        let (sender, news) = unbounded_channel();
        let watched = Watched { uid: owner.uid.clone(), pinged, is_there: false, records: 0, lease, sender };
        let watch = watch(jobs, owner.run.clone(), watched);
        Self { news, task: tokio::spawn(watch).abort_handle() }
    }

    /// Waits for news. Safe to drop while it waits.
    pub(super) async fn next(&mut self) -> News {
        self.news.recv().await.unwrap_or(News::Gone)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is known of the head so far.
struct Watched {
    uid: String,
    /// The last question whether we live that was answered.
    pinged: Option<String>,
    is_there: bool,
    records: u64,
    lease: RunLease,
    sender: UnboundedSender<News>,
}

async fn watch(jobs: Api<PartialObjectMeta<Job>>, run: RunName, mut watched: Watched) {
    loop {
        let config = watcher::Config::default().fields(&format!("metadata.name={run}"));
        let mut events = watcher::watcher(jobs.clone(), config).backoff(Pauses::default()).boxed();
        let renewed_at = Instant::now() + RENEW;
        // The stream begins anew after each error, when the cluster can be reached again.
        while let Ok(event) = timeout_at(renewed_at, events.try_next()).await {
            match event {
                Ok(Some(event)) => watched.heed(event).await,
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }
}

impl Watched {
    async fn heed(&mut self, event: Event<PartialObjectMeta<Job>>) {
        match event {
            Event::Init => self.is_there = false,
            Event::InitApply(head) | Event::Apply(head) if head.metadata.uid.as_ref() == Some(&self.uid) => {
                self.is_there = true;
                let records =
                    Head::read(&head.metadata).and_then(|head| head.stored).map_or(0, |stored| stored.records);
                if records > self.records {
                    self.records = records;
                    self.tell(News::Records(records));
                }
                self.read(head.metadata.annotations.as_ref()).await;
            }
            Event::InitDone if self.is_there => {}
            Event::InitApply(_) => {}
            Event::InitDone | Event::Apply(_) | Event::Delete(_) => self.tell(News::Gone),
        }
    }

    async fn read(&mut self, annotations: Option<&BTreeMap<String, String>>) {
        let requests = inbox::requests(annotations);
        if !requests.is_empty() {
            self.tell(News::Requests(requests));
        }
        let ping = annotations.and_then(|annotations| annotations.get(names::PING)).cloned();
        if self.pinged != ping {
            // Who asked in vain takes over, and our next append says so.
            let _ = self.lease.renew(ping.as_deref()).await;
        }
        self.pinged = ping;
    }

    fn tell(&self, news: News) {
        // Nobody listens any more when the log was let go.
        let _ = self.sender.send(news);
    }
}
