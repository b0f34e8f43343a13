//! The way to a cluster: whose, which namespace, and what it says when there is none.

use std::time::Duration;

use kube::api::{GetParams, PostParams};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::Request;
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

use super::api_error::{ApiError, ApiErrorKind};
use super::patience::Patience;
use crate::base::suggest;

/// How long a cluster may take to answer the first time: who waits at a terminal gives up soon, within five
/// seconds in all.
const GREETING_WAIT: Duration = Duration::from_secs(4);

/// Requests that wait for their turn to be sent; kube's own queue has as many.
const REQUESTS_MAX: usize = 1024;

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
    /// The configuration has no context of that name.
    #[error("the cluster's configuration has no context `{name}`")]
    NoContext {
        /// The name that was asked for.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
    },
    /// The cluster was asked, and refused or did not answer.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

impl Cluster {
    /// Connects as `kubectl` would: `KUBECONFIG`, `~/.kube/config`, then the pod's own account.
    /// `context` and `namespace` override what the configuration says. The cluster has answered
    /// when this returns `Ok`, and has 4 seconds for it.
    pub async fn connect(context: Option<&str>, namespace: Option<&str>) -> Result<Self, ConnectError> {
        let mut config = config(context).await?;
        config.connect_timeout = Some(GREETING_WAIT);
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let server = config.cluster_url.to_string();
        let client = client(config).map_err(|fault| ConnectError::Unusable(fault.to_string()))?;
        greet(&client, &server).await?;
        Ok(Self { client, namespace })
    }
}

impl Cluster {
    /// Posts an object of the namespace as it is, and returns what is read of the server's answer. Types
    /// would leave out what they do not know. `group` is the path's beginning, such as `apis/batch/v1`.
    pub async fn post<K: DeserializeOwned>(&self, group: &str, plural: &str, object: &Value) -> Result<K, kube::Error> {
        self.create(group, plural, object, &PostParams::default()).await
    }

    /// Asks what would come of a post, without doing it.
    pub(super) async fn try_post<K: DeserializeOwned>(
        &self,
        group: &str,
        plural: &str,
        object: &Value,
    ) -> Result<K, kube::Error> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.create(group, plural, object, &params).await
    }

    async fn create<K: DeserializeOwned>(
        &self,
        group: &str,
        plural: &str,
        object: &Value,
        params: &PostParams,
    ) -> Result<K, kube::Error> {
        let body = serde_json::to_vec(object).expect("plain data");
        let request = self.path(group, plural).create(params, body);
        self.client.request(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// Reads an object of the namespace, all of it when `K` is a JSON value.
    pub async fn read<K: DeserializeOwned>(&self, group: &str, plural: &str, name: &str) -> Result<K, kube::Error> {
        let request = self.path(group, plural).get(name, &GetParams::default());
        self.client.request(request.map_err(kube::Error::BuildRequest)?).await
    }

    fn path(&self, group: &str, plural: &str) -> Request {
        Request::new(format!("/{group}/namespaces/{}/{plural}", self.namespace))
    }
}

/// Returns a client that makes requests again as [`Patience`] says, instead of kube's own policy, which
/// takes a lost answer and a 500 for the last word.
fn client(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config)?;
    // The stack below is a box, which cannot be cloned for another try; behind a queue it can.
    Ok(builder.with_layer(&BufferLayer::new(REQUESTS_MAX)).with_layer(&RetryLayer::new(Patience::default())).build())
}

/// Asks for the server's version, which everybody may know whom the server knows.
async fn greet(client: &Client, server: &str) -> Result<(), ApiError> {
    let action = format!("talk to the cluster at {server}");
    match tokio::time::timeout(GREETING_WAIT, client.apiserver_version()).await {
        Ok(Ok(_)) => Ok(()),
        // Some clusters show their version to administrators only.
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => Ok(()),
        Ok(Err(error)) => Err(ApiError::new(&action, &error)),
        Err(_) => Err(ApiError {
            kind: ApiErrorKind::Unreachable,
            message: format!(
                "failed to {action}: the cluster cannot be reached: it did not answer within {} seconds",
                GREETING_WAIT.as_secs()
            ),
            hint: None,
        }),
    }
}

async fn config(context: Option<&str>) -> Result<Config, ConnectError> {
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(fault) if is_absent(&fault) && context.is_none() => {
            return Config::incluster().map_err(|_| ConnectError::NotConfigured(fault.to_string()));
        }
        Err(fault) if is_absent(&fault) => return Err(ConnectError::NotConfigured(fault.to_string())),
        Err(fault) => return Err(ConnectError::Unusable(fault.to_string())),
    };
    if let Some(name) = context {
        find_context(&kubeconfig, name)?;
    }
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|fault| ConnectError::Unusable(fault.to_string()))
}

/// Returns whether there is no kubeconfig at all.
fn is_absent(fault: &KubeconfigError) -> bool {
    match fault {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn find_context(kubeconfig: &Kubeconfig, name: &str) -> Result<(), ConnectError> {
    let mut names = kubeconfig.contexts.iter().map(|context| context.name.as_str());
    if names.clone().any(|known| known == name) {
        return Ok(());
    }
    let nearest = suggest::nearest(name, names.by_ref()).map(str::to_owned);
    Err(ConnectError::NoContext { name: name.to_owned(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_context_is_told_with_the_nearest() {
        let text = "contexts:\n- name: production\n  context: {cluster: c, user: u}\n";
        let kubeconfig = Kubeconfig::from_yaml(text).expect("a kubeconfig");
        assert!(find_context(&kubeconfig, "production").is_ok());
        let error = find_context(&kubeconfig, "prodution").expect_err("there is none");
        assert!(matches!(error, ConnectError::NoContext { nearest: Some(near), .. } if near == "production"));
    }
}
