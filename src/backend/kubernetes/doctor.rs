//! Whether a cluster lets us run what we are to run: permissions, version, quota, pod security.
//!
//! What is asked for stands in tables; what answers mean is decided apart from asking.

use futures_util::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::core::Status;
use serde_json::{Value, json};

use super::{ApiError, ApiErrorKind, Cluster};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing stands in the way.
    Good,
    /// Something is missing that a run can do without.
    Lacking,
    /// Runs are not possible.
    Bad,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub health: Health,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    pub(super) fn good(what: impl Into<String>) -> Self {
        Self { health: Health::Good, what: what.into(), help: None }
    }

    pub(super) fn lacking(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { health: Health::Lacking, what: what.into(), help: Some(help.into()) }
    }

    pub(super) fn bad(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { health: Health::Bad, what: what.into(), help: Some(help.into()) }
    }
}

/// Permissions on one resource.
struct Needed {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    /// Runs are possible without, but for this.
    without: Option<&'static str>,
}

/// Every permission that an attached run uses.
const NEEDED: [Needed; 11] = [
    Needed {
        group: "batch",
        resource: "jobs",
        verbs: &["create", "get", "list", "watch", "patch", "delete"],
        without: None,
    },
    Needed {
        group: "",
        resource: "configmaps",
        verbs: &["create", "get", "list", "watch", "update", "delete"],
        without: None,
    },
    Needed {
        group: "coordination.k8s.io",
        resource: "leases",
        verbs: &["create", "get", "watch", "update", "patch", "delete"],
        without: None,
    },
    Needed { group: "", resource: "pods", verbs: &["get", "list", "watch", "delete"], without: None },
    Needed {
        group: "",
        resource: "pods/log",
        verbs: &["get"],
        without: Some("`wf logs` prints nothing, and long outputs are lost"),
    },
    Needed {
        group: "batch",
        resource: "jobs/status",
        verbs: &["patch"],
        without: Some("`kubectl get jobs` and `kubectl wait` do not show how runs end"),
    },
    Needed { group: "", resource: "pods", verbs: &["create"], without: Some("managed mode is not possible") },
    Needed {
        group: "",
        resource: "pods",
        verbs: &["patch"],
        without: Some("steps that are stopped are deleted, and their logs with them"),
    },
    Needed {
        group: "",
        resource: "pods/status",
        verbs: &["patch"],
        without: Some("a step whose machine is lost is an error, instead of being started elsewhere"),
    },
    Needed {
        group: "",
        resource: "events",
        verbs: &["list", "watch", "create"],
        without: Some("that a quota or a policy keeps a step from its pod is not told, and quotas cost more time"),
    },
    Needed {
        group: "",
        resource: "persistentvolumeclaims",
        verbs: &["create", "get", "delete"],
        without: Some("`volumeClaimTemplates` are not possible"),
    },
];

/// The first minor version of Kubernetes with native sidecars switched on.
const MINOR_MIN: u32 = 29;

/// The first minor version that knows `managedBy` unless it is switched off.
const MINOR_MANAGED: u32 = 32;

/// Examines the namespace of `cluster`.
pub async fn examine(cluster: &Cluster) -> Result<Vec<Finding>, ApiError> {
    let version = cluster.client.apiserver_version().await;
    let version = version.map_err(|error| ApiError::new("ask for the version of the cluster", &error))?;
    let mut findings = vec![judge_version(&version.git_version, minor(&version.minor))];
    findings.extend(namespace(cluster).await?);
    findings.extend(permissions(cluster).await?);
    findings.extend(quotas(cluster).await);
    findings.extend(plain_pod(cluster).await);
    Ok(findings)
}

/// Asks whether a pod that asks for nothing would be taken, without making it: policies, limits and webhooks
/// have their say.
async fn plain_pod(cluster: &Cluster) -> Option<Finding> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": "wf-doctor-" },
        "spec": { "containers": [{ "name": "main", "image": "busybox" }] },
    });
    match cluster.try_post::<Value>("api/v1", "pods", &pod).await {
        Ok(_) => Some(Finding::good("a pod that asks for nothing would be taken")),
        Err(kube::Error::Api(status)) => judge_plain_pod(&status),
        // What else is wrong was told by now.
        Err(_) => None,
    }
}

/// Returns what the refusal of a plain pod means; nothing when it is that of a permission or a quota, which are
/// told of by themselves.
fn judge_plain_pod(refusal: &Status) -> Option<Finding> {
    let error = ApiError::of_status("make a pod that asks for nothing", refusal);
    let is_told = error.hint.is_some() || !matches!(error.kind, ApiErrorKind::Forbidden | ApiErrorKind::Invalid);
    let help = "give steps what it asks for, in `podSpecPatch` for all of them or in each template";
    (!is_told).then(|| Finding::lacking(error.message, help))
}

/// Reads a minor version, which some clusters write as `34+`.
fn minor(text: &str) -> Option<u32> {
    text.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().ok()
}

fn judge_version(version: &str, minor: Option<u32>) -> Finding {
    match minor {
        Some(minor) if minor < MINOR_MIN => {
            Finding::bad(format!("Kubernetes {version} is older than 1.{MINOR_MIN}"), "upgrade the cluster")
        }
        Some(minor) if minor < MINOR_MANAGED => Finding::lacking(
            format!("Kubernetes {version}: runs work, and managed mode does not"),
            format!("it takes 1.{MINOR_MANAGED}"),
        ),
        _ => Finding::good(format!("Kubernetes {version}")),
    }
}

