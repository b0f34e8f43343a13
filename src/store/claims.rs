//! The record of a lock that runs share: who wants how many of its places, and who has them.
//!
//! Pure: a store reads the record, lets a claim change it, and writes it back in one step, so that the
//! same rule holds in a folder and in a cluster. **Invariant:** a place that was granted is given back
//! only by its run, or when that run is over.

use serde::{Deserialize, Serialize};

use crate::base::{RunName, RunUid, Timestamp};
use crate::engine::Event;

/// What a run asks of a lock; it replaces what the run asked of it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The lock, such as `default/Mutex/name`.
    pub lock: String,
    /// How many places it has.
    pub limit: u32,
    /// How many of them the run wants, those that it has included. None gives all back.
    pub wanted: u32,
    /// Which run comes first: the higher.
    pub priority: i32,
    /// Then, the earlier.
    pub since: Timestamp,
    /// Whether places stay the run's while nobody drives it.
    pub outlives_driver: bool,
}

/// A run in the record of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claimant {
    /// Its name.
    pub run: RunName,
    /// What tells it apart from another run of that name.
    pub uid: RunUid,
    /// How many places it wants.
    pub wanted: u32,
    /// How many it has.
    pub granted: u32,
    /// Its priority.
    #[serde(default)]
    pub priority: i32,
    /// When it was submitted.
    pub since: Timestamp,
    /// Whether places stay its own while nobody drives it.
    #[serde(default)]
    pub outlives_driver: bool,
}

/// The record of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The lock; the record's own name may be a digest of it.
    pub lock: String,
    /// The runs that want places, in the order in which they came.
    pub claimants: Vec<Claimant>,
}

impl Claims {
    /// Returns the record of a lock that nobody wants.
    pub fn new(lock: &str) -> Self {
        Self { lock: lock.to_owned(), claimants: Vec::new() }
    }

    /// Puts a run's claim in the place of its earlier one, and grants what is free. Returns how many
    /// places the run has.
    pub fn claim(&mut self, run: &RunName, uid: &RunUid, claim: &Claim) -> u32 {
        let known = self.claimants.iter_mut().find(|claimant| claimant.uid == *uid);
        match known {
            Some(claimant) => {
                claimant.wanted = claim.wanted;
                claimant.granted = claimant.granted.min(claim.wanted);
            }
            None => self.claimants.push(Claimant {
                run: run.clone(),
                uid: uid.clone(),
                wanted: claim.wanted,
                granted: 0,
                priority: claim.priority,
                since: claim.since,
                outlives_driver: claim.outlives_driver,
            }),
        }
        self.claimants.retain(|claimant| claimant.wanted > 0);
        self.grant(claim.limit);
        self.granted(uid)
    }

    /// Returns how many places a run has.
    pub fn granted(&self, uid: &RunUid) -> u32 {
        self.claimants.iter().find(|claimant| claimant.uid == *uid).map_or(0, |claimant| claimant.granted)
    }

    /// Returns the other runs that have places.
    pub fn holders<'c>(&'c self, but: &'c RunUid) -> impl Iterator<Item = &'c Claimant> {
        self.claimants.iter().filter(move |claimant| claimant.granted > 0 && claimant.uid != *but)
    }

    /// Forgets a run that is over.
    pub fn forget(&mut self, uid: &RunUid) {
        self.claimants.retain(|claimant| claimant.uid != *uid);
    }

    /// Gives free places to those who want them: by priority, then by age, then by name. Nobody is passed over
    /// by one who comes after, so that a claim to many places is met in the end.
    fn grant(&mut self, limit: u32) {
        let granted = self.claimants.iter().fold(0_u32, |sum, claimant| sum.saturating_add(claimant.granted));
        let mut free = limit.saturating_sub(granted);
        let mut order: Vec<&mut Claimant> = self.claimants.iter_mut().collect();
        order.sort_by(|a, b| {
            b.priority.cmp(&a.priority).then(a.since.cmp(&b.since)).then_with(|| a.run.as_str().cmp(b.run.as_str()))
        });
        for claimant in order {
            let more = (claimant.wanted - claimant.granted).min(free);
            claimant.granted += more;
            free -= more;
        }
    }
}

/// Returns whether the last that happened to a run was its end.
pub(super) fn has_ended(records: &[super::Record]) -> bool {
    let events = records.iter().rev().flat_map(|record| record.batches.iter().rev());
    let last = events.flat_map(|batch| batch.events.iter().rev()).next();
    matches!(last, Some(Event::Ended { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays claims, written as `run wants of limit`, and returns after each who has what.
    fn played(claims: &[(&str, u32, u32, i32)]) -> Vec<String> {
        let mut record = Claims::new("lock");
        let mut seen = Vec::new();
        for (at, &(name, wanted, limit, priority)) in claims.iter().enumerate() {
            let run = RunName::new(name).expect("a good name");
            let claim = Claim {
                lock: "lock".to_owned(),
                limit,
                wanted,
                priority,
                since: Timestamp(at as i64),
                outlives_driver: true,
            };
            record.claim(&run, &RunUid(format!("{name}-uid").into()), &claim);
            let has = record.claimants.iter().map(|claimant| format!("{}:{}", claimant.run, claimant.granted));
            seen.push(has.collect::<Vec<_>>().join(" "));
        }
        seen
    }

    #[test]
    fn places_go_by_priority_then_age_and_are_never_taken_away() {
        let mutex = played(&[("a", 1, 1, 0), ("b", 1, 1, 0), ("c", 1, 1, 5), ("a", 0, 1, 0), ("c", 0, 1, 5)]);
        assert_eq!(mutex, ["a:1", "a:1 b:0", "a:1 b:0 c:0", "b:0 c:1", "b:1"]);
        let semaphore = played(&[("a", 3, 4, 0), ("b", 3, 4, 0), ("a", 1, 4, 0), ("b", 3, 2, 0), ("a", 0, 2, 0)]);
        assert_eq!(semaphore, ["a:3", "a:3 b:1", "a:1 b:3", "a:1 b:3", "b:3"]);
    }

    #[test]
    fn a_run_that_is_over_is_forgotten() {
        let mut record = Claims::new("lock");
        let claim = |wanted| Claim {
            lock: "lock".to_owned(),
            limit: 1,
            wanted,
            priority: 0,
            since: Timestamp(0),
            outlives_driver: true,
        };
        let (dead, next) = (RunUid("dead".into()), RunUid("next".into()));
        record.claim(&RunName::new("dead").expect("a good name"), &dead, &claim(1));
        assert_eq!(record.claim(&RunName::new("next").expect("a good name"), &next, &claim(1)), 0);
        assert_eq!(record.holders(&next).count(), 1);
        record.forget(&dead);
        assert_eq!(record.claim(&RunName::new("next").expect("a good name"), &next, &claim(1)), 1);
    }
}
