//! Mutexes and semaphores: that they can be found, and that nobody waits for a lock of his own caller.
//!
//! Source: `workflow/sync`. A lock is held by a node from before it starts until it is settled, so a
//! template whose caller holds the same mutex waits for ever.

use std::collections::BTreeMap;

use super::{Checked, given, title};
use crate::base::limits;
use crate::plan::kinds;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::Severity;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().down("spec.synchronization");
    of(checked, spec.synchronization.as_ref(), &place, problems);
    for template in &checked.draft.templates {
        of(checked, template.spec.synchronization.as_ref(), &template.place.key("synchronization"), problems);
    }
    deadlocks(checked, problems);
}

fn of(checked: &Checked<'_>, locks: Option<&spec::Synchronization>, place: &Place, problems: &mut Problems) {
    let Some(locks) = locks else { return };
    for (mutex, place) in mutexes(locks, place) {
        if given(mutex.name.as_deref()).is_none() {
            problems.push(Problem::error(rules::LOCK, place, "a mutex has no name").help("add `name`"));
        }
    }
    let one = locks.semaphore.iter().map(|semaphore| (semaphore, place.key("semaphore")));
    let list = locks.semaphores.iter().enumerate();
    let list = list.map(|(index, semaphore)| (semaphore, place.key("semaphores").index(index)));
    for (semaphore, place) in one.chain(list) {
        problems.extend(of_semaphore(checked, semaphore, &place));
    }
}

/// Returns the mutexes of either spelling with their places.
fn mutexes<'a>(locks: &'a spec::Synchronization, place: &Place) -> Vec<(&'a spec::Mutex, Place)> {
    let one = locks.mutex.iter().map(|mutex| (mutex, place.key("mutex")));
    let list = locks.mutexes.iter().enumerate();
    one.chain(list.map(|(index, mutex)| (mutex, place.key("mutexes").index(index)))).collect()
}

fn of_semaphore(checked: &Checked<'_>, semaphore: &spec::SemaphoreRef, place: &Place) -> Option<Problem> {
    if let Some(database) = &semaphore.database {
        let problem =
            || Problem::error(rules::LOCK, place.key("database"), "the semaphore has no key").help("add `key`");
        return database.key.is_empty().then(problem);
    }
    let Some(reference) = &semaphore.config_map_key_ref else {
        let problem = Problem::error(rules::LOCK, place.clone(), "the semaphore does not say how many may hold it");
        return Some(problem.help("add `configMapKeyRef`, the key of a ConfigMap that holds the number"));
    };
    let place = place.key("configMapKeyRef");
    let (name, key) = (reference.name.as_deref().unwrap_or_default(), reference.key.as_str());
    // A ConfigMap that is not among the files given may be in the cluster.
    let data = checked.draft.resolved.config_maps.get(name)?;
    match data.get(key) {
        None if key.is_empty() || key.contains("{{") => None,
        None => {
            let problem =
                Problem::error(rules::LOCK, place.key("key"), format!("the ConfigMap `{name}` has no key `{key}`"));
            Some(problem.suggest(key, data.keys().map(String::as_str)))
        }
        Some(count) if count.trim().parse::<u32>().is_ok_and(|count| count > 0) => None,
        Some(count) => {
            let message = format!("`{key}` of the ConfigMap `{name}` is `{count}`, which is no whole number above 0");
            Some(Problem::error(rules::LOCK, place.key("key"), message))
        }
    }
}

/// A mutex by name and namespace.
type Lock<'a> = (&'a str, &'a str);

/// A mutex that a node holds, and where it says so.
type Held<'a> = (Lock<'a>, Place);

/// Returns the mutexes that a node holds, those with tags apart.
fn held<'a>(locks: Option<&'a spec::Synchronization>, place: &Place) -> Vec<Held<'a>> {
    let Some(locks) = locks else { return Vec::new() };
    let named = mutexes(locks, place).into_iter().filter_map(|(mutex, place)| {
        let namespace = mutex.namespace.as_deref().unwrap_or_default();
        let name = given(mutex.name.as_deref()).filter(|name| !name.contains("{{"))?;
        Some(((name, namespace), place.key("name")))
    });
    named.collect()
}

/// Finds templates that are reached by calls while their caller holds a mutex that they need too.
fn deadlocks(checked: &Checked<'_>, problems: &mut Problems) {
    let templates = &checked.draft.templates;
    let own = held(checked.draft.resolved.spec.synchronization.as_ref(), &Place::root().down("spec.synchronization"));
    let needed: Vec<Vec<Held<'_>>> = templates.iter().map(locks_of).collect();
    let mut holders: BTreeMap<Lock<'_>, usize> = BTreeMap::new();
    own.iter().chain(needed.iter().flatten()).for_each(|(lock, _)| *holders.entry(*lock).or_default() += 1);
    // A lock that only one holder names is waited for by nobody else.
    let is_shared = |locks: &[Held<'_>]| locks.iter().any(|(lock, _)| holders[lock] > 1);
    if let Some(entrypoint) = checked.draft.entrypoint.filter(|_| is_shared(&own)) {
        below(checked, "the workflow", &own, &needed, vec![entrypoint.index()], problems);
    }
    let holding = templates.iter().zip(&needed).filter(|(_, locks)| is_shared(locks));
    for (template, locks) in holding.take(limits::LOCK_HOLDERS_MAX) {
        if !problems.has_room(rules::DEADLOCK, Severity::Error) {
            break;
        }
        let called = kinds::tasks_of(template).filter_map(|task| task.target).map(|target| target.index());
        below(checked, &title(template), locks, &needed, called.collect(), problems);
    }
}

fn locks_of(template: &Template) -> Vec<Held<'_>> {
    held(template.spec.synchronization.as_ref(), &template.place.key("synchronization"))
}

/// Looks at everything below a holder; each template once.
fn below(
    checked: &Checked<'_>,
    holder: &str,
    held: &[Held<'_>],
    needed: &[Vec<Held<'_>>],
    mut queue: Vec<usize>,
    problems: &mut Problems,
) {
    let held: BTreeMap<Lock<'_>, &Place> = held.iter().map(|(lock, place)| (*lock, place)).collect();
    let mut seen = vec![false; checked.draft.templates.len()];
    while let Some(ix) = queue.pop() {
        if std::mem::replace(&mut seen[ix], true) {
            continue;
        }
        let template = &checked.draft.templates[ix];
        for (lock, place) in &needed[ix] {
            if let Some(first) = held.get(lock) {
                problems.push(waits_for_caller(template, lock.0, place, holder, first));
            }
        }
        queue.extend(kinds::tasks_of(template).filter_map(|task| task.target).map(|target| target.index()));
    }
}

fn waits_for_caller(template: &Template, name: &str, place: &Place, holder: &str, first: &Place) -> Problem {
    let message = format!("{} waits for the mutex `{name}`, which {holder} holds while it waits", title(template));
    Problem::error(rules::DEADLOCK, place.clone(), message)
        .also(first.clone(), "held here")
        .help("take the inner lock away, or give it another name")
}