async fn namespace(cluster: &Cluster) -> Result<Vec<Finding>, ApiError> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let name = &cluster.namespace;
    match namespaces.get_opt(name).await {
        Ok(Some(namespace)) => {
            let labels = namespace.metadata.labels.unwrap_or_default();
            let level = labels.get("pod-security.kubernetes.io/enforce").map(String::as_str);
            Ok(vec![judge_security(name, level)])
        }
        Ok(None) => {
            let help = format!("kubectl create namespace {name}, or choose another with -n");
            Ok(vec![Finding::bad(format!("there is no namespace `{name}`"), help)])
        }
        // Who may not read namespaces is told by the permissions whether this one is there.
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Vec::new()),
        Err(error) => Err(ApiError::new(&format!("read the namespace `{name}`"), &error)),
    }
}

fn judge_security(namespace: &str, level: Option<&str>) -> Finding {
    match level {
        Some("restricted") => Finding::lacking(
            format!("namespace `{namespace}` lets only `restricted` pods run"),
            "give containers a `securityContext` with `runAsNonRoot`, as that standard wants",
        ),
        level => Finding::good(format!("namespace `{namespace}`, pod security {}", level.unwrap_or("not enforced"))),
    }
}

async fn permissions(cluster: &Cluster) -> Result<Vec<Finding>, ApiError> {
    let answers = join_all(NEEDED.iter().map(|needed| missing(cluster, needed))).await;
    let mut findings = Vec::new();
    for (needed, missing) in NEEDED.iter().zip(answers) {
        findings.push(judge_permission(needed, &missing?));
    }
    Ok(findings)
}

/// Returns the verbs that we lack.
async fn missing(cluster: &Cluster, needed: &Needed) -> Result<Vec<&'static str>, ApiError> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let asked = needed.verbs.iter().map(|verb| {
        let (resource, subresource) = match needed.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource)),
            None => (needed.resource, None),
        };
        let attributes = ResourceAttributes {
            namespace: Some(cluster.namespace.clone()),
            verb: Some((*verb).to_owned()),
            group: Some(needed.group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: subresource.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let reviews = reviews.clone();
        async move { reviews.create(&PostParams::default(), &review).await }
    });
    let mut missing = Vec::new();
    for (verb, answer) in needed.verbs.iter().zip(join_all(asked).await) {
        let answer = answer.map_err(|error| ApiError::new("ask what you may do", &error))?;
        if !answer.status.is_some_and(|status| status.allowed) {
            missing.push(*verb);
        }
    }
    Ok(missing)
}

fn judge_permission(needed: &Needed, missing: &[&str]) -> Finding {
    let resource = match needed.group {
        "" => needed.resource.to_owned(),
        group => format!("{}.{group}", needed.resource),
    };
    if missing.is_empty() {
        return Finding::good(format!("you may {} {resource}", needed.verbs.join(", ")));
    }
    let what = format!("you may not {} {resource}", missing.join(", "));
    let help = format!("ask for a Role with {} on {resource}", missing.join(", "));
    match needed.without {
        Some(without) => Finding::lacking(format!("{what}: {without}"), help),
        None => Finding::bad(what, help),
    }
}

async fn quotas(cluster: &Cluster) -> Vec<Finding> {
    let quotas: Api<ResourceQuota> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    // Who may not read quotas is told when one is used up.
    let Ok(quotas) = quotas.list(&ListParams::default()).await else { return Vec::new() };
    quotas.items.iter().flat_map(judge_quota).collect()
}

/// Returns what a quota leaves of the things that runs are made of.
fn judge_quota(quota: &ResourceQuota) -> Vec<Finding> {
    let name = quota.metadata.name.as_deref().unwrap_or_default();
    let Some(status) = &quota.status else { return Vec::new() };
    let hard = status.hard.iter().flatten();
    let of_runs =
        |key: &str| matches!(key, "pods" | "count/pods" | "count/jobs.batch" | "configmaps" | "count/configmaps");
    let counted = hard.filter(|(key, _)| of_runs(key)).filter_map(|(key, hard)| {
        let used = status.used.as_ref()?.get(key)?;
        let (used, hard) = (used.0.parse::<u64>().ok()?, hard.0.parse::<u64>().ok()?);
        Some((key, used, hard))
    });
    let judged = counted.map(|(key, used, hard)| {
        let what = format!("quota `{name}`: {used} of {hard} {key} are used");
        match used < hard {
            true => Finding::good(what),
            false => Finding::lacking(what, "runs wait until there is room"),
        }
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_what_they_can() {
        for (text, health) in [("28", Health::Bad), ("30+", Health::Lacking), ("34", Health::Good), ("x", Health::Good)]
        {
            assert_eq!(judge_version("v", minor(text)).health, health, "{text}");
        }
    }

    #[test]
    fn what_a_plain_pod_lacks_is_told_once() {
        let judged = |message: &str| {
            judge_plain_pod(&Status::failure(message, "Forbidden").with_code(403)).map(|finding| finding.what)
        };
        assert_eq!(judged("pods \"a\" is forbidden: exceeded quota: two, requested: pods=1"), None);
        assert_eq!(
            judged(r#"pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n""#),
            None
        );
        let limits = "pods \"a\" is forbidden: failed quota: cpu: must specify limits.cpu for: main";
        let expected =
            "failed to make a pod that asks for nothing: failed quota: cpu: must specify limits.cpu for: main";
        assert_eq!(judged(limits).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_missing_is_named() {
        let jobs = judge_permission(&NEEDED[0], &["create", "watch"]);
        assert_eq!((jobs.health, jobs.what.as_str()), (Health::Bad, "you may not create, watch jobs.batch"));
        assert_eq!(judge_permission(&NEEDED[4], &["get"]).health, Health::Lacking);
        assert_eq!(judge_permission(&NEEDED[1], &[]).health, Health::Good);
    }
}
