//! An API server that misbehaves: a proxy before the real one, which answers what a test tells it to.
//!
//! It speaks plain HTTP/1.1, and passes the caller's requests on with the rights of the test's client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::space::{Space, block, spawn};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The server answers.
    Pass,
    /// It is refused with this status, and the server never sees it.
    Refuse(u16),
    /// The server does it, and the caller is not told.
    CutAfter,
    /// A watch is told that its place in history is gone; the server never sees it.
    Expire,
    /// The server answers, but no longer than this.
    PassFor(Duration),
}

/// One request, as a test decides about it.
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with the query.
    pub path: &'a str,
    /// How many came before it.
    pub number: u64,
}

impl Asked<'_> {
    /// Returns whether it is a watch.
    pub fn is_watch(&self) -> bool {
        self.path.contains("watch=true") || self.path.contains("watch=1")
    }
}

type Decide = dyn Fn(&Asked<'_>) -> Fate + Send + Sync;

/// The proxy, and what it did.
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    faults: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts a proxy before the cluster of `space`.
    pub fn new(space: &Space, decide: impl Fn(&Asked<'_>) -> Fate + Send + Sync + 'static) -> Self {
        let listener = block(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (faults, count) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let server =
            Arc::new(Server { client: space.client.clone(), decide: Box::new(decide), faults: faults.clone(), count });
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        Self { url, faults }
    }

    /// Returns how many requests did not simply pass.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }
}

struct Server {
    client: Client,
    decide: Box<Decide>,
    faults: Arc<AtomicU64>,
    count: Arc<AtomicU64>,
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Server {
    /// Answers the requests of one connection, until one of the two has enough.
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await {
            let number = self.count.fetch_add(1, Ordering::SeqCst);
            let fate = (self.decide)(&Asked { method: &request.method, path: &request.path, number });
            if fate != Fate::Pass {
                self.faults.fetch_add(1, Ordering::SeqCst);
            }
            if self.answer(&mut stream, request, fate).await.is_none() {
                return;
            }
        }
    }

    /// Returns `None` when the connection is done with.
    async fn answer(&self, stream: &mut BufReader<TcpStream>, request: Request, fate: Fate) -> Option<()> {
        match fate {
            Fate::Refuse(code) => write(stream, &refusal(code)).await,
            Fate::Expire => write(stream, &expired()).await,
            Fate::Pass => self.pass(stream, request).await,
            Fate::PassFor(time) => tokio::time::timeout(time, self.pass(stream, request)).await.ok().flatten(),
            Fate::CutAfter => {
                let answer = self.client.send(upstream(request)?).await.ok()?;
                answer.into_body().collect().await.ok()?;
                None
            }
        }
    }

    async fn pass(&self, stream: &mut BufReader<TcpStream>, request: Request) -> Option<()> {
        let answer = self.client.send(upstream(request)?).await.ok()?;
        let kind =
            answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("application/json");
        let status = answer.status().as_u16();
        let head = format!("HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
        write(stream, head.as_bytes()).await?;
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.ok()?.into_data() else { continue };
            if !data.is_empty() {
                write(stream, &[format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat()).await?;
            }
        }
        write(stream, b"0\r\n\r\n").await
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let first = line(stream).await?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, length)| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { method, path, headers, body })
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let bytes = stream.read_line(&mut line).await.ok()?;
    (bytes > 0).then(|| line.trim_end().to_owned())
}

/// Returns the request as the real server is to see it.
fn upstream(request: Request) -> Option<http::Request<Body>> {
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(&request.path);
    for (name, value) in &request.headers {
        if matches!(name.as_str(), "accept" | "content-type" | "user-agent") {
            builder = builder.header(name, value);
        }
    }
    builder.body(Body::from(request.body)).ok()
}

async fn write(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> Option<()> {
    stream.get_mut().write_all(bytes).await.ok()
}

fn refusal(code: u16) -> Vec<u8> {
    let reason = match code {
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let wait = if code == 429 { "Retry-After: 1\r\n" } else { "" };
    let body = format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"the proxy says so","reason":"{reason}","code":{code}}}"#
    );
    format!(
        "HTTP/1.1 {code} Refused\r\nContent-Type: application/json\r\n{wait}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn expired() -> Vec<u8> {
    let event = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#;
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}\n", event.len() + 1)
        .into_bytes()
}
