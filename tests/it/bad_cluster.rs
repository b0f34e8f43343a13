//! Clusters that cannot be used, through the real program: a clear sentence, the right exit code, soon.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::env::{Outcome, TestEnv};

/// What a cluster that answers nothing may take, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(8);

/// Returns a kubeconfig with the context `production`, whose server is at `server`.
fn kubeconfig(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: production\n\
         clusters:\n- name: c\n  cluster: {{server: \"{server}\"}}\n\
         users:\n- name: u\n  user: {{token: expired}}\n\
         contexts:\n- name: production\n  context: {{cluster: c, user: u, namespace: ci}}\n"
    )
}

/// Runs `wf ARGS` with this kubeconfig.
fn wf(config: &str, args: &[&str]) -> Outcome {
    let env = TestEnv::new();
    let path = env.write("kubeconfig", config);
    env.wf_with_variable("KUBECONFIG", &path, args)
}

fn said(outcome: &Outcome, code: i32, expected: &[&str]) {
    assert_eq!(outcome.code, code, "{}", outcome.all());
    for words in expected {
        assert!(outcome.stderr.contains(words), "{words:?} is not in\n{}", outcome.all());
    }
}

/// Answers every request with `status` and `body`, on a port of its own; none answers nothing.
fn server(answer: Option<(&'static str, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().flatten() {
            let Some((status, body)) = answer else {
                silent.push(stream);
                continue;
            };
            let mut stream = stream;
            let mut request = [0; 8192];
            // One request of a connection is answered, whatever it asks.
            let _ = stream.read(&mut request);
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
            let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn without_a_configuration_a_cluster_that_is_asked_for_is_missed() {
    let env = TestEnv::new();
    said(&env.wf(&["list", "-n", "ci"]), 3, &["no cluster is configured", "--local"]);
    let missing = env.work().join("nowhere");
    let outcome = env.wf_with_variable("KUBECONFIG", &missing, &["list"]);
    said(&outcome, 3, &["no cluster is configured", "nowhere"]);
}

#[test]
fn a_configuration_that_is_none_is_told() {
    said(&wf("clusters: [", &["list"]), 2, &["the cluster's configuration cannot be used", "--local"]);
    said(&wf("apiVersion: v1\nkind: Config\n", &["list"]), 2, &["the cluster's configuration cannot be used"]);
}

#[test]
fn a_wrong_context_is_told_with_the_nearest() {
    let outcome = wf(&kubeconfig("http://127.0.0.1:1"), &["list", "--context", "prodution"]);
    said(&outcome, 3, &["has no context `prodution`", "did you mean `production`?"]);
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let begun = Instant::now();
    let outcome = wf(&kubeconfig("http://127.0.0.1:1"), &["list"]);
    said(&outcome, 5, &["failed to talk to the cluster at http://127.0.0.1:1", "refused", "--local"]);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_five_seconds() {
    let begun = Instant::now();
    said(&wf(&kubeconfig(&server(None)), &["list"]), 5, &["did not answer within"]);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn an_expired_token_is_told() {
    let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;
    let outcome = wf(&kubeconfig(&server(Some(("401 Unauthorized", body)))), &["list"]);
    said(&outcome, 4, &["does not accept your credentials", "expired"]);
}

#[test]
fn a_server_that_is_no_cluster_is_told() {
    let outcome = wf(&kubeconfig(&server(Some(("200 OK", "<html>hello</html>")))), &["list"]);
    said(&outcome, 5, &["failed to talk to the cluster"]);
}

#[test]
fn a_cluster_is_not_asked_where_this_machine_is_meant() {
    let config = kubeconfig("http://127.0.0.1:1");
    said(&wf(&config, &["list", "--local"]), 0, &["no runs found"]);
    assert_eq!(wf(&config, &["version"]).code, 0);
    assert_eq!(wf(&config, &["explain", "WF091"]).code, 0);
}
