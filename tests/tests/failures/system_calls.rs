//! No operation of core makes a system call except those of the allocator and, on Linux,
//! `membarrier(2)`. That holds for the first call and all later ones, with one thread and with
//! contention. The process installs a filter, as sandboxes do, which ends it at any other call. The
//! filter can also revoke `membarrier`, before or while it is in use, which may cost time and
//! nothing else.

use super::{
    Counts,
    allocator::ONE_AT_A_TIME,
    child::{child, is_emulated},
    everything::everything,
};
use aiter_core::{aiter_forker, iter_to_aiter, push_aiter, sharable_aiter};
use futures_core::Stream;
use std::{
    env, hint,
    os::unix::process::ExitStatusExt,
    pin::Pin,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::*},
    },
    task::{Context, Poll},
    thread,
};

/// The calls of the allocator, and those that end the process.
const MEMORY: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_exit_group,
    libc::SYS_madvise,
    libc::SYS_mmap,
    #[cfg(target_pointer_width = "32")]
    libc::SYS_mmap2,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
];

/// Tells the other process which case to run.
const VARIABLE: &str = "AITER_SYSTEM_CALLS";

/// What happens to a call.
type Action = u32;

/// From now on threads of this process may make the calls that memory needs. `membarrier` is
/// allowed or fails with an error, as the argument says. Any other call ends the process.
fn filter(membarrier: Action) {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JUMP, BPF_K, BPF_LD, BPF_RET, BPF_STMT, BPF_W};
    let returns = |action| {
        // SAFETY: no precondition.
        unsafe { BPF_STMT((BPF_RET | BPF_K) as u16, action) }
    };
    // The number of the call comes first in the data of a filter. SAFETY: no precondition.
    let mut program = vec![unsafe { BPF_STMT((BPF_LD | BPF_W | BPF_ABS) as u16, 0) }];
    let memory = MEMORY.iter().map(|call| (*call, libc::SECCOMP_RET_ALLOW));
    for (call, action) in memory.chain([(libc::SYS_membarrier, membarrier)]) {
        // SAFETY: no precondition.
        program.push(unsafe { BPF_JUMP((BPF_JMP | BPF_JEQ | BPF_K) as u16, call as u32, 0, 1) });
        program.push(returns(action));
    }
    program.push(returns(libc::SECCOMP_RET_KILL_PROCESS));
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: no precondition.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the program exists, with its length. It applies to all threads.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &program,
        )
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Two threads, which were made before, meet at a list, in the source of forks and in that of
/// takers. Neither waits by a system call: this one returns when both are done, and the other one
/// stays where it is.
fn meet() -> impl FnOnce() {
    const ITEMS: usize = 2_000;
    let (pusher, mut aiter) = push_aiter();
    let mut fork = aiter_forker(iter_to_aiter(0..ITEMS));
    let mut other_fork = fork.fork();
    let taker = sharable_aiter(iter_to_aiter(0..ITEMS));
    let other_taker = taker.clone();
    let turns = Arc::new(AtomicUsize::new(0));
    let counts = Arc::new(Counts::default());
    let both = |turns: &AtomicUsize, turn: usize| {
        turns.fetch_add(1, AcqRel);
        while turns.load(Acquire) < 2 * turn {
            hint::spin_loop();
        }
    };
    /// Takes all items and counts them.
    fn count<S: Stream + Unpin>(stream: &mut S, counts: &Arc<Counts>) -> usize {
        let waker = counts.clone().into();
        let mut count = 0;
        loop {
            let before = counts.0.load(Acquire);
            match Pin::new(&mut *stream).poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(_)) => count += 1,
                Poll::Ready(None) => return count,
                Poll::Pending => {
                    while counts.0.load(Acquire) == before {
                        hint::spin_loop();
                    }
                }
            }
        }
    }
    let taken = Arc::new(AtomicUsize::new(0));
    let of_other = (turns.clone(), counts.clone(), taken.clone());
    thread::spawn(move || {
        let (turns, counts, taken) = of_other;
        let mut taker = other_taker;
        both(&turns, 1);
        for n in 0..ITEMS {
            pusher.push(n).unwrap();
        }
        pusher.stop();
        both(&turns, 2);
        assert_eq!(count(&mut other_fork, &counts), ITEMS);
        both(&turns, 3);
        taken.store(count(&mut taker, &counts), Release);
        both(&turns, 4);
        loop {
            hint::spin_loop();
        }
    });
    // Wait until it has started, which takes system calls.
    while turns.load(Acquire) == 0 {
        thread::yield_now();
    }
    move || {
        let mut taker = taker;
        both(&turns, 1);
        assert_eq!(count(&mut aiter, &counts), ITEMS);
        both(&turns, 2);
        assert_eq!(count(&mut fork, &counts), ITEMS);
        both(&turns, 3);
        let here = count(&mut taker, &counts);
        both(&turns, 4);
        assert_eq!(here + taken.load(Acquire), ITEMS);
    }
}

