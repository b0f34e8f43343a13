//! HTTP before the objects: requests are taken apart, answers and watches put together.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use http::{Method, Request, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::select::Selection;
use super::state::{Change, Key, Refused, State};

/// Objects of a page where the request names no limit.
const PAGE: usize = 500;

/// What happens to one request instead of what is usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is refused, and has no effect.
    Refuse(Refused),
    /// It has its effect, and the answer is lost.
    LoseAnswer,
}

type Faults = Box<dyn FnMut(&Method, &str) -> Option<Fault> + Send>;
pub(in crate::sim) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A simulated API server; clones are the same one.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
    faults: Arc<Mutex<Faults>>,
    /// Every request that came, as `PATCH jobs/a`.
    requests: Arc<Mutex<Vec<String>>>,
    /// Raised by every change, so that watches look.
    changed: watch::Sender<u64>,
}

impl ApiServer {
    /// Returns a server with these namespaces, and nothing in them.
    pub fn new(namespaces: &[&str]) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(namespaces))),
            faults: Arc::new(Mutex::new(Box::new(|_, _| None))),
            requests: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Returns a client of it.
    pub fn client(&self, namespace: &str) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| server.clone().answer(request).boxed());
        Client::new(service, namespace)
    }

    /// Returns the objects.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    /// Makes `faults` decide what happens to each request, by its method and by what it is about.
    pub fn set_faults(&self, faults: impl FnMut(&Method, &str) -> Option<Fault> + Send + 'static) {
        *self.faults.lock().expect("no holder of the lock panics") = Box::new(faults);
    }

    /// Returns the requests that came since the last call, as `PATCH jobs/a`.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().expect("no holder of the lock panics"))
    }

    async fn answer(self, request: Request<Body>) -> Result<Answer, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.map_err(std::io::Error::other)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let asked = Asked::new(&head, body);
        let about = asked.about();
        self.requests.lock().expect("no holder of the lock panics").push(format!("{} {about}", head.method));
        let fault = (self.faults.lock().expect("no holder of the lock panics"))(&head.method, &about);
        match fault {
            Some(Fault::Refuse(refused)) => return Ok(to_response(Err(refused))),
            Some(Fault::LoseAnswer) => {
                let _ = self.act(&asked);
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            None => {}
        }
        match asked.is_watch() {
            true => Ok(self.watch(asked)),
            false => Ok(to_response(self.act(&asked))),
        }
    }

    fn act(&self, asked: &Asked) -> Result<Value, Refused> {
        let acted = asked.act(&mut self.state());
        // Whoever watches looks for itself what changed.
        self.changed.send_modify(|count| *count += 1);
        acted
    }

    fn watch(&self, asked: Asked) -> Answer {
        let since = asked.since();
        let watching = Watching { server: self.clone(), changed: self.changed.subscribe(), asked, since };
        let lines = stream::unfold(Some(watching), |watching| async {
            let (line, watching) = watching?.next().await;
            Some((line, watching))
        });
        Response::new(body(lines.boxed()))
    }
}

/// A watch that goes on.
struct Watching {
    server: ApiServer,
    changed: watch::Receiver<u64>,
    asked: Asked,
    since: u64,
}

impl Watching {
    /// Waits for changes, and returns them as lines; the watch ends where its history was cut.
    async fn next(mut self) -> (String, Option<Self>) {
        loop {
            match self.lines() {
                Err(refused) => {
                    let error = json!({"type": "ERROR", "object": refused.status()});
                    return (format!("{error}\n"), None);
                }
                Ok(lines) if !lines.is_empty() => return (lines, Some(self)),
                Ok(_) => {}
            }
            if self.changed.changed().await.is_err() {
                return (String::new(), None);
            }
        }
    }

    fn lines(&mut self) -> Result<String, Refused> {
        let state = self.server.state.lock().expect("no holder of the lock panics");
        let mut lines = String::new();
        for change in state.changes_since(self.since)? {
            self.since = change.version;
            lines.extend(self.asked.line(change));
        }
        Ok(lines)
    }
}

/// A request, taken apart.
pub(in crate::sim) struct Asked {
    pub(in crate::sim) method: Method,
    pub(in crate::sim) plural: String,
    namespace: String,
    pub(in crate::sim) name: Option<String>,
    /// What of the object is meant: `status`, `log`.
    pub(in crate::sim) part: Option<String>,
    query: BTreeMap<String, String>,
    is_metadata: bool,
    pub(in crate::sim) body: Value,
}

