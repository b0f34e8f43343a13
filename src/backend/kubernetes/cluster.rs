//! The way to a cluster: whose, which namespace, and what it says when it refuses.

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// A client, with the namespace that it works in.
#[derive(Clone)]
pub struct Cluster {
    /// The connection; cheap to clone.
    pub client: Client,
    /// Where the runs are.
    pub namespace: String,
}

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a service account was found.
    #[error("no cluster is configured: {0}")]
    NotConfigured(String),
    /// What was found cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Unusable(String),
}

impl Cluster {
    /// Connects as `kubectl` would: `KUBECONFIG`, `~/.kube/config`, then the pod's own account.
    /// `context` and `namespace` override what the configuration says.
    pub async fn connect(context: Option<&str>, namespace: Option<&str>) -> Result<Self, ConnectError> {
        let config = match Kubeconfig::read() {
            Ok(kubeconfig) => {
                let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
                Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .map_err(|fault| ConnectError::Unusable(fault.to_string()))?
            }
            Err(fault) => Config::incluster().map_err(|_| ConnectError::NotConfigured(fault.to_string()))?,
        };
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).map_err(|fault| ConnectError::Unusable(fault.to_string()))?;
        Ok(Self { client, namespace })
    }
}
