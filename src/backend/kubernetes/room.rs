//! What waits for room: Jobs that are not posted yet, and Jobs that were posted and get no pod. Pure.
//!
//! A quota, or a permission that was taken away, refuses Jobs or their pods. What is asked for then waits
//! here, rather than being refused in its turn: a Job whose pod was refused is tried again by the Job
//! controller only after a wait of up to a minute, which grows with every vain try.
//!
//! One is tried for each pod of the run that ends, since that makes room. Beyond that they are tried one
//! at a time, the next as soon as the last has its pod, and ever more rarely while none gets one. All take
//! their turns, so that one that nobody lets in stands in nobody's way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::NodeIx;
use crate::engine::PodRequest;

/// The least and the most time between two tries that no pod's end suggests.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// How long after a pod's end the next is tried: a quota counts pods a little later than they end.
const COUNTING: Duration = Duration::from_millis(300);

/// What waits, by node.
#[derive(Debug, Default)]
pub(super) struct Room {
    waiting: BTreeMap<NodeIx, Wait>,
    /// Nodes that were tried to be posted, without word that they are: they may be there.
    attempted: BTreeSet<NodeIx>,
    /// The last that was tried.
    last: Option<NodeIx>,
    /// Pods that ended, and for which none was tried yet.
    vacant: usize,
    due: Option<Instant>,
    pause: Duration,
}

/// What a node waits for.
#[derive(Debug)]
enum Wait {
    /// To be posted.
    Post(Box<PodRequest>),
    /// To get its pod.
    Pod,
}

/// What is to be tried.
#[derive(Debug)]
pub(super) enum Try {
    /// To post a node's Job.
    Post(Box<PodRequest>),
    /// To have the Job controller look at a node's Job again.
    Nudge(NodeIx),
}

impl Room {
    /// Returns whether something waits, so that what comes now is to wait too.
    pub(super) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns whether the node waits to be posted.
    pub(super) fn holds(&self, node: NodeIx) -> bool {
        matches!(self.waiting.get(&node), Some(Wait::Post(_)))
    }

    /// Lets a node wait to be posted.
    pub(super) fn park(&mut self, request: &PodRequest, now: Instant) {
        self.wait(request.node, Wait::Post(Box::new(request.clone())), now);
    }

    /// Notes that a node's Job was posted, and may not have its pod.
    pub(super) fn refused(&mut self, node: NodeIx, now: Instant) {
        self.wait(node, Wait::Pod, now);
    }

    fn wait(&mut self, node: NodeIx, wait: Wait, now: Instant) {
        if self.waiting.is_empty() {
            (self.pause, self.vacant) = (PAUSE_MIN, 0);
            self.due = Some(now + PAUSE_MIN);
        }
        self.waiting.insert(node, wait);
    }

    /// Notes that a node's Job is about to be posted: a lost answer leaves open whether it was.
    pub(super) fn attempt(&mut self, node: NodeIx) {
        self.attempted.insert(node);
    }

    /// Notes that a node's Job was posted: there was room for it at least.
    pub(super) fn posted(&mut self, node: NodeIx) {
        self.attempted.remove(&node);
        if self.holds(node) {
            self.waiting.remove(&node);
            self.pause = PAUSE_MIN;
        }
    }

    /// Notes that a node has its pod: there may be room for another.
    pub(super) fn has_pod(&mut self, node: NodeIx, now: Instant) {
        let was_tried = self.last == Some(node);
        if self.waiting.remove(&node).is_some() || was_tried {
            self.last = self.last.filter(|_| !was_tried);
            self.pause = PAUSE_MIN;
            self.hurry(now);
        }
    }

    /// Forgets a node, which has ended or is to. Returns, of one that waited to be posted, whether that was
    /// tried, so that it may be there in spite of all.
    pub(super) fn forget(&mut self, node: NodeIx) -> Option<bool> {
        match self.waiting.remove(&node)? {
            Wait::Post(_) => Some(self.attempted.remove(&node)),
            Wait::Pod => None,
        }
    }

    /// Notes that a pod of the run has ended.
    pub(super) fn freed(&mut self, now: Instant) {
        if self.is_full() {
            self.vacant += 1;
            self.hurry(now + COUNTING);
        }
    }

    fn hurry(&mut self, at: Instant) {
        self.due = self.due.map(|due| due.min(at));
    }

