//! Scenarios that between them touch every kind of node and everything that people ask for.

use std::sync::Arc;

use super::seed::Scenario;
use crate::base::TimeSpan;
use crate::engine::Control;
use crate::plan::{self, Library};
use crate::source::Sources;
use crate::spec::{self, Manifest};

/// Returns the scenario of the first Workflow of a text, which may hold the templates that it
/// refers to; or why there is none.
pub fn read_scenario(file: &str, text: &str) -> Result<Scenario, String> {
    let mut sources = Sources::default();
    sources.add(file, text);
    let (reads, _) = spec::read_all(&sources);
    let is_workflow = |read: &&spec::Read| matches!(read.manifest, Manifest::Workflow(_));
    let (library, _) = Library::new(reads.iter().filter(|read| !is_workflow(read)));
    let workflow = reads.iter().find(is_workflow).ok_or("there is no Workflow")?;
    let (plan, diagnostics) = plan::check(&sources, workflow, &library, &plan::Call::default());
    let messages = || diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect::<Vec<_>>().join("; ");
    plan.map(|plan| Scenario::new(Arc::new(plan))).ok_or_else(messages)
}

/// Returns the scenarios by name.
pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    let resume = || Control::Resume { selector: String::new(), message: String::new() };
    let retry = || Control::Retry {
        restart_successful: false,
        selector: String::new(),
        from: String::new(),
        parameters: Default::default(),
    };
    let stop = || Control::Stop { selector: String::new(), message: "enough".to_owned() };
    let asks = |asks: Vec<(u64, Control)>| {
        asks.into_iter().map(|(seconds, control)| (TimeSpan::from_secs(seconds), control)).collect::<Vec<_>>()
    };
    let again = vec![(4, Control::Suspend), (5, resume()), (11, resume()), (40, resume())];
    vec![
        ("diamond", own(DIAMOND)),
        ("list", own(LIST)),
        ("retry", own(RETRY)),
        ("set", own(SET)),
        ("approval", Scenario { asks: asks(again), ..own(APPROVAL) }),
        ("daemon", own(DAEMON)),
        ("big", own(&BIG.replace("BIG", &"x".repeat(6_000)))),
        ("retried", Scenario { asks: asks(vec![(20, retry()), (20, retry()), (20, retry())]), ..own(RETRIED) }),
        ("stopped", Scenario { asks: asks(vec![(3, stop())]), is_timeless: false, ..own(STOPPED) }),
        ("deadline", Scenario { is_timeless: false, ..own(DEADLINE) }),
    ]
}

fn own(text: &str) -> Scenario {
    read_scenario("scenario.yaml", text).expect("our own manifest is good")
}

const DIAMOND: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: diamond-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: pod}
      - {name: b, template: pod, depends: a}
      - {name: c, template: pod, depends: a, withItems: [1, 2, 3]}
      - {name: d, template: pod, depends: b && c}
  - name: pod
    container:
      image: x
      command: [sh]
      env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: simulated, key: token}}}]
";

const LIST: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: list-}
spec:
  entrypoint: main
  onExit: tidy
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        withParam: '{{steps.make.outputs.result}}'
        arguments: {parameters: [{name: item, value: '{{item}}'}]}
    - - name: last
        template: use
        when: \"{{steps.make.status}} == Succeeded\"
        arguments: {parameters: [{name: item, value: '{{steps.use.outputs.parameters.out}}'}]}
  - name: make
    script: {image: x, command: [sh], source: 'sim:result=[\"a\",\"b\",\"c\"]'}
  - name: use
    inputs: {parameters: [{name: item}]}
    container: {image: x, command: [sh], args: ['{{inputs.parameters.item}}', 'sim:out.out=done']}
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}
  - name: tidy
    container: {image: x, command: [sh], args: ['{{workflow.status}}']}
";

