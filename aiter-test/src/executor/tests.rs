use super::*;
use crate::Sleep;
use aiter_core::push_aiter;
use std::{
    cell::Cell,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

const SECOND: Duration = Duration::from_secs(1);

/// The message of the panic of `f`, which must panic.
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it did not panic");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast_ref::<&str>().copied().unwrap().into(),
    }
}

/// Waits until it was polled as often as this, and wakes itself.
async fn rounds(mut left: u32) {
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_task_is_polled_only_after_a_wake() {
    let waker = RefCell::new(None::<Waker>);
    let is_ready = Cell::new(false);
    let mut executor = Executor::new();
    let task = executor.spawn(
        "task",
        poll_fn(|cx| {
            waker.replace(Some(cx.waker().clone()));
            if is_ready.get() {
                Poll::Ready("done")
            } else {
                Poll::Pending
            }
        }),
    );
    assert_eq!(task.polls(), 0);
    executor.run_until_stalled();
    let wake = || waker.borrow().as_ref().unwrap().wake_by_ref();
    // Two wakes are one poll.
    wake();
    wake();
    executor.run_until_stalled();
    assert_eq!((task.polls(), task.wakes(), task.futile_wakes()), (2, 2, 1));
    is_ready.set(true);
    executor.run_until_stalled();
    assert_eq!((task.polls(), task.is_finished()), (2, false));
    wake();
    assert_eq!(task.output(), None);
    executor.run_until_stalled();
    assert_eq!((task.polls(), task.wakes(), task.futile_wakes()), (3, 3, 1));
    assert!(task.is_finished());
    assert_eq!((task.output(), task.output()), (Some("done"), None));
    // A wake of a task that is over does nothing.
    wake();
    executor.run_until_stalled();
    assert_eq!((task.polls(), task.wakes()), (3, 4));
}

#[test]
fn tasks_run_in_the_order_of_their_wakes() {
    let log = RefCell::new(Vec::new());
    let mut executor = Executor::new();
    for (name, turns) in [("a", 1), ("b", 2), ("c", 1)] {
        let log = &log;
        executor.spawn(name, async move {
            for _ in 0..turns {
                log.borrow_mut().push(name);
                rounds(1).await;
            }
        });
    }
    assert_eq!(Vec::from_iter(executor.unfinished()), ["a", "b", "c"]);
    executor.run();
    drop(executor);
    assert_eq!(log.into_inner(), ["a", "b", "c", "b"]);
}

#[test]
fn futile_wakes_of_a_stream_are_those_without_an_item() {
    let mut executor = Executor::new();
    let (pusher, items) = push_aiter();
    // It passes even numbers only: a push of an odd one wakes it for nothing.
    let even = aiter_core::map_filter_aiter(|n: u32| (n % 2 == 0).then_some(n), items);
    let even = executor.collect("even", even);
    executor.run_until_stalled();
    for n in 1..=6 {
        pusher.push(n).unwrap();
        executor.run_until_stalled();
    }
    let task = even.task();
    assert_eq!((task.polls(), task.wakes(), task.futile_wakes()), (7, 6, 3));
    drop(pusher);
    executor.run();
    assert_eq!(task.futile_wakes(), 3);
    assert_eq!(even.take(), [2, 4, 6]);
    assert_eq!(even.take(), []);
    assert!(task.is_finished());
}

#[test]
fn a_run_moves_the_time_to_each_timer() {
    let log = RefCell::new(Vec::new());
    let mut executor = Executor::new();
    let time = executor.time();
    for (name, seconds) in [("slow", 3), ("fast", 1)] {
        let (time, log) = (time.clone(), &log);
        executor.spawn(name, async move {
            for _ in 0..2 {
                time.sleep(SECOND * seconds).await;
                log.borrow_mut().push((name, time.now().as_secs()));
            }
        });
    }
    executor.run_until_stalled();
    assert_eq!(time.now(), Duration::ZERO);
    executor.run_for(Duration::from_millis(1500));
    assert_eq!(time.now(), Duration::from_millis(1500));
    assert_eq!(*log.borrow(), [("fast", 1)]);
    executor.run();
    assert_eq!(time.now(), SECOND * 6);
    assert_eq!(
        *log.borrow(),
        [("fast", 1), ("fast", 2), ("slow", 3), ("slow", 6)]
    );
    // No timer is on the way, or the one at the end.
    executor.run_for(SECOND);
    let last = executor.spawn("last", time.sleep(SECOND));
    executor.run_for(SECOND);
    assert_eq!((time.now(), last.is_finished()), (SECOND * 8, true));
    executor.run_for(Duration::MAX);
    executor.run_for(Duration::MAX);
    assert_eq!(time.now(), Duration::MAX);
}

#[test]
fn a_stranded_task_is_named_at_the_callers_line() {
    let mut executor = Executor::new();
    executor.spawn("fine", executor.time().sleep(Duration::MAX));
    executor.spawn("lonely", pending::<()>());
    let stranded = "A task is stranded:\n- `lonely` (polls: 1, wakes: 0, futile: 0) can never be \
        woken, because nobody keeps its waker. Keep `cx.waker().clone()` from its last poll until \
        you call it. If its owner was dropped, look for what should have woken the task \
        before.";
    assert_eq!(panic_of(|| executor.run_until_stalled()), stranded);
    assert_eq!(panic_of(|| executor.run_for(SECOND)), stranded);
    // The waker was kept, and then dropped without a call.
    let kept = Rc::new(RefCell::new(None));
    let keeps = kept.clone();
    executor.spawn(
        "forgotten",
        poll_fn(move |cx| {
            keeps.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        }),
    );
    assert_eq!(panic_of(|| executor.run_until_stalled()), stranded);
    kept.take();
    let both = panic_of(|| executor.run_until_stalled());
    assert!(
        both.starts_with("Tasks are stranded:\n- `lonely` ("),
        "{both}"
    );
    assert!(both.contains("\n- `forgotten` ("), "{both}");
}

/// Keeps its waker, which nobody calls, and completes in the second poll.
struct Forgotten(Option<Waker>);

impl Future for Forgotten {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.replace(cx.waker().clone()) {
            None => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }
    }
}

