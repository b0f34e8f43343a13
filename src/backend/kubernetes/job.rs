//! From a request of the engine to the Job that is posted for it. Pure.
//!
//! It is JSON from beginning to end: what users write of containers, volumes and the like goes
//! through as it is, and no field that this release does not know is lost.

use serde_json::{Map, Value, json};

use super::client::Owner;
use super::due::Due;
use super::fault::Refusal;
use super::{bounds, names, pod_spec};
use crate::base::Timestamp;
use crate::engine::PodRequest;

/// Who finishes the Jobs of managed mode: not the Job controller.
pub(super) const MANAGED_BY: &str = "wf.internal/driver";

/// What a Job is made in the midst of.
pub(super) struct Around<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// The time, from which the run's deadline is counted.
    pub now: Timestamp,
    /// Whether this process makes the pod.
    pub managed: bool,
}

/// A Job to be posted, and what it needs to be there before.
pub(super) struct NewJob {
    /// The Job.
    pub job: Value,
    /// Whether the ConfigMap with the helper must be there.
    pub needs_helper: bool,
}

/// Returns the Job for `request`, or why there cannot be one.
///
/// The Job runs one pod, replaces it when it was disrupted (drained, preempted, evicted), and
/// never tries again what failed: that is the engine's.
pub(super) fn job(request: &PodRequest, around: &Around<'_>) -> Result<NewJob, Refusal> {
    let pod = pod_spec::pod_template(request, around)?;
    bounds::check(&pod.template)?;
    let mut spec = json!({
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": { "rules": [
            { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
        ]},
        "template": pod.template,
    });
    if around.managed {
        spec["managedBy"] = MANAGED_BY.into();
    }
    let owner = around.owner;
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names::job(&owner.run, &owner.uid, request.node),
            "labels": labels(request, owner),
            "annotations": { names::NODE_NAME: &*request.node_name, names::DUE: Due::of(request).write() },
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": spec,
    });
    Ok(NewJob { job, needs_helper: pod.needs_helper })
}

/// Returns the labels by which a Job and its pods are found.
pub(super) fn labels(request: &PodRequest, owner: &Owner) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert(names::RUN.to_owned(), owner.run.as_str().into());
    labels.insert(names::HEAD.to_owned(), owner.head.as_str().into());
    labels.insert(names::KIND.to_owned(), "node".into());
    labels.insert(names::NODE.to_owned(), request.node.to_string().into());
    labels.insert(names::WORKFLOW.to_owned(), owner.run.as_str().into());
    if let Some(template) = request.template.name.as_deref().filter(|name| bounds::is_label_value(name)) {
        labels.insert(names::TEMPLATE.to_owned(), template.into());
    }
    labels
}