impl Asked {
    /// Takes `/api/v1/namespaces/n/configmaps/x` or `/apis/batch/v1/namespaces/n/jobs/x/status` apart.
    pub(in crate::sim) fn new(head: &http::request::Parts, body: Value) -> Self {
        let mut parts = head.uri.path().split('/').skip_while(|part| *part != "namespaces").skip(1);
        let mut next = || parts.next().map(str::to_owned);
        let (namespace, plural, name, sub) = (next(), next(), next(), next());
        let accepted = head.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
        let pairs = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Self {
            method: head.method.clone(),
            plural: plural.unwrap_or_else(|| head.uri.path().to_owned()),
            namespace: namespace.unwrap_or_default(),
            name: name.filter(|name| !name.is_empty()),
            part: sub,
            query: pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
            is_metadata: accepted.is_some_and(|accepted| accepted.contains("as=PartialObjectMetadata")),
            body,
        }
    }

    pub(in crate::sim) fn about(&self) -> String {
        let part = self.part.as_ref().map(|part| format!("/{part}")).unwrap_or_default();
        match &self.name {
            Some(name) => format!("{}/{name}{part}", self.plural),
            None => self.plural.clone(),
        }
    }

    pub(in crate::sim) fn is_watch(&self) -> bool {
        self.query.get("watch").is_some_and(|watch| watch == "true")
    }

    /// Returns the version that a watch goes on from.
    pub(in crate::sim) fn since(&self) -> u64 {
        self.query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0)
    }

    /// Returns the line by which a watch tells of a change, if it is about it.
    pub(in crate::sim) fn line(&self, change: &Change) -> Option<String> {
        let is_ours = change.key.0 == self.plural && change.key.1 == self.namespace;
        (is_ours && self.selection().takes(&change.object)).then(|| {
            let object = match self.is_metadata {
                true => text(&self.shown((*change.object).clone())),
                false => text(&change.object),
            };
            format!("{{\"type\":\"{}\",\"object\":{object}}}\n", change.what)
        })
    }

    fn selection(&self) -> Selection {
        let text = |key: &str| self.query.get(key).map(String::as_str);
        Selection::new(text("labelSelector"), text("fieldSelector"))
    }

    pub(in crate::sim) fn key(&self) -> Key {
        (self.plural.clone(), self.namespace.clone(), self.name.clone().unwrap_or_default())
    }

    pub(in crate::sim) fn act(&self, state: &mut State) -> Result<Value, Refused> {
        if self.plural == "/version" {
            return Ok(json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"}));
        }
        let object = match (self.method.as_str(), &self.name) {
            ("GET", None) => return Ok(self.list(state)),
            ("GET", Some(_)) => state.get(&self.key())?,
            ("POST", None) => state.create(&self.plural, &self.namespace, self.body.clone())?,
            ("PUT", Some(_)) => state.replace(self.key(), self.body.clone())?,
            ("PATCH", Some(_)) => state.patch(self.key(), &self.body, self.part.as_deref() == Some("status"))?,
            ("DELETE", Some(_)) => state.delete(&self.key(), &self.body)?,
            _ => return Err(Refused::new(405, "MethodNotAllowed", "the server does not allow this method")),
        };
        Ok(self.shown(object))
    }

    fn list(&self, state: &State) -> Value {
        let limit = self.query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE);
        let after = self.query.get("continue").map(String::as_str);
        let page = state.list(&self.plural, &self.namespace, &self.selection(), limit, after);
        json!({
            "kind": "List", "apiVersion": "v1",
            "metadata": {"resourceVersion": page.version.to_string(), "continue": page.next},
            "items": page.items.into_iter().map(|object| self.shown(object)).collect::<Vec<_>>(),
        })
    }

    fn shown(&self, mut object: Value) -> Value {
        if self.is_metadata {
            let metadata = object["metadata"].take();
            return json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata});
        }
        object
    }
}

fn text(value: &Value) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// Undoes percent encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
        match byte {
            b'%' => bytes.push(hex(rest.next().unwrap_or(b'0')) * 16 + hex(rest.next().unwrap_or(b'0'))),
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(in crate::sim) fn to_response(answer: Result<Value, Refused>) -> Answer {
    let (code, body) = match answer {
        Ok(body) => (200, body),
        Err(refused) => (refused.code, refused.status()),
    };
    let mut response = Response::new(self::body(stream::iter([text(&body)]).boxed()));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

pub(in crate::sim) fn body(texts: BoxStream<'static, String>) -> UnsyncBoxBody<Bytes, Infallible> {
    UnsyncBoxBody::new(StreamBody::new(texts.map(|text| Ok(http_body::Frame::data(Bytes::from(text))))))
}
