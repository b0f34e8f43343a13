//! What our objects in a cluster are called, and the labels and annotations that they carry.

use sha2::{Digest, Sha256};

use crate::base::{NodeIx, RunName, RunUid};

/// The run that an object belongs to; on the head Job, its own name.
pub const RUN: &str = "wf.internal/run";

/// What tells the objects of a run from those of an earlier one of its name: the head Job's
/// `metadata.uid`.
pub const HEAD: &str = "wf.internal/head";

/// What an object is: `run`, `plan`, `log`, `blob`, `node`, `helper`, `lock`, `cache`, `template`, `cron`,
/// `driver`, `logs`.
pub const KIND: &str = "wf.internal/kind";

/// The number of the node whose attempt a Job or pod is.
pub const NODE: &str = "wf.internal/node";

/// The template that a pod runs.
pub const TEMPLATE: &str = "wf.internal/template";

/// The full name of the node, an annotation, since it can be long and have any character.
pub const NODE_NAME: &str = "wf.internal/node-name";

/// Argo's label for users' own selectors, with the run's name.
pub const WORKFLOW: &str = "workflows.argoproj.io/workflow";

/// The version of the format that an object of a run's record is written in.
pub const FORMAT: &str = "wf.internal/format";

/// What a listing says of a run, as JSON; an annotation of the head Job.
pub const SUMMARY: &str = "wf.internal/summary";

/// Of how many pieces a text consists, an annotation of each of them.
pub const PIECES: &str = "wf.internal/pieces";

/// At which byte of the log a segment begins, an annotation.
pub const FROM: &str = "wf.internal/from";

/// How often a log was taken over before its segment was written, an annotation.
pub const EPOCH: &str = "wf.internal/epoch";

/// What begins the annotation of the head Job that holds a request; its id follows.
pub const REQUEST: &str = "wf.internal/request.";

/// What begins the annotation of the head Job that holds an answer; the request's id follows.
pub const ANSWER: &str = "wf.internal/answer.";

/// By this annotation of the head Job one asks whether the driver lives; it answers by renewing its Lease.
pub const PING: &str = "wf.internal/ping";

/// Who drives the nodes of a managed Job: nobody but us.
pub const DRIVER: &str = "wf.internal/driver";

/// When the Job controller was last asked to look at a Job again, an annotation of it.
pub const NUDGED_AT: &str = "wf.internal/nudged-at";

/// The value of [`KIND`] on the Job, and its pods, that drives a run.
pub const DRIVER_KIND: &str = "driver";

/// The value of [`KIND`] on ConfigMaps that keep what pods wrote.
pub const LOGS_KIND: &str = "logs";

/// The nodes whose pods' logs a ConfigMap keeps, as `1,4-7`; an annotation.
pub const NODES: &str = "wf.internal/nodes";

/// How many bytes a ConfigMap with logs holds, an annotation.
pub const BYTES: &str = "wf.internal/bytes";

/// How many bytes of what a container wrote are kept when its pod goes; an annotation of the manifest.
pub const LOG_BYTES: &str = "wf.internal/log-bytes";

/// Argo's label of a run, with its phase, for users' own selectors.
pub const PHASE: &str = "workflows.argoproj.io/phase";

/// Argo's label of a run, `true` once it has ended.
pub const COMPLETED: &str = "workflows.argoproj.io/completed";

/// Which process writes a log, an annotation of its segments.
pub const HOLDER: &str = "wf.internal/holder";

/// The annotation of a pod that the main container's script lies in; a file of the pod is made of it.
pub const SCRIPT: &str = "wf.internal/script";

/// The annotations of a pod that its raw input artifacts lie in, less their numbers.
pub const RAW: &str = "wf.internal/raw-";

/// The annotation of a Job and its pods that says what the node hands out, so that a driver that
/// takes over knows.
pub const DUE: &str = "wf.internal/due";

/// Argo's annotation with the full name of the node, for those who project it.
pub const ARGO_NODE_NAME: &str = "workflows.argoproj.io/node-name";

/// The annotation by which `kubectl logs` and `kubectl exec` know which container is meant.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A name of a Job: it becomes a label of its pods.
const JOB_NAME_BYTES_MAX: usize = 63;

/// Hexadecimal digits that tell the Jobs of all runs of one name apart.
const HASH_DIGITS: usize = 10;

/// Returns the name of the Job that is `node`'s. The run's name is cut where both are too long for
/// a label; the hash tells apart what the name does not.
pub fn job(run: &RunName, uid: &RunUid, node: NodeIx) -> String {
    hashed(run, &format!("{uid}/{node}"))
}

/// Returns the name of the Job that drives a run, and that was asked for when its log had `records`.
pub fn driver(run: &RunName, uid: &RunUid, records: usize) -> String {
    hashed(run, &format!("{uid}/driver/{records}"))
}

fn hashed(run: &RunName, of: &str) -> String {
    let digest = Sha256::digest(of);
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let run = run.as_str();
    let kept = &run[..run.len().min(JOB_NAME_BYTES_MAX - 1 - HASH_DIGITS)];
    format!("{}-{}", kept.trim_end_matches(['-', '.']), &hash[..HASH_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_a_name_of_its_own_that_is_a_label() {
        let name = |run: &str, uid: &str, node| {
            let run = RunName::new(run).expect("a name");
            job(&run, &RunUid(uid.into()), NodeIx(node))
        };
        assert_eq!(name("hello", "u", 3), "hello-7899c21091");
        assert_ne!(name("hello", "u", 3), name("hello", "u", 4));
        assert_ne!(name("hello", "u", 3), name("hello", "v", 3));
        let long = format!("{}.{}", "a".repeat(51), "b".repeat(11));
        let long = name(&long, "u", 3);
        assert_eq!(long, format!("{}-7899c21091", "a".repeat(51)));
        assert!(long.len() <= 63);
    }
}
