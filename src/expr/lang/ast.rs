//! The tree of an expression.

use std::ops::Range;
use std::sync::Arc;

use super::names::{self, Named};
use crate::expr::functions::Builtin;

/// An expression. Its nodes lie in one vector: dropping and walking need no deep recursion,
/// and the two comparisons of `1 < x < 3` share the node of `x`.
#[derive(Debug, Clone)]
pub struct Ast {
    pub(super) source: Box<str>,
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    pub(super) named: Vec<Named>,
}

/// The place of a node in its [`Ast`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

/// A node with its place in the text.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The bytes of the text that say it.
    pub at: Range<usize>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// `nil`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A text in quotes, escapes resolved.
    Str(Arc<str>),
    /// A variable, or a function as a value.
    Name(Arc<str>),
    /// A variable that `let` made, by the number of `let`s that enclose its own.
    Local(u32),
    /// `#`, `#acc` or `#index` of the enclosing predicate.
    Pointer(PointerName),
    /// An operator with one operand.
    Unary(UnaryOp, NodeId),
    /// An operator with two operands.
    Binary(BinaryOp, NodeId, NodeId),
    /// `object.name`, `object[key]` and their forms with `?`.
    Member {
        /// Of what.
        object: NodeId,
        /// The member's name or place.
        property: NodeId,
        /// Whether a nil object gives nil.
        optional: bool,
        /// The full dotted name, where every part of it is fixed and the first is a variable.
        path: Option<Arc<str>>,
    },
    /// The extent of what a `?.` leaves out when its object is nil.
    Chain(NodeId),
    /// `object[from:to]`.
    Slice {
        /// Of what.
        object: NodeId,
        /// The first place; none is the beginning.
        from: Option<NodeId>,
        /// The place after the last; none is the end.
        to: Option<NodeId>,
    },
    /// A call of a function that is a value, such as `sprig.upper(x)`, or of a method.
    Call {
        /// The function.
        callee: NodeId,
        /// Its arguments.
        args: Box<[NodeId]>,
    },
    /// A call of a built-in function. The body of a predicate is an argument like others.
    Builtin {
        /// Which.
        function: Builtin,
        /// Its arguments.
        args: Box<[NodeId]>,
    },
    /// `[a, b]`.
    List(Box<[NodeId]>),
    /// `{a: b}`.
    Map(Box<[(NodeId, NodeId)]>),
    /// `cond ? then : other`, and `if`.
    Conditional {
        /// What decides.
        cond: NodeId,
        /// The value when it holds.
        then: NodeId,
        /// The value when it does not.
        other: NodeId,
    },
    /// `let name = value; body`.
    Let {
        /// The variable's name.
        name: Arc<str>,
        /// Its value.
        value: NodeId,
        /// Where it is known.
        body: NodeId,
    },
    /// `a; b`: the last one counts.
    Sequence(Box<[NodeId]>),
}

/// What stands behind a `#`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerName {
    /// `#`: the item.
    Item,
    /// `#index`: its place.
    Index,
    /// `#acc`: what `reduce` has so far.
    Acc,
}

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `!`, `not`.
    Not,
    /// `-`.
    Negate,
    /// `+`.
    Plus,
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after its sign, which `sign` returns")]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    In,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Coalesce,
}

impl UnaryOp {
    /// Returns the operator as it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Not => "!",
            Self::Negate => "-",
            Self::Plus => "+",
        }
    }
}

impl BinaryOp {
    /// Returns the operator as it is written; of two ways, the shorter.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::More => ">",
            Self::MoreOrEqual => ">=",
            Self::In => "in",
            Self::Matches => "matches",
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Range => "..",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "**",
            Self::Coalesce => "??",
        }
    }

    /// Returns whether it orders its operands, so that `a < b < c` is a chain.
    pub(super) fn is_ordering(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::More | Self::MoreOrEqual)
    }
}

impl Ast {
    /// Returns the text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the root.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Returns a node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Returns the variables that it names, in the order of the text, each by its longest
    /// fixed name.
    pub fn variables(&self) -> &[Named] {
        &self.named
    }

    pub(super) fn kind(&self, id: NodeId) -> &NodeKind {
        &self.node(id).kind
    }

    /// Puts an expression together, of which `nodes` refer to nodes before them only.
    pub(super) fn new(source: &str, nodes: Vec<Node>, root: NodeId) -> Self {
        let mut ast = Self { source: source.into(), nodes, root, named: Vec::new() };
        ast.named = names::named(&ast);
        ast
    }
}