    /// Returns when the next is to be tried.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.is_full())
    }

    /// Returns what is to be tried now, if something is. It goes on waiting until it is known to have
    /// come through; whoever comes after it in the order of nodes is next.
    pub(super) fn next(&mut self, now: Instant) -> Option<Try> {
        self.due().filter(|due| *due <= now)?;
        let after = self.last.map_or(0, |last| last.0.saturating_add(1));
        let node = *self.waiting.range(NodeIx(after)..).chain(&self.waiting).next()?.0;
        let next = match self.waiting.get(&node)? {
            Wait::Post(request) => Try::Post(request.clone()),
            Wait::Pod => Try::Nudge(node),
        };
        self.last = Some(node);
        self.tried(now);
        Some(next)
    }

    fn tried(&mut self, now: Instant) {
        self.vacant = self.vacant.saturating_sub(1);
        if self.vacant > 0 {
            self.due = Some(now);
        } else {
            self.due = Some(now + self.pause);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn request(node: u32) -> PodRequest {
        PodRequest {
            node: NodeIx(node),
            node_name: "x".into(),
            pod_name: "x".to_owned(),
            template: Arc::default(),
            workflow: Arc::default(),
            inputs: Arc::default(),
            is_running: false,
            capture_result: false,
            deadline_after: None,
            deadline: None,
            avoided_hosts: Vec::new(),
        }
    }

    /// Tells what happens, one a line with its time in milliseconds, and compares what is tried by then:
    /// `1000 refused 3: nudge 3`.
    fn check(script: &str) {
        let begin = Instant::now();
        let mut room = Room::default();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (news, expected) = line.split_once(':').expect("news: tries");
            let words: Vec<&str> = news.split_whitespace().collect();
            let now = begin + Duration::from_millis(words[0].parse().expect("a time"));
            let node = words.get(2).map_or(NodeIx(0), |node| NodeIx(node.parse().expect("a node")));
            match words[1] {
                "park" => room.park(&request(node.0), now),
                "refused" => room.refused(node, now),
                "posted" => room.posted(node),
                "pod" => room.has_pod(node, now),
                "forget" => drop(room.forget(node)),
                "freed" => room.freed(now),
                "later" => {}
                other => panic!("no news: {other}"),
            }
            let tries = std::iter::from_fn(|| room.next(now)).map(|next| match next {
                Try::Post(request) => format!("post {}", request.node),
                Try::Nudge(node) => format!("nudge {node}"),
            });
            assert_eq!(tries.collect::<Vec<_>>().join(", "), expected.trim(), "{line} in {script}");
        }
    }

    #[test]
    fn one_is_tried_for_each_pod_that_ends() {
        check(
            "0 refused 3:
             10 park 4:
             20 park 5:
             100 freed:
             110 freed:
             399 later:
             400 later: nudge 3, post 4
             410 posted 4:
             420 freed:
             720 later: post 5",
        );
    }

    #[test]
    fn what_no_end_suggests_is_tried_ever_more_rarely() {
        check(
            "0 refused 3:
             999 later:
             1000 later: nudge 3
             1010 refused 3:
             2000 later: nudge 3
             3999 later:
             4000 later: nudge 3
             8000 later: nudge 3
             16000 later: nudge 3
             32000 later: nudge 3
             47999 later:
             48000 later: nudge 3",
        );
    }

    #[test]
    fn while_there_is_room_the_next_is_tried_at_once() {
        check(
            "0 refused 3:
             0 park 4:
             0 park 5:
             1000 later: nudge 3
             1100 pod 3: post 4
             1110 posted 4:
             1120 pod 4: post 5
             1125 posted 5:
             1130 pod 5:",
        );
    }

    #[test]
    fn all_take_their_turns() {
        check(
            "0 refused 3:
             0 park 4:
             0 park 5:
             1000 later: nudge 3
             2000 later: post 4
             4000 later: post 5
             8000 later: nudge 3
             8100 forget 4:
             16000 later: post 5",
        );
    }

    #[test]
    fn nothing_is_held_back_unless_something_waits() {
        let now = Instant::now();
        let mut room = Room::default();
        room.freed(now);
        room.has_pod(NodeIx(1), now);
        assert!(!room.is_full() && room.due().is_none() && room.next(now).is_none());
        room.park(&request(2), now);
        assert!(room.is_full() && room.holds(NodeIx(2)));
        assert!(room.forget(NodeIx(2)) == Some(false) && !room.is_full());
    }

    #[test]
    fn what_was_tried_may_be_there_until_it_is_known_to_be() {
        let now = Instant::now();
        let mut room = Room::default();
        room.attempt(NodeIx(2));
        room.park(&request(2), now);
        assert_eq!(room.forget(NodeIx(2)), Some(true), "the answer was lost, and then there was no room");
        room.attempt(NodeIx(3));
        room.posted(NodeIx(3));
        room.park(&request(3), now);
        assert_eq!(room.forget(NodeIx(3)), Some(false));
    }
}
