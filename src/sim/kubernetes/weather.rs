//! What goes wrong in a simulated cluster, by chance or at one place.

use std::collections::BTreeSet;

use crate::sim::apiserver::Refused;
use crate::sim::breaks::each;
use crate::sim::chance::Chance;

/// How nodes get their pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The Job controller makes them.
    #[default]
    Plain,
    /// The driver makes them.
    Managed,
    /// The driver would, and the server does not know of it.
    Dropped,
}

/// What becomes of a request instead of what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// 409: somebody else is at the object.
    Conflict,
    /// 429, with `Retry-After`.
    TooMany,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// The connection breaks before the server has the request.
    LostBefore,
    /// The connection breaks before the answer.
    LostAfter,
    /// 401.
    Unauthorized,
    /// 403, as when a permission was taken away.
    Forbidden,
    /// 403, beyond a quota.
    Quota,
    /// 404.
    NotFound,
    /// 410.
    Gone,
    /// 413.
    TooLarge,
    /// 422.
    Invalid,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 13] = [
        Trouble::Conflict,
        Trouble::TooMany,
        Trouble::Internal,
        Trouble::Unavailable,
        Trouble::LostBefore,
        Trouble::LostAfter,
        Trouble::Unauthorized,
        Trouble::Forbidden,
        Trouble::Quota,
        Trouble::NotFound,
        Trouble::Gone,
        Trouble::TooLarge,
        Trouble::Invalid,
    ];

    /// Returns whether a run ends as it would have without it.
    pub fn passes(self) -> bool {
        !matches!(self, Trouble::NotFound | Trouble::TooLarge | Trouble::Invalid)
    }

    /// Returns whether a server can answer so to a method.
    pub fn fits(self, method: &str) -> bool {
        match self {
            // The server itself tries a deletion or a patch again.
            Trouble::Conflict => method == "PUT",
            Trouble::Quota => method == "POST",
            Trouble::Gone | Trouble::NotFound => method == "GET",
            Trouble::TooLarge | Trouble::Invalid => method != "GET" && method != "DELETE",
            _ => true,
        }
    }

    /// Returns the refusal; none where the connection breaks.
    pub(super) fn refusal(self, about: &str) -> Option<Refused> {
        let forbidden = format!("{about} is forbidden: User \"u\" cannot do that to resource \"x\"");
        let quota =
            format!("{about} is forbidden: exceeded quota: two, requested: pods=1, used: pods=2, limited: pods=2");
        let (code, reason, message) = match self {
            Trouble::LostBefore | Trouble::LostAfter => return None,
            Trouble::Conflict => (409, "Conflict", "the object has been modified".to_owned()),
            Trouble::TooMany => (429, "TooManyRequests", "slow down".to_owned()),
            Trouble::Internal => (500, "InternalError", "etcdserver: leader changed".to_owned()),
            Trouble::Unavailable => (503, "ServiceUnavailable", "the server is shutting down".to_owned()),
            Trouble::Unauthorized => (401, "Unauthorized", "the token has expired".to_owned()),
            Trouble::Forbidden => (403, "Forbidden", forbidden),
            Trouble::Quota => (403, "Forbidden", quota),
            Trouble::NotFound => (404, "NotFound", format!("{about} not found")),
            Trouble::Gone => (410, "Expired", "too old resource version".to_owned()),
            Trouble::TooLarge => (413, "RequestEntityTooLarge", "limit is 3145728".to_owned()),
            Trouble::Invalid => (422, "Invalid", format!("{about} is invalid")),
        };
        Some(Refused::new(code, reason, message))
    }
}

/// What is done to one thing that a watch tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// It is never told; the watch breaks off, and what it was about must be listed again.
    Skip,
    /// It comes half a minute late, and with it all that the watch tells after it.
    Delay,
    /// It is told twice.
    Repeat,
    /// It is never told, and the watch goes on as if nothing had been.
    Lose,
}

impl Tampering {
    /// All of them.
    pub const ALL: [Tampering; 4] = [Tampering::Skip, Tampering::Delay, Tampering::Repeat, Tampering::Lose];
}

