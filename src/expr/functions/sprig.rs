//! The functions of sprig 3.3 that need nothing from outside, by topic; the others are known
//! by name, so that a message can say that they are not supported rather than unknown.

mod arguments;
mod cases;
mod dicts;
mod encode;
mod flow;
mod lists;
mod math;
mod paths;
mod random;
mod regexes;
mod semver;
mod strings;
mod times;
mod urls;

use std::sync::LazyLock;

use super::call::{ANY_NUMBER, Call, Function};
use crate::expr::value::Value;

type Outcome = Result<Value, String>;

/// The tables of the topics. Names are unique over all of them.
const TABLES: [&[Function]; 13] = [
    &strings::TABLE,
    &cases::TABLE,
    &lists::TABLE,
    &dicts::TABLE,
    &flow::TABLE,
    &math::TABLE,
    &encode::TABLE,
    &times::TABLE,
    &paths::TABLE,
    &regexes::TABLE,
    &urls::TABLE,
    &random::TABLE,
    &UNSUPPORTED,
];

/// What needs keys, certificates, the network or secrets.
static UNSUPPORTED: [Function; 13] = [
    unsupported("bcrypt"),
    unsupported("buildCustomCert"),
    unsupported("decryptAES"),
    unsupported("derivePassword"),
    unsupported("encryptAES"),
    unsupported("genCA"),
    unsupported("genCAWithKey"),
    unsupported("genPrivateKey"),
    unsupported("genSelfSignedCert"),
    unsupported("genSelfSignedCertWithKey"),
    unsupported("genSignedCert"),
    unsupported("genSignedCertWithKey"),
    unsupported("getHostByName"),
];

const fn unsupported(name: &'static str) -> Function {
    Function::new(name, 0, ANY_NUMBER, "any", refuse)
}

fn refuse(call: &mut Call<'_, '_>) -> Outcome {
    Err(format!("unsupported function `sprig.{}`: it needs keys, the network or secrets; use a step for it", call.name))
}

/// All functions by name.
static INDEX: LazyLock<Vec<&'static Function>> = LazyLock::new(|| {
    let mut all: Vec<&'static Function> = TABLES.iter().flat_map(|table| table.iter()).collect();
    all.extend(semver::TABLE.iter());
    all.sort_by_key(|function| function.name);
    all
});

/// Returns a function.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    let at = INDEX.binary_search_by_key(&name, |function| function.name).ok()?;
    Some(INDEX[at])
}

/// Returns every name, in order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    INDEX.iter().map(|function| function.name)
}

/// Returns whether a function is only known by name.
pub fn is_unsupported(name: &str) -> bool {
    UNSUPPORTED.iter().any(|function| function.name == name)
}

/// Returns all functions as the map that `sprig` is.
pub(super) fn as_map() -> Value {
    Value::map(INDEX.iter().map(|function| (function.name, Value::Function(function))))
}
