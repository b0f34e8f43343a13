//! `valueFrom.jqFilter`, by jaq.
//!
//! jaq has no budget, so a filter is given one: `ration.rs` puts steps into its parse tree, and those of the
//! definitions that it may call; `budget.rs` counts them.

mod budget;
mod ration;
#[cfg(test)]
mod tests;

use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars};
use jaq_json::{Val, read};

use crate::base::limits;
use budget::{Budget, Held, Kind};
use ration::Ration;

/// Bytes of a filter: jaq's parser recurses over it.
const FILTER_BYTES_MAX: usize = 2 << 10;

/// How deep a filter's brackets may nest.
const FILTER_DEPTH_MAX: usize = 64;

/// The filter as a definition: definitions can be given as parse trees.
const MAIN: &str = "wf_main";

type Compiled = jaq_core::Filter<Kind>;

/// Runs a filter over a JSON text and returns its outputs, one a line; texts without quotes, as `jq -r` does.
///
/// It recurses: whoever calls it has [`limits::JQ_STACK_BYTES`] of stack left.
pub fn jq(filter: &str, input: &str) -> Result<String, String> {
    run(filter, input, limits::JQ_WORK_MAX)
}

fn run(filter: &str, input: &str, work_max: u64) -> Result<String, String> {
    check_size(filter)?;
    budget::check_json(input.as_bytes())?;
    let input = read::parse_single(input.as_bytes()).map_err(|fault| format!("the input is not JSON: {fault}"))?;
    let compiled = compile(filter, true)?;
    let budget = Budget::new(work_max);
    let context = Ctx::<Kind>::new(Held { lut: &compiled.lut, budget: &budget }, Vars::new([]));
    let mut out = String::new();
    for value in compiled.id.run((context, input)) {
        let value = value.and_then(|value| budget.weigh(&value).map(|()| value)).map_err(|exception| {
            let Ok(fault) = exception.get_err() else { return format!("jq filter `{filter}` {}", budget.fault()) };
            format!("jq filter `{filter}` fails: {fault}")
        })?;
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&raw(&value));
        if out.len() > limits::EXPR_BYTES_MADE_MAX {
            return Err(format!(
                "jq filter makes more than {} bytes (EXPR_BYTES_MADE_MAX)",
                limits::EXPR_BYTES_MADE_MAX
            ));
        }
    }
    Ok(out)
}

/// Returns why a filter cannot be run, whatever it is given. It needs no more than the stack of any thread, so it
/// compiles the filter without what it spends, which nests thrice as deep.
pub fn jq_fault(filter: &str) -> Option<String> {
    check_size(filter).and_then(|()| compile(filter, false).map(drop)).err()
}

fn check_size(filter: &str) -> Result<(), String> {
    let mut depth = 0usize;
    for c in filter.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > FILTER_DEPTH_MAX {
            return Err(format!("jq filter nests deeper than {FILTER_DEPTH_MAX}"));
        }
    }
    match filter.len() {
        len if len > FILTER_BYTES_MAX => Err(format!("jq filter is longer than {FILTER_BYTES_MAX} bytes")),
        _ => Ok(()),
    }
}

fn compile(filter: &str, spends: bool) -> Result<Compiled, String> {
    let body = load::parse(filter, |parser| parser.term().map(Some)).flatten();
    let body = body.ok_or_else(|| format!("jq filter `{filter}` cannot be read"))?;
    let functions: Vec<_> = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs()).collect();
    let ration = Ration::new(functions.iter().map(|(name, args, _)| (*name, args.len())));
    let library = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let mut plain: Vec<Def<&str>> = library.collect();
    plain.push(Def { name: MAIN, args: Vec::new(), body });
    let spending = ration.definitions(plain.clone()).ok_or_else(|| format!("jq filter `{filter}` nests too deep"))?;
    let loader = Loader::new(if spends { spending } else { plain });
    let arena = Arena::default();
    let modules = loader
        .load(&arena, File { code: MAIN, path: () })
        .map_err(|_| format!("jq filter `{filter}` cannot be read"))?;
    Compiler::default()
        .with_funs(budget::functions(functions))
        .compile(modules)
        .map_err(|_| format!("jq filter `{filter}` uses an unknown function or variable"))
}

fn raw(value: &Val) -> String {
    match value {
        Val::TStr(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    }
}
