//! What holds for all the little languages: no text makes a parser panic or overflow the
//! stack, and no evaluation runs away.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    Ambient, RenderError, TemplateStr, Unresolved, Value, depends, functions, jq, jq_fault, jsonpath, lang, when,
};
use crate::base::Timestamp;

const AMBIENT: Ambient = Ambient { now: Timestamp(1_700_000_000_000), seed: 7 };

/// Runs on a stack of the size that threads have by default.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(test).expect("a thread can be started");
    thread.join().expect("the test passes");
}

fn eval(text: &str) -> Result<Value, super::EvalError> {
    lang::eval(&lang::parse(text)?, &BTreeMap::new(), &AMBIENT)
}

/// Texts that nest `count` times.
fn nested(count: usize) -> Vec<String> {
    let around = |open: &str, middle: &str, close: &str| open.repeat(count) + middle + &close.repeat(count);
    vec![
        around("(", "1", ")"),
        "(".repeat(count),
        around("[", "", "]"),
        around("{a:", "1", "}"),
        around("{\"a\":", "1", "}"),
        around("!", "true", ""),
        around("not ", "true", ""),
        around("- ", "1", ""),
        around("true ? 1 : ", "2", ""),
        around("true ? ", "1", " : 2"),
        around("if true { ", "1", " } else { 2 }"),
        around("if true { 1 } else ", "{ 2 }", ""),
        around("let x = 1; ", "1", ""),
        around("len(", "\"a\"", ")"),
        around("map([1], ", "#", ")"),
        around("a[", "0", "]"),
        around("1 ** ", "1", ""),
        around("1 + (", "1", ")"),
        around("a", "", ".b"),
        around("a", "", "?.b"),
        around("1", "", " | string()"),
        around("{{", "a", "}}"),
        around("a", "", "[0]"),
    ]
}

#[test]
fn tags_are_blotted_whole() {
    for (text, expected) in [
        ("plain", "plain"),
        ("{{a}} == {{ b.c }}!", "5 == 9!"),
        ("{{steps.run-{{inputs.parameters.date}}.status}} != Failed", "47 != Failed"),
        // An expression ends at the first braces, whatever stands in it.
        ("{{='{{'}} and {{a}}", "9 and 5"),
        ("{{a}} and {{b", "{{a}} and {{b"),
    ] {
        assert_eq!(TemplateStr::blot(text, |bytes| bytes.to_string()), expected, "{text}");
    }
}

#[test]
fn nesting_is_refused_before_the_stack_ends() {
    on_a_small_stack(|| {
        for text in nested(20_000).iter().chain([&"(".repeat(100_000), &"[".repeat(100_000)]) {
            assert!(lang::parse(text).is_err(), "{}", &text[..40]);
            let _ = when::eval(text);
            let _ = depends::parse(text);
            let _ = TemplateStr::parse_lenient(text);
            let _ = TemplateStr::parse_lenient(&format!("{{{{={text}}}}}"));
            let _ = jq_fault(text);
            let _ = jsonpath("{}", text);
        }
    });
}

#[test]
fn nesting_within_the_bound_fits_the_stack() {
    on_a_small_stack(|| {
        for count in 1..=100 {
            for text in nested(count) {
                let _ = eval(&text);
                let _ = when::eval(&text);
                if count % 20 == 0 {
                    let _ = jq_fault(&text);
                }
                let _ = jsonpath("{\"a\": [[1]]}", &format!("$[?({text})]"));
            }
        }
    });
}

#[test]
fn long_chains_are_no_nesting() {
    let sum = vec!["1"; 4000].join(" + ");
    assert_eq!(eval(&sum), Ok(Value::Int(4000)));
    let all = vec!["true"; 4000].join(" && ");
    assert_eq!(eval(&all), Ok(Value::Bool(true)));
    assert_eq!(when::eval(&vec!["a == a"; 10_000].join(" && ")), Ok(true));
    assert!(depends::parse(&vec!["a"; 10_000].join(" && ")).is_ok());
}