#[test]
fn a_run_says_why_each_task_is_left() {
    let mut executor = Executor::new();
    let done = executor.spawn("done", async { 1 });
    let (pusher, items) = push_aiter();
    let reader = executor.collect("reader", items);
    let subscription = pusher.subscribe();
    let lines = |message: String| Vec::from_iter(message.lines().map(String::from));
    assert_eq!(
        lines(panic_of(|| executor.run())),
        [
            "1 task is left. None is woken, and no timer waits:",
            "- `reader` (polls: 1, wakes: 0, futile: 0) waits. Its waker is kept, and nobody calls it: \
         end or drop what it waits for, such as a pusher or a gate, or `cancel` the task before the \
         run.",
        ]
    );
    assert_eq!(done.output(), Some(1));

    executor.spawn("lonely", pending::<()>());
    executor.spawn("forgotten", Forgotten(None));
    // Its wake reaches the list only now: it was due, and is woken by the task above.
    let (late, mut polls) = (pusher.clone(), 0);
    executor.spawn(
        "caller",
        poll_fn(move |cx| {
            polls += 1;
            if polls == 2 {
                late.push("late").unwrap();
            }
            std::mem::forget(cx.waker().clone());
            Poll::<()>::Pending
        }),
    );
    let second = executor.collect("second", subscription);
    assert_eq!(
        lines(panic_of(|| executor.run())),
        [
            "5 tasks are left. None is woken, and no timer waits:",
            &format!("- `reader` (polls: 2, wakes: 0, futile: 1) {WAITS}"),
            &format!("- `lonely` (polls: 1, wakes: 0, futile: 0) {STRANDED}"),
            &format!("- `forgotten` (polls: 1, wakes: 0, futile: 0) {LOST_WAKE}"),
            &format!("- `caller` (polls: 1, wakes: 0, futile: 0) {WAITS}"),
            "- `second` (polls: 1, wakes: 1, futile: 0) waits for one of the tasks above.",
        ]
    );
    assert_eq!(
        Vec::from_iter(executor.unfinished()),
        ["reader", "lonely", "caller", "second"]
    );
    assert_eq!(second.task().polls(), 1);
    // It goes on from there.
    panic_of(|| executor.run_until_stalled());
    assert_eq!((reader.take(), second.take()), (vec!["late"], vec!["late"]));
}

