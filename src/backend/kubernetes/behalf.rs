//! What a driver may do for those whose runs it drives. Pure but for one question to the cluster.
//!
//! Whoever may create Jobs in a namespace may run pods there under any of its accounts, with what these may
//! do; to submit a run is to create a Job. So a driver that lives in the cluster starts pods under any
//! account of its namespace, unless it was given a list, and does what a `resource` template asks for only
//! where the account of the run may do it: that is what Argo's pod for it could. It never acts outside its
//! namespace. A driver at a terminal is the user, and asks nothing.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{LocalSubjectAccessReview, ResourceAttributes, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::core::ApiResource;
use serde_json::Value;

use super::Cluster;
use crate::spec;

/// The account that a pod has when nothing is said.
const DEFAULT_ACCOUNT: &str = "default";

/// How a driver acts for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behalf {
    /// The only accounts whose pods are started; all of the namespace when none.
    pub accounts: Option<BTreeSet<String>>,
}

/// An object that a template acts on.
pub(super) struct Acted<'a> {
    pub kind: &'a ApiResource,
    /// None where the kind has none.
    pub namespace: Option<&'a str>,
    pub name: Option<&'a str>,
}

impl Behalf {
    /// Checks the account of a pod that is to be started; says what is wrong with it.
    pub(super) fn check_pod(&self, pod: &Value) -> Result<(), String> {
        let Some(accounts) = &self.accounts else { return Ok(()) };
        // The second field is the first one's old name, which a patch may still set.
        let named = ["serviceAccountName", "serviceAccount"].map(|field| pod[field].as_str().unwrap_or_default());
        let mut named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
        if named.is_empty() {
            named.push(DEFAULT_ACCOUNT);
        }
        match named.into_iter().find(|name| !accounts.contains(*name)) {
            Some(name) => {
                let allowed = accounts.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                Err(format!("this driver starts no pods under the account `{name}`, only under {allowed}"))
            }
            None => Ok(()),
        }
    }

    /// Checks that the account of a run may do `verbs` to an object; says what is wrong otherwise.
    pub(super) async fn check_act(
        &self,
        cluster: &Cluster,
        account: &str,
        verbs: &[&str],
        acted: &Acted<'_>,
    ) -> Result<(), String> {
        if acted.namespace != Some(&cluster.namespace) {
            return Err(format!(
                "a driver in the cluster acts in its own namespace `{}` only; drive the run from outside",
                cluster.namespace
            ));
        }
        let reviews: Api<LocalSubjectAccessReview> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        for verb in verbs {
            let asked = review(&cluster.namespace, account, verb, acted);
            let answer = reviews.create(&PostParams::default(), &asked).await;
            let answer = answer.map_err(|error| format!("whether the account may do it cannot be asked: {error}"))?;
            if !answer.status.is_some_and(|status| status.allowed) {
                return Err(format!(
                    "the account `{account}` of the run may not {verb} {} in namespace `{}`; \
                     bind a role to it, or name another in `serviceAccountName`",
                    acted.kind.plural, cluster.namespace
                ));
            }
        }
        Ok(())
    }
}

/// Returns the account that a resource template acts as, as Argo's pod for it would.
pub(super) fn account<'a>(template: &'a spec::Template, workflow: &'a spec::WorkflowSpec) -> &'a str {
    let executor = [&template.executor, &workflow.executor].into_iter().flatten();
    let mut named = executor
        .map(|executor| &executor.service_account_name)
        .chain([&template.service_account_name, &workflow.service_account_name])
        .flatten();
    named.find(|name| !name.is_empty()).map_or(DEFAULT_ACCOUNT, String::as_str)
}

/// Returns the verbs that an action of a resource template needs; one without a name looks for objects.
pub(super) fn verbs(action: &str, has_name: bool) -> &'static [&'static str] {
    match action {
        "create" => &["create", "get"],
        "apply" => &["create", "patch"],
        "replace" => &["get", "update"],
        "patch" => &["patch"],
        "delete" if has_name => &["delete"],
        "delete" => &["list", "delete"],
        _ => &["get"],
    }
}

fn review(namespace: &str, account: &str, verb: &str, acted: &Acted<'_>) -> LocalSubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(acted.kind.group.clone()),
        version: Some(acted.kind.version.clone()),
        resource: Some(acted.kind.plural.clone()),
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        name: acted.name.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let groups = ["serviceaccounts".to_owned(), format!("serviceaccounts:{namespace}"), "authenticated".to_owned()];
    LocalSubjectAccessReview {
        metadata: ObjectMeta { namespace: Some(namespace.to_owned()), ..ObjectMeta::default() },
        spec: SubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            user: Some(format!("system:serviceaccount:{namespace}:{account}")),
            groups: Some(groups.map(|group| format!("system:{group}")).into()),
            ..SubjectAccessReviewSpec::default()
        },
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_are_started_under_listed_accounts_only() {
        let listed = Behalf { accounts: Some(["builder".to_owned(), "default".to_owned()].into()) };
        let strict = Behalf { accounts: Some(["builder".to_owned()].into()) };
        for (behalf, pod, refused) in [
            (&listed, json!({}), None),
            (&strict, json!({}), Some("default")),
            (&strict, json!({ "serviceAccountName": "builder" }), None),
            (&strict, json!({ "serviceAccountName": "builder", "serviceAccount": "admin" }), Some("admin")),
            (&strict, json!({ "serviceAccountName": "admin" }), Some("admin")),
            (&Behalf::default(), json!({ "serviceAccountName": "admin" }), None),
        ] {
            let checked = behalf.check_pod(&pod);
            let named = refused.map(|name| format!("under the account `{name}`, only under "));
            match (&checked, &named) {
                (Err(said), Some(named)) => assert!(said.contains(named.as_str()), "{said}"),
                _ => assert!(checked.is_ok() && named.is_none(), "{pod} {checked:?}"),
            }
        }
    }

    #[test]
    fn a_resource_template_acts_as_the_account_of_its_run() {
        let spec = |value: Value| serde_json::from_value::<spec::WorkflowSpec>(value).expect("a spec");
        let template = |value: Value| serde_json::from_value::<spec::Template>(value).expect("a template");
        for (of_template, of_workflow, expected) in [
            (json!({}), json!({}), "default"),
            (json!({}), json!({ "serviceAccountName": "a" }), "a"),
            (json!({ "serviceAccountName": "b" }), json!({ "serviceAccountName": "a" }), "b"),
            (
                json!({ "serviceAccountName": "b" }),
                json!({ "serviceAccountName": "a", "executor": { "serviceAccountName": "c" } }),
                "c",
            ),
        ] {
            assert_eq!(account(&template(of_template), &spec(of_workflow)), expected);
        }
    }

    #[test]
    fn the_question_names_account_groups_and_object() {
        let kind = ApiResource::erase::<super::super::Job>(&());
        let acted = Acted { kind: &kind, namespace: Some("team"), name: Some("j") };
        let spec = review("team", "builder", "patch", &acted).spec;
        assert_eq!(spec.user.as_deref(), Some("system:serviceaccount:team:builder"));
        assert!(spec.groups.unwrap_or_default().contains(&"system:serviceaccounts:team".to_owned()));
        let attributes = spec.resource_attributes.expect("they are there");
        let asked = [attributes.group, attributes.resource, attributes.verb, attributes.name];
        assert_eq!(asked.map(Option::unwrap_or_default), ["batch", "jobs", "patch", "j"]);
    }
}
