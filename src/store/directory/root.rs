//! The folder of all runs: making, taking over, reading and removing them.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::disk::{Disk, DiskFile, RealDisk};
use super::super::frame::Chain;
use super::super::{Answer, Header, RequestId, Store, StoreError, Stored, Summary, record};
use super::held::{DirectoryLog, Held, write_summary};
use super::paths::{RunPaths, failed};
use super::read::{Part, Reader};
use super::{DirectoryTail, control};
use crate::base::{RunName, TimeSpan, Timestamp, suggest};
use crate::engine::Control;

/// What the name of a folder begins with while the run in it is being made.
pub(super) const NEW_PREFIX: &str = ".new-";

/// What the name of a folder begins with while the run in it is being removed.
pub(super) const GONE_PREFIX: &str = ".gone-";

/// The length of a lock file that is read for a message.
const HOLDER_BYTES_MAX: usize = 32;

/// How often one who waits tries the lock: that costs two system calls.
const LOOK_EVERY: TimeSpan = TimeSpan(250);

/// A folder of runs.
#[derive(Debug, Clone)]
pub struct DirectoryStore<D: Disk = RealDisk> {
    pub(super) disk: D,
    pub(super) root: PathBuf,
    /// How many requests were made through this store and its clones, so that no two have one name.
    asked: Arc<AtomicU32>,
}

impl DirectoryStore<RealDisk> {
    /// Returns the store in `root`, such as `~/.local/state/wf/runs`; it is made when first needed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::on(RealDisk, root)
    }
}

impl<D: Disk> DirectoryStore<D> {
    /// Returns the store in `root` of `disk`.
    pub fn on(disk: D, root: impl Into<PathBuf>) -> Self {
        Self { disk, root: root.into(), asked: Arc::default() }
    }

    /// Returns the folder of a run.
    pub fn folder(&self, run: &RunName) -> PathBuf {
        self.root.join(run.as_str())
    }

    pub(super) fn paths(&self, run: &RunName) -> Result<RunPaths, StoreError> {
        let paths = RunPaths::new(self.folder(run));
        let events = paths.events();
        match self.disk.exists(&events).map_err(failed("read", &events))? {
            true => Ok(paths),
            false => Err(self.not_found(run)),
        }
    }

    fn not_found(&self, run: &RunName) -> StoreError {
        let names = self.names().unwrap_or_default();
        let nearest = suggest::nearest(run.as_str(), names.iter().map(RunName::as_str)).map(str::to_owned);
        StoreError::NotFound { run: run.to_string(), nearest }
    }

    /// Reads a whole log, and holds it against the summary, which is written after it.
    fn read(&self, run: &RunName, paths: &RunPaths) -> Result<Part, StoreError> {
        let summarized = self.summary(paths).map_or(0, |stored| stored.records);
        let part = Reader { disk: &self.disk, run, paths }.read_from(Chain::default(), 0)?;
        let records = part.chain.seq();
        if records >= summarized {
            return Ok(part);
        }
        let (events, summary) = (paths.events(), paths.summary());
        Err(StoreError::Damaged {
            run: run.clone(),
            place: format!("the end of `{}`", events.display()),
            reason: format!(
                "{records} of {summarized} lines are left, the log was cut; to go on from what is left, remove `{}`",
                summary.display()
            ),
        })
    }

    fn lock(&self, run: &RunName, paths: &RunPaths) -> Result<D::Lock, StoreError> {
        let path = paths.lock();
        match self.disk.try_lock(&path) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(StoreError::DrivenBy { run: run.clone(), holder: self.holder(&path) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.not_found(run)),
            Err(error) => Err(failed("lock", &path)(error)),
        }
    }

    /// Returns who holds the lock, as far as its file says.
    fn holder(&self, lock: &Path) -> String {
        let bytes = self.disk.read(lock, 0, HOLDER_BYTES_MAX).unwrap_or_default();
        match String::from_utf8_lossy(&bytes).trim() {
            "" => "another process".to_owned(),
            process => format!("process {process}"),
        }
    }

    /// Makes the root and what is missing above it, each durable in its parent.
    pub(super) fn ensure_folder(&self, folder: &Path) -> Result<(), StoreError> {
        let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
        let exists = self.disk.exists(folder).map_err(failed("look for", folder))?;
        if !exists {
            self.ensure_folder(parent)?;
            match self.disk.create_dir(folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made.map_err(failed("create the folder", folder))?,
            }
        }
        // One that is there may be another process's, which died before it was durable; but none
        // of ours stands in a folder that we may not read.
        match self.disk.sync_dir(parent) {
            Err(error) if exists && error.kind() == ErrorKind::PermissionDenied => Ok(()),
            synced => synced.map_err(failed("sync the folder", parent)),
        }
    }

    fn sync_root(&self) -> Result<(), StoreError> {
        self.disk.sync_dir(&self.root).map_err(failed("sync the folder", &self.root))
    }

    /// Makes the folder of a run under a name that is not its own yet.
    fn draft(&self, header: &Header, json: &str) -> Result<Draft<D>, StoreError> {
        let name = format!("{NEW_PREFIX}{}-{}", header.name, self.disk.process());
        let paths = RunPaths::new(self.root.join(name));
        let folder = &paths.folder;
        if self.disk.exists(folder).map_err(failed("look for", folder))? {
            // An earlier process of our number died while it made this run.
            self.disk.remove_dir_all(folder).map_err(failed("remove", folder))?;
        }
        self.disk.create_dir(folder).map_err(failed("create the folder", folder))?;
        let lock = self.lock(&header.name, &paths)?;
        let (control, events) = (paths.control(), paths.events());
        self.disk.create_dir(&control).map_err(failed("create the folder", &control))?;
        let mut chain = Chain::default();
        let line = chain.frame(json);
        let mut file = self.disk.open_append(&events).map_err(failed("create", &events))?;
        file.append(&line).map_err(failed("write", &events))?;
        file.sync_data().map_err(failed("sync", &events))?;
        write_summary(&self.disk, &paths, chain, &record::pending_summary(header))?;
        self.disk.sync_dir(folder).map_err(failed("sync the folder", folder))?;
        Ok(Draft { paths, lock, file, chain })
    }

