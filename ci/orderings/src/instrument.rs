//! Finds everything in a file that can be weakened, and rewrites the file so that each place obeys
//! a switch.

use crate::{guards::Guard, lexer::Kind, outline::Outline};
use std::collections::HashMap;

const ORDERINGS: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];
const PATH: &str = "core::sync::atomic::Ordering::";
const FENCE: &str = "crate::sync::fence(core::sync::atomic::Ordering::AcqRel)";

#[derive(Debug)]
pub struct Instrumented {
    pub text: String,
    /// Modules that have a file of their own, and are part of the build.
    pub modules: Vec<String>,
}

/// A range of the source, with the text to insert before and after it, and a replacement if it is
/// not kept.
struct Edit {
    start: usize,
    end: usize,
    before: String,
    after: String,
    /// The range itself is left out.
    is_replaced: bool,
}

struct File<'a> {
    name: &'a str,
    outline: Outline<'a>,
    /// How many places of each function have been numbered.
    numbers: HashMap<String, usize>,
    edits: Vec<Edit>,
    switches: &'a mut Vec<String>,
}

/// Appends the names of the switches that it finds to `switches`, in the order of their numbers.
pub fn instrument(
    name: &str,
    text: &str,
    guards: &[Guard],
    switches: &mut Vec<String>,
) -> Result<Instrumented, String> {
    let outline = Outline::new(text).map_err(|error| format!("{name}: {error}"))?;
    let mut file = File {
        name,
        outline,
        numbers: HashMap::new(),
        edits: Vec::new(),
        switches,
    };
    for guard in guards.iter().filter(|guard| guard.file == name) {
        file.guard(guard)?;
    }
    for at in 0..file.outline.tokens.len() {
        file.visit(at)?;
    }
    Ok(Instrumented {
        text: render(text, file.edits),
        modules: file.outline.modules,
    })
}

