//! The stores of artifacts and how they are reached.

use super::{ConfigMapKeySelector, SecretKeySelector};

object! {
    /// An object in S3.
    pub struct S3Artifact {
        /// The bucket; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        pub bucket: S3Bucket,
        /// The object's key.
        pub key: Option<String>,
    }

    /// A bucket in S3, and how to reach it.
    pub struct S3Bucket {
        /// Host and port.
        pub endpoint: Option<String>,
        /// The bucket's name.
        pub bucket: Option<String>,
        /// The region.
        pub region: Option<String>,
        /// Whether to speak HTTP without TLS.
        pub insecure: Option<bool>,
        /// The access key.
        pub access_key_secret: Option<SecretKeySelector>,
        /// The secret key.
        pub secret_key_secret: Option<SecretKeySelector>,
        /// The token of a session.
        pub session_token_secret: Option<SecretKeySelector>,
        /// The role to take.
        #[serde(rename = "roleARN")]
        pub role_arn: Option<String>,
        /// Whether the SDK looks for credentials.
        #[serde(rename = "useSDKCreds")]
        pub use_sdk_creds: Option<bool>,
        /// How to create the bucket when there is none.
        pub create_bucket_if_not_present: Option<CreateS3BucketOptions>,
        /// How objects are encrypted.
        pub encryption_options: Option<S3EncryptionOptions>,
        /// The authority that signed the server's certificate.
        pub ca_secret: Option<SecretKeySelector>,
        /// `path`, `virtual-hosted` or `auto`.
        pub addressing_style: Option<String>,
    }

    /// Encryption of objects by the server.
    pub struct S3EncryptionOptions {
        /// The key of the key management service.
        pub kms_key_id: Option<String>,
        /// JSON of further context.
        pub kms_encryption_context: Option<String>,
        /// Whether objects are encrypted.
        pub enable_encryption: Option<bool>,
        /// A key of the caller's own.
        pub server_side_customer_key_secret: Option<SecretKeySelector>,
    }

    /// How a bucket is created.
    pub struct CreateS3BucketOptions {
        /// Whether objects can be locked.
        pub object_locking: Option<bool>,
    }

    /// A Git repository.
    pub struct GitArtifact {
        /// Its address.
        pub repo: String,
        /// A commit, tag or branch.
        pub revision: Option<String>,
        /// How many commits are fetched.
        pub depth: Option<u64>,
        /// Further refs to fetch.
        pub fetch: Vec<String>,
        /// The user.
        pub username_secret: Option<SecretKeySelector>,
        /// The password.
        pub password_secret: Option<SecretKeySelector>,
        /// The private key.
        pub ssh_private_key_secret: Option<SecretKeySelector>,
        /// Whether any host key is accepted.
        pub insecure_ignore_host_key: Option<bool>,
        /// Whether submodules are left out.
        pub disable_submodules: Option<bool>,
        /// Whether only one branch is fetched.
        pub single_branch: Option<bool>,
        /// That branch.
        pub branch: Option<String>,
        /// Whether any certificate is accepted.
        #[serde(rename = "insecureSkipTLS")]
        pub insecure_skip_tls: Option<bool>,
    }

    /// A web address.
    pub struct HTTPArtifact {
        /// The address.
        pub url: String,
        /// Headers of the request.
        pub headers: Vec<Header>,
        /// Who asks.
        pub auth: Option<HTTPAuth>,
        /// Whether a stream is written to a file first, for servers that want its length.
        pub save_stream_via_file: Option<bool>,
    }

    /// A header of a request.
    pub struct Header {
        /// Its name.
        pub name: String,
        /// Its value.
        pub value: String,
    }

    /// Who asks a web server: one of the fields.
    pub struct HTTPAuth {
        /// By certificate.
        pub client_cert: Option<ClientCertAuth>,
        /// By OAuth 2.
        pub oauth2: Option<OAuth2Auth>,
        /// By user and password.
        pub basic_auth: Option<BasicAuth>,
    }

    /// A user and a password.
    pub struct BasicAuth {
        /// The user.
        pub username_secret: Option<SecretKeySelector>,
        /// The password.
        pub password_secret: Option<SecretKeySelector>,
    }

    /// A client's certificate.
    pub struct ClientCertAuth {
        /// The certificate.
        pub client_cert_secret: Option<SecretKeySelector>,
        /// Its key.
        pub client_key_secret: Option<SecretKeySelector>,
    }

    /// OAuth 2 with client credentials.
    pub struct OAuth2Auth {
        /// The client.
        #[serde(rename = "clientIDSecret")]
        pub client_id_secret: Option<SecretKeySelector>,
        /// Its secret.
        pub client_secret_secret: Option<SecretKeySelector>,
        /// Where tokens are given.
        #[serde(rename = "tokenURLSecret")]
        pub token_url_secret: Option<SecretKeySelector>,
        /// What is asked for.
        pub scopes: Vec<String>,
        /// Further parameters of the request for a token.
        pub endpoint_params: Vec<OAuth2EndpointParam>,
    }