/// Returns the reference to the head, with which the Job goes.
pub(super) fn owner_reference(owner: &Owner) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": owner.run.as_str(),
        "uid": owner.head,
        "controller": true,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::{NodeIx, RunName, RunUid, TimeSpan};
    use crate::engine::Inputs;

    fn request(template: Value, workflow: Value) -> PodRequest {
        PodRequest {
            node: NodeIx(7),
            node_name: "hello.a".into(),
            pod_name: "hello-a-1".to_owned(),
            template: Arc::new(serde_json::from_value(template).expect("a template")),
            workflow: Arc::new(serde_json::from_value(workflow).expect("a workflow's spec")),
            inputs: Arc::new(Inputs::default()),
            is_running: false,
            avoided_hosts: Vec::new(),
            capture_result: false,
            deadline_after: None,
            deadline: None,
        }
    }

    fn made(request: &PodRequest) -> Result<Value, String> {
        let owner = Owner {
            run: RunName::new("hello").expect("a name"),
            uid: RunUid("u".into()),
            head: "0000-head".to_owned(),
        };
        let around = Around { owner: &owner, now: Timestamp(10_000), managed: false };
        job(request, &around).map(|new| new.job).map_err(|refusal| refusal.to_string())
    }

    /// Returns the pod's spec as YAML.
    fn pod(template: Value, workflow: Value) -> String {
        let job = made(&request(template, workflow)).expect("a Job");
        serde_yaml::to_string(&job["spec"]["template"]["spec"]).expect("plain data")
    }

    #[test]
    fn a_container_becomes_a_job_of_one_pod() {
        let template = json!({ "name": "a", "container": { "image": "busybox", "command": ["true"], "new": [1] } });
        let job = made(&request(template, json!({}))).expect("a Job");
        insta::assert_snapshot!(serde_yaml::to_string(&job).expect("plain data"), @r"
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: hello-3b771fa94a
          labels:
            wf.internal/run: hello
            wf.internal/head: 0000-head
            wf.internal/kind: node
            wf.internal/node: '7'
            workflows.argoproj.io/workflow: hello
            wf.internal/template: a
          annotations:
            wf.internal/node-name: hello.a
            wf.internal/due: '{}'
          ownerReferences:
          - apiVersion: batch/v1
            kind: Job
            name: hello
            uid: 0000-head
            controller: true
        spec:
          backoffLimit: 0
          podReplacementPolicy: Failed
          podFailurePolicy:
            rules:
            - action: Ignore
              onPodConditions:
              - type: DisruptionTarget
                status: 'True'
          template:
            metadata:
              labels:
                wf.internal/run: hello
                wf.internal/head: 0000-head
                wf.internal/kind: node
                wf.internal/node: '7'
                workflows.argoproj.io/workflow: hello
                wf.internal/template: a
              annotations:
                wf.internal/node-name: hello.a
                workflows.argoproj.io/node-name: hello.a
                wf.internal/due: '{}'
                kubectl.kubernetes.io/default-container: main
            spec:
              restartPolicy: Never
              containers:
              - image: busybox
                command:
                - 'true'
                new:
                - 1
                name: main
              automountServiceAccountToken: false
        ");
    }

    #[test]
    fn a_script_and_raw_artifacts_are_files() {
        let template = json!({
            "script": { "image": "python", "command": ["python"], "source": "print(1)" },
            "inputs": { "artifacts": [{ "name": "r", "path": "/in/r", "mode": 256, "raw": { "data": "text" } }] },
            "initContainers": [{ "name": "i", "image": "b", "mirrorVolumeMounts": true }],
            "sidecars": [{ "name": "s", "image": "c" }],
        });
        insta::assert_snapshot!(pod(template, json!({})), @r"
        restartPolicy: Never
        initContainers:
        - name: i
          image: b
          volumeMounts:
          - name: wf-files
            mountPath: /argo/staging/script
            subPath: script
            readOnly: true
          - name: wf-files
            mountPath: /in/r
            subPath: raw-0
            readOnly: true
        - name: s
          image: c
          restartPolicy: Always
        containers:
        - image: python
          command:
          - python
          name: main
          args:
          - /argo/staging/script
          volumeMounts:
          - name: wf-files
            mountPath: /argo/staging/script
            subPath: script
            readOnly: true
          - name: wf-files
            mountPath: /in/r
            subPath: raw-0
            readOnly: true
        automountServiceAccountToken: false
        volumes:
        - name: wf-files
          downwardAPI:
            items:
            - path: script
              fieldRef:
                fieldPath: metadata.annotations['wf.internal/script']
              mode: 493
            - path: raw-0
              fieldRef:
                fieldPath: metadata.annotations['wf.internal/raw-0']
              mode: 256
        ");
    }

    #[test]
    fn the_template_says_it_before_the_workflow() {
        let template = json!({
            "container": { "image": "b", "command": ["x"], "volumeMounts": [
                { "name": "v", "mountPath": "/v" }, { "name": "work", "mountPath": "/w" },
            ]},
            "nodeSelector": { "a": "1" },
            "hostAliases": [{ "ip": "10.0.0.2" }],
            "podSpecPatch": "terminationGracePeriodSeconds: 5",
            "serviceAccountName": "mine",
        });
        let workflow = json!({
            "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "unused", "emptyDir": {} }],
            "volumeClaimTemplates": [{ "metadata": { "name": "work" } }],
            "nodeSelector": { "b": "2" },
            "affinity": { "nodeAffinity": {} },
            "tolerations": [{ "key": "k" }],
            "hostAliases": [{ "ip": "10.0.0.1" }],
            "imagePullSecrets": [{ "name": "pull" }],
            "podPriorityClassName": "high",
            "securityContext": { "runAsNonRoot": true },
            "podSpecPatch": "{\"terminationGracePeriodSeconds\": 3, \"containers\": [{\"name\": \"main\", \"tty\": true}]}",
        });
        insta::assert_snapshot!(pod(template, workflow), @r"
        restartPolicy: Never
        volumes:
        - name: v
          emptyDir: {}
        - name: work
          persistentVolumeClaim:
            claimName: hello-work
        containers:
        - image: b
          command:
          - x
          volumeMounts:
          - name: v
            mountPath: /v
          - name: work
            mountPath: /w
          name: main
          tty: true
        serviceAccountName: mine
        imagePullSecrets:
        - name: pull
        hostAliases:
        - ip: 10.0.0.1
        - ip: 10.0.0.2
        nodeSelector:
          a: '1'
        affinity:
          nodeAffinity: {}
        tolerations:
        - key: k
        priorityClassName: high
        securityContext:
          runAsNonRoot: true
        terminationGracePeriodSeconds: 5
        ");
    }

    #[test]
    fn a_set_is_a_container_each() {
        let template = json!({
            "containerSet": {
                "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
                "retryStrategy": { "retries": "2", "duration": "1s" },
                "containers": [
                    { "name": "a", "image": "i", "command": ["x"], "args": ["y"] },
                    { "name": "main", "image": "i", "command": ["x"], "dependencies": ["a"] },
                ],
            },
            "volumes": [{ "name": "v", "emptyDir": {} }],
            "inputs": { "artifacts": [{ "name": "r", "path": "/in/r", "raw": { "data": "text" } }] },
            "sidecars": [{ "name": "s", "image": "c", "mirrorVolumeMounts": true }],
        });
        let mut pod: Value = serde_yaml::from_str(&pod(template, json!({}))).expect("YAML");
        // Its name has the digest of the program.
        let volumes = pod["volumes"].as_array_mut().expect("volumes");
        volumes.retain(|volume| volume["name"] != "wf-helper");
        insta::assert_snapshot!(serde_yaml::to_string(&pod).expect("plain data"), @r"
        restartPolicy: Never
        volumes:
        - name: v
          emptyDir: {}
        - name: wf-files
          downwardAPI:
            items:
            - path: raw-0
              fieldRef:
                fieldPath: metadata.annotations['wf.internal/raw-0']
        - name: wf-set
          emptyDir: {}
        initContainers:
        - name: s
          image: c
          volumeMounts:
          - name: v
            mountPath: /v
          - name: wf-files
            mountPath: /in/r
            subPath: raw-0
            readOnly: true
          restartPolicy: Always
        containers:
        - name: a
          image: i
          command:
          - /wf.internal/helper
          - run
          - --room
          - '2048'
          - --mark
          - /wf.internal.set/a
          - --tries
          - '2'
          - --pause
          - '1000'
          - --
          - x
          args:
          - y
          volumeMounts:
          - name: v
            mountPath: /v
          - name: wf-helper
            mountPath: /wf.internal
            readOnly: true
          - name: wf-set
            mountPath: /wf.internal.set
        - name: main
          image: i
          command:
          - /wf.internal/helper
          - run
          - --room
          - '2048'
          - --after
          - /wf.internal.set/a
          - --tries
          - '2'
          - --pause
          - '1000'
          - --
          - x
          volumeMounts:
          - name: v
            mountPath: /v
          - name: wf-files
            mountPath: /in/r
            subPath: raw-0
            readOnly: true
          - name: wf-helper
            mountPath: /wf.internal
            readOnly: true
          - name: wf-set
            mountPath: /wf.internal.set
          args: []
        automountServiceAccountToken: false
        nodeSelector:
          kubernetes.io/arch: amd64
        ");
    }

    #[test]
    fn an_order_that_cannot_be_kept_is_refused() {
        let container = json!({ "name": "a", "image": "mine" });
        let set = |retries: Value| json!({ "containerSet": { "containers": [container], "retryStrategy": retries } });
        assert!(made(&request(set(Value::Null), json!({}))).is_ok());
        for (retries, expected) in [
            (
                json!({ "retries": 2 }),
                "its container `a` cannot be kept in order, since it has no `command`, and what the image `mine` runs is \
                 not known; say `command:`; `docker image inspect` shows the image's entrypoint",
            ),
            (
                json!({ "retries": "many" }),
                "the `retryStrategy` of the container set cannot be followed: `many` is no number of `retries`",
            ),
        ] {
            assert_eq!(made(&request(set(retries), json!({}))), Err(expected.to_owned()));
        }
    }

    #[test]
    fn the_sooner_deadline_holds() {
        let container = || json!({ "container": { "image": "b" } });
        let seconds = |after: Option<u64>, at: Option<i64>| {
            let mut request = request(container(), json!({}));
            request.deadline_after = after.map(TimeSpan);
            request.deadline = at.map(Timestamp);
            made(&request).expect("a Job")["spec"]["template"]["spec"]["activeDeadlineSeconds"].clone()
        };
        assert_eq!(seconds(None, None), Value::Null);
        assert_eq!(seconds(Some(1500), None), 2);
        assert_eq!(seconds(Some(9000), Some(15_000)), 5);
        assert_eq!(seconds(None, Some(9_000)), 1);
    }

    #[test]
    fn what_cannot_be_a_job_is_refused() {
        for (template, expected) in [
            (
                json!({ "container": { "volumeMounts": [{ "name": "v", "mountPath": "/v" }] } }),
                "there is no volume `v` to mount; declare it in the template's or the workflow's `volumes`",
            ),
            (
                json!({ "container": {}, "inputs": { "artifacts": [{ "name": "a", "path": "/a" }] } }),
                "the input artifact `a` does not come with its content; give it as `raw` or make it optional",
            ),
            (
                json!({ "data": { "source": {}, "transformation": [] } }),
                "a `data` template cannot run in a pod of a cluster yet",
            ),
        ] {
            assert_eq!(made(&request(template, json!({}))), Err(expected.to_owned()));
        }
    }
}
