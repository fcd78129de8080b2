//! A baton: state for whoever holds it, and nobody ever waits for it.
//!
//! Who finds it held leaves a note, and goes. Whoever puts the baton down reads the notes first, so what is asked of a held
//! baton is done by its holder.
//!
//! Taking and putting down is a read-modify-write each. A handle that has had it for long, and nobody else, puts it down no
//! more: it becomes its *keeper*, and holds it for another time by saying so in `in_use`, which is a store. Whoever else wants
//! it then asks, and pays for the fence that tells whether it is in use ([`barrier`]). After that the keeper is one like any other.
//!
//! | `word` | means |
//! |---|---|
//! | 0 | on the table |
//! | `FIRM` | held, no notes |
//! | `FIRM` and notes, or notes alone | the same, and its holder may not put it down before it has read them |
//! | an *era*: `KEPT` and a number, a new one each time | it is with the keeper, and held while that says `in_use` |
//! | an era and `FIRM`, with or without notes | somebody has asked for it |
//!
//! | call | 0 | an era | asked for | else |
//! |---|---|---|---|---|
//! | `try_take` | `FIRM`: taken | with `FIRM`: asked, see below | not taken | not taken |
//! | `leave(notes)` | `FIRM` and notes: taken | with `FIRM`, notes and `LATE`: asked | notes and `LATE` added: not taken | notes added: not taken |
//! | asked, after a heavy fence | | | if not `in_use`, less the era: taken; else not taken | not taken |
//! | `resume` by the keeper: `in_use`, light fence | not taken | held | less the era: taken | not taken |
//! | put down by the keeper: not `in_use`, light fence | | that was all | less the era: settled like a firm hold | |
//! | put down firmly | | | | less `FIRM`: put down, if that was all; else, or to settle what is due, read the notes (→ `FIRM`), settle, and try again |
//!
//! *Why it is never held twice*: who asks has a fence between that and its look at `in_use`, the keeper one between `in_use` and
//! its look at the word. One comes first: either it is seen to be in use, or the keeper sees that it was asked for. Then it takes
//! an exchange of the word, as it does for who asked. Numbers make sure that the exchange is one of that era.
//!
//! *Why no note is lost*: who finds it in use leaves its note in the word, and the keeper looks at that once it says
//! otherwise, by the same two fences.
//!
//! *Why `LATE`*: such a note may be read when others have held the baton since. What the keeper did before it was left, and its
//! writer did not see, is no news to those. So who wrote it has to be woken whatever they found.
#![allow(unsafe_code)]

mod guarded;

pub(crate) use guarded::Guarded;

use crate::sync::{AtomicUsize, Ordering::*, UnsafeCell, barrier};
use core::{
    mem::{self, ManuallyDrop},
    sync::atomic::AtomicUsize as AtomicWord,
};

const FIRM: usize = 1;
const KEPT: usize = 2;

/// A bit for a note. There is room for others when they are needed.
pub(crate) const NOTES: [usize; 3] = [4, 8, 16];

/// Comes with notes that may be older than what others did who held the baton since.
pub(crate) const LATE: usize = 32;

/// The number of an era is counted in these; [`KEPT`] goes with it.
const ERA: usize = 64;
/// The bits it may have.
const NUMBER: usize = !(ERA - 1);

/// How often a handle that was the keeper, until it found nothing, has the baton in a row before it is the keeper again.
const PAUSE: usize = 16;

/// Whether it is with the keeper, and nobody has asked for it.
fn is_kept(word: usize) -> bool {
    word & (KEPT | FIRM) == KEPT
}

/// What is shared by all, beside the state that belongs to the holder.
pub(crate) trait Settle {
    type State;
    /// What is left to do when the baton has been put down.
    type After: Default;

    /// Whether there is nothing to do without notes. Kept apart from `settle` for the sake of speed.
    fn is_settled(&self, state: &Self::State) -> bool;

    /// Does what the notes ask for, and what is due after the holder's work. It runs no code of users.
    fn settle(&self, state: &mut Self::State, notes: usize, after: &mut Self::After);

    /// Does what was left to do. Users' code may run here: nothing is held.
    fn follow_up(&self, after: Self::After);
}

pub(crate) struct Baton<P: Settle> {
    word: AtomicUsize,
    /// Not 0 while the keeper holds it. The keeper's alone to write.
    in_use: AtomicUsize,
    /// Not 0 while there is a keeper, or one that has yet to learn that it is no more.
    keeper: AtomicUsize,
    streak: Streak,
    state: UnsafeCell<P::State>,
    public: P,
}

