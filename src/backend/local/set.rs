//! The containers of a set: which may start, and how the pod comes out. Source: Argo's `executeContainerSet`
//! and its emissary, whose containers wait for each other's exit codes.

use std::collections::BTreeMap;
use std::time::Instant;

use super::fault::Fault;
use super::order::Member;
use super::pod::Pod;
use super::prepare::MAIN;
use crate::backend::kubernetes::helper::wire::EXIT_CODE_NOT_WANTED;
use crate::base::limits::STOP_GRACE;
use crate::engine::{ContainerEnd, Phase, PodEnd};

/// Where a container of a set is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It waits for others.
    Waiting,
    /// It runs, as the process of that number.
    Running(usize),
    /// It failed, and is started again at that time, in the place of the process of that number.
    Pausing(usize, Instant),
    /// It ended.
    Ended(i32),
    /// It never ran, since one that it waits for failed.
    Unwanted,
    /// It could not be started.
    Broken(String),
}

impl State {
    fn has_failed(&self) -> bool {
        !matches!(self, State::Waiting | State::Running(_) | State::Pausing(..) | State::Ended(0))
    }

    fn goes_on(&self) -> bool {
        matches!(self, State::Running(_) | State::Pausing(..))
    }
}

/// Returns the containers that may start now. Those that wait for one that failed never will, and are
/// marked so.
fn due(set: &[Member], states: &mut [State]) -> Vec<usize> {
    let of = |name: &String| set.iter().position(|member| member.container.name == *name);
    let before = |at: usize| set[at].after.iter().filter_map(of).collect::<Vec<_>>();
    // A chain of failures is as long as the set at most.
    for _ in 0..set.len() {
        for at in 0..set.len() {
            if states[at] == State::Waiting && before(at).iter().any(|on| states[*on].has_failed()) {
                states[at] = State::Unwanted;
            }
        }
    }
    let is_due =
        |at: &usize| states[*at] == State::Waiting && before(*at).iter().all(|on| states[*on] == State::Ended(0));
    (0..set.len()).filter(is_due).collect()
}

/// Returns how a container came out, as a node's end.
fn end_of(name: &str, state: &State) -> ContainerEnd {
    let failed = |words: String| ContainerEnd { phase: Phase::Failed, message: format!("{name}: {words}") };
    match state {
        State::Ended(0) => ContainerEnd { phase: Phase::Succeeded, message: String::new() },
        State::Ended(code) => failed(format!("Error (exit code {code})")),
        State::Unwanted => failed(format!("Error (exit code {EXIT_CODE_NOT_WANTED})")),
        State::Broken(why) => failed(format!("failed to start: {why}")),
        State::Waiting | State::Running(_) | State::Pausing(..) => {
            ContainerEnd { phase: Phase::Failed, message: String::new() }
        }
    }
}

/// Returns the first failure: that of `main`, else the first of the set.
fn first_failure<'s>(set: &[Member], ends: &'s BTreeMap<String, ContainerEnd>) -> Option<&'s ContainerEnd> {
    let order = || set.iter().map(|member| &member.container.name);
    let main_first = order().filter(|name| *name == MAIN).chain(order().filter(|name| *name != MAIN));
    main_first.filter_map(|name| ends.get(name)).find(|end| end.phase != Phase::Succeeded)
}

