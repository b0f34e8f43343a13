//! The request of an `http` template, sent by the driver itself, as Argo's agent does: no pod is started for it.
//!
//! A driver in the cluster has no right to read Secrets; with what its headers take from them, a request then
//! goes out only from a driver at a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::core::ApiResource;

use super::api_error::ApiError;
use super::behalf::{self, Acted};
use super::{Behalf, Cluster};
use crate::backend::http;
use crate::engine::{PodReport, PodRequest};
use crate::spec;

/// The Secrets that a request refers to, by name.
type Secrets = BTreeMap<String, Secret>;

/// Sends the request of a node, and returns the node's end.
pub(super) async fn send(cluster: Cluster, request: PodRequest, behalf: Option<Arc<Behalf>>) -> PodReport {
    let Some(http) = &request.template.http else {
        return PodReport::Ended(http::broken("the template has no `http`".to_owned()));
    };
    let order = match secrets(&cluster, http, &request, behalf.as_deref()).await {
        Ok(secrets) => http::Order::new(http, &|name, key| text(&secrets, name, key)),
        Err(words) => Err(words),
    };
    PodReport::Ended(match order {
        Ok(order) => order.carry_out().await,
        Err(words) => http::broken(words),
    })
}

/// Reads the Secrets that the headers refer to.
async fn secrets(
    cluster: &Cluster,
    http: &spec::HTTP,
    request: &PodRequest,
    behalf: Option<&Behalf>,
) -> Result<Secrets, String> {
    let (kind, api): (_, Api<Secret>) =
        (ApiResource::erase::<Secret>(&()), Api::namespaced(cluster.client.clone(), &cluster.namespace));
    let account = behalf::account(&request.template, &request.workflow);
    let mut found = Secrets::new();
    for name in names(http) {
        if let Some(behalf) = behalf {
            let acted = Acted { kind: &kind, namespace: Some(&cluster.namespace), name: Some(&name) };
            behalf.check_act(cluster, account, &["get"], &acted).await?;
        }
        let secret = api.get_opt(&name).await;
        let secret = secret.map_err(|error| ApiError::new(&format!("read the Secret `{name}`"), &error).message)?;
        found.extend(secret.map(|secret| (name, secret)));
    }
    Ok(found)
}

/// Returns the names of the Secrets that the headers refer to.
fn names(http: &spec::HTTP) -> BTreeSet<String> {
    let references = http.headers.iter().filter_map(|header| header.value_from.as_ref()?.secret_key_ref.as_ref());
    references.filter_map(|reference| reference.name.clone()).collect()
}

fn text(secrets: &Secrets, name: &str, key: &str) -> Option<String> {
    let bytes = secrets.get(name)?.data.as_ref()?.get(key)?;
    Some(String::from_utf8_lossy(&bytes.0).into_owned())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_take_their_values_from_secrets() {
        let of = |secret: &str| json!({ "secretKeyRef": { "name": secret, "key": "k" } });
        let http = json!({ "url": "http://x", "headers": [
            { "name": "a", "value": "plain" },
            { "name": "b", "valueFrom": of("one") },
            { "name": "c", "valueFrom": of("two") },
            { "name": "d", "valueFrom": of("one") },
        ]});
        let http: spec::HTTP = serde_json::from_value(http).expect("a request");
        assert_eq!(names(&http), ["one".to_owned(), "two".to_owned()].into());
        let data = Some([("k".to_owned(), ByteString(b"word".to_vec()))].into());
        let secrets = Secrets::from([("one".to_owned(), Secret { data, ..Secret::default() })]);
        assert_eq!(text(&secrets, "one", "k").as_deref(), Some("word"));
        assert_eq!((text(&secrets, "one", "other"), text(&secrets, "two", "k")), (None, None));
    }
}
