//! The containers that Argo starts, against what the engine asks for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wf::base::NodeIx;
use wf::engine::{PodRequest, Run};

use super::{NAMELESS, NODE_NAME, list, text, timeless};

/// Compares the containers that were started in a call.
pub(super) fn same_pods(run: &Run, started: &BTreeMap<String, Box<PodRequest>>, call: &Value) -> Result<(), String> {
    let prefix = text(&call["out"]["metadata"]["name"]);
    let named = |pods: &Value| -> BTreeMap<String, Value> {
        // Argo's agent is no node's pod.
        let of_node = list(pods).iter().filter(|pod| pod["annotations"][NODE_NAME].is_string());
        let mine = of_node.filter(|pod| text(&pod["labels"]["workflows.argoproj.io/workflow"]) == prefix);
        let name = |pod: &Value| {
            let name = text(&pod["annotations"][NODE_NAME]);
            name.strip_prefix(prefix).unwrap_or(name).to_owned()
        };
        mine.map(|pod| (name(pod), pod.clone())).collect()
    };
    let (before, after) = (named(&call["pods"]), named(&call["podsAfter"]));
    // Requests have no pods.
    for (name, request) in started.iter().filter(|(_, request)| request.template.http.is_none()) {
        let pod = after.get(name).ok_or_else(|| format!("`{name}` is started, but not there"))?;
        same_containers(name, request, pod)?;
    }
    // A pod that vanished before it ran is asked for again by whoever lists the pods and misses it.
    let live: BTreeSet<NodeIx> = run.live_pods().into_iter().collect();
    let asked = |name: &str| run.find(&format!("{}{name}", run.name())).is_some_and(|node| live.contains(&node.ix));
    let known = |name: &String| before.contains_key(name) || started.contains_key(name) || asked(name);
    match after.keys().find(|name| !known(name)) {
        Some(name) => Err(format!("`{name}` is not started, but there it is")),
        None => Ok(()),
    }
}

fn same_containers(name: &str, request: &PodRequest, pod: &Value) -> Result<(), String> {
    for container in list(&pod["containers"]) {
        let Some(here) = container_here(request, text(&container["name"])) else { continue };
        let here = here.to_string().replace(&request.pod_name, text(&pod["name"])).replace(NAMELESS, "");
        let here: Value = serde_json::from_str(&here).expect("names are plain text");
        for key in ["image", "command", "args"] {
            // What the manifest leaves to the image was looked up there.
            let left_out =
                here[key].is_null() || (key == "args" && here["command"].is_null() && list(&here[key]).is_empty());
            if !left_out && timeless(&here[key].to_string()) != timeless(&container[key].to_string()) {
                return Err(format!("`{name}` starts with {key} {}, expected {}", here[key], container[key]));
            }
        }
        let env = |container: &Value| -> Vec<Value> {
            let traced = |variable: &&Value| !matches!(text(&variable["name"]), "TRACESTATE" | "TRACEPARENT");
            list(&container["env"]).iter().filter(traced).cloned().collect()
        };
        if env(&here) != env(container) {
            return Err(format!("`{name}` starts with env {}, expected {}", here["env"], container["env"]));
        }
        if let Some(patch) = &request.template.pod_spec_patch {
            let patch: Value = serde_yaml::from_str(patch).map_err(|fault| format!("`{name}`: {patch}: {fault}"))?;
            let patched = list(&patch["containers"]).iter().find(|patched| patched["name"] == container["name"]);
            if let Some(patched) = patched
                && patched["resources"] != container["resources"]
            {
                return Err(format!("`{name}` is patched with {patched}, expected {}", container["resources"]));
            }
        }
    }
    Ok(())
}

fn container_here(request: &PodRequest, name: &str) -> Option<Value> {
    let template = &request.template;
    let as_json = |value: &dyn erased::Json| value.json();
    if let Some(set) = &template.container_set {
        let containers = set.containers.iter().map(|container| as_json(container));
        return containers.into_iter().find(|container| container["name"] == name);
    }
    if name != "main" {
        return None;
    }
    if let Some(container) = &template.container {
        return Some(as_json(container));
    }
    template.script.as_ref().map(|script| {
        let mut container = as_json(script);
        // Without a source a script is a container.
        if !script.source.is_empty() {
            container["args"] = json!(["/argo/staging/script"]);
        }
        container
    })
}

/// Serializes without a type parameter at each place.
mod erased {
    pub trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).expect("a container is JSON")
        }
    }
}