/// What goes wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weather {
    /// How nodes get their pods.
    pub mode: Mode,
    /// The steps at which the driver dies.
    pub deaths_at: BTreeSet<u64>,
    /// How often in a thousand steps a driver dies, while it may.
    pub deaths_in_thousand: u64,
    /// How many times a driver dies by chance, at most.
    pub deaths_max: u32,
    /// How many other drivers try to take the run over all the time.
    pub rivals: u32,
    /// How many times a driver stands still, for up to a minute.
    pub pauses_max: u32,
    /// How many times the clock of a driver's machine jumps, by up to an hour.
    pub jumps_max: u32,
    /// How often in a thousand a request meets trouble that passes.
    pub troubles_in_thousand: u64,
    /// How many times nobody can reach the server for a while.
    pub outages_max: u32,
    /// Whether requests and watches take their time.
    pub is_slow: bool,
    /// How often in a thousand a watch breaks off or repeats itself after something that it tells.
    pub breaks_in_thousand: u64,
    /// How often in a thousand something is never told, and the watch goes on.
    pub losses_in_thousand: u64,
    /// How many times the server forgets its history.
    pub cuts_max: u32,
    /// How many pods are drained, evicted, or lost with their machine.
    pub disruptions_max: u32,
    /// How many pods the Job controller makes that are there already.
    pub doubles_max: u32,
    /// How many pods and Jobs people delete, and how many processes the kernel kills: the run may end otherwise.
    pub hostilities_max: u32,
    /// One request, by its number, and what it meets.
    pub trouble_at: Option<(u64, Trouble)>,
    /// One thing that a watch tells, by its number, and what is done to it.
    pub tampering_at: Option<(u64, Tampering)>,
    /// Whether the log of the fault-free history is there already, cut after so many records, with the pods that
    /// it has not seen end.
    pub begins_after: Option<usize>,
    /// Whether the report keeps the trace, line by line.
    pub keeps_trace: bool,
}

impl Weather {
    /// Returns whether a run may end otherwise than in fair weather.
    pub(in crate::sim) fn is_hostile(&self) -> bool {
        self.hostilities_max > 0 || self.trouble_at.is_some_and(|(_, trouble)| !trouble.passes())
    }

    /// Returns fair weather.
    pub fn fair(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Returns the same with one kind of trouble left out, or rarer.
    pub(in crate::sim) fn easier(&self) -> Vec<Self> {
        each(
            self,
            &[
                |weather| weather.rivals = 0,
                |weather| weather.deaths_max = 0,
                |weather| weather.pauses_max = 0,
                |weather| weather.jumps_max = 0,
                |weather| weather.troubles_in_thousand = 0,
                |weather| weather.outages_max = 0,
                |weather| weather.is_slow = false,
                |weather| weather.breaks_in_thousand = 0,
                |weather| weather.losses_in_thousand = 0,
                |weather| weather.cuts_max = 0,
                |weather| weather.disruptions_max = 0,
                |weather| weather.doubles_max = 0,
                |weather| weather.hostilities_max = 0,
                |weather| weather.mode = Mode::Plain,
                |weather| weather.rivals /= 2,
                |weather| weather.deaths_max /= 2,
                |weather| weather.pauses_max /= 2,
                |weather| weather.troubles_in_thousand /= 2,
                |weather| weather.breaks_in_thousand /= 2,
                |weather| weather.cuts_max /= 2,
                |weather| weather.disruptions_max /= 2,
            ],
        )
    }

    /// Returns a mix of all that can go wrong, as the seed decides.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::named(seed, "weather");
        let mut one = |of: &[u64]| of[chance.below(of.len() as u64) as usize];
        Self {
            mode: [Mode::Plain, Mode::Managed, Mode::Plain, Mode::Managed, Mode::Dropped]
                [one(&[0, 1, 2, 3, 4]) as usize],
            deaths_in_thousand: one(&[0, 5, 20, 60]),
            deaths_max: one(&[1, 2, 4]) as u32,
            rivals: one(&[0, 0, 0, 1, 1, 2]) as u32,
            pauses_max: one(&[0, 0, 1, 3]) as u32,
            jumps_max: one(&[0, 0, 1, 3]) as u32,
            troubles_in_thousand: one(&[0, 30, 200, 400]),
            outages_max: one(&[0, 0, 1, 2]) as u32,
            is_slow: one(&[0, 1]) == 1,
            breaks_in_thousand: one(&[0, 50, 300]),
            cuts_max: one(&[0, 2, 8]) as u32,
            disruptions_max: one(&[0, 0, 1, 3]) as u32,
            doubles_max: one(&[0, 0, 1, 2]) as u32,
            hostilities_max: one(&[0, 0, 0, 0, 0, 2]) as u32,
            losses_in_thousand: one(&[0, 0, 0, 10, 50]),
            ..Self::default()
        }
    }
}