// SAFETY: the state is reached by the holder only, one thread at a time.
unsafe impl<P: Settle + Sync> Sync for Baton<P> where P::State: Send {}
// SAFETY: a baton that moves is not shared, its parts move with it.
unsafe impl<P: Settle + Send> Send for Baton<P> where P::State: Send {}

impl<P: Settle> Baton<P> {
    pub(crate) fn new(public: P, state: P::State) -> Self {
        barrier::prepare();
        Self {
            word: AtomicUsize::new(0),
            in_use: AtomicUsize::new(0),
            keeper: AtomicUsize::new(0),
            streak: Streak::new(),
            state: UnsafeCell::new(state),
            public,
        }
    }

    pub(crate) fn public(&self) -> &P {
        &self.public
    }

    #[inline]
    pub(crate) fn try_take(&self) -> Option<Held<'_, P>> {
        // Ordering: Acquire pairs with the release of the holder before.
        match self.word.compare_exchange(0, FIRM, Acquire, Relaxed) {
            Ok(_) => Some(Held::firm(self)),
            Err(word) => self.try_ask(word),
        }
    }

    /// The same, from the keeper if there is one.
    #[cold]
    fn try_ask(&self, word: usize) -> Option<Held<'_, P>> {
        if !is_kept(word) {
            return None;
        }
        // Ordering: Acquire pairs with the Release in `keep`. The fence in `ask` would do, but ThreadSanitizer knows none.
        self.word
            .compare_exchange(word, word | FIRM, Acquire, Relaxed)
            .ok()?;
        self.ask(word)
    }

    /// The holder puts down what it holds firmly, if there are no notes.
    #[inline]
    fn is_put_down(&self) -> bool {
        // Ordering: Release pairs with the acquire of the next holder.
        let before = self.word.fetch_sub(FIRM, Release);
        debug_assert!(before & FIRM != 0, "it is held firmly");
        before == FIRM
    }

    /// Leaves notes for the holder. If there is none it is the caller, who need only drop what it is given.
    pub(crate) fn leave(&self, notes: usize) -> Option<Held<'_, P>> {
        let mut word = 0;
        loop {
            let next = match word {
                0 => FIRM | notes,
                era if era & KEPT != 0 => era | FIRM | notes | LATE,
                firm => firm | notes,
            };
            // Ordering: Release pairs with the acquire of the holder that reads the notes; Acquire as in `try_take`.
            match self.word.compare_exchange(word, next, AcqRel, Relaxed) {
                Ok(0) => return Some(Held::firm(self)),
                Ok(era) if is_kept(era) => return self.ask(era),
                Ok(_) => return None,
                Err(now) => word = now,
            }
        }
    }

    /// For who has asked for it in an era: the baton, if it is not in use.
    #[cold]
    fn ask(&self, era: usize) -> Option<Held<'_, P>> {
        // Ordering: between the word and the look at whether it is in use; pairs with the `light` in `resume`, and in `lay_aside`.
        let is_seen = barrier::heavy();
        // Ordering: Acquire pairs with the Release in `lay_aside`.
        let is_free = self.in_use.load(Acquire) == 0;
        // Else the keeper sees what was asked, at the latest when it comes again, or goes.
        (is_seen && is_free && self.end(era)).then(|| Held::firm(self))
    }

    /// Makes of an era a firm hold, the caller's; of those who try one succeeds.
    #[cold]
    fn end(&self, era: usize) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & NUMBER == era & NUMBER {
            let firm = word & !(NUMBER | KEPT) | FIRM;
            // Ordering: Release pairs with the acquire of who leaves a note from here on: what the keeper did is there when it looks again.
            match self.word.compare_exchange(word, firm, Release, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// The holder, who holds it firmly, becomes the keeper, if there is none and no note: the era.
    #[cold]
    fn keep(&self) -> Option<usize> {
        // Ordering: Acquire pairs with the Release in `resign`: the last keeper is done with `in_use`.
        if self.keeper.load(Acquire) != 0 {
            return None;
        }
        let era = self.streak.next_era()?;
        self.keeper.store(1, Relaxed);
        // Ordering: Release pairs with the acquire of who asks.
        let left = self.word.compare_exchange(FIRM, era, Release, Relaxed);
        if left.is_err() {
            self.resign();
        }
        left.is_ok().then_some(era)
    }

    /// For the keeper.
    #[inline]
    fn resume(&self, era: usize) -> Option<Held<'_, P>> {
        self.in_use.store(1, Relaxed);
        // Ordering: between that and the look at the word; pairs with the `heavy` in `ask`: either who asks sees that it is in use,
        // or this sees that it was asked for.
        barrier::light();
        if self.word.load(Relaxed) == era {
            return Some(Held { baton: self, era });
        }
        let is_held = self.end(era);
        // Ordering: as in `lay_aside`.
        self.in_use.store(0, Release);
        is_held.then(|| Held::firm(self))
    }

    /// The keeper is done, and will be back. False if it was asked for what it keeps, and has it in hand, firmly.
    #[inline]
    fn lay_aside(&self, era: usize) -> bool {
        // Ordering: Release pairs with the Acquire in `ask`.
        self.in_use.store(0, Release);
        // Ordering: between that and the look at the word; as in `resume`.
        barrier::light();
        self.word.load(Relaxed) == era || !self.end(era)
    }

    /// For who was the keeper, and knows that it is no more.
    fn resign(&self) {
        // Ordering: Release pairs with the Acquire in `keep`.
        self.keeper.store(0, Release);
    }
}

