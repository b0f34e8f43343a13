//! The action itself: which object is meant, and one call about it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{GroupVersionKind, Request};
use kube::discovery::{ApiCapabilities, ApiResource, Discovery, Scope, pinned_kind};
use kube::{Api, Error};
use serde_json::{Value, json};

use super::flags::Flags;
use crate::backend::kubernetes::behalf::{self, Acted};
use crate::backend::kubernetes::client::Owner;
use crate::backend::kubernetes::fault::{Trouble, trouble};
use crate::backend::kubernetes::{Behalf, Cluster, job, names};
use crate::base::limits::RESOURCE_TRIES_MAX;
use crate::engine::PodRequest;
use crate::source::{self, Sources};
use crate::spec;

/// How long to wait before a call is made again that did not go through, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The field manager of what is applied.
const MANAGER: &str = "wf";

/// Short names of kinds that `kubectl` knows.
const SHORT: [(&str, &str); 12] = [
    ("cm", "configmaps"),
    ("cj", "cronjobs"),
    ("deploy", "deployments"),
    ("ds", "daemonsets"),
    ("ing", "ingresses"),
    ("ns", "namespaces"),
    ("po", "pods"),
    ("pvc", "persistentvolumeclaims"),
    ("rs", "replicasets"),
    ("sa", "serviceaccounts"),
    ("sts", "statefulsets"),
    ("svc", "services"),
];

/// Why the work cannot be done.
#[derive(Debug)]
pub(super) enum Fault {
    /// In these words.
    Said(String),
    /// As the server says.
    Call(Box<Error>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Call(Box::new(error))
    }
}

impl From<String> for Fault {
    fn from(words: String) -> Self {
        Self::Said(words)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(words) => f.write_str(words),
            Self::Call(error) => match &**error {
                Error::Api(status) if !status.message.is_empty() => f.write_str(&status.message),
                error => write!(f, "{error}"),
            },
        }
    }
}

/// One resource template's work.
pub(in crate::backend::kubernetes) struct Task {
    pub cluster: Cluster,
    pub owner: Owner,
    pub request: PodRequest,
    /// How it acts for others, if it does.
    pub behalf: Option<Arc<Behalf>>,
}

/// What an action is about.
struct Target {
    api: Api<DynamicObject>,
    kind: ApiResource,
    /// None where the kind has none.
    namespace: Option<String>,
    name: Option<String>,
    flags: Flags,
}

impl Target {
    fn name(&self) -> Result<&str, Fault> {
        let words = || Fault::Said("the object has no name: give it in the manifest or in `flags`".to_owned());
        self.name.as_deref().ok_or_else(words)
    }
}

impl Task {
    /// Does it, and returns the object, if the action leaves one.
    pub(super) async fn act(&self) -> Result<Option<(Api<DynamicObject>, DynamicObject)>, Fault> {
        let resource = self.resource()?;
        let manifest = self.manifest(resource)?;
        let target = self.target(&Flags::parse(&resource.flags)?, manifest.as_ref()).await?;
        self.check(&target, &resource.action).await?;
        let object = match resource.action.as_str() {
            "create" => self.create(&target, manifest).await?,
            "apply" => self.apply(&target, manifest).await?,
            "replace" => self.replace(&target, manifest).await?,
            "patch" => self.patch(&target, resource, manifest).await?,
            "get" => persist(|| target.api.get(target.name.as_deref().unwrap_or_default())).await?,
            "delete" => return delete(&target).await.map(|()| None),
            other => return Err(Fault::Said(format!("there is no action `{other}`"))),
        };
        Ok(Some((target.api, object)))
    }

    pub(super) fn resource(&self) -> Result<&spec::ResourceTemplate, Fault> {
        self.request
            .template
            .resource
            .as_deref()
            .ok_or_else(|| Fault::Said("the template has no `resource`".to_owned()))
    }

