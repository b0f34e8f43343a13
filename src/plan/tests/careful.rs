//! What Argo accepts and what then fails, hangs or does nothing, as annotated manifests.

use super::annotated::{check, check_templates};

const HEAD: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\n";

#[test]
fn templates_that_nothing_calls() {
    check(&format!(
        "{HEAD}spec:
  entrypoint: main
  onExit: bye
  hooks: {{early: {{template: hook, expression: 'true'}}}}
  templates:
  - name: main
    steps: [[{{name: a, template: work, onExit: after}}]]
  - {{name: work, suspend: {{}}}}
  - {{name: after, suspend: {{}}}}
  - {{name: bye, suspend: {{}}}}
  - {{name: hook, suspend: {{}}}}
  - {{name: spare, steps: [[{{name: a, template: below}}]]}} #! WF151 `spare`
  - {{name: below, suspend: {{}}}} #! WF151 `below`
"
    ));
    // Any template may be the one that a name with tags becomes.
    check_templates(
        "  - {name: main, inputs: {parameters: [{name: t, default: x}]}, steps: [[{name: a, template: '{{inputs.parameters.t}}'}]]}
  - {name: x, suspend: {}}
  # no note here: WF151 is not told
",
    );
}

#[test]
fn values_that_nothing_reads() {
    check(&format!(
        "{HEAD}spec:
  entrypoint: main
  arguments:
    parameters:
    - {{name: used, value: 1}}
    - {{name: taken, value: 1}}
    - {{name: lost, value: 1}} #! WF152 parameter `lost`
  templates:
  - name: main
    inputs:
      parameters:
      - {{name: taken}}
      - {{name: spare, default: ''}} #! WF152 input `spare`
      - {{name: with-dash, default: ''}}
    container: {{image: 'a:1', args: ['{{{{inputs.parameters.taken}}}} {{{{workflow.parameters.used}}}}', \"{{{{=inputs.parameters['with-dash']}}}}\"]}}
"
    ));
}

#[test]
fn conditions_that_never_hold() {
    check_templates(
        "  - name: main
    inputs: {parameters: [{name: p, default: x}]}
    steps:
    - - {name: a, template: work}
    - - {name: b, template: work, when: '{{steps.a.status}} == Success'} #! WF153 never hold
      - {name: c, template: work, when: '{{steps.a.status}} == Succeeded'}
      - {name: d, template: work, when: '{{inputs.parameters.p}} == x && {{inputs.parameters.p}} == y'} #! WF153
      - {name: e, template: work, when: '{{inputs.parameters.p}} > 3 && {{inputs.parameters.p}} < 5'}
      - {name: f, template: work, when: '{{inputs.parameters.p}} > 5 && {{inputs.parameters.p}} < 3'} #! WF153
      - {name: g, template: work, when: '1 == 2'} #! WF153
      - {name: h, template: work, when: 'false'}
      - {name: i, template: work, when: \"'{{inputs.parameters.p}}' in ('a b', 'c')\"}
      - {name: j, template: work, when: '{{inputs.parameters.p}} =~ \"^z\"'}
      - {name: k, template: work, when: \"'{{inputs.parameters.p}}' == ''\"}
      - {name: l, template: work, when: '{{inputs.parameters.p}} * 2 == 7'}
      - {name: m, template: work, when: '{{inputs.parameters.p}}'}
  - {name: work, suspend: {}}
",
    );
    check_templates(
        "  - name: main
    dag:
      tasks:
      - {name: a, template: work}
      - {name: b, template: work, when: '{{tasks.a.status}} == Failed', depends: a}
      - {name: c, template: work, depends: 'a.Succeeded && a.Failed'} #! WF154 `c`
      - {name: d, template: work, depends: 'a.Skipped'} #! WF154 `d`
      - {name: e, template: work, depends: 'b.Skipped'}
      - {name: f, template: work, depends: 'a.Omitted || a.Daemoned'} #! WF154 `f`
      - {name: g, template: work, depends: 'b.Omitted && !a.Succeeded'}
      - {name: h, template: work, depends: '!a'}
  - {name: work, suspend: {}}
",
    );
}

#[test]
fn loops_give_out_lists() {
    check_templates(
        "  - name: main
    steps:
    - - {name: each, template: work, withItems: [1, 2]}
      - {name: one, template: work}
    - - {name: b, template: work, when: '{{steps.each.outputs.result}} == 1'} #! WF155 `each`
      - {name: c, template: work, when: \"'{{steps.each.outputs.result}}' != '[]'\"}
      - {name: d, template: work, when: '{{steps.one.outputs.result}} == 1'}
      - {name: e, template: work, withSequence: {count: '{{steps.each.outputs.parameters.o}}'}} #! WF155 `each`
      - {name: f, template: work, withParam: '{{steps.each.outputs.result}}'}
      - {name: g, template: work, withParam: '{{steps.one.status}}'} #! WF129 no list
      - {name: h, template: take, arguments: {artifacts: [{name: f, from: '{{steps.each.outputs.artifacts.f}}'}]}} #! WF155 no artifacts
  - name: work
    script: {image: 'a:1', command: [sh], source: 'true'}
    outputs: {parameters: [{name: o, valueFrom: {path: /o}}], artifacts: [{name: f, path: /f}]}
  - {name: take, inputs: {artifacts: [{name: f, path: /f}]}, container: {image: 'a:1'}}
",
    );
}

#[test]
fn retries_do_what_their_numbers_say() {
    check_templates(
        "  - name: main
    steps: [[{name: a, template: b}, {name: b, template: c}, {name: c, template: d}, {name: d, template: e}]]
  - {name: b, retryStrategy: {limit: -1}, container: {image: 'a:1'}} #! WF156 less than zero
  - {name: c, retryStrategy: {backoff: {duration: 1m}}, container: {image: 'a:1'}} #! WF156 does not wait
  - {name: d, retryStrategy: {limit: 3, backoff: {duration: 10m, maxDuration: 5m}}, container: {image: 'a:1'}} #! WF156 `maxDuration`
  - {name: e, retryStrategy: {limit: 3, backoff: {duration: 10m, cap: 5m, factor: 2}}, container: {image: 'a:1'}} #! WF156 `cap`
  - {name: f, retryStrategy: {limit: 3, backoff: {duration: 10m, factor: 0}}, container: {image: 'a:1'}} #! WF156 `factor` is 0
  - {name: g, retryStrategy: {limit: 3, backoff: {duration: 10m, maxDuration: 0s}}, container: {image: 'a:1'}} #! WF156 `maxDuration` is zero
",
    );
}

#[test]
fn kubernetes_takes_what_is_named() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: My_Flow #! WF157 `My_Flow`
  labels:
    fine: 'yes'
    bad: a b #! WF157 `a b`
    '{{x}}': z
    -x: z #! WF157 `-x`
  annotations: {anything: 'a b'}
spec:
  entrypoint: main
  podMetadata: {labels: {app: x_}} #! WF157 `x_`
  volumes:
  - {name: V, emptyDir: {}} #! WF158 `V`
  - {name: two, emptyDir: {}, hostPath: {path: /x}} #! WF158 both
  tolerations:
  - {key: a, operator: Exists, value: b} #! WF158 cannot ask for its value
  volumeClaimTemplates:
  - metadata: {name: work}
    spec: {accessModes: [ReadWriteOnce]} #! WF158 how much
  templates:
  - name: main
    container:
      image: 'a:1'
      imagePullPolicy: always #! WF158 `always`
      ports: [{containerPort: 70000}] #! WF158 `70000`
      env:
      - {name: A=B, value: x} #! WF158 `A=B`
      - {name: C, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}} #! WF158 both
      livenessProbe: {periodSeconds: 1} #! WF158 none
      volumeMounts: [{name: work}] #! WF158 nowhere
      securityContext: {privileged: true, allowPrivilegeEscalation: false} #! WF158 privileged
      resources:
        requests: {cpu: '2', memory: 1Gi} #! WF159 `cpu`
        limits: {cpu: 1500m, memory: 1024Mi}
    sidecars:
    - {name: main, image: 'a:1'} #! WF158 `main`
    - {name: s, image: 'a:1'}
    - {name: s, image: 'a:1'} #! WF158 two containers
",
    );
}

#[test]
fn locks_can_be_found_and_got() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  synchronization: {mutexes: [{name: whole}]}
  templates:
  - name: main
    synchronization: {mutexes: [{name: a}]}
    steps: [[{name: a, template: b}, {name: b, template: c}]]
  - name: b
    synchronization: {mutexes: [{name: a}, {}]} #! WF161 `a`; WF160 no name
    suspend: {}
  - name: c
    synchronization:
      mutexes: [{name: whole}] #! WF161 the workflow
      semaphores:
      - {} #! WF160 how many
      - {configMapKeyRef: {name: conf}} #! WF028 no `key`
      - {configMapKeyRef: {name: conf, key: lanes}} #! WF160 `none`
      - {configMapKeyRef: {name: conf, key: good}}
      - {configMapKeyRef: {name: conf, key: god}} #! WF160 no key `god`
      - {configMapKeyRef: {name: elsewhere, key: x}}
    suspend: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {lanes: none, good: '2'}
",
    );
}

#[test]
fn secrets_are_referred_to() {
    check_templates(
        "  - name: main
    container:
      image: 'a:1'
      env:
      - {name: DB_PASSWORD, value: hunter2} #! WF162 `DB_PASSWORD`
      - {name: TOKEN, value: '{{workflow.name}}'}
      - {name: TOKEN_FILE, value: x}
      - {name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: k}}}
      args:
      - --key=AKIAABCDEFGHIJKLMNOP #! WF162 AWS
      - MAKIAABCDEFGHIJKLMNOP
",
    );
}