/// Who had the baton of late. The holder's to write; nothing is ordered by it, and loom is not to look at each older value.
struct Streak {
    /// The handle that has had it since.
    handle: AtomicWord,
    /// How often that one is still to have it before it keeps it.
    left: AtomicWord,
    /// The last era.
    era: AtomicWord,
}

impl Streak {
    fn new() -> Self {
        Self {
            handle: AtomicWord::new(0),
            left: AtomicWord::new(0),
            era: AtomicWord::new(KEPT),
        }
    }

    /// A handle has had it. True if it may keep it.
    #[inline]
    fn goes_on(&self, handle: usize) -> bool {
        if self.handle.load(Relaxed) != handle {
            self.handle.store(handle, Relaxed);
            self.left.store(calm(), Relaxed);
        }
        let left = self.left.load(Relaxed);
        if left != 0 {
            self.left.store(left - 1, Relaxed);
        }
        left == 0
    }

    /// So often the handle is still to have it.
    fn wait_for(&self, times: usize) {
        self.left.store(times, Relaxed);
    }

    /// Another number each time. When there is none left nobody keeps it any more.
    fn next_era(&self) -> Option<usize> {
        let era = self.era.load(Relaxed).checked_add(ERA)?;
        self.era.store(era, Relaxed);
        Some(era)
    }
}

/// The baton in hand. Dropping it, by a panic too, settles and puts it down.
pub(crate) struct Held<'a, P: Settle> {
    baton: &'a Baton<P>,
    /// Of the keeper that holds it; 0 if it is held firmly.
    era: usize,
}

impl<'a, P: Settle> Held<'a, P> {
    /// For who has it in hand firmly.
    fn firm(baton: &'a Baton<P>) -> Self {
        Self { baton, era: 0 }
    }

    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.baton.state.with_mut(|state| {
            // SAFETY: only the holder gets here, and it is borrowed for itself.
            f(&self.baton.public, unsafe { &mut *state })
        })
    }

    #[inline]
    fn is_settled(&mut self) -> bool {
        self.with(|public, state| public.is_settled(state))
    }

    /// Puts down what is held firmly, when nothing is due but what notes may ask for.
    #[inline(always)]
    fn put_down(baton: &'a Baton<P>) {
        if !baton.is_put_down() {
            Self::settle(baton);
        }
    }

    /// Has it in hand firmly from here on.
    #[cold]
    fn hold_firmly(&mut self) {
        let is_held = self.baton.end(mem::take(&mut self.era));
        debug_assert!(is_held, "it was in use");
        // Ordering: as in `lay_aside`.
        self.baton.in_use.store(0, Release);
        self.baton.streak.wait_for(calm().min(PAUSE));
    }

    /// Reads notes and does what they ask for, and what is due, until the baton, which is held firmly, is down.
    #[cold]
    fn settle(baton: &'a Baton<P>) {
        let mut held = ManuallyDrop::new(Self::firm(baton));
        let mut after = P::After::default();
        loop {
            // Ordering: Acquire pairs with the release of whoever left the notes.
            let notes = baton.word.swap(FIRM, Acquire);
            if notes != FIRM {
                baton.streak.wait_for(calm());
            }
            held.with(|public, state| public.settle(state, notes, &mut after));
            if baton.is_put_down() {
                return baton.public.follow_up(after);
            }
        }
    }
}

impl<P: Settle> Drop for Held<'_, P> {
    #[inline]
    fn drop(&mut self) {
        if self.era != 0 {
            self.hold_firmly();
        }
        if self.is_settled() {
            Held::put_down(self.baton);
        } else {
            Held::settle(self.baton);
        }
    }
}

/// How often in a row a handle has the baton, and nobody leaves a note, before it becomes the keeper: to ask it costs as much as
/// some hundred read-modify-writes.
#[cfg(not(aiter_loom))]
fn calm() -> usize {
    if cfg!(test) { 1 } else { 1024 }
}
#[cfg(aiter_loom)]
use models::calm;

#[cfg(aiter_loom)]
pub(crate) mod models;
