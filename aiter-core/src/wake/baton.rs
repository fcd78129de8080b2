//! A baton: state for whoever holds it, and nobody ever waits for it.
//!
//! Who finds it held leaves a note, and goes. Whoever puts the baton down reads the notes first, or right after, so what is
//! asked of a held baton is done by its holder.
//!
//! It is held in one of two ways. *Firmly* it is put down by a read-modify-write, which finds the notes in the word. *Loosely*,
//! by a store: who comes meanwhile leaves its note beside the word, and pays for the fence that shows it to the holder
//! ([`barrier`]). So where nobody comes, taking and putting down is one read-modify-write. After somebody came it is held
//! firmly for a while ([`CALM`] times).
//!
//! | `word` | means |
//! |---|---|
//! | 0 | on the table |
//! | `LOOSE` | held loosely; notes, if there are any, are in `beside` |
//! | `FIRM` | held firmly, no notes |
//! | `FIRM` and notes, or notes alone | the same, and its holder may not put it down before it has read them |
//!
//! | call | 0 | `LOOSE` | else |
//! |---|---|---|---|
//! | `try_take` | `LOOSE` or `FIRM`: taken | not taken | not taken |
//! | `leave(notes)` | `FIRM` and notes: taken | notes added to `beside`, heavy fence, and the word once more; if that is `LOOSE`, not taken | notes added: not taken |
//! | drop of [`Held`] | | 0, light fence; then what is `beside` is left like any note, with `LATE` | less `FIRM`: put down, if that was all; else, or to settle what is due, read the notes (→ `FIRM`), settle, and try again |
//!
//! *Why no note beside the word is lost*: who left it has a fence between that and its last look at the word, the holder one
//! between the 0 and its look at the notes. One comes first: either the holder sees the note, or the other does not see this
//! holder's `LOOSE`. It may see that of a later one, to whom the same applies.
//!
//! *Why `LATE`*: such a note may be read when others have held the baton since. What its holder did before it was left, and its
//! writer did not see, is no news to those. So who wrote it has to be woken whatever they found.
//!
//! A call is one read-modify-write. A drop is one, or none, if there is nothing to settle, and else goes round once more for
//! each time that notes have come. It subtracts, which costs less than to compare and exchange: where notes have come the
//! word is not 0 after it, so the baton is still its holder's.
//!
//! A handle of a [`Guarded`] value that is the only one may keep the baton in hand, firmly, from one use to the next: no other can
//! want it, and notes wait until it is put down. Before there is a second handle, it is.
#![allow(unsafe_code)]

use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell, barrier};
use core::{
    mem::{self, ManuallyDrop},
    pin::Pin,
};

const LOOSE: usize = 1;
const FIRM: usize = 2;

/// A bit for a note. There is room for others when they are needed.
pub(crate) const NOTES: [usize; 3] = [4, 8, 16];

/// Comes with notes that may be older than what others did who held the baton since.
pub(crate) const LATE: usize = 32;

