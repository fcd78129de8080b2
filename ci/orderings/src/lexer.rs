//! Splits Rust source into tokens, without comments. It knows just enough never to mistake a
//! comment or a string for code.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Literal,
    /// A single character, also of operators that have several.
    Mark,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.peek() {
        let start = lexer.at;
        if let Some(kind) = lexer.token(first) {
            let range = start..lexer.at;
            tokens.push(Token { kind, range });
        }
    }
    tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts_with(&self, prefix: &str) -> bool {
        self.rest().starts_with(prefix)
    }

    fn skip_while(&mut self, f: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !f(c)).unwrap_or(rest.len());
    }

    /// Moves past the next occurrence of `end`, or to the end of the text.
    fn skip_past(&mut self, end: &str) {
        let rest = self.rest();
        self.at += rest.find(end).map_or(rest.len(), |at| at + end.len());
    }

    /// Consumes one token, or a comment or white space, for which there is no token.
    fn token(&mut self, first: char) -> Option<Kind> {
        if first.is_whitespace() {
            self.skip_while(char::is_whitespace);
            return None;
        }
        if self.starts_with("//") {
            self.skip_past("\n");
            return None;
        }
        if self.starts_with("/*") {
            self.block_comment();
            return None;
        }
        if let Some(kind) = self.prefixed_literal() {
            return Some(kind);
        }
        if first == '_' || first.is_alphabetic() {
            self.skip_while(is_word);
            return Some(Kind::Word);
        }
        if first.is_ascii_digit() {
            self.skip_while(is_word);
            return Some(Kind::Literal);
        }
        self.at += first.len_utf8();
        match first {
            '"' => Some(self.quoted('"')),
            '\'' => Some(self.lifetime_or_char()),
            _ => Some(Kind::Mark),
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts_with("*/") {
                depth -= 1;
                self.at += 2;
            } else if let Some(other) = self.peek() {
                self.at += other.len_utf8();
            } else {
                return;
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Strings and characters with a letter before the quote, and raw strings.
    fn prefixed_literal(&mut self) -> Option<Kind> {
        if self.starts_with("b'") {
            self.at += 2;
            return Some(self.quoted('\''));
        }
        let prefix = ["br", "cr", "r", "b", "c"]
            .into_iter()
            .find(|prefix| self.starts_with(prefix))?;
        let rest = &self.rest()[prefix.len()..];
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if !rest[hashes..].starts_with('"') || (hashes > 0 && !prefix.ends_with('r')) {
            return None;
        }
        self.at += prefix.len() + hashes + 1;
        if prefix.ends_with('r') {
            self.skip_past(&format!("\"{}", "#".repeat(hashes)));
            return Some(Kind::Literal);
        }
        Some(self.quoted('"'))
    }

    /// The rest of a literal whose opening quote has been consumed.
    fn quoted(&mut self, quote: char) -> Kind {
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == '\\' {
                self.at += self.peek().map_or(0, char::len_utf8);
            } else if c == quote {
                break;
            }
        }
        Kind::Literal
    }

    fn lifetime_or_char(&mut self) -> Kind {
        let mut rest = self.rest().chars();
        let first = rest.next();
        if first.is_some_and(is_word) && rest.next() != Some('\'') {
            self.skip_while(is_word);
            return Kind::Literal;
        }
        self.quoted('\'')
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexed(text: &str) -> Vec<&str> {
        let tokens = tokens(text);
        tokens.into_iter().map(|token| &text[token.range]).collect()
    }

    #[test]
    fn comments_leave_no_token() {
        let text = "a // Acquire \"\n/* b /* Release */ c */ d /// e\nf";
        assert_eq!(lexed(text), ["a", "d", "f"]);
    }

    #[test]
    fn a_literal_is_one_token() {
        let text = r####"x("Acquire // \" ", r#"a " b"#, 'a', '\'', b'"', 'life, b"\\", br"\", 1_u8, r"//")"####;
        let literals: Vec<_> = tokens(text)
            .into_iter()
            .filter(|token| token.kind == Kind::Literal)
            .map(|token| &text[token.range])
            .collect();
        let expected = [
            r#""Acquire // \" ""#,
            r##"r#"a " b"#"##,
            "'a'",
            r"'\''",
            r#"b'"'"#,
            "'life",
            r#"b"\\""#,
            r#"br"\""#,
            "1_u8",
            r#"r"//""#,
        ];
        assert_eq!(literals, expected);
    }

    #[test]
    fn words_that_begin_like_a_prefix_are_words() {
        assert_eq!(
            lexed("r b br c rb::c"),
            ["r", "b", "br", "c", "rb", ":", ":", "c"]
        );
    }
}