#[test]
fn keys_are_in_the_objects_that_are_given() {
    check_templates(
        "  - name: main
    inputs:
      parameters:
      - {name: a, valueFrom: {configMapKeyRef: {name: conf, key: goods}}} #! WF124 no key `goods`
      - {name: b, valueFrom: {default: '', configMapKeyRef: {name: conf, key: lost}}}
      artifacts:
      - name: x
        path: /x
        s3: {key: k, bucket: b, endpoint: e, accessKeySecret: {name: keys, key: accesses}} #! WF126 no key `accesses`
    volumes:
    - {name: v, secret: {secretName: keys, items: [{key: access, path: a}, {key: lost, path: p}]}} #! WF158 no key `lost`
    - {name: w, projected: {sources: [{configMap: {name: conf, items: [{key: lost, path: p}]}}]}} #! WF158 no key `lost`
    container:
      image: 'a:1'
      env:
      - {name: A, valueFrom: {secretKeyRef: {name: keys, key: access}}}
      - {name: B, valueFrom: {secretKeyRef: {name: keys, key: axcess}}} #! WF158 the Secret `keys`
      - {name: C, valueFrom: {secretKeyRef: {name: keys, key: maybe, optional: true}}}
      - {name: D, valueFrom: {secretKeyRef: {name: elsewhere, key: any}}}
      - {name: E, valueFrom: {configMapKeyRef: {name: conf, key: lost}}} #! WF158 the ConfigMap `conf`
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {good: '2'}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {access: x}
",
    );
}

