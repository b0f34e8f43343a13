//! Templates that send a request.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;

use super::space::{Space, block, named, sure};

/// Answers every request with the value of its header `x-word`, and returns the address.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let word = head.filter_map(|line| line.strip_prefix("x-word: ").map(str::to_owned)).last();
            let body = word.unwrap_or_default();
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    format!("http://{address}/")
}

/// Asks with a header that comes from a Secret, and hands the answer on to a pod.
fn asking(url: &str, secret: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: ask-}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: ask, template: ask}}
    - - {{name: tell, template: tell, arguments: {{parameters: [{{name: word, value: '{{{{steps.ask.outputs.result}}}}'}}]}}}}
  - name: ask
    http:
      url: '{url}'
      headers: [{{name: x-word, valueFrom: {{secretKeyRef: {{name: {secret}, key: word}}}}}}]
      successCondition: response.statusCode == 200
  - name: tell
    inputs: {{parameters: [{{name: word}}]}}
    container: {{image: busybox, command: [sh, -c, 'test \"{{{{inputs.parameters.word}}}}\" = quiet']}}
"
    )
}

#[test]
fn a_request_is_sent_by_the_driver_and_its_answer_handed_on() {
    let Some(space) = Space::new("requests") else { return };
    let data = Some([("word".to_owned(), ByteString(b"quiet".to_vec()))].into());
    let secret = Secret { metadata: named("hidden"), data, ..Secret::default() };
    sure("a Secret", block(space.api().create(&PostParams::default(), &secret)));
    let url = echo();
    let file = space.write("ask.yaml", asking(&url, "hidden"));
    let outcome = space.wf(&["submit", "--wait", "--name", "ask", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("ask", 1);
    for (name, text, words) in [
        ("missing", asking(&url, "absent"), "Secret `absent` with key `word` was not given"),
        ("metadata", asking("http://169.254.169.254/latest", "hidden"), "`169.254.169.254` may not be asked"),
    ] {
        let file = space.write("bad.yaml", text);
        let outcome = space.wf(&["submit", "--wait", "--name", name, &file]);
        assert_eq!(outcome.code, 1, "{}", outcome.all());
        let nodes = space.object(name)["status"]["nodes"].to_string();
        assert!(nodes.contains(words), "{words}: {nodes}");
    }
}
