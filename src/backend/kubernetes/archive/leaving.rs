//! Which nodes' logs are kept, and which pods and Jobs go, at what time. Pure.
//!
//! Several nodes are taken together, since what they wrote becomes one object: as soon as there are enough,
//! or when the first has waited for a while.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::NodeIx;
use crate::base::limits::{FINISHED_JOBS_MAX, LEAVING_TOGETHER_MAX};

/// How long the first of a group waits for others.
const GATHER: Duration = Duration::from_secs(5);

/// How long a Job stays after its node's end is in the log: longer than any call that an earlier driver
/// may still have under way, which would make it again.
const JOB_OUTLIVES: Duration = Duration::from_secs(120);

/// How long nodes wait whose logs could not be read.
const AGAIN: Duration = Duration::from_secs(30);

/// What is done with nodes that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Their logs are kept.
    Logs,
    /// Their pods go, once their logs are kept.
    Pods,
    /// Their Jobs go with their pods, once their logs are kept.
    Jobs,
}

/// Nodes that have ended, and what is still to be done with them.
///
/// `T` is a time: an instant, or a number in tests.
#[derive(Debug)]
pub struct Leaving<T> {
    /// Each in the order of time, since all of one kind stay equally long.
    queues: [VecDeque<(T, NodeIx)>; 3],
    /// The nodes whose Jobs stay, in the order of their ends.
    staying: VecDeque<NodeIx>,
}

impl<T> Default for Leaving<T> {
    fn default() -> Self {
        Self { queues: [VecDeque::new(), VecDeque::new(), VecDeque::new()], staying: VecDeque::new() }
    }
}

const KINDS: [Leave; 3] = [Leave::Logs, Leave::Pods, Leave::Jobs];

impl<T: Copy + Ord + std::ops::Add<Duration, Output = T>> Leaving<T> {
    /// Takes a node for `leave` at `due`.
    pub fn add(&mut self, node: NodeIx, leave: Leave, due: T) {
        self.queues[leave as usize].push_back((due, node));
    }

    /// Takes nodes that could not be dealt with.
    pub fn again(&mut self, nodes: &[NodeIx], leave: Leave, now: T) {
        nodes.iter().for_each(|node| self.add(*node, leave, now + AGAIN));
        let queue = &mut self.queues[leave as usize];
        queue.make_contiguous().sort();
    }

    /// Takes the note that a node has ended and has a Job; the oldest go when there are too many.
    pub fn ended(&mut self, node: NodeIx, now: T) {
        self.staying.push_back(node);
        if self.staying.len() > FINISHED_JOBS_MAX
            && let Some(oldest) = self.staying.pop_front()
        {
            self.add(oldest, Leave::Jobs, now + JOB_OUTLIVES);
        }
    }

    /// Returns when there is something to do by time alone.
    pub fn due(&self) -> Option<T> {
        let dues = self.queues.iter().filter_map(|queue| {
            let (first, _) = queue.front()?;
            let full = queue.get(LEAVING_TOGETHER_MAX - 1).map(|(due, _)| *due);
            let gathered = *first + GATHER;
            Some(full.map_or(gathered, |full| full.min(gathered)))
        });
        dues.min()
    }

    /// Returns a group of nodes that may go now.
    pub fn take(&mut self, now: T) -> Option<(Leave, Vec<NodeIx>)> {
        KINDS.into_iter().find_map(|leave| {
            let queue = &mut self.queues[leave as usize];
            let due = queue.iter().take(LEAVING_TOGETHER_MAX).take_while(|(due, _)| *due <= now).count();
            let is_gathered = queue.front().is_some_and(|(first, _)| *first + GATHER <= now);
            (due == LEAVING_TOGETHER_MAX || (due > 0 && is_gathered))
                .then(|| (leave, queue.drain(..due).map(|(_, node)| node).collect()))
        })
    }

    /// Returns all nodes that wait for something of a kind, whatever their time.
    pub fn take_all(&mut self, leave: Leave) -> Vec<NodeIx> {
        self.queues[leave as usize].drain(..).map(|(_, node)| node).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct At(u64);

    impl std::ops::Add<Duration> for At {
        type Output = Self;

        fn add(self, span: Duration) -> Self {
            Self(self.0 + span.as_secs())
        }
    }

    #[test]
    fn nodes_go_together_or_when_the_first_has_waited() {
        let mut leaving = Leaving::default();
        assert_eq!((leaving.due(), leaving.take(At(99))), (None, None));
        leaving.add(NodeIx(1), Leave::Pods, At(5));
        leaving.add(NodeIx(2), Leave::Pods, At(7));
        leaving.add(NodeIx(3), Leave::Pods, At(11));
        assert_eq!((leaving.due(), leaving.take(At(9))), (Some(At(10)), None));
        assert_eq!(leaving.take(At(10)), Some((Leave::Pods, vec![NodeIx(1), NodeIx(2)])));
        assert_eq!((leaving.take(At(15)), leaving.due()), (None, Some(At(16))));
        for node in 0..LEAVING_TOGETHER_MAX as u32 {
            leaving.add(NodeIx(100 + node), Leave::Logs, At(20));
        }
        assert_eq!(leaving.due(), Some(At(16)));
        let (leave, nodes) = leaving.take(At(20)).expect("there are enough");
        assert_eq!((leave, nodes.len()), (Leave::Logs, LEAVING_TOGETHER_MAX));
    }

    #[test]
    fn what_could_not_be_read_comes_again_later() {
        let mut leaving = Leaving::default();
        leaving.add(NodeIx(2), Leave::Jobs, At(50));
        leaving.again(&[NodeIx(1)], Leave::Jobs, At(10));
        assert_eq!(leaving.due(), Some(At(45)));
        assert_eq!(leaving.take(At(45)), Some((Leave::Jobs, vec![NodeIx(1)])));
        leaving.again(&[NodeIx(1)], Leave::Jobs, At(45));
        assert_eq!(leaving.take_all(Leave::Jobs), [NodeIx(2), NodeIx(1)]);
    }

    #[test]
    fn the_oldest_jobs_go_when_there_are_too_many_and_never_at_once() {
        let mut leaving = Leaving::default();
        for node in 0..FINISHED_JOBS_MAX as u32 {
            leaving.ended(NodeIx(node), At(0));
        }
        assert_eq!(leaving.due(), None);
        leaving.ended(NodeIx(u32::MAX), At(3));
        assert_eq!(leaving.due(), Some(At(3) + JOB_OUTLIVES + GATHER));
        assert_eq!(leaving.take_all(Leave::Jobs), [NodeIx(0)]);
    }
}