#[test]
fn patches_name_fields_of_pods() {
    check_templates(
        "  - name: main
    inputs: {parameters: [{name: m, default: 1Gi}]}
    podSpecPatch: |
      hostNetworks: true #! WF158 hostNetworks
      containers:
      - name: main
        resources: {limits: {memory: '{{inputs.parameters.m}}'}, limit: {}} #! WF158 limit
        {{inputs.parameters.m}}: 1
    container: {image: 'a:1'}
  - name: other
    podSpecPatch: '{\"hostNetwork\": \"often\"}' #! WF158 must be a boolean
    container: {image: 'a:1'}
",
    );
}

#[test]
fn expressions_know_that_values_are_texts() {
    check_templates(
        "  - name: main
    inputs: {parameters: [{name: num, default: '1'}]}
    steps:
    - - {name: a, template: work, arguments: {parameters: [{name: m, value: '{{=inputs.parameters.num + 1}}'}]}} #! WF163 string
      - {name: b, template: work, arguments: {parameters: [{name: m, value: '{{=int(inputs.parameters.num) + 1}}'}]}}
    - - {name: c, template: work, arguments: {parameters: [{name: m, value: '{{=steps.a.exitCode == 0}}'}]}} #! WF163 `==`
      - {name: d, template: work, arguments: {parameters: [{name: m, value: \"{{=steps.a.exitCode == '0'}}\"}]}}
    outputs:
      parameters:
      - {name: o, valueFrom: {expression: 'steps.a.outputs.result * 2'}} #! WF163 `*`
  - name: work
    inputs: {parameters: [{name: m}]}
    script: {image: 'a:1', command: [sh], source: 'true'}
",
    );
}

#[test]
fn matters_of_taste() {
    check_templates(
        "  - name: main
    inputs: {parameters: [{name: p, default: x}]}
    steps:
    - - {name: a, template: plain}
      - {name: b, template: tagged}
      - {name: c, template: script}
  - {name: plain, container: {image: alpine}} #! WF164 no tag
  - {name: latest, container: {image: 'reg:5000/alpine:latest'}} #! WF164 changes
  - name: tagged
    inputs: {parameters: [{name: p, default: x}]}
    volumes: [{name: v, hostPath: {path: /data}}] #! WF166 `/data`
    nodeSelector: {kubernetes.io/hostname: n1} #! WF166 one machine
    container:
      image: reg:5000/alpine@sha256:0123
      command: [sh, -c]
      args: ['echo {{inputs.parameters.p}}'] #! WF165 `inputs.parameters.p`
  - name: script
    inputs: {parameters: [{name: p, default: x}]}
    script:
      image: 'a:1'
      command: [sh]
      source: |
        echo {{inputs.parameters.p}} #! WF165 `inputs.parameters.p`
",
    );
}

#[test]
fn requests_can_be_sent() {
    check_templates(
        "  - name: main
    steps: [[{name: a, template: b}, {name: b, template: c}]]
  - {name: b, http: {method: get, url: 'https://x'}} #! WF138 `get`
  - {name: c, http: {url: example.org}} #! WF167 `example.org`
  - {name: d, http: {}} #! WF167 no URL
",
    );
}

#[test]
fn schedules_come() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: c}
spec:
  schedules:
  - '0 0 30 2 *' #! WF148 never comes
  - '61 * * * *' #! WF148 `61`
  - '0 0 * * fry' #! WF148 `fry`
  - TZ=Europe/Nowhere @daily #! WF148 `Europe/Nowhere`
  - '@every 5m'
  timezone: Mars/Base #! WF148 `Mars/Base`
  when: 'a ==' #! WF130 cannot be read
  stopStrategy: {expression: 'cronworkflow.failed >'} #! WF121 cannot be read
  failedJobsHistoryLimit: -1 #! WF148 less than zero
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {}}]
",
    );
}

