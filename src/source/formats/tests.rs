//! Every format of the same three diagnostics.

use insta::assert_snapshot;

use super::{Report, RuleText, annotations, gitlab, json, junit, sarif, step_summary};
use crate::source::{Diagnostic, Severity, Sources, Span, rules};

/// Two files, of which one has an error and a warning; and a note about no place.
fn check(render: fn(&Report<'_>) -> String) -> String {
    let mut sources = Sources::new();
    let file = sources.add("dir/ä b.yaml", "a: 1\nb: <2>\n");
    sources.add("fine.yaml", "c: 3\n");
    let span = |start, end| Span { file, start, end };
    let note = Diagnostic::new(rules::SIZE, Severity::Note, None, "about no place");
    let warning = Diagnostic::warning(rules::SYNTAX, span(0, 1), "a | b & \"c\": 50%").help("first\nsecond");
    let error = Diagnostic::error(rules::VALUE, span(8, 11), "no <value>").says("here").also(span(0, 1), "see");
    let diagnostics = [note, warning, error.fix(span(8, 11), "2")];
    let rules = [RuleText { id: rules::VALUE, meaning: "a value", page: "A page.".to_owned() }];
    render(&Report { diagnostics: &diagnostics, sources: &sources, rules: &rules })
}

#[test]
fn github_shows_the_worst_first() {
    assert_snapshot!(check(annotations), @r#"
    ::error file=dir/ä b.yaml,line=2,endLine=2,col=4,endColumn=7,title=WF011::no <value>
    ::warning file=dir/ä b.yaml,line=1,endLine=1,col=1,endColumn=2,title=WF001::a | b & "c": 50%25%0Ahelp: first%0Asecond
    ::notice title=WF006::about no place
    "#);
    assert_snapshot!(check(step_summary), @r#"
    ### wf lint

    3 problems

    | | rule | place | problem |
    | --- | --- | --- | --- |
    | error | WF011 | `dir/ä b.yaml:2` | no &lt;value> |
    | warning | WF001 | `dir/ä b.yaml:1` | a \| b & "c": 50%<br>help: first<br>second |
    | note | WF006 |  | about no place |
    "#);
}

/// Returns the items of a JSON list, a line each.
fn items(list: &serde_json::Value) -> String {
    let lines = list.as_array().expect("a list").iter().map(serde_json::Value::to_string);
    lines.collect::<Vec<_>>().join("\n")
}

fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("the format is JSON")
}

#[test]
fn gitlab_and_junit() {
    assert_snapshot!(items(&parsed(&check(gitlab))), @r#"
    {"description":"about no place","check_name":"WF006","fingerprint":"d38a91a0e4a56492","severity":"info","location":{"path":"dir/ä b.yaml","lines":{"begin":1}}}
    {"description":"a | b & \"c\": 50%\nhelp: first\nsecond","check_name":"WF001","fingerprint":"32aedee6c60870e4","severity":"minor","location":{"path":"dir/ä b.yaml","lines":{"begin":1}}}
    {"description":"no <value>","check_name":"WF011","fingerprint":"5300960ff59c3fb3","severity":"major","location":{"path":"dir/ä b.yaml","lines":{"begin":2}}}
    "#);
    let xml = check(junit);
    for part in [
        "<testsuites name=\"wf lint\" tests=\"4\" failures=\"3\">",
        "<testcase classname=\"fine.yaml\" name=\"lint\"/>",
        "<failure type=\"error\" message=\"no &lt;value&gt;\">",
        "a | b &amp; &quot;c&quot;: 50%",
        "<testsuite name=\"all files\" tests=\"1\" failures=\"1\">",
    ] {
        assert!(xml.contains(part), "no `{part}` in\n{xml}");
    }
}

#[test]
fn json_and_sarif() {
    assert_snapshot!(items(&parsed(&check(json))), @r#"
    {"rule":"WF006","severity":"note","message":"about no place","labels":[],"help":null,"fix":null}
    {"rule":"WF001","severity":"warning","message":"a | b & \"c\": 50%","labels":[{"at":{"file":"dir/ä b.yaml","line":1,"column":1,"endLine":1,"endColumn":2,"offset":0,"endOffset":1},"text":""}],"help":"first\nsecond","fix":null}
    {"rule":"WF011","severity":"error","message":"no <value>","labels":[{"at":{"file":"dir/ä b.yaml","line":2,"column":4,"endLine":2,"endColumn":7,"offset":8,"endOffset":11},"text":"here"},{"at":{"file":"dir/ä b.yaml","line":1,"column":1,"endLine":1,"endColumn":2,"offset":0,"endOffset":1},"text":"see"}],"help":null,"fix":{"at":{"file":"dir/ä b.yaml","line":2,"column":4,"endLine":2,"endColumn":7,"offset":8,"endOffset":11},"replacement":"2","certain":true}}
    "#);
    let log = parsed(&check(sarif));
    let results = &log["runs"][0]["results"];
    assert_eq!(results.as_array().map(Vec::len), Some(3));
    let error = &results[2];
    assert_eq!((&error["level"], &error["ruleIndex"]), (&"error".into(), &0.into()));
    let place = &error["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "dir/%C3%A4%20b.yaml");
    assert_eq!(place["region"], serde_json::json!({"startLine": 2, "startColumn": 4, "endLine": 2, "endColumn": 7}));
    let change = &error["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["insertedContent"]["text"], "2");
    assert_eq!(error["relatedLocations"][0]["message"]["text"], "see");
}

#[test]
fn a_fingerprint_survives_new_lines_above() {
    let fingerprints = |text: &str, at: &[u32]| {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let diagnostic = |&start: &u32| Diagnostic::error(rules::SYNTAX, Span { file, start, end: start + 1 }, "x");
        let diagnostics: Vec<Diagnostic> = at.iter().map(diagnostic).collect();
        Report { diagnostics: &diagnostics, sources: &sources, rules: &[] }.fingerprints()
    };
    let two = fingerprints("a\nb\n", &[0, 2]);
    assert_ne!(two[0], two[1]);
    assert_eq!(two, fingerprints("\n\na\nb\n", &[2, 4]));
}
