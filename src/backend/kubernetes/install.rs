//! What a driver in the cluster needs: an account, and what it may do in its namespace. Pure.
//!
//! An attached run needs none of it, only the rights of the one who runs `wf`. The rights are those
//! of one namespace, and neither secrets nor `exec` are among them: a pod gets its secrets from the
//! kubelet. What a `resource` template does to other objects must be allowed by a role of the user's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::drivers::{DriverKind, Drivers};
use super::kinds::Deployment;

/// The name of all that is installed.
pub const NAME: &str = "wf";

/// The label, with its value, of objects that were installed, and that uninstalling removes.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "wf");

const GROUP: &str = "rbac.authorization.k8s.io";

const READ: [&str; 3] = ["get", "list", "watch"];
const OWN: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];

/// All that is installed into a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Installation {
    /// Whom drivers in the cluster act as.
    pub account: ServiceAccount,
    /// What they may do.
    pub role: Role,
    /// That they may do it.
    pub binding: RoleBinding,
    /// Who drives, for whoever submits; none leaves what is there.
    pub drivers: Option<ConfigMap>,
    /// The controller, if there is to be one.
    pub controller: Option<Deployment>,
}

impl Installation {
    /// Returns what is installed into `namespace`; `options` are those of a controller.
    pub fn of(namespace: &str, drivers: Option<&Drivers>, options: &[String]) -> Self {
        let metadata = || metadata(namespace);
        let account = ServiceAccount { metadata: metadata(), ..ServiceAccount::default() };
        let role = Role { metadata: metadata(), rules: Some(rules()) };
        let subject = Subject {
            kind: "ServiceAccount".to_owned(),
            name: NAME.to_owned(),
            namespace: Some(namespace.to_owned()),
            ..Subject::default()
        };
        let role_ref = RoleRef { api_group: GROUP.to_owned(), kind: "Role".to_owned(), name: NAME.to_owned() };
        let controller = drivers.filter(|drivers| drivers.kind == DriverKind::Controller);
        Self {
            account,
            role,
            binding: RoleBinding { metadata: metadata(), role_ref, subjects: Some(vec![subject]) },
            drivers: drivers.map(|drivers| drivers.write(namespace)),
            controller: controller.map(|drivers| drivers.deployment(namespace, options)),
        }
    }

    /// Returns the objects as documents of YAML, as `kubectl apply -f -` takes them.
    pub fn to_yaml(&self) -> String {
        let documents = [
            Some(serde_yaml::to_string(&self.account)),
            Some(serde_yaml::to_string(&self.role)),
            Some(serde_yaml::to_string(&self.binding)),
            self.drivers.as_ref().map(serde_yaml::to_string),
            self.controller.as_ref().map(serde_yaml::to_string),
        ];
        let documents = documents.into_iter().flatten();
        let documents = documents.map(|document| document.expect("an object of Kubernetes is plain data"));
        documents.collect::<Vec<_>>().join("---\n")
    }
}

/// Returns whether an object's labels say that it was installed by `wf`.
pub fn is_ours(metadata: &ObjectMeta) -> bool {
    let (label, value) = MANAGED_BY;
    metadata.labels.as_ref().and_then(|labels| labels.get(label)).is_some_and(|found| found == value)
}

/// Returns the metadata of what is installed.
pub(super) fn metadata(namespace: &str) -> ObjectMeta {
    let (label, value) = MANAGED_BY;
    ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(BTreeMap::from([(label.to_owned(), value.to_owned())])),
        ..ObjectMeta::default()
    }
}

/// Returns what a driver does: runs are Jobs, ConfigMaps and a Lease; their nodes Jobs and pods.
fn rules() -> Vec<PolicyRule> {
    let pods = [&READ[..], &["create", "patch", "delete"]].concat();
    let events = [&READ[..], &["create", "patch"]].concat();
    let claims = [&READ[..], &["create", "delete"]].concat();
    vec![
        rule("batch", &["jobs", "cronjobs"], &OWN),
        // It says how runs are, and in managed mode how nodes are.
        rule("batch", &["jobs/status"], &["get", "update", "patch"]),
        // In managed mode it makes them; in the other it removes duplicates. One that is to stop gets a deadline.
        rule("", &["pods"], &pods),
        // It declares those ended whose machines are lost.
        rule("", &["pods/status"], &["patch"]),
        rule("", &["pods/log"], &["get"]),
        rule("", &["configmaps"], &OWN),
        // Of `volumeClaimTemplates`.
        rule("", &["persistentvolumeclaims"], &claims),
        // They tell people of a run, and it of pods that a quota refuses.
        rule("", &["events"], &events),
        rule("events.k8s.io", &["events"], &["create", "patch"]),
        rule("coordination.k8s.io", &["leases"], &OWN),
        // Whether the account of a run may do what its `resource` templates ask for.
        rule("authorization.k8s.io", &["localsubjectaccessreviews"], &["create"]),
    ]
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(owned(&[group])),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_that_is_not_needed() {
        let role = Installation::of("n", None, &[]).role;
        for rule in role.rules.expect("there are rules") {
            let resources = rule.resources.unwrap_or_default();
            let refused = |word: &String| word.contains('*') || word == "secrets" || word == "pods/exec";
            assert!(!resources.iter().chain(&rule.verbs).any(refused), "{resources:?} {:?}", rule.verbs);
        }
    }

    #[test]
    fn the_account_is_bound_to_the_role_of_its_namespace() {
        let installed = Installation::of("team", None, &[]);
        assert_eq!(installed.account.metadata.namespace.as_deref(), Some("team"));
        assert_eq!((&*installed.binding.role_ref.kind, &*installed.binding.role_ref.name), ("Role", NAME));
        let subjects = installed.binding.subjects.as_deref().unwrap_or_default();
        assert_eq!(subjects.iter().map(|subject| subject.namespace.as_deref()).collect::<Vec<_>>(), [Some("team")]);
        for metadata in [&installed.account.metadata, &installed.role.metadata, &installed.binding.metadata] {
            assert!(is_ours(metadata));
        }
        assert!(!is_ours(&ObjectMeta::default()));
    }

    #[test]
    fn it_prints_as_kubectl_reads() {
        let drivers = |kind| Drivers { image: "wf:1".to_owned(), kind };
        for (drivers, expected) in [
            (None, "ServiceAccount Role RoleBinding"),
            (Some(drivers(DriverKind::Job)), "ServiceAccount Role RoleBinding ConfigMap"),
            (Some(drivers(DriverKind::Controller)), "ServiceAccount Role RoleBinding ConfigMap Deployment"),
        ] {
            let text = Installation::of("team", drivers.as_ref(), &[]).to_yaml();
            let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
            assert_eq!(kinds.join(" "), expected);
            assert_eq!(text.matches("---\n").count(), kinds.len() - 1);
        }
    }
}