    /// Gives a drafted run its name, durably. Its open files stay what they are.
    fn publish(&self, draft: Draft<D>, header: &Header) -> Result<DirectoryLog<D>, StoreError> {
        let run = &header.name;
        let paths = RunPaths::new(self.folder(run));
        if let Err(error) = self.disk.rename(&draft.paths.folder, &paths.folder) {
            // Nobody sees the draft; what cannot be removed now is swept by the next `delete`.
            let _ = self.disk.remove_dir_all(&draft.paths.folder);
            return Err(match error.kind() {
                ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => StoreError::Exists { run: run.clone() },
                _ => failed("create", &paths.folder)(error),
            });
        }
        self.sync_root()?;
        let Draft { lock, file, chain, .. } = draft;
        let (run, uid, taken) = (run.clone(), header.uid.clone(), BTreeSet::new());
        Ok(DirectoryLog::new(self.disk.clone(), Held { run, uid, paths, file, lock, chain, taken }))
    }
}

/// A run that is made and not named.
struct Draft<D: Disk> {
    paths: RunPaths,
    lock: D::Lock,
    file: D::File,
    chain: Chain,
}

impl<D: Disk + 'static> Store for DirectoryStore<D> {
    type Log = DirectoryLog<D>;
    type Tail = DirectoryTail<D>;

    async fn create(&self, header: &Header) -> Result<DirectoryLog<D>, StoreError> {
        let json = record::write_header(header)?;
        self.ensure_folder(&self.root)?;
        let folder = self.folder(&header.name);
        if self.disk.exists(&folder).map_err(failed("look for", &folder))? {
            return Err(StoreError::Exists { run: header.name.clone() });
        }
        let draft = self.draft(header, &json)?;
        self.publish(draft, header)
    }

    async fn acquire(&self, run: &RunName) -> Result<(DirectoryLog<D>, Stored), StoreError> {
        let paths = self.paths(run)?;
        let lock = self.lock(run, &paths)?;
        let part = self.read(run, &paths)?;
        let events = paths.events();
        if part.torn.is_some() && part.header.is_some() {
            self.disk.truncate(&events, part.offset).map_err(failed("cut", &events))?;
        }
        // Whoever created the run, or wrote last, may have died before it was durable.
        let mut file = self.disk.open_append(&events).map_err(failed("open", &events))?;
        file.sync_data().map_err(failed("sync", &events))?;
        self.sync_root()?;
        let taken = part.records.iter().flat_map(|record| record.taken.iter().cloned()).collect();
        let chain = part.chain;
        let stored = stored(run, &paths, part)?;
        let held = Held { run: run.clone(), uid: stored.header.uid.clone(), paths, file, lock, chain, taken };
        Ok((DirectoryLog::new(self.disk.clone(), held), stored))
    }

    async fn load(&self, run: &RunName) -> Result<Stored, StoreError> {
        let paths = self.paths(run)?;
        let part = self.read(run, &paths)?;
        stored(run, &paths, part)
    }

    async fn follow(&self, run: &RunName) -> Result<(Stored, DirectoryTail<D>), StoreError> {
        let paths = self.paths(run)?;
        let part = self.read(run, &paths)?;
        let tail = DirectoryTail::new(self.disk.clone(), run.clone(), paths.clone(), &part);
        Ok((stored(run, &paths, part)?, tail))
    }

    async fn is_held(&self, run: &RunName) -> Result<bool, StoreError> {
        match self.lock(run, &self.paths(run)?) {
            Ok(_lock) => Ok(false),
            Err(StoreError::DrivenBy { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn look_every(&self) -> TimeSpan {
        LOOK_EVERY
    }

    async fn list(&self) -> Result<Vec<Summary>, StoreError> {
        self.summaries()
    }

    async fn delete(&self, run: &RunName) -> Result<(), StoreError> {
        let paths = self.paths(run)?;
        let lock = self.lock(run, &paths)?;
        let gone = self.root.join(format!("{GONE_PREFIX}{run}-{}", self.disk.process()));
        self.disk.rename(&paths.folder, &gone).map_err(failed("remove", &paths.folder))?;
        self.sync_root()?;
        drop(lock);
        self.disk.remove_dir_all(&gone).map_err(failed("remove", &gone))?;
        self.sweep();
        Ok(())
    }

    async fn ask(&self, run: &RunName, control: &Control, at: Timestamp) -> Result<RequestId, StoreError> {
        let serial = self.asked.fetch_add(1, Ordering::Relaxed);
        control::ask(&self.disk, &self.paths(run)?, control, at, serial)
    }

    async fn answer(&self, run: &RunName, id: &RequestId) -> Result<Answer, StoreError> {
        control::answer(&self.disk, &self.paths(run)?, id).await
    }
}

/// Turns a log's first line and records into what a caller gets.
fn stored(run: &RunName, paths: &RunPaths, part: Part) -> Result<Stored, StoreError> {
    let Part { header: Some(header), records, torn, .. } = part else {
        return Err(StoreError::Damaged {
            run: run.clone(),
            place: format!("line 1 of `{}`", paths.events().display()),
            reason: "it is missing or cut, and was durable when the run was created".to_owned(),
        });
    };
    Ok(Stored { header, records, torn })
}
