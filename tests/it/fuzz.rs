//! Texts by chance for every parser: nothing panics, hangs, or breaks what must hold of any text.
//!
//! `cargo test` looks at the corpus in `tests/fuzz` and tries each parser for a moment;
//! `WF_FUZZ_SECONDS=600 cargo test --test it fuzz` goes on that long, by the processor's clock, for each, and
//! `WF_FUZZ_TARGET` names one of them. Texts are made by changing those of the corpus: parts are copied, moved,
//! cut, doubled and mixed, and words that mean something are put in.
//!
//! Each target tells what a text came to: kinds of syntax, and complaints without their names. A text that comes
//! to something new joins the corpus of that call; `WF_FUZZ_GROW=1` keeps those texts in `tests/fuzz`.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use wf::base::cron::Schedule;
use wf::engine::Selector;
use wf::expr::conditions::Condition;
use wf::expr::{TemplateStr, depends, lang, when};
use wf::plan;
use wf::source::fix::{self, Choice};
use wf::source::{Sources, layout};
use wf::spec;

use crate::env::package;

/// Texts tried of each parser when nobody asks for more.
const TRIALS: usize = 300;

/// What one text takes at most, by a program that is not optimised.
const TRIAL_MAX: Duration = Duration::from_secs(30);

/// A text grows no longer than this: parsers are linear, and short texts are tried more often.
const BYTES_MAX: usize = 4096;

/// A text that the corpus of a call grows by is no longer than this, so that it stays small.
const GROWN_BYTES_MAX: usize = 800;

/// The file of a target's corpus with the texts that it grew by.
const GROWN: &str = "grown.jsonl";

/// Words that parsers look for.
const WORDS: [&str; 40] = [
    "{{",
    "}}",
    "{{=",
    "inputs.parameters.a",
    "steps.",
    "tasks.",
    "item",
    "&&",
    "||",
    "!",
    "==",
    "=~",
    " in ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "\\",
    "- ",
    ": ",
    "\n",
    "\n---\n",
    "&a ",
    "*a",
    "<<: *a",
    "|\n",
    "#",
    "%YAML 1.1\n",
    "?",
    "..",
    "??",
    "?.",
    "-1",
    "1e400",
    "é\u{202e}",
    "\0",
];

/// One target: what it reads, and what must hold of any text.
struct Target {
    name: &'static str,
    /// Returns what the text came to, one a line.
    run: fn(&str) -> String,
}

const TARGETS: [Target; 8] = [
    Target { name: "manifest", run: manifest },
    Target { name: "template", run: |text| outcome(TemplateStr::parse_lenient(text), |read| read.variables().count()) },
    Target { name: "expr", run: expression },
    Target { name: "when", run: |text| outcome(when::eval(text), |_| ()) },
    Target { name: "depends", run: |text| outcome(depends::parse(text), |read| read.tasks().count()) },
    Target { name: "cron", run: |text| outcome(Schedule::parse(text), Schedule::comes) },
    Target { name: "selector", run: selector },
    Target { name: "layout", run: layout_of },
];

/// Returns what a text came to: the kinds of syntax in it, or the complaint; and has the syntax used.
fn outcome<T: Debug, E: Display, R>(read: Result<T, E>, using: impl Fn(&T) -> R) -> String {
    match read {
        Ok(read) => {
            drop(using(&read));
            kinds(&read)
        }
        Err(fault) => complaint(&fault),
    }
}

/// Returns the first line of a complaint: the others may quote the text.
fn complaint(fault: &impl Display) -> String {
    fault.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Returns the names of the variants in a value, one a line.
fn kinds(value: &impl Debug) -> String {
    let text = format!("{value:?}").replace(r"\\", "").replace(r#"\""#, "");
    let words = text.split('"').step_by(2).flat_map(|part| part.split(|c: char| !c.is_alphanumeric()));
    let variants: BTreeSet<&str> = words.filter(|word| word.starts_with(char::is_uppercase)).collect();
    variants.into_iter().fold(String::new(), |text, word| text + word + "\n")
}

/// Returns the lines of an outcome without what a text may choose: what stands before the first name, and its
/// letters alone.
fn shapes(outcome: &str) -> impl Iterator<Item = String> {
    outcome.lines().map(|line| {
        let said = line.split(['`', '"', '\'']).next().unwrap_or_default();
        said.chars().filter(char::is_ascii_alphabetic).take(30).collect()
    })
}

fn manifest(text: &str) -> String {
    let mut sources = Sources::new();
    let file = sources.add("fuzz.yaml", text);
    let (reads, mut diagnostics) = spec::read_all(&sources);
    diagnostics.extend(plan::lint_all(&sources, &reads));
    for diagnostic in &diagnostics {
        wf::source::render::full(diagnostic, &sources, wf::source::render::Style::default());
    }
    fix::apply(sources.text(file), file, &diagnostics, Choice::Likely);
    diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        writeln!(text, "{} {}", diagnostic.rule.0, complaint(&diagnostic.message)).expect("a text takes all");
        text
    })
}

fn expression(text: &str) -> String {
    let ast = match lang::parse(text) {
        Ok(ast) => ast,
        Err(fault) => return complaint(&fault),
    };
    let ambient = wf::expr::Ambient { now: wf::base::Timestamp(0), seed: 1 };
    let scope = std::collections::BTreeMap::from([("inputs.parameters.a".to_owned(), wf::expr::Value::from("1"))]);
    drop(lang::check_texts(&ast, &|name| name == "inputs.parameters.a"));
    let fault = lang::eval(&ast, &scope, &ambient).err().map(|fault| complaint(&fault));
    kinds(&ast) + &fault.unwrap_or_default()
}

