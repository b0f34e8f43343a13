//! Logs of pods, line by line, without what the helper writes into them.

use std::pin::Pin;

use futures_util::io::{AsyncBufRead, AsyncBufReadExt};
use kube::Api;
use kube::api::{ListParams, LogParams};

use super::due::Due;
use super::fault::failed;
use super::kinds::Pod;
use super::{Cluster, helper, names};
use crate::backend::BackendError;
use crate::base::limits::LOG_LINE_BYTES_MAX;
use crate::base::{NodeIx, RunName, TimeSpan};

/// A pod whose logs can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPod {
    /// The node whose attempt it is.
    pub node: NodeIx,
    /// Its name.
    pub name: String,
    /// Its containers, those that start before the others first.
    pub containers: Vec<String>,
    /// Those that do the work: the main one, or those of a set.
    pub work: Vec<String>,
    /// Whether these are a set.
    pub is_set: bool,
    /// Its phase, in Kubernetes' words.
    pub phase: String,
}

/// Which part of a log is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; the only one when absent.
    pub container: Option<String>,
    /// Whether lines that are still to come are waited for.
    pub follow: bool,
    /// Only lines of this last span of time.
    pub since: Option<TimeSpan>,
    /// Only so many lines of the end.
    pub tail: Option<u32>,
    /// Whether each line begins with its time, in RFC 3339.
    pub timestamps: bool,
}

/// Returns the pods of a run, or of one of its nodes, that are still there, the oldest first.
pub async fn logged_pods(
    cluster: &Cluster,
    run: &RunName,
    node: Option<NodeIx>,
) -> Result<Vec<LoggedPod>, BackendError> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let of_node = node.map(|node| format!(",{}={node}", names::NODE)).unwrap_or_default();
    let selector = format!("{}={run},{}=node{of_node}", names::RUN, names::KIND);
    let listed = pods.list(&ListParams::default().labels(&selector)).await;
    let mut listed = listed.map_err(|error| failed(format!("list the pods of the run `{run}`"), &error))?.items;
    listed.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
    Ok(listed.iter().filter_map(logged_pod).collect())
}

fn logged_pod(pod: &Pod) -> Option<LoggedPod> {
    let node = pod.metadata.labels.as_ref()?.get(names::NODE)?.parse().ok().map(NodeIx)?;
    let spec = pod.spec.as_ref()?;
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let due = Due::read(pod.metadata.annotations.as_ref());
    Some(LoggedPod {
        node,
        name: pod.metadata.name.clone()?,
        containers: containers.map(|container| container.name.clone()).collect(),
        work: due.workers().into_iter().map(str::to_owned).collect(),
        is_set: !due.set.is_empty(),
        phase: pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default(),
    })
}

/// Opens the log of a pod's container.
pub async fn logs(cluster: &Cluster, pod: &str, options: &LogOptions) -> Result<LogLines, BackendError> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let params = LogParams {
        container: options.container.clone(),
        follow: options.follow,
        since_seconds: options.since.map(|span| i64::try_from(span.0.div_ceil(1000).max(1)).unwrap_or(i64::MAX)),
        tail_lines: options.tail.map(i64::from),
        timestamps: options.timestamps,
        ..LogParams::default()
    };
    let action = || format!("read the log of the pod `{pod}`");
    let stream = pods.log_stream(pod, &params).await.map_err(|error| failed(action(), &error))?;
    Ok(LogLines { lines: Lines::new(stream), action: action() })
}

/// A container's log, line by line.
pub struct LogLines {
    lines: Lines,
    action: String,
}

impl LogLines {
    /// Waits for the next line, and returns it without its newline; none at the end. Lines of the
    /// helper are left out. One that is longer than [`LOG_LINE_BYTES_MAX`] comes in parts. Safe to
    /// drop while it waits.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        loop {
            let line = self.lines.next().await.map_err(|error| BackendError::Unavailable {
                backend: "kubernetes",
                action: self.action.clone(),
                reason: error.to_string(),
            })?;
            let Some(line) = line else { return Ok(None) };
            if let Some(own) = helper::without_trailer(&line) {
                return Ok(Some(own.to_vec()));
            }
        }
    }
}

/// Lines of a stream, in parts where they are too long.
pub(super) struct Lines {
    stream: Pin<Box<dyn AsyncBufRead + Send>>,
    /// What was read of the line so far.
    part: Vec<u8>,
}

impl Lines {
    pub(super) fn new(stream: impl AsyncBufRead + Send + 'static) -> Self {
        Self { stream: Box::pin(stream), part: Vec::new() }
    }

    /// Returns the next line without its newline; none at the end. Safe to drop while it waits.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            let buffer = self.stream.fill_buf().await?;
            if buffer.is_empty() {
                let last = std::mem::take(&mut self.part);
                return Ok((!last.is_empty()).then_some(last));
            }
            let room = LOG_LINE_BYTES_MAX - self.part.len();
            let seen = &buffer[..buffer.len().min(room)];
            let end = seen.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(seen.len());
            self.part.extend_from_slice(&seen[..taken]);
            let used = taken + usize::from(end.is_some());
            self.stream.consume_unpin(used);
            if end.is_some() || self.part.len() == LOG_LINE_BYTES_MAX {
                return Ok(Some(std::mem::take(&mut self.part)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn lines_are_cut_at_newlines_and_where_they_are_too_long() {
        let long = "x".repeat(LOG_LINE_BYTES_MAX + 3);
        let text = format!("a\n\n{long}\nend");
        let mut lines = Lines::new(Cursor::new(text.into_bytes()));
        let mut lengths = Vec::new();
        while let Some(line) = lines.next().await.expect("it is in memory") {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 0, LOG_LINE_BYTES_MAX, 3, 3]);
    }
}
