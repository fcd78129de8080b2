//! Lines of events under each other, and as text.

use super::Event;
use std::{collections::BTreeSet, ops::Range};

/// What happens, each with its frame, in the order of the frames.
pub(super) type Events<L> = Vec<(u64, Event<L>)>;

/// A longer time without events is written as a time.
const MOST_DASHES: u64 = 20;

pub(super) fn as_str<L: AsRef<str>>(events: &[(u64, Event<L>)]) -> Events<&str> {
    let events = events.iter();
    events
        .map(|(frame, event)| (*frame, event.as_str()))
        .collect()
}

/// Returns the events of one frame.
pub(super) fn at<'e, 'a>(
    events: &'e [(u64, Event<&'a str>)],
    frame: u64,
) -> &'e [(u64, Event<&'a str>)] {
    let start = events.partition_point(|event| event.0 < frame);
    let length = events[start..].partition_point(|event| event.0 == frame);
    &events[start..][..length]
}

/// Returns the frame in which the stream ends or panics.
pub(super) fn over_at(events: &[(u64, Event<&str>)]) -> Option<u64> {
    let (frame, last) = events.last()?;
    (!matches!(last, Event::Item(_))).then_some(*frame)
}

/// A part of the time, which all lines show in one column: one frame, or several in which nothing
/// happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) frame: u64,
    pub(super) frames: u64,
}

/// Divides the time up to the last event into columns.
pub(super) fn columns<'e>(lines: impl IntoIterator<Item = &'e Events<&'e str>>) -> Vec<Column> {
    let frames: BTreeSet<u64> = lines.into_iter().flatten().map(|event| event.0).collect();
    let mut columns = Vec::new();
    let mut next = 0;
    for frame in frames {
        let quiet = frame - next;
        if quiet > MOST_DASHES {
            columns.push(Column {
                frame: next,
                frames: quiet,
            });
        } else {
            columns.extend((next..frame).map(|frame| Column { frame, frames: 1 }));
        }
        columns.push(Column { frame, frames: 1 });
        next = frame.saturating_add(1);
    }
    columns
}

/// Writes lines so that each frame stands under itself. Returns the lines, and the place of each
/// column in them.
pub(super) fn aligned<'e, const N: usize>(
    lines: [&'e Events<&'e str>; N],
) -> ([String; N], Vec<(Column, Range<usize>)>) {
    let mut texts = [const { String::new() }; N];
    let mut places = Vec::new();
    let mut start = 0;
    for column in columns(lines) {
        let cells = lines.map(|events| cell(events, column));
        let width = cells.iter().map(|cell| cell.chars().count()).max();
        let end = start + width.unwrap_or(0);
        for (text, cell) in texts.iter_mut().zip(&cells) {
            text.push_str(&format!("{cell:width$}", width = end - start));
        }
        places.push((column, start..end));
        start = end;
    }
    // A line that is over has no time at its end.
    (texts.map(|text| text.trim_end().to_owned()), places)
}

fn cell(events: &Events<&str>, column: Column) -> String {
    if over_at(events).is_some_and(|over| over < column.frame) {
        return String::new();
    }
    if column.frames > 1 {
        return format!(" {} ", time(column.frames));
    }
    let here = at(events, column.frame);
    let next = at(events, column.frame.saturating_add(1));
    let labels = here.iter().map(|(_, event)| match event {
        // A digit before such an item would be read as a time.
        Event::Item(label) if is_digit(label) && matches!(next, [(_, Event::Item("m" | "s"))]) => {
            format!("'{label}'")
        }
        Event::Item(label) => quoted(label),
        Event::End => "|".to_owned(),
        Event::Panic => "#".to_owned(),
    });
    match here.len() {
        0 => "-".to_owned(),
        1 => labels.collect(),
        _ => format!("({})", labels.collect::<String>()),
    }
}

fn is_digit(label: &str) -> bool {
    label.len() == 1 && label.as_bytes()[0].is_ascii_digit()
}

fn quoted(label: &str) -> String {
    let mut characters = label.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) if !one.is_whitespace() && !"-|#()'".contains(one) => label.to_owned(),
        _ => format!("'{label}'"),
    }
}

/// Writes a number of frames in the largest unit that fits.
pub(super) fn time(frames: u64) -> String {
    match frames {
        0 => "0ms".to_owned(),
        _ if frames % 60_000 == 0 => format!("{}m", frames / 60_000),
        _ if frames % 1_000 == 0 => format!("{}s", frames / 1_000),
        _ => format!("{frames}ms"),
    }
}