/// Yields an item in its second poll, without a wake.
#[test]
fn a_stream_with_an_item_that_nobody_told_of_is_a_lost_wake() {
    struct Forgets(Vec<Waker>);
    impl Stream for Forgets {
        type Item = ();
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
            self.0.push(cx.waker().clone());
            match self.0.len() {
                2 => Poll::Ready(Some(())),
                _ => Poll::Pending,
            }
        }
    }
    let mut executor = Executor::new();
    executor.collect("reader", Forgets(Vec::new()));
    let message = panic_of(|| executor.run());
    assert!(message.contains(LOST_WAKE), "{message}");
}

#[test]
fn a_task_that_is_woken_for_ever_is_named() {
    let mut executor = Executor::new();
    let busy = executor.spawn("busy", rounds(u32::MAX));
    let message = "`busy` was polled 10000 times in one run: it is woken in a loop";
    assert_eq!(panic_of(|| executor.run_until_stalled()), message);
    // Timers without an end are caught too.
    executor.cancel(&busy);
    let time = executor.time();
    executor.spawn("beat", async move {
        loop {
            time.sleep(SECOND).await;
        }
    });
    let message = panic_of(|| executor.run());
    assert!(
        message.starts_with("`beat` was polled 10000 times"),
        "{message}"
    );
}

#[test]
fn a_task_that_panics_is_dropped_and_the_others_go_on() {
    let held = Rc::new(());
    let holds = held.clone();
    let mut executor = Executor::new();
    let panics = executor.spawn("panics", async move {
        rounds(1).await;
        let _held = holds;
        panic!("as planned");
    });
    let other = executor.spawn("other", rounds(3));
    assert_eq!(panic_of(|| executor.run()), "as planned");
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(!panics.is_finished());
    executor.run();
    assert!(other.is_finished());
}

#[test]
fn a_cancelled_task_is_dropped_and_a_finished_one_too() {
    let held = Rc::new(());
    let mut executor = Executor::new();
    let tasks = [1, 9].map(|turns| {
        let holds = held.clone();
        executor.spawn("task", async move {
            rounds(turns).await;
            drop(holds);
        })
    });
    let dropped = held.clone();
    executor.spawn("left", async move {
        pending::<()>().await;
        drop(dropped);
    });
    panic_of(|| executor.run_until_stalled());
    assert_eq!((tasks[1].polls(), Rc::strong_count(&held)), (10, 2));
    let holds = held.clone();
    let cancelled = executor.spawn("cancelled", async move {
        rounds(1).await;
        drop(holds);
    });
    // The handle of another executor's task drops nothing.
    let mut other = Executor::new();
    executor.cancel(&other.spawn("other", rounds(0)));
    assert_eq!(Rc::strong_count(&held), 3);
    executor.cancel(&cancelled);
    executor.cancel(&cancelled);
    assert_eq!(Rc::strong_count(&held), 2);
    drop(executor);
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!((cancelled.polls(), cancelled.is_finished()), (0, false));
}

#[test]
fn another_thread_may_wake_a_task() {
    let mut executor = Executor::new();
    let (pusher, items) = push_aiter();
    let reader = executor.collect("reader", items);
    executor.run_until_stalled();
    thread::spawn(move || pusher.push(1).unwrap())
        .join()
        .unwrap();
    executor.run();
    assert_eq!(reader.take(), [1]);
}

#[test]
fn ten_thousand_tasks() {
    let mut executor = Executor::new();
    let time = executor.time();
    let tasks = Vec::from_iter((0..10_000).map(|n| {
        let time = time.clone();
        executor.spawn(format!("task {n}"), async move {
            for step in 0..5 {
                time.sleep(SECOND * ((n + step) % 7)).await;
            }
        })
    }));
    executor.run();
    assert!(tasks.iter().all(Task::is_finished));
    assert_eq!((time.now(), time.timers()), (SECOND * 20, 0));
}
