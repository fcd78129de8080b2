use super::*;
use crate::{Executor, Sleep};
use futures_core::{FusedStream, Stream};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

fn items(text: &str) -> Vec<(u64, &str)> {
    let events = marbles(text).events.into_iter();
    let label = |event| match event {
        Event::Item(label) => label,
        Event::End => "END",
        Event::Panic => "PANIC",
    };
    events.map(|(frame, event)| (frame, label(event))).collect()
}

/// Returns the message with which a closure panics.
fn panic_of(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    *panic.downcast().unwrap()
}

#[test]
fn each_form_of_the_syntax() {
    assert_eq!(items(""), []);
    assert_eq!(items(" --- "), []);
    assert_eq!(items("|"), [(0, "END")]);
    assert_eq!(items("ab|"), [(0, "a"), (1, "b"), (2, "END")]);
    assert_eq!(
        items("a-b-(cd)-|"),
        [(0, "a"), (2, "b"), (4, "c"), (4, "d"), (6, "END")]
    );
    assert_eq!(items("( a 'b c' # )"), [(0, "a"), (0, "b c"), (0, "PANIC")]);
    assert_eq!(items("a - b"), items("a-b"));
    assert_eq!(items("''é'|'"), [(0, ""), (1, "é"), (2, "|")]);
}

#[test]
fn times_are_words_of_their_own() {
    assert_eq!(items("a 10ms b"), [(0, "a"), (11, "b")]);
    assert_eq!(items("3s a"), [(3_000, "a")]);
    assert_eq!(items("-2m |"), [(1, "2"), (2, "m"), (3, "END")]);
    assert_eq!(items("- 2m |"), [(120_001, "END")]);
    assert_eq!(items("5s-"), [(0, "5"), (1, "s")]);
    assert_eq!(items("5 s"), [(0, "5"), (1, "s")]);
    assert_eq!(
        items("ms 12 12h"),
        [
            (0, "m"),
            (1, "s"),
            (2, "1"),
            (3, "2"),
            (4, "1"),
            (5, "2"),
            (6, "h")
        ]
    );
    assert_eq!(items("( 5s )"), [(0, "5"), (0, "s")]);
    assert_eq!(items("0ms a"), [(0, "a")]);
}

#[test]
fn a_mistake_is_marked() {
    let message = |text| panic_of(|| drop(marbles(text)));
    assert_eq!(
        message("é-|-a"),
        "marbles: nothing may follow the end or a panic\n  é-|-a\n     ^"
    );
    for (text, why, at) in [
        ("a)", "no group is open here", 1),
        ("(a", "this group has no `)`", 0),
        ("-()", "this group is empty", 2),
        ("(a(b))", "a group within a group", 2),
        ("(a-b)", "no time passes within a group", 2),
        ("(a|b)", "nothing may follow the end or a panic", 3),
        ("# |", "nothing may follow the end or a panic", 2),
        ("| 1ms", "nothing may follow the end or a panic", 2),
        ("-'ab", "this item has no second `'`", 1),
        ("1ms 18446744073709551616ms", "this time is too long", 4),
        ("18446744073709551615s", "this time is too long", 0),
        ("1ms 18446744073709551615ms", "this time is too long", 4),
        ("18446744073709551615ms ab", "this time is too long", 23),
    ] {
        let mark = format!("\n  {:at$}^", "");
        assert_eq!(message(text), format!("marbles: {why}\n  {text}{mark}"));
    }
    let last = items("18446744073709551615ms (a|)");
    assert_eq!(last, [(u64::MAX, "a"), (u64::MAX, "END")]);
}

#[test]
fn lines_are_written_as_they_are_read() {
    for text in [
        "",
        "a-b-(cd)-|",
        "(ab)c(d#)",
        "a'bc''-'(''|)",
        "a 21ms b",
        " 2m |",
        " 1001ms (x|)",
        "--------------------a",
        "1'2'ms",
        "12|",
        " 18446744073709551615ms (a|)",
    ] {
        let read = marbles(text);
        assert_eq!(read.to_string(), text.trim_end());
        assert_eq!(marbles(&read.to_string()), read);
    }
}

/// All lines of a few parts are written in a form that is read as the same line.
#[test]
fn all_short_lines_are_read_again() {
    let parts = [
        "-", "a", "5", "m", "s", "' '", "'5s'", "(5s)", "(m)", " 30ms ",
    ];
    let count = parts.len();
    for number in 0..count.pow(4) {
        let choose = |place| parts[number / count.pow(place) % count];
        let text: String = (0..4).map(choose).collect();
        let read = marbles(&text);
        let other = marbles("(ab)c 40ms -(d|)");
        let ([alone], _) = line::aligned([&read.events]);
        let ([beside, _], _) = line::aligned([&read.events, &other.events]);
        assert_eq!(marbles(&alone), read, "{text}, written as {alone}");
        assert_eq!(marbles(&beside), read, "{text}, written as {beside}");
    }
}

#[test]
fn a_source_yields_each_item_from_its_frame_on() {
    let time = VirtualTime::new();
    time.advance(Duration::from_secs(7));
    let mut source = marbles("a-(bc)-d|").play(&time);
    assert_eq!(source.size_hint(), (4, Some(4)));
    let mut poll = || {
        let source = Pin::new(&mut source);
        source.poll_next(&mut Context::from_waker(Waker::noop()))
    };
    assert_eq!(poll(), Poll::Ready(Some("a")));
    assert_eq!(poll(), Poll::Pending);
    time.advance(Duration::from_millis(2));
    assert_eq!(poll(), Poll::Ready(Some("b")));
    // Nobody asks for some time, and all that is due then comes at once.
    time.advance(Duration::from_millis(9));
    let rest = [poll(), poll(), poll(), poll()];
    assert_eq!(rest, [Some("c"), Some("d"), None, None].map(Poll::Ready));
    assert!(source.is_terminated());
    assert_eq!(time.timers(), 0);
}

