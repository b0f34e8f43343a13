//! Workflows by chance, over the whole language, whose outcome does not depend on what is faster.
//!
//! What would depend on it is left out or said: only retries fail, except in a scenario where a failure
//! cuts nothing off (`failFast: false`, no `parallelism`); outputs are taken only of what surely makes them.

use serde_json::{Map, Value, json};

use super::chance::Chance;
use super::scenarios::read_scenario;
use super::seed::Scenario;
use crate::base::TimeSpan;
use crate::engine::Control;

/// How deep templates call one another, and how many there are: more would only take longer.
const DEPTH_MAX: u64 = 3;
const TEMPLATES_MAX: usize = 9;

/// How many places a semaphore has.
pub(super) const SEMAPHORE_PLACES: usize = 2;

/// What the names of nodes contain that are hooks of nodes that run.
pub(super) const RUNNING_HOOK: &str = ".hooks.running";

/// Returns the workflow of a seed.
pub(super) fn generated_value(seed: u64) -> Value {
    Maker::new(seed).manifest()
}

/// Returns the workflow of a seed, as text.
pub fn generated_manifest(seed: u64) -> String {
    text(&generated_value(seed))
}

/// Returns the scenario in which a workflow runs and nobody asks for anything; or why there is none.
pub(super) fn scenario_of(manifest: &Value) -> Result<Scenario, String> {
    read_scenario("generated.yaml", &text(manifest))
}

fn text(manifest: &Value) -> String {
    let limits = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "limits" },
        "data": { "places": SEMAPHORE_PLACES.to_string() },
    });
    [manifest, &limits].map(|object| serde_yaml::to_string(object).expect("plain data")).join("---\n")
}

/// Returns the scenario of a seed: a workflow, and what people ask for meanwhile.
pub fn generated(seed: u64) -> Scenario {
    let text = generated_manifest(seed);
    let scenario = read_scenario("generated.yaml", &text);
    let scenario = scenario.unwrap_or_else(|fault| panic!("seed {seed} makes a bad manifest: {fault}\n{text}"));
    let mut chance = Chance::named(seed, "asks");
    let (asks, is_timeless) = asks(&mut chance);
    Scenario { asks, is_timeless, ..scenario }
}

fn asks(chance: &mut Chance) -> (Vec<(TimeSpan, Control)>, bool) {
    let mut after = |bound| TimeSpan(chance.below(bound));
    let resume = || Control::Resume { selector: String::new(), message: String::new() };
    let stop = || Control::Stop { selector: String::new(), message: "enough".to_owned() };
    match after(12).0 {
        0 => (vec![(after(8_000), Control::Suspend), (after(20_000), resume())], true),
        1 => (
            vec![
                (after(4_000), Control::Suspend),
                (after(9_000), resume()),
                (after(4_000), Control::Suspend),
                (after(9_000), resume()),
            ],
            true,
        ),
        2 => (vec![(after(9_000), stop())], false),
        3 => (vec![(after(9_000), Control::Terminate)], false),
        _ => (Vec::new(), true),
    }
}

/// What a template surely hands out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Nothing,
    Result,
    Parameter,
}

struct Maker {
    chance: Chance,
    /// Whether pods fail for good.
    has_failures: bool,
    /// Whether there are daemons, which keep their places until their callers end.
    has_daemons: bool,
    templates: Vec<Value>,
}

