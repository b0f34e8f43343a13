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
