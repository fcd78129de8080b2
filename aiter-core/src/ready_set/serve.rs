//! Polling the children that are ready.
use super::{
    ReadySet,
    chunk::{Chunk, borrowed_waker, slot_of, waker_data},
    round_robin::{Budget, NoSlot},
};
use core::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use scopeguard::ScopeGuard;

/// What a poll of a child gave.
#[derive(Debug)]
pub(crate) enum ChildPoll<R> {
    /// An item. The child may have more.
    Item(R),
    /// The child's last item. The child is dropped.
    Last(R),
    /// The end. The child is dropped.
    End,
    /// Nothing until the child wakes.
    Pending,
}

/// A child that is a future has one item.
impl<R> From<Poll<R>> for ChildPoll<R> {
    #[inline]
    fn from(polled: Poll<R>) -> Self {
        match polled {
            Poll::Ready(result) => Self::Last(result),
            Poll::Pending => Self::Pending,
        }
    }
}

/// What serving the children gave.
#[derive(Debug)]
pub(crate) enum Served<R> {
    /// An item of a child.
    Item(R),
    /// No child is ready.
    Idle,
    /// The budget is spent while children are ready: the task has to wake itself and return.
    Spent,
}

impl<C> ReadySet<C> {
    /// Polls children that are ready until one has an item. A panic of `step` drops its child; the
    /// set can be used further.
    #[inline]
    pub(crate) fn serve<R>(
        &mut self,
        budget: &mut Budget,
        mut step: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> ChildPoll<R>,
    ) -> Served<R> {
        let all_had_a_turn = loop {
            if self.items_left == 0 {
                if !budget.is_left() {
                    break false;
                }
                match self.state.next_slot(budget, &mut self.source_ready) {
                    Ok(slot) => {
                        let chunk = self.state.current;
                        // SAFETY: an occupied slot of a chunk of the set.
                        self.child = unsafe { Chunk::slot::<C>(chunk, slot) };
                        self.data = waker_data(chunk, slot);
                        self.items_left = self.state.items_left(slot);
                    }
                    Err(NoSlot::Idle) => return Served::Idle,
                    Err(NoSlot::NextPass) => break true,
                }
            }
            if let Some(item) = self.serve_current(&mut step) {
                self.state.child_yielded();
                return Served::Item(item);
            }
            budget.spend();
        };
        self.state.interrupt_pass(all_had_a_turn);
        Served::Spent
    }

    /// Whether there may be refused children, which come before fresh ones.
    pub(crate) fn may_have_refused(&self) -> bool {
        self.state.check_stack || !self.state.refused.is_empty()
    }

    /// Polls the child whose turn it is, if it is left from the last call. Returns `None` if there
    /// is no such child, or it has no item.
    #[inline]
    pub(crate) fn serve_current<R>(
        &mut self,
        step: &mut impl FnMut(Pin<&mut C>, &mut Context<'_>) -> ChildPoll<R>,
    ) -> Option<R> {
        if self.items_left == 0 {
            return None;
        }
        match self.poll_child(step) {
            ChildPoll::Item(item) => {
                self.items_left -= 1;
                if self.items_left == 0 {
                    self.state.requeue(slot_of(self.data));
                }
                Some(item)
            }
            ChildPoll::Last(item) => {
                self.remove();
                Some(item)
            }
            ChildPoll::End => {
                self.remove();
                None
            }
            ChildPoll::Pending => {
                let left = mem::take(&mut self.items_left);
                self.state.child_pending(slot_of(self.data), left);
                None
            }
        }
    }

    #[inline]
    fn poll_child<R>(
        &mut self,
        step: &mut impl FnMut(Pin<&mut C>, &mut Context<'_>) -> ChildPoll<R>,
    ) -> ChildPoll<R> {
        // SAFETY: the child's chunk outlives this call.
        let waker = unsafe { borrowed_waker(self.data) };
        // A child that panics is removed.
        let unwind = scopeguard::guard(self, |set| set.remove());
        let child = unwind.child;
        // SAFETY: the child is there while `items_left` is not 0.
        let child = unsafe { &mut *child };
        // SAFETY: it stays in its slot until it is dropped there.
        let child = unsafe { Pin::new_unchecked(child) };
        let polled = step(child, &mut Context::from_waker(&waker));
        ScopeGuard::into_inner(unwind);
        polled
    }

    /// Drops the child whose turn it is.
    fn remove(&mut self) {
        self.items_left = 0;
        self.state.vacate(slot_of(self.data));
        // SAFETY: the child was there. Its slot is vacant from now on, also if this panics.
        unsafe { self.child.drop_in_place() }
    }
}