#[test]
fn some_words_exist_in_some_places_only() {
    check_templates(
        "  - name: main
    steps: [[{name: a, template: b}, {name: c, template: d, arguments: {parameters: [{name: p, value: '{{lastRetry.status}}'}]}}]]
  - name: b
    retryStrategy: {limit: 1}
    metrics: {prometheus: [{name: m, help: h, gauge: {value: '{{resourcesDuration.cpu}}'}}]}
    container: {image: 'a:1', args: ['{{retries}} {{lastRetry.exitCode}}', '{{resourcesDuration.cpu}}']} #! WF120 only in a metric
  - name: d
    inputs: {parameters: [{name: p}]}
    container:
      image: 'a:1'
      args:
      - '{{retries}}' #! WF120 `retryStrategy`
      - '{{workflow.scheduledTime}}' #! WF120 CronWorkflow
      - '{{cronworkflow.name}}' #! WF120 CronWorkflow
",
    );
}

#[test]
fn parts_of_pods_are_whole() {
    check(&format!(
        "{HEAD}spec:
  entrypoint: main
  tolerations:
  - {{key: a, effect: NoScheduled}} #! WF158 `NoScheduled`
  - {{key: a b, operator: Exists}} #! WF158 `a b`
  - {{key: a, operator: Exists, tolerationSeconds: 5}} #! WF158 evicted
  affinity:
    nodeAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 0 #! WF158 `0`
        preference:
          matchExpressions:
          - {{key: a, operator: in, values: [b]}} #! WF158 `in`
          - {{key: a, operator: In}} #! WF158 needs values
          - {{key: a, operator: Exists, values: [b]}} #! WF158 takes no values
          - {{key: a, operator: Gt, values: [b]}} #! WF158 whole number
          - {{operator: Exists}} #! WF028 `key`
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - labelSelector: {{matchLabels: {{a: b}}}} #! WF028 `topologyKey`
  nodeSelector: {{a b: c}} #! WF158 `a b`
  dnsPolicy: None #! WF158 name server
  dnsConfig: {{searches: [x]}}
  hostAliases: [{{ip: here, hostnames: [a]}}] #! WF158 `here`
  volumes:
  - name: h
    hostPath: {{path: /x/../y, type: Dir}} #! WF158 `Dir`; WF158 contains `..`
  - name: e
    emptyDir: {{medium: memory}} #! WF158 `memory`
  - name: c
    configMap: {{name: c, defaultMode: 644, items: [{{key: a, path: /b}}]}} #! WF158 `644`; WF158 relative
  - name: s
    secret: {{items: [{{key: a}}]}} #! WF028 `path`
  volumeClaimTemplates:
  - metadata: {{name: w}}
    spec: {{accessModes: [ReadWriteMany, Everything], resources: {{requests: {{storage: 1Gi}}}}}} #! WF158 `Everything`
  - metadata: {{name: w}} #! WF158 two volume claims
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
  templates: [{{name: main, suspend: {{}}}}]
"
    ));
}

