//! Puts steps into the parse tree of a filter, so that nothing in it is done without paying.
//!
//! - Whatever gives a value takes a step for it, but for what only passes on what its parts give.
//! - Each call takes a step before it, so that each round of a recursion does. One that is no tail call takes
//!   another for each value that it returns: in a recursion those go through every level. One that is must stay
//!   one, or recursion without end, such as `repeat`, would take stack.
//! - What is made, compared, inserted, or given to a native function pays for all that it holds: a value is a tree
//!   whose branches may be shared, so that few steps make one that takes for ever to write.

use std::cell::Cell;
use std::collections::BTreeSet;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

use super::budget::{KEY, OVER, OWN, PAIR, PIECES, PLUS, SEARCH, STEP, TIMES, WEIGH};

/// How deep terms may nest: jaq compiles them by recursion.
const TERM_DEPTH_MAX: usize = 100;

/// Names that no filter can say.
const HIDDEN: [&str; 2] = ["$\u{1}0", "$\u{1}1"];

/// Native functions that do not look into their input.
const SHALLOW: [&str; 7] = ["path", "path_value", "range", "first", "last", "limit", "skip"];

/// Those of them that return what their arguments do.
const PASSING: [&str; 4] = ["first", "last", "limit", "skip"];

/// Native functions whose cost is more than that of their input, and what pays for them.
const GUARDED: [(&str, &str); 6] = [
    ("contains", PAIR),
    ("indices", PAIR),
    ("matches", SEARCH),
    ("split_matches", SEARCH),
    ("split_", SEARCH),
    ("explode", PIECES),
];

/// A name and its count of arguments.
type Signature<'s> = (&'s str, usize);

/// Gives each part of a filter what it may spend.
pub struct Ration {
    natives: BTreeSet<Signature<'static>>,
    depth: Cell<usize>,
    is_too_deep: Cell<bool>,
}

impl Ration {
    /// Takes the names of all native functions.
    pub fn new(natives: impl Iterator<Item = Signature<'static>>) -> Self {
        Self { natives: natives.collect(), depth: Cell::new(0), is_too_deep: Cell::new(false) }
    }

