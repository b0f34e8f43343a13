//! The program killed at any moment: the run ends as it would have, and nothing starts twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::env::TestEnv;

/// Runs, and kills of the program in each of them.
const RUNS: u64 = 10;
const KILLS_PER_RUN: u64 = 5;

/// How long a driver lives at most before it is killed: about as long as a fifth of the run takes.
const LIFE_MS_MAX: u64 = 400;

const STEPS: usize = 200;

/// Each step tells the test that it started; two chains of loops make a run of 200 steps.
fn manifest(port: u16) -> String {
    let half = STEPS / 2;
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: marked-}}
spec:
  entrypoint: main
  templates:
  - name: main
    parallelism: 4
    dag:
      tasks:
      - name: first
        template: mark
        withSequence: {{count: '{half}'}}
        arguments: {{parameters: [{{name: id, value: 'a{{{{item}}}}'}}]}}
      - name: then
        template: mark
        depends: first
        withSequence: {{count: '{half}'}}
        arguments: {{parameters: [{{name: id, value: 'b{{{{item}}}}'}}]}}
  - name: mark
    inputs: {{parameters: [{{name: id}}]}}
    container: {{image: curlimages/curl, command: [curl, -sS, 'http://127.0.0.1:{port}/{{{{workflow.uid}}}}-{{{{inputs.parameters.id}}}}']}}
"
    )
}

#[test]
fn a_killed_driver_loses_nothing_and_starts_nothing_twice() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        println!("kill: skipped, there is no curl");
        return;
    }
    let (port, starts) = counter();
    let env = TestEnv::new();
    let file = env.write("marked.yaml", manifest(port));
    let mut chance = 0x5DEE_CE66_D013_05B7_u64;
    let mut kills = 0;
    for _ in 0..RUNS {
        let mut driver =
            env.command(&["submit", "--local", "--wait", &file.to_string_lossy()]).spawn().expect("wf starts");
        for _ in 0..KILLS_PER_RUN {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis((chance >> 33) % LIFE_MS_MAX));
            if driver.try_wait().expect("wf can be waited for").is_none() {
                kills += 1;
            }
            driver.kill().expect("wf can be killed");
            driver.wait().expect("wf ends");
            if !env.wf(&["get", "--local", "@latest"]).stdout.contains("marked-") {
                // Killed before the run was there: it was never submitted.
                driver =
                    env.command(&["submit", "--local", "--wait", &file.to_string_lossy()]).spawn().expect("wf starts");
                continue;
            }
            driver = env.command(&["watch", "--local", "@latest"]).spawn().expect("wf starts");
        }
        let output = driver.wait_with_output().expect("wf ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let shown = env.wf(&["get", "--local", "@latest", "-o", "json"]);
        let object: serde_json::Value = serde_json::from_str(&shown.stdout).expect("get prints JSON");
        assert_eq!(object["status"]["phase"], "Succeeded");
        assert_eq!(object["status"]["progress"], format!("{STEPS}/{STEPS}"));
    }
    let starts = starts.lock().expect("the counter does not panic");
    let twice: Vec<_> = starts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "started more than once: {twice:?}");
    assert_eq!(starts.len() % STEPS, 0, "every run started all its steps");
    println!("kill: {kills} kills in {RUNS} runs, {} starts, none twice", starts.len());
}

/// Counts requests by path, on a port of its own.
fn counter() -> (u16, Arc<Mutex<BTreeMap<String, u32>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let starts = Arc::new(Mutex::new(BTreeMap::new()));
    let counted = starts.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            // The request is read to its end before it is answered, so that curl is not cut off.
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            *counted.lock().expect("nobody panics with it").entry(path).or_insert(0) += 1;
            let _ = (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (port, starts)
}
