//! Filters that run as they would without a budget, and filters that the budget stops.

use super::*;

const INPUT: &str = r#"{"kind":"Pod","n":3,"f":1.5,"big":123456789012345678901234567890,"t":"a-b-c","e":"é","l":[3,1,2,1],
    "o":{"b":1,"a":{"c":[true,null,false]}},"s":["x","yy","x"],"z":null,"items":[{"name":"a","v":1,"l":{"k":"v"}},
    {"name":"b","v":2},{"name":"a","v":3}],"j":"{\"q\":[1,2]}","at":"2024-01-31T10:00:00Z"}"#;

/// Runs on a stack as large as a filter may need.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(limits::JQ_STACK_BYTES).spawn_scoped(scope, work);
        thread.expect("a thread can be started").join().expect("nothing panics")
    })
}

/// Runs a filter as jaq does, without any budget.
fn without_budget(filter: &str) -> Result<String, String> {
    type Plain = jaq_core::data::JustLut<Val>;
    let library = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let arena = Arena::default();
    let modules = Loader::new(library)
        .load(&arena, File { code: filter, path: () })
        .map_err(|_| format!("jq filter `{filter}` cannot be read"))?;
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let compiled = Compiler::default()
        .with_funs(functions)
        .compile(modules)
        .map_err(|_| format!("jq filter `{filter}` uses an unknown function or variable"))?;
    let input = read::parse_single(INPUT.as_bytes()).expect("the input is JSON");
    let values = compiled.id.run((Ctx::<Plain>::new(&compiled.lut, Vars::new([])), input));
    let texts: Result<Vec<_>, _> = values.map(|value| jaq_core::unwrap_valr(value).map(|value| raw(&value))).collect();
    texts.map(|texts| texts.join("\n")).map_err(|fault| format!("jq filter `{filter}` fails: {fault}"))
}

#[test]
fn a_budget_changes_no_filter() {
    let filters: Vec<&str> = include_str!("filters.txt").lines().collect();
    assert!(filters.len() > 150, "{}", filters.len());
    on_a_large_stack(|| {
        for filter in filters {
            assert_eq!(jq(filter, INPUT), without_budget(filter), "{filter}");
        }
    });
}

/// Each line is a bound, or what else the message says, and a filter.
#[test]
fn a_filter_that_runs_away_is_stopped() {
    on_a_large_stack(|| {
        for line in include_str!("bombs.txt").lines() {
            let (bound, filter) = line.split_once(' ').expect("a bound and a filter");
            let fault = run(filter, INPUT, limits::JQ_WORK_MAX / 16).map(|out| out.len()).expect_err(filter);
            assert!(fault.contains(bound), "{filter}: {fault}");
        }
    });
}

#[test]
fn what_a_filter_built_is_dropped_without_end_of_stack() {
    let filters = [
        "last(range(1e12))",
        "def f(g): f(g | .); f(.)",
        "def f(g): if . > 100000 then g else . + 1 | f(g | .) end; 0 | f(.)",
        "def f: .a | f; null | path(f)",
        "def f: (1, f) | .; last(f)",
        "def f: 1 + f; f",
    ];
    on_a_large_stack(|| {
        for filter in filters {
            assert!(jq(filter, INPUT).expect_err(filter).contains("JQ_"), "{filter}");
        }
    });
}

#[test]
fn any_filter_is_read_on_a_small_stack() {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        let chains = [
            "- ",
            "if . then ",
            "try ",
            ". | ",
            ". , ",
            ". // ",
            ". = ",
            "1 + ",
            "1 as $x | ",
            "label $x | ",
            "def f: ",
            "def f: 1; ",
            "reduce . as $x (1; ",
            "[",
            "{a:",
            "(",
            "\"\\(",
            ".[",
            ". as [",
            "..",
            "?",
            ".a",
            "f(",
        ];
        for chain in chains {
            for length in [FILTER_DEPTH_MAX, FILTER_BYTES_MAX] {
                for end in ["1", ". end", "1)", ""] {
                    let count = length.min((FILTER_BYTES_MAX - end.len()) / chain.len());
                    let _ = jq_fault(&(chain.repeat(count) + end));
                }
            }
        }
    });
    thread.expect("a thread can be started").join().expect("nothing panics");
}

#[test]
fn large_objects_fit_the_budget() {
    let item = |at| {
        let labels = format!(r#"{{"name":"pod-{at}","labels":{{"app":"a{}"}}}}"#, at % 7);
        format!(r#"{{"metadata":{labels},"status":{{"phase":"Running","n":{at}}}}}"#)
    };
    let items: Vec<String> = (0..5000).map(item).collect();
    let input = format!(r#"{{"items":[{}]}}"#, items.join(","));
    let filters = [
        "[.items[].metadata.name] | join(\",\")",
        "[.items[].metadata.name] | add",
        ".items | map(select(.metadata.labels.app == \"a3\"))",
        "[.items[] | select(.metadata.name | test(\"-9+$\"))]",
        ".items | group_by(.metadata.labels.app) | map({(.[0].metadata.labels.app): map(.status.n) | add}) | add",
        "del(.items[].metadata)",
        "[paths] | length",
        "[..] | length",
        ".items | sort_by(-.status.n)",
        "reduce .items[] as $i ({}; .[$i.metadata.name] = $i.status)",
        ".items | map({key: .metadata.name, value: .status}) | from_entries | with_entries(.value |= .phase)",
        "last(limit(50000; repeat(1)))",
        "0 | until(. > 50000; . + 1)",
        "def f: if . > 50000 then . else . + 1 | f end; 0 | f",
        "def f: if . > 1000 then 0 else 1 + (. + 1 | f) end; 0 | f",
    ];
    on_a_large_stack(|| {
        for filter in filters {
            assert_eq!(jq(filter, &input).err(), None, "{filter}");
        }
    });
}
