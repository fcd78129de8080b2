//! Pictures of runs.

use super::{
    Event,
    line::{self, Column, Events},
};
use std::fmt::Write;

/// A line of a picture that [`svg`] draws: a stream, or an operator between streams.
///
/// [`Marbles::line`](crate::Marbles::line) and [`Recorded::line`](crate::Recorded::line) return one
/// with a stream.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    /// The frame in which the stream begins, and what happens then. An operator has none.
    stream: Option<(u64, Events<String>)>,
}

impl Line {
    pub(super) fn new(name: String, start: u64, events: Events<&str>) -> Self {
        let owned = |(frame, event)| match event {
            Event::Item(label) => (frame, Event::Item(str::to_owned(label))),
            Event::End => (frame, Event::End),
            Event::Panic => (frame, Event::Panic),
        };
        let events = events.into_iter().map(owned).collect();
        Self {
            name,
            stream: Some((start, events)),
        }
    }

    /// Makes a line that shows what is done to the streams above it, such as `debounce(4 ms)`.
    pub fn operator(text: impl Into<String>) -> Self {
        Self {
            name: text.into(),
            stream: None,
        }
    }
}

/// The height of a line with a stream.
const STREAM: usize = 40;
/// The height of a line with an operator.
const OPERATOR: usize = 44;
/// The width of a character, at most.
const CHARACTER: usize = 9;
/// Space around what is drawn.
const MARGIN: usize = 8;

/// Draws streams as a picture in SVG: time goes from left to right, an item is a circle, the end a
/// bar, a panic a cross. A stream that stays open ends in an arrow.
///
/// The picture takes the colour of the text around it, and so fits light and dark pages. Screen
/// readers read the title and the description, to which the events of each line are added. There is
/// no empty line in it, so that it can stand in Markdown, and equal lines give the same text. The
/// names of its elements come from the title: two pictures on one page need different titles.
///
/// # Example
///
/// ```
/// use aiter_core::batch;
/// use aiter_test::{Executor, Line, marbles, svg};
/// use futures_lite::StreamExt;
///
/// let orders = marbles("(abc)-d-|");
/// let mut executor = Executor::new();
/// let batches = batch(2, orders.play(&executor.time())).map(|batch| batch.concat());
/// let batches = executor.record("batches", batches);
/// executor.run();
/// let lines = [orders.line("orders"), Line::operator("batch(2)"), batches.line()];
/// let picture = svg("Batches", "Orders that are there are taken together, at most two.", &lines);
/// assert!(picture.starts_with("<svg ") && picture.contains("batches: ab and c at 0"));
/// ```
pub fn svg(title: &str, description: &str, lines: &[Line]) -> String {
    let streams: Vec<_> = lines
        .iter()
        .map(|line| {
            let stream = line.stream.as_ref();
            stream.map(|(start, events)| (*start, line::as_str(events)))
        })
        .collect();
    let all = || streams.iter().flatten().map(|(_, events)| events);
    let names = lines.iter().filter(|line| line.stream.is_some());
    let longest = names.map(|line| line.name.chars().count()).max();
    let mut right = longest.map_or(MARGIN, |longest| longest * CHARACTER + 2 * MARGIN);
    let left = right;
    let columns: Vec<_> = line::columns(all())
        .into_iter()
        .map(|column| {
            let needed = all().map(|events| width(line::at(events, column.frame)));
            let needed = needed.max().unwrap_or(0) + MARGIN;
            let x = right;
            right += needed.max(if column.frames > 1 { 80 } else { 32 });
            (column, x, right)
        })
        .collect();
    right += 2 * MARGIN;
    let operators = lines.iter().filter(|line| line.stream.is_none());
    let longest = operators.map(|line| line.name.chars().count()).max();
    right = right.max(longest.unwrap_or(0) * CHARACTER + left + 2 * MARGIN);

    let mut body = String::new();
    let mut read = escaped(description);
    let mut y = MARGIN;
    for (line, stream) in lines.iter().zip(&streams) {
        let name = escaped(&line.name);
        match stream {
            Some((start, events)) => {
                let middle = y + STREAM / 2;
                text(&mut body, MARGIN, middle, "start", &name);
                draw(&mut body, middle, right - MARGIN, *start, events, &columns);
                write!(read, " {name}: {}.", escaped(&spoken(events))).unwrap();
                y += STREAM;
            }
            None => {
                let (width, height) = (right - left - MARGIN, OPERATOR - 2 * MARGIN);
                writeln!(
                    body,
                    r#"<rect x="{left}" y="{}" width="{width}" height="{height}" rx="4" fill="none"></rect>"#,
                    y + MARGIN
                )
                .unwrap();
                text(
                    &mut body,
                    left + width / 2,
                    y + OPERATOR / 2,
                    "middle",
                    &name,
                );
                y += OPERATOR;
            }
        }
    }
    let height = y + MARGIN;
    let id = id(title);
    let title = escaped(title);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {height}" width="{right}" height="{height}" role="img" aria-labelledby="{id}-title {id}-description" style="max-width: 100%; height: auto" fill="currentColor" stroke="currentColor" stroke-width="1.5" font-family="sans-serif" font-size="15">
<title id="{id}-title">{title}</title>
<desc id="{id}-description">{read}</desc>
{body}</svg>
"#
    )
}

