//! Names of nodes as paths: `wf(0)[1].build(2:linux).onExit` below `wf` is attempt 0, group 1, the call
//! `build`, its round 2, its exit handler. Source: Argo's `generateNodeName` and its callers.

use std::sync::Arc;

/// One step from a node to one that it calls. Paths sort callers before what they call, and numbers
/// as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// An attempt of that number.
    Attempt(u32),
    /// A group of steps of that number.
    Group(u32),
    /// A round of a loop: its number and its item.
    Item(u32, Arc<str>),
    /// A step, a task or a container of that name.
    Call(Arc<str>),
    /// A hook of that name; an exit handler is the hook `exit`.
    Hook(Arc<str>),
}

/// Returns the path that a name says, without the run's name; `None` when it is no such name.
pub(super) fn path(mut rest: &str) -> Option<Vec<Step>> {
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (step, left) = step(rest)?;
        path.push(step);
        rest = left;
    }
    Some(path)
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (number, rest) = rest.split_once(']')?;
        return Some((Step::Group(number.parse().ok()?), rest));
    }
    if let Some(rest) = text.strip_prefix('(') {
        // An item's own parentheses are left out of names.
        let (inner, rest) = rest.split_once(')')?;
        let step = match inner.split_once(':') {
            Some((number, item)) => Step::Item(number.parse().ok()?, item.into()),
            None => Step::Attempt(inner.parse().ok()?),
        };
        return Some((step, rest));
    }
    let rest = text.strip_prefix('.')?;
    if let Some(hook) = rest.strip_prefix("hooks.") {
        let (name, rest) = hook.split_at(end_of_name(hook));
        return Some((Step::Hook(name.into()), rest));
    }
    let (name, rest) = rest.split_at(end_of_name(rest));
    match name {
        "" => None,
        "onExit" => Some((Step::Hook("exit".into()), rest)),
        name => Some((Step::Call(name.into()), rest)),
    }
}

fn end_of_name(text: &str) -> usize {
    text.find(['.', '(', '[']).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths() {
        let shown = |name: &str| path(name).map(|path| format!("{path:?}")).unwrap_or_default();
        for (name, expected) in [
            ("", "[]"),
            ("(0)[1].build", r#"[Attempt(0), Group(1), Call("build")]"#),
            (".a(2:x.y:z).onExit(0)", r#"[Call("a"), Item(2, "x.y:z"), Hook("exit"), Attempt(0)]"#),
            (".hooks.running", r#"[Hook("running")]"#),
            ("x", ""),
            (".", ""),
            ("[x]", ""),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
    }

    #[test]
    fn callers_come_first_and_numbers_count() {
        let mut names = ["(10)", "(9)[0].a", "(9)", "[0].b(10:a)", "[0].b(9:abc)", "[0]", ""];
        names.sort_by_key(|name| path(name));
        assert_eq!(names, ["", "(9)", "(9)[0].a", "(10)", "[0]", "[0].b(9:abc)", "[0].b(10:a)"]);
    }
}
