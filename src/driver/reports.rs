//! Asking the backend for news, with patience while it cannot be reached.

use super::clock::{Clock, backoff};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, Timestamp};
use crate::engine::PodReport;

/// How often in a row the backend may fail to answer before the driver gives up: about a minute.
/// Its pods go on meanwhile, and the next driver finds out how they ended.
const FAILURES_MAX: u32 = 12;

/// The news of one run's pods.
pub(super) struct Reports<'a, B, C> {
    backend: &'a B,
    clock: &'a C,
    failures: u32,
    /// When the backend may be asked again.
    not_before: Option<Timestamp>,
}

impl<'a, B: Backend, C: Clock> Reports<'a, B, C> {
    pub(super) fn new(backend: &'a B, clock: &'a C) -> Self {
        Self { backend, clock, failures: 0, not_before: None }
    }

    /// Waits for news. Safe to drop while it waits: how often it failed is remembered.
    pub(super) async fn next(&mut self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        loop {
            self.pause().await;
            let answer = self.backend.next().await;
            if let Some(reports) = self.heed(answer)? {
                return Ok(reports);
            }
        }
    }

    /// Returns what is known of `nodes` now.
    pub(super) async fn relist(&mut self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        loop {
            self.pause().await;
            let answer = self.backend.relist(nodes).await;
            if let Some(reports) = self.heed(answer)? {
                return Ok(reports);
            }
        }
    }

    async fn pause(&mut self) {
        if let Some(at) = self.not_before {
            self.clock.sleep_until(at).await;
            self.not_before = None;
        }
    }

    /// Counts failures; one too many is the answer.
    fn heed<T>(&mut self, answer: Result<T, BackendError>) -> Result<Option<T>, BackendError> {
        match answer {
            Ok(news) => {
                self.failures = 0;
                Ok(Some(news))
            }
            Err(error @ BackendError::Replaced { .. }) => Err(error),
            Err(error) if self.failures + 1 >= FAILURES_MAX => Err(error),
            Err(_) => {
                self.failures += 1;
                self.not_before = Some(self.clock.now() + backoff(self.failures));
                Ok(None)
            }
        }
    }
}