    /// Returns the manifest, with what the template adds to it.
    fn manifest(&self, resource: &spec::ResourceTemplate) -> Result<Option<Value>, Fault> {
        let artifact = resource.manifest_from.as_ref().and_then(|from| from.artifact.as_ref());
        let artifact = artifact.map(|declared| {
            let given = self.request.inputs.artifact(&declared.name).map_or(declared, |given| given);
            let raw = given.location.raw.as_ref().map(|raw| raw.data.clone());
            raw.ok_or_else(|| Fault::Said(format!("the artifact `{}` does not come with its content", declared.name)))
        });
        let Some(text) = artifact.transpose()?.or_else(|| resource.manifest.clone()) else { return Ok(None) };
        let mut manifest = read(&text)?;
        if resource.set_owner_reference == Some(true)
            && let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut)
        {
            let references = metadata.entry("ownerReferences").or_insert_with(|| json!([]));
            references.as_array_mut().into_iter().for_each(|list| list.push(job::owner_reference(&self.owner)));
        }
        Ok((!manifest.is_null()).then_some(manifest))
    }

    async fn target(&self, flags: &Flags, manifest: Option<&Value>) -> Result<Target, Fault> {
        let text = |pointer: &str| manifest.and_then(|manifest| manifest.pointer(pointer)).and_then(Value::as_str);
        let client = &self.cluster.client;
        let (kind, abilities) = match (text("/apiVersion"), text("/kind"), &flags.kind) {
            (Some(version), Some(kind), _) => pinned(client, version, kind).await?,
            (_, _, Some(kind)) => named(client, kind).await?,
            _ => return Err(Fault::Said("neither the manifest nor `flags` says which object is meant".to_owned())),
        };
        let namespace = flags.namespace.as_deref().or(text("/metadata/namespace")).unwrap_or(&self.cluster.namespace);
        let namespace = (abilities.scope == Scope::Namespaced).then(|| namespace.to_owned());
        let api = match &namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        };
        // What chance would complete is completed by what is the same when it is done again.
        let generated = || {
            let job = names::job(&self.owner.run, &self.owner.uid, self.request.node);
            let digits = job.rsplit('-').next().unwrap_or_default().to_owned();
            text("/metadata/generateName").map(|prefix| format!("{prefix}{digits}"))
        };
        let name = text("/metadata/name").map(str::to_owned).or_else(generated).or_else(|| flags.name.clone());
        Ok(Target { api, kind, namespace, name, flags: flags.clone() })
    }

    /// Checks that who submitted the run could do it too, where this process acts for others.
    async fn check(&self, target: &Target, action: &str) -> Result<(), Fault> {
        let Some(behalf) = &self.behalf else { return Ok(()) };
        let account = behalf::account(&self.request.template, &self.request.workflow);
        let acted = Acted { kind: &target.kind, namespace: target.namespace.as_deref(), name: target.name.as_deref() };
        Ok(behalf.check_act(&self.cluster, account, behalf::verbs(action, target.name.is_some()), &acted).await?)
    }

    /// Makes the object. It is marked as the node's, so that one that was made before counts.
    async fn create(&self, target: &Target, manifest: Option<Value>) -> Result<DynamicObject, Fault> {
        let mut object = object(manifest)?;
        let mark = format!("{}/{}", self.owner.head, self.request.node);
        object.metadata.name = Some(target.name()?.to_owned());
        object.metadata.generate_name = None;
        object.metadata.annotations.get_or_insert_default().insert(names::NODE.to_owned(), mark.clone());
        let params = PostParams::default();
        let created = persist(|| target.api.create(&params, &object)).await;
        let Err(error) = created else { return Ok(created?) };
        if trouble(&error) != Trouble::Exists {
            return Err(error.into());
        }
        let there = persist(|| target.api.get(target.name.as_deref().unwrap_or_default())).await?;
        let is_ours = there.metadata.annotations.as_ref().and_then(|all| all.get(names::NODE)) == Some(&mark);
        if is_ours { Ok(there) } else { Err(error.into()) }
    }

    async fn apply(&self, target: &Target, manifest: Option<Value>) -> Result<DynamicObject, Fault> {
        let object = object(manifest)?;
        let params = PatchParams::apply(MANAGER).force();
        let name = target.name()?;
        let patch = Patch::Apply(&object);
        Ok(persist(|| target.api.patch(name, &params, &patch)).await?)
    }

    async fn replace(&self, target: &Target, manifest: Option<Value>) -> Result<DynamicObject, Fault> {
        let mut object = object(manifest)?;
        let name = target.name()?;
        let there = persist(|| target.api.get(name)).await?;
        object.metadata.resource_version = there.metadata.resource_version;
        let params = PostParams::default();
        Ok(persist(|| target.api.replace(name, &params, &object)).await?)
    }

    async fn patch(
        &self,
        target: &Target,
        resource: &spec::ResourceTemplate,
        manifest: Option<Value>,
    ) -> Result<DynamicObject, Fault> {
        let patch = manifest.ok_or_else(|| Fault::Said("there is no manifest to patch with".to_owned()))?;
        let (name, params) = (target.name()?, PatchParams::default());
        let patched = match resource.merge_strategy.as_deref().unwrap_or("strategic") {
            "strategic" => {
                let patch = Patch::Strategic(&patch);
                persist(|| target.api.patch(name, &params, &patch)).await?
            }
            "merge" => {
                let patch = Patch::Merge(&patch);
                persist(|| target.api.patch(name, &params, &patch)).await?
            }
            "json" => persist(|| self.patch_json(target, name, &patch)).await?,
            other => return Err(Fault::Said(format!("there is no merge strategy `{other}`"))),
        };
        Ok(patched)
    }

    /// Sends a list of changes (RFC 6902) as it is.
    async fn patch_json(&self, target: &Target, name: &str, patch: &Value) -> Result<DynamicObject, Error> {
        let request = Request::new(target.api.resource_url());
        let mut request =
            request.patch(name, &PatchParams::default(), &Patch::Merge(patch)).map_err(Error::BuildRequest)?;
        let kind = "application/json-patch+json".parse().expect("it has no letter that a header cannot have");
        request.headers_mut().insert("content-type", kind);
        self.cluster.client.request(request).await
    }
}

