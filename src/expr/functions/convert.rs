//! Between values, texts, JSON and base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Call;
use crate::expr::json;
use crate::expr::value::Value;

type Outcome = Result<Value, String>;

pub(super) fn type_of(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::text(call.arg(0).type_name()))
}

pub(super) fn to_string(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::from(call.arg(0).to_string()))
}

pub(super) fn to_json_compact(call: &mut Call<'_, '_>) -> Outcome {
    json::write(call.arg(0)).map(Value::from).map_err(|fault| fault.to_string())
}

pub(super) fn to_json_indented(call: &mut Call<'_, '_>) -> Outcome {
    json::write_indented(call.arg(0), "  ").map(Value::from).map_err(|fault| fault.to_string())
}

pub(super) fn from_json(call: &mut Call<'_, '_>) -> Outcome {
    let text = call.text(0)?;
    call.will_make(text.len().saturating_mul(2))?;
    parse_json(text)
}

/// Reads a JSON text; its numbers are floats, as in Go.
pub fn parse_json(text: &str) -> Outcome {
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|fault| format!("the text is not JSON: {fault}"))?;
    Ok(json::read(&document, json::Numbers::Float))
}

pub(super) fn to_base64(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::from(STANDARD.encode(call.text(0)?)))
}

pub(super) fn from_base64(call: &mut Call<'_, '_>) -> Outcome {
    decode_base64(call.text(0)?).map(Value::from)
}

/// Decodes base64 to a text; line breaks in it are skipped, as Go does.
pub fn decode_base64(text: &str) -> Result<String, String> {
    let compact: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = STANDARD.decode(compact).map_err(|fault| format!("the text is not base64: {fault}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
