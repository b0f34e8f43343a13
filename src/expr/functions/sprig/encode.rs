//! Sprig's encodings, digests and JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

use super::{Call, Function, Outcome};
use crate::expr::functions::convert::{decode_base64, parse_json};
use crate::expr::json;
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 16] = [
    Function::new("adler32sum", 1, 1, "string", |call| {
        Ok(Value::from(adler2::adler32_slice(call.text(0)?.as_bytes()).to_string()))
    }),
    Function::new("b32dec", 1, 1, "string", |call| Ok(Value::from(base32_decoded(call.text(0)?)))),
    Function::new("b32enc", 1, 1, "string", |call| Ok(Value::from(base32(call.text(0)?.as_bytes())))),
    // Sprig gives the message of a fault as the value.
    Function::new("b64dec", 1, 1, "string", |call| {
        Ok(Value::from(decode_base64(call.text(0)?).unwrap_or_else(|fault| fault)))
    }),
    Function::new("b64enc", 1, 1, "string", |call| Ok(Value::from(STANDARD.encode(call.text(0)?)))),
    Function::new("fromJson", 1, 1, "any", |call| Ok(from_json(call).unwrap_or_default())),
    Function::new("mustFromJson", 1, 1, "any", from_json),
    Function::new("mustToJson", 1, 1, "string", to_json),
    Function::new("mustToPrettyJson", 1, 1, "string", to_pretty_json),
    Function::new("mustToRawJson", 1, 1, "string", to_raw_json),
    Function::new("sha1sum", 1, 1, "string", |call| Ok(hex(&sha1::Sha1::digest(call.text(0)?)))),
    Function::new("sha256sum", 1, 1, "string", |call| Ok(hex(&sha2::Sha256::digest(call.text(0)?)))),
    Function::new("sha512sum", 1, 1, "string", |call| Ok(hex(&sha2::Sha512::digest(call.text(0)?)))),
    Function::new("toJson", 1, 1, "string", |call| Ok(to_json(call).unwrap_or_else(|_| Value::text("")))),
    Function::new("toPrettyJson", 1, 1, "string", |call| Ok(to_pretty_json(call).unwrap_or_else(|_| Value::text("")))),
    Function::new("toRawJson", 1, 1, "string", to_raw_json),
];

fn hex(bytes: &[u8]) -> Value {
    Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn from_json(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(0)?;
    call.will_make(text.len().saturating_mul(2))?;
    parse_json(text)
}

fn to_json(call: &mut Call<'_, '_>) -> Outcome {
    json::write(call.arg(0)).map(Value::from).map_err(|fault| fault.to_string())
}

fn to_pretty_json(call: &mut Call<'_, '_>) -> Outcome {
    json::write_indented(call.arg(0), "  ").map(Value::from).map_err(|fault| fault.to_string())
}

fn to_raw_json(call: &mut Call<'_, '_>) -> Outcome {
    json::write_raw(call.arg(0)).map(Value::from).map_err(|fault| fault.to_string())
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Encodes five bits a letter, filled up to eight letters with `=`.
fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut padded = [0u8; 8];
        padded[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(padded);
        let letters = (group.len() * 8).div_ceil(5);
        for at in 0..8 {
            let letter = BASE32[(bits >> (35 - 5 * at) & 31) as usize];
            out.push(if at < letters { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Decodes what [`base32`] makes; sprig gives the message of a fault as the value.
fn base32_decoded(text: &str) -> String {
    let letters = text.trim_end_matches('=');
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for (at, letter) in letters.bytes().enumerate() {
        let Some(value) = BASE32.iter().position(|known| *known == letter) else {
            return format!("illegal base32 data at input byte {at}");
        };
        bits = bits << 5 | value as u32;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
