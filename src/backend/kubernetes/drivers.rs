//! Drivers that live in the cluster: what was installed, and the pods that they are. Pure.
//!
//! What `wf install` was told stands in a ConfigMap, where whoever submits finds it: a run is then driven
//! by a Job of its own, or by the controller that is a Deployment. The pods meet the `restricted` standard,
//! and are small: a driver of 10,000 nodes needs less than 100 MB.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::client::Owner;
use super::install::{self, NAME};
use super::kinds::Deployment;
use super::{job, names};
use crate::base::limits::DRIVER_RESTARTS_MAX;

/// How long a driver's Job stays after its end, for those who look why.
const LINGER_SECONDS: i32 = 60;

/// Exit codes of a driver that would come again: the log is damaged or of a later release, the command is
/// none, the run is gone. See `cli/error.rs`.
const FINAL_CODES: [i32; 3] = [1, 2, 3];

/// The keys of the ConfigMap.
const IMAGE: &str = "image";
const DRIVES: &str = "drives";

/// Who drives the runs of a namespace, as it was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drivers {
    /// The image of `wf`.
    pub image: String,
    /// What lives there.
    pub kind: DriverKind,
}

/// What drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverKind {
    /// A Job for each run.
    Job,
    /// One process for all runs.
    Controller,
}

impl DriverKind {
    fn word(self) -> &'static str {
        match self {
            DriverKind::Job => "job",
            DriverKind::Controller => "controller",
        }
    }
}

impl Drivers {
    /// Returns the ConfigMap that says so.
    pub fn write(&self, namespace: &str) -> ConfigMap {
        let data = [(IMAGE, self.image.as_str()), (DRIVES, self.kind.word())];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        ConfigMap { metadata: install::metadata(namespace), data: Some(data.into()), ..ConfigMap::default() }
    }

    /// Reads the ConfigMap; none when it is another's, or says nothing.
    pub fn read(map: &ConfigMap) -> Option<Self> {
        let data = map.data.as_ref().filter(|_| install::is_ours(&map.metadata))?;
        let kind = [DriverKind::Job, DriverKind::Controller];
        let kind = kind.into_iter().find(|kind| data.get(DRIVES).is_some_and(|word| word == kind.word()))?;
        Some(Self { image: data.get(IMAGE)?.clone(), kind })
    }

