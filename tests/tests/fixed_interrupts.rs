//! The fixed list, interrupted after each single instruction. The processor's trap flag makes every
//! instruction of an operation end in a signal. At one of them, each in turn, the handler does what
//! an interrupt of a higher priority would: it pushes, polls, forks or drops a reader. It has to
//! return without waiting, because the operation that it interrupted cannot go on meanwhile.
#![allow(missing_docs, reason = "a test program")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use aiter_core::fixed::{PushAiter, PushList, PushWhenFree};
use futures_core::Stream;
use std::{
    arch::asm,
    cell::{Cell, RefCell},
    pin::Pin,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

thread_local! {
    /// Instructions left until the interrupt.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    static INTERRUPT: Cell<Option<*mut dyn FnMut()>> = const { Cell::new(None) };
}

const TRAP: i64 = 0x100;

extern "C" fn on_trap(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let left = LEFT.get();
    LEFT.set(left.wrapping_sub(1));
    if left != 0 {
        return;
    }
    // SAFETY: the kernel passes a handler its context, which belongs to this handler.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP;
    if let Some(interrupt) = INTERRUPT.take() {
        // SAFETY: `interrupted` borrows it for as long as it is set.
        unsafe { (*interrupt)() };
    }
}

/// Runs an operation, and an interrupt after this many of its instructions. Returns false if it has
/// fewer.
fn interrupted(after: usize, operation: impl FnOnce(), mut interrupt: impl FnMut()) -> bool {
    // SAFETY: all zeros is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_trap as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler touches only what this test owns.
    assert_eq!(0, unsafe {
        libc::sigaction(libc::SIGTRAP, &action, ptr::null_mut())
    });
    let interrupt: &mut dyn FnMut() = &mut interrupt;
    LEFT.set(after);
    // SAFETY: only the lifetime changes, and the value is taken back below.
    let interrupt = unsafe {
        std::mem::transmute::<*mut (dyn FnMut() + '_), *mut (dyn FnMut() + 'static)>(interrupt)
    };
    INTERRUPT.set(Some(interrupt));
    // SAFETY: sets the trap flag, and leaves the stack as it was.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    operation();
    // SAFETY: clears the trap flag.
    unsafe { asm!("pushfq", "and qword ptr [rsp], -257", "popfq") };
    INTERRUPT.take().is_none()
}

/// Runs a case with an interrupt after each number of instructions that the operation has. Code
/// that is not optimized has so many more that a sample has to do. Run this with `--release` for
/// all of them.
fn at_each_instruction(case: impl Fn(usize) -> bool) {
    let mut after = 0;
    while case(after) {
        after += if cfg!(debug_assertions) {
            1 + after / 3
        } else {
            1
        };
    }
    assert!(after > 10, "it was interrupted {after} times only");
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A task that reads. It polls only if it was woken or has not slept yet, with one of two wakers.
struct Task<A> {
    aiter: A,
    wakes: Arc<Wakes>,
    wakers: [Waker; 2],
    polls: usize,
    changes: bool,
    asleep: Option<usize>,
    seen: [u32; 8],
    len: usize,
}

impl<A: Stream<Item = u32> + Unpin> Task<A> {
    fn new(aiter: A) -> Self {
        let wakes = Arc::new(Wakes::default());
        Self {
            aiter,
            wakers: [wakes.clone().into(), Arc::new(Other(wakes.clone())).into()],
            wakes,
            polls: 0,
            changes: false,
            asleep: None,
            seen: [0; 8],
            len: 0,
        }
    }

    fn changing(mut self) -> Self {
        self.changes = true;
        self
    }

    /// Polls, woken or not, until the task sleeps.
    fn poll(&mut self) {
        loop {
            let wakes = self.wakes.0.load(Relaxed);
            self.polls += 1;
            let waker = &self.wakers[if self.changes { self.polls % 2 } else { 0 }];
            match Pin::new(&mut self.aiter).poll_next(&mut Context::from_waker(waker)) {
                Poll::Ready(Some(item)) => {
                    self.seen[self.len] = item;
                    self.len += 1;
                }
                Poll::Ready(None) => return,
                Poll::Pending => {
                    self.asleep = Some(wakes);
                    return;
                }
            }
        }
    }

    /// Polls if the task was woken, as an executor does.
    fn run(&mut self) {
        let woken = |wakes| self.wakes.0.load(Relaxed) > wakes;
        if self.asleep.is_none_or(woken) {
            self.poll();
        }
    }

    fn seen(&self) -> &[u32] {
        &self.seen[..self.len]
    }
}

/// Another waker of the same task.
struct Other(Arc<Wakes>);

impl Wake for Other {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// Pushes 1. A push of 2 and a poll of the reader interrupt it.
fn push_interrupted<const N: usize, const R: usize>(sleeps: bool, changes: bool) {
    at_each_instruction(|after| {
        let list = PushList::<u32, N, R>::new();
        let mut task = Task::new(list.aiter().unwrap());
        if changes {
            task = task.changing();
        }
        if sleeps {
            task.poll();
        }
        let task = RefCell::new(task);
        let pushed = [const { Cell::new(false) }; 2];
        let push = |n: u32| pushed[n as usize - 1].set(list.push(n).is_ok());
        let fired = interrupted(
            after,
            || push(1),
            || {
                task.borrow_mut().poll();
                push(2);
                task.borrow_mut().run();
                task.borrow_mut().poll();
            },
        );
        let mut task = task.into_inner();
        task.run();
        let mut seen = task.seen().to_vec();
        seen.sort_unstable();
        let pushed = pushed.map(|pushed| pushed.get());
        let expected = (1..3).filter(|n| pushed[*n as usize - 1]);
        assert!(seen.into_iter().eq(expected), "after {after}: {pushed:?}");
        // With two slots neither push can be refused.
        assert!(!fired || N == 1 || pushed == [true; 2]);
        // All slots are free again.
        (0..N).for_each(|_| list.push(9).unwrap());
        list.push(9).unwrap_err();
        fired
    });
}

#[test]
fn a_push_interrupted_by_a_push_and_the_reader() {
    push_interrupted::<2, 1>(false, false);
    push_interrupted::<2, 1>(true, false);
    push_interrupted::<1, 1>(true, false);
    push_interrupted::<3, 1>(true, true);
}

#[test]
fn a_push_interrupted_by_a_push_and_one_of_several_readers() {
    push_interrupted::<2, 2>(true, false);
    push_interrupted::<3, 2>(true, true);
}

/// Polls a reader. Pushes interrupt it.
fn poll_interrupted<const N: usize, const R: usize>(before: u32, changes: bool) {
    at_each_instruction(|after| {
        let list = PushList::<u32, N, R>::new();
        let mut task = Task::new(list.aiter().unwrap());
        task.changes = changes;
        if changes {
            task.poll();
        }
        (0..before).for_each(|n| list.push(n).unwrap());
        let mut pushed = 0;
        let fired = interrupted(
            after,
            || task.poll(),
            || {
                for n in before..before + 2 {
                    pushed += u32::from(list.push(n).is_ok());
                }
            },
        );
        task.run();
        assert!(
            task.seen().iter().copied().eq(0..before + pushed),
            "after {after}"
        );
        assert!(!fired || N < 3 || pushed == 2);
        fired
    });
}

#[test]
fn a_reader_interrupted_by_pushes() {
    poll_interrupted::<4, 1>(0, false);
    poll_interrupted::<4, 1>(1, false);
    poll_interrupted::<1, 1>(1, false);
    poll_interrupted::<4, 1>(0, true);
    poll_interrupted::<4, 2>(1, true);
}

/// A reader takes, forks or is dropped. Another reader and a push interrupt it.
fn reader_interrupted(operation: impl Fn(&PushList<u32, 4, 4>, PushAiter<'_, u32, 4, 4>)) {
    at_each_instruction(|after| {
        let list = PushList::<u32, 4, 4>::new();
        let mut high = list.aiter().unwrap();
        let low = high.fork().unwrap();
        list.push(1).unwrap();
        list.push(2).unwrap();
        let mut seen = [0; 4];
        let mut len = 0;
        let mut read = |high: &mut PushAiter<'_, u32, 4, 4>| {
            while let Ok(item) = high.try_next() {
                seen[len] = item;
                len += 1;
            }
        };
        let fired = interrupted(
            after,
            || operation(&list, low),
            || {
                read(&mut high);
                list.push(3).unwrap();
                read(&mut high);
            },
        );
        read(&mut high);
        assert_eq!(seen, if fired { [1, 2, 3, 0] } else { [1, 2, 0, 0] });
        // No reader holds a slot any more.
        (0..4).for_each(|_| list.push(9).unwrap());
        list.push(9).unwrap_err();
        fired
    });
}

#[test]
fn a_reader_interrupted_by_another() {
    reader_interrupted(|_, mut low| {
        let first = [low.try_next(), low.try_next()];
        assert_eq!(first, [Ok(1), Ok(2)]);
    });
    reader_interrupted(|_, low| drop(low));
    reader_interrupted(|_, mut low| {
        let mut fork = low.fork().unwrap();
        drop(low);
        assert_eq!(fork.try_next(), Ok(1));
    });
    reader_interrupted(|list, low| {
        drop(low);
        let mut late = list.subscribe().unwrap();
        assert!([Ok(3), Err(aiter_core::TryNextError::Empty)].contains(&late.try_next()));
    });
}

/// Pushes over what is there. A push of the same kind and a poll of the reader interrupt it.
fn overwriting_interrupted<const N: usize, const R: usize>(sleeps: bool, drains: bool) {
    at_each_instruction(|after| {
        let list = PushList::<u32, N, R, 0, true>::new();
        let mut task = Task::new(list.aiter().unwrap());
        let before = if sleeps { 0 } else { N };
        if sleeps {
            task.poll();
        }
        (0..before).for_each(|_| list.push(0).unwrap());
        let task = RefCell::new(task);
        let pushed = [const { Cell::new(false) }; 2];
        let push = |n: u32| pushed[n as usize - 1].set(list.push_overwriting(n).is_ok());
        let fired = interrupted(
            after,
            || push(1),
            || {
                if drains {
                    task.borrow_mut().poll();
                }
                push(2);
                task.borrow_mut().run();
                if drains {
                    task.borrow_mut().poll();
                }
            },
        );
        let mut task = task.into_inner();
        task.run();
        assert_eq!(task.aiter.len(), 0, "after {after}: it was not woken");
        let all = before + pushed.iter().filter(|pushed| pushed.get()).count();
        let counted = task.seen().len() + task.aiter.missed();
        assert_eq!(counted, all, "after {after}");
        assert!(pushed[0].get(), "no reader is at an item");
        assert!(!fired || N == 1 || pushed[1].get());
        // All slots are free again.
        (0..N).for_each(|_| list.push(9).unwrap());
        list.push(9).unwrap_err();
        fired
    });
}

#[test]
fn an_overwriting_push_interrupted_by_another_and_the_reader() {
    for drains in [false, true] {
        overwriting_interrupted::<1, 1>(false, drains);
        overwriting_interrupted::<2, 1>(false, drains);
        overwriting_interrupted::<3, 1>(true, drains);
        overwriting_interrupted::<1, 2>(true, drains);
        overwriting_interrupted::<2, 2>(false, drains);
    }
}

/// Polls a reader of a full list. Pushes that overwrite interrupt it.
fn poll_overwritten<const N: usize, const R: usize>() {
    at_each_instruction(|after| {
        let list = PushList::<u32, N, R, 0, true>::new();
        let mut task = Task::new(list.aiter().unwrap());
        (0..N as u32).for_each(|n| list.push(n).unwrap());
        let mut pushed = 0;
        let fired = interrupted(
            after,
            || task.poll(),
            || {
                for n in N as u32..N as u32 + 2 {
                    pushed += usize::from(list.push_overwriting(n).is_ok());
                }
            },
        );
        task.run();
        assert!(task.seen().is_sorted());
        assert_eq!(
            task.seen().len() + task.aiter.missed(),
            N + pushed,
            "after {after}"
        );
        assert_eq!(task.aiter.len(), 0, "after {after}: it was not woken");
        fired
    });
}

#[test]
fn a_reader_interrupted_by_overwriting_pushes() {
    poll_overwritten::<1, 1>();
    poll_overwritten::<3, 1>();
    poll_overwritten::<1, 2>();
    poll_overwritten::<4, 2>();
}

/// A push that waits, with a waker that counts.
struct Waiting<'a, const P: usize> {
    push: PushWhenFree<'a, u32, 1, 1, P>,
    wakes: Arc<Wakes>,
    waker: Waker,
    is_over: bool,
}

impl<'a, const P: usize> Waiting<'a, P> {
    fn new(list: &'a PushList<u32, 1, 1, P>, item: u32) -> Self {
        let wakes = Arc::new(Wakes::default());
        Self {
            push: list.push_when_free(item),
            waker: wakes.clone().into(),
            wakes,
            is_over: false,
        }
    }

    fn poll(&mut self) {
        let cx = &mut Context::from_waker(&self.waker);
        self.is_over = Pin::new(&mut self.push).poll(cx).is_ready();
    }

    /// Polls if it was woken, and has to be over then.
    fn finish(&mut self, after: usize) {
        if !self.is_over {
            assert!(self.wakes.0.load(Relaxed) > 0, "after {after}: not woken");
            self.poll();
            assert!(self.is_over, "after {after}");
        }
    }
}

#[test]
fn a_waiting_push_interrupted_by_the_reader() {
    for pushes in [false, true] {
        at_each_instruction(|after| {
            let list = PushList::<u32, 1, 1, 1>::new();
            list.push(0).unwrap();
            let mut aiter = list.aiter().unwrap();
            let mut wait = Waiting::new(&list, 1);
            let mut overtook = false;
            let fired = interrupted(
                after,
                || wait.poll(),
                || {
                    // If this comes late, the slot is free.
                    let _ = aiter.try_next();
                    overtook = pushes && list.push(9).is_ok();
                },
            );
            if !fired {
                assert_eq!(aiter.try_next(), Ok(0));
            }
            if overtook && !wait.is_over {
                assert_eq!(aiter.try_next(), Ok(9));
            }
            wait.finish(after);
            let rest = std::iter::from_fn(|| aiter.try_next().ok()).last();
            assert_eq!(rest, Some(1), "after {after}");
            fired
        });
    }
}

#[test]
fn a_reader_interrupted_by_a_waiting_push() {
    at_each_instruction(|after| {
        let list = PushList::<u32, 1, 1, 1>::new();
        list.push(0).unwrap();
        let mut aiter = list.aiter().unwrap();
        let mut wait = Waiting::new(&list, 1);
        let fired = interrupted(
            after,
            || assert_eq!(aiter.try_next(), Ok(0)),
            || wait.poll(),
        );
        if !fired {
            wait.poll();
        }
        wait.finish(after);
        assert_eq!(aiter.try_next(), Ok(1));
        fired
    });
}

#[test]
fn a_wait_that_is_dropped_interrupted_by_the_reader() {
    at_each_instruction(|after| {
        let list = PushList::<u32, 1, 1, 2>::new();
        list.push(0).unwrap();
        let mut aiter = list.aiter().unwrap();
        let mut first = Waiting::new(&list, 8);
        let mut second = Waiting::new(&list, 1);
        first.poll();
        second.poll();
        let push = first.push;
        let fired = interrupted(after, || drop(push), || assert_eq!(aiter.try_next(), Ok(0)));
        if !fired {
            assert_eq!(aiter.try_next(), Ok(0));
        }
        second.finish(after);
        assert_eq!(aiter.try_next(), Ok(1));
        fired
    });
}
