use crate::{guards, instrument::instrument};

fn switched(text: &str) -> (Vec<String>, String) {
    let mut switches = Vec::new();
    let instrumented = instrument("a.rs", text, &[], &mut switches).unwrap();
    (switches, instrumented.text)
}

fn names(text: &str) -> Vec<String> {
    switched(text).0
}

#[test]
fn orderings_become_calls_and_comments_and_strings_stay() {
    let text = r#"
        use core::sync::atomic::Ordering::{self, Acquire, Release};
        // x.load(Acquire)
        impl<T: Into<U>> Trait<T> for Cell<T> where T: Send {
            fn get(&self) -> usize { log("x.load(Acquire)"); self.0.load(Acquire) }
        }
        fn put(x: &AtomicUsize) { x.store(1, Ordering::Release); x.store(2, Relaxed); /* Release */ }
    "#;
    let (names, text) = switched(text);
    assert_eq!(
        names,
        [
            "a.rs Cell::get #1 Acquire->Relaxed",
            "a.rs put #1 Release->Relaxed"
        ]
    );
    let call = |n, full| {
        let path = "core::sync::atomic::Ordering::";
        format!("crate::weaken::order({path}{full}, &[({n}, {path}Relaxed), ])")
    };
    assert!(
        text.contains(&format!("self.0.load({})", call(0, "Acquire"))),
        "{text}"
    );
    assert!(
        text.contains(&format!("x.store(1, {});", call(1, "Release"))),
        "{text}"
    );
    assert!(text.contains("log(\"x.load(Acquire)\")") && text.contains("/* Release */"));
}

#[test]
fn both_halves_and_the_ordering_of_a_failure_are_switched() {
    let text = "fn f() {
        word.compare_exchange(
            a, // Release
            b,
            core::sync::atomic::Ordering::AcqRel,
            Acquire,
        );
    }";
    let expected = [
        "a.rs f #1 AcqRel->Acquire",
        "a.rs f #1 AcqRel->Release",
        "a.rs f #2 Acquire->Relaxed",
    ];
    assert_eq!(names(text), expected);
}

#[test]
fn what_models_do_not_run_is_left_alone() {
    let text = r#"
        #[cfg(not(aiter_loom))]
        fn a<T, U>() { x.load(Acquire); }
        #[cfg(all(test, not(aiter_loom)))]
        mod tests { fn b() { x.load(Acquire); } }
        #[cfg(all(test, aiter_loom))]
        mod loom;
        #[cfg(all(feature = "std", any(aiter_loom, miri)))]
        mod kept { fn c() { x.load(Acquire); } }
        #[cfg(any(not(feature = "alloc"), all(miri, not(test))))]
        #[inline]
        pub(crate) const D: usize = { x.load(Acquire); 1 };
        fn e() {
            #[cfg(not(aiter_loom))]
            let y = x.load(Acquire).with(|_| { 1 });
            #[cfg(not(aiter_loom))]
            x.with(|it| { it.load(Acquire) });
            call(#[cfg(test)] x.load(Acquire), x.load(Release));
        }
        mod inner;
    "#;
    let mut switches = Vec::new();
    let instrumented = instrument("a.rs", text, &[], &mut switches).unwrap();
    assert_eq!(
        switches,
        ["a.rs c #1 Acquire->Relaxed", "a.rs e #1 Release->Relaxed"]
    );
    assert_eq!(instrumented.modules, ["inner"]);
}

#[test]
fn fences_can_be_left_out_and_the_strongest_weakened() {
    let text =
        "fn f() { fence(Ordering::SeqCst); sync::fence(Acquire); } fn fence(order: Ordering) {}";
    let (names, text) = switched(text);
    let expected = [
        "a.rs f #1 fence(SeqCst)->none",
        "a.rs f #1 fence(SeqCst)->fence(AcqRel)",
        "a.rs f #2 fence(Acquire)->none",
    ];
    assert_eq!(names, expected);
    assert!(
        text.contains("(if crate::weaken::is_on(2) {} else { sync::fence(Acquire) });"),
        "{text}"
    );
}

#[test]
fn both_halves_of_a_fence_are_fences() {
    let text = "fn f() { fence::light(); if !fence::heavy() {} other.light(); }";
    let (names, text) = switched(text);
    let expected = [
        "a.rs f #1 light->none",
        "a.rs f #1 light->fence(AcqRel)",
        "a.rs f #2 heavy->none",
        "a.rs f #2 heavy->fence(AcqRel)",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("{ true } else if"), "{text}");
    assert!(text.contains("else { fence::heavy() }) {}"), "{text}");
}

#[test]
fn what_reads_and_writes_back_becomes_a_load() {
    let text = "fn f() { let x = self.row(at)\n.words[1].0.fetch_or(0, AcqRel); }";
    let (names, text) = switched(text);
    let expected = [
        "a.rs f #1 fetch_or(0)->load",
        "a.rs f #2 AcqRel->Acquire",
        "a.rs f #2 AcqRel->Release",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("{ self.row(at)\n.words[1].0.load(core::sync::atomic::Ordering::Acquire) } else { self.row(at)"), "{text}");
}

#[test]
fn an_ordering_that_cannot_be_switched_is_told() {
    let error = instrument(
        "a.rs",
        "fn f() {\n let order = Acquire; }",
        &[],
        &mut Vec::new(),
    )
    .unwrap_err();
    assert!(error.starts_with("a.rs:2: "), "{error}");
}

const GUARD: &str = "
# A comment.
a.rs Cell::get second-look
What it is for.
- if self.is_empty() && self.word
-     .load(Acquire) == 0
+ if self.is_empty()
";

#[test]
fn a_guard_is_replaced_while_its_switch_is_on() {
    let guards = guards::parse(&GUARD.replace("if ", "")).unwrap();
    let mut switches = Vec::new();
    let text = "impl Cell { fn get(&self) { if self.is_empty() // why
        && self.word.load(Acquire) == 0 { x(); } } }";
    let text = instrument("a.rs", text, &guards, &mut switches)
        .unwrap()
        .text;
    assert_eq!(
        switches,
        [
            "a.rs Cell::get second-look",
            "a.rs Cell::get #1 Acquire->Relaxed"
        ]
    );
    assert!(
        text.contains(
            "if (if crate::weaken::is_on(0) { self.is_empty()  } else { self.is_empty() // why\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("]) == 0 }) { x(); }") || text.contains("== 0 }) { x(); }"),
        "{text}"
    );
}

