//! What.
use crate::plan::Plan;
/// x
pub struct Unsupported {}
/// x
pub fn unsupported(_: &Plan) -> Vec<Unsupported> { Vec::new() }
/// x
pub fn notes(_: &Plan) -> Vec<String> { Vec::new() }
