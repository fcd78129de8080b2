//! Core where a panic aborts. All of it works, and a panic of user code ends the process at once,
//! with its own message. No part depends on code that runs during unwinding, except to unwind. The
//! program starts itself for each panic.
//!
//! A blocking iterator on tokio that is used where it must not block reports that too, because it
//! needs no caught panic to know.

#[path = "../../tests/failures/everything.rs"]
mod everything;

use aiter_core::{
    AiterExt, active, aiter_forker, gated_aiter, iter_to_aiter, join_aiters, push_aiter,
    push_aiter_with, sharable_aiter,
};
use aiter_tokio::aiter_to_iter;
use futures_lite::{
    StreamExt,
    future::{block_on, poll_once},
    stream,
};
use std::{env, process::Command, sync::Arc, task::Wake};
use tokio::runtime::Runtime;

/// Panics wherever it is told to.
struct Bomb(&'static str);

impl Bomb {
    fn go_off(&self, at: &str) {
        assert!(self.0 != at, "boom");
    }
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        self.go_off("clone");
        Self(self.0)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.go_off("drop");
    }
}

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        self.go_off("wake");
    }
}

fn source() -> impl Iterator<Item = u32> {
    (0..3).inspect(|n| assert!(*n < 2, "boom"))
}

/// Each of these panics in the middle of an operation.
const PANICS: &[(&str, fn())] = &[
    ("the clone of an item", || {
        let (pusher, mut aiter) = push_aiter();
        let _behind = aiter.fork();
        pusher.push(Bomb("clone")).unwrap_or(());
        let _ = aiter.try_next();
    }),
    ("the drop of an item", || {
        let (pusher, aiter) = push_aiter();
        pusher.push(Bomb("drop")).unwrap_or(());
        drop(aiter);
    }),
    ("a waker", || {
        let (pusher, mut aiter) = push_aiter();
        let waker = Arc::new(Bomb("wake")).into();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(aiter.poll_next(&mut context).is_pending());
        pusher.push(1).unwrap();
    }),
    ("an iterator", || {
        let (pusher, _aiter) = push_aiter();
        pusher.push_all(source()).unwrap();
    }),
    ("a preflight", || {
        let (_pusher, mut aiter) = push_aiter_with::<u8>(|_| panic!("boom"));
        let _ = aiter.try_next();
    }),
    ("the source of forks", || {
        let mut fork = aiter_forker(iter_to_aiter(source()));
        let _other = fork.fork();
        block_on(fork.count());
    }),
    ("the source of takers", || {
        let taker = sharable_aiter(iter_to_aiter(source()));
        let _other = taker.clone();
        block_on(taker.count());
    }),
    ("the source of a gate", || {
        let (gated, gate) = gated_aiter(iter_to_aiter(source()));
        gate.open();
        block_on(gated.count());
    }),
    ("the source of a driver", || {
        let (_items, driver) = active(iter_to_aiter(source()));
        block_on(poll_once(driver));
    }),
    ("a member of a join", || {
        let joined = join_aiters(iter_to_aiter([iter_to_aiter(source())]));
        block_on(joined.count());
    }),
    ("a worker", || {
        let mapped = iter_to_aiter(0..3).map_workers(2, async |n| assert!(n < 2, "boom"));
        block_on(mapped.count());
    }),
];

/// Each of these uses a blocking iterator where tasks run, and the message that it gives.
const REFUSED: &[(&str, &str, fn(&Runtime))] = &[
    ("where a block_on is", "runs async tasks", |runtime| {
        runtime.block_on(async { iterate() });
    }),
    ("in a task", "runs async tasks", |runtime| {
        let _ = runtime.block_on(runtime.spawn(async { iterate() }));
    }),
    ("carried into a task", "runs async tasks", |runtime| {
        let _entered = runtime.enter();
        let mut carried = aiter_to_iter(stream::once(1).chain(stream::pending()));
        let task = runtime.spawn(async move {
            assert_eq!(carried.next(), Some(1));
            carried.next();
        });
        let _ = runtime.block_on(task);
    }),
    // tokio does not tell these cases apart, so tokio itself panics.
    ("unconstrained", "from within a runtime", |runtime| {
        runtime.block_on(tokio::task::unconstrained(async { iterate() }));
    }),
];

fn iterate() {
    drop(aiter_to_iter(iter_to_aiter(0..3)));
}

/// Blocks where that is allowed.
fn blocks() {
    let runtime = Runtime::new().unwrap();
    let sum = || aiter_to_iter(iter_to_aiter(0..3)).sum::<u32>();
    assert_eq!(runtime.block_on(runtime.spawn_blocking(sum)).unwrap(), 3);
    let in_place = runtime.spawn(async move { tokio::task::block_in_place(sum) });
    assert_eq!(runtime.block_on(in_place).unwrap(), 3);
    let _entered = runtime.enter();
    assert_eq!(sum(), 3);
}

/// Runs a case in a process of its own, and returns the message with which it aborts.
fn said_by(case: &str) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .arg(case)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(6),
        "{case}: {said}"
    );
    assert!(!output.status.success(), "{case}: {said}");
    assert!(output.stdout.is_empty(), "{case}: it went on");
    said
}

fn main() {
    if let Some(case) = env::args().nth(1) {
        match PANICS.iter().find(|(name, _)| *name == case) {
            Some((_, panics)) => panics(),
            None => {
                let found = REFUSED.iter().find(|(name, ..)| *name == case);
                found.expect("there is such a case").2(&Runtime::new().unwrap());
            }
        }
        println!("it went on");
        return;
    }
    everything::everything();
    blocks();
    for (case, _) in PANICS {
        let said = said_by(case);
        assert!(said.contains("boom"), "{case}: {said}");
    }
    for (case, says, _) in REFUSED {
        let said = said_by(case);
        let messages = said.matches("panicked at").count();
        assert!(said.contains(says) && messages == 1, "{case}: {said}");
    }
    println!(
        "all of it works where a panic aborts, and {} panics ended their processes",
        PANICS.len() + REFUSED.len()
    );
}