/// The other process.
#[test]
#[ignore = "run by the tests below"]
fn without_other_system_calls() {
    let case = env::var(VARIABLE).unwrap();
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    ONE_AT_A_TIME.store(true, Release);
    let meet = meet();
    // SAFETY: no precondition. A thread that is not woken would wait for ever.
    unsafe { libc::alarm(60) };
    match &*case {
        "first calls" if is_traced() => {
            // SAFETY: no precondition. In the trace this call marks where the filter would begin.
            unsafe { libc::getppid() };
        }
        "first calls" => filter(libc::SECCOMP_RET_ALLOW),
        "refused" => filter(refused),
        "refused later" => {
            everything();
            filter(refused);
        }
        "another call" => {
            filter(libc::SECCOMP_RET_ALLOW);
            thread::yield_now();
        }
        _ => panic!("{case}"),
    }
    everything();
    meet();
    everything();
    // SAFETY: no precondition. The exit of the test harness makes other calls.
    unsafe { libc::_exit(0) };
}

/// An emulator of another processor has no filter. It prints each call instead, and the test reads
/// those after a certain one.
const TRACE: &str = "QEMU_STRACE";

fn is_traced() -> bool {
    env::var_os(TRACE).is_some()
}

/// Returns the names of the calls in a trace. Each call reads `PROCESS NAME(ARGUMENTS) = RESULT`,
/// and one line may have the calls of several threads.
fn calls(trace: &str) -> impl Iterator<Item = &str> {
    trace.split('(').filter_map(|before| {
        let mut words = before.rsplit(char::is_whitespace);
        let (name, process) = (words.next()?, words.next()?);
        let is_name = name.contains(|c: char| c.is_ascii_lowercase());
        (is_name && process.ends_with(|c: char| c.is_ascii_digit())).then_some(name)
    })
}

#[test]
fn no_operation_makes_another_system_call_where_they_are_traced() {
    const ADMITTED: [&str; 8] = [
        "brk",
        "exit_group",
        "madvise",
        "membarrier",
        "mmap",
        "mprotect",
        "mremap",
        "munmap",
    ];
    if !is_emulated() {
        // A trace of another process checks that the parser understands it.
        let trace = "12 getppid() = 1\n12 mmap(NULL,4) = 0x1\n12 futex(0x1,FUTEX_WAIT)13 brk(NULL) = 0 = 1\n";
        assert!(calls(trace).eq(["getppid", "mmap", "futex", "brk"]));
        return;
    }
    let child = child("system_calls::without_other_system_calls")
        .env(VARIABLE, "first calls")
        .env(TRACE, "1")
        .output()
        .unwrap();
    let trace = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{}: {trace}", child.status);
    let (_, trace) = trace.split_once("getppid()").expect("the calls are traced");
    assert!(calls(trace).any(|call| call == "exit_group"), "{trace}");
    let others: Vec<_> = calls(trace)
        .filter(|call| !ADMITTED.contains(call))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

fn run(case: &str) -> (ExitStatus, String) {
    let child = child("system_calls::without_other_system_calls")
        .env(VARIABLE, case)
        .output()
        .unwrap();
    let said = [child.stdout, child.stderr].concat();
    (child.status, String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn no_operation_makes_a_system_call_except_for_memory() {
    if is_emulated() {
        return; // See above.
    }
    for case in ["first calls", "refused", "refused later"] {
        let (status, said) = run(case);
        assert!(status.success(), "{case}: {status}: {said}");
    }
}

/// A forbidden call would be noticed.
#[test]
fn another_system_call_ends_the_process() {
    if is_emulated() {
        return; // See above.
    }
    let (status, said) = run("another call");
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{said}");
}
