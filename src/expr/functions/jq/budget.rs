//! What a filter may spend, and the functions by which it spends.
//!
//! One number counts work and memory alike, in bytes: a byte that is made or compared costs one, and a step as many
//! as it takes memory and time. How deep it recurses is measured, not counted: each step looks where the stack is.

use std::cell::Cell;
use std::hint::black_box;

use jaq_core::box_iter::{box_once, then};
use jaq_core::data::{DataT, HasLut};
use jaq_core::native::{Fun, v};
use jaq_core::{Cv, Error, Exn, Native, ValXs};
use jaq_json::{Num, Rc, Val, read};

use crate::base::limits;

/// Takes a step for a value that goes by.
pub const STEP: &str = "\u{1}step";
/// Pays for all that a value holds: it is made, compared or written.
pub const WEIGH: &str = "\u{1}weigh";
/// As [`WEIGH`], unless nobody else holds the value: a change copies nothing of it then.
pub const OWN: &str = "\u{1}own";
/// As [`WEIGH`], for what looks something up.
pub const KEY: &str = "\u{1}key";
/// Pays for each part of the input being compared with each of the argument.
pub const PAIR: &str = "\u{1}pair";
/// Pays for a search for a regular expression.
pub const SEARCH: &str = "\u{1}search";
/// Pays for a text being cut to pieces.
pub const PIECES: &str = "\u{1}pieces";
/// `+`, which pays for what it copies.
pub const PLUS: &str = "\u{1}plus";
/// `*`, which looks before it repeats a text.
pub const TIMES: &str = "\u{1}times";
/// `/`, which looks before it cuts a text to pieces.
pub const OVER: &str = "\u{1}over";

/// What reaches outside or ends the process; and Bessel functions, which take as many turns as one says.
const REFUSED: [&str; 10] =
    ["env", "now", "halt", "input", "inputs", "localtime", "strflocaltime", "stderr_empty", "jn", "yn"];

/// What a step costs: a hundred nanoseconds, and the iterators that wait for it.
const STEP_COST: u64 = 128;

/// What a node of a value costs.
const NODE_COST: u64 = 16;

/// What copying an entry of a list or of an object costs.
const ENTRY_COSTS: (u64, u64) = (4, 32);

/// Bits of a number: reading and writing one takes the square of its length.
const NUMBER_BITS_MAX: u64 = 4096;

/// Digits that surely are more than that.
const NUMBER_DIGITS_MAX: usize = 2000;

/// The types that a filter works on.
pub struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = Held<'a>;
}

/// What functions see besides their input.
#[derive(Clone)]
pub struct Held<'a> {
    /// The compiled filter.
    pub lut: &'a jaq_core::Lut<Kind>,
    /// What is left.
    pub budget: &'a Budget,
}

impl<'a> HasLut<'a, Kind> for Held<'a> {
    fn lut(&self) -> &'a jaq_core::Lut<Kind> {
        self.lut
    }
}

/// What one run of a filter may still spend.
pub struct Budget {
    left: Cell<u64>,
    stack_top: usize,
    fault: Cell<Option<&'static str>>,
}

impl Budget {
    /// Starts a run here: the stack is measured from the caller's.
    pub fn new(work: u64) -> Self {
        Self { left: Cell::new(work), stack_top: stack_pointer(), fault: Cell::new(None) }
    }

    /// Returns what ended the filter, after its name.
    pub fn fault(&self) -> &'static str {
        self.fault.get().unwrap_or("uses a function that is not supported: filters reach nothing outside of them")
    }

    /// Ends the filter. Not by an error: it could be caught.
    fn end<'a, T>(&self, fault: &'static str) -> Result<T, Exn<'a, Val>> {
        self.fault.set(Some(fault));
        Err(Exn::halt(1))
    }

    fn spend<'a>(&self, cost: u64) -> Result<(), Exn<'a, Val>> {
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or(0));
        if left.is_none() {
            return self.end("runs too long, or makes too much (JQ_WORK_MAX)");
        }
        // What was built while it went down is run and dropped later, and takes the rest of the stack.
        if self.stack_top.abs_diff(stack_pointer()) > limits::JQ_STACK_BYTES / 8 {
            return self.end("recurses too deep (JQ_STACK_BYTES)");
        }
        Ok(())
    }

    fn step<'a>(&self, value: &Val) -> Result<(), Exn<'a, Val>> {
        self.spend(STEP_COST + shallow(value))
    }

    /// Pays for all that a value holds.
    pub fn weigh<'a>(&self, value: &Val) -> Result<(), Exn<'a, Val>> {
        self.weight(value).and_then(|weight| self.spend(STEP_COST + weight))
    }

    fn own<'a>(&self, value: &Val) -> Result<(), Exn<'a, Val>> {
        if is_shared(value) { self.weigh(value) } else { self.spend(STEP_COST) }
    }

    /// Pays for a text as if each letter became a value.
    fn spend_pieces<'a>(&self, value: &Val) -> Result<(), Exn<'a, Val>> {
        self.spend(text(value).len() as u64 * 2 * NODE_COST)
    }

    /// Returns the bytes of a value, as if nothing in it were shared.
    fn weight<'a>(&self, value: &Val) -> Result<u64, Exn<'a, Val>> {
        let mut weight = 0;
        match add_weight(value, 0, &mut weight) {
            Ok(()) => Ok(weight),
            Err(fault) => self.end(fault),
        }
    }
}

