//! The tables of what Argo makes of expressions and templates.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::{Ambient, TemplateStr, Unresolved, Value, lang};
use crate::base::Timestamp;

/// Cases that differ on purpose, by their input. Argo substitutes in several passes, of which
/// these show a single one: `{{a-{{b}}}}` becomes `{{a-x}}`, and that is resolved in the next.
/// Here a tag is resolved from the inside out at once; what the last pass gives is the same.
const EXCEPTIONS: [&str; 4] = [
    "\"{{outer-{{steps.x.outputs.parameters.key}}}}\"",
    "{\"key\": \"{{outer-{{inner}}}}\"}",
    "{\"key\": \"{{A {{B {{C}}}}}}\"}",
    "{\"key\": \"{{A {{B valC}}}}\"}",
];

const AMBIENT: Ambient = Ambient { now: Timestamp(1_700_000_000_000), seed: 1 };

fn table(name: &str) -> Option<String> {
    let given = std::env::var_os("WF_CONFORMANCE").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance").into());
    let text = std::fs::read_to_string(folder.join(name)).ok();
    if text.is_none() {
        println!("conformance {name}: skipped, ../shared/conformance is absent");
    }
    text
}

/// Runs a table and says what failed.
fn run(name: &str, passes: impl Fn(&Json) -> Result<(), String>) {
    let Some(text) = table(name) else { return };
    let (mut total, mut passed, mut skipped, mut failures) = (0, 0, 0, Vec::new());
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).expect("the table is JSON");
        total += 1;
        match passes(&case) {
            Ok(()) => passed += 1,
            Err(_) if case["in"].as_str().is_some_and(|input| EXCEPTIONS.contains(&input)) => skipped += 1,
            Err(fault) => failures.push(format!("{}\n  {fault}", &line[..line.len().min(300)])),
        }
    }
    println!("conformance {name}: {passed}/{total}, {skipped} skipped by name");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Returns the environment of a case; `{"$time": …}` is an instant.
fn env_value(json: &Json) -> Value {
    match json {
        Json::Object(entries) => match entries.get("$time").and_then(Json::as_str) {
            Some(text) => {
                let instant: jiff::Timestamp = text.parse().expect("the table has instants");
                Value::Time(std::sync::Arc::new(instant.to_zoned(jiff::tz::TimeZone::UTC)))
            }
            None => Value::map(entries.iter().map(|(name, value)| (name.as_str(), env_value(value)))),
        },
        other => Value::from_json(other),
    }
}

fn env_scope(json: &Json) -> BTreeMap<String, Value> {
    let entries = json.as_object().cloned().unwrap_or_default();
    entries.iter().map(|(name, value)| (name.clone(), env_value(value))).collect()
}

/// Returns a document whose numbers compare by value.
fn comparable(json: &Json) -> Json {
    match json {
        Json::Number(number) => number.as_f64().map_or(Json::Null, Json::from),
        Json::Array(items) => items.iter().map(comparable).collect(),
        Json::Object(entries) => entries.iter().map(|(name, value)| (name.clone(), comparable(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn expressions_come_to_what_argo_makes_of_them() {
    let Some(env) = table("expr-env.json") else { return };
    let scope = env_scope(&serde_json::from_str(&env).expect("the environment is JSON"));
    run("expr.jsonl", |case| {
        let text = case["expr"].as_str().expect("a case has an expression");
        let outcome = lang::parse(text).map_err(Into::into).and_then(|ast| lang::eval(&ast, &scope, &AMBIENT));
        match (case["outcome"].as_str(), outcome) {
            (Some("value"), Ok(value)) => {
                let json = value.to_json_text().map_err(|fault| fault.to_string())?;
                let json = serde_json::from_str(&json).expect("what is written is JSON");
                if comparable(&json) == comparable(&case["value"]) { Ok(()) } else { Err(json.to_string()) }
            }
            (Some("value-not-json"), Ok(value)) => value.to_json_text().err().map(drop).ok_or("it is JSON".to_owned()),
            (Some("compile-error" | "run-error"), Err(_)) => Ok(()),
            (_, outcome) => Err(format!("{outcome:?}")),
        }
    });
}

/// Renders every scalar and every key of a document.
fn rendered(
    json: &Json,
    scope: &BTreeMap<String, Value>,
    unresolved: Unresolved<'_>,
) -> Result<Json, Box<dyn std::error::Error>> {
    let text = |text: &str| -> Result<String, Box<dyn std::error::Error>> {
        Ok(TemplateStr::parse_lenient(text)?.render(scope, unresolved, &AMBIENT)?)
    };
    Ok(match json {
        Json::String(scalar) => Json::String(text(scalar)?),
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| rendered(item, scope, unresolved)).collect::<Result<_, _>>()?)
        }
        Json::Object(entries) => {
            let mut out = serde_json::Map::new();
            for (name, value) in entries {
                out.insert(text(name)?, rendered(value, scope, unresolved)?);
            }
            Json::Object(out)
        }
        other => other.clone(),
    })
}

fn substitutes(case: &Json, unresolved: Unresolved<'_>) -> Result<(), String> {
    let scope = env_scope(&case["vars"]);
    let input = case["in"].as_str().expect("a case has an input");
    let outcome =
        serde_json::from_str(input).map_err(Into::into).and_then(|json: Json| rendered(&json, &scope, unresolved));
    match (case["error"].as_str().unwrap_or_default(), outcome) {
        ("", Ok(json)) => {
            let wanted: Json =
                serde_json::from_str(case["out"].as_str().expect("a case has an output")).expect("the output is JSON");
            if json == wanted { Ok(()) } else { Err(format!("got {json}\n want {wanted}")) }
        }
        ("", Err(fault)) => Err(format!("fails: {fault}")),
        (_, Err(_)) => Ok(()),
        (fault, Ok(json)) => Err(format!("got {json}, where Argo says {fault}")),
    }
}

#[test]
fn templates_render_as_argo_substitutes() {
    run("template-eval.jsonl", |case| match case["fn"].as_str() {
        Some("Replace") if case["allowUnresolved"] == true => substitutes(case, Unresolved::Keep),
        Some("Replace") => substitutes(case, Unresolved::Refuse),
        Some("ReplaceStrict") => {
            let prefixes: Vec<&str> =
                case["strictPrefixes"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            substitutes(case, Unresolved::RefuseUnder(&prefixes))
        }
        _ => {
            let text = case["in"].as_str().expect("a case has an input");
            let outcome = lang::eval_bool(text, &env_scope(&case["env"]), &AMBIENT);
            match (case["error"].as_str().unwrap_or_default(), outcome) {
                ("", Ok(truth)) if Json::Bool(truth) == case["out"] => Ok(()),
                ("", other) => Err(format!("{other:?}")),
                (_, Err(_)) => Ok(()),
                (fault, Ok(truth)) => Err(format!("got {truth}, where Argo says {fault}")),
            }
        }
    });
}