/// Conditions of resource templates, and selectors of nodes.
fn selector(text: &str) -> String {
    let object =
        serde_json::json!({ "status": { "succeeded": 3, "phase": "Done", "conditions": [{ "status": "True" }] } });
    let condition = Condition::parse(text);
    if let Ok(condition) = &condition {
        let holds = condition.holds(&object);
        // Of requirements that all hold the first one does, unless there is none.
        assert!(!holds || condition.first(&object).is_some() || *condition == Condition::default(), "{text}");
    }
    outcome(condition, |_| ()) + "\n" + &outcome(Selector::parse(text), |_| ())
}

/// What is laid out says the same, and stays as it is when it is laid out again.
fn layout_of(text: &str) -> String {
    let laid = |text: &str| {
        let mut sources = Sources::new();
        let file = sources.add("fuzz.yaml", text);
        layout::laid_out(&sources, file)
    };
    let once = laid(text);
    if let Ok(once) = &once {
        assert_eq!(laid(once).as_deref(), Ok(once.as_str()));
    }
    once.err().map(|fault| complaint(&fault)).unwrap_or_default()
}

/// Chance that can be repeated (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Returns a range of characters of a text.
    fn part<'t>(&mut self, text: &'t str, chars_max: usize) -> (usize, &'t str) {
        let at = (0..=self.below(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let part =
            text[at..].char_indices().nth(self.below(chars_max)).map_or(&text[at..], |(end, _)| &text[at..at + end]);
        (at, part)
    }

    fn changed(&mut self, text: &str, corpus: &[String]) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(6) {
            let (at, part) = self.part(&text, 40);
            let part = part.to_owned();
            match self.below(5) {
                0 => text.replace_range(at..at + part.len(), ""),
                1 => text.insert_str(at, &part.repeat(1 + self.below(4))),
                2 => text.insert_str(at, WORDS[self.below(WORDS.len())]),
                3 => text.replace_range(at..at + part.len(), WORDS[self.below(WORDS.len())]),
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    let (_, piece) = self.part(other, 200);
                    text.insert_str(at, piece);
                }
            }
        }
        let end = (0..=text.len().min(BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text
    }
}

fn corpus(target: &str) -> Vec<String> {
    let folder = package().join("tests/fuzz").join(if target == "layout" { "manifest" } else { target });
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let texts: Vec<String> = paths.iter().flat_map(|path| seeds(path)).collect();
    assert!(!texts.is_empty(), "{} is empty", folder.display());
    texts
}

/// A file is one text; one that ends in `.txt` has a text in each line, one in `.jsonl` a quoted one.
fn seeds(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a corpus is text");
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("txt") => text.lines().map(str::to_owned).collect(),
        Some("jsonl") => text.lines().map(|line| serde_json::from_str(line).expect("a quoted text")).collect(),
        _ => vec![text],
    }
}

/// Keeps the texts that a target's corpus grew by.
fn keep(target: &str, grown: &[String]) {
    if grown.is_empty() {
        return;
    }
    let path = package().join("tests/fuzz").join(target).join(GROWN);
    let mut lines: BTreeSet<String> = grown.iter().map(|text| serde_json::json!(text).to_string()).collect();
    lines.extend(std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned));
    let text = lines.into_iter().fold(String::new(), |text, line| text + &line + "\n");
    std::fs::write(&path, text).expect("the corpus can be written");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Returns how long this thread has been at work: what else the machine does is not the parser's.
/// Source: proc(5), `stat`: the 14th and 15th field are hundredths of seconds.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells it");
    let (_, behind_name) = text.rsplit_once(')').expect("the name is in brackets");
    let fields = behind_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("times are numbers")).sum();
    Duration::from_millis(10 * ticks)
}

fn fuzz(target: &Target) {
    let mut corpus = corpus(target.name);
    let given = corpus.len();
    let until = number("WF_FUZZ_SECONDS").map(|seconds| on_processor() + Duration::from_secs(seconds));
    let mut known: BTreeSet<String> =
        corpus.iter().flat_map(|text| shapes(&(target.run)(text)).collect::<Vec<_>>()).collect();
    let (mut trials, mut now) = (0, on_processor());
    while until.map_or(trials < TRIALS, |until| now < until) {
        let mut chance = Chance(trials as u64);
        let of = chance.below(corpus.len());
        let text = chance.changed(&corpus[of], &corpus);
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&text)));
        let Ok(outcome) = outcome else { panic!("{} panics on {text:?}", target.name) };
        // Asking for the processor's time takes longer than a parser does.
        let took = if begin.elapsed() < TRIAL_MAX { Duration::ZERO } else { on_processor() - now };
        assert!(took < TRIAL_MAX, "{} hangs on {text:?}", target.name);
        let news = shapes(&outcome).filter(|shape| known.insert(shape.clone())).count();
        if news > 0 && text.len() <= GROWN_BYTES_MAX {
            corpus.push(text);
        }
        trials += 1;
        if trials % TRIALS == 0 {
            now = on_processor();
        }
    }
    if number("WF_FUZZ_GROW") == Some(1) {
        keep(target.name, &corpus[given..]);
    }
    println!("fuzz {}: {trials} texts, {} kinds of outcomes, nothing found", target.name, known.len());
}

#[test]
fn no_text_makes_a_parser_panic() {
    let only = std::env::var("WF_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)) {
        fuzz(target);
    }
}
