//! Memoized calls: before anything is made, the cache is asked. Source: the cache in Argo's `executeTemplate`.
//!
//! A call that needs an answer is put off like one that finds no room, and made again when the answer is
//! there. What was decided stands in the node's event; answers themselves are not kept.

use std::sync::Arc;

use super::Decider;
use super::call::{Call, Outcome};
use crate::base::{TimeSpan, Timestamp};
use crate::engine::event::Created;
use crate::engine::memo::{Memo, Recollection};
use crate::engine::model::{NodeType, Phase};
use crate::engine::run::Wake;
use crate::engine::value::{Inputs, Outputs};
use crate::plan::{Body, Template};
use crate::spec;

/// What a cache has for a call.
pub(super) enum Remembered {
    /// The call is not memoized.
    No,
    /// The cache has been asked.
    Later(Memo),
    /// Nothing; the result is to be kept there.
    Nothing(Memo),
    /// The result.
    Result(Memo, Option<Arc<Outputs>>),
    /// It must not be used, in these words.
    Unusable(String),
}

impl Decider<'_> {
    /// Returns the type of a call's node. Source: Argo's `GetNodeType`.
    pub(super) fn node_type(&self, call: &Call, template: &Template) -> NodeType {
        match template.body {
            _ if self.retry_strategy(call.template).is_some() => NodeType::Retry,
            Body::Steps(_) => NodeType::Steps,
            Body::Dag(_) => NodeType::Dag,
            Body::Suspend => NodeType::Suspend,
            Body::Http => NodeType::Http,
            Body::Plugin => NodeType::Plugin,
            Body::Pod => NodeType::Pod,
        }
    }

    /// Takes an answer, and looks again at what waits for one.
    pub(super) fn recalled(&mut self, memo: Memo, found: Recollection) {
        let frames = self.run.starved.of_answer.remove(&memo).unwrap_or_default();
        self.run.answers.entry(memo).or_insert(found);
        for frame in frames {
            self.run.wake(Wake::Node(frame));
        }
        self.run.wake(Wake::Run);
    }

    /// Returns what the cache of a memoized template has for a call of it.
    pub(super) fn remember(&mut self, call: &Call, template: &Template, inputs: &Arc<Inputs>) -> Remembered {
        if template.spec.memoize.is_none() {
            return Remembered::No;
        }
        let locals = self.locals(call, template, Vec::new());
        let texts = match self.template_texts(template, inputs, &locals) {
            Ok((texts, _)) => texts,
            Err(words) => return Remembered::Unusable(words),
        };
        self.remember_resolved(&super::render::template(template, &texts))
    }

    /// Returns what the cache has for a template whose tags are replaced.
    pub(super) fn remember_resolved(&mut self, resolved: &spec::Template) -> Remembered {
        let Some(memoize) = resolved.memoize.as_ref().filter(|_| self.run.recalling) else { return Remembered::No };
        let Some(memo) = memo(memoize) else { return Remembered::No };
        match self.run.answers.remove(&memo) {
            None => {
                self.run.questions.insert(memo.clone());
                Remembered::Later(memo)
            }
            Some(Recollection::Nothing) => Remembered::Nothing(memo),
            Some(Recollection::Unusable(words)) => Remembered::Unusable(words),
            Some(Recollection::Result { outputs, made_at }) => self.fresh(memoize, memo, outputs, made_at),
        }
    }

    /// Takes a result that is not too old. Source: Argo's `GetOutputsWithMaxAge`.
    fn fresh(
        &mut self,
        memoize: &spec::Memoize,
        memo: Memo,
        outputs: Option<Arc<Outputs>>,
        made_at: Option<Timestamp>,
    ) -> Remembered {
        let max_age = Some(memoize.max_age.as_str()).filter(|age| !age.is_empty()).map(TimeSpan::parse);
        match max_age.transpose() {
            Err(fault) => Remembered::Unusable(format!("invalid maxAge: {fault}")),
            Ok(Some(age)) if made_at.is_none_or(|made_at| made_at + age < self.at) => Remembered::Nothing(memo),
            Ok(_) => {
                // Other calls of this decision may want it too.
                let found = Recollection::Result { outputs: outputs.clone(), made_at };
                self.run.answers.insert(memo.clone(), found);
                Remembered::Result(Memo { hit: true, ..memo }, outputs)
            }
        }
    }

    /// Makes the node of a call whose result was taken from a cache.
    pub(super) fn taken(
        &mut self,
        call: &Call,
        template: &Template,
        inputs: &Arc<Inputs>,
        memo: Memo,
        outputs: Option<Arc<Outputs>>,
    ) -> Outcome {
        let node = self.blank(call, self.node_type(call, template), Phase::Succeeded, inputs);
        self.made(Created { memo: Some(memo), outputs, ..node })
    }
}

/// Returns where the result of a template is kept.
pub(super) fn memo(memoize: &spec::Memoize) -> Option<Memo> {
    let cache = memoize.cache.as_ref()?.config_map.as_ref()?.name.as_deref()?;
    Some(Memo { cache: cache.into(), key: memoize.key.as_str().into(), hit: false })
}
