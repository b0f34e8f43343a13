//! What containers wrote, kept with the run when their pods go.
//!
//! | part | file |
//! | --- | --- |
//! | what is kept, and in what form, pure | `shelf`, `policy` |
//! | which nodes go when, pure | `leaving` |
//! | reading logs of pods and keeping them; reading what was kept | `keep`, `read` |

pub(super) mod keep;
pub(super) mod leaving;
pub(super) mod policy;
pub(super) mod read;
pub(super) mod shelf;

pub use read::archived_logs;
pub use shelf::Kept;
