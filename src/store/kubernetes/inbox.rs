//! Requests and answers as annotations of the head Job.
//!
//! **Invariant:** pure. A request stays until it is answered; one that the log has taken is
//! answered again, and never obeyed again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::backend::kubernetes::names;
use crate::base::Timestamp;
use crate::engine::Control;
use crate::store::{Answer, Request, RequestId};

/// The length of a request: annotations hold 256 KiB in all.
pub(super) const REQUEST_BYTES_MAX: usize = 64 << 10;

/// How many requests are taken at once; the others come next.
const REQUESTS_MAX: usize = 256;

/// The requests for one run, on the side of its driver.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: BTreeMap<RequestId, String>,
    taken: BTreeSet<RequestId>,
    /// What was returned already, and may not be answered yet.
    given: BTreeSet<RequestId>,
}

/// What an inbox has to hand out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sorted {
    /// What nobody obeyed yet.
    pub(super) fresh: Vec<Request>,
    /// What can be answered at once.
    pub(super) answered: Vec<(RequestId, Answer)>,
}

impl Inbox {
    /// Returns the inbox of a log that has taken these requests.
    pub(super) fn new(taken: BTreeSet<RequestId>) -> Self {
        Self { taken, ..Self::default() }
    }

    /// Takes in the annotations of the head Job as they are now.
    pub(super) fn see(&mut self, requests: BTreeMap<RequestId, String>) {
        self.given.retain(|id| requests.contains_key(id));
        self.waiting = requests;
    }

    /// Remembers that the log holds what these requests asked for.
    pub(super) fn take(&mut self, taken: &[RequestId]) {
        self.taken.extend(taken.iter().cloned());
    }

    /// Returns what was not handed out before. What cannot be read is refused.
    pub(super) fn sort(&mut self) -> Sorted {
        let mut sorted = Sorted::default();
        let waiting = std::mem::take(&mut self.waiting);
        for (id, text) in waiting {
            if self.given.contains(&id) {
                continue;
            }
            if sorted.fresh.len() == REQUESTS_MAX {
                self.waiting.insert(id, text);
                continue;
            }
            self.given.insert(id.clone());
            match serde_json::from_str::<Control>(&text) {
                _ if self.taken.contains(&id) => sorted.answered.push((id, Answer::Accepted)),
                Ok(control) => sorted.fresh.push(Request { id, control }),
                Err(error) => {
                    let reason = format!("the request cannot be read: {error}");
                    sorted.answered.push((id, Answer::Refused { reason }));
                }
            }
        }
        sorted
    }
}

/// Returns the requests that annotations hold.
pub(super) fn requests(annotations: Option<&BTreeMap<String, String>>) -> BTreeMap<RequestId, String> {
    let all = annotations.into_iter().flatten();
    all.filter_map(|(key, text)| Some((RequestId(key.strip_prefix(names::REQUEST)?.to_owned()), text.clone())))
        .collect()
}

/// Returns the answer to a request, if annotations hold it.
pub(super) fn answer(annotations: Option<&BTreeMap<String, String>>, id: &RequestId) -> Option<Answer> {
    let text = annotations?.get(&format!("{}{id}", names::ANSWER))?;
    serde_json::from_str(text).ok()
}

/// Returns an id that sorts by time, and that no other request ever has: a process is one of its
/// `mark`, and counts what it asks for.
pub(super) fn fresh_id(mark: &str, at: Timestamp, serial: u32) -> RequestId {
    RequestId(format!("{:015}-{serial:06}-{mark}", at.0.max(0)))
}

/// Returns the annotations that ask.
pub(super) fn asking(id: &RequestId, control: &Control) -> Map<String, Value> {
    Map::from_iter([(format!("{}{id}", names::REQUEST), to_text(control))])
}

/// Returns the annotations that answer.
pub(super) fn answering(id: &RequestId, answer: &Answer) -> Map<String, Value> {
    let request = (format!("{}{id}", names::REQUEST), Value::Null);
    Map::from_iter([request, (format!("{}{id}", names::ANSWER), to_text(answer))])
}

/// Returns the annotations that take an answer away.
pub(super) fn taking(id: &RequestId) -> Map<String, Value> {
    Map::from_iter([(format!("{}{id}", names::ANSWER), Value::Null)])
}

fn to_text(value: &impl serde::Serialize) -> Value {
    serde_json::to_string(value).expect("requests and answers are plain strings and numbers").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RequestId {
        RequestId(text.to_owned())
    }

    /// The annotations after patches like those of an API server.
    fn patched(patches: &[Map<String, Value>]) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        for (key, value) in patches.iter().flatten() {
            match value.as_str() {
                Some(text) => annotations.insert(key.clone(), text.to_owned()),
                None => annotations.remove(key),
            };
        }
        annotations
    }

    #[test]
    fn a_request_is_handed_out_once_and_answered() {
        let asked = asking(&id("1-a"), &Control::Suspend);
        let mut inbox = Inbox::default();
        inbox.see(requests(Some(&patched(std::slice::from_ref(&asked)))));
        let expected = vec![Request { id: id("1-a"), control: Control::Suspend }];
        assert_eq!(inbox.sort(), Sorted { fresh: expected, answered: Vec::new() });
        inbox.see(requests(Some(&patched(std::slice::from_ref(&asked)))));
        assert_eq!(inbox.sort(), Sorted::default());
        let after = patched(&[asked, answering(&id("1-a"), &Answer::Accepted)]);
        assert!(requests(Some(&after)).is_empty());
        assert_eq!(answer(Some(&after), &id("1-a")), Some(Answer::Accepted));
        assert_eq!(answer(Some(&after), &id("1-b")), None);
    }

    #[test]
    fn what_was_taken_or_is_unreadable_is_answered_at_once() {
        let mut inbox = Inbox::new([id("1-a")].into());
        let text = |control: &Control| serde_json::to_string(control).expect("JSON");
        inbox.see([(id("1-a"), text(&Control::Suspend)), (id("2-a"), "{".to_owned())].into());
        let sorted = inbox.sort();
        assert!(sorted.fresh.is_empty());
        assert_eq!(sorted.answered[0], (id("1-a"), Answer::Accepted));
        assert!(matches!(&sorted.answered[1].1, Answer::Refused { reason } if reason.contains("cannot be read")));
    }

    #[test]
    fn ids_fit_annotations_and_sort_by_time() {
        let ids = [fresh_id("0123456789", Timestamp(5), 0), fresh_id("0123456789", Timestamp(40), 0)];
        assert!(ids[0] < ids[1]);
        let name = format!("{}{}", names::REQUEST, ids[0]);
        assert!(name.split('/').next_back().is_some_and(|name| name.len() <= 63), "{name}");
    }
}
