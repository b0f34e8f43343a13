//! What one evaluation may spend.

use crate::base::limits;

/// The steps and bytes that are left to an evaluation.
#[derive(Debug, Clone)]
pub struct Budget {
    steps: u64,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: limits::EXPR_STEPS_MAX, bytes: limits::EXPR_BYTES_MADE_MAX }
    }
}

impl Budget {
    /// Takes one step.
    pub fn step(&mut self) -> Result<(), String> {
        self.steps(1)
    }

    /// Takes `count` steps at once.
    pub fn steps(&mut self, count: u64) -> Result<(), String> {
        match self.steps.checked_sub(count) {
            Some(left) => self.steps = left,
            None => {
                return Err(format!(
                    "the evaluation takes more than {} steps (EXPR_STEPS_MAX)",
                    limits::EXPR_STEPS_MAX
                ));
            }
        }
        Ok(())
    }

    /// Takes memory, in bytes.
    pub fn bytes(&mut self, count: usize) -> Result<(), String> {
        match self.bytes.checked_sub(count) {
            Some(left) => self.bytes = left,
            None => {
                return Err(format!(
                    "the evaluation makes more than {} bytes (EXPR_BYTES_MADE_MAX)",
                    limits::EXPR_BYTES_MADE_MAX
                ));
            }
        }
        Ok(())
    }
}