/// How often the baton is taken firmly after somebody came while it was held: the heavy fence costs as much as some hundred
/// read-modify-writes.
const CALM: usize = if cfg!(aiter_loom) { 1 } else { 1024 };

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
    /// Notes that found it held loosely.
    beside: AtomicUsize,
    /// How often it is still to be taken firmly. Nothing is ordered by it, and loom is not to look at each older value.
    firmly: core::sync::atomic::AtomicUsize,
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
            beside: AtomicUsize::new(0),
            firmly: core::sync::atomic::AtomicUsize::new(first()),
            state: UnsafeCell::new(state),
            public,
        }
    }

    pub(crate) fn public(&self) -> &P {
        &self.public
    }

    #[inline]
    pub(crate) fn try_take(&self) -> Option<Held<'_, P>> {
        // Ordering: Relaxed, either way will do.
        let is_loose = barrier::is_free() && self.firmly.load(Ordering::Relaxed) == 0;
        let way = if is_loose { LOOSE } else { FIRM };
        // Ordering: Acquire pairs with the release of the holder before.
        self.word
            .compare_exchange(0, way, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        let baton = self;
        Some(Held { baton, is_loose })
    }

    /// The holder puts down what it holds firmly, if there are no notes.
    #[inline]
    fn is_put_down(&self) -> bool {
        // Ordering: Relaxed, the holder alone counts down, and it matters little what it finds.
        let firmly = self.firmly.load(Ordering::Relaxed);
        if firmly != 0 {
            self.firmly.store(firmly - 1, Ordering::Relaxed);
        }
        // Ordering: Release pairs with the acquire of the next holder.
        let before = self.word.fetch_sub(FIRM, Ordering::Release);
        debug_assert!(before & FIRM != 0, "it is held firmly");
        before == FIRM
    }

    /// The holder holds it loosely no more: writes the `word`. True if notes were left beside it.
    #[inline]
    fn tighten(&self, word: usize) -> bool {
        // Ordering: Release pairs with the acquire of the next holder.
        self.word.store(word, Ordering::Release);
        // Ordering: between the word and the look at the notes; pairs with the `heavy` in `leave_beside`: either these
        // notes are seen, or who left them does not see the word as it was.
        barrier::light();
        self.beside.load(Ordering::Relaxed) != 0
    }

    /// Leaves notes for the holder. If there is none it is the caller, who need only drop what it is given.
    pub(crate) fn leave(&self, notes: usize) -> Option<Held<'_, P>> {
        let mut is_beside = false;
        let mut word = 0;
        loop {
            let next = match word {
                LOOSE if is_beside => return None,
                LOOSE => {
                    self.leave_beside(notes);
                    is_beside = true;
                    word = self.word.load(Ordering::Relaxed);
                    continue;
                }
                0 => FIRM | notes,
                firm => firm | notes,
            };
            // Ordering: Release pairs with the acquire of the holder that reads the notes; Acquire as in `try_take`.
            match self
                .word
                .compare_exchange(word, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(0) => return Some(Held::firm(self)),
                Ok(_) => return None,
                Err(now) => word = now,
            }
        }
    }

    #[cold]
    fn leave_beside(&self, notes: usize) {
        self.firmly.store(CALM, Ordering::Relaxed);
        // Ordering: Release pairs with the acquire in `deliver`.
        self.beside.fetch_or(notes, Ordering::Release);
        // Ordering: between the notes and the look at the word that follows; pairs with the `light` in `tighten`.
        barrier::heavy();
    }

    /// Leaves the notes that were left beside the word, like any others; `LATE`, if it was put down meanwhile.
    #[cold]
    fn deliver(&self, late: usize) {
        // Ordering: Acquire pairs with the release in `leave_beside`. Of several who see the notes one delivers them.
        let notes = self.beside.swap(0, Ordering::Acquire);
        if notes != 0 {
            drop(self.leave(notes | late));
        }
    }
}

/// The baton in hand. Dropping it, by a panic too, settles and puts it down.
pub(crate) struct Held<'a, P: Settle> {
    baton: &'a Baton<P>,
    is_loose: bool,
}

impl<'a, P: Settle> Held<'a, P> {
    /// For who has it in hand firmly.
    fn firm(baton: &'a Baton<P>) -> Self {
        let is_loose = false;
        Self { baton, is_loose }
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

    /// Puts it down, when nothing is due but what notes may ask for.
    #[inline(always)]
    fn put_down(self) {
        let held = ManuallyDrop::new(self);
        let baton = held.baton;
        if held.is_loose {
            if baton.tighten(0) {
                baton.deliver(LATE);
            }
        } else if !baton.is_put_down() {
            Self::settle(baton);
        }
    }

    /// Has it in hand firmly from here on.
    #[inline]
    fn hold_firmly(&mut self) {
        if mem::take(&mut self.is_loose) && self.baton.tighten(FIRM) {
            self.baton.deliver(0);
        }
    }

    /// Reads notes and does what they ask for, and what is due, until the baton, which is held firmly, is down.
    #[cold]
    fn settle(baton: &'a Baton<P>) {
        let mut held = ManuallyDrop::new(Self::firm(baton));
        let mut after = P::After::default();
        loop {
            // Ordering: Acquire pairs with the release of whoever left the notes.
            let notes = baton.word.swap(FIRM, Ordering::Acquire);
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
        let &mut Self { baton, is_loose } = self;
        if self.is_settled() {
            Held { baton, is_loose }.put_down();
        } else {
            self.hold_firmly();
            Self::settle(baton);
        }
    }
}

/// A value that belongs to the holder of a baton, too. It stands outside, so that the baton does not know its type,
/// and can live on without it.
pub(crate) struct Guarded<P: Settle, V> {
    baton: Arc<Baton<P>>,
    value: Arc<Value<V>>,
    /// Not 0 if this handle, which is the only one then, has the baton in hand.
    kept: AtomicUsize,
}

struct Value<V>(UnsafeCell<V>);

// SAFETY: the value is reached by the holder of its baton only, one thread at a time.
unsafe impl<V: Send> Sync for Value<V> {}
// SAFETY: a value that moves is not shared.
unsafe impl<V: Send> Send for Value<V> {}

impl<P: Settle, V> Guarded<P, V> {
    /// One value to a baton.
    pub(crate) fn new(baton: Baton<P>, value: V) -> Self {
        Self::handle(Arc::new(baton), Arc::new(Value(UnsafeCell::new(value))))
    }

    fn handle(baton: Arc<Baton<P>>, value: Arc<Value<V>>) -> Self {
        let kept = AtomicUsize::new(0);
        Self { baton, value, kept }
    }

    pub(crate) fn baton(&self) -> &Arc<Baton<P>> {
        &self.baton
    }

    /// Takes the baton, for a look: what was kept is put down.
    pub(crate) fn try_take(&self) -> Option<HeldValue<'_, P, V>> {
        self.let_go();
        let held = self.baton.try_take()?;
        Some(HeldValue { held, handle: self })
    }

    /// The baton, kept or taken; but if another has it, what comes of that.
    #[inline]
    pub(crate) fn take_or<'a>(
        &'a mut self,
        is_held: impl FnOnce(&'a Baton<P>) -> Option<Held<'a, P>>,
    ) -> Option<HeldValue<'a, P, V>> {
        // Ordering: Relaxed, the handle is borrowed for itself, and whatever it did before is ordered.
        let held = if self.kept.load(Ordering::Relaxed) == 0 {
            self.baton.try_take().or_else(|| is_held(&self.baton))?
        } else {
            // Ordering: Relaxed, as above.
            self.kept.store(0, Ordering::Relaxed);
            Held::firm(&self.baton)
        };
        Some(HeldValue { held, handle: self })
    }

