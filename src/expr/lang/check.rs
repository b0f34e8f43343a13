//! What Go's compiler refuses before anything is computed: unknown names, and operators whose
//! operands can never fit. Of what is inside maps and lists nothing is known, as in Argo,
//! where variables are nested maps of `any`.

use super::ast::{Ast, BinaryOp, NodeId, NodeKind, PointerName, UnaryOp};
use crate::base::suggest;
use crate::expr::fault::EvalError;
use crate::expr::functions::{self, Builtin, Predicate};
use crate::expr::scope::Scope;
use crate::expr::value::Value;

/// What is known of a value's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Any,
    Nil,
    Bool,
    Int,
    Float,
    Str,
    List,
    Map,
    Time,
    Duration,
    Function,
}

/// Checks an expression against the variables of a scope.
pub(super) fn check(ast: &Ast, scope: &dyn Scope) -> Result<(), EvalError> {
    run(Checker { ast, scope, is_text: &|_| false, roots: Shape::Map, shapes: Vec::with_capacity(ast.nodes.len()) })
}

/// Checks an expression of whose variables only is known which are texts.
pub(super) fn check_texts(ast: &Ast, is_text: &dyn Fn(&str) -> bool) -> Result<(), EvalError> {
    run(Checker { ast, scope: &Anything, is_text, roots: Shape::Any, shapes: Vec::with_capacity(ast.nodes.len()) })
}

/// The scope of which nothing is known: every name may be a value, or begin others.
struct Anything;

impl Scope for Anything {
    fn get(&self, _name: &str) -> Option<Value> {
        None
    }

    fn under(&self, _root: &str, _each: &mut dyn FnMut(&str, Value)) {}

    fn has_below(&self, _name: &str) -> bool {
        true
    }
}

fn run(mut checker: Checker<'_>) -> Result<(), EvalError> {
    let ast = checker.ast;
    // A node stands behind its operands, so one pass is enough.
    for at in 0..ast.nodes.len() {
        let shape = checker.shape(NodeId(at as u32))?;
        checker.shapes.push(shape);
    }
    Ok(())
}

struct Checker<'a> {
    ast: &'a Ast,
    scope: &'a dyn Scope,
    /// Whether a variable, by its full name, is known to be a text.
    is_text: &'a dyn Fn(&str) -> bool,
    /// What a name is that others begin with: `item` may be a map or a text, as long as nobody knows.
    roots: Shape,
    shapes: Vec<Shape>,
}

