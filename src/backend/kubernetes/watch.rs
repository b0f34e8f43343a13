//! A watch of the run's objects of one kind: a list, then every change since, for ever.
//!
//! A watch that ends goes on from the last version that was seen; when the server has forgotten that
//! version (410), all is listed anew.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Resource;
use kube::{Api, Error};
use serde::de::DeserializeOwned;

use crate::base::limits::{LIST_PAGE_OBJECTS, LIST_PAGES_MAX};

/// How long to wait when connections bring nothing, again and again: something in between ends them.
const VAIN_PAUSE: Duration = Duration::from_secs(1);

/// News of objects.
#[derive(Debug)]
pub(super) enum News<K> {
    /// An object is there, or changed.
    Is(K),
    /// An object is no more; the last that was seen of it.
    Gone(K),
    /// What was seen last is forgotten: list again.
    Forgotten,
}

/// Which objects are meant.
#[derive(Debug, Clone)]
pub(super) enum Which {
    /// Those with the labels of a selector.
    Labels(String),
    /// Those with the fields of a selector.
    Fields(String),
}

impl Which {
    fn list(&self) -> ListParams {
        match self {
            Self::Labels(selector) => ListParams::default().labels(selector),
            Self::Fields(selector) => ListParams::default().fields(selector),
        }
    }

    fn watch(&self) -> WatchParams {
        match self {
            Self::Labels(selector) => WatchParams::default().labels(selector),
            Self::Fields(selector) => WatchParams::default().fields(selector),
        }
    }
}

/// A watch, which may be between two connections.
pub(super) struct Watch<K> {
    api: Api<K>,
    which: Which,
    version: Option<String>,
    stream: Option<BoxStream<'static, Result<WatchEvent<K>, Error>>>,
    /// Whether the connection brought nothing so far.
    is_vain: bool,
}

impl<K> Watch<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Prepares a watch. Nothing is asked yet.
    pub(super) fn new(api: Api<K>, which: Which) -> Self {
        Self { api, which, version: None, stream: None, is_vain: false }
    }

    /// Returns whether it goes on from a list.
    pub(super) fn is_listed(&self) -> bool {
        self.version.is_some()
    }

    /// Forgets what was listed.
    pub(super) fn forget(&mut self) {
        self.version = None;
        self.stream = None;
    }

    /// Lists all objects; news go on from here.
    pub(super) async fn list(&mut self) -> Result<Vec<K>, Error> {
        self.list_as(Some).await
    }

    /// Lists all objects, and returns what `read` makes of each: those of a long run are hundreds of megabytes,
    /// and no more than a page of them is held. News go on from here.
    pub(super) async fn list_as<T>(&mut self, read: impl Fn(K) -> Option<T>) -> Result<Vec<T>, Error> {
        self.forget();
        let mut params = self.which.list().limit(LIST_PAGE_OBJECTS);
        let mut all = Vec::new();
        for _ in 0..LIST_PAGES_MAX {
            let page = self.api.list(&params).await?;
            all.extend(page.items.into_iter().filter_map(&read));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => {
                    self.version = page.metadata.resource_version;
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Waits for news. Safe to drop while it waits. Must have been listed.
    pub(super) async fn next(&mut self) -> Result<News<K>, Error> {
        loop {
            let Some(version) = self.version.clone() else { return Ok(News::Forgotten) };
            let stream = match &mut self.stream {
                Some(stream) => stream,
                none => none.insert(open(self.api.clone(), self.which.watch(), version)),
            };
            match stream.next().await {
                None => {
                    self.stream = None;
                    if std::mem::replace(&mut self.is_vain, true) {
                        tokio::time::sleep(VAIN_PAUSE).await;
                    }
                }
                Some(Err(error)) => {
                    self.stream = None;
                    if is_forgotten(&error) {
                        return Ok(self.forgotten());
                    }
                    return Err(error);
                }
                Some(Ok(event)) => {
                    self.is_vain = false;
                    if let Some(news) = self.heed(event)? {
                        return Ok(news);
                    }
                }
            }
        }
    }

    fn heed(&mut self, event: WatchEvent<K>) -> Result<Option<News<K>>, Error> {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.seen(&object);
                Ok(Some(News::Is(object)))
            }
            WatchEvent::Deleted(object) => {
                self.seen(&object);
                Ok(Some(News::Gone(object)))
            }
            WatchEvent::Bookmark(bookmark) => {
                self.version = Some(bookmark.metadata.resource_version);
                Ok(None)
            }
            WatchEvent::Error(status) => {
                self.stream = None;
                let error = Error::Api(status);
                if is_forgotten(&error) { Ok(Some(self.forgotten())) } else { Err(error) }
            }
        }
    }

    fn seen(&mut self, object: &K) {
        if let Some(version) = &object.meta().resource_version {
            self.version = Some(version.clone());
        }
    }

    fn forgotten(&mut self) -> News<K> {
        self.forget();
        News::Forgotten
    }
}