#[test]
fn an_evaluation_that_runs_away_is_stopped() {
    let cases = [
        ("1..1000000000", "EXPR_BYTES_MADE_MAX"),
        ("sum(1..1100000, #)", "EXPR_STEPS_MAX"),
        ("map(1..1000, map(1..1000, map(1..1000, 1)))", "EXPR_"),
        ("reduce(1..100000, [#acc], 0)", "EXPR_VALUE_DEPTH_MAX"),
        ("reduce(1..100000, ({\"a\": #acc}), 0)", "EXPR_VALUE_DEPTH_MAX"),
        ("reduce(1..100000, sprig.list(#acc), 0)", "EXPR_VALUE_DEPTH_MAX"),
        ("reduce(1..100, [#acc, #acc], 0)", "EXPR_BYTES_MADE_MAX"),
        ("reduce(1..100, #acc + #acc, \"ab\")", "EXPR_BYTES_MADE_MAX"),
        ("reduce(1..100, replace(#acc, \"a\", \"aaaa\"), \"a\")", "EXPR_BYTES_MADE_MAX"),
        ("len(map(1..1000, repeat(\"a\", 1000000)))", "EXPR_BYTES_MADE_MAX"),
        ("sprig.until(1000000000)", "EXPR_BYTES_MADE_MAX"),
        ("sprig.indent(1000000000, \"a\")", "EXPR_BYTES_MADE_MAX"),
        ("sprig.randAlpha(1000000000)", "EXPR_BYTES_MADE_MAX"),
        ("\"a\" matches \"(((a{100}){100}){100}){100}\"", "regular expression"),
    ];
    on_a_small_stack(move || {
        for (text, bound) in cases {
            let fault = eval(text).expect_err(text);
            assert!(fault.message.contains(bound), "{text}: {}", fault.message);
        }
    });
}

#[test]
fn every_function_takes_any_arguments_without_panic() {
    let values =
        ["nil", "true", "-1", "0", "9223372036854775807", "1.5", "\"\"", "\"é-1\"", "[]", "[\"b\",1,nil]", "{}"];
    let times = ["{\"a\":{\"b\":1}}", "date(\"2024-01-31\")", "duration(\"-1.5h\")", "sprig.upper", "1..3"];
    let all: Vec<&str> = values.into_iter().chain(times).collect();
    let names: Vec<String> = functions::Builtin::names()
        .map(str::to_owned)
        .chain(functions::sprig_names().map(|name| format!("sprig.{name}")))
        .chain(["asInt", "asFloat", "jsonpath", "toJson"].map(str::to_owned))
        .collect();
    for name in &names {
        let _ = eval(&format!("{name}()"));
        for (at, first) in all.iter().enumerate() {
            let _ = eval(&format!("{name}({first})"));
            for second in all.iter().skip(at % 3).step_by(3) {
                let _ = eval(&format!("{name}({first}, {second})"));
                let third = all[at % all.len()];
                let _ = eval(&format!("{name}({first}, {second}, {third})"));
            }
        }
    }
}

#[test]
fn methods_take_any_arguments_without_panic() {
    let values = ["", "nil", "1", "-9223372036854775807", "\"x\"", "date(\"2024-01-31\")", "duration(\"1h\")", "1,2,3"];
    for receiver in ["date(\"2024-01-31\")", "date(\"0001-01-01\")", "duration(\"-2562047h\")"] {
        for name in ["Add", "AddDate", "Format", "Round", "Truncate", "Abs", "In", "Sub", "Month", "Unix", "nope"] {
            for value in values {
                let _ = eval(&format!("{receiver}.{name}({value})"));
            }
        }
    }
    let _ = eval("date(\"2024-01-31\").AddDate(9223372036854775807, -9223372036854775807, 9223372036854775807)");
}

#[test]
fn tables_of_functions_have_each_name_once() {
    let names: Vec<&str> = functions::sprig_names().collect();
    assert!(names.is_sorted_by(|left, right| left < right), "{names:?}");
}

#[test]
fn a_value_is_never_read_again() {
    let scope = BTreeMap::from([
        ("a".to_owned(), Value::text("{{b}}")),
        ("b".to_owned(), Value::text("secret")),
        ("quote".to_owned(), Value::text("\", \"x\": \"\n")),
    ]);
    let render = |text: &str| TemplateStr::parse(text).expect(text).render(&scope, Unresolved::Refuse, &AMBIENT);
    assert_eq!(render("{{a}} {{=a}}"), Ok("{{b}} {{b}}".to_owned()));
    assert_eq!(render("{{ quote }}"), Ok("\", \"x\": \"\n".to_owned()));
}