impl Checker<'_> {
    fn of(&self, id: NodeId) -> Shape {
        self.shapes[id.0 as usize]
    }

    fn fault(&self, id: NodeId, message: String) -> EvalError {
        EvalError::new(message, self.ast.node(id).at.clone())
    }

    fn shape(&self, id: NodeId) -> Result<Shape, EvalError> {
        Ok(match self.ast.kind(id) {
            NodeKind::Nil => Shape::Nil,
            NodeKind::Bool(_) => Shape::Bool,
            NodeKind::Int(_) => Shape::Int,
            NodeKind::Float(_) => Shape::Float,
            NodeKind::Str(_) => Shape::Str,
            NodeKind::List(_) => Shape::List,
            NodeKind::Map(_) => Shape::Map,
            NodeKind::Name(name) => self.name(id, name)?,
            NodeKind::Pointer(PointerName::Index) => Shape::Int,
            NodeKind::Local(_) | NodeKind::Pointer(_) | NodeKind::Call { .. } => Shape::Any,
            NodeKind::Unary(operator, operand) => self.unary(id, *operator, self.of(*operand))?,
            NodeKind::Binary(operator, left, right) => self.binary(id, *operator, self.of(*left), self.of(*right))?,
            NodeKind::Member { object, property, path, .. } => self.member(*object, *property, path.as_deref())?,
            NodeKind::Chain(inner) => self.of(*inner),
            NodeKind::Slice { object, .. } => self.slice(id, self.of(*object))?,
            NodeKind::Builtin { function, args } => self.builtin(id, *function, args)?,
            NodeKind::Conditional { cond, then, other } => self.conditional(*cond, *then, *other)?,
            NodeKind::Let { name, body, .. } => {
                if self.scope.get(name).is_some() || self.scope.has_below(name) {
                    return Err(self.fault(id, format!("cannot redeclare `{name}`")).help("choose another name"));
                }
                self.of(*body)
            }
            NodeKind::Sequence(parts) => parts.last().map_or(Shape::Nil, |last| self.of(*last)),
        })
    }

    fn name(&self, id: NodeId, name: &str) -> Result<Shape, EvalError> {
        if name == "$env" {
            return Ok(Shape::Any);
        }
        if functions::is_global(name) {
            return Ok(if name == "sprig" { Shape::Map } else { Shape::Function });
        }
        match self.scope.get(name) {
            Some(value) if !matches!(value, Value::Str(_)) || !self.scope.has_below(name) => Ok(shape_of(&value)),
            _ if self.scope.has_below(name) => Ok(self.roots),
            _ => Err(self.unknown(id, name)),
        }
    }

    fn unknown(&self, id: NodeId, name: &str) -> EvalError {
        let fault = self.fault(id, format!("unknown name `{name}`"));
        let mut known: Vec<String> = functions::GLOBALS.iter().map(|name| (*name).to_owned()).collect();
        known.extend(Builtin::names().map(str::to_owned));
        self.scope.roots(&mut |root| known.push(root.to_owned()));
        match suggest::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if name == "null" || name == "None" => fault.help("write `nil`"),
            None => fault,
        }
    }

    fn unary(&self, id: NodeId, operator: UnaryOp, operand: Shape) -> Result<Shape, EvalError> {
        match (operator, operand) {
            (UnaryOp::Not, Shape::Bool | Shape::Any) => Ok(Shape::Bool),
            (UnaryOp::Negate | UnaryOp::Plus, Shape::Int | Shape::Float | Shape::Any) => Ok(operand),
            _ => Err(self.fault(id, format!("`{}` cannot be used with `{}`", operator.sign(), operand.name()))),
        }
    }

    fn binary(&self, id: NodeId, operator: BinaryOp, left: Shape, right: Shape) -> Result<Shape, EvalError> {
        result_of(operator, left, right).ok_or_else(|| {
            let sign = operator.sign();
            let message = format!("`{sign}` cannot be used with `{}` and `{}`", left.name(), right.name());
            let fault = self.fault(id, message);
            match (left, right) {
                (Shape::Str, Shape::Int) | (Shape::Int, Shape::Str) => {
                    fault.help("make both numbers by `int(…)`, or both texts by `string(…)`")
                }
                _ => fault,
            }
        })
    }

    fn member(&self, object: NodeId, property: NodeId, path: Option<&str>) -> Result<Shape, EvalError> {
        if let Some(name) = path.and_then(|path| path.strip_prefix("sprig.")) {
            return match functions::sprig(name) {
                Some(_) => Ok(Shape::Function),
                None => Err(self.unknown_sprig(property, name)),
            };
        }
        if let (NodeKind::Name(first), NodeKind::Str(name)) = (self.ast.kind(object), self.ast.kind(property))
            && **first == *"$env"
            && path.is_some()
        {
            return self.name(property, name);
        }
        if path.is_some_and(self.is_text) {
            return Ok(Shape::Str);
        }
        let key = self.of(property);
        match self.of(object) {
            Shape::Any | Shape::Time | Shape::Duration => Ok(Shape::Any),
            Shape::Map if matches!(key, Shape::Str | Shape::Any | Shape::Int) => Ok(Shape::Any),
            Shape::List if matches!(key, Shape::Int | Shape::Any) => Ok(Shape::Any),
            other => Err(self.fault(
                property,
                match self.ast.kind(property) {
                    NodeKind::Str(name) => format!("a {} has no field `{name}`", other.name()),
                    _ => format!("a {} cannot be indexed with a {}", other.name(), key.name()),
                },
            )),
        }
    }

    fn unknown_sprig(&self, property: NodeId, name: &str) -> EvalError {
        let fault = self.fault(property, format!("unknown function `sprig.{name}`"));
        match suggest::nearest(name, functions::sprig_names()) {
            Some(near) => fault.help(format!("did you mean `sprig.{near}`?")),
            None => fault,
        }
    }

    fn slice(&self, id: NodeId, object: Shape) -> Result<Shape, EvalError> {
        match object {
            Shape::Any | Shape::Str | Shape::List => Ok(object),
            other => Err(self.fault(id, format!("a {} cannot be sliced", other.name()))),
        }
    }

    fn builtin(&self, id: NodeId, function: Builtin, args: &[NodeId]) -> Result<Shape, EvalError> {
        match function {
            Builtin::Predicate(predicate) => {
                let list = self.of(args[0]);
                if !matches!(list, Shape::List | Shape::Any) {
                    let message = format!("`{}` takes a list, not a {}", predicate.name(), list.name());
                    return Err(self.fault(args[0], message));
                }
                Ok(shape_of_predicate(predicate))
            }
            Builtin::Function(function) => {
                function.check_count(args.len()).map_err(|message| self.fault(id, message))?;
                Ok(shape_named(function.returns))
            }
        }
    }

    fn conditional(&self, cond: NodeId, then: NodeId, other: NodeId) -> Result<Shape, EvalError> {
        let decides = self.of(cond);
        // `a ?: b` asks `a` itself.
        if !matches!(decides, Shape::Bool | Shape::Any) {
            return Err(self.fault(cond, format!("a condition is true or false, not a {}", decides.name())));
        }
        Ok(match (self.of(then), self.of(other)) {
            (Shape::Nil, known) | (known, Shape::Nil) => known,
            (left, right) if left == right => left,
            _ => Shape::Any,
        })
    }
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "value of unknown type",
            Self::Nil => "nil",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Str => "string",
            Self::List => "array",
            Self::Map => "map",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Function => "function",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

