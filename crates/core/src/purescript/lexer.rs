//! The tokens that occur before the first declaration of a module.

use std::fmt;

use super::HeaderError;

/// A token, with as much detail as the header needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word that starts in lower case: keyword or name.
    Lower(&'a str),
    /// A word that starts in upper case, or several joined by dots.
    Module(&'a str),
    /// `(`
    Open,
    /// `)`
    Close,
    /// An operator, a comma, or any other character.
    Other(&'a str),
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lower(text) | Self::Module(text) | Self::Other(text) => write!(f, "`{text}`"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
        }
    }
}

/// Reads one token after the other, and knows the place of the one it stands at.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let mut lexer = Self {
            rest: source.strip_prefix('\u{feff}').unwrap_or(source),
            line: 1,
            column: 1,
        };
        // Scripts may start with `#!` lines.
        while lexer.rest.starts_with("#!") {
            lexer.skip_line();
            lexer.skip_newline();
        }
        lexer
    }

    /// Returns the line of the next token (after [`Lexer::peek`]), from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Returns the column of the next token (after [`Lexer::peek`]), from 1.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Makes an error at this place.
    pub(super) fn error(&self, message: String) -> HeaderError {
        HeaderError {
            line: self.line,
            message,
        }
    }

    /// Looks at the next token without taking it, but skips what lies before it.
    pub(super) fn peek(&mut self) -> Result<Option<Token<'a>>, HeaderError> {
        self.skip_blank()?;
        self.clone().next()
    }

    /// Takes the next token; `None` at the end of the source.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, HeaderError> {
        self.skip_blank()?;
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let token = match first {
            '(' => match span(&self.rest[1..], is_symbol) {
                // `(-->)` is the name of an operator; elsewhere the hyphens would start a comment.
                length if length > 0 && self.rest[1 + length..].starts_with(')') => {
                    Token::Other(self.take(length + 2))
                }
                _ => {
                    self.take(1);
                    Token::Open
                }
            },
            ')' => {
                self.take(1);
                Token::Close
            }
            _ if is_word_start(first) => self.word(),
            _ if is_symbol(first) => Token::Other(self.take(span(self.rest, is_symbol))),
            '"' => return Err(self.error("a text cannot stand before the first declaration".to_owned())),
            '\t' => return Err(self.error("found a tab: PureScript is indented with spaces".to_owned())),
            _ => Token::Other(self.take(first.len_utf8())),
        };
        Ok(Some(token))
    }

    /// A word; after an upper-case one, everything a dot joins to it.
    fn word(&mut self) -> Token<'a> {
        let start = self.rest;
        let mut length = 0;
        loop {
            let upper = start[length..].starts_with(char::is_uppercase);
            length += span(&start[length..], is_word);
            if !upper {
                // A lower-case word after a dot (`Data.Maybe.fromJust`) is no module, and ends the name.
                let token = self.take(length);
                return Token::Lower(token);
            }
            let next = start[length..]
                .strip_prefix('.')
                .filter(|next| next.starts_with(is_word_start));
            if next.is_none() {
                return Token::Module(self.take(length));
            }
            length += 1;
        }
    }

    fn skip_blank(&mut self) -> Result<(), HeaderError> {
        loop {
            match self.rest.as_bytes() {
                [b' ', ..] => {
                    self.take(1);
                }
                [b'\r' | b'\n', ..] => self.skip_newline(),
                [b'-', b'-', ..] => self.skip_line(),
                [b'{', b'-', ..] => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        self.take(self.rest.find(['\r', '\n']).unwrap_or(self.rest.len()));
    }

    /// `\r\n`, `\n` and a lone `\r` all end a line.
    fn skip_newline(&mut self) {
        let rest = self.rest;
        if let Some(rest) = ["\r\n", "\n", "\r"].iter().find_map(|end| rest.strip_prefix(end)) {
            self.rest = rest;
            self.line += 1;
            self.column = 1;
        }
    }

    /// Block comments do not nest: the compiler ends them at the first `-}`.
    fn skip_block_comment(&mut self) -> Result<(), HeaderError> {
        let start = self.clone();
        self.take(2);
        loop {
            let Some(end) = self.rest.find(['-', '\r', '\n']) else {
                *self = start;
                return Err(self.error("a comment is never closed with `-}`".to_owned()));
            };
            self.take(end);
            match self.rest.as_bytes() {
                [b'-', b'}', ..] => {
                    self.take(2);
                    return Ok(());
                }
                [b'-', ..] => {
                    self.take(1);
                }
                _ => self.skip_newline(),
            }
        }
    }

    /// Moves past `length` bytes, none of them a line end.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }
}

/// How many bytes at the start are characters of a kind.
fn span(text: &str, kind: fn(char) -> bool) -> usize {
    text.find(|c| !kind(c)).unwrap_or(text.len())
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '\'')
}

fn is_symbol(c: char) -> bool {
    ":!#$%&*+./<=>?@\\^|-~".contains(c) || (!c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace())
}
