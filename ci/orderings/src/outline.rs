//! Where the tokens of a file belong: whether they are in the build that the models run, and in
//! which function.

use crate::lexer::{Kind, Token, tokens};
use std::{collections::HashMap, rc::Rc};

pub struct Outline<'a> {
    pub text: &'a str,
    pub tokens: Vec<Token>,
    /// For each token, its function with the type of the `impl`; `None` where the build leaves it
    /// out.
    pub places: Vec<Option<Rc<str>>>,
    /// For each bracket, the one that it pairs with.
    pub pairs: HashMap<usize, usize>,
    /// For each token, the innermost bracket that is open there.
    pub opened: Vec<Option<usize>>,
    /// Modules that have a file of their own, and are part of the build.
    pub modules: Vec<String>,
}

/// A scope for names: an open brace, and the item that it belongs to.
#[derive(Clone, Default)]
struct Scope {
    type_name: Option<String>,
    function: Option<String>,
}

impl Scope {
    fn place(&self) -> String {
        match (&self.type_name, &self.function) {
            (Some(name), Some(function)) => format!("{name}::{function}"),
            (None, Some(function)) => function.clone(),
            (Some(name), None) => name.clone(),
            (None, None) => String::from("-"),
        }
    }
}

impl<'a> Outline<'a> {
    pub fn new(text: &'a str) -> Result<Self, String> {
        let tokens = tokens(text);
        let count = tokens.len();
        let mut outline = Self {
            text,
            tokens,
            places: vec![None; count],
            pairs: HashMap::new(),
            opened: vec![None; count],
            modules: Vec::new(),
        };
        outline.match_brackets()?;
        outline.walk();
        Ok(outline)
    }

