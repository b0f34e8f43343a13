//! Requests that other processes leave in the folder of a run, and their answers.
//!
//! A request gets its name when it is whole, and the answer takes its place in `done/` before the
//! request is removed: a driver that dies in between answers again, but the log says what it took.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::super::disk::{Disk, Watch};
use super::super::{Answer, Request, RequestId, StoreError};
use super::paths::{RunPaths, draft_of, failed};
use crate::base::Timestamp;
use crate::engine::Control;

/// The length of a request: the arguments of a command line, with room to spare.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// How many requests are taken at once; the others come next.
const REQUESTS_MAX: usize = 256;

/// How many requests of one process in one millisecond can be told apart.
const SAME_MILLISECOND_MAX: u32 = 10_000;

/// The requests for one run, on the side of its driver.
pub(super) struct Inbox<D: Disk> {
    disk: D,
    paths: RunPaths,
    watch: Option<D::Watch>,
    /// Whether the folder may hold something that was not returned yet.
    may_have_news: bool,
    taken: BTreeSet<RequestId>,
    /// What was returned already, and may not be answered yet.
    given: BTreeSet<RequestId>,
}

impl<D: Disk> Inbox<D> {
    pub(super) fn new(disk: D, paths: RunPaths, taken: BTreeSet<RequestId>) -> Self {
        Self { disk, paths, watch: None, may_have_news: true, taken, given: BTreeSet::new() }
    }

    /// Waits for requests that were neither taken nor returned before.
    pub(super) async fn requests(&mut self) -> Result<Vec<Request>, StoreError> {
        loop {
            // The watch begins before the folder is read, so that nothing falls in between.
            let folder = self.paths.control();
            let watch = self.watch.get_or_insert_with(|| self.disk.watch(&folder));
            if !self.may_have_news {
                watch.changed().await;
            }
            let requests = self.scan()?;
            self.may_have_news = requests.len() == REQUESTS_MAX;
            if !requests.is_empty() {
                return Ok(requests);
            }
        }
    }

    /// Remembers that the log holds what these requests asked for.
    pub(super) fn take(&mut self, taken: &[RequestId]) {
        self.taken.extend(taken.iter().cloned());
    }

    /// Answers a request and removes it.
    pub(super) fn respond(&mut self, id: &RequestId, answer: &Answer) -> Result<(), StoreError> {
        let done = self.paths.done();
        match self.disk.create_dir(&done) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made.map_err(failed("create the folder", &done))?,
        }
        write_whole(&self.disk, &self.paths.answer(id), &to_json(answer))?;
        let request = self.paths.request(id);
        match self.disk.remove_file(&request) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(failed("remove", &request)),
        }
    }

    /// Returns the new requests in the folder. Those that the log has taken are answered on the way;
    /// those that nobody can read are refused.
    fn scan(&mut self) -> Result<Vec<Request>, StoreError> {
        let mut requests = Vec::new();
        for id in request_ids(&self.disk, &self.paths)? {
            if requests.len() == REQUESTS_MAX {
                break;
            }
            let answer = match self.read(&id)? {
                _ if self.taken.contains(&id) => Answer::Accepted,
                _ if self.given.contains(&id) => continue,
                Ok(control) => {
                    self.given.insert(id.clone());
                    requests.push(Request { id, control });
                    continue;
                }
                Err(reason) => Answer::Refused { reason },
            };
            // What cannot be answered now, on a full disk, is found again when the watch wakes.
            let _ = self.respond(&id, &answer);
        }
        Ok(requests)
    }

    fn read(&self, id: &RequestId) -> Result<Result<Control, String>, StoreError> {
        let path = self.paths.request(id);
        let bytes = self.disk.read(&path, 0, REQUEST_BYTES_MAX).map_err(failed("read", &path))?;
        Ok(serde_json::from_slice(&bytes).map_err(|error| format!("the request cannot be read: {error}")))
    }
}

/// Leaves a request in the folder of a run.
pub(super) fn ask<D: Disk>(
    disk: &D,
    paths: &RunPaths,
    control: &Control,
    at: Timestamp,
) -> Result<RequestId, StoreError> {
    let folder = paths.control();
    match disk.create_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.map_err(failed("create the folder", &folder))?,
    }
    let id = free_id(disk, paths, at)?;
    write_whole(disk, &paths.request(&id), &to_json(control))?;
    Ok(id)
}

/// Waits for the answer to a request, and takes it away.
pub(super) async fn answer<D: Disk>(disk: &D, paths: &RunPaths, id: &RequestId) -> Result<Answer, StoreError> {
    let path = paths.answer(id);
    let mut watch = disk.watch(&paths.control());
    loop {
        match disk.read(&path, 0, REQUEST_BYTES_MAX) {
            Ok(bytes) => {
                // Whether it can be removed changes nothing for the asker.
                let _ = disk.remove_file(&path);
                let unreadable = |error: serde_json::Error| failed("read", &path)(error.into());
                return serde_json::from_slice(&bytes).map_err(unreadable);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => watch.changed().await,
            Err(error) => return Err(failed("read", &path)(error)),
        }
    }
}

/// Returns the ids of the requests in the folder, oldest first.
fn request_ids<D: Disk>(disk: &D, paths: &RunPaths) -> Result<Vec<RequestId>, StoreError> {
    let folder = paths.control();
    let names = match disk.list(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names.map_err(failed("list", &folder))?,
    };
    let ids = names.iter().filter(|name| !name.starts_with('.')).filter_map(|name| name.strip_suffix(".json"));
    Ok(ids.map(|id| RequestId(id.to_owned())).collect())
}

/// Returns an id that sorts by time, and that no other request has.
fn free_id<D: Disk>(disk: &D, paths: &RunPaths, at: Timestamp) -> Result<RequestId, StoreError> {
    for serial in 0..SAME_MILLISECOND_MAX {
        let id = RequestId(format!("{:015}-{serial:04}-{}", at.0.max(0), disk.process()));
        let (request, answer) = (paths.request(&id), paths.answer(&id));
        let is_used = disk.exists(&request).and_then(|used| Ok(used || disk.exists(&answer)?));
        if !is_used.map_err(failed("look for", &request))? {
            return Ok(id);
        }
    }
    let source = std::io::Error::from(ErrorKind::AlreadyExists);
    Err(failed("leave another request in", &paths.control())(source))
}

/// Writes a file that has its name only when it is whole.
fn write_whole<D: Disk>(disk: &D, path: &std::path::Path, bytes: &[u8]) -> Result<(), StoreError> {
    let draft = draft_of(path);
    disk.write(&draft, bytes).map_err(failed("write", &draft))?;
    disk.rename(&draft, path).map_err(failed("write", path))
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("requests and answers are plain strings and numbers")
}
