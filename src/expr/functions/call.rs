//! What a function is, and how it gets at its arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::access;
use super::chance::Chance;
use crate::base::limits;
use crate::expr::lang::Budget;
use crate::expr::scope::Ambient;
use crate::expr::value::Value;

/// A function: its name, how many arguments it takes, and what it does.
pub struct Function {
    /// Its name, without `sprig.`.
    pub name: &'static str,
    /// The fewest arguments.
    pub least: usize,
    /// The most arguments.
    pub most: usize,
    /// The type of its result as [`Value::type_name`] has it; `any` where it varies.
    pub returns: &'static str,
    /// What it does.
    pub run: fn(&mut Call<'_, '_>) -> Result<Value, String>,
}

/// No bound on the number of arguments but that of the expression itself.
pub const ANY_NUMBER: usize = usize::MAX;

impl Function {
    /// Returns a function; the form in which the tables are written.
    pub const fn new(
        name: &'static str,
        least: usize,
        most: usize,
        returns: &'static str,
        run: fn(&mut Call<'_, '_>) -> Result<Value, String>,
    ) -> Self {
        Self { name, least, most, returns, run }
    }

    /// Checks how many arguments a call has.
    pub fn check_count(&self, count: usize) -> Result<(), String> {
        let (name, least) = (self.name, self.least);
        if count < least {
            return Err(format!("not enough arguments to call `{name}`: it takes {}, not {count}", self.counts()));
        }
        if count > self.most {
            return Err(format!("too many arguments to call `{name}`: it takes {}, not {count}", self.counts()));
        }
        Ok(())
    }

    fn counts(&self) -> String {
        match (self.least, self.most) {
            (least, ANY_NUMBER) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        }
    }

    /// Calls it; the number of arguments is checked already.
    pub fn apply(&'static self, args: &[Value], tools: &mut Tools<'_>) -> Result<Value, String> {
        let value = (self.run)(&mut Call { name: self.name, args, tools })?;
        // What is not made here, but handed on, was paid for before.
        if matches!(self.returns, "array" | "map" | "string") {
            tools.charge(&value)?;
        }
        Ok(value)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name)
    }
}

/// What the functions of one evaluation share.
pub struct Tools<'a> {
    /// Time and chance.
    pub ambient: &'a Ambient,
    /// What is left to spend.
    pub budget: Budget,
    /// Random numbers.
    pub chance: Chance,
    regexes: BTreeMap<Arc<str>, regex::Regex>,
}

impl<'a> Tools<'a> {
    /// Returns the tools of a new evaluation.
    pub fn new(ambient: &'a Ambient) -> Self {
        Self { ambient, budget: Budget::default(), chance: Chance::new(ambient.seed), regexes: BTreeMap::new() }
    }

    /// Takes the memory of a value that was made, as if nothing in it were shared: so a value
    /// that is small only because its parts are the same one is refused before it is written.
    pub fn charge(&mut self, value: &Value) -> Result<(), String> {
        self.charge_at(value, 0)
    }

    fn charge_at(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > limits::EXPR_VALUE_DEPTH_MAX {
            let max = limits::EXPR_VALUE_DEPTH_MAX;
            return Err(format!("a value nests deeper than {max} (EXPR_VALUE_DEPTH_MAX)"));
        }
        self.budget.bytes(std::mem::size_of::<Value>())?;
        match value {
            Value::Str(text) => self.budget.bytes(text.len()),
            Value::List(items) => items.iter().try_for_each(|item| self.charge_at(item, depth + 1)),
            Value::Map(entries) => entries.iter().try_for_each(|(name, value)| {
                self.budget.bytes(name.len())?;
                self.charge_at(value, depth + 1)
            }),
            Value::Pairs(entries) => entries.iter().try_for_each(|(key, value)| {
                self.charge_at(key, depth + 1)?;
                self.charge_at(value, depth + 1)
            }),
            _ => Ok(()),
        }
    }

    /// Takes the steps of comparing a value with `count` others.
    pub fn compare(&mut self, value: &Value, count: usize) -> Result<(), String> {
        self.budget.steps(heft(value).saturating_mul(count as u64))
    }

    /// Returns a compiled expression; each is compiled once per evaluation.
    pub fn regex(&mut self, pattern: &str) -> Result<regex::Regex, String> {
        if let Some(known) = self.regexes.get(pattern) {
            return Ok(known.clone());
        }
        self.budget.steps(100)?;
        let compiled = super::regex::compile(pattern)?;
        self.regexes.insert(pattern.into(), compiled.clone());
        Ok(compiled)
    }
}

/// Returns how many steps it takes to compare a value with one like it.
fn heft(value: &Value) -> u64 {
    match value {
        Value::Str(text) => 1 + text.len() as u64 / 64,
        Value::List(items) => 1 + items.iter().map(heft).sum::<u64>(),
        Value::Map(entries) => 1 + entries.values().map(heft).sum::<u64>(),
        Value::Pairs(entries) => 1 + entries.len() as u64,
        _ => 1,
    }
}

/// One call of a function.
pub struct Call<'c, 'a> {
    /// The function's name, for messages.
    pub name: &'static str,
    /// The arguments.
    pub args: &'c [Value],
    /// What it may use and spend.
    pub tools: &'c mut Tools<'a>,
}

impl<'c> Call<'c, '_> {
    /// Returns an argument, nil where there is none.
    pub fn arg(&self, at: usize) -> &'c Value {
        const NIL: &Value = &Value::Nil;
        self.args.get(at).unwrap_or(NIL)
    }

    /// Returns an argument that must be a text.
    pub fn text(&self, at: usize) -> Result<&'c str, String> {
        self.arg(at).as_str().ok_or_else(|| self.wrong(at, "a string"))
    }

    /// Returns an argument that must be a whole number.
    pub fn int(&self, at: usize) -> Result<i64, String> {
        access::whole(self.arg(at)).ok_or_else(|| self.wrong(at, "an int"))
    }

    /// Returns an argument that must be a list.
    pub fn list(&self, at: usize) -> Result<&'c Arc<Vec<Value>>, String> {
        match self.arg(at) {
            Value::List(items) => Ok(items),
            _ => Err(self.wrong(at, "an array")),
        }
    }

    /// Returns an argument that must be a map of texts to values.
    pub fn map(&self, at: usize) -> Result<&'c Arc<BTreeMap<Arc<str>, Value>>, String> {
        match self.arg(at) {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.wrong(at, "a map")),
        }
    }

    /// Returns what to say of an argument of the wrong type.
    pub fn wrong(&self, at: usize, wanted: &str) -> String {
        format!("argument {} of `{}` must be {wanted}, not a {}", at + 1, self.name, self.arg(at).type_name())
    }

    /// Takes memory before it is used.
    pub fn will_make(&mut self, bytes: usize) -> Result<(), String> {
        self.tools.budget.bytes(bytes)
    }
}
