//! Polling the children that are ready.
use super::{
    ReadySet,
    chunk::{Chunk, lend, slot_of, tag},
    turns::{Budget, Stop},
};
use core::{mem, pin::Pin, task::Context};

/// What polling a child gave.
#[derive(Debug)]
pub(crate) enum Turn<R> {
    /// An item; the child may have more.
    Item(R),
    /// Its last item; the child is dropped.
    Last(R),
    /// Nothing more; the child is dropped.
    End,
    /// Nothing until it wakes.
    Pending,
}

/// What serving the children gave.
#[derive(Debug)]
pub(crate) enum Served<R> {
    /// An item of one of them.
    Out(R),
    /// No child is ready.
    Idle,
    /// The budget is used up while children are ready: let others run, and come back.
    Spent,
}

impl<C> ReadySet<C> {
    /// Polls children that are ready until one has an item. A panic of `step` takes its child away, the set goes on.
    #[inline]
    pub(crate) fn serve<R>(
        &mut self,
        budget: &mut Budget,
        mut step: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Turn<R>,
    ) -> Served<R> {
        let everybody_was_asked = loop {
            if self.stay == 0 {
                if !budget.is_left() {
                    break false;
                }
                match self.state.next(budget, &mut self.source_ready) {
                    Ok(slot) => {
                        let chunk = self.state.turn;
                        // SAFETY: an occupied slot of a chunk of ours.
                        self.child = unsafe { Chunk::slot::<C>(chunk, slot) };
                        self.data = tag(chunk, slot);
                        self.stay = self.state.left(slot);
                    }
                    Err(Stop::Idle) => return Served::Idle,
                    Err(Stop::Spent) => break true,
                }
            }
            if let Some(item) = self.stay(&mut step) {
                self.state.had_item();
                return Served::Out(item);
            }
            budget.spend();
        };
        self.state.pause(everybody_was_asked);
        Served::Spent
    }

    /// Whether there may be children that come before those that have not been polled yet.
    pub(crate) fn has_first(&self) -> bool {
        self.state.look || !self.state.refused.is_empty()
    }

    /// Polls the child whose turn it is, if one is left from the last call; `None` if it has no item.
    #[inline]
    pub(crate) fn stay<R>(
        &mut self,
        step: &mut impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Turn<R>,
    ) -> Option<R> {
        if self.stay == 0 {
            return None;
        }
        match self.poll_child(step) {
            Turn::Item(item) => {
                self.stay -= 1;
                if self.stay == 0 {
                    self.state.again(slot_of(self.data));
                }
                Some(item)
            }
            Turn::Last(item) => {
                self.remove();
                Some(item)
            }
            Turn::End => {
                self.remove();
                None
            }
            Turn::Pending => {
                let left = mem::take(&mut self.stay);
                self.state.pending(slot_of(self.data), left);
                None
            }
        }
    }

    #[inline]
    fn poll_child<R>(
        &mut self,
        step: &mut impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Turn<R>,
    ) -> Turn<R> {
        // SAFETY: the child's chunk outlives this call.
        let waker = unsafe { lend(self.data) };
        let lost = Lost(self);
        // SAFETY: the child is there while `stay` is not 0.
        let child = unsafe { &mut *lost.0.child };
        // SAFETY: it stays in its slot until it is dropped there.
        let child = unsafe { Pin::new_unchecked(child) };
        let turn = step(child, &mut Context::from_waker(&waker));
        mem::forget(lost);
        turn
    }

    /// Drops the child whose turn it is.
    fn remove(&mut self) {
        self.stay = 0;
        self.state.vacate(slot_of(self.data));
        // SAFETY: the child was there, and its slot is vacant from now on, also if this panics.
        unsafe { self.child.drop_in_place() }
    }
}

/// Takes a child away that panics.
struct Lost<'a, C>(&'a mut ReadySet<C>);

impl<C> Drop for Lost<'_, C> {
    fn drop(&mut self) {
        self.0.remove();
    }
}
