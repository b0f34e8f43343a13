//! Texts made to exhaust a reader: each is refused or checked, soon, and without ending the process.
//!
//! `WF_TEST_BOMB_SECONDS` is the bound on the time that each takes of a processor, 1 for an optimised program. The texts are made here,
//! since most of them are as large as a manifest may be.

use std::fs::File;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::env::TestEnv;

/// The bound for a program that is not optimised.
const SECONDS: u64 = 120;

/// The memory that checking one may take, in MiB. The program itself takes 15 of it, or 35 when it is not
/// optimised; the most that any takes beside that is a graph of as many tasks as are read.
const MEBIBYTES: u64 = 220;

/// How often it is looked how much memory a program has taken. The most that it ever took is counted for it, so
/// that only what it takes at its very end can be missed.
const LOOK: Duration = Duration::from_millis(2);

/// The largest text that is read, less room for what stands around it.
const BYTES: usize = (8 << 20) - 1024;

fn workflow(fields: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: bomb-}}\nspec:\n  entrypoint: main\n{fields}"
    )
}

/// As many tasks as are read.
const TASKS: usize = 100_000;

/// Fills a manifest with lines.
fn lines(head: &str, line: impl Fn(usize) -> String) -> String {
    lines_at_most(usize::MAX, head, line)
}

fn lines_at_most(most: usize, head: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = workflow(head);
    for number in 0..most {
        let line = line(number);
        if text.len() + line.len() > BYTES {
            return text;
        }
        text.push_str(&line);
    }
    text
}

fn repeated(head: &str, part: &str, tail: &str, bytes: usize) -> String {
    format!("{head}{}{tail}", part.repeat((bytes - head.len() - tail.len()) / part.len()))
}

/// Aliases of aliases: ten times as many with each line.
fn laughs(levels: usize) -> String {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..levels {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", ")));
    }
    text
}

