//! The table of what Go's expr 1.17 has built in, and of what Argo adds beside sprig.

use super::call::{ANY_NUMBER, Function};
use super::{convert, dates, durations, jsonpath, lists, math, strings};

/// A built-in function.
#[derive(Debug, Clone, Copy)]
pub enum Builtin {
    /// One that takes a predicate.
    Predicate(Predicate),
    /// One that takes values.
    Function(&'static Function),
}

/// A built-in function whose second argument is evaluated for each item of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the function of that name in expr's documentation")]
pub enum Predicate {
    All,
    None,
    Any,
    One,
    Filter,
    Map,
    Count,
    Sum,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    GroupBy,
    SortBy,
    Reduce,
}

impl Predicate {
    const ALL: [Predicate; 15] = [
        Self::All,
        Self::None,
        Self::Any,
        Self::One,
        Self::Filter,
        Self::Map,
        Self::Count,
        Self::Sum,
        Self::Find,
        Self::FindIndex,
        Self::FindLast,
        Self::FindLastIndex,
        Self::GroupBy,
        Self::SortBy,
        Self::Reduce,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::None => "none",
            Self::Any => "any",
            Self::One => "one",
            Self::Filter => "filter",
            Self::Map => "map",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Find => "find",
            Self::FindIndex => "findIndex",
            Self::FindLast => "findLast",
            Self::FindLastIndex => "findLastIndex",
            Self::GroupBy => "groupBy",
            Self::SortBy => "sortBy",
            Self::Reduce => "reduce",
        }
    }

    /// Returns whether its result is a list or map of its own making.
    pub fn makes(self) -> bool {
        matches!(self, Self::Filter | Self::Map | Self::GroupBy | Self::SortBy)
    }

    /// Returns the fewest and the most arguments.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Self::Count | Self::Sum => (1, 2),
            Self::SortBy | Self::Reduce => (2, 3),
            _ => (2, 2),
        }
    }
}

impl Builtin {
    /// Returns the function of a name.
    pub fn named(name: &str) -> Option<Self> {
        let predicate = Predicate::ALL.into_iter().find(|predicate| predicate.name() == name);
        let function = || FUNCTIONS.iter().find(|function| function.name == name);
        predicate.map(Self::Predicate).or_else(|| function().map(Self::Function))
    }

    /// Returns every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Predicate::ALL.into_iter().map(Predicate::name).chain(FUNCTIONS.iter().map(|function| function.name))
    }
}

const fn f(
    name: &'static str,
    least: usize,
    most: usize,
    returns: &'static str,
    run: fn(&mut super::Call<'_, '_>) -> Result<crate::expr::Value, String>,
) -> Function {
    Function::new(name, least, most, returns, run)
}

/// What Argo adds (`util/expr/env`).
pub static ARGO: [Function; 4] = [
    f("asInt", 1, 1, "int", math::int),
    f("asFloat", 1, 1, "float", math::to_float),
    f("jsonpath", 2, 2, "any", jsonpath::call),
    f("toJson", 1, 1, "string", convert::to_json_compact),
];

/// What Go's expr has.
static FUNCTIONS: [Function; 56] = [
    f("len", 1, 1, "int", lists::len),
    f("type", 1, 1, "string", convert::type_of),
    f("abs", 1, 1, "any", math::abs),
    f("ceil", 1, 1, "float", math::ceil),
    f("floor", 1, 1, "float", math::floor),
    f("round", 1, 1, "float", math::round),
    f("int", 1, 1, "int", math::int),
    f("float", 1, 1, "float", math::to_float),
    f("string", 1, 1, "string", convert::to_string),
    f("trim", 1, 2, "string", strings::trim),
    f("trimPrefix", 1, 2, "string", strings::trim_prefix),
    f("trimSuffix", 1, 2, "string", strings::trim_suffix),
    f("upper", 1, 1, "string", strings::upper),
    f("lower", 1, 1, "string", strings::lower),
    f("split", 2, 3, "array", strings::split),
    f("splitAfter", 2, 3, "array", strings::split_after),
    f("replace", 3, 4, "string", strings::replace),
    f("repeat", 2, 2, "string", strings::repeat),
    f("join", 1, 2, "string", strings::join),
    f("indexOf", 2, 2, "int", strings::index_of),
    f("lastIndexOf", 2, 2, "int", strings::last_index_of),
    f("hasPrefix", 2, 2, "bool", strings::has_prefix),
    f("hasSuffix", 2, 2, "bool", strings::has_suffix),
    f("max", 1, ANY_NUMBER, "any", math::max),
    f("min", 1, ANY_NUMBER, "any", math::min),
    f("mean", 1, ANY_NUMBER, "float", math::mean),
    f("median", 1, ANY_NUMBER, "float", math::median),
    f("toJSON", 1, 1, "string", convert::to_json_indented),
    f("fromJSON", 1, 1, "any", convert::from_json),
    f("toBase64", 1, 1, "string", convert::to_base64),
    f("fromBase64", 1, 1, "string", convert::from_base64),
    f("now", 0, 1, "time.Time", dates::now),
    f("duration", 1, 1, "time.Duration", durations::duration),
    f("date", 1, 4, "time.Time", dates::date),
    f("timezone", 1, 1, "any", dates::timezone),
    f("first", 1, 1, "any", lists::first),
    f("last", 1, 1, "any", lists::last),
    f("get", 2, 2, "any", lists::get),
    f("take", 2, 2, "array", lists::take),
    f("keys", 1, 1, "array", lists::keys),
    f("values", 1, 1, "array", lists::values),
    f("toPairs", 1, 1, "array", lists::to_pairs),
    f("fromPairs", 1, 1, "map", lists::from_pairs),
    f("reverse", 1, 1, "array", lists::reverse),
    f("uniq", 1, 1, "array", lists::uniq),
    f("concat", 1, ANY_NUMBER, "array", lists::concat),
    f("flatten", 1, 1, "array", lists::flatten),
    f("sort", 1, 2, "array", lists::sort),
    f("bitand", 2, 2, "int", math::bit_and),
    f("bitor", 2, 2, "int", math::bit_or),
    f("bitxor", 2, 2, "int", math::bit_xor),
    f("bitnand", 2, 2, "int", math::bit_nand),
    f("bitshl", 2, 2, "int", math::shift_left),
    f("bitshr", 2, 2, "int", math::shift_right),
    f("bitushr", 2, 2, "int", math::shift_right_unsigned),
    f("bitnot", 1, 1, "int", math::bit_not),
];
