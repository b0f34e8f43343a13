//! The ConfigMaps and Secrets that were given with a run.

use std::collections::BTreeMap;

/// The keys of one object with their contents, which need not be text.
pub type Data = BTreeMap<String, Vec<u8>>;

/// The ConfigMaps and Secrets that pods here may refer to, by name.
///
/// Secrets stay in memory: they are handed to the supervisor over its socket, and from there to
/// the process, or to a file system in memory that only its pod sees (where the kernel allows one).
#[derive(Clone, Default)]
pub struct LocalFiles {
    /// The ConfigMaps.
    pub config_maps: BTreeMap<String, Data>,
    /// The Secrets, decoded.
    pub secrets: BTreeMap<String, Data>,
}

impl std::fmt::Debug for LocalFiles {
    /// Writes names only: contents are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalFiles")
            .field("config_maps", &self.config_maps.keys())
            .field("secrets", &self.secrets.keys())
            .finish()
    }
}