fn shape_of(value: &Value) -> Shape {
    shape_named(value.type_name())
}

/// Returns the shape of a type name; of any other, nothing is known.
fn shape_named(name: &str) -> Shape {
    match name {
        "bool" => Shape::Bool,
        "int" => Shape::Int,
        "float" => Shape::Float,
        "string" => Shape::Str,
        "array" => Shape::List,
        "map" => Shape::Map,
        "time.Time" => Shape::Time,
        "time.Duration" => Shape::Duration,
        "func" => Shape::Function,
        _ => Shape::Any,
    }
}

fn shape_of_predicate(predicate: Predicate) -> Shape {
    match predicate {
        Predicate::All | Predicate::None | Predicate::Any | Predicate::One => Shape::Bool,
        Predicate::Filter | Predicate::Map | Predicate::SortBy => Shape::List,
        Predicate::Count => Shape::Int,
        Predicate::GroupBy => Shape::Map,
        _ => Shape::Any,
    }
}

/// Returns the type of an operator's result, or none when its operands cannot fit
/// (`checker.binaryNode`).
fn result_of(operator: BinaryOp, left: Shape, right: Shape) -> Option<Shape> {
    use BinaryOp::*;
    let both = |shape: Shape| left == shape && right == shape;
    let numbers = left.is_number() && right.is_number();
    let maybe = |fits: &dyn Fn(Shape) -> bool| {
        (left == Shape::Any && (right == Shape::Any || fits(right))) || (right == Shape::Any && fits(left))
    };
    let timely = |shape| matches!(shape, Shape::Time | Shape::Duration);
    let number = |shape: Shape| shape.is_number();
    match operator {
        Equal | NotEqual => comparable(left, right).then_some(Shape::Bool),
        Or | And => (both(Shape::Bool) || maybe(&|shape| shape == Shape::Bool)).then_some(Shape::Bool),
        Less | LessOrEqual | More | MoreOrEqual => {
            let same = left == right && (left == Shape::Str || timely(left));
            let fits = |shape: Shape| shape.is_number() || shape == Shape::Str || timely(shape);
            (numbers || same || maybe(&fits)).then_some(Shape::Bool)
        }
        Matches | Contains | StartsWith | EndsWith => {
            (both(Shape::Str) || maybe(&|shape| shape == Shape::Str)).then_some(Shape::Bool)
        }
        In => {
            let fits = match right {
                Shape::Map => matches!(left, Shape::Str | Shape::Any),
                Shape::List | Shape::Any => true,
                Shape::Str => left == Shape::Any,
                _ => false,
            };
            fits.then_some(Shape::Bool)
        }
        Range => (both(Shape::Int) || maybe(&|shape| shape == Shape::Int)).then_some(Shape::List),
        Modulo => (both(Shape::Int) || maybe(&|shape| shape == Shape::Int)).then_some(Shape::Int),
        Divide | Power => (numbers || maybe(&number)).then_some(Shape::Float),
        Add | Subtract | Multiply => sum_of(operator, left, right),
        Coalesce => Some(match (left, right) {
            (Shape::Nil, other) | (other, Shape::Nil) => other,
            _ if left == right => left,
            _ => Shape::Any,
        }),
    }
}

/// Returns the type of `+`, `-` and `*`, which know times besides numbers.
fn sum_of(operator: BinaryOp, left: Shape, right: Shape) -> Option<Shape> {
    use Shape::*;
    let adds = operator == BinaryOp::Add;
    let scales = operator == BinaryOp::Multiply;
    match (left, right) {
        (Int, Int) => Some(Int),
        (Int | Float, Int | Float) => Some(Float),
        (Str, Str) if adds => Some(Str),
        (Duration, Duration) => Some(Duration),
        (Duration, Int | Float) | (Int | Float, Duration) if scales => Some(Any),
        (Time, Duration) if !scales => Some(Time),
        (Duration, Time) if adds => Some(Time),
        (Time, Time) if operator == BinaryOp::Subtract => Some(Duration),
        (Any, Any) => Some(Any),
        (Any, known) | (known, Any) => {
            let fits = match known {
                Int | Float | Duration => true,
                Time => !scales,
                Str => adds,
                _ => false,
            };
            fits.then_some(Any)
        }
        _ => None,
    }
}

fn comparable(left: Shape, right: Shape) -> bool {
    left == right
        || matches!(left, Shape::Any | Shape::Nil)
        || matches!(right, Shape::Any | Shape::Nil)
        || (left.is_number() && right.is_number())
}
