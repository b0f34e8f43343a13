//! The course of a pod: when each of its containers runs, and how it comes out. Pure.
//!
//! The containers of a set begin together and wait for each other, as the helper of each has them do: it is told
//! whom to wait for, how often to try, and leaves a mark for those that wait. Spans are since the pod began.

use super::program::Fate;
use crate::backend::kubernetes::helper::wire::EXIT_CODE_NOT_WANTED;
use crate::backend::tries::Tries;
use crate::base::TimeSpan;

/// The exit codes of a process that was asked to end, and of one that was not asked.
pub(super) const ASKED: i32 = 143;
pub(super) const KILLED: i32 = 137;

/// A container of a pod.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    /// Those that must have succeeded before its command is run.
    pub(super) after: Vec<String>,
    /// Those that must have ended before it ends.
    pub(super) until: Vec<String>,
    pub(super) tries: Tries,
    pub(super) fate: Fate,
}

/// What comes of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whether its command is run at all.
    pub(super) runs: bool,
    /// When the others see how its command came out; never when it runs for ever.
    pub(super) marks: Option<TimeSpan>,
    /// When it ends.
    pub(super) ends: Option<TimeSpan>,
    pub(super) code: i32,
    /// Whether it is killed before it could say anything.
    pub(super) is_killed: bool,
}

impl Ending {
    /// Returns whether it has ended by `at`.
    pub(super) fn is_over(&self, at: TimeSpan) -> bool {
        self.ends.is_some_and(|ends| ends <= at)
    }

    /// Returns what comes of it when all containers are asked to end at `at`, or are killed without a question.
    pub(super) fn cut(self, at: TimeSpan, code: i32) -> Self {
        let has_marked = self.marks.is_some_and(|marks| marks <= at);
        match code {
            _ if self.is_over(at) => self,
            // It only waited for others to write its outputs, and goes with its own code.
            ASKED if has_marked => Self { ends: Some(at), ..self },
            code => Self { ends: Some(at), code, is_killed: true, ..self },
        }
    }
}

/// Returns what comes of each of `members`, which are begun after these spans; one may be killed by the kernel.
pub(super) fn course(members: &[Member], begins: &[TimeSpan], killed: Option<(usize, TimeSpan)>) -> Vec<Ending> {
    let mut endings: Vec<Option<Ending>> = vec![None; members.len()];
    let find = |name: &String| members.iter().position(|member| member.name == *name);
    // Each round settles one at least, since none waits for itself.
    for _ in members {
        for (at, member) in members.iter().enumerate() {
            let before: Option<Vec<Ending>> = member.after.iter().filter_map(find).map(|on| endings[on]).collect();
            if let (None, Some(before)) = (endings[at], before) {
                let killed = killed.filter(|(who, _)| *who == at).map(|(_, when)| when);
                endings[at] = Some(ending(member, begins[at], &before, killed));
            }
        }
    }
    let marked: Vec<Ending> = endings.into_iter().map(|ending| ending.expect("no circle is a plan")).collect();
    let waits_for_ends = |(at, member): (usize, &Member)| {
        let last = member.until.iter().filter_map(find).map(|on| marked[on].marks).chain([marked[at].ends]);
        let ends = last.collect::<Option<Vec<TimeSpan>>>().and_then(|all| all.into_iter().max());
        let killed = killed.filter(|(who, when)| *who == at && ends.is_none_or(|ends| *when < ends));
        match killed {
            Some((_, when)) => Ending { ends: Some(when), code: KILLED, is_killed: true, ..marked[at] },
            // Who was not wanted waits for nobody.
            None if !marked[at].runs => marked[at],
            None => Ending { ends, ..marked[at] },
        }
    };
    members.iter().enumerate().map(waits_for_ends).collect()
}