/// Returns where the stack is, about.
fn stack_pointer() -> usize {
    let here = 0u8;
    black_box(&raw const here) as usize
}

/// Returns what is copied of a value when a part of it is taken or changed. What nobody else holds is not copied.
fn shallow(value: &Val) -> u64 {
    match value {
        Val::Arr(items) if is_shared(value) => items.len() as u64 * ENTRY_COSTS.0,
        Val::Obj(entries) if is_shared(value) => entries.len() as u64 * ENTRY_COSTS.1,
        _ => 0,
    }
}

fn is_shared(value: &Val) -> bool {
    match value {
        Val::TStr(text) | Val::BStr(text) => !text.is_unique(),
        Val::Arr(items) => Rc::strong_count(items) > 1,
        Val::Obj(entries) => Rc::strong_count(entries) > 1,
        _ => false,
    }
}

fn add_weight(value: &Val, depth: usize, weight: &mut u64) -> Result<(), &'static str> {
    *weight += NODE_COST;
    match value {
        Val::Null | Val::Bool(_) | Val::Num(Num::Int(_) | Num::Float(_)) => {}
        Val::Num(Num::Dec(digits)) => *weight += digits.len() as u64,
        Val::Num(Num::BigInt(number)) if number.bits() > NUMBER_BITS_MAX => {
            return Err("makes a number that is too long");
        }
        Val::Num(Num::BigInt(number)) => *weight += number.bits() / 8,
        Val::BStr(text) | Val::TStr(text) => *weight += text.len() as u64,
        Val::Arr(_) | Val::Obj(_) if depth == limits::EXPR_VALUE_DEPTH_MAX => {
            return Err("makes a value that nests too deep (EXPR_VALUE_DEPTH_MAX)");
        }
        Val::Arr(items) => items.iter().try_for_each(|item| add_weight(item, depth + 1, weight))?,
        Val::Obj(entries) => {
            let mut parts = entries.iter().flat_map(|(key, value)| [key, value]);
            parts.try_for_each(|part| add_weight(part, depth + 1, weight))?;
        }
    }
    if *weight > limits::JQ_VALUE_BYTES_MAX { Err("makes too large a value (JQ_VALUE_BYTES_MAX)") } else { Ok(()) }
}

/// Checks what reading a JSON text takes: stack for its depth, and the square of the length of its numbers.
pub fn check_json(text: &[u8]) -> Result<(), String> {
    let (mut depth, mut digits, mut quoted, mut escaped) = (0usize, 0usize, false, false);
    for byte in text {
        digits = if byte.is_ascii_digit() && !quoted { digits + 1 } else { 0 };
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits::EXPR_VALUE_DEPTH_MAX {
            return Err(format!("JSON nests deeper than {} (EXPR_VALUE_DEPTH_MAX)", limits::EXPR_VALUE_DEPTH_MAX));
        }
        if digits > NUMBER_DIGITS_MAX {
            return Err(format!("JSON has a number of more than {NUMBER_DIGITS_MAX} digits"));
        }
    }
    Ok(())
}

/// A function that pays for its input, and returns it; also as a path, and to be updated.
macro_rules! passing {
    ($pay:ident) => {
        Native::<Kind>::new(|cv| {
            let paid = cv.0.data().budget.$pay(&cv.1);
            box_once(paid.map(|()| cv.1))
        })
        .with_paths(|cv| {
            let paid = cv.0.data().budget.$pay(&cv.1.0);
            box_once(paid.map(|()| cv.1))
        })
        .with_update(|cv, update| then(cv.0.data().budget.$pay(&cv.1), |()| update(cv.1)))
    };
}

/// Returns the functions of jaq, those left out that a filter may not call, and ours.
pub fn functions(all: Vec<Fun<Kind>>) -> impl Iterator<Item = Fun<Kind>> {
    let ours: [Fun<Kind>; 10] = [
        (STEP, v(0), passing!(step)),
        (WEIGH, v(0), passing!(weigh)),
        (OWN, v(0), passing!(own)),
        (KEY, v(0), Native::<Kind>::new(key)),
        (PAIR, v(1), Native::<Kind>::new(pair)),
        (SEARCH, v(2), Native::<Kind>::new(search)),
        (PIECES, v(0), Native::<Kind>::new(pieces)),
        (PLUS, v(2), Native::<Kind>::new(plus)),
        (TIMES, v(2), Native::<Kind>::new(times)),
        (OVER, v(2), Native::<Kind>::new(over)),
    ];
    let theirs = all.into_iter().map(|(name, args, native)| {
        let native = match name {
            "fromjson" => Native::<Kind>::new(from_json),
            name if REFUSED.contains(&name) => Native::<Kind>::new(|_| box_once(Err(Exn::halt(1)))),
            _ => native,
        };
        (name, args, native)
    });
    theirs.chain(ours)
}

