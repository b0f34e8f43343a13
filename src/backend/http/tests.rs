//! Requests against a server of a few lines.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers each connection's request by its path, and returns the server's address.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 << 10];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let answer = answer(&request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

fn answer(request: &str) -> String {
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let (status, headers, body) = match path {
        "/echo" => ("200 OK", String::new(), request.to_owned()),
        "/moved" => ("302 Found", "location: /echo\r\n".to_owned(), String::new()),
        "/away" => ("302 Found", "location: http://example.com/\r\n".to_owned(), String::new()),
        "/round" => ("302 Found", "location: /round\r\n".to_owned(), String::new()),
        "/large" => ("200 OK", String::new(), "x".repeat(RESULT_BYTES_MAX + 1)),
        "/silent" => return "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_owned(),
        _ => ("404 Not Found", String::new(), String::new()),
    };
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

async fn ask(http: spec::HTTP) -> PodEnd {
    match Order::new(&http, &|_, key| (key == "k").then(|| "secret".to_owned())) {
        Ok(order) => order.carry_out().await,
        Err(words) => broken(words),
    }
}

fn to(url: String) -> spec::HTTP {
    spec::HTTP { url, ..Default::default() }
}

#[tokio::test]
async fn a_request_carries_what_the_template_says() {
    let url = server().await;
    let plain = |name: &str, value: &str| spec::HTTPHeader {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..Default::default()
    };
    let secret: spec::HTTPHeader = serde_json::from_value(serde_json::json!({
        "name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}},
    }))
    .expect("a header");
    let http = spec::HTTP {
        method: Some("POST".to_owned()),
        body: Some("what is sent".to_owned()),
        headers: vec![plain("X-A", "1"), plain("host", "elsewhere"), secret],
        ..to(format!("{url}/echo"))
    };
    let end = ask(http).await;
    let said = end.result.unwrap_or_default().to_lowercase();
    assert_eq!((end.phase, &*end.message), (Phase::Succeeded, ""));
    for part in ["post /echo http/1.1", "x-a: 1", "host: elsewhere", "authorization: secret", "what is sent"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[tokio::test]
async fn redirects_stay_on_the_host_and_bounds_hold() {
    let url = server().await;
    for (path, phase, message) in [
        ("/moved", Phase::Succeeded, ""),
        ("/away", Phase::Failed, "received non-2xx response code: 302"),
        ("/nothing", Phase::Failed, "received non-2xx response code: 404"),
        ("/round", Phase::Error, "more than 10 redirects (HTTP_REDIRECTS_MAX)"),
        ("/large", Phase::Error, "the response is larger than 256 KiB (RESULT_BYTES_MAX)"),
    ] {
        let end = ask(to(format!("{url}{path}"))).await;
        assert_eq!((end.phase, &*end.message), (phase, message), "{path}");
    }
    for (target, part) in [
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("ftp://127.0.0.1/", "no address of http"),
        ("nonsense", "no address of http"),
    ] {
        let end = ask(to(target.to_owned())).await;
        assert_eq!(end.phase, Phase::Error, "{target}");
        assert!(end.message.contains(part), "{}", end.message);
    }
    assert!(ask(to(format!("{url}/silent"))).await.message.contains("broke off"));
}
