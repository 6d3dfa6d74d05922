//! States that reads show late: the cloud answers from copies that lag behind a write.

/// An old state that the next reads still show.
#[derive(Clone, Debug)]
pub(super) struct Stale<T> {
    shown: T,
    reads_left: u32,
}

/// Returns the stale value while there are stale reads left, else the current one.
pub(super) fn read<T: Clone>(now: &T, stale: &mut Option<Stale<T>>) -> T {
    match stale {
        Some(old) if old.reads_left > 0 => {
            old.reads_left -= 1;
            old.shown.clone()
        }
        _ => {
            *stale = None;
            now.clone()
        }
    }
}

/// Makes the next `lag` reads return the value shown so far.
pub(super) fn keep_showing<T: Clone>(shown: &T, stale: &mut Option<Stale<T>>, lag: u32) {
    if lag == 0 {
        *stale = None;
        return;
    }
    let shown = stale
        .take()
        .filter(|old| old.reads_left > 0)
        .map_or_else(|| shown.clone(), |old| old.shown);
    *stale = Some(Stale { shown, reads_left: lag });
}

/// A state with what reads of it show.
#[derive(Clone, Debug)]
pub struct Lagging<T> {
    now: T,
    stale: Option<Stale<T>>,
}

impl<T: Clone> Lagging<T> {
    /// A state that reads show at once.
    pub fn new(now: T) -> Self {
        Self { now, stale: None }
    }

    /// The actual state, even if a stale read shows another.
    pub fn get(&self) -> &T {
        &self.now
    }

    /// Changes the state at once, for reads too.
    pub fn put(&mut self, now: T) {
        *self = Self::new(now);
    }

    /// Changes the state; the next `lag` reads still show the old one.
    pub(crate) fn set(&mut self, now: T, lag: u32) {
        keep_showing(&self.now, &mut self.stale, lag);
        self.now = now;
    }

    /// Changes the state; the next `reads` reads show `passing` instead.
    pub(crate) fn pass(&mut self, passing: T, now: T, reads: u32) {
        self.now = now;
        self.stale = Some(Stale { shown: passing, reads_left: reads });
    }

    /// The state as a read shows it.
    pub(crate) fn read(&mut self) -> T {
        read(&self.now, &mut self.stale)
    }
}
