//! Why something cannot be done in a cluster, as sentences.

/// A pod that can never start as it was asked for: the node's end, in these words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Only templates with a container have pods.
    #[error("a `{kind}` template cannot run in a pod of a cluster yet")]
    NoPod {
        /// What the template does.
        kind: &'static str,
    },
    /// A mount names a volume that is not there.
    #[error("there is no volume `{volume}` to mount; declare it in the template's or the workflow's `volumes`")]
    NoVolume {
        /// The volume.
        volume: String,
    },
    /// An input artifact lies where pods cannot get it from.
    #[error("the input artifact `{artifact}` does not come with its content; give it as `raw` or make it optional")]
    NoArtifact {
        /// The artifact.
        artifact: String,
    },
    /// A patch cannot be read.
    #[error("the `podSpecPatch` cannot be applied: {reason}")]
    Patch {
        /// Why not.
        reason: String,
    },
    /// Something is larger than Linux or Kubernetes takes.
    #[error("{what} has {bytes} bytes, more than the {limit} that {bound} allows; hand it over as a file")]
    TooLarge {
        /// What.
        what: String,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
        /// Whose limit that is.
        bound: &'static str,
    },
    /// The node's result is asked for, and its command is not known.
    #[error("its outputs are taken by a helper that starts its command: say `command:`, which the image alone knows")]
    NoCommand,
}
