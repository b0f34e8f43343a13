//! The person of a history, in either world: asks for what the scenario says, and leaves no run suspended.

use std::cell::{Cell, RefCell};

use super::seed::Scenario;
use super::world::World;
use crate::base::{RunName, TimeSpan};
use crate::driver;
use crate::driver::control::{self, Outcome};
use crate::engine::Control;
use crate::store::{Answer, Store, StoreError, Stored};

/// How long whoever saw the run end waits before looking whether people made it go on.
pub(super) const LOOK_AGAIN_AFTER: TimeSpan = TimeSpan::from_secs(18);

/// How often people look at the end whether the run goes on.
const RESUMPTIONS_MAX: u32 = 12;

/// How often people ask for what is refused.
const REFUSALS_MAX: u32 = 2;

/// Somebody with a terminal.
pub(super) struct Person<'s, F> {
    pub world: &'s World,
    pub scenario: &'s Scenario,
    pub name: &'s RunName,
    /// Opens the store, as each command does.
    pub open: F,
    /// How much of what the scenario says has not been asked yet.
    pub asks_left: &'s Cell<usize>,
    /// The run as it ended, once it has.
    pub ended: &'s RefCell<Option<Stored>>,
}

impl<S: Store, F: Fn() -> S> Person<'_, F> {
    /// Asks for one thing after the other.
    pub(super) async fn live(&self) {
        for (after, control) in &self.scenario.asks {
            self.world.sleep(*after).await;
            self.ask(control).await;
            self.asks_left.set(self.asks_left.get() - 1);
        }
        self.ask_to_go_on().await;
    }

    /// A request that was thought to be lost may be obeyed late: nobody leaves a run suspended.
    async fn ask_to_go_on(&self) {
        let resume = Control::Resume { selector: String::new(), message: String::new() };
        for _ in 0..RESUMPTIONS_MAX {
            self.world.sleep(LOOK_AGAIN_AFTER).await;
            if self.ended.borrow().is_some() {
                return;
            }
            self.ask(&resume).await;
        }
    }

    /// Asks until it is accepted, or was refused so often that it makes no sense.
    async fn ask(&self, control: &Control) {
        let store = (self.open)();
        let mut refusals = 0;
        while refusals < REFUSALS_MAX {
            let fold = |stored: &Stored| Ok::<_, StoreError>(driver::fold(self.scenario.plan.clone(), stored));
            let outcome = control::request(&store, self.world, self.name, control, fold).await;
            self.world.note(|| format!("{control:?} is answered: {outcome:?}"));
            match outcome {
                Ok(Outcome { answer: Answer::Accepted, .. }) => return,
                Ok(Outcome { answer: Answer::Refused { .. }, .. }) => refusals += 1,
                Err(_) => {}
            }
            self.world.sleep(LOOK_AGAIN_AFTER).await;
        }
    }
}