#[test]
fn a_source_panics_once_and_is_over() {
    let time = VirtualTime::new();
    let mut source = marbles("#").play(&time);
    let mut poll = || {
        let source = Pin::new(&mut source);
        source.poll_next(&mut Context::from_waker(Waker::noop()))
    };
    let panic = catch_unwind(AssertUnwindSafe(&mut poll)).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("`#`"));
    assert_eq!(poll(), Poll::Ready(None));
}

#[test]
fn a_source_without_an_end_stays_open() {
    let mut executor = Executor::new();
    let source = executor.record("source", marbles("a-b--").play(&executor.time()));
    executor.run_for(Duration::from_secs(9));
    source.assert_marbles("a-b");
    assert_eq!(executor.time().next_due(), Some(Duration::MAX));
    assert!(!source.task().is_finished());
    let message = panic_of(|| executor.run());
    assert!(message.contains("`source`"), "{message}");
}

#[test]
fn a_run_is_recorded_in_milliseconds_of_the_executor() {
    let mut executor = Executor::new();
    let time = executor.time();
    executor.run_for(Duration::from_millis(2));
    let first = executor.record("first", marbles("a-b|").play(&time));
    let second = executor.record("second", marbles("(12)-#").play(&time));
    assert_eq!(first.to_string(), "");
    time.advance(Duration::from_micros(999));
    executor.run();
    assert_eq!(first.to_string(), "--a-b|");
    assert_eq!(second.to_string(), "--(12)-#");
    first.assert_marbles("--  a   -b|");
    second.assert_marbles("  --(12)-#");
    assert!(first.task().is_finished() && second.task().is_finished());
    assert!(format!("{second:?}").contains("--(12)-#"));
}

#[test]
fn a_time_that_goes_back_stands_still_in_the_record() {
    let mut executor = Executor::new();
    let time = executor.time();
    let ticks = [5, 3].map(|at| (at, time.clone()));
    let stream = aiter_core::iter_to_aiter(ticks);
    let stream = aiter_core::map_aiter(
        |(at, time): (u64, VirtualTime)| {
            time.set(start_of(at));
            at
        },
        stream,
    );
    let ticks = executor.record("ticks", stream);
    executor.run();
    ticks.assert_marbles("-----(53|)");
}

#[test]
fn differences_are_marked() {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = executor.record("source", marbles("a-(bc) 30ms (d|)").play(&time));
    executor.run();
    let message = |expected| panic_of(|| source.assert_marbles(expected));
    assert_eq!(
        message("a-b- 29ms (d|)"),
        "`source` is not as expected:
  expected: a-b    30ms (d|)
  recorded: a-(bc) 30ms (d|)
              ^^^^"
    );
    assert_eq!(
        message("-a|"),
        "`source` is not as expected:
  expected: -a|
  recorded: a-(bc) 30ms (d|)
            ^^^^^^      ^^^^"
    );
    assert_eq!(
        message(""),
        "`source` is not as expected:
  expected: ---    30ms -
  recorded: a-(bc) 30ms (d|)
            ^ ^^^^      ^^^^"
    );
}

#[test]
fn a_panic_of_display_is_recorded() {
    struct Bad;
    impl fmt::Display for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("bad");
        }
    }
    let mut executor = Executor::new();
    let bad = executor.record("bad", aiter_core::iter_to_aiter([Bad]));
    executor.run();
    bad.assert_marbles("#");
}

#[test]
fn a_picture_has_each_event_and_no_empty_line() {
    let mut executor = Executor::new();
    let time = executor.time();
    let _late = time.sleep(Duration::from_millis(2));
    executor.run_for(Duration::from_millis(2));
    let late = executor.record("<late>", marbles("-x|").play(&time));
    executor.run();
    let open = marbles("a(b'long')--#");
    let lines = [
        open.line("source"),
        Line::operator("a & b"),
        late.line(),
        marbles("30ms y").line("open"),
        marbles("").line("silent"),
    ];
    let picture = svg("A \"title\"", "It is\n\nshown.", &lines);
    assert_eq!(picture, svg("A \"title\"", "It is shown.", &lines));
    assert!(!picture.contains("\n\n"));
    for part in [
        r#"aria-labelledby="marbles-a-title-title marbles-a-title-description""#,
        r#"<title id="marbles-a-title-title">A &quot;title&quot;</title>"#,
        "It is shown. source: a at 0, b and long at 1 ms, a panic at 4 ms. &lt;late&gt;: x at 3 ms, \
         the end at 4 ms. open: y at 30 ms. silent: nothing.</desc>",
        ">a &amp; b</text>",
        ">long</text>",
        ">25ms</text>",
    ] {
        assert!(picture.contains(part), "{part} is not in {picture}");
    }
    // The line of the late one begins two frames after the first.
    let begins = picture.lines().filter_map(|line| {
        let path = line.strip_prefix("<path d=\"M")?;
        path.split(' ').next()?.parse::<usize>().ok()
    });
    let begins: Vec<_> = begins.collect();
    assert!(begins[1] > begins[0] + 32 && begins[2] == begins[0]);
    assert!(svg("", "", &[]).starts_with("<svg "));
}
