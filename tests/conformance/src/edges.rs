//! What the comparisons of operators at their edges share (the tests of this package).

use futures_core::Stream;
use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Whether a subject passes a probe, and what it does otherwise.
pub type Verdict = Result<(), String>;

/// A stream as a probe sees it.
pub type Boxed<T> = Pin<Box<dyn Stream<Item = T>>>;

/// Runs a probe of a subject, and prints the verdict.
///
/// # Panics
/// If the subject is ours and does not pass.
pub fn report(subject: &str, is_ours: bool, probe: &str, run: impl FnOnce() -> Verdict) {
    let verdict = caught(run).unwrap_or_else(|message| Err(format!("it panics: {message}")));
    println!("| {subject} | {probe} | {verdict:?} |");
    assert!(!is_ours || verdict.is_ok(), "ours fail");
}

/// Passes if `found` is what was expected.
pub fn expect<T: Debug + PartialEq>(what: &str, found: T, expected: T) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?} in place of {expected:?}"))
}

/// Calls `f`, and returns the message if it panics.
pub fn caught<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| match panic.downcast::<&str>() {
        Ok(message) => (*message).into(),
        Err(panic) => *panic.downcast().unwrap_or_default(),
    })
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, probes have one thread.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task that knows whether it was woken.
#[derive(Debug, Default)]
pub struct Task(Arc<Woken>);

impl Task {
    /// Takes what is ready of a stream, as an executor does: a stream that is pending is polled
    /// again if it has woken this task, for at most a thousand times.
    pub fn poll<T>(&self, stream: &mut Boxed<T>) -> Poll<Option<T>> {
        let waker = Waker::from(Arc::clone(&self.0));
        for _ in 0..1000 {
            self.is_woken();
            let polled = stream.as_mut().poll_next(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                return polled;
            }
            // Ordering: Relaxed, as above.
            if !self.0.0.load(Ordering::Relaxed) {
                break;
            }
        }
        Poll::Pending
    }

    /// Whether this task was woken since its last poll or the last call of this.
    pub fn is_woken(&self) -> bool {
        // Ordering: Relaxed, as above.
        self.0.0.swap(false, Ordering::Relaxed)
    }
}

/// Takes what is ready of a stream, in a task of its own.
pub fn poll<T>(stream: &mut Boxed<T>) -> Poll<Option<T>> {
    Task::default().poll(stream)
}

/// Counts what is alive, which are the marks that it gave out.
#[derive(Clone, Debug, Default)]
pub struct Alive(Arc<()>);

/// A mark of something that is alive, for [`Alive`].
pub type Mark = Weak<()>;

impl Alive {
    /// How many marks are alive.
    pub fn count(&self) -> usize {
        Arc::weak_count(&self.0)
    }

    /// Makes a mark.
    pub fn mark(&self) -> Mark {
        Arc::downgrade(&self.0)
    }

    /// Gives a mark to a stream.
    pub fn stream<S>(&self, stream: S) -> Counted<S> {
        let _mark = self.mark();
        Counted { stream, _mark }
    }
}

/// A stream with a mark.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    _mark: Mark,
}

impl<S: Stream + Unpin> Stream for Counted<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }
}
