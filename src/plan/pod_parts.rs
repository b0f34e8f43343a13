//! What a workflow says of all its pods, taken out of its spec: a pod's request carries it.

use std::sync::Arc;

use super::model::Text;
use super::texts;
use crate::spec;

/// What a workflow says of all its pods.
#[derive(Default)]
pub struct PodParts {
    /// The spec with the fields that are about pods, and no other.
    pub spec: Arc<spec::WorkflowSpec>,
    /// Where in it, as a JSON value, there are tags.
    pub texts: Vec<Text>,
}

impl PodParts {
    /// Takes them out of `spec`. Texts that cannot be read stay as they are; the checks tell of them.
    pub(super) fn of(spec: &spec::WorkflowSpec) -> Self {
        let spec = about_pods(spec);
        let (texts, _) = texts::collect(&spec, &[], |_| {});
        Self { spec: Arc::new(spec), texts }
    }
}

/// Returns the fields that are about pods. A new field is left out until it is listed here.
fn about_pods(spec: &spec::WorkflowSpec) -> spec::WorkflowSpec {
    spec::WorkflowSpec {
        service_account_name: spec.service_account_name.clone(),
        automount_service_account_token: spec.automount_service_account_token,
        volumes: spec.volumes.clone(),
        volume_claim_templates: spec.volume_claim_templates.clone(),
        node_selector: spec.node_selector.clone(),
        affinity: spec.affinity.clone(),
        tolerations: spec.tolerations.clone(),
        image_pull_secrets: spec.image_pull_secrets.clone(),
        host_network: spec.host_network,
        dns_policy: spec.dns_policy.clone(),
        dns_config: spec.dns_config.clone(),
        scheduler_name: spec.scheduler_name.clone(),
        pod_gc: spec.pod_gc.clone(),
        pod_priority_class_name: spec.pod_priority_class_name.clone(),
        host_aliases: spec.host_aliases.clone(),
        security_context: spec.security_context.clone(),
        pod_spec_patch: spec.pod_spec_patch.clone(),
        pod_metadata: spec.pod_metadata.clone(),
        volume_claim_gc: spec.volume_claim_gc.clone(),
        pod_resources: spec.pod_resources.clone(),
        resource_claims: spec.resource_claims.clone(),
        ..spec::WorkflowSpec::default()
    }
}