    /// Returns a token's text, which is empty beyond the ends.
    pub fn word(&self, at: usize) -> &'a str {
        self.tokens
            .get(at)
            .map_or("", |token| &self.text[token.range.clone()])
    }

    /// Returns the text of the token that is `back` tokens before this one.
    pub fn before(&self, at: usize, back: usize) -> &'a str {
        at.checked_sub(back).map_or("", |at| self.word(at))
    }

    pub fn line(&self, at: usize) -> usize {
        let end = self
            .tokens
            .get(at)
            .map_or(self.text.len(), |token| token.range.start);
        self.text[..end].matches('\n').count() + 1
    }

    /// Returns the first token of a path that ends with this one: `a::b::c`.
    pub fn path_start(&self, mut at: usize) -> usize {
        while self.before(at, 1) == ":" && self.before(at, 2) == ":" && at >= 3 {
            at -= 3;
        }
        at
    }

    fn match_brackets(&mut self) -> Result<(), String> {
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.tokens.len() {
            self.opened[at] = open.last().copied();
            if self.tokens[at].kind != Kind::Mark {
                continue;
            }
            match self.word(at) {
                "(" | "[" | "{" => open.push(at),
                ")" | "]" | "}" => {
                    let start = open
                        .pop()
                        .ok_or(format!("line {}: a bracket too many", self.line(at)))?;
                    self.opened[at] = open.last().copied();
                    self.pairs.insert(start, at);
                    self.pairs.insert(at, start);
                }
                _ => {}
            }
        }
        match open.last() {
            Some(&at) => Err(format!(
                "line {}: a bracket that is not closed",
                self.line(at)
            )),
            None => Ok(()),
        }
    }

    fn walk(&mut self) {
        let mut scopes = vec![(usize::MAX, Scope::default())];
        let mut pending: Option<Scope> = None;
        let mut at = 0;
        while at < self.tokens.len() {
            let scope = scopes
                .last()
                .map(|(_, scope)| scope.clone())
                .unwrap_or_default();
            match self.word(at) {
                "#" if self.word(at + 1) == "[" => {
                    let end = self.pairs[&(at + 1)];
                    if self.word(at + 2) == "cfg" && !self.is_built(at + 4) {
                        at = self.end_of_item(end + 1);
                        continue;
                    }
                    at = end + 1;
                    continue;
                }
                "use" if self.starts_a_statement(at) => {
                    while at < self.tokens.len() && self.word(at) != ";" {
                        at += 1;
                    }
                    continue;
                }
                "mod" if self.word(at + 2) == ";" => {
                    self.modules.push(self.word(at + 1).to_owned())
                }
                "fn" if self
                    .tokens
                    .get(at + 1)
                    .is_some_and(|token| token.kind == Kind::Word) =>
                {
                    pending = Some(Scope {
                        function: Some(self.word(at + 1).to_owned()),
                        ..scope
                    });
                }
                "impl" | "trait" if self.starts_a_statement(at) => {
                    pending = Some(Scope {
                        type_name: Some(self.implemented(at)),
                        function: None,
                    });
                }
                ";" if !matches!(self.opened[at].map(|open| self.word(open)), Some("[" | "(")) => {
                    pending = None
                }
                "{" => {
                    self.places[at] = Some(scope.place().into());
                    scopes.push((self.pairs[&at], pending.take().unwrap_or(scope)));
                    at += 1;
                    continue;
                }
                _ => {}
            }
            if scopes.last().is_some_and(|(end, _)| *end == at) {
                scopes.pop();
            }
            let scope = scopes
                .last()
                .map(|(_, scope)| scope.place())
                .unwrap_or_default();
            self.places[at] = Some(scope.into());
            at += 1;
        }
    }

    fn starts_a_statement(&self, at: usize) -> bool {
        matches!(
            self.before(at, 1),
            "" | ";" | "}" | "{" | "]" | ")" | "unsafe" | "pub"
        )
    }

    /// Returns the name of the type that an `impl` or a trait is for.
    fn implemented(&self, start: usize) -> String {
        let mut depth = 0;
        let mut name = String::new();
        let mut at = start + 1;
        while at < self.tokens.len() && !matches!(self.word(at), "{" | "where") {
            match self.word(at) {
                "<" => depth += 1,
                ">" if self.before(at, 1) != "-" => depth -= 1,
                "for" if depth == 0 && self.word(at + 1) != "<" => name.clear(),
                word if depth == 0 && self.tokens[at].kind == Kind::Word => name = word.to_owned(),
                _ => {}
            }
            // The bounds of a trait.
            if depth == 0
                && self.word(at) == ":"
                && self.word(at + 1) != ":"
                && self.before(at, 1) != ":"
            {
                break;
            }
            at += 1;
        }
        name
    }

    /// Returns whether an item with the predicate that begins with this token is in the build and
    /// is no test.
    fn is_built(&self, start: usize) -> bool {
        let open = start + 1;
        let mut parts = Vec::new();
        if self.word(open) == "(" {
            parts.push(open + 1);
            let commas = (open..self.pairs[&open])
                .filter(|&at| self.word(at) == "," && self.opened[at] == Some(open));
            parts.extend(commas.map(|at| at + 1));
            // Nothing follows a trailing comma.
            parts.retain(|at| self.word(*at) != ")");
        }
        match self.word(start) {
            "not" => !self.is_built(open + 1),
            "all" => parts.into_iter().all(|part| self.is_built(part)),
            "any" => parts.into_iter().any(|part| self.is_built(part)),
            "aiter_loom" | "unix" => true,
            "target_os" => self.word(start + 2) == "\"linux\"",
            "target_has_atomic" => true,
            "target_pointer_width" => self.word(start + 2) == "\"64\"",
            "feature" => matches!(self.word(start + 2), "\"std\"" | "\"alloc\""),
            // `test` is among them: tests are in the binary, but nothing in them is weakened.
            _ => false,
        }
    }

    /// Returns the token after the item, statement, field, arm or argument that begins with this
    /// one.
    fn end_of_item(&self, mut at: usize) -> usize {
        while self.word(at) == "#" {
            at = self.pairs[&(at + 1)] + 1;
        }
        let parent = self.opened.get(at).copied().flatten();
        let mut first = at;
        while self.word(first) == "pub" {
            first += 1;
            if self.word(first) == "(" {
                first = self.pairs[&first] + 1;
            }
        }
        let is_function = self.word(first + 1) == "fn" || self.word(first + 1) == "unsafe";
        let to_semicolon = match self.word(first) {
            "use" | "let" | "static" | "type" => true,
            "const" => !is_function,
            _ => false,
        };
        let by_comma = !matches!(
            self.word(first),
            "fn" | "impl"
                | "struct"
                | "enum"
                | "trait"
                | "mod"
                | "unsafe"
                | "extern"
                | "async"
                | "const"
                | "union"
                | "macro_rules"
        );
        let mut angles = 0;
        while at < self.tokens.len() {
            match self.word(at) {
                ";" => return at + 1,
                "," if by_comma && angles <= 0 => return at + 1,
                "<" => angles += 1,
                ">" if !matches!(self.before(at, 1), "-" | "=") => angles -= 1,
                "{" if !to_semicolon => {
                    let end = self.pairs[&at] + 1;
                    return if self.word(end) == "," { end + 1 } else { end };
                }
                "(" | "[" | "{" => at = self.pairs[&at],
                ")" | "]" | "}" if parent.is_some_and(|open| self.pairs[&open] == at) => return at,
                _ => {}
            }
            at += 1;
        }
        at
    }
}