    /// Returns the Job that drives one run to its end. `records` is how far the run's log had come when
    /// it was asked for, so that asking twice makes one.
    pub fn job(&self, owner: &Owner, records: usize) -> Value {
        let labels = [(names::RUN, owner.run.as_str()), (names::KIND, names::DRIVER_KIND)];
        let labels: BTreeMap<&str, &str> = labels.into();
        let mut reference = job::owner_reference(owner);
        reference["controller"] = false.into();
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": names::driver(&owner.run, &owner.uid, records),
                "labels": labels,
                "ownerReferences": [reference],
            },
            "spec": {
                "backoffLimit": DRIVER_RESTARTS_MAX,
                "podReplacementPolicy": "Failed",
                "ttlSecondsAfterFinished": LINGER_SECONDS,
                "podFailurePolicy": { "rules": [
                    { "action": "FailJob", "onExitCodes": { "operator": "In", "values": FINAL_CODES } },
                    { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
                ]},
                "template": {
                    "metadata": { "labels": labels },
                    "spec": self.pod("Never", &["controller", "--run", owner.run.as_str()]),
                },
            },
        })
    }

    /// Returns the Deployment of the controller; `options` are further arguments of it.
    pub fn deployment(&self, namespace: &str, options: &[String]) -> Deployment {
        let labels = BTreeMap::from([("app.kubernetes.io/name", "wf-controller")]);
        let mut arguments = vec!["controller"];
        arguments.extend(options.iter().map(String::as_str));
        Deployment {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            metadata: install::metadata(namespace),
            spec: json!({
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": self.pod("Always", &arguments) },
            }),
        }
    }

    fn pod(&self, restart: &str, arguments: &[&str]) -> Value {
        json!({
            "restartPolicy": restart,
            "serviceAccountName": NAME,
            "automountServiceAccountToken": true,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65534, "runAsGroup": 65534,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "driver",
                "image": self.image,
                "command": ["wf"],
                "args": arguments,
                "resources": {
                    "requests": { "cpu": "20m", "memory": "32Mi" },
                    "limits": { "memory": "512Mi" },
                },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;
    use crate::base::{RunName, RunUid};

    fn drivers(kind: DriverKind) -> Drivers {
        Drivers { image: "registry.example/wf:1".to_owned(), kind }
    }

    #[test]
    fn what_was_installed_is_read_as_it_was_written() {
        for kind in [DriverKind::Job, DriverKind::Controller] {
            let map = drivers(kind).write("team");
            assert_eq!(Drivers::read(&map), Some(drivers(kind)));
            assert_eq!(Drivers::read(&ConfigMap { metadata: ObjectMeta::default(), ..map }), None, "another's");
        }
        let mut odd = drivers(DriverKind::Job).write("team");
        odd.data.get_or_insert_default().insert(DRIVES.to_owned(), "chance".to_owned());
        assert_eq!(Drivers::read(&odd), None);
    }

    #[test]
    fn a_run_is_driven_by_a_job_that_goes_with_it() {
        let owner = Owner {
            run: RunName::new("hello").expect("a name"),
            uid: RunUid("u".into()),
            head: "0000-head".to_owned(),
        };
        let (first, again, later) = {
            let job = |records| -> Job {
                serde_json::from_value(drivers(DriverKind::Job).job(&owner, records)).expect("it is a Job")
            };
            (job(1), job(1), job(7))
        };
        assert_eq!(first.metadata.name, again.metadata.name);
        assert_ne!(first.metadata.name, later.metadata.name);
        insta::assert_snapshot!(serde_yaml::to_string(&first).expect("plain data"), @r"
        apiVersion: batch/v1
        kind: Job
        metadata:
          labels:
            wf.internal/kind: driver
            wf.internal/run: hello
          name: hello-5b9601b2b1
          ownerReferences:
          - apiVersion: batch/v1
            controller: false
            kind: Job
            name: hello
            uid: 0000-head
        spec:
          backoffLimit: 20
          podFailurePolicy:
            rules:
            - action: FailJob
              onExitCodes:
                operator: In
                values:
                - 1
                - 2
                - 3
            - action: Ignore
              onPodConditions:
              - status: 'True'
                type: DisruptionTarget
          podReplacementPolicy: Failed
          template:
            metadata:
              labels:
                wf.internal/kind: driver
                wf.internal/run: hello
            spec:
              automountServiceAccountToken: true
              containers:
              - args:
                - controller
                - --run
                - hello
                command:
                - wf
                image: registry.example/wf:1
                name: driver
                resources:
                  limits:
                    memory: 512Mi
                  requests:
                    cpu: 20m
                    memory: 32Mi
                securityContext:
                  allowPrivilegeEscalation: false
                  capabilities:
                    drop:
                    - ALL
                  readOnlyRootFilesystem: true
              restartPolicy: Never
              securityContext:
                runAsGroup: 65534
                runAsNonRoot: true
                runAsUser: 65534
                seccompProfile:
                  type: RuntimeDefault
              serviceAccountName: wf
          ttlSecondsAfterFinished: 60
        ");
    }

    #[test]
    fn the_controller_is_told_its_options() {
        let deployment = drivers(DriverKind::Controller).deployment("team", &["--runs=3".to_owned()]);
        let whole = serde_json::to_value(&deployment).expect("plain data");
        let whole: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(whole).expect("it is a Deployment");
        let pod = whole.spec.and_then(|spec| spec.template.spec).expect("a pod");
        assert_eq!(pod.containers[0].args.as_deref(), Some(&["controller".to_owned(), "--runs=3".to_owned()][..]));
        assert_eq!(pod.restart_policy.as_deref(), Some("Always"));
        assert!(install::is_ours(&deployment.metadata));
    }
}