    /// Returns definitions that pay for what they do, each of which sees those before it; none when they nest too
    /// deep.
    pub fn definitions<'s>(&self, definitions: Vec<Def<&'s str>>) -> Option<Vec<Def<&'s str>>> {
        let paying = definitions.into_iter().map(|definition| self.definition(definition, &[])).collect();
        (!self.is_too_deep.get()).then_some(paying)
    }

    fn definition<'s>(&self, definition: Def<&'s str>, tail: &[Signature<'s>]) -> Def<&'s str> {
        let Def { name, args, body } = definition;
        let own = (name, args.len());
        let hides = |signature: &Signature<'s>| *signature == own || signature.1 == 0 && args.contains(&signature.0);
        let mut tail: Vec<_> = tail.iter().copied().filter(|signature| !hides(signature)).collect();
        if !args.contains(&name) || own.1 > 0 {
            tail.push(own);
        }
        Def { name, body: self.term(body, &tail), args }
    }

    /// Returns a term that pays for what it does. `tail` are the definitions around it whose calls here are their
    /// last act.
    fn term<'s>(&self, term: Term<&'s str>, tail: &[Signature<'s>]) -> Term<&'s str> {
        let depth = self.depth.get();
        if depth == TERM_DEPTH_MAX {
            self.is_too_deep.set(true);
            return Term::Id;
        }
        self.depth.set(depth + 1);
        let paying = self.paying(term, tail);
        self.depth.set(depth);
        paying
    }

    fn paying<'s>(&self, term: Term<&'s str>, tail: &[Signature<'s>]) -> Term<&'s str> {
        match term {
            Term::Id | Term::Recurse | Term::Var(_) | Term::Break(_) => then(term, STEP),
            Term::Num(_) => then(term, WEIGH),
            Term::Str(format, parts) => self.text(format, parts),
            Term::Arr(None) => then(term, STEP),
            Term::Arr(Some(items)) => then(Term::Arr(Some(self.boxed(*items))), WEIGH),
            Term::Obj(entries) => {
                let entries = entries.into_iter().map(|(key, value)| match (key, value) {
                    (key @ Term::Var(_), None) => (key, None),
                    (key, value) => (self.key(key), value.map(|value| self.term(value, &[]))),
                });
                then(Term::Obj(entries.collect()), WEIGH)
            }
            Term::Neg(number) => then(Term::Neg(self.boxed(*number)), STEP),
            Term::BinOp(left, operator, right) => self.operation(*left, operator, *right, tail),
            Term::Label(name, body) => Term::Label(name, self.boxed(*body)),
            Term::Fold(name, items, pattern, parts) => {
                // The third part of `foreach` is what it gives.
                let parts = parts.into_iter().enumerate();
                let parts = parts.map(|(at, part)| self.term(part, if at == 2 { tail } else { &[] }));
                Term::Fold(name, self.boxed(*items), self.pattern(pattern), parts.collect())
            }
            Term::TryCatch(body, catch) => {
                let catch = catch.map(|catch| Box::new(pipe(call(WEIGH), self.term(*catch, &[]))));
                Term::TryCatch(self.boxed(*body), catch)
            }
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches.into_iter().map(|(when, then)| (self.term(when, &[]), self.term(then, tail)));
                Term::IfThenElse(branches.collect(), otherwise.map(|term| Box::new(self.term(*term, tail))))
            }
            Term::Def(definitions, body) => {
                let mut tail = tail.to_vec();
                let mut paying = Vec::new();
                for definition in definitions {
                    let own = (definition.name, definition.args.len());
                    paying.push(self.definition(definition, &tail));
                    tail.retain(|signature| *signature != own);
                }
                Term::Def(paying, Box::new(self.term(*body, &tail)))
            }
            Term::Call(name, arguments) => self.call(name, arguments, tail),
            Term::Path(body, path) => path.0.into_iter().fold(self.term(*body, &[]), |body, (part, optional)| {
                then(Term::Path(Box::new(body), Path(vec![(self.part(part), optional)])), STEP)
            }),
        }
    }

    fn boxed<'s>(&self, term: Term<&'s str>) -> Box<Term<&'s str>> {
        Box::new(self.term(term, &[]))
    }

    fn weighed<'s>(&self, term: Term<&'s str>) -> Term<&'s str> {
        then(self.term(term, &[]), WEIGH)
    }

    /// A key is hashed and compared.
    fn key<'s>(&self, key: Term<&'s str>) -> Term<&'s str> {
        match &key {
            Term::Str(None, parts) if is_literal(parts) => key,
            _ => then(self.term(key, &[]), KEY),
        }
    }

    fn part<'s>(&self, part: Part<Term<&'s str>>) -> Part<Term<&'s str>> {
        let bound = |bound: Option<_>| bound.map(|bound| self.term(bound, &[]));
        match part {
            Part::Index(key) => Part::Index(self.key(key)),
            Part::Range(from, to) => Part::Range(bound(from), bound(to)),
        }
    }

    fn text<'s>(&self, format: Option<&'s str>, parts: Vec<StrPart<&'s str, Term<&'s str>>>) -> Term<&'s str> {
        let pays = if is_literal(&parts) { STEP } else { WEIGH };
        let parts = parts.into_iter().map(|part| match part {
            StrPart::Term(term) => StrPart::Term(self.weighed(term)),
            other => other,
        });
        then(Term::Str(format, parts.collect()), pays)
    }

    fn pattern<'s>(&self, pattern: Pattern<&'s str>) -> Pattern<&'s str> {
        match pattern {
            Pattern::Var(_) => pattern,
            Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(|item| self.pattern(item)).collect()),
            Pattern::Obj(entries) => {
                let entries = entries.into_iter().map(|(key, value)| (self.key(key), self.pattern(value)));
                Pattern::Obj(entries.collect())
            }
        }
    }

    fn operation<'s>(
        &self,
        left: Term<&'s str>,
        operator: BinaryOp<&'s str>,
        right: Term<&'s str>,
        tail: &[Signature<'s>],
    ) -> Term<&'s str> {
        match operator {
            BinaryOp::Pipe(pattern) => {
                let pattern = pattern.map(|pattern| self.pattern(pattern));
                binary(self.term(left, &[]), BinaryOp::Pipe(pattern), self.term(right, tail))
            }
            BinaryOp::Comma => binary(self.term(left, tail), operator, self.term(right, tail)),
            BinaryOp::Alt => binary(self.term(left, &[]), operator, self.term(right, tail)),
            BinaryOp::Or | BinaryOp::And => then(binary(self.term(left, &[]), operator, self.term(right, &[])), STEP),
            BinaryOp::Cmp(_) => then(binary(self.weighed(left), operator, self.weighed(right)), STEP),
            BinaryOp::Math(math) => self.math(self.operand(left), math, self.operand(right)),
            BinaryOp::Update | BinaryOp::UpdateAlt => {
                then(binary(self.term(left, &[]), operator, self.weighed(right)), STEP)
            }
            // `a = b` is `b as $x | a |= $x`, and each place of `a` pays for what it gets.
            BinaryOp::Assign => self.update(left, right, then(Term::Var(HIDDEN[0]), WEIGH)),
            BinaryOp::UpdateMath(math) => self.update(left, right, self.math(Term::Id, math, Term::Var(HIDDEN[0]))),
        }
    }

    fn update<'s>(&self, left: Term<&'s str>, right: Term<&'s str>, update: Term<&'s str>) -> Term<&'s str> {
        let (pays, left) = self.place(left);
        let update = pipe(call(pays), binary(left, BinaryOp::Update, update));
        bind(self.term(right, &[]), HIDDEN[0], then(update, STEP))
    }

    /// Returns a place to be set, and what pays for its change. No step in a plain one: jaq changes in place what
    /// nobody else holds, and a function between holds it.
    fn place<'s>(&self, place: Term<&'s str>) -> (&'static str, Term<&'s str>) {
        match place {
            Term::Path(body, path)
                if matches!(*body, Term::Id) && path.0.iter().all(|(part, _)| matches!(part, Part::Index(_))) =>
            {
                let keys = path.0.into_iter().map(|(part, optional)| (self.part(part), optional));
                (OWN, Term::Path(body, Path(keys.collect())))
            }
            other => (STEP, self.term(other, &[])),
        }
    }

    /// Each operation pays for its operands.
    fn operand<'s>(&self, operand: Term<&'s str>) -> Term<&'s str> {
        if matches!(operand, Term::Id) { operand } else { self.term(operand, &[]) }
    }

    fn math<'s>(&self, left: Term<&'s str>, math: Math, right: Term<&'s str>) -> Term<&'s str> {
        match math {
            Math::Add => Term::Call(PLUS, vec![left, right]),
            Math::Mul => then(Term::Call(TIMES, vec![left, right]), WEIGH),
            Math::Div => then(Term::Call(OVER, vec![left, right]), WEIGH),
            Math::Sub | Math::Rem => then(binary(then(left, WEIGH), BinaryOp::Math(math), then(right, WEIGH)), WEIGH),
        }
    }

    fn call<'s>(&self, name: &'s str, arguments: Vec<Term<&'s str>>, tail: &[Signature<'s>]) -> Term<&'s str> {
        let signature = (name, arguments.len());
        if !self.natives.contains(&signature) || SHALLOW.contains(&name) {
            let pays = if SHALLOW.contains(&name) && !PASSING.contains(&name) { WEIGH } else { STEP };
            let arguments = arguments.into_iter().map(|argument| self.term(argument, &[])).collect();
            let called = pipe(call(STEP), Term::Call(name, arguments));
            return if tail.contains(&signature) { called } else { then(called, pays) };
        }
        let arguments: Vec<_> = arguments.into_iter().map(|argument| self.weighed(argument)).collect();
        let Some((_, guard)) = GUARDED.iter().find(|(guarded, _)| *guarded == name) else {
            return then(pipe(call(WEIGH), Term::Call(name, arguments)), WEIGH);
        };
        let given: Vec<_> = HIDDEN.into_iter().take(arguments.len()).collect();
        let with = |name| Term::Call(name, given.iter().map(|name| Term::Var(*name)).collect());
        let guarded = then(pipe(pipe(call(WEIGH), with(guard)), with(name)), WEIGH);
        given.iter().zip(arguments).rev().fold(guarded, |body, (name, argument)| bind(argument, name, body))
    }
}

fn is_literal(parts: &[StrPart<&str, Term<&str>>]) -> bool {
    !parts.iter().any(|part| matches!(part, StrPart::Term(_)))
}

fn call(name: &str) -> Term<&str> {
    Term::Call(name, Vec::new())
}

fn binary<'s>(left: Term<&'s str>, operator: BinaryOp<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(left), operator, Box::new(right))
}

fn pipe<'s>(left: Term<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    binary(left, BinaryOp::Pipe(None), right)
}

fn then<'s>(term: Term<&'s str>, pays: &'static str) -> Term<&'s str> {
    pipe(term, call(pays))
}

fn bind<'s>(value: Term<&'s str>, name: &'s str, body: Term<&'s str>) -> Term<&'s str> {
    binary(value, BinaryOp::Pipe(Some(Pattern::Var(name))), body)
}