/// Searching a list for a list takes their product, which cannot be seen from one of them.
fn key<'a>(cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let paid = match &cv.1 {
        Val::Arr(_) => Err(Exn::from(Error::str("a list cannot be looked up; `indices` finds it"))),
        value => cv.0.data().budget.weigh(value),
    };
    box_once(paid.map(|()| cv.1))
}

fn pair<'a>(mut cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let (other, budget) = (cv.0.pop_var(), cv.0.data().budget);
    let weights = budget.weight(&cv.1).and_then(|weight| Ok((weight, budget.weight(&other)?)));
    let paid = weights.and_then(|(one, other)| budget.spend(one * other / (4 * NODE_COST)));
    box_once(paid.map(|()| cv.1))
}

fn pieces<'a>(cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    box_once(cv.0.data().budget.spend_pieces(&cv.1).map(|()| cv.1))
}

fn search<'a>(mut cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let length = text(&cv.1).len() as u64;
    // Each match may look at all that follows.
    let searches = if text(&flags).contains(&b'g') { 1 + length / 32 } else { 1 };
    let cost = pattern_size(text(&pattern)).saturating_mul(length + NODE_COST).saturating_mul(searches);
    box_once(cv.0.data().budget.spend(cost).map(|()| cv.1))
}

/// Returns at least how long a pattern is with its repetitions written out.
fn pattern_size(pattern: &[u8]) -> u64 {
    let mut size = pattern.len() as u64;
    for braces in pattern.split(|byte| *byte == b'{').skip(1) {
        let counts = braces.split(|byte| *byte == b'}').next().unwrap_or_default();
        let counts =
            counts.split(|byte| *byte == b',').filter_map(|count| str::from_utf8(count).ok()?.trim().parse().ok());
        size = size.saturating_mul(counts.max().unwrap_or(1u64).max(1));
    }
    size
}

fn plus<'a>(cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let (mut context, input) = cv;
    // Most often the left side: unshared, it is added to in place.
    drop(input);
    let (right, left) = (context.pop_var(), context.pop_var());
    let budget = context.data().budget;
    let paid = budget.weigh(&right).and_then(|()| budget.own(&left));
    let paid = paid.and_then(|()| made(budget, text(&left).len().saturating_add(text(&right).len())));
    box_once(paid.and_then(|()| Ok((left + right)?)))
}

fn times<'a>(mut cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
    let budget = cv.0.data().budget;
    let repeated = match (&left, &right) {
        (text @ (Val::TStr(_) | Val::BStr(_)), Val::Num(count))
        | (Val::Num(count), text @ (Val::TStr(_) | Val::BStr(_))) => {
            let count = count.as_isize().map_or(usize::MAX, |count| count.max(0) as usize);
            self::text(text).len().saturating_mul(count)
        }
        _ => 0,
    };
    let paid = budget.weigh(&left).and_then(|()| budget.weigh(&right)).and_then(|()| made(budget, repeated));
    box_once(paid.and_then(|()| Ok((left * right)?)))
}

fn over<'a>(mut cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
    let budget = cv.0.data().budget;
    let paid = budget.weigh(&left).and_then(|()| budget.weigh(&right)).and_then(|()| budget.spend_pieces(&left));
    box_once(paid.and_then(|()| Ok((left / right)?)))
}

fn from_json<'a>(cv: Cv<'a, Kind>) -> ValXs<'a, Val> {
    let text = cv.1.try_as_utf8_bytes_owned();
    let text = text.and_then(|text| check_json(&text).map_err(Error::str).map(|()| text));
    let text = match text {
        Ok(text) => text,
        Err(fault) => return box_once(Err(Exn::from(fault))),
    };
    let mut values = Vec::new();
    // What follows a fault is not read: the reader would stay there.
    for value in read::parse_many(&text) {
        let is_fault = value.is_err();
        values
            .push(value.map_err(|fault| Exn::from(Error::str(format_args!("cannot parse {} as JSON: {fault}", cv.1)))));
        if is_fault {
            break;
        }
    }
    Box::new(values.into_iter())
}

/// Fails before a text is made that is too long.
fn made<'a>(budget: &Budget, bytes: usize) -> Result<(), Exn<'a, Val>> {
    if bytes as u64 > limits::JQ_VALUE_BYTES_MAX {
        return budget.end("makes too large a value (JQ_VALUE_BYTES_MAX)");
    }
    Ok(())
}

fn text(value: &Val) -> &[u8] {
    match value {
        Val::TStr(text) | Val::BStr(text) => text,
        _ => &[],
    }
}
