//! Artifacts, the lists that hold them beside parameters, and the data template that lists them.

use super::{
    ArtifactoryArtifact, AzureArtifact, GCSArtifact, GitArtifact, HDFSArtifact, HTTPArtifact, Metadata, OSSArtifact,
    Parameter, PluginArtifact, RawArtifact, S3Artifact,
};

object! {
    /// What a caller hands to a template, or to a workflow.
    pub struct Arguments {
        /// Texts.
        pub parameters: Vec<Parameter>,
        /// Files.
        pub artifacts: Vec<Artifact>,
    }

    /// What a template takes.
    pub struct Inputs {
        /// Texts.
        pub parameters: Vec<Parameter>,
        /// Files.
        pub artifacts: Vec<Artifact>,
    }

    /// What a template gives.
    pub struct Outputs {
        /// Texts.
        pub parameters: Vec<Parameter>,
        /// Files.
        pub artifacts: Vec<Artifact>,
        /// The end of the standard output; set by the engine, not in manifests.
        pub result: Option<String>,
        /// The exit code as text; set by the engine, not in manifests.
        pub exit_code: Option<String>,
    }

    /// A file or folder that is handed in or out.
    pub struct Artifact {
        /// The name, unique in its list.
        pub name: String,
        /// Where it is in the container.
        pub path: Option<String>,
        /// The file mode that it gets as an input; octal in YAML.
        pub mode: Option<i32>,
        /// A tag that names another artifact.
        pub from: Option<String>,
        /// Where it is stored; in the manifest these fields stand beside the others.
        #[serde(flatten)]
        pub location: ArtifactLocation,
        /// The name under which an output is seen in the whole workflow.
        pub global_name: Option<String>,
        /// How it is packed; gzipped tar when absent.
        pub archive: Option<ArchiveStrategy>,
        /// Whether it may be absent.
        pub optional: Option<bool>,
        /// The part of the artifact that is meant, a path below it.
        pub sub_path: Option<String>,
        /// Whether `mode` is applied to all that a folder holds.
        pub recurse_mode: Option<bool>,
        /// An expression that gives another artifact.
        pub from_expression: Option<String>,
        /// When it is removed.
        #[serde(rename = "artifactGC")]
        pub artifact_gc: Option<ArtifactGC>,
        /// Whether it was removed; set by the engine, not in manifests.
        pub deleted: Option<bool>,
    }

    /// Where an artifact is stored: at most one of the stores is given.
    pub struct ArtifactLocation {
        /// Whether the logs of the containers are stored too.
        pub archive_logs: Option<bool>,
        /// S3 or what speaks it.
        pub s3: Option<Box<S3Artifact>>,
        /// A Git repository; input only.
        pub git: Option<Box<GitArtifact>>,
        /// A web address.
        pub http: Option<Box<HTTPArtifact>>,
        /// JFrog Artifactory.
        pub artifactory: Option<Box<ArtifactoryArtifact>>,
        /// Hadoop's file system.
        pub hdfs: Option<Box<HDFSArtifact>>,
        /// The content itself; input only.
        pub raw: Option<RawArtifact>,
        /// Alibaba Cloud's object storage.
        pub oss: Option<Box<OSSArtifact>>,
        /// Google Cloud Storage.
        pub gcs: Option<Box<GCSArtifact>>,
        /// Azure Blob Storage.
        pub azure: Option<Box<AzureArtifact>>,
        /// A store that a plugin knows.
        pub plugin: Option<Box<PluginArtifact>>,
    }

    /// How an artifact is packed: one of the fields.
    pub struct ArchiveStrategy {
        /// As a gzipped tar file.
        pub tar: Option<TarStrategy>,
        /// Not at all.
        pub none: Option<NoneStrategy>,
        /// As a zip file.
        pub zip: Option<ZipStrategy>,
    }

    /// Packing as tar.
    pub struct TarStrategy {
        /// The level of gzip; 0 packs without compressing.
        pub compression_level: Option<i32>,
    }

    /// Not packing.
    pub struct NoneStrategy {}

    /// Packing as zip.
    pub struct ZipStrategy {}

    /// When artifacts are removed, and by whom.
    pub struct ArtifactGC {
        /// `OnWorkflowCompletion`, `OnWorkflowDeletion` or `Never`.
        pub strategy: Option<String>,
        /// Metadata of the pod that removes.
        pub pod_metadata: Option<Metadata>,
        /// Service account of the pod that removes.
        pub service_account_name: Option<String>,
    }

    /// When the artifacts of a whole workflow are removed.
    pub struct WorkflowLevelArtifactGC {
        /// What holds for each artifact that does not say otherwise.
        #[serde(flatten)]
        pub policy: ArtifactGC,
        /// Whether the workflow may be deleted though removing failed.
        pub force_finalizer_removal: Option<bool>,
        /// A patch of the pod that removes.
        pub pod_spec_patch: Option<String>,
    }

    /// The ConfigMap that configures the artifact repository.
    pub struct ArtifactRepositoryRef {
        /// The ConfigMap; `artifact-repositories` when absent.
        pub config_map: Option<String>,
        /// Its key; when absent, what its annotation says.
        pub key: Option<String>,
    }

    /// A template that lists artifacts and transforms the list.
    pub struct Data {
        /// Where the list comes from.
        pub source: DataSource,
        /// What is done with it, in this order.
        pub transformation: Vec<TransformationStep>,
    }

    /// A source of a data template.
    pub struct DataSource {
        /// The paths of all artifacts below a key.
        pub artifact_paths: Option<ArtifactPaths>,
    }

    /// The artifact whose paths are listed.
    pub struct ArtifactPaths {
        /// The artifact.
        #[serde(flatten)]
        pub artifact: Artifact,
    }

    /// One transformation of a data template.
    pub struct TransformationStep {
        /// An expression over `data`.
        pub expression: String,
    }
}
