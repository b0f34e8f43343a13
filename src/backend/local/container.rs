//! From a container of Kubernetes to what is run here: command, arguments, environment, mounts.

use serde_json::Value;

use super::environment::{self, Declared, items, scalar, text};
use super::fault::Fault;
use super::order::{Check, Container, Mount, Probe};
use super::prepare::Surroundings;

/// Images whose entrypoint is a program of the same use on any machine, by the end of their name.
const ENTRYPOINTS: [(&str, &str); 8] = [
    ("argoproj/argosay", "argosay"),
    ("curlimages/curl", "curl"),
    ("busybox", "sh"),
    ("alpine", "sh"),
    ("debian", "bash"),
    ("ubuntu", "bash"),
    ("python", "python3"),
    ("node", "node"),
];

/// Returns the program that an image starts by convention when its container names none.
pub(super) fn entrypoint(image: &str) -> Option<&'static str> {
    let name = image_name(image);
    ENTRYPOINTS.into_iter().find(|(known, _)| is_image(name, known)).map(|(_, program)| program)
}

/// Returns the image without tag and digest.
fn image_name(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

fn is_image(name: &str, known: &str) -> bool {
    name == known || name.strip_suffix(known).is_some_and(|registry| registry.ends_with('/'))
}

/// Returns what to run of `container`, which is called `name` when it has none of its own.
pub(super) fn container(container: &Value, name: &str, around: &Surroundings<'_>) -> Result<Container, Fault> {
    let declared = environment::declared(container, &around.facts, around.files)?;
    Ok(Container {
        name: name.to_owned(),
        command: command(container, &declared)?,
        script: None,
        env: whole_environment(&declared, around),
        working_dir: text(container, "workingDir").filter(|dir| !dir.is_empty()).map(str::to_owned),
        mounts: items(container, "volumeMounts").map(|mount| mount_of(mount, &declared)).collect::<Result<_, _>>()?,
        readiness: readiness(container),
    })
}

/// Returns the elements of a container's `command`.
pub(super) fn command_words(container: &Value) -> impl Iterator<Item = &Value> {
    items(container, "command")
}

/// Joins `command` and `args`; without a command, the image's entrypoint by convention.
fn command(container: &Value, env: &Declared) -> Result<Vec<String>, Fault> {
    let expanded = |part| environment::expand(&scalar(part), env);
    let mut command: Vec<String> = command_words(container).map(expanded).collect();
    if command.is_empty() {
        let image = text(container, "image").unwrap_or_default();
        let program = entrypoint(image).ok_or_else(|| {
            Fault::refused(format!("the container has no `command`, and the image `{image}` is not pulled here"))
        })?;
        command.push(program.to_owned());
    }
    command.extend(items(container, "args").map(expanded));
    Ok(command)
}

/// Puts what every process has below what the container declares.
fn whole_environment(declared: &Declared, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let is_declared = |name: &str| declared.iter().any(|(known, _)| known == name);
    let host = [("HOSTNAME".to_owned(), around.facts.name.clone())];
    let base = around.base_env.iter().cloned().chain(host).filter(|(name, _)| !is_declared(name));
    base.chain(declared.iter().cloned()).collect()
}

fn mount_of(mount: &Value, env: &Declared) -> Result<Mount, Fault> {
    let path = text(mount, "mountPath").unwrap_or_default();
    let sub_path = match text(mount, "subPathExpr") {
        Some(expression) => environment::expand(expression, env),
        None => text(mount, "subPath").unwrap_or_default().to_owned(),
    };
    if !path.starts_with('/') {
        return Err(Fault::refused(format!("the `mountPath` `{path}` must be absolute")));
    }
    if sub_path.starts_with('/') || sub_path.split('/').any(|part| part == "..") {
        return Err(Fault::refused(format!("the `subPath` `{sub_path}` must be relative and without `..`")));
    }
    Ok(Mount {
        volume: text(mount, "name").unwrap_or_default().to_owned(),
        path: path.to_owned(),
        sub_path,
        read_only: mount["readOnly"] == true,
    })
}

/// Reads a readiness probe; one of a kind that is not known here counts as none.
fn readiness(container: &Value) -> Option<Probe> {
    let probe = container.get("readinessProbe")?;
    let seconds = |field: &str, otherwise: u64| probe[field].as_u64().unwrap_or(otherwise).saturating_mul(1000);
    Some(Probe {
        check: check(probe, container)?,
        initial_delay_ms: seconds("initialDelaySeconds", 0),
        timeout_ms: seconds("timeoutSeconds", 1).max(1),
        successes: probe["successThreshold"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1),
    })
}

fn check(probe: &Value, container: &Value) -> Option<Check> {
    let host = |check: &Value| text(check, "host").unwrap_or(super::POD_IP).to_owned();
    if let Some(http) = probe.get("httpGet") {
        let path = text(http, "path").filter(|path| path.starts_with('/')).unwrap_or("/");
        return Some(Check::Http { host: host(http), port: port(&http["port"], container)?, path: path.to_owned() });
    }
    if let Some(tcp) = probe.get("tcpSocket") {
        return Some(Check::Tcp { host: host(tcp), port: port(&tcp["port"], container)? });
    }
    let command: Vec<String> = items(probe.get("exec")?, "command").map(scalar).collect();
    (!command.is_empty()).then_some(Check::Exec(command))
}

/// Returns a port given by number, by a number's text, or by the name of a container's port.
fn port(port: &Value, container: &Value) -> Option<u16> {
    if let Some(number) = port.as_u64() {
        return u16::try_from(number).ok();
    }
    let name = port.as_str()?;
    name.parse().ok().or_else(|| {
        let named = items(container, "ports").find(|known| text(known, "name") == Some(name))?;
        named["containerPort"].as_u64().and_then(|number| u16::try_from(number).ok())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_have_conventional_entrypoints() {
        for (image, program) in [
            ("argoproj/argosay:v2", Some("argosay")),
            ("docker.io/argoproj/argosay@sha256:00", Some("argosay")),
            ("localhost:5000/curlimages/curl", Some("curl")),
            ("busybox", Some("sh")),
            ("python:alpine3.23", Some("python3")),
            ("mybusybox", None),
            ("golang:1.18", None),
            ("", None),
        ] {
            assert_eq!(entrypoint(image), program, "{image}");
        }
    }

    #[test]
    fn commands_join_arguments_and_expand_variables() {
        let env = vec![("N".to_owned(), "7".to_owned())];
        for (container, expected) in [
            (json!({ "command": ["a"], "args": ["$(N)", 5, true] }), Some("a 7 5 true")),
            (json!({ "command": ["a", "b"] }), Some("a b")),
            (json!({ "image": "argoproj/argosay:v2", "args": ["echo", "x"] }), Some("argosay echo x")),
            (json!({ "image": "golang:1.18" }), None),
        ] {
            let actual = command(&container, &env).ok().map(|command| command.join(" "));
            assert_eq!(actual.as_deref(), expected, "{container}");
        }
    }

    #[test]
    fn mounts_must_stay_in_their_volume() {
        let env = vec![("N".to_owned(), "7".to_owned())];
        let ok = mount_of(&json!({ "name": "v", "mountPath": "/m", "subPathExpr": "a/$(N)" }), &env).expect("a mount");
        assert_eq!((ok.path.as_str(), ok.sub_path.as_str(), ok.read_only), ("/m", "a/7", false));
        for bad in [
            json!({ "name": "v", "mountPath": "m" }),
            json!({ "name": "v", "mountPath": "/m", "subPath": "/a" }),
            json!({ "name": "v", "mountPath": "/m", "subPath": "a/../.." }),
        ] {
            assert!(mount_of(&bad, &env).is_err(), "{bad}");
        }
    }

    #[test]
    fn probes_find_their_port() {
        let container = json!({
            "ports": [{ "name": "web", "containerPort": 8080 }],
            "readinessProbe": { "httpGet": { "path": "/ok", "port": "web" }, "timeoutSeconds": 2 },
        });
        let probe = readiness(&container).expect("a probe");
        assert_eq!(probe.check, Check::Http { host: "127.0.0.1".into(), port: 8080, path: "/ok".into() });
        assert_eq!((probe.timeout_ms, probe.successes), (2000, 1));
        assert_eq!(readiness(&json!({ "readinessProbe": { "grpc": { "port": 1 } } })), None);
        assert_eq!(port(&json!(99999), &container), None);
    }
}
