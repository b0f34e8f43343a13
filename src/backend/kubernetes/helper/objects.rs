//! Where a pod has the helper from: a ConfigMap that holds the program, mounted as a volume.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The volume's name in the pod.
pub(super) const VOLUME: &str = "wf-helper";

/// Where it is mounted.
pub(super) const MOUNT_PATH: &str = "/wf.internal";

/// The program's name in the ConfigMap.
const KEY: &str = "helper";

/// The program's path in a container.
pub(super) const PROGRAM: &str = "/wf.internal/helper";

/// The label of machines that can run the helper, with its value, for a pod's `nodeSelector`.
pub const ARCHITECTURE: (&str, &str) =
    ("kubernetes.io/arch", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" });

/// The program; empty where it could not be built. `src/helper/build.rs` builds it.
const BINARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/helper"));

/// Returns whether this program brings the helper.
pub fn is_built_in() -> bool {
    !BINARY.is_empty()
}

/// Returns the name of a run's ConfigMap with the helper. The run owns it, so that it goes with the
/// run; the digest is in it for the sake of drivers of another release that take over the run.
pub fn config_map_name(run: &str) -> String {
    let digest = Sha256::digest(BINARY);
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("wf.helper.{run}.{digest}")
}

/// Returns the ConfigMap, whose `metadata` should have [`config_map_name`]; it can never be changed.
pub fn config_map(metadata: ObjectMeta) -> ConfigMap {
    let program = ByteString(BINARY.to_vec());
    ConfigMap {
        metadata,
        immutable: Some(true),
        binary_data: Some(BTreeMap::from([(KEY.to_owned(), program)])),
        data: None,
    }
}

/// Returns the volume that a pod with wrapped containers needs.
pub fn volume(config_map: &str) -> Value {
    json!({ "name": VOLUME, "configMap": { "name": config_map, "defaultMode": 0o555 } })
}
