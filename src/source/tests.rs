//! Whole texts in, trees and diagnostics out.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::base::limits;

fn read_text(text: &str) -> (Sources, Vec<Document>, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let file = sources.add("test.yaml", text);
    let (documents, diagnostics) = read(&sources, file);
    (sources, documents, diagnostics)
}

/// Returns what was read, as JSON, and the diagnostics as `rule:line:column text-that-is-marked`.
fn summary(text: &str) -> (Vec<Json>, Vec<String>) {
    let (sources, documents, diagnostics) = read_text(text);
    let diagnostics = diagnostics.iter().map(|diagnostic| {
        let span = diagnostic.span().expect("all faults of a text have a place");
        let Position { line, column } = sources.position(span.file, span.start);
        format!("{}:{line}:{column} {}", diagnostic.rule.0, sources.slice(span))
    });
    let diagnostics = diagnostics.collect();
    (documents.iter().map(|document| document.root.to_json()).collect(), diagnostics)
}

#[test]
fn conformance_yaml() {
    let folder = std::env::var("WF_CONFORMANCE")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance").to_owned());
    let Ok(table) = std::fs::read_to_string(format!("{folder}/yaml.jsonl")) else {
        println!("conformance yaml: skipped, ../shared/conformance is absent");
        return;
    };
    let failures: Vec<String> = table.lines().filter_map(yaml_case).collect();
    let total = table.lines().count();
    println!("conformance yaml: {}/{total}, 0 skipped by name", total - failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Returns what is wrong with a case of the table.
fn yaml_case(line: &str) -> Option<String> {
    let case: Json = serde_json::from_str(line).expect("the table is JSON lines");
    let yaml = case["yaml"].as_str().expect("each case has a text");
    let (documents, diagnostics) = summary(yaml);
    let right = match case.get("json") {
        // The oracle reads the first document of a text only.
        Some(expected) => diagnostics.is_empty() && documents.first().is_some_and(|found| same(found, expected)),
        None => !diagnostics.is_empty(),
    };
    (!right).then(|| format!("{yaml:?}: {documents:?} {diagnostics:?}, expected {case}"))
}

/// Compares JSON as Go does, for which all numbers are one type.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn faults_are_found_at_their_place() {
    for (text, expected) in [
        ("a: 1\nb: 2\na: 3", &["WF002:3:1 a"][..]),
        ("a: {b: 1, c: 2, b: 3}\nd: 1\nd: 2", &["WF002:1:17 b", "WF002:3:1 d"]),
        ("1: a\n\"1\": b", &["WF002:2:1 \"1\""]),
        ("a: &x {j: 1}\nb: {<<: *x, j: 2}", &["WF002:2:13 j"]),
        ("null: x", &["WF003:1:1 null"]),
        ("? [a]\n: b", &["WF003:1:3 [a]"]),
        ("a:\n  - b: {{x}}\n", &["WF004:2:8 {{x}}"]),
        ("a: {{x}}-{{y}} # why\nb: 1", &["WF004:1:4 {{x}}-{{y}}"]),
        ("a: [{{x}}, b]", &["WF004:1:5 {{x}}"]),
        ("when: {{=a == \"b\"}} && c", &["WF004:1:7 {{=a == \"b\"}} && c"]),
        ("a: [x", &["WF001:1:4 "]),
        ("a: b: c", &["WF001:1:5 "]),
        ("a: \u{7}", &["WF001:1:4 \u{7}"]),
        ("é: 1\na: *b", &["WF009:2:4 *b"]),
        ("a: &x [*x]", &["WF009:1:8 *x"]),
        ("a: {<<: 5}", &["WF010:1:9 5"]),
        ("a: !!int b", &["WF011:1:10 b"]),
        ("a: .inf", &["WF011:1:4 .inf"]),
        ("%YAML 1.2\n---\na: 1", &["WF012:1:1 %YAML 1.2"]),
        ("a: 1\n...\nb: 2", &["WF013:3:1 "]),
        ("a: 1\n---\nb: [\n---\nc: 3\nc: 4", &["WF001:3:4 ", "WF002:6:1 c"]),
    ] {
        assert_eq!(summary(text).1, expected, "{text:?}");
    }
}

#[test]
fn a_tag_without_quotes_is_mended() {
    for (text, mended) in [
        ("a: {{x}}", Some("a: \"{{x}}\"")),
        ("a: {{x}} # c", Some("a: \"{{x}}\" # c")),
        ("a: {{=b(\"c\")}}", Some("a: '{{=b(\"c\")}}'")),
        ("a: [{{x}}, {{y}}]", Some("a: [\"{{x}}\", {{y}}]")),
        ("a: {{=b(\"c\", 'd')}}", None),
    ] {
        let (_, _, diagnostics) = read_text(text);
        let fixed = diagnostics[0].fix.as_ref().map(|fix| {
            let (start, end) = (fix.span.start as usize, fix.span.end as usize);
            format!("{}{}{}", &text[..start], fix.replacement, &text[end..])
        });
        assert_eq!(fixed.as_deref(), mended, "{text}");
    }
}

#[test]
fn documents_are_cut_where_argo_cuts() {
    for (text, expected) in [
        ("a: 1\n---\nb: 2\n--- \n\n---\nc: 3", json!([{"a": 1}, {"b": 2}, {"c": 3}])),
        ("\u{feff}a: 1", json!([{"a": 1}])),
        ("%YAML 1.1\n---\na: yes", json!([{"a": true}])),
        ("a: |\n  x\n   ", json!([{"a": "x\n "}])),
        ("a: |\n  x\n  ", json!([{"a": "x\n"}])),
        ("a: >\n  x\n  y", json!([{"a": "x y"}])),
        ("- |\n x\n- |+\n y", json!([["x\n", "y"]])),
        ("# nothing\n---\na: |\n  x\n---\nb: |\n  x\n", json!([{"a": "x"}, {"b": "x\n"}])),
        ("", json!([])),
        ("{\"a\": [1, \"\\u00e9\\n\"],\n\t\"b\":null}", json!([{"a": [1, "é\n"], "b": null}])),
    ] {
        let (documents, diagnostics) = summary(text);
        assert_eq!((json!(documents), &diagnostics[..]), (expected, &[][..]), "{text:?}");
    }
}

#[test]
fn places_of_values_and_keys() {
    let text = "---\nspec:\n  templates:\n  - name: é\n    args: ['a', {b: \"c\"}]\n    source: |\n      x {{y}}\n      z {{y}}\n    empty:\n  last: 1\n";
    let (sources, documents, _) = read_text(text);
    let document = &documents[0];
    let template = Path::root().key("spec").key("templates").index(0);
    let slice = |span| sources.slice(span);
    assert_eq!(slice(document.span(&template.key("name"))), "é");
    assert_eq!(slice(document.key_span(&template.key("name"))), "name");
    assert_eq!(slice(document.span(&template.key("args"))), "['a', {b: \"c\"}]");
    assert_eq!(slice(document.span(&template.key("args").index(1))), "{b: \"c\"}");
    assert_eq!(slice(document.span(&template.key("args").index(1).key("b"))), "\"c\"");
    assert_eq!(slice(document.span(&template.key("absent").index(5))), slice(document.span(&template)));
    assert_eq!(slice(document.key_span(&Path::root().key("spec").key("absent"))), "spec");
    assert!(slice(document.span(&template)).starts_with("name: é\n"));
    assert!(slice(document.span(&template)).ends_with("empty"));
    let source = template.key("source");
    let value = document.root.at(&source).and_then(Tree::as_str).expect("a text");
    let second = value.rfind("{{y}}").expect("two tags");
    let span = document.span_within(&sources, &source, second..second + 5);
    assert_eq!(sources.position(span.file, span.start), Position { line: 8, column: 9 });
    assert_eq!(slice(span), "{{y}}");
}

#[test]
fn bombs_end_soon() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let row = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(aliases, "a{level}: &a{level} [{row}]").expect("writing to a string");
    }
    let deep_indentation: String = (0..4000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let garbage = |seed: &str| seed.repeat((8 << 20) / seed.len());
    for (name, text, rule) in [
        ("aliases", aliases, rules::EXPANSION),
        ("flow lists", "[".repeat(20_000), rules::DEPTH),
        ("flow maps", "{a: ".repeat(75_000), rules::DEPTH),
        ("block lists", "- ".repeat(100_000), rules::DEPTH),
        ("keys", "? ".repeat(100_000), rules::DEPTH),
        ("indentation", deep_indentation, rules::DEPTH),
        ("mixed", "- ".repeat(100) + &"[".repeat(100) + &"]".repeat(100), rules::DEPTH),
        ("garbage", garbage("%@`!}]:"), rules::SYNTAX),
        ("one line", garbage("a b c: "), rules::SYNTAX),
    ] {
        let start = Instant::now();
        let diagnostics = read_text(&text).2;
        let rules: Vec<RuleId> = diagnostics.iter().map(|diagnostic| diagnostic.rule).collect();
        assert_eq!(rules, [rule], "{name}");
        assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn not_all_of_very_many_faults_are_told() {
    for text in ["a: 1\n".repeat(200_000), "\n---\n- [".repeat(200_000)] {
        let diagnostics = read_text(&text).2;
        assert_eq!(diagnostics.len(), limits::DIAGNOSTICS_PER_FILE_MAX + 1);
        assert_eq!(diagnostics.last().map(|last| last.rule), Some(rules::TOO_MANY));
    }
}

#[test]
fn depth_is_bounded_through_aliases_too() {
    let half = limits::YAML_DEPTH_MAX / 2 + 1;
    let (open, close) = ("[".repeat(half), "]".repeat(half));
    assert_eq!(summary(&format!("a: &x {open}{close}\nb: {open}*x{close}")).1.len(), 1);
    assert_eq!(summary(&format!("a: &x {open}{close}\nb: [*x]")).1.len(), 0);
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut sources = Sources::new();
        let file = sources.add("x", bytes);
        let (documents, diagnostics) = read(&sources, file);
        prop_assert!(documents.len() + diagnostics.len() < 300);
    }

    #[test]
    fn no_near_yaml_is_too_strange(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\tab1<é]|<<: |\\*a|&a |\n---|\\{\\{|\\}\\}|\n  ){0,60}") {
        let (sources, documents, diagnostics) = read_text(&text);
        for diagnostic in &diagnostics {
            let span = diagnostic.span().expect("all faults of a text have a place");
            prop_assert!(span.start <= span.end && span.end as usize <= text.len());
            sources.position(span.file, span.start);
        }
        for document in &documents {
            prop_assert!(document.root.span.end as usize <= text.len());
        }
    }

    #[test]
    fn json_means_what_it_says(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("plain data");
        let (documents, diagnostics) = summary(&text);
        prop_assert_eq!(diagnostics, Vec::<String>::new(), "{}", &text);
        prop_assert!(same(documents.first().unwrap_or(&Json::Null), &value), "{} {:?}", &text, documents);
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()).prop_map(Json::from),
        "[ -~é\n\t😀]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            proptest::collection::vec(("[ -~é]{0,8}", inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}
