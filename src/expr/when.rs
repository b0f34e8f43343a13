//! `when`, as the govaluate library reads it, after the tags are substituted.
//!
//! It has its own lexer, with its own surprises, because manifests rely on them: a bare word
//! is a text (`heads == heads`), a run of signs is one token (`a==-1` has the unknown `==-`),
//! a quoted date is a number of seconds, numbers are floats, and a list is only found at the
//! right of `in`.

mod eval;
mod parse;
mod token;

pub use eval::{WhenError, eval, eval_as, eval_expr};
pub use parse::{Expr, parse, parse_as};
pub use token::Names;