#[test]
fn a_guard_of_statements_is_one() {
    let guards = guards::parse("a.rs f look\n- a();\n- b();\n+ b();\n").unwrap();
    let text = instrument("a.rs", "fn f() { a(); b(); c() }", &guards, &mut Vec::new())
        .unwrap()
        .text;
    assert!(
        text.contains("{ if crate::weaken::is_on(0) { b();  } else { a(); b(); } c() }"),
        "{text}"
    );
}

#[test]
fn a_stale_guard_fails_and_says_what_to_do() {
    let guards = guards::parse("a.rs f look\n- a()\n+ b()\n").unwrap();
    for text in [
        "fn f() { b() }",
        "fn f() { a(); a() }",
        "fn g() { a() }",
        "fn f() { /* a() */ }",
        "#[cfg(test)] fn f() { a() }",
    ] {
        let error = instrument("a.rs", text, &guards, &mut Vec::new()).unwrap_err();
        assert!(
            error.contains("has to occur once") && error.contains("guards.txt:1"),
            "{error}"
        );
    }
}

#[test]
fn a_guard_without_a_text_fails() {
    assert!(guards::parse("a.rs f look\nWhy.\n+ b()\n").is_err());
    assert!(guards::parse("a.rs f\n- a()\n").is_err());
}

#[test]
fn the_list_has_to_be_the_survivors() {
    use crate::{Verdict::*, report};
    let switches = [String::from("a")];
    let is_well = |verdict, allowed: &[String]| report(&[(0, verdict)], &switches, allowed);
    for (verdict, unlisted, listed) in [
        (Killed, true, false),
        (Survived, false, true),
        (Unreached, false, true),
        (Open, true, true),
    ] {
        assert_eq!(is_well(verdict, &[]), unlisted);
        assert_eq!(is_well(verdict, &switches), listed);
    }
}

#[test]
fn a_sample_that_judges_next_to_nothing_fails() {
    use crate::{FEWEST, Verdict::*, is_enough};
    let sample = |judged, open| {
        let verdicts = [vec![Killed; judged], vec![Open; open]].concat();
        is_enough(&verdicts.into_iter().enumerate().collect::<Vec<_>>())
    };
    assert!(sample(FEWEST, 200) && sample(1, 0) && sample(FEWEST - 1, 0));
    assert!(!sample(FEWEST - 1, 200) && !sample(0, 200) && !sample(0, 1));
}