/// Opens a watch. Whoever waits for it may be called away, and the request goes on.
fn open<K>(api: Api<K>, params: WatchParams, version: String) -> BoxStream<'static, Result<WatchEvent<K>, Error>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    stream::once(async move { api.watch(&params, &version).await }).try_flatten().boxed()
}

fn is_forgotten(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 410)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    /// Returns a watch of one who gives these answers, in turn, and what it is asked.
    fn watch(answers: Vec<String>) -> (Watch<ConfigMap>, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, asks) = (Arc::new(Mutex::new(VecDeque::from(answers))), asked.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            asks.lock().expect("no test panicked").push(request.uri().query().unwrap_or_default().to_owned());
            let answer = answers.lock().expect("no test panicked").pop_front().expect("an answer is left");
            async move { Ok::<_, Infallible>(Response::new(Body::from(answer.into_bytes()))) }
        });
        let api = Api::namespaced(Client::new(service, "here"), "here");
        (Watch::new(api, Which::Labels("run=x".to_owned())), asked)
    }

    fn list(version: &str) -> String {
        json!({ "kind": "ConfigMapList", "apiVersion": "v1", "metadata": { "resourceVersion": version }, "items": [] })
            .to_string()
    }

    fn told(events: &[Value]) -> String {
        events.iter().map(|event| format!("{event}\n")).collect()
    }

    fn change(what: &str, name: &str, version: &str) -> Value {
        json!({ "type": what, "object": {
            "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": name, "resourceVersion": version },
        } })
    }

    #[tokio::test]
    async fn a_watch_that_broke_off_goes_on_after_what_it_saw_last() {
        let first = told(&[change("ADDED", "a", "6"), change("MODIFIED", "a", "8")]);
        let (mut watch, asked) = watch(vec![list("5"), first, told(&[change("DELETED", "a", "9")])]);
        assert!(!watch.is_listed());
        watch.list().await.expect("a list");
        for _ in 0..2 {
            assert!(matches!(watch.next().await, Ok(News::Is(_))));
        }
        assert!(matches!(watch.next().await, Ok(News::Gone(_))));
        let asked = asked.lock().expect("no test panicked");
        let from: Vec<_> = asked[1..].iter().filter_map(|query| query.split("resourceVersion=").nth(1)).collect();
        assert_eq!(from, ["5", "8"], "{asked:?}");
    }

    /// What was deleted in a time that the server has forgotten is told by a list alone.
    #[tokio::test]
    async fn a_watch_whose_history_is_gone_has_to_be_listed_again() {
        let gone = json!({ "type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
            "message": "too old resource version",
        } });
        let (mut watch, asked) = watch(vec![list("5"), told(&[gone])]);
        watch.list().await.expect("a list");
        assert!(matches!(watch.next().await, Ok(News::Forgotten)));
        assert!(!watch.is_listed());
        assert!(matches!(watch.next().await, Ok(News::Forgotten)));
        assert_eq!(asked.lock().expect("no test panicked").len(), 2);
    }
}
