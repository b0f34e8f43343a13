//! A store that is a namespace of a cluster: a run is a Job and a few ConfigMaps.
//!
//! | object | holds |
//! | --- | --- |
//! | Job `<run>` | the head: it takes the name, owns all the rest, and shows how the run stands (`head`); requests and answers are annotations of it (`inbox`) |
//! | ConfigMaps `wf.plan.<run>.<i>` | the header, compressed, in immutable pieces (`pieces`) |
//! | ConfigMaps `wf.log.<run>.<k>` | the log, framed by [`frame`](super::frame), in segments (`segment`) |
//! | ConfigMaps `wf.blob.<run>.<digest>.<i>` | texts too big for a record, in immutable pieces |
//! | Lease `wf.<run>` | who drives, as far as others can tell (`lease`) |
//! | Lease `wf-controller` | which controller leads, where there are several (`leader`) |
//! | ConfigMaps `wf.lock.<digest>` | who has a lock that runs share (`shared`) |
//!
//! **One writer.** An append replaces the open segment with the version that was read, or creates
//! the next one; whoever is told of a conflict has lost, and stops. Taking over changes the open
//! segment, so that the one before can append nothing more.
//!
//! What is decided about objects stands in pure files; what asks the cluster in `store`,
//! `log`, `read`, `tail`, `rolls`, `keeper`, `lease`, `leader` and `shared`.

mod head;
mod identity;
mod inbox;
mod keeper;
mod leader;
mod lease;
mod log;
mod objects;
mod pauses;
mod pieces;
mod read;
mod rolls;
mod segment;
mod shared;
mod store;
mod tail;
mod templates;
mod upload;

pub use identity::Identity;
pub use leader::Leadership;
pub use log::KubernetesLog;
pub use rolls::{RunNews, RunWatch};
pub use shared::KubernetesShared;
pub use store::KubernetesStore;
pub use tail::KubernetesTail;
pub use templates::{Kept, TEMPLATE_BYTES_MAX, TemplateStore};