    /// A parameter of the request for a token.
    pub struct OAuth2EndpointParam {
        /// Its name.
        pub key: String,
        /// Its value.
        pub value: Option<String>,
    }

    /// A file in Artifactory.
    pub struct ArtifactoryArtifact {
        /// The address.
        pub url: String,
        /// Who asks.
        #[serde(flatten)]
        pub auth: ArtifactoryAuth,
    }

    /// Who asks Artifactory.
    pub struct ArtifactoryAuth {
        /// The user.
        pub username_secret: Option<SecretKeySelector>,
        /// The password.
        pub password_secret: Option<SecretKeySelector>,
    }

    /// A blob in Azure.
    pub struct AzureArtifact {
        /// The container; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        pub container: AzureBlobContainer,
        /// The blob's name.
        pub blob: String,
    }

    /// A container of blobs in Azure.
    pub struct AzureBlobContainer {
        /// The account's address.
        pub endpoint: String,
        /// The container's name.
        pub container: String,
        /// The account's key.
        pub account_key_secret: Option<SecretKeySelector>,
        /// Whether the SDK looks for credentials.
        #[serde(rename = "useSDKCreds")]
        pub use_sdk_creds: Option<bool>,
    }

    /// An object in Google Cloud Storage.
    pub struct GCSArtifact {
        /// The bucket; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        pub bucket: GCSBucket,
        /// The object's key.
        pub key: String,
    }

    /// A bucket in Google Cloud Storage.
    pub struct GCSBucket {
        /// The bucket's name.
        pub bucket: Option<String>,
        /// The service account's key.
        pub service_account_key_secret: Option<SecretKeySelector>,
    }

    /// A file in Hadoop's file system.
    pub struct HDFSArtifact {
        /// The file system; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        pub config: HDFSConfig,
        /// The file's path.
        pub path: String,
        /// Whether an existing file is overwritten.
        pub force: Option<bool>,
    }

    /// A Hadoop file system, and how to reach it.
    pub struct HDFSConfig {
        /// Kerberos; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        pub kerberos: HDFSKrbConfig,
        /// The name nodes.
        pub addresses: Vec<String>,
        /// The user.
        pub hdfs_user: Option<String>,
        /// `authentication`, `integrity` or `privacy`.
        pub data_transfer_protection: Option<String>,
    }

    /// Kerberos for Hadoop.
    pub struct HDFSKrbConfig {
        /// A cache of tickets.
        pub krb_c_cache_secret: Option<SecretKeySelector>,
        /// A table of keys.
        pub krb_keytab_secret: Option<SecretKeySelector>,
        /// The principal.
        pub krb_username: Option<String>,
        /// The realm.
        pub krb_realm: Option<String>,
        /// The configuration file.
        pub krb_config_config_map: Option<ConfigMapKeySelector>,
        /// The service's principal.
        pub krb_service_principal_name: Option<String>,
    }

    /// Content that stands in the manifest.
    pub struct RawArtifact {
        /// The content.
        pub data: String,
    }

    /// An object in Alibaba Cloud's storage.
    pub struct OSSArtifact {
        /// The bucket; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        pub bucket: OSSBucket,
        /// The object's key.
        pub key: String,
    }

    /// A bucket in Alibaba Cloud's storage.
    pub struct OSSBucket {
        /// Host and port.
        pub endpoint: Option<String>,
        /// The bucket's name.
        pub bucket: Option<String>,
        /// The access key.
        pub access_key_secret: Option<SecretKeySelector>,
        /// The secret key.
        pub secret_key_secret: Option<SecretKeySelector>,
        /// Whether the bucket is created when there is none.
        pub create_bucket_if_not_present: Option<bool>,
        /// A token for a limited time.
        pub security_token: Option<String>,
        /// When objects become cold, and when they go.
        pub lifecycle_rule: Option<OSSLifecycleRule>,
        /// Whether the SDK looks for credentials.
        #[serde(rename = "useSDKCreds")]
        pub use_sdk_creds: Option<bool>,
    }

    /// When objects become cold, and when they go.
    pub struct OSSLifecycleRule {
        /// Days until an object counts as seldom read.
        pub mark_infrequent_access_after_days: Option<i32>,
        /// Days until an object is removed.
        pub mark_deletion_after_days: Option<i32>,
    }

    /// An object of a store that a plugin knows.
    pub struct PluginArtifact {
        /// The plugin.
        pub name: Option<String>,
        /// What the plugin is told.
        pub configuration: Option<String>,
        /// How long the plugin may take to answer.
        pub connection_timeout_seconds: Option<i32>,
        /// The object's key.
        pub key: String,
    }
}
