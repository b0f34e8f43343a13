//! Following a log that another process writes, by a watch on its segments.

use std::collections::BTreeMap;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};

use super::objects;
use super::pauses::Pauses;
use super::read::{Opening, Part, Reader, broken};
use super::segment::{Assembled, Segment};
use crate::backend::kubernetes::ApiError;
use crate::store::frame::Chain;
use crate::store::{Record, StoreError, Tail};

/// How often in a row the watch may fail before the follower gives up: about a minute.
const FAILURES_MAX: u32 = 8;

/// A place in a log, from which what is appended is read.
pub struct KubernetesTail {
    reader: Reader,
    opening: Opening,
    events: BoxStream<'static, watcher::Result<Event<ConfigMap>>>,
    segments: BTreeMap<u32, Segment>,
    assembled: Assembled,
    chain: Chain,
    /// How many bytes of the log were returned.
    offset: usize,
    failures: u32,
}

impl KubernetesTail {
    /// Returns the records that are there, and what follows them.
    pub(super) async fn new(reader: Reader, opening: Opening) -> Result<(Part, Self), StoreError> {
        let config = watcher::Config::default().labels(&objects::selector(&opening.owner.run, objects::LOG));
        let events = watcher::watcher(reader.maps.clone(), config).backoff(Pauses::default()).boxed();
        let (chain, segments) = (opening.chain, BTreeMap::new());
        let assembled = Assembled::default();
        let mut tail = Self { reader, opening, events, segments, assembled, chain, offset: 0, failures: 0 };
        while !tail.heed().await? {}
        let part = tail.read().await?;
        Ok((part, tail))
    }

    /// Returns what the log is the log of.
    pub(super) fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Waits for one event. Returns whether the segments are as the cluster has them now. Safe to
    /// drop while it waits.
    async fn heed(&mut self) -> Result<bool, StoreError> {
        let event = match self.events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(self.gone()),
            Err(error) => return self.fail(&error).map(|()| false),
        };
        self.failures = 0;
        match event {
            Event::Init => Ok(false),
            Event::InitApply(map) => {
                self.keep(&map);
                Ok(false)
            }
            Event::Apply(map) => {
                self.keep(&map);
                Ok(true)
            }
            Event::InitDone => Ok(true),
            Event::Delete(map) if objects::read_segment(&self.opening.owner, &map).is_some() => Err(self.gone()),
            Event::Delete(_) => Ok(false),
        }
    }

    fn keep(&mut self, map: &ConfigMap) {
        if let Some((index, kept)) = objects::read_segment(&self.opening.owner, map) {
            self.segments.insert(index, kept.segment);
        }
    }

    /// Takes in the segments, and reads what is new and complete.
    async fn read(&mut self) -> Result<Part, StoreError> {
        let run = &self.opening.owner.run;
        self.assembled.take(&self.segments).map_err(|fault| broken(run, fault))?;
        // What is sealed was taken, and is not needed again.
        self.segments = self.segments.split_off(&self.assembled.next);
        let text = self.assembled.text.get(self.offset..).unwrap_or_default();
        let part = self.reader.records(&self.opening.owner, text, self.chain).await?;
        self.chain = part.chain;
        self.offset += part.bytes as usize;
        Ok(part)
    }

    /// Counts failures of the watch: one too many, or one that does not pass, is the answer.
    fn fail(&mut self, error: &watcher::Error) -> Result<(), StoreError> {
        self.failures += 1;
        let action = format!("follow the log of run `{}`", self.opening.owner.run);
        let error = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => ApiError::new(&action, error),
            watcher::Error::WatchError(status) => ApiError::of_status(&action, status),
            watcher::Error::NoResourceVersion => return Ok(()),
        };
        match error.is_passing() && self.failures < FAILURES_MAX {
            true => Ok(()),
            false => Err(error.into()),
        }
    }

    fn gone(&self) -> StoreError {
        StoreError::Deleted { run: self.opening.owner.run.clone() }
    }
}

impl Tail for KubernetesTail {
    async fn next(&mut self) -> Result<Vec<Record>, StoreError> {
        loop {
            if self.heed().await? {
                let part = self.read().await?;
                if !part.records.is_empty() {
                    return Ok(part.records);
                }
            }
        }
    }
}
