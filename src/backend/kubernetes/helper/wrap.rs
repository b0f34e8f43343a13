//! How a container's command becomes one of the helper's.

use serde_json::{Value, json};

use super::needs::Needs;
use super::objects::{MOUNT_PATH, PROGRAM, VOLUME, is_built_in};
use super::turn::{self, Turn};
use crate::spec;

/// Where a container writes its last words when it does not say; a kubelet's default.
const MESSAGE_PATH: &str = "/dev/termination-log";

/// Bytes that a kubelet keeps of one container's termination message, and of those of all of a pod's.
const MESSAGE_BYTES_MAX: usize = 4096;
const MESSAGES_BYTES_MAX: usize = 12_288;

/// Containers that others may put into a pod after us, as meshes do; each takes its share of the messages.
const CONTAINERS_INJECTED_MAX: usize = 3;

/// Images whose command without `command` is known, by name without registry and tag, as Argo's
/// controller has them in its configuration: the entrypoint, and what it is given without `args`.
/// The last ones have no entrypoint: their `args` are the command.
const IMAGES: [(&str, &[&str], &[&str]); 9] = [
    ("argoproj/argosay", &["/argosay"], &[]),
    ("curlimages/curl", &["/entrypoint.sh"], &[]),
    ("alpine", &[], &["/bin/sh"]),
    ("busybox", &[], &["sh"]),
    ("debian", &[], &["bash"]),
    ("fedora", &[], &["/bin/bash"]),
    ("golang", &[], &["bash"]),
    ("python", &[], &["python3"]),
    ("ubuntu", &[], &["/bin/bash"]),
];

/// Why a container cannot be run by the helper.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwrappable {
    /// Its image says what it runs, and images are not looked into.
    #[error(
        "its outputs cannot be collected, since it has no `command`, and what the image `{image}` runs is not known"
    )]
    NoCommand {
        /// The image.
        image: String,
    },
    /// The same of a container of a set, which the others may have to wait for.
    #[error(
        "its container `{name}` cannot be kept in order, since it has no `command`, and what the image `{image}` runs \
         is not known"
    )]
    NoMemberCommand {
        /// The container.
        name: String,
        /// The image.
        image: String,
    },
    /// There is no helper.
    #[error("this `wf` was built without the helper program, which collects outputs and keeps containers in order")]
    NotBuiltIn,
}

impl Unwrappable {
    /// Returns what the user can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoCommand { .. } | Self::NoMemberCommand { .. } => {
                "say `command:`; `docker image inspect` shows the image's entrypoint"
            }
            Self::NotBuiltIn => "use a `wf` that was built on Linux",
        }
    }
}

/// Returns why `template` cannot run when it is to report its outputs, or to keep its containers in order; `result`
/// says whether anybody asks for its result. For a look before a run, so its tags may still stand.
pub fn template_fault(template: &spec::Template, result: bool) -> Option<Unwrappable> {
    let needs = Needs::of(template, result);
    if let Some(set) = &template.container_set {
        let mut wrapped = turn::wrapped(set, &needs).peekable();
        wrapped.peek()?;
        return if is_built_in() {
            wrapped.find_map(|(name, container)| command_of(container, name).err())
        } else {
            Some(Unwrappable::NotBuiltIn)
        };
    }
    if needs.is_empty() {
        return None;
    }
    let script = template.script.as_ref().map(|script| &script.container);
    let main = template.container.as_ref().or(script)?;
    if !is_built_in() {
        return Some(Unwrappable::NotBuiltIn);
    }
    command(main).err()
}

/// Has a container that does a node's work run by the helper when it is its turn, which reports what `needs` says.
///
/// The container is complete: a script's file is in its `args`. `containers` counts all containers
/// of the pod, init containers and sidecars too, since they share the room for messages.
pub fn wrap_worker(container: &mut Value, needs: &Needs, turn: &Turn, containers: usize) -> Result<(), Unwrappable> {
    if !is_built_in() {
        return Err(Unwrappable::NotBuiltIn);
    }
    let (command, args) = match turn.is_empty() {
        true => command(container)?,
        false => command_of(container, container["name"].as_str().unwrap_or_default())?,
    };
    let mut words: Vec<Value> = vec![json!(PROGRAM), json!("run")];
    if needs.result {
        words.push(json!("--result"));
    }
    for file in &needs.parameters {
        words.extend([json!("--output"), json!(literal(&file.path))]);
    }
    words.extend([json!("--room"), json!(message_room(containers).to_string())]);
    words.extend(turn.options().map(Value::from));
    finish(container, words, command, args);
    if turn.has_marks() {
        mount(container, turn::mount());
    }
    Ok(())
}

/// Has a native sidecar run by the helper, so that it stays when its command ends, and is not
/// restarted. Returns whether it was: one whose command is not known is left as it is.
pub fn wrap_sidecar(container: &mut Value) -> bool {
    let Some((command, args)) = command(container).ok().filter(|_| is_built_in()) else { return false };
    finish(container, vec![json!(PROGRAM), json!("stay")], command, args);
    true
}

fn finish(container: &mut Value, mut words: Vec<Value>, command: Vec<Value>, args: Vec<Value>) {
    if let Some(path) = container["terminationMessagePath"].as_str().filter(|path| *path != MESSAGE_PATH) {
        words.extend([json!("--message"), json!(literal(path))]);
    }
    words.push(json!("--"));
    words.extend(command);
    container["command"] = words.into();
    container["args"] = args.into();
    mount(container, json!({ "name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": true }));
}

fn mount(container: &mut Value, mount: Value) {
    match container["volumeMounts"].as_array_mut() {
        Some(mounts) => mounts.push(mount),
        None => container["volumeMounts"] = json!([mount]),
    }
}

/// Returns what [`command`] does for a container of a set.
fn command_of(container: &Value, name: &str) -> Result<(Vec<Value>, Vec<Value>), Unwrappable> {
    command(container).map_err(|fault| match fault {
        Unwrappable::NoCommand { image } => Unwrappable::NoMemberCommand { name: name.to_owned(), image },
        other => other,
    })
}

/// Returns a container's command and arguments, with what is known of its image.
fn command(container: &Value) -> Result<(Vec<Value>, Vec<Value>), Unwrappable> {
    let words = |field: &str| container[field].as_array().cloned().unwrap_or_default();
    let (command, args) = (words("command"), words("args"));
    if !command.is_empty() {
        return Ok((command, args));
    }
    let image = container["image"].as_str().unwrap_or_default();
    let known = IMAGES.iter().find(|(name, ..)| is_image(image, name));
    let (_, entrypoint, usual) = known.ok_or_else(|| Unwrappable::NoCommand { image: image.to_owned() })?;
    let entrypoint = entrypoint.iter().map(|word| json!(word)).collect();
    let args = if args.is_empty() { usual.iter().map(|word| json!(word)).collect() } else { args };
    Ok((entrypoint, args))
}

/// Returns whether `image`, with any tag, is `name` in Docker's registry.
fn is_image(image: &str, name: &str) -> bool {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let image = match image.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => image,
    };
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    image.strip_prefix("library/").unwrap_or(image) == name
}

/// Returns a text that means itself in a container's `command`, where `$(NAME)` is a variable.
fn literal(text: &str) -> String {
    text.replace("$(", "$$(")
}

/// Returns the bytes that the termination message of one of so many containers may have. A kubelet
/// shares what it keeps evenly among all that the pod has by then.
fn message_room(containers: usize) -> usize {
    (MESSAGES_BYTES_MAX / (containers + CONTAINERS_INJECTED_MAX)).min(MESSAGE_BYTES_MAX)
}