    /// Puts down what was kept.
    fn let_go(&self) {
        // Ordering: Relaxed, whoever borrows the handle is ordered after its last use; of several that make another
        // handle at once, the exchange chooses the one that has the baton in hand.
        if self.kept.load(Ordering::Relaxed) != 0 && self.kept.swap(0, Ordering::Relaxed) != 0 {
            drop(Held::firm(&self.baton));
        }
    }
}

impl<P: Settle, V> Clone for Guarded<P, V> {
    fn clone(&self) -> Self {
        self.let_go();
        Self::handle(self.baton.clone(), self.value.clone())
    }
}

/// The baton in hand, and the value with it.
pub(crate) struct HeldValue<'a, P: Settle, V> {
    held: Held<'a, P>,
    handle: &'a Guarded<P, V>,
}

impl<'a, P: Settle, V> HeldValue<'a, P, V> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.held.with(f)
    }

    #[inline]
    pub(crate) fn with_value<R>(&mut self, f: impl FnOnce(Pin<&mut V>) -> R) -> R {
        self.handle.value.0.with_mut(|value| {
            // SAFETY: only the holder of the value's own baton gets here, and it is borrowed for itself.
            let value = unsafe { &mut *value };
            // SAFETY: the value lies in an `Arc` that is never taken apart, so it does not move until it is dropped.
            f(unsafe { Pin::new_unchecked(value) })
        })
    }

    /// Goes on without the value, and with it again if the baton is still in hand.
    #[inline]
    pub(crate) fn and_then(
        self,
        f: impl FnOnce(Held<'a, P>) -> Option<Held<'a, P>>,
    ) -> Option<Self> {
        let held = f(self.held)?;
        Some(Self { held, ..self })
    }

    /// The baton of the handle.
    pub(crate) fn baton(&self) -> &'a Arc<Baton<P>> {
        &self.handle.baton
    }

    /// Puts the baton down, or keeps it until the handle is used again, if that is the only handle and there is nothing to
    /// settle but, perhaps, notes.
    #[inline(always)]
    pub(crate) fn keep(self) {
        let Self { mut held, handle } = self;
        if !held.is_settled() {
            return;
        }
        // The count is not ordered with what a handle did that has gone: the word is, in which it left its notes.
        if Arc::strong_count(&handle.value) == 1 {
            held.hold_firmly();
            // Ordering: Relaxed, see `take_or`.
            handle.kept.store(1, Ordering::Relaxed);
            mem::forget(held);
        } else {
            held.put_down();
        }
    }
}

/// How often a new baton is taken firmly.
#[cfg(not(aiter_loom))]
fn first() -> usize {
    0
}
#[cfg(aiter_loom)]
use models::first;

#[cfg(aiter_loom)]
pub(crate) mod models;