type Bomb = (&'static str, String);

const MAIN: &str = "  templates:\n  - {name: main, suspend: {}}\n";
const ARGS: &str = "  templates:\n  - {name: main, container: {image: 'a:1', args: [";
const ARGS_END: &str = "]}}\n";
const DAG: &str = "  templates:\n  - {name: work, suspend: {}}\n  - name: main\n    dag:\n      tasks:\n";

/// Texts that are hard to read as YAML.
fn of_yaml() -> Vec<Bomb> {
    vec![
        ("nested flow maps", repeated("", "{a: ", "", 300 << 10)),
        ("nested flow lists", repeated("", "[", "", BYTES)),
        ("closed flow lists", "[".repeat(BYTES / 2) + &"]".repeat(BYTES / 2)),
        ("nested blocks", (0..4000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("nested dashes", repeated("", "- ", "", BYTES)),
        ("billion laughs", laughs(12)),
        ("wide laughs", format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(20_000), "*a,".repeat(20_000))),
        ("merged laughs", format!("a: &a {{k: v}}\nb:\n{}", "- {<<: *a}\n".repeat(500_000))),
        ("many anchors", lines(MAIN, |number| format!("# &a{number}\n")) + &"? &a b\n".repeat(10)),
        ("many documents", repeated("", "---\n", "", BYTES)),
        ("many small objects", repeated("", "---\n{kind: Workflow}\n", "", BYTES)),
        ("one long text", workflow(ARGS) + "\"" + &"x".repeat(BYTES - 300) + "\"" + ARGS_END),
        ("one long key", workflow("  ") + &"k".repeat(BYTES - 300) + ": 1\n"),
        ("a list of letters", workflow(ARGS) + &"a,".repeat(BYTES / 2 - 300) + ARGS_END),
        ("a map of keys", lines("  x:\n", |number| format!("    k{number}: 1\n"))),
        ("equal keys", lines("  x:\n", |_| "    k: 1\n".to_owned())),
        ("comments", repeated(&workflow(MAIN), "# c\n", "", BYTES)),
        ("blank lines", repeated(&workflow(MAIN), "\n", "", BYTES)),
        ("tabs", repeated(&workflow(MAIN), "\t", "", BYTES)),
    ]
}

/// Tags, expressions and conditions.
fn of_languages() -> Vec<Bomb> {
    let quoted = |text: String| format!("{}'{text}'{ARGS_END}", workflow(ARGS));
    vec![
        ("open tags", quoted("{{".repeat(BYTES / 2 - 300))),
        ("many tags", quoted("{{a.b}}".repeat(BYTES / 7 - 300))),
        ("nested tags", quoted("{{a".repeat(80_000) + &"}}".repeat(80_000))),
        ("nested expression", quoted(format!("{{{{={}}}}}", "(".repeat(120_000)))),
        ("long expression", quoted(format!("{{{{={}1}}}}", "1+".repeat(120_000)))),
        ("long when", task(&format!("when: '{}a == b'", "a == b || ".repeat(25_000)))),
        ("long depends", task(&format!("depends: '{}b'", "b || ".repeat(50_000)))),
    ]
}

fn task(field: &str) -> String {
    format!("{}      - {{name: b, template: work}}\n      - {{name: a, template: work, {field}}}\n", workflow(DAG))
}

/// Graphs and lists that tempt a checker to compare everything with everything.
fn of_graphs() -> Vec<Bomb> {
    let tasks = |fields: &dyn Fn(usize) -> String| {
        lines_at_most(TASKS, DAG, |number| format!("      - {{{}}}\n", fields(number)))
    };
    let templates =
        |fields: &dyn Fn(usize) -> String| lines("  templates:\n", |number| format!("  - {{{}}}\n", fields(number)));
    let when = "{{workflow.name}} > 7 && {{workflow.uid}} < 1 && {{workflow.uid}} > 2";
    let mut bombs = vec![
        ("many mistakes", tasks(&|n| format!("name: t{n}, template: wrok, depends: 't{n}x && y{n}'"))),
        ("the same task", tasks(&|_| "name: t, template: work".to_owned())),
        ("a long circle", tasks(&|n| format!("name: t{n}, template: work, depends: 't{}'", n + 1))),
        ("when of each task", tasks(&|n| format!("name: t{n}, template: work, when: '{when}'"))),
        ("templates in a circle", templates(&|n| format!("name: t{n}, steps: [[{{name: a, template: t{}}}]]", n + 1))),
        (
            "locks of each template",
            templates(&|n| {
                format!(
                    "name: t{n}, synchronization: {{mutexes: [{{name: a}}]}}, steps: [[{{name: a, template: t{}}}]]",
                    n + 1
                )
            }),
        ),
        (
            "inputs of each template",
            templates(&|n| format!("name: t{n}, inputs: {{parameters: [{{name: a{n}}}]}}, suspend: {{}}")),
        ),
    ];
    bombs.extend(of_parts());
    bombs
}

/// Lists within templates, and what refers to them.
fn of_parts() -> Vec<Bomb> {
    let set = "  templates:\n  - name: main\n    containerSet:\n      containers:\n";
    let inputs = "  templates:\n  - name: main\n    suspend: {}\n    inputs:\n      parameters:\n";
    let templates =
        |fields: &dyn Fn(usize) -> String| lines("  templates:\n", |number| format!("  - {{{}}}\n", fields(number)));
    vec![
        ("containers of one set", lines(set, |n| format!("      - {{name: c{n}, image: 'a:1'}}\n"))),
        ("inputs of one template", lines(inputs, |n| format!("      - {{name: p{n}, default: '1'}}\n"))),
        (
            "uses of inputs",
            both(inputs, &|n| format!("      - {{name: p{n}}}\n"), USES, &|n| {
                format!("      - '{{{{inputs.parameters.p{n}}}}}'\n")
            }),
        ),
        (
            "arguments for inputs",
            both(inputs, &|n| format!("      - {{name: p{n}}}\n"), CALL, &|n| {
                format!("        - {{name: p{n}, value: x}}\n")
            }),
        ),
        (
            "volumes of all and of each",
            both("  volumes:\n", &|n| format!("  - {{name: v{n}, emptyDir: {{}}}}\n"), MAIN, &|n| {
                format!(
                    "  - {{name: t{n}, container: {{image: 'a:1', volumeMounts: [{{name: v1, mountPath: /x}}]}}}}\n"
                )
            }),
        ),
        (
            "defaults for each template",
            both(DEFAULTS, &|n| format!("      - 'argument {n}'\n"), MAIN, &|n| {
                format!("  - {{name: t{n}, container: {{image: 'a:1'}}}}\n")
            }),
        ),
        (
            "any template for each step",
            templates(&|n| format!("name: t{n}, steps: [[{{name: a, template: 't{{{{item}}}}'}}]]")),
        ),
        ("templates within templates", nested_inline()),
        ("mistakes in one line", format!("{}[{}]", workflow("  templates: "), "{name: a_b},é,".repeat(BYTES / 20))),
        ("unknown fields", lines("", |n| format!("  k{n}: 1\n"))),
    ]
}

const USES: &str = "    container:\n      image: a:1\n      args:\n";
const CALL: &str = "  - name: caller\n    steps:\n    - - name: a\n        template: main\n        arguments:\n          parameters:\n";
const DEFAULTS: &str = "  templateDefaults:\n    container:\n      args:\n";

/// Fills one half of a manifest with lines of one kind, and the other half with those of another.
fn both(head: &str, line: &dyn Fn(usize) -> String, between: &str, other: &dyn Fn(usize) -> String) -> String {
    let mut text = workflow(head);
    for (half, line) in [line, other].into_iter().enumerate() {
        let begin = text.len();
        for number in 0.. {
            let line = line(number);
            if text.len() - begin + line.len() > BYTES / 2 - 1024 {
                break;
            }
            text.push_str(&line);
        }
        text.push_str(if half == 0 { between } else { "" });
    }
    text
}

/// Templates that stand within each other, the innermost one large.
fn nested_inline() -> String {
    let levels = 25;
    let open = "{steps: [[{name: a, inline: ".repeat(levels);
    let inner = format!("{{container: {{image: 'a:1', args: [{}]}}}}", "aaaaaaaaa,".repeat(BYTES / 10 - 1000));
    workflow(&format!(
        "  templates: [{{name: main, steps: [[{{name: a, inline: {open}{inner}{}}}]]}}]\n",
        "}]]}".repeat(levels)
    ))
}

#[test]
fn every_bomb_is_refused_or_checked_soon() {
    let bound = std::env::var("WF_TEST_BOMB_SECONDS").ok().and_then(|bound| bound.parse().ok()).unwrap_or(SECONDS);
    let env = TestEnv::new();
    let mut bad = Vec::new();
    let (mut slowest, mut largest) = ((Duration::ZERO, ""), (0, ""));
    for (name, text) in [of_yaml, of_languages, of_graphs].into_iter().flat_map(|bombs: fn() -> Vec<Bomb>| bombs()) {
        assert!(text.len() <= 8 << 20, "{name} has {} bytes", text.len());
        env.write("bomb.yaml", &text);
        let (status, spent) = lint(&env);
        let said = std::fs::read_to_string(env.work().join("said")).expect("a file of ours");
        assert!(status.code().is_some_and(|code| [0, 1, 3].contains(&code)), "{name}: {status}, {said}");
        (slowest, largest) = (slowest.max((spent.time, name)), largest.max((spent.mebibytes, name)));
        if spent.time > Duration::from_secs(bound) || spent.mebibytes > MEBIBYTES {
            bad.push(format!("{name}: {:?}, {} MiB", spent.time, spent.mebibytes));
        }
    }
    println!("bombs: the slowest is `{}`, {:?}", slowest.1, slowest.0);
    println!("bombs: the largest is `{}`, {} MiB", largest.1, largest.0);
    assert_eq!(bad, Vec::<String>::new());
}

/// Runs `wf lint` on the bomb; returns how it ended, and what it took.
fn lint(env: &TestEnv) -> (ExitStatus, Spent) {
    let said = File::create(env.work().join("said")).expect("a file");
    let mut command = env.command(&["lint", "-o", "short", "bomb.yaml"]);
    let mut child = command.stdout(Stdio::null()).stderr(said).spawn().expect("wf starts");
    let begin = Instant::now();
    let mut spent = Spent::default();
    loop {
        spent = Spent::of(&child).unwrap_or(spent);
        if let Some(status) = child.try_wait().expect("wf is a child of ours") {
            return (status, spent);
        }
        assert!(begin.elapsed() < Duration::from_secs(SECONDS), "it hangs");
        std::thread::sleep(LOOK);
    }
}

/// What a process took.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// Of a processor, since others may want it too.
    time: Duration,
    /// Memory at most, in MiB.
    mebibytes: u64,
}

impl Spent {
    /// Returns what a process took so far, as Linux tells while it runs; elsewhere nobody does.
    fn of(child: &Child) -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).ok();
        let status = read("status")?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))?;
        // Behind the name, which ends with a parenthesis, the 12th and 13th field count hundredths of seconds.
        let stat = read("stat")?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let hundredths: u64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        let mebibytes = kibibytes.parse::<u64>().ok()? >> 10;
        Some(Self { time: Duration::from_millis(10 * hundredths), mebibytes })
    }
}