impl Maker {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::named(seed, "manifest");
        let has_failures = chance.below(5) == 0;
        let has_daemons = !has_failures && chance.below(4) == 0;
        Self { chance, has_failures, has_daemons, templates: Vec::new() }
    }

    /// Returns whether few may run at a time: nothing waits for a place that is never free.
    fn may_limit(&self) -> bool {
        !self.has_failures && !self.has_daemons
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.chance.below(times) == 0
    }

    fn manifest(&mut self) -> Value {
        let (main, _) = self.template(0);
        let mut spec = json!({ "entrypoint": main });
        if self.one_in(3) {
            spec["onExit"] = self.leaf().0.into();
        } else if self.one_in(5) {
            spec["hooks"] = json!({ "exit": { "template": self.leaf().0 } });
        }
        if self.may_limit() && self.one_in(4) {
            spec["parallelism"] = (1 + self.chance.below(3)).into();
        }
        if self.one_in(6) {
            spec["activeDeadlineSeconds"] = 30_000.into();
        }
        if self.one_in(10) {
            spec["synchronization"] = json!({ "mutexes": [{ "name": "run" }] });
        }
        if self.one_in(8) {
            spec["podGC"] = json!({ "strategy": "OnPodCompletion" });
        }
        spec["templates"] = self.templates.clone().into();
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": { "generateName": "generated-" }, "spec": spec,
        })
    }

    /// Makes a template, and returns its name and what it hands out.
    fn template(&mut self, depth: u64) -> (String, Made) {
        let may_call = depth < DEPTH_MAX && self.templates.len() < TEMPLATES_MAX;
        match if depth == 0 { 1 + self.chance.below(2) } else { self.chance.below(4) } {
            1 if may_call => (self.steps(depth), Made::Nothing),
            2 if may_call => (self.dag(depth), Made::Nothing),
            _ if self.has_daemons && self.one_in(3) => (self.daemon(), Made::Nothing),
            _ => self.leaf(),
        }
    }

    fn add(&mut self, mut template: Value) -> String {
        let name = format!("t{}", self.templates.len());
        template["name"] = name.as_str().into();
        self.templates.push(template);
        name
    }

    /// Makes a template whose pod runs until its caller ends. It holds no lock: others would wait for ever.
    fn daemon(&mut self) -> String {
        self.add(json!({ "daemon": true, "container": { "image": "x", "command": ["sh"] } }))
    }

    fn leaf(&mut self) -> (String, Made) {
        let mut inputs = json!({ "parameters": [{ "name": "p", "value": "d" }] });
        if self.one_in(6) {
            inputs["artifacts"] =
                json!([{ "name": "a", "path": "/tmp/a", "raw": { "data": "{{inputs.parameters.p}}" } }]);
        }
        let pod = |words: &str| json!({ "image": "x", "command": ["sh"], "args": ["{{inputs.parameters.p}}", words] });
        let (mut template, made) = match self.chance.below(11) {
            0 | 1 => (json!({ "container": pod("sim:exit=0") }), Made::Nothing),
            2 => (json!({ "script": { "image": "x", "command": ["sh"], "source": "sim:result=[1,2]" } }), Made::Result),
            3 | 4 => (
                json!({
                    "container": pod("sim:out.o=made"),
                    "outputs": { "parameters": [{ "name": "o", "valueFrom": { "path": "/tmp/o" } }] },
                }),
                Made::Parameter,
            ),
            5 => (self.retried(pod), Made::Nothing),
            6 => (json!({ "suspend": { "duration": (1 + self.chance.below(6)).to_string() } }), Made::Nothing),
            7 => {
                let key = format!("k{}", self.chance.below(2));
                let memoize = json!({ "key": key, "cache": { "configMap": { "name": "cache-a" } } });
                let outputs = json!({ "parameters": [{ "name": "o", "valueFrom": { "path": "/tmp/o" } }] });
                (json!({ "container": pod("sim:out.o=kept"), "memoize": memoize, "outputs": outputs }), Made::Parameter)
            }
            8 | 9 => self.set(),
            _ if self.has_failures => (json!({ "container": pod("sim:exit=4") }), Made::Nothing),
            _ => (json!({ "container": pod("sim:takes=1s") }), Made::Nothing),
        };
        let is_pod = template.get("suspend").is_none();
        let has_files = is_pod && !lacks_main(&template);
        if !has_files {
            inputs = json!({ "parameters": inputs["parameters"] });
        }
        template["inputs"] = inputs;
        if is_pod && self.one_in(4) {
            let mutex = json!({ "name": format!("m{}", self.chance.below(2)) });
            let semaphore = json!({ "configMapKeyRef": { "name": "limits", "key": "places" } });
            template["synchronization"] = match self.chance.below(4) {
                0 | 1 => json!({ "mutexes": [mutex] }),
                2 => json!({ "semaphores": [semaphore] }),
                _ => json!({ "mutexes": [mutex], "semaphores": [semaphore] }),
            };
        }
        if is_pod && self.one_in(8) {
            template["activeDeadlineSeconds"] = 20_000.into();
        }
        // What is kept under one key is the same, whoever makes it.
        if has_files && template["memoize"].is_null() && self.one_in(8) {
            template["outputs"]["artifacts"] = json!([{ "name": "a", "path": "/tmp/b", "optional": true }]);
        }
        (self.add(template), made)
    }

    /// Makes a pod of several containers, some of which wait for others, and returns what its main one hands out.
    fn set(&mut self) -> (Value, Made) {
        let fails = self.has_failures && self.one_in(2);
        let (mut template, made) = match self.chance.below(4) {
            0 if !fails => (json!({}), Made::Result),
            1 | 2 if !fails => (json!({ "outputs": { "parameters": [] } }), Made::Parameter),
            _ => (json!({}), Made::Nothing),
        };
        let mut names = vec!["main", "a", "b"];
        names.truncate(1 + self.chance.below(3) as usize);
        if made == Made::Nothing && self.one_in(3) {
            names[0] = "c";
        }
        let troubled = self.chance.below(names.len() as u64) as usize;
        let (words, strategies) = self.troubles(fails);
        let mut set = json!({ "containers": [] });
        let mut containers = Vec::new();
        for at in 0..names.len() {
            let own = match (names[at], made) {
                ("main", Made::Result) => "sim:result=[1,2]",
                ("main", Made::Parameter) => "sim:out.o=made",
                _ => "",
            };
            let mut args = vec!["{{inputs.parameters.p}}", own];
            args.extend((at == troubled).then_some(words.as_str()));
            let before: Vec<&str> = names[..at].iter().copied().filter(|_| self.one_in(2)).collect();
            let container = json!({
                "name": names[at], "image": "x", "command": ["sh"], "args": args, "dependencies": before,
            });
            // They need not stand in the order in which they run.
            containers.insert(self.chance.below(at as u64 + 1) as usize, container);
        }
        set["containers"] = containers.into();
        let mut path = "/tmp/o";
        if self.one_in(3) {
            path = "/work/o";
            template["volumes"] = json!([{ "name": "work", "emptyDir": {} }]);
            set["volumeMounts"] = json!([{ "name": "work", "mountPath": "/work" }]);
        }
        if made == Made::Parameter {
            template["outputs"]["parameters"] = json!([{ "name": "o", "valueFrom": { "path": path } }]);
        }
        match strategies {
            (Some(of_set), _) => set["retryStrategy"] = of_set,
            (None, Some(of_node)) => template["retryStrategy"] = of_node,
            (None, None) => {}
        }
        template["containerSet"] = set;
        (template, made)
    }

    /// Returns the words of a container of a set that fails, now and then or for good, and the strategies of the
    /// set and of its node.
    fn troubles(&mut self, fails: bool) -> (String, (Option<Value>, Option<Value>)) {
        let times = self.chance.below(3);
        let allowed = if fails { 1 } else { times + self.chance.below(2) };
        match self.chance.below(3) {
            0 => {
                let strategy = json!({ "retries": allowed + 1, "duration": format!("{}s", self.chance.below(3)) });
                (format!("sim:fails={times}"), (Some(strategy), None))
            }
            1 => {
                let strategy = json!({ "limit": allowed, "retryPolicy": "OnFailure" });
                (format!("sim:fails={times}"), (None, Some(strategy)))
            }
            _ => ((if fails { "sim:exit=4" } else { "sim:exit=0" }).to_owned(), (None, None)),
        }
    }

    fn retried(&mut self, pod: impl Fn(&str) -> Value) -> Value {
        let fails = self.chance.below(3);
        let limit = if self.has_failures { 1 } else { fails + self.chance.below(2) };
        let mut strategy = json!({ "limit": limit, "retryPolicy": "OnFailure" });
        if self.one_in(2) {
            strategy["backoff"] = json!({ "duration": "2", "factor": 2 });
        }
        json!({ "container": pod(&format!("sim:fails={fails}")), "retryStrategy": strategy })
    }

    /// Makes a call of a template, under a name, and returns whether what it hands out may be used.
    fn call(&mut self, name: &str, depth: u64, before: &[String]) -> (Value, Option<Made>) {
        let (template, made) = self.template(depth + 1);
        let mut call = Map::new();
        call.insert("name".to_owned(), name.into());
        call.insert("template".to_owned(), template.as_str().into());
        let is_leaf =
            self.templates.iter().any(|known| known["name"] == template.as_str() && known["inputs"].is_object());
        let mut value = before.first().filter(|_| self.one_in(2)).cloned();
        let mut is_sure = true;
        match self.chance.below(8) {
            0 => {
                call.insert("withItems".to_owned(), json!(["a", "b", { "c": 1 }]));
                (value, is_sure) = (Some("{{item}}".to_owned()), false);
            }
            1 => {
                call.insert("withSequence".to_owned(), json!({ "count": (self.chance.below(4)).to_string() }));
                (value, is_sure) = (Some("{{item}}".to_owned()), false);
            }
            2 => {
                let text = if self.one_in(2) { "1 == 1" } else { "1 == 2" };
                call.insert("when".to_owned(), text.into());
                is_sure = false;
            }
            3 if is_leaf => {
                let list = before.iter().find(|reference| reference.contains("result"));
                if let Some(list) = list {
                    call.insert("withParam".to_owned(), list.as_str().into());
                    (value, is_sure) = (Some("{{item}}".to_owned()), false);
                }
            }
            4 => {
                let (hook, _) = self.leaf();
                call.insert("hooks".to_owned(), json!({ "exit": { "template": hook } }));
            }
            5 if !self.has_failures => {
                let (hook, _) = self.leaf();
                let kind = if name.starts_with('s') { "steps" } else { "tasks" };
                let expression = format!("{kind}['{name}'].status == 'Running'");
                let hook = json!({ "template": hook, "expression": expression });
                call.insert("hooks".to_owned(), json!({ "running": hook }));
            }
            _ => {}
        }
        if self.has_failures {
            call.insert("continueOn".to_owned(), json!({ "failed": true, "error": true }));
        }
        if let Some(value) = value.filter(|_| is_leaf) {
            call.insert("arguments".to_owned(), json!({ "parameters": [{ "name": "p", "value": value }] }));
        }
        (call.into(), is_sure.then_some(made))
    }

    fn steps(&mut self, depth: u64) -> String {
        let mut groups = Vec::new();
        let mut known = Vec::new();
        for group in 0..1 + self.chance.below(3) {
            let mut steps = Vec::new();
            let mut made_here = Vec::new();
            for step in 0..1 + self.chance.below(3) {
                let name = format!("s{group}{step}");
                let (call, made) = self.call(&name, depth, &known);
                made_here.extend(reference("steps", &name, made));
                steps.push(call);
            }
            known.splice(0..0, made_here);
            groups.push(steps);
        }
        let mut template = json!({ "steps": groups });
        if self.may_limit() && self.one_in(5) {
            template["parallelism"] = 1.into();
        }
        self.add(template)
    }

    fn dag(&mut self, depth: u64) -> String {
        let mut tasks: Vec<Value> = Vec::new();
        let mut made_by: Vec<(String, String)> = Vec::new();
        for at in 0..1 + self.chance.below(5) {
            let name = format!("d{at}");
            let before: Vec<String> = (0..at).filter(|_| self.one_in(2)).map(|at| format!("d{at}")).collect();
            let known: Vec<String> = made_by
                .iter()
                .filter(|(task, _)| before.contains(task))
                .map(|(_, reference)| reference.clone())
                .collect();
            let (mut call, made) = self.call(&name, depth, &known);
            if let Some(fields) = call.as_object_mut() {
                // With `depends`, Argo has no `continueOn`.
                fields.remove("continueOn");
                if !before.is_empty() {
                    let uses = fields.values().any(|value| value.to_string().contains("{{tasks."));
                    fields.insert("depends".to_owned(), self.depends(&before, uses).into());
                }
            }
            made_by.extend(reference("tasks", &name, made).map(|reference| (name, reference)));
            tasks.push(call);
        }
        let mut dag = json!({ "tasks": tasks });
        if self.has_failures {
            dag["failFast"] = false.into();
        }
        self.add(json!({ "dag": dag }))
    }

    fn depends(&mut self, before: &[String], uses: bool) -> String {
        let has_failures = self.has_failures;
        let mut term = |name: &String| match self.chance.below(3) {
            0 if has_failures && !uses => format!("({name} || {name}.Failed || {name}.Skipped)"),
            1 if !has_failures && !uses => format!("({name}.Succeeded || {name}.Skipped)"),
            _ => name.clone(),
        };
        let terms: Vec<String> = before.iter().map(&mut term).collect();
        let is_any = !uses && self.one_in(3);
        terms.join(if is_any { " || " } else { " && " })
    }
}

/// Returns whether a template is a set without a container that could read and write files for its node.
fn lacks_main(template: &Value) -> bool {
    let containers = template["containerSet"]["containers"].as_array();
    containers.is_some_and(|containers| containers.iter().all(|container| container["name"] != "main"))
}

/// Returns how others name what a call hands out.
fn reference(of: &str, name: &str, made: Option<Made>) -> Option<String> {
    match made? {
        Made::Nothing => None,
        Made::Result => Some(format!("{{{{{of}.{name}.outputs.result}}}}")),
        Made::Parameter => Some(format!("{{{{{of}.{name}.outputs.parameters.o}}}}")),
    }
}