/// The width of what is drawn in a frame.
fn width(events: &[(u64, Event<&str>)]) -> usize {
    events.iter().map(|(_, event)| event_width(event)).sum()
}

fn event_width(event: &Event<&str>) -> usize {
    match event {
        Event::Item(label) => (label.chars().count() * CHARACTER + 10).max(24) + 4,
        Event::End => 12,
        Event::Panic => 20,
    }
}

/// Draws a stream: its events, and between them the line that stands for its time.
fn draw(
    body: &mut String,
    y: usize,
    right: usize,
    start: u64,
    events: &Events<&str>,
    columns: &[(Column, usize, usize)],
) {
    let over = line::over_at(events);
    let mut path = String::new();
    let mut from = None;
    for &(column, x, end) in columns {
        if column.frame + (column.frames - 1) < start {
            continue;
        }
        let from_here = *from.get_or_insert(x);
        if over.is_some_and(|over| over < column.frame) {
            continue;
        }
        if column.frames > 1 {
            let middle = (x + end) / 2;
            write!(path, "M{from_here} {y}H{}", x + 4).unwrap();
            text(body, middle, y, "middle", &line::time(column.frames));
            from = Some(end - 4);
            continue;
        }
        let here = line::at(events, column.frame);
        if here.is_empty() {
            continue;
        }
        let width = width(here);
        let mut x = (x + end - width) / 2;
        write!(path, "M{from_here} {y}H{x}").unwrap();
        from = Some(x + width);
        for (_, event) in here {
            let width = event_width(event);
            let middle = x + width / 2;
            match event {
                Event::Item(label) => {
                    let (x, width) = (x + 2, width - 4);
                    writeln!(
                        body,
                        r#"<rect x="{x}" y="{}" width="{width}" height="24" rx="12" fill-opacity="0.1"></rect>"#,
                        y - 12
                    )
                    .unwrap();
                    text(body, middle, y, "middle", &escaped(label));
                }
                Event::End => write!(path, "M{x} {y}H{middle}M{middle} {}v24", y - 12).unwrap(),
                Event::Panic => {
                    let (x, y) = (middle - 7, y - 7);
                    write!(path, "M{x} {y}l14 14m0 -14l-14 14").unwrap();
                }
            }
            x += width;
        }
    }
    if over.is_none() {
        let from = from.unwrap_or(right);
        write!(path, "M{from} {y}H{right}m-6 -5l6 5l-6 5").unwrap();
    }
    writeln!(body, r#"<path d="{path}" fill="none"></path>"#).unwrap();
}

fn text(body: &mut String, x: usize, y: usize, anchor: &str, text: &str) {
    let y = y + 5;
    writeln!(
        body,
        r#"<text x="{x}" y="{y}" text-anchor="{anchor}" stroke="none">{text}</text>"#
    )
    .unwrap();
}

/// Says what happens, for who cannot see it.
fn spoken(events: &Events<&str>) -> String {
    let mut spoken = String::new();
    for (n, (frame, event)) in events.iter().enumerate() {
        if n > 0 {
            spoken.push_str(if events[n - 1].0 == *frame {
                " and "
            } else {
                ", "
            });
        }
        match event {
            Event::Item(label) => spoken.push_str(label),
            Event::End => spoken.push_str("the end"),
            Event::Panic => spoken.push_str("a panic"),
        }
        if events.get(n + 1).is_none_or(|next| next.0 != *frame) {
            match frame {
                0 => spoken.push_str(" at 0"),
                _ => write!(spoken, " at {frame} ms").unwrap(),
            }
        }
    }
    if events.is_empty() {
        spoken.push_str("nothing");
    }
    spoken
}

/// Makes a name of letters and hyphens.
fn id(title: &str) -> String {
    let lower = title.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("marbles-{}", words.join("-"))
}

/// Text for SVG. An empty line would end it in Markdown.
fn escaped(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
