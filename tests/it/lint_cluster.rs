//! `wf lint --cluster`: what no file gives is looked up where the runs are.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::env::{Outcome, TestEnv};

const WORKFLOW: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: a, templateRef: {name: kept, template: first}}
      - {name: b, templateRef: {name: argos, template: second}}
      - {name: c, templateRef: {name: argos, template: secnod}}
      - {name: d, templateRef: {name: nowhere, template: x}}
";

const KEPT: &str = "apiVersion: argoproj.io/v1alpha1\\nkind: WorkflowTemplate\\nmetadata: {name: kept}\\nspec: {templates: [{name: first, suspend: {}}]}\\n";

/// Answers like an API server that keeps one template of ours and one of Argo's.
fn answer(path: &str) -> String {
    match path {
        "/api/v1/namespaces/ci/configmaps/wf.template.kept" => format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"wf.template.kept","labels":{{"wf.internal/kind":"template"}}}},"data":{{"manifest.yaml":"{KEPT}"}}}}"#
        ),
        "/apis/argoproj.io/v1alpha1/namespaces/ci/workflowtemplates/argos" => {
            r#"{"apiVersion":"argoproj.io/v1alpha1","kind":"WorkflowTemplate","metadata":{"name":"argos"},"spec":{"templates":[{"name":"second","suspend":{}}]}}"#.to_owned()
        }
        "/version" => {
            r#"{"major":"1","minor":"34","gitVersion":"v1.34.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"gc","platform":"linux/amd64"}"#.to_owned()
        }
        _ => r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not found","reason":"NotFound","code":404}"#.to_owned(),
    }
}

fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 8192];
            let length = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let body = answer(path.split('?').next().unwrap_or_default());
            let status = if body.contains("\"code\":404") { "404 Not Found" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
            let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    format!("http://{address}")
}

fn lint(args: &[&str]) -> Outcome {
    let env = TestEnv::new();
    env.write("w.yaml", WORKFLOW);
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {{server: \"{}\"}}\n\
         users:\n- name: u\n  user: {{token: t}}\ncontexts:\n- name: c\n  context: {{cluster: c, user: u, namespace: ci}}\n",
        server()
    );
    let path = env.write("kubeconfig", config);
    env.wf_with_variable("KUBECONFIG", &path, &[&["lint", "-o", "short", "w.yaml"], args].concat())
}

#[test]
fn templates_of_the_cluster_are_known() {
    let outcome = lint(&["--cluster"]);
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let expected = [
        "w.yaml:11:56: error[WF101]: there is no template `secnod` in the WorkflowTemplate `argos`",
        "w.yaml:12:39: error[WF102]: the WorkflowTemplate `nowhere` is not among the files given",
    ];
    assert_eq!(lines, expected, "{}", outcome.all());
    // Nobody is asked who was not named.
    assert_eq!(lint(&[]).stdout.matches("WF102").count(), 4);
}

#[test]
fn a_cluster_that_is_asked_for_has_to_be_there() {
    let env = TestEnv::new();
    env.write("w.yaml", WORKFLOW);
    let outcome = env.wf(&["lint", "--cluster", "w.yaml"]);
    assert_eq!(outcome.code, 2, "{}", outcome.all());
    assert!(outcome.stderr.contains("none is configured"), "{}", outcome.all());
}
