//! From text to events.

use super::{Event, line::Events};
use std::fmt;

/// Why a text is no line of marbles.
#[derive(Debug)]
pub(super) struct Mistake<'a> {
    text: &'a str,
    /// How many characters stand before the mistake.
    at: usize,
    why: &'static str,
}

pub(super) fn parse(text: &str) -> Result<Events<&str>, Mistake<'_>> {
    let mut events: Events<&str> = Vec::new();
    let mut frame = 0_u64;
    let mut is_over = false;
    // Where the group began that is open, and how many events were before it.
    let mut group = None;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let at = text.len() - rest.len();
        let mistake = |why| Mistake::new(text, at, why);
        let too_long = || mistake("this time is too long");
        if next.is_whitespace() {
            rest = &rest[next.len_utf8()..];
            continue;
        }
        if is_over && !(group.is_some() && next == ')') {
            return Err(mistake("nothing may follow the end or a panic"));
        }
        let begins_word = text[..at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace);
        if let Some((length, frames)) = time(rest).filter(|_| begins_word && group.is_none()) {
            let after = frames.and_then(|frames| frame.checked_add(frames));
            frame = after.ok_or_else(too_long)?;
            rest = &rest[length..];
            continue;
        }
        let mut length = next.len_utf8();
        let mut takes_frame = group.is_none();
        match next {
            '-' if group.is_some() => return Err(mistake("no time passes within a group")),
            '-' => {}
            '(' if group.is_some() => return Err(mistake("a group within a group")),
            '(' => {
                group = Some((at, events.len()));
                takes_frame = false;
            }
            ')' => match group.take() {
                Some((_, before)) if before < events.len() => takes_frame = true,
                Some(_) => return Err(mistake("this group is empty")),
                None => return Err(mistake("no group is open here")),
            },
            '|' | '#' => {
                let event = if next == '|' {
                    Event::End
                } else {
                    Event::Panic
                };
                events.push((frame, event));
                is_over = true;
            }
            '\'' => {
                let label = rest[1..].split_once('\'');
                let (label, _) = label.ok_or_else(|| mistake("this item has no second `'`"))?;
                events.push((frame, Event::Item(label)));
                length = label.len() + 2;
            }
            _ => events.push((frame, Event::Item(&rest[..length]))),
        }
        rest = &rest[length..];
        // The last frame of all may be taken if nothing comes after it.
        if takes_frame && !rest.trim_start().is_empty() {
            frame = frame.checked_add(1).ok_or_else(too_long)?;
        }
    }
    match group {
        Some((at, _)) => Err(Mistake::new(text, at, "this group has no `)`")),
        None => Ok(events),
    }
}

/// If the word at the start of `rest` is a time, returns the length of the word, and the frames
/// unless they are too many.
fn time(rest: &str) -> Option<(usize, Option<u64>)> {
    let word = rest.split_whitespace().next()?;
    let (digits, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        _ if digits.is_empty() => return None,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let number = digits.parse::<u64>().ok();
    Some((
        word.len(),
        number.and_then(|number| number.checked_mul(unit)),
    ))
}

impl<'a> Mistake<'a> {
    fn new(text: &'a str, at: usize, why: &'static str) -> Self {
        let at = text[..at].chars().count();
        Self { text, at, why }
    }
}

impl fmt::Display for Mistake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, at, why } = self;
        write!(f, "{why}\n  {text}\n  {:at$}^", "")
    }
}
