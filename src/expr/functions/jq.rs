//! `valueFrom.jqFilter`, by jaq.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Cv, Error, Exn, Native, ValXs, Vars, data, unwrap_valr};
use jaq_json::{Val, read};

use crate::base::limits;

/// Bytes of a filter: jaq's parser recurses over it.
const FILTER_BYTES_MAX: usize = 16 << 10;

/// How deep a filter's brackets may nest.
const FILTER_DEPTH_MAX: usize = 64;

/// What would reach outside, or end the process; a filter is pure here.
const IMPURE: [&str; 8] = ["env", "now", "halt", "input", "inputs", "localtime", "strflocaltime", "stderr_empty"];

/// What a filter runs on: its own definitions, and nothing else.
type Data = data::JustLut<Val>;

/// Runs a filter over a JSON text and returns its outputs, one a line; texts without quotes,
/// as `jq -r` does.
///
/// A filter that never gives an output and never ends is not bounded: jaq has no budget.
pub fn jq(filter: &str, input: &str) -> Result<String, String> {
    check_size(filter)?;
    let input = read::parse_single(input.as_bytes()).map_err(|fault| format!("the input is not JSON: {fault}"))?;
    let compiled = compile(filter)?;
    let context = Ctx::<Data>::new(&compiled.lut, Vars::new([]));
    let mut out = String::new();
    for value in compiled.id.run((context, input)).map(unwrap_valr) {
        let value = value.map_err(|fault| format!("jq filter `{filter}` fails: {fault}"))?;
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

/// Returns why a filter cannot be run, whatever it is given.
pub fn jq_fault(filter: &str) -> Option<String> {
    check_size(filter).and_then(|()| compile(filter)).err()
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

fn compile(filter: &str) -> Result<jaq_core::compile::Filter<Native<Data>>, String> {
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let loader = Loader::new(definitions);
    let arena = Arena::default();
    let modules = loader
        .load(&arena, File { code: filter, path: () })
        .map_err(|_| format!("jq filter `{filter}` cannot be read"))?;
    Compiler::default()
        .with_funs(functions.map(|(name, args, native)| {
            let native = if IMPURE.contains(&name) { Native::<Data>::new(refuse) } else { native };
            (name, args, native)
        }))
        .compile(modules)
        .map_err(|_| format!("jq filter `{filter}` uses an unknown function or variable"))
}

/// Takes the place of a function that is not pure.
fn refuse(_: Cv<'_, Data>) -> ValXs<'_, Val> {
    let fault = Error::str("functions that reach outside of the filter are not supported");
    Box::new(std::iter::once(Err(Exn::from(fault))))
}

fn raw(value: &Val) -> String {
    match value {
        Val::TStr(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    }
}
