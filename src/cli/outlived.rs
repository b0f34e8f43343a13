//! Runs of this machine that have outlived their `ttlStrategy`: the next command that looks at runs removes
//! them. In a cluster the cluster does.

use crate::base::Timestamp;
use crate::store::{Store, Summary};

/// Removes the runs whose time is over, and returns the others. One that cannot be removed, since a
/// process holds it, stays until the next time.
pub async fn sweep(store: &impl Store, all: Vec<Summary>, now: Timestamp) -> Vec<Summary> {
    let mut left = Vec::with_capacity(all.len());
    for summary in all {
        let is_over = summary.expires_at.is_some_and(|at| at <= now);
        if !is_over || store.delete(&summary.name).await.is_err() {
            left.push(summary);
        }
    }
    left
}
