//! Retries: attempt after attempt, as `retryStrategy` says. Source: Argo's `processNodeRetries`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decider;
use super::call::{Admission, Call, Locals, Outcome};
use super::room::Block;
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::event::{Caller, Event};
use crate::engine::model::{Node, Phase, Waiting};
use crate::engine::run::Frame;
use crate::expr::Value;
use crate::plan::{Segment, TemplateIx};
use crate::spec;

/// What follows a bad attempt.
enum Verdict {
    /// Another attempt, now.
    Again,
    /// Another attempt, later.
    At(Timestamp),
    /// No other attempt, in these words.
    Over(String),
    /// The strategy itself cannot be read.
    Broken(String),
}

impl Decider<'_> {
    /// Returns the strategy of a template, or the workflow's.
    pub(super) fn retry_strategy(&self, template: TemplateIx) -> Option<&spec::RetryStrategy> {
        self.plan.retry_strategy(template)
    }

    pub(super) fn advance_retry(&mut self, ix: NodeIx) {
        let Frame::Retry(attempts) = &self.run.slot(ix).frame else { return };
        let (count, last) = (attempts.len(), attempts.last().copied());
        let Some(last) = last else { return self.attempt(ix, 0) };
        let node = self.run.node(last);
        if !node.phase.is_final() {
            if node.daemoned && !self.run.node(ix).daemoned {
                let (ip, host) = (node.pod_ip.clone(), node.host.clone());
                self.emit(Event::Runs { n: ix, ip, host, up: true });
            }
            return;
        }
        if !node.phase.is_bad() {
            let out = node.outputs.clone();
            return self.emit(Event::Finished {
                n: ix,
                p: Phase::Succeeded,
                m: "".into(),
                out,
                host: None,
                decree: false,
            });
        }
        let (phase, out) = (node.phase, node.outputs.clone());
        match self.verdict(ix, count, last) {
            Verdict::Again => self.attempt(ix, count as u32),
            Verdict::At(until) => {
                let on = Waiting::Backoff { until };
                if self.run.node(ix).waiting.as_ref() != Some(&on) {
                    self.emit(Event::Waits { n: ix, on: Some(on) });
                }
            }
            Verdict::Over(words) => {
                self.emit(Event::Finished { n: ix, p: phase, m: words.into(), out, host: None, decree: false });
            }
            Verdict::Broken(words) => self.finish(ix, Phase::Error, words),
        }
    }

    fn attempt(&mut self, ix: NodeIx, number: u32) {
        if !self.run.let_in.contains(&ix) && !self.workflow_has_room() {
            return self.put_off(ix, Block::Workflow);
        }
        if self.run.node(ix).waiting.is_some() {
            self.emit(Event::Waits { n: ix, on: None });
        }
        let plan = self.plan.clone();
        let slot = self.run.slot(ix);
        let Some(template) = slot.template else { return };
        let inputs = slot.node.inputs.clone().unwrap_or_default();
        let caller = Caller::Attempt(ix, number);
        let local = match slot.caller {
            Caller::Task(..) => Some(("tasks.name", slot.node.display_name.clone())),
            Caller::Step(..) => Some(("steps.name", slot.node.display_name.clone())),
            _ => None,
        };
        let call = Call {
            name: format!("{}({number})", slot.node.name).into(),
            parents: vec![ix],
            template,
            called: None,
            arguments: None,
            absent: Vec::new(),
            local,
            outer: slot.outer.clone(),
            caller: caller.clone(),
        };
        let words = self.attempt_words(&caller);
        if let Outcome::Broken(words) =
            self.execute(&call, plan.template(template), &inputs, words, Admission::default())
        {
            self.finish(ix, Phase::Error, words);
        }
    }

    fn verdict(&self, ix: NodeIx, count: usize, last: NodeIx) -> Verdict {
        let slot = self.run.slot(ix);
        let Some(template) = slot.template else { return Verdict::Over(String::new()) };
        if let Some(how) = self.run.shutdown {
            return Verdict::Over(format!("Stopped with strategy '{}'", how.as_str()));
        }
        if self.run.expired && !slot.on_exit {
            let deadline = self.run.deadline.map(|deadline| deadline.to_string()).unwrap_or_default();
            return Verdict::Over(format!("retry exceeded workflow deadline {deadline}"));
        }
        let strategy = match self.resolved_strategy(ix, template) {
            Ok(strategy) => strategy,
            Err(words) => return Verdict::Broken(words),
        };
        let last = self.run.node(last);
        let limit = strategy.limit.as_ref().map(|limit| limit.as_text().trim().parse::<i64>()).transpose();
        let Ok(limit) = limit else { return Verdict::Broken("retryStrategy.limit is not a number".to_owned()) };
        if let Some(backoff) = &strategy.backoff {
            match self.backoff(ix, backoff, count, last, limit) {
                Ok(None) => {}
                Ok(Some(verdict)) => return verdict,
                Err(words) => return Verdict::Broken(words),
            }
        }
        self.judge(&strategy, limit, count, last)
    }

    /// Policy, then limit, then expression, in Argo's order.
    fn judge(&self, strategy: &spec::RetryStrategy, limit: Option<i64>, count: usize, last: &Node) -> Verdict {
        let expression = strategy.expression.as_deref().filter(|text| !text.is_empty());
        let policy = match strategy.retry_policy.as_deref().filter(|policy| !policy.is_empty()) {
            Some(policy) => policy,
            None if expression.is_some() => "Always",
            None => "OnFailure",
        };
        let retries = match policy {
            "Always" => true,
            "OnError" => last.phase == Phase::Error,
            "OnFailure" => last.phase == Phase::Failed,
            "OnTransientError" => is_transient(&last.message),
            other => return Verdict::Broken(format!("{other} is not a valid RetryPolicy")),
        };
        if !retries {
            return Verdict::Over(last.message.to_string());
        }
        if limit.is_some_and(|limit| count as i64 > limit) {
            return Verdict::Over("No more retries left".to_owned());
        }
        match expression.map(|expression| self.goes_on(expression, count, last)) {
            None | Some(Ok(true)) => Verdict::Again,
            Some(Ok(false)) => Verdict::Over("retryStrategy.expression evaluated to false".to_owned()),
            Some(Err(words)) => Verdict::Broken(words),
        }
    }

    fn goes_on(&self, expression: &str, count: usize, last: &Node) -> Result<bool, String> {
        let code = last.outputs.as_ref().and_then(|outputs| outputs.exit_code).unwrap_or(-1);
        let seconds = last.finished_at.map_or(0.0, |end| end.since(last.started_at).as_secs_f64());
        let scope: BTreeMap<String, Value> = [
            ("retries", (count - 1).to_string()),
            ("lastRetry.exitCode", code.to_string()),
            ("lastRetry.status", last.phase.to_string()),
            ("lastRetry.duration", seconds.to_string()),
            ("lastRetry.message", last.message.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), Value::text(value)))
        .into();
        crate::expr::lang::eval_bool(expression, &scope, &self.ambient(0)).map_err(|fault| fault.to_string())
    }

    /// Returns when the next attempt is due, or that it comes too late; nothing when it is due now.
    fn backoff(
        &self,
        ix: NodeIx,
        backoff: &spec::Backoff,
        count: usize,
        last: &Node,
        limit: Option<i64>,
    ) -> Result<Option<Verdict>, String> {
        let span = |text: &Option<String>| -> Result<Option<TimeSpan>, String> {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| TimeSpan::parse(text).map_err(|fault| fault.to_string())).transpose()
        };
        let Frame::Retry(attempts) = &self.run.slot(ix).frame else { return Ok(None) };
        let first = self.run.node(attempts[0]).started_at;
        let latest = span(&backoff.max_duration)?.map(|most| first + most);
        if latest.is_some_and(|latest| self.at > latest) {
            return Ok(Some(Verdict::Over("Max duration limit exceeded".to_owned())));
        }
        let Some(base) = span(&backoff.duration)? else {
            return Err("no base duration specified for retryStrategy".to_owned());
        };
        let factor = backoff.factor.as_ref().map(|factor| factor.as_text().trim().parse::<i32>()).transpose();
        let factor = factor.map_err(|_| "retryStrategy.backoff.factor is not a number".to_owned())?;
        let mut wait = grown(base, factor.unwrap_or(0), count - 1);
        if let Some(cap) = span(&backoff.cap)? {
            wait = wait.min(cap);
        }
        // Only an attempt that was imported may have ended at no known time.
        let Some(finished) = last.finished_at else { return Ok(None) };
        let due = finished + wait;
        if latest.is_some_and(|latest| due > latest) {
            return Ok(Some(Verdict::Over("Backoff would exceed max duration limit".to_owned())));
        }
        // Argo waits only where there is a limit, since its check needs one; here a backoff always waits.
        let another = limit.is_none_or(|limit| count as i64 <= limit);
        Ok((self.at < due && another).then_some(Verdict::At(due)))
    }

    fn resolved_strategy(&self, ix: NodeIx, template: TemplateIx) -> Result<spec::RetryStrategy, String> {
        let own = &self.plan.templates[template.index()];
        let tagged = |text: &crate::plan::Text| matches!(text.pointer.first(), Some(Segment::Key(key)) if &**key == "retryStrategy");
        if own.spec.retry_strategy.is_some() && own.texts.iter().any(tagged) {
            let inputs = self.run.node(ix).inputs.clone().unwrap_or_default();
            let locals = Locals { outer: self.run.slot(ix).outer.clone(), ..Locals::default() };
            let (texts, _) = self.template_texts(own, &inputs, &locals)?;
            let resolved = super::render::template(own, &texts);
            return Ok(resolved.retry_strategy.clone().unwrap_or_default());
        }
        Ok(self.retry_strategy(template).cloned().unwrap_or_default())
    }
}

/// Returns `base * factor^power`, as far as time goes.
fn grown(base: TimeSpan, factor: i32, power: usize) -> TimeSpan {
    if factor <= 0 {
        return base;
    }
    let grown = base.0 as f64 * f64::from(factor).powi(power.min(1_000) as i32);
    TimeSpan(if grown < i64::MAX as f64 { grown as u64 } else { i64::MAX as u64 })
}

/// Returns whether words sound like trouble that passes. Source: Argo's `IsTransientErr`.
fn is_transient(message: &Arc<str>) -> bool {
    let message = message.to_lowercase();
    [
        "timeout",
        "timed out",
        "connection reset",
        "connection refused",
        "eof",
        "too many requests",
        "temporarily",
        "i/o timeout",
    ]
    .iter()
    .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_never_overflow() {
        let second = TimeSpan::from_secs(1);
        assert_eq!(grown(second, 2, 3), TimeSpan::from_secs(8));
        assert_eq!(grown(second, 0, 3), second);
        assert_eq!(grown(second, 10, 500), TimeSpan(i64::MAX as u64));
    }
}