#[test]
fn tags_that_cannot_be_resolved() {
    let scope = BTreeMap::from([
        ("inputs.parameters.x".to_owned(), Value::text("1")),
        ("steps.a.outputs.result".to_owned(), Value::Nil),
    ]);
    let missing = |name: &str| Err(RenderError::Missing { name: name.to_owned() });
    let absent = |name: &str| Err(RenderError::Absent { name: name.to_owned() });
    let under: Unresolved<'_> = Unresolved::RefuseUnder(&["steps", "tasks"]);
    let cases = [
        ("{{inputs.parameters.y}}", Unresolved::Keep, Ok("{{inputs.parameters.y}}".to_owned())),
        ("{{ inputs.parameters.y }}", Unresolved::Refuse, missing("inputs.parameters.y")),
        ("{{steps.b.outputs.result}}", under, missing("steps.b.outputs.result")),
        ("{{stepsx.b}}", under, Ok("{{stepsx.b}}".to_owned())),
        ("{{steps.b.outputs.artifacts.f}}", under, Ok("{{steps.b.outputs.artifacts.f}}".to_owned())),
        ("{{steps.a.outputs.result}}", Unresolved::Keep, absent("steps.a.outputs.result")),
        ("{{=steps.a.outputs.result ?? 'd'}}", Unresolved::Refuse, Ok("d".to_owned())),
        ("{{=steps.b.outputs.result}}", under, missing("steps.b.outputs.result")),
        ("{{=item.x + 1}}", under, Ok("{{=item.x + 1}}".to_owned())),
        ("{{=let y = inputs.parameters.x; y + y}}", Unresolved::Refuse, Ok("11".to_owned())),
        ("{{=[1, \"a\"]}}", Unresolved::Keep, Ok("[1,\"a\"]".to_owned())),
        ("{{=1 +}}", Unresolved::Keep, Ok("{{=1 +}}".to_owned())),
        ("{{inputs.parameters.{{=\"x\"}}}}", Unresolved::Refuse, Ok("1".to_owned())),
        ("{{inputs.parameters.{{nope}}}}", Unresolved::Keep, Ok("{{inputs.parameters.{{nope}}}}".to_owned())),
    ];
    for (text, unresolved, wanted) in cases {
        let template = TemplateStr::parse_lenient(text).expect(text);
        assert_eq!(template.render(&scope, unresolved, &AMBIENT), wanted, "{text}");
    }
}

#[test]
fn variables_have_places() {
    let text = "a {{ inputs.parameters.x }} {{=steps['b-c'].outputs?.y ?? item}} {{p.{{q}}}}";
    let template = TemplateStr::parse(text).expect(text);
    let found: Vec<(String, &str, bool)> =
        template.variables().map(|named| (named.name.into_owned(), &text[named.at], named.guarded)).collect();
    let wanted = [
        ("inputs.parameters.x", "inputs.parameters.x", false),
        ("steps.b-c.outputs", "steps['b-c'].outputs", true),
        ("item", "item", false),
        ("q", "q", false),
    ];
    assert_eq!(found, wanted.map(|(name, at, guarded)| (name.to_owned(), at, guarded)));
}

#[test]
fn faults_have_places_and_help() {
    let cases = [
        ("1 + zzzzz", 4..9, None),
        ("upperr(\"a\")", 0..6, Some("did you mean `upper`?")),
        ("sprig.uppr(\"a\")", 6..10, Some("did you mean `sprig.upper`?")),
        ("1 = 2", 2..3, Some("write `==` to compare")),
        ("\"a\" + 1", 0..7, Some("make both numbers by `int(…)`, or both texts by `string(…)`")),
        ("(1", 2..2, Some("`)` is expected here")),
    ];
    for (text, at, help) in cases {
        let fault = eval(text).expect_err(text);
        assert_eq!((fault.at, fault.help.as_deref()), (at, help), "{text}: {}", fault.message);
    }
}

#[test]
fn chance_and_time_are_given() {
    let text = "sprig.uuidv4() + sprig.randAlphaNum(8) + string(now().Unix())";
    assert_eq!(eval(text), eval(text));
    let other = Ambient { now: Timestamp(0), seed: 8 };
    let ast = lang::parse(text).expect(text);
    assert_ne!(lang::eval(&ast, &BTreeMap::new(), &other), eval(text));
    let uuid = eval("sprig.uuidv4() matches \"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\"");
    assert_eq!(uuid, Ok(Value::Bool(true)));
}

/// Cases with what Go's expr and sprig, and govaluate, make of them: text, tab, JSON or `ERROR`.
fn cases(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter_map(|line| line.rsplit_once('\t'))
}

#[test]
fn expressions_come_to_what_go_makes_of_them() {
    for (text, wanted) in cases(include_str!("tests/expr.tsv")) {
        let outcome = match eval(text) {
            Ok(value) => value.to_json_text().unwrap_or_else(|_| "NOT-JSON".to_owned()),
            Err(_) => "ERROR".to_owned(),
        };
        assert_eq!(outcome, wanted, "{text}");
    }
}

#[test]
fn conditions_come_to_what_govaluate_makes_of_them() {
    for (text, wanted) in cases(include_str!("tests/when.tsv")) {
        let outcome = when::eval(text).map_or("ERROR".to_owned(), |truth| truth.to_string());
        assert_eq!(outcome, wanted, "{text}");
    }
}

