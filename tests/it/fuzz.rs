//! Texts by chance for every parser: nothing panics, hangs, or breaks what must hold of any text.
//!
//! `cargo test` looks at the corpus in `tests/fuzz` and tries each parser for a moment;
//! `WF_FUZZ_SECONDS=600 cargo test --test it fuzz` goes on that long, by the processor's clock, for each, and
//! `WF_FUZZ_TARGET` names one of them, `WF_FUZZ_SEED` repeats what was found. Texts are made by changing those of the corpus: parts are
//! copied, moved, cut, doubled and mixed, and words that mean something are put in.

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
    run: fn(&str),
}

const TARGETS: [Target; 8] = [
    Target { name: "manifest", run: manifest },
    Target {
        name: "template",
        run: |text| drop(TemplateStr::parse_lenient(text).map(|read| read.variables().count())),
    },
    Target { name: "expr", run: expression },
    Target { name: "when", run: |text| drop(when::eval(text)) },
    Target { name: "depends", run: |text| drop(depends::parse(text).map(|read| read.tasks().count())) },
    Target { name: "cron", run: |text| drop(Schedule::parse(text).map(|schedule| schedule.comes())) },
    Target { name: "selector", run: selector },
    Target { name: "layout", run: layout_of },
];

fn manifest(text: &str) {
    let mut sources = Sources::new();
    let file = sources.add("fuzz.yaml", text);
    let (reads, mut diagnostics) = spec::read_all(&sources);
    diagnostics.extend(plan::lint_all(&sources, &reads));
    for diagnostic in &diagnostics {
        wf::source::render::full(diagnostic, &sources, wf::source::render::Style::default());
    }
    fix::apply(sources.text(file), file, &diagnostics, Choice::Likely);
}

fn expression(text: &str) {
    let Ok(ast) = lang::parse(text) else { return };
    let ambient = wf::expr::Ambient { now: wf::base::Timestamp(0), seed: 1 };
    let scope = std::collections::BTreeMap::from([("inputs.parameters.a".to_owned(), wf::expr::Value::from("1"))]);
    drop(lang::eval(&ast, &scope, &ambient));
    drop(lang::check_texts(&ast, &|name| name == "inputs.parameters.a"));
}

/// Conditions of resource templates, and selectors of nodes.
fn selector(text: &str) {
    let object =
        serde_json::json!({ "status": { "succeeded": 3, "phase": "Done", "conditions": [{ "status": "True" }] } });
    if let Ok(condition) = Condition::parse(text) {
        let holds = condition.holds(&object);
        // Of requirements that all hold the first one does, unless there is none.
        assert!(!holds || condition.first(&object).is_some() || condition == Condition::default(), "{text}");
    }
    drop(Selector::parse(text));
}

/// What is laid out says the same, and stays as it is when it is laid out again.
fn layout_of(text: &str) {
    let laid = |text: &str| {
        let mut sources = Sources::new();
        let file = sources.add("fuzz.yaml", text);
        layout::laid_out(&sources, file)
    };
    if let Ok(once) = laid(text) {
        assert_eq!(laid(&once).as_deref(), Ok(once.as_str()));
    }
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

/// A file is one text; one that ends in `.txt` has a text in each line.
fn seeds(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a corpus is text");
    match path.extension().is_some_and(|extension| extension == "txt") {
        true => text.lines().map(str::to_owned).collect(),
        false => vec![text],
    }
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

fn fuzz(target: &Target) -> usize {
    let corpus = corpus(target.name);
    let until = number("WF_FUZZ_SECONDS").map(|seconds| on_processor() + Duration::from_secs(seconds));
    let first = number("WF_FUZZ_SEED").unwrap_or(0);
    corpus.iter().for_each(|text| (target.run)(text));
    let (mut trials, mut now) = (0, on_processor());
    while until.map_or(trials < TRIALS, |until| now < until) {
        let seed = first + trials as u64;
        let mut chance = Chance(seed);
        let text = chance.changed(&corpus[chance.0 as usize % corpus.len()].clone(), &corpus);
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&text)));
        assert!(outcome.is_ok(), "{}: WF_FUZZ_SEED={seed} panics on {text:?}", target.name);
        // Asking for the processor's time takes longer than a parser does.
        let took = if begin.elapsed() < TRIAL_MAX { Duration::ZERO } else { on_processor() - now };
        assert!(took < TRIAL_MAX, "{}: WF_FUZZ_SEED={seed} hangs on {text:?}", target.name);
        trials += 1;
        if trials % TRIALS == 0 {
            now = on_processor();
        }
        if number("WF_FUZZ_SEED").is_some() {
            break;
        }
    }
    trials
}

#[test]
fn no_text_makes_a_parser_panic() {
    let only = std::env::var("WF_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)) {
        println!("fuzz {}: {} texts, nothing found", target.name, fuzz(target));
    }
}