#[test]
fn parts_of_containers_are_whole() {
    check_templates(
        "  - name: main
    podSpecPatch: '{\"containers\": [' #! WF158 laid over
    container:
      image: Alpine:3 #! WF133 capital letters
      restartPolicy: Never #! WF158 only init containers
      terminationMessagePolicy: Always #! WF158 `Always`
      ports:
      - {name: web, protocol: TCP} #! WF028 `containerPort`
      - {name: web, containerPort: 80} #! WF158 two ports
      - {name: this-name-is-too-long, containerPort: 81} #! WF158 at most 15
      env:
      - {name: A, valueFrom: {secretKeyRef: {name: s}}} #! WF028 `key`
      - {name: B, valueFrom: {}} #! WF158 no source
      - {name: C, valueFrom: {fieldRef: {fieldPath: metadata.nam}}} #! WF158 `metadata.nam`
      - {name: D, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['x']\"}}}
      envFrom: [{prefix: x}] #! WF158 no source
      readinessProbe:
        successThreshold: 2
        httpGet: {path: /, scheme: ftp} #! WF028 `port`; WF158 `ftp`
      livenessProbe: #! WF158 2 of what it can do
        successThreshold: 2 #! WF158 can only be 1
        periodSeconds: -1 #! WF158 less than zero
        exec: {command: [a]}
        grpc: {port: 1}
      lifecycle: {preStop: {}} #! WF158 none
      securityContext: {runAsNonRoot: true, runAsUser: 0, seccompProfile: {type: Default}} #! WF158 root; WF158 `Default`
      resources: {limits: {mem: 1Gi, nvidia.com/gpu: 1}} #! WF158 `mem`
      volumeMounts:
      - {name: v, mountPath: /a, subPath: /x} #! WF158 relative
      - {name: v, mountPath: /a, subPath: ../x} #! WF134 `/a`; WF158 `..`
      - {mountPath: /b} #! WF028 `name`
    volumes: [{name: v, emptyDir: {}}]
    initContainers:
    - {name: i, image: 'a:1', readinessProbe: {exec: {command: [a]}}} #! WF158 an init container that ends
    - {name: j, image: 'a:1', restartPolicy: Always, readinessProbe: {exec: {command: [a]}}}
    sidecars:
    - {image: 'a:1'} #! WF109 a sidecar has no name
",
    );
}

#[test]
fn words_of_a_workflows_life() {
    check(&format!(
        "{HEAD}spec:
  entrypoint: main
  artifactGC: {{strategy: Always}} #! WF138 `Always`
  volumeClaimGC: {{strategy: Never}} #! WF138 `Never`
  podGC: {{strategy: OnPodSuccess, deleteDelayDuration: soon}} #! WF137 `soon`
  ttlStrategy: {{secondsAfterFailure: -1}} #! WF137 less than zero
  parallelism: -1 #! WF138 nothing can run
  podDisruptionBudget: {{minAvailable: 1, maxUnavailable: 1}} #! WF158 both
  hooks: {{early: {{template: main, expression: workflow.statu == 'Running' && foo}}}} #! WF119 `workflow.statu`; WF119 `foo`
  templates:
  - name: main
    retryStrategy: {{limit: 2, expression: lastRetry.exitcode == '1'}} #! WF119 `lastRetry.exitcode`
    serviceAccountName: Some_body #! WF158 `Some_body`
    memoize: {{key: k, maxAge: 1x}} #! WF146 no cache; WF137 `1x`
    inputs:
      parameters: [{{name: p, enum: [a, b], default: c}}] #! WF125 `c`
      artifacts: [{{name: f, path: /f, mode: 4096, raw: {{data: ''}}, archive: {{tar: {{}}, zip: {{}}}}}}] #! WF138 no mode; WF138 both
    container: {{image: 'a:1', args: ['{{{{=toint(inputs.parameters.p)}}}}', '{{{{workflow.creationTimestamp.zz}}}}']}} #! WF120 `toint`; WF119 zz
    metrics: {{prometheus: [{{name: m, help: h}}]}} #! WF139 counts nothing
  - name: asks
    http: {{url: 'https://x', successCondition: response.statuscode == 200, headers: [{{name: a, value: b, valueFrom: {{secretKeyRef: {{name: s, key: k}}}}}}]}} #! WF119 `response.statuscode`; WF167 both
  - name: acts
    resource: {{action: create, mergeStrategy: deep, successCondition: 'status.phase = = x', manifest: 'kind: Pod'}} #! WF138 `deep`; WF141 the condition; WF141 `apiVersion`
    outputs: {{parameters: [{{name: o, valueFrom: {{jqFilter: '.a |'}}}}]}} #! WF149 jq
  - name: loops
    steps:
    - - {{name: a, template: main, withSequence: {{count: 3, format: 'x%s'}}}} #! WF129 `x%s`
      - {{name: b, template: main, withParam: '{{{{workflow.parameters.l}}}}'}} #! WF129 no list
      - {{name: c, template: main, arguments: {{parameters: [{{name: p, value: d}}]}}}} #! WF125 `d`
  arguments: {{parameters: [{{name: l, value: hello}}]}}
"
    ));
}

#[test]
fn what_defaults_say_wrongly_is_told_where_they_say_it() {
    check(&format!(
        "{HEAD}spec:
  entrypoint: main
  templateDefaults:
    container: {{imagePullPolicy: always}} #! WF158 `always`
  templates:
  - {{name: main, steps: [[{{name: a, template: b}}, {{name: c, template: d}}]]}}
  - {{name: b, container: {{image: 'a:1'}}}}
  - {{name: d, container: {{image: 'a:1'}}}}
"
    ));
}

#[test]
fn bindings_of_events() {
    check(
        "apiVersion: argoproj.io/v1alpha1
kind: WorkflowEventBinding
metadata: {name: b}
spec:
  event: {selector: 'payload.x =='} #! WF121 cannot be read
  submit:
    workflowTemplateRef: {name: nope} #! WF102 `nope`
    arguments: {parameters: [{name: p, valueFrom: {event: 'payload.('}}]} #! WF121 cannot be read
",
    );
}
