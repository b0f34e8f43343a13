//! A cluster in virtual time: the real driver, backend and store on a client whose service is the
//! simulated API server, with models of what acts in a cluster beside us.
//!
//! | part | file |
//! | --- | --- |
//! | the way between a process and the server: latency, refusals, lost answers | `network` |
//! | what watches tell: late, twice, broken off, forgotten | `watches` |
//! | the Job controller: batches of a second, a view that may be old | `jobs` |
//! | scheduler and kubelets: phases in their order, lost machines, evictions | `pods`, `machines` |
//! | what kubelets show of containers | `containers` |
//! | what goes with its owner | `collector` |
//! | what goes wrong, by chance or at one place | `weather` |
//! | one history from its beginning to its end | `history` |
//! | the time | `time` |

mod collector;
mod containers;
mod history;
mod jobs;
mod machines;
mod network;
mod pods;
mod time;
mod watches;
mod weather;

pub use history::{check_cluster_seed, run_cluster_seed};
pub use weather::{Mode, Tampering, Trouble, Weather};

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