#[test]
fn dependencies_hold_by_results() {
    use depends::{Expr, TaskResult};
    let holds = |name: &str, result: Option<TaskResult>| {
        matches!((name, result), ("ok", None | Some(TaskResult::Succeeded)) | ("bad", Some(TaskResult::Failed)))
    };
    let cases = [
        ("ok", true),
        ("bad", false),
        ("bad.Failed", true),
        ("ok && bad", false),
        ("ok || bad && bad", true),
        ("(ok || bad) && bad", false),
        ("!bad && ok.Succeeded", true),
        ("not bad and (ok or bad)", true),
    ];
    for (text, wanted) in cases {
        assert_eq!(depends::parse(text).expect(text).eval(&holds), wanted, "{text}");
    }
    assert!(Expr::from_dependencies(["ok"]).eval(&holds));
    assert!(!Expr::from_dependencies(["ok", "bad"]).eval(&holds));
    let faults = [
        ("a &&", 4..4),
        ("a & b", 2..3),
        ("a.Suceeded", 0..10),
        ("(a", 2..2),
        ("a b", 2..3),
        ("", 0..0),
        ("a.Failed.x", 0..10),
    ];
    for (text, at) in faults {
        assert_eq!(depends::parse(text).expect_err(text).at, at, "{text}");
    }
    let help = depends::parse("a.Suceeded").expect_err("it is misspelt").help;
    assert_eq!(help.as_deref(), Some("did you mean `a.Succeeded`?"));
}

#[test]
fn queries_find_what_argo_finds() {
    let json = r#"{"a":[{"n":1},{"n":2}],"b":{"c":"x"}}"#;
    let find = |path: &str| jsonpath(json, path).map(|value| value.to_text());
    assert_eq!(find("$.b.c"), Ok("x".to_owned()));
    assert_eq!(find("$.a[1].n"), Ok("2".to_owned()));
    assert_eq!(find("$.a[*].n"), Ok("[1,2]".to_owned()));
    assert_eq!(find("$..n"), Ok("[1,2]".to_owned()));
    assert!(find("$.nope").is_err());
    assert!(find("$[").is_err());
    assert_eq!(jq(".a[].n", json), Ok("1\n2".to_owned()));
    assert_eq!(jq(".b", json), Ok(r#"{"c":"x"}"#.to_owned()));
    for filter in ["env", "now", "halt", ".a[", "nope"] {
        assert!(jq(filter, json).is_err(), "{filter}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}") {
        let _ = eval(&text);
        let _ = when::eval(&text);
        let _ = when::eval_as(&text, when::Names::Variables);
        let _ = depends::parse(&text);
        let _ = jsonpath("{\"a\":1}", &text);
        let _ = TemplateStr::parse(&text).map(|template| template.render(&BTreeMap::new(), Unresolved::Keep, &AMBIENT));
    }

    #[test]
    fn no_salad_of_tokens_makes_a_parser_panic(
        tokens in prop::collection::vec(prop::sample::select(TOKENS.to_vec()), 0..24),
    ) {
        for glue in ["", " "] {
            let text = tokens.join(glue);
            let _ = eval(&text);
            let _ = when::eval(&text);
            let _ = depends::parse(&text);
            let _ = TemplateStr::parse_lenient(&text)
                .map(|template| template.render(&BTreeMap::new(), Unresolved::Refuse, &AMBIENT));
        }
    }

    #[test]
    fn a_text_without_tags_renders_to_itself(text in "[^{]{0,60}") {
        let template = TemplateStr::parse(&text).expect("it has no tags");
        prop_assert!(template.is_literal());
        prop_assert_eq!(template.render(&BTreeMap::new(), Unresolved::Refuse, &AMBIENT), Ok(text));
    }

    #[test]
    fn dates_are_read_as_they_are_written(seconds in -60_000_000_000i64..200_000_000_000) {
        let time = functions::dates::of_seconds(seconds).expect("it is in range");
        let layout = "Monday, 02-Jan-2006 15:04:05 -0700";
        let text = functions::dates::format(&time, layout);
        let read = functions::dates::parse(layout, &text, &jiff::tz::TimeZone::UTC);
        prop_assert_eq!(read.map(|time| time.timestamp().as_second()), Ok(seconds));
    }
}

const TOKENS: [&str; 56] = [
    "(", ")", "[", "]", "{", "}", "{{", "}}", "{{=", "1", "0x", "1.", ".5", "1e", "\"a\"", "'", "`", "\\", "a", "a-b",
    "#", "#acc", ".", "?.", "..", "?", ":", "::", "??", ",", ";", "|", "||", "&&", "!", "==", "=~", "<", "in", "not",
    "let x =", "if", "else", "map(", "filter(", "reduce(", "sum(", "sprig.", "upper(", "date(", "nil", "true", "%",
    "**", "-", "é",
];