fn ending(member: &Member, begins: TimeSpan, before: &[Ending], killed: Option<TimeSpan>) -> Ending {
    let mut at = Some(begins);
    let mut is_wanted = true;
    for one in before {
        at = at.zip(one.marks).map(|(at, marks)| at.max(marks));
        if one.code != 0 {
            is_wanted = false;
            break;
        }
    }
    let (takes, code) = match is_wanted {
        true => member.fate.last_try(member.tries),
        false => (Some(TimeSpan::ZERO), EXIT_CODE_NOT_WANTED),
    };
    let begun = at;
    let ends = at.zip(takes).map(|(at, takes)| TimeSpan(at.0 + takes.0));
    match killed.filter(|killed| ends.is_none_or(|ends| *killed < ends)) {
        Some(killed) => Ending {
            runs: is_wanted && begun.is_some_and(|begun| begun <= killed),
            marks: Some(killed),
            ends: Some(killed),
            code: KILLED,
            is_killed: true,
        },
        None => Ending { runs: is_wanted, marks: ends, ends, code, is_killed: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::program::Origin;

    fn member(name: &str, after: &[&str], until: &[&str], words: &str) -> Member {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let tries = Tries { count: 2, pause: TimeSpan(100) };
        let fate = Origin { node: "n", is_daemon: false, seed: 1, earlier: 0 }.fate(&[words]);
        Member { name: name.to_owned(), after: own(after), until: own(until), tries, fate }
    }

    /// Shows when and how each container ends.
    fn shown(members: &[Member], killed: Option<(usize, TimeSpan)>) -> String {
        let begins = vec![TimeSpan(10); members.len()];
        let texts: Vec<String> = course(members, &begins, killed)
            .iter()
            .zip(members)
            .map(|(ending, member)| {
                let ends = ending.ends.map_or("never".to_owned(), |ends| ends.0.to_string());
                format!("{} {ends} {}{}", member.name, ending.code, if ending.runs { "" } else { " not run" })
            })
            .collect();
        texts.join(", ")
    }

    #[test]
    fn containers_run_one_after_another() {
        let of = |words: [&str; 3]| {
            [
                member("main", &["b"], &["a", "b"], words[0]),
                member("a", &[], &[], words[1]),
                member("b", &["a"], &[], words[2]),
            ]
        };
        let fine = of(["sim:takes=1s", "sim:takes=2s", "sim:takes=3s"]);
        assert_eq!(shown(&fine, None), "main 6010 0, a 2010 0, b 5010 0");
        let again = of(["sim:takes=1s", "sim:takes=2s", "sim:takes=3s sim:fails=1"]);
        assert_eq!(shown(&again, None), "main 9110 0, a 2010 0, b 8110 0");
        let fails = of(["sim:takes=1s", "sim:takes=2s", "sim:takes=3s sim:exit=5"]);
        assert_eq!(shown(&fails, None), "main 8110 64 not run, a 2010 0, b 8110 5");
        // Killed while it waits, while it runs, and when all is over.
        let killed = |who, at| shown(&fine, Some((who, TimeSpan(at))));
        assert_eq!(killed(2, 1_000), "main 1000 64 not run, a 2010 0, b 1000 137 not run");
        assert_eq!(killed(1, 1_000), "main 1000 64 not run, a 1000 137, b 1000 64 not run");
        assert_eq!(killed(0, 5_500), "main 5500 137, a 2010 0, b 5010 0");
        assert_eq!(killed(0, 9_000), "main 6010 0, a 2010 0, b 5010 0");
    }

    #[test]
    fn who_waits_for_outputs_ends_late_and_with_its_own_code() {
        let set = [member("main", &[], &["a"], "sim:takes=1s"), member("a", &[], &[], "sim:takes=3s")];
        assert_eq!(shown(&set, None), "main 3010 0, a 3010 0");
        assert_eq!(shown(&set, Some((0, TimeSpan(2_000)))), "main 2000 137, a 3010 0");
        let course = course(&set, &[TimeSpan::ZERO; 2], None);
        let codes = |code| course.iter().map(|ending| ending.cut(TimeSpan(2_000), code).code).collect::<Vec<_>>();
        assert_eq!(codes(ASKED), [0, ASKED]);
        assert_eq!(codes(KILLED), [KILLED, KILLED]);
        assert_eq!(course[1].cut(TimeSpan(4_000), KILLED), course[1]);
    }
}