async fn delete(target: &Target) -> Result<(), Fault> {
    let params = DeleteParams::background();
    let names = match (&target.name, &target.flags.selector, target.flags.all) {
        (Some(name), ..) => vec![name.clone()],
        (None, None, false) => return target.name().map(drop),
        (None, selector, _) => {
            let which = ListParams::default().labels(selector.as_deref().unwrap_or_default());
            let found = persist(|| target.api.list_metadata(&which)).await?;
            found.items.into_iter().filter_map(|object| object.metadata.name).collect()
        }
    };
    for name in names {
        match persist(|| target.api.delete(&name, &params)).await {
            Err(error) if trouble(&error) != Trouble::Missing => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Reads a manifest as Argo does, in YAML or JSON.
fn read(text: &str) -> Result<Value, Fault> {
    let mut sources = Sources::default();
    let file = sources.add("manifest", text);
    let (documents, faults) = source::read(&sources, file);
    if let Some(fault) = faults.first() {
        return Err(Fault::Said(format!("the manifest cannot be read: {}", fault.message)));
    }
    match documents.len() {
        0 => Ok(Value::Null),
        1 => Ok(documents[0].root.to_json()),
        many => Err(Fault::Said(format!("the manifest holds {many} objects; give each a template of its own"))),
    }
}

fn object(manifest: Option<Value>) -> Result<DynamicObject, Fault> {
    let manifest = manifest.ok_or_else(|| Fault::Said("there is no manifest".to_owned()))?;
    serde_json::from_value(manifest).map_err(|fault| Fault::Said(format!("the manifest is no object: {fault}")))
}

/// Returns an object as JSON.
pub(super) fn json_of(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

async fn pinned(client: &kube::Client, version: &str, kind: &str) -> Result<(ApiResource, ApiCapabilities), Fault> {
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let meant = GroupVersionKind::gvk(group, version, kind);
    persist(|| pinned_kind(client, &meant)).await.map_err(|error| match error {
        Error::Discovery(_) => unknown(kind),
        error if trouble(&error) == Trouble::Missing => unknown(kind),
        error => error.into(),
    })
}

/// Returns the kind that `kubectl` would take a word for.
async fn named(client: &kube::Client, word: &str) -> Result<(ApiResource, ApiCapabilities), Fault> {
    let lower = word.to_ascii_lowercase();
    let (plural, group) = lower.split_once('.').map_or((lower.as_str(), None), |(kind, group)| (kind, Some(group)));
    let plural = SHORT.iter().find(|(short, _)| *short == plural).map_or(plural, |(_, plural)| plural);
    let discovery = persist(|| Discovery::new(client.clone()).run()).await?;
    let groups = discovery.groups().filter(|found| group.is_none_or(|group| found.name() == group));
    let mut kinds = groups.flat_map(|group| group.recommended_resources());
    let found = kinds.find(|(kind, _)| kind.plural == plural || kind.kind.eq_ignore_ascii_case(plural));
    found.ok_or_else(|| unknown(word))
}

fn unknown(kind: &str) -> Fault {
    Fault::Said(format!("the cluster knows no kind `{kind}`"))
}

/// Makes a call again while the server is at fault, or a permission is missing that may come back.
pub(super) async fn persist<T, F: Future<Output = Result<T, Error>>>(call: impl Fn() -> F) -> Result<T, Error> {
    let mut pause = PAUSE_MIN;
    for _ in 1..RESOURCE_TRIES_MAX {
        match call().await {
            Err(error @ (Error::Api(_) | Error::Service(_) | Error::HyperError(_)))
                if matches!(trouble(&error), Trouble::Later(_) | Trouble::Blocked(_)) =>
            {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            answer => return answer,
        }
    }
    call().await
}