impl File<'_> {
    fn guard(&mut self, guard: &Guard) -> Result<(), String> {
        let range = guard.find(&self.outline)?;
        let (before, after) = guard.wrapping(self.switches.len());
        self.switches.push(guard.switch_name());
        self.edits.push(Edit {
            start: range.start,
            end: range.end,
            before,
            after,
            is_replaced: false,
        });
        Ok(())
    }

    fn visit(&mut self, at: usize) -> Result<(), String> {
        if self.outline.places[at].is_none() || self.outline.tokens[at].kind != Kind::Word {
            return Ok(());
        }
        let word = self.outline.word(at);
        let is_called = self.outline.word(at + 1) == "(" && self.outline.before(at, 1) != "fn";
        match word {
            "fence" if is_called => self.fence(at),
            "light" | "heavy" if is_called && self.outline.before(at, 2) == ":" => self.half(at),
            _ if word.starts_with("fetch_") && is_called && self.outline.word(at + 2) == "0" => {
                self.idle(at)
            }
            _ if ORDERINGS.contains(&word) => self.ordering(at),
            _ => Ok(()),
        }
    }

    /// Returns the beginning of the names of the switches for the next place in the function of a
    /// token.
    fn number(&mut self, at: usize) -> String {
        let place = self.outline.places[at].as_deref().unwrap_or("-");
        let number = self.numbers.entry(place.to_owned()).or_default();
        *number += 1;
        format!("{} {place} #{number}", self.name)
    }

    fn switch(&mut self, name: String) -> usize {
        self.switches.push(name);
        self.switches.len() - 1
    }

    fn edit(&mut self, first: usize, last: usize, before: String, after: &str) -> &mut Edit {
        let tokens = &self.outline.tokens;
        self.edits.push(Edit {
            start: tokens[first].range.start,
            end: tokens[last].range.end,
            before,
            after: after.to_owned(),
            is_replaced: false,
        });
        self.edits.last_mut().expect("one was just pushed")
    }

    fn ordering(&mut self, at: usize) -> Result<(), String> {
        let outline = &self.outline;
        let start = outline.path_start(at);
        let call = outline.opened[at].filter(|&open| outline.word(open) == "(");
        if !matches!(outline.before(start, 1), "(" | ",")
            || !matches!(outline.word(at + 1), ")" | ",")
        {
            return Err(format!(
                "{}:{}: ci/orderings cannot switch an ordering that is not an argument: write it as one",
                self.name,
                outline.line(at),
            ));
        }
        // The ordering of a fence belongs to the fence.
        if call.is_some_and(|open| matches!(outline.before(open, 1), "fence" | "compiler_fence")) {
            return Ok(());
        }
        let word = outline.word(at);
        let weaker: &[&str] = match word {
            "Acquire" | "Release" => &["Relaxed"],
            "AcqRel" => &["Acquire", "Release"],
            // Loom treats the two alike on an access, so one of them is enough.
            _ => &["Relaxed"],
        };
        let number = self.number(at);
        let mut switched = String::new();
        for weaker in weaker {
            let switch = self.switch(format!("{number} {word}->{weaker}"));
            switched += &format!("({switch}, {PATH}{weaker}), ");
        }
        let edit = self.edit(
            start,
            at,
            format!("crate::weaken::order({PATH}{word}, &[{switched}])"),
            "",
        );
        edit.is_replaced = true;
        Ok(())
    }

    fn fence(&mut self, at: usize) -> Result<(), String> {
        let end = self.outline.pairs[&(at + 1)];
        let word = self.outline.word(end - 1);
        if !ORDERINGS.contains(&word) {
            return Err(format!(
                "{}:{}: write the ordering of a fence as a literal argument",
                self.name,
                self.outline.line(at)
            ));
        }
        let start = self.outline.path_start(at);
        let number = self.number(at);
        let removed = self.switch(format!("{number} fence({word})->none"));
        let mut before = format!("(if crate::weaken::is_on({removed}) {{}} else ");
        if word == "SeqCst" {
            let weaker = self.switch(format!("{number} fence(SeqCst)->fence(AcqRel)"));
            before += &format!("if crate::weaken::is_on({weaker}) {{ {FENCE} }} else ");
        }
        self.edit(start, end, before + "{ ", " })");
        Ok(())
    }

    /// Handles one half of the asymmetric fence of `sync/fence.rs`, which is a `SeqCst` fence in
    /// models. The heavy half returns a value.
    fn half(&mut self, at: usize) -> Result<(), String> {
        let start = self.outline.path_start(at);
        let end = self.outline.pairs[&(at + 1)];
        let half = self.outline.word(at);
        let value = if half == "heavy" { "true" } else { "()" };
        let name = format!("{} {half}", self.number(at));
        let removed = self.switch(format!("{name}->none"));
        let weaker = self.switch(format!("{name}->fence(AcqRel)"));
        let before = format!(
            "(if crate::weaken::is_on({removed}) {{ {value} }} else if crate::weaken::is_on({weaker}) {{ {FENCE}; {value} }} else {{ "
        );
        self.edit(start, end, before, " })");
        Ok(())
    }

    /// Handles a read-modify-write that changes nothing: it becomes a load.
    fn idle(&mut self, at: usize) -> Result<(), String> {
        let start = self.receiver(at - 1);
        let end = self.outline.pairs[&(at + 1)];
        let tokens = &self.outline.tokens;
        let receiver = &self.outline.text[tokens[start].range.start..tokens[at - 1].range.start];
        let load = format!("{receiver}.load({PATH}Acquire)");
        let name = format!("{} {}(0)->load", self.number(at), self.outline.word(at));
        let switch = self.switch(name);
        self.edit(
            start,
            end,
            format!("(if crate::weaken::is_on({switch}) {{ {load} }} else {{ "),
            " })",
        );
        Ok(())
    }

    /// Returns the first token of the receiver of a method call, from the dot before the name.
    fn receiver(&self, dot: usize) -> usize {
        let outline = &self.outline;
        let mut at = dot;
        loop {
            at -= 1;
            while matches!(outline.word(at), ")" | "]") {
                at = outline.pairs[&at];
                if outline.tokens[at - 1].kind != Kind::Mark {
                    at -= 1;
                }
            }
            at = outline.path_start(at);
            if outline.before(at, 1) != "." {
                return at;
            }
            at -= 1;
        }
    }
}

/// Applies the edits, which either do not overlap or contain one another.
fn render(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.start, usize::MAX - edit.end));
    let mut out = String::new();
    let mut at = 0;
    let mut open: Vec<Edit> = Vec::new();
    let close = |out: &mut String, at: &mut usize, edit: Edit| {
        if !edit.is_replaced {
            *out += &text[*at..edit.end];
        }
        *at = edit.end;
        *out += &edit.after;
    };
    for edit in edits {
        while open.last().is_some_and(|last| last.end <= edit.start) {
            if let Some(last) = open.pop() {
                close(&mut out, &mut at, last);
            }
        }
        out += &text[at..edit.start];
        at = edit.start;
        out += &edit.before;
        open.push(edit);
    }
    while let Some(last) = open.pop() {
        close(&mut out, &mut at, last);
    }
    out + &text[at..]
}
