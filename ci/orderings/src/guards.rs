//! Reads `guards.txt`: branches that a protocol depends on, with the replacement of each while its
//! switch is on.

use crate::{lexer::tokens, outline::Outline};
use std::ops::Range;

#[derive(Debug)]
pub struct Guard {
    /// Its line in the list, for messages.
    pub line: usize,
    pub file: String,
    /// The function that contains it, as an [`Outline`] names it.
    pub place: String,
    pub name: String,
    pub original: String,
    pub replacement: String,
}

impl Guard {
    pub fn switch_name(&self) -> String {
        format!("{} {} {}", self.file, self.place, self.name)
    }

    /// Returns its bytes in the file. They have to occur once, apart from white space and comments.
    pub fn find(&self, outline: &Outline) -> Result<Range<usize>, String> {
        let wanted: Vec<_> = tokens(&self.original)
            .into_iter()
            .map(|token| &self.original[token.range])
            .collect();
        let found: Vec<usize> = (0..outline.tokens.len())
            .filter(|&at| outline.places[at].as_deref() == Some(&*self.place))
            .filter(|&at| (0..wanted.len()).all(|n| outline.word(at + n) == wanted[n]))
            .collect();
        match found[..] {
            [at] => {
                Ok(outline.tokens[at].range.start..outline.tokens[at + wanted.len() - 1].range.end)
            }
            _ => Err(format!(
                "ci/orderings/guards.txt:{}: the text of `{}` occurs {} times in {}, `{}`, and has to occur once: copy the text from the code, or delete the guard if the protocol no longer needs it",
                self.line,
                self.name,
                found.len(),
                self.file,
                self.place,
            )),
        }
    }

    /// Returns the text before and after the original in the instrumented source.
    pub fn wrapping(&self, switch: usize) -> (String, String) {
        let condition = format!(
            "if crate::weaken::is_on({switch}) {{ {} }} else {{ ",
            self.replacement
        );
        if self.original.trim_end().ends_with([';', '}']) {
            (condition, String::from(" }"))
        } else {
            (format!("({condition}"), String::from(" })"))
        }
    }
}

/// Parses guards that are separated by empty lines. A guard is a line with file, function and name,
/// lines of reasons, lines of the original after `-` and lines of the replacement after `+`. Lines
/// with `#` are comments.
pub fn parse(text: &str) -> Result<Vec<Guard>, String> {
    let mut guards: Vec<Guard> = Vec::new();
    let mut in_guard = false;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            in_guard = false;
        } else if !in_guard {
            let words: Vec<_> = line.split_whitespace().collect();
            let [file, place, name] = words[..] else {
                return Err(format!(
                    "ci/orderings/guards.txt:{number}: a guard begins with a file, a function and a unique name"
                ));
            };
            in_guard = true;
            guards.push(Guard {
                line: number,
                file: file.to_owned(),
                place: place.to_owned(),
                name: name.to_owned(),
                original: String::new(),
                replacement: String::new(),
            });
        } else if let Some(guard) = guards.last_mut() {
            if let Some(original) = line.strip_prefix("- ") {
                guard.original += original;
                guard.original += "\n";
            } else if let Some(replacement) = line.strip_prefix('+') {
                guard.replacement += replacement.trim();
                guard.replacement += " ";
            }
        }
    }
    for guard in &guards {
        if tokens(&guard.original).is_empty() {
            return Err(format!(
                "ci/orderings/guards.txt:{}: `{}` has no line with `- ` and the text of the code",
                guard.line, guard.name
            ));
        }
    }
    Ok(guards)
}
