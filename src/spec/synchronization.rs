//! Locks across nodes and runs, and the cache of results.

use super::ConfigMapKeySelector;

object! {
    /// The locks that a workflow or a node holds while it runs.
    pub struct Synchronization {
        /// Locks that several may hold.
        pub semaphores: Vec<SemaphoreRef>,
        /// Locks that one may hold.
        pub mutexes: Vec<Mutex>,
        /// One semaphore, as Argo 3 wrote it.
        #[schemars(extend("deprecated" = true, "x-instead" = "semaphores"))]
        pub semaphore: Option<SemaphoreRef>,
        /// One mutex, as Argo 3 wrote it.
        #[schemars(extend("deprecated" = true, "x-instead" = "mutexes"))]
        pub mutex: Option<Mutex>,
    }

    /// A semaphore.
    pub struct SemaphoreRef {
        /// The key that holds how many may hold it.
        pub config_map_key_ref: Option<ConfigMapKeySelector>,
        /// The namespace of the ConfigMap; the workflow's own when absent.
        pub namespace: Option<String>,
        /// A row of Argo's database instead of a ConfigMap.
        pub database: Option<SyncDatabaseRef>,
    }

    /// A semaphore in Argo's database.
    pub struct SyncDatabaseRef {
        /// Its key.
        pub key: String,
    }

    /// A mutex.
    pub struct Mutex {
        /// Its name.
        pub name: Option<String>,
        /// The namespace that the name belongs to; the workflow's own when absent.
        pub namespace: Option<String>,
        /// Whether Argo's database holds it.
        pub database: Option<bool>,
    }

    /// Takes outputs from a cache instead of running, when it has them.
    pub struct Memoize {
        /// What tells one result from another.
        pub key: String,
        /// The cache.
        pub cache: Option<Cache>,
        /// How old a result may be, as Go writes durations.
        pub max_age: String,
    }

    /// A cache of results.
    pub struct Cache {
        /// The ConfigMap that is the cache.
        pub config_map: Option<LocalObjectReference>,
    }

    /// An object of the same namespace.
    pub struct LocalObjectReference {
        /// Its name.
        pub name: Option<String>,
    }
}
