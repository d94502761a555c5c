//! Faults of the store: which commits fail, how, and whether the server falls with them.

use crate::OneFault;
use crate::chance::Chance;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use test_support::{Fault, FaultyStore};

/// The faults of a run, shared with the store that they befall.
#[derive(Clone)]
pub(crate) struct Weather(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    /// One commit in so many fails; None in good weather.
    one_in: Option<usize>,
    /// The only fault, where it is not left to chance.
    only: Option<OneFault>,
    commits: usize,
    happened: Vec<String>,
    crash: bool,
}

impl Weather {
    /// Begins with good weather.
    pub(crate) fn over(store: &FaultyStore, only: Option<OneFault>, chance: Chance) -> Self {
        let (happened, crash) = (Vec::new(), false);
        let weather = Self(Arc::new(Mutex::new(State { chance, one_in: None, only, commits: 0, happened, crash })));
        let shared = weather.clone();
        store.on_commit(move |writes| shared.state().befall(writes.len()));
        weather
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, one_in: Option<usize>) {
        self.state().one_in = one_in;
    }

    /// How many commits were tried so far.
    pub(crate) fn commits(&self) -> usize {
        self.state().commits
    }

    /// What befell the store since the last time.
    pub(crate) fn happened(&self) -> Vec<String> {
        std::mem::take(&mut self.state().happened)
    }

    /// Whether the server is to fall now.
    pub(crate) fn crashes(&self) -> bool {
        std::mem::take(&mut self.state().crash)
    }
}

impl State {
    fn befall(&mut self, writes: usize) -> Fault {
        self.commits += 1;
        let fault = match (self.only, self.one_in) {
            (Some(only), _) if only.commit == self.commits => {
                self.crash = true;
                only.fault
            }
            (None, Some(one_in)) if self.chance.one_in(one_in) => {
                let fault = self.chance.one_of(&[Fault::Unanswered, Fault::Lost, Fault::NoSpace]);
                self.crash |= fault != Fault::NoSpace && self.chance.one_in(2);
                fault
            }
            _ => return Fault::None,
        };
        let words = match fault {
            Fault::None => "is applied",
            Fault::Unanswered => "is applied, but not answered",
            Fault::Lost => "is lost",
            Fault::NoSpace => "finds no space",
        };
        self.happened.push(format!("  ! a commit of {writes} {words}"));
        fault
    }
}