const RETRY: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: retry-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: flaky, template: flaky, continueOn: {failed: true}}
      - {name: steady, template: steady}
    - - {name: after, template: steady}
  - name: flaky
    retryStrategy: {limit: 2, backoff: {duration: '5', factor: 2}}
    container: {image: x, command: [sh], args: ['sim:exit=3']}
  - name: steady
    container: {image: x, command: [sh]}
";

const SET: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: set-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: fine, template: fine}
      - {name: broken, template: broken, continueOn: {failed: true}}
    - - {name: use, template: use, arguments: {parameters: [{name: made, value: '{{steps.fine.outputs.parameters.o}}'}]}}
  - name: fine
    volumes: [{name: work, emptyDir: {}}]
    containerSet:
      volumeMounts: [{name: work, mountPath: /work}]
      retryStrategy: {retries: 2, duration: 1s}
      containers:
      - {name: main, image: x, command: [sh], args: ['sim:takes=1s sim:out.o=made'], dependencies: [first]}
      - {name: first, image: x, command: [sh], args: ['sim:takes=2s']}
      - {name: late, image: x, command: [sh], args: ['sim:takes=3s sim:fails=1'], dependencies: [first]}
    outputs: {parameters: [{name: o, valueFrom: {path: /work/o}}]}
  - name: broken
    containerSet:
      containers:
      - {name: good, image: x, command: [sh], args: ['sim:takes=1s']}
      - {name: bad, image: x, command: [sh], args: ['sim:exit=3'], dependencies: [good]}
      - {name: main, image: x, command: [sh], dependencies: [bad]}
  - name: use
    inputs: {parameters: [{name: made}]}
    container: {image: x, command: [sh], args: ['{{inputs.parameters.made}}']}
";

const APPROVAL: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: approval-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: build, template: pod}
    - - {name: approve, template: approve}
      - {name: pause, template: pause}
    - - {name: release, template: pod}
  - name: approve
    suspend: {}
  - name: pause
    suspend: {duration: 20}
  - name: pod
    container: {image: x, command: [sh]}
";

const DAEMON: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: daemon-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: server, template: server}
    - - {name: client, template: client, arguments: {parameters: [{name: at, value: '{{steps.server.ip}}'}]}}
  - name: server
    daemon: true
    container: {image: x, command: [sh]}
  - name: client
    inputs: {parameters: [{name: at}]}
    container: {image: x, command: [sh], args: ['{{inputs.parameters.at}}']}
";

const BIG: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: big-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: use, template: use, arguments: {parameters: [{name: text, value: '{{steps.make.outputs.result}}'}]}}
  - name: make
    script: {image: x, command: [sh], source: 'sim:result=BIG'}
  - name: use
    inputs: {parameters: [{name: text}]}
    container: {image: x, command: [sh], env: [{name: TEXT, value: '{{inputs.parameters.text}}'}]}
";

const RETRIED: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: retried-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: good, template: good}
      - {name: shaky, template: shaky}
      - {name: after, template: good, dependencies: [good, shaky]}
  - name: good
    container: {image: x, command: [sh]}
  - name: shaky
    container: {image: x, command: [sh], args: ['sim:fails=2']}
";

const STOPPED: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: stopped-}
spec:
  entrypoint: main
  onExit: tidy
  templates:
  - name: main
    parallelism: 2
    steps:
    - - {name: loop, template: long, withSequence: {count: 6}}
    - - {name: never, template: long}
  - name: long
    container: {image: x, command: [sh], args: ['sim:takes=5s']}
  - name: tidy
    container: {image: x, command: [sh], args: ['{{workflow.status}}']}
";

const DEADLINE: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: deadline-}
spec:
  entrypoint: main
  activeDeadlineSeconds: 6
  templates:
  - name: main
    failFast: false
    dag:
      tasks:
      - {name: slow, template: slow}
      - {name: cut, template: cut}
      - {name: after, template: slow, depends: cut.Failed}
  - name: slow
    container: {image: x, command: [sh], args: ['sim:takes=8s']}
  - name: cut
    activeDeadlineSeconds: 2
    container: {image: x, command: [sh], args: ['sim:takes=60s']}
";
