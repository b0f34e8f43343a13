//! Sprig's functions of chance, from the seed that the caller decides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, Function, Outcome};
use crate::expr::value::Value;

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BOTH: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) static TABLE: [Function; 8] = [
    Function::new("htpasswd", 2, 2, "string", |_| {
        Err("unsupported function `sprig.htpasswd`: it needs bcrypt; use a step for it".to_owned())
    }),
    Function::new("randAlpha", 1, 1, "string", |call| text(call, LETTERS)),
    Function::new("randAlphaNum", 1, 1, "string", |call| text(call, BOTH)),
    Function::new("randAscii", 1, 1, "string", |call| {
        let printable: Vec<u8> = (b' '..=b'~').collect();
        text(call, &printable)
    }),
    Function::new("randBytes", 1, 1, "string", bytes),
    Function::new("randInt", 2, 2, "int", int),
    Function::new("randNumeric", 1, 1, "string", |call| text(call, DIGITS)),
    Function::new("uuidv4", 0, 0, "string", |call| Ok(Value::from(call.tools.chance.uuid()))),
];

fn count(call: &mut Call<'_, '_>) -> Result<usize, String> {
    let count = usize::try_from(call.int(0)?).map_err(|_| format!("`{}` takes no negative count", call.name))?;
    call.will_make(count.saturating_mul(2))?;
    call.tools.budget.steps(count as u64)?;
    Ok(count)
}

fn text(call: &mut Call<'_, '_>, alphabet: &[u8]) -> Outcome {
    let count = count(call)?;
    Ok(Value::from(call.tools.chance.text(count, alphabet)))
}

fn bytes(call: &mut Call<'_, '_>) -> Outcome {
    let count = count(call)?;
    let bytes: Vec<u8> = (0..count).map(|_| call.tools.chance.below(256) as u8).collect();
    Ok(Value::from(STANDARD.encode(bytes)))
}

fn int(call: &mut Call<'_, '_>) -> Outcome {
    let (least, end) = (call.int(0)?, call.int(1)?);
    let span = u64::try_from(i128::from(end) - i128::from(least)).unwrap_or(0);
    if span == 0 {
        return Err(format!("`randInt` takes a first number below the second, not {least} and {end}"));
    }
    Ok(Value::Int(least.wrapping_add_unsigned(call.tools.chance.below(span))))
}