impl Pod<'_> {
    /// Runs the containers of a set, each when those that it waits for have succeeded.
    pub(super) fn run_set(&mut self) -> Result<PodEnd, Fault> {
        let order = self.at.order;
        for sidecar in &order.sidecars {
            if let Err(why) = self.start(sidecar) {
                return Ok(self.not_started(sidecar, &why));
            }
        }
        let set = &order.set;
        let mut states = vec![State::Waiting; set.len()];
        let mut tries_left = vec![order.tries.count - 1; set.len()];
        loop {
            let due = if self.is_ending() { Vec::new() } else { due(set, &mut states) };
            for at in &due {
                states[*at] = match self.start(&set[*at].container) {
                    Ok(()) => State::Running(self.processes.len() - 1),
                    Err(why) => State::Broken(why.to_string()),
                };
            }
            if due.is_empty() && !states.iter().any(State::goes_on) {
                break;
            }
            self.turn()?;
            for ((state, left), member) in states.iter_mut().zip(&mut tries_left).zip(set) {
                self.follow(state, left, member);
            }
            let pauses =
                states.iter().filter_map(|state| if let State::Pausing(_, at) = state { Some(*at) } else { None });
            self.again_at = pauses.min();
        }
        self.end_the_rest(STOP_GRACE);
        let end = self.ended_set(&states);
        self.turn_until(|pod| pod.processes.iter().all(|process| process.code.is_some()))?;
        Ok(end)
    }

    /// Takes a container on from where it is: to its end, or while it has tries left, to the next one.
    fn follow(&mut self, state: &mut State, tries_left: &mut u32, member: &Member) {
        if let State::Running(process) = *state
            && let Some(code) = self.processes[process].code
        {
            let is_last = code == 0 || *tries_left == 0;
            *tries_left = tries_left.saturating_sub(1);
            let again_at = Instant::now().checked_add(self.at.order.tries.pause.to_std()).filter(|_| !is_last);
            *state = again_at.map_or(State::Ended(code), |at| State::Pausing(process, at));
        }
        if let State::Pausing(process, at) = *state {
            if self.is_ending() {
                *state = State::Ended(self.processes[process].code.unwrap_or_default());
            } else if at <= Instant::now() {
                *state = match self.start_again(process, &member.container) {
                    Ok(()) => State::Running(process),
                    Err(why) => State::Broken(why.to_string()),
                };
            }
        }
    }

    /// Returns the pod's end after its set's.
    fn ended_set(&self, states: &[State]) -> PodEnd {
        let set = &self.at.order.set;
        let names = set.iter().map(|member| member.container.name.clone());
        let containers: BTreeMap<String, ContainerEnd> =
            names.zip(states).map(|(name, state)| (name.clone(), end_of(&name, state))).collect();
        let failure = first_failure(set, &containers);
        let main = self.processes.iter().find(|process| process.name == MAIN);
        let mut end = match failure {
            None => PodEnd::exited(0),
            Some(failure) => self.failed(Phase::Failed, failure.message.clone()),
        };
        end.exit_code = main.and_then(|main| main.code);
        end.result = main.filter(|_| self.at.order.capture_result).map(|main| main.result());
        self.collect(&mut end);
        end.containers = containers;
        self.stamped(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Vec<Member> {
        let member = |text: &str| {
            let (name, after) = text.split_once(':').unwrap_or((text, ""));
            Member {
                container: super::super::order::Container {
                    name: name.to_owned(),
                    command: vec!["true".to_owned()],
                    script: None,
                    env: Vec::new(),
                    working_dir: None,
                    mounts: Vec::new(),
                    readiness: None,
                },
                after: after.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            }
        };
        text.split_whitespace().map(member).collect()
    }

    #[test]
    fn containers_start_when_those_before_them_have_succeeded() {
        let set = set("a b:a c:a d:b,c main:d");
        let (w, r, ok) = (State::Waiting, State::Running(0), State::Ended(0));
        let states = |list: [&State; 5]| list.map(Clone::clone).to_vec();
        for (mut before, expected) in [
            (states([&w, &w, &w, &w, &w]), vec![0]),
            (states([&r, &w, &w, &w, &w]), vec![]),
            (states([&ok, &w, &w, &w, &w]), vec![1, 2]),
            (states([&ok, &ok, &r, &w, &w]), vec![]),
            (states([&ok, &ok, &ok, &w, &w]), vec![3]),
        ] {
            assert_eq!(due(&set, &mut before), expected);
        }
        let mut failed = states([&ok, &State::Ended(3), &r, &w, &w]);
        assert_eq!(due(&set, &mut failed), Vec::<usize>::new());
        assert_eq!(failed[3..], [State::Unwanted, State::Unwanted]);
        let ends: BTreeMap<String, ContainerEnd> = set
            .iter()
            .zip(&failed)
            .map(|(member, state)| (member.container.name.clone(), end_of(&member.container.name, state)))
            .collect();
        assert_eq!(ends["b"].message, "b: Error (exit code 3)");
        assert_eq!(first_failure(&set, &ends).map(|end| &*end.message), Some("main: Error (exit code 64)"));
    }
}
