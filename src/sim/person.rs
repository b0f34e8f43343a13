//! The person of a history, in either world: asks for what the scenario says, and leaves no run suspended.

use super::play::Play;
use crate::base::TimeSpan;
use crate::driver::control::{self, Outcome};
use crate::engine::Control;
use crate::store::{Answer, Store, StoreError, Stored};

/// How long whoever saw the run end waits before looking whether people made it go on.
pub(super) const LOOK_AGAIN_AFTER: TimeSpan = TimeSpan::from_secs(18);

/// How often people look at the end whether the run goes on: for longer than it takes until a driver finds
/// that it was not told of something.
const RESUMPTIONS_MAX: u32 = 40;

/// How often people ask for what is refused.
const REFUSALS_MAX: u32 = 2;

/// How often people ask that a run is retried which is at work.
const RETRIES_MAX: u32 = 40;

/// Somebody with a terminal.
pub(super) struct Person<'s, F> {
    pub(super) play: &'s Play,
    /// Opens the store, as each command does.
    pub(super) open: F,
}

impl<S: Store, F: Fn() -> S> Person<'_, F> {
    /// Asks for one thing after the other.
    pub(super) async fn live(&self) {
        let Play { world, scenario, asks_left, .. } = self.play;
        for (after, control) in &scenario.asks {
            world.sleep(*after).await;
            self.ask(control).await;
            asks_left.set(asks_left.get() - 1);
        }
        self.ask_to_go_on().await;
    }

    /// A request that was thought to be lost may be obeyed late: nobody leaves a run suspended.
    async fn ask_to_go_on(&self) {
        let resume = Control::Resume { selector: String::new(), message: String::new() };
        for _ in 0..RESUMPTIONS_MAX {
            self.play.world.sleep(LOOK_AGAIN_AFTER).await;
            if self.play.ended.borrow().is_some() {
                return;
            }
            self.ask(&resume).await;
        }
    }

    /// Asks until it is accepted, or was refused so often that it makes no sense.
    async fn ask(&self, control: &Control) {
        let store = (self.open)();
        let (mut refusals, mut refusals_max) = (0, REFUSALS_MAX);
        while refusals < refusals_max {
            let fold = |stored: &Stored| Ok::<_, StoreError>(self.play.fold(stored));
            let outcome = control::request(&store, &self.play.world, &self.play.name, control, fold).await;
            self.play.world.note(|| format!("{control:?} is answered: {outcome:?}"));
            match outcome {
                Ok(Outcome { answer: Answer::Accepted, .. }) => return,
                Ok(Outcome { answer: Answer::Refused { reason }, .. }) => {
                    refusals += 1;
                    refusals_max = if reason.contains("is at work") { RETRIES_MAX } else { REFUSALS_MAX };
                }
                Err(_) => {}
            }
            self.play.world.sleep(LOOK_AGAIN_AFTER).await;
        }
    }
}
