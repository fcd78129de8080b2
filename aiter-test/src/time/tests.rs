use super::*;
use futures_lite::future::poll_once;
use std::{pin::pin, sync::atomic::AtomicUsize, sync::atomic::Ordering::Relaxed, task::Wake};

const SECOND: Duration = Duration::from_secs(1);

/// Keeps its number in the log when it is called.
struct Logs(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Logs {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

fn is_ready(timer: &mut VirtualSleep, waker: &Waker) -> bool {
    Pin::new(timer)
        .poll(&mut Context::from_waker(waker))
        .is_ready()
}

#[test]
fn timers_wake_in_their_order_and_see_the_new_time() {
    let time = VirtualTime::new();
    let log = Arc::default();
    let mut timers: Vec<_> = [3, 1, 2, 1]
        .map(|seconds| time.sleep(SECOND * seconds))
        .into();
    for (number, timer) in timers.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Logs(number, Arc::clone(&log))));
        assert!(!is_ready(timer, &waker));
    }
    assert_eq!((time.timers(), time.timers_made()), (4, 4));
    time.advance(SECOND - Duration::from_nanos(1));
    assert_eq!(*log.lock().unwrap(), []);
    time.advance(Duration::from_nanos(1));
    assert_eq!(*log.lock().unwrap(), [1, 3]);
    assert!(time.advance_to_next());
    assert_eq!(
        (time.now(), time.next_due()),
        (SECOND * 2, Some(SECOND * 3))
    );
    time.advance(SECOND * 7);
    assert_eq!(*log.lock().unwrap(), [1, 3, 2, 0]);
    assert_eq!((time.now(), time.timers()), (SECOND * 9, 0));
    assert!(!time.advance_to_next());
    assert!(
        timers
            .iter_mut()
            .all(|timer| is_ready(timer, Waker::noop()))
    );
}

#[test]
fn a_time_that_goes_back_delays_what_was_not_due() {
    let time = VirtualTime::new();
    time.set(SECOND * 10);
    let (mut early, mut late) = (time.sleep(SECOND), time.sleep(SECOND * 2));
    time.advance(SECOND);
    time.set(Duration::ZERO);
    assert!(is_ready(&mut early, Waker::noop()));
    time.advance(SECOND * 11);
    assert!(!is_ready(&mut late, Waker::noop()));
    time.advance(SECOND);
    assert!(is_ready(&mut late, Waker::noop()));
}

#[test]
fn the_shortest_and_the_longest_timers() {
    let time = VirtualTime::new();
    let mut at_once = time.sleep(Duration::ZERO);
    assert_eq!((time.timers(), time.timers_made()), (0, 1));
    assert!(is_ready(&mut at_once, Waker::noop()));
    time.advance(SECOND);
    let mut never = time.sleep(Duration::MAX);
    time.advance(Duration::MAX - SECOND * 2);
    assert!(!is_ready(&mut never, Waker::noop()));
    assert!(time.advance_to_next());
    assert_eq!(time.now(), Duration::MAX);
    assert!(is_ready(&mut never, Waker::noop()));
    time.advance(Duration::MAX);
    assert_eq!(time.now(), Duration::MAX);
}

#[test]
fn the_last_waker_is_called_and_no_other_is_kept() {
    let time = VirtualTime::new();
    let log = Arc::default();
    let logs = [0, 1].map(|number| Arc::new(Logs(number, Arc::clone(&log))));
    let [mut kept, mut dropped] = [time.sleep(SECOND), time.sleep(SECOND)];
    for logs in &logs {
        let waker = Waker::from(logs.clone());
        assert!(!is_ready(&mut kept, &waker));
        assert!(!is_ready(&mut dropped, &waker));
    }
    assert_eq!(logs.each_ref().map(Arc::strong_count), [1, 3]);
    drop(dropped);
    assert_eq!((Arc::strong_count(&logs[1]), time.timers()), (2, 1));
    time.advance(SECOND);
    assert_eq!(*log.lock().unwrap(), [1]);
    assert_eq!(Arc::strong_count(&logs[1]), 1);
}

/// Panics when it is called.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("waker");
    }
}

#[test]
fn after_a_waker_that_panics_the_others_are_due_too() {
    let time = VirtualTime::new();
    let [mut first, mut second] = [time.sleep(SECOND), time.sleep(SECOND)];
    let log = Arc::default();
    assert!(!is_ready(&mut first, &Waker::from(Arc::new(Panics))));
    let waker = Waker::from(Arc::new(Logs(2, Arc::clone(&log))));
    assert!(!is_ready(&mut second, &waker));
    let advanced = std::panic::catch_unwind(|| time.advance(SECOND));
    assert!(advanced.is_err());
    assert!(is_ready(&mut first, Waker::noop()) && is_ready(&mut second, Waker::noop()));
    time.advance(Duration::ZERO);
    assert_eq!(*log.lock().unwrap(), [2]);
}

/// Replaces its timer by another when it is called, as a task would.
struct Repeats {
    time: VirtualTime,
    timer: Mutex<Option<VirtualSleep>>,
    wakes: AtomicUsize,
}

impl Wake for Repeats {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
        self.start();
    }
}

impl Repeats {
    fn start(self: &Arc<Self>) {
        let mut timer = self.time.sleep(SECOND);
        assert!(!is_ready(&mut timer, &self.clone().into()));
        let replaced = self.timer.lock().unwrap().replace(timer);
        drop(replaced);
    }
}

#[test]
fn a_waker_may_make_poll_and_drop_timers() {
    let time = VirtualTime::new();
    let repeats = Arc::new(Repeats {
        time: time.clone(),
        timer: Mutex::default(),
        wakes: AtomicUsize::new(0),
    });
    repeats.start();
    for _ in 0..3 {
        time.advance(SECOND * 5);
    }
    assert_eq!((repeats.wakes.load(Relaxed), time.timers()), (3, 1));
    // The drop of the timer drops the waker, which holds the timer: no lock is held meanwhile.
    let timer = repeats.timer.lock().unwrap().take();
    drop(timer);
    assert_eq!((Arc::strong_count(&repeats), time.timers()), (1, 0));
}

#[test]
fn ten_thousand_timers() {
    let time = VirtualTime::new();
    let mut timers: Vec<_> = (0..10_000)
        .map(|n| time.sleep(SECOND * (n % 100)))
        .collect();
    assert_eq!(time.timers(), 9_900);
    time.advance(SECOND * 50);
    assert_eq!(time.timers(), 4_900);
    assert_eq!(
        timers
            .iter_mut()
            .filter_map(|timer| is_ready(timer, Waker::noop()).then_some(()))
            .count(),
        5_100
    );
    drop(timers);
    assert_eq!((time.timers(), time.timers_made()), (0, 10_000));
}

#[test]
fn clones_show_one_time_on_any_thread() {
    let time = VirtualTime::new();
    let mut timer = pin!(time.sleep(SECOND));
    std::thread::scope(|scope| {
        let time = time.clone();
        scope.spawn(move || time.advance(SECOND));
    });
    assert_eq!(time.now(), SECOND);
    assert!(futures_lite::future::block_on(poll_once(timer.as_mut())).is_some());
}
