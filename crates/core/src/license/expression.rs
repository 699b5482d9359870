//! The tree of a licence expression: reading, printing.

use std::fmt;

use spdx::ParseMode;
use spdx::lexer::{Lexer, Token};

use super::LicenseError;

/// Deeper parentheses than any licence needs, and shallower than any stack.
const MAX_DEPTH: usize = 32;

/// Words are looked up by our own rules, so the lexer takes every one of them.
const MODE: ParseMode = ParseMode {
    allow_unknown: true,
    allow_deprecated: true,
    allow_postfix_plus_on_gpl: true,
    ..ParseMode::STRICT
};

/// A tree of licences. A join never directly holds a join of its own kind, so equal meanings have equal trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// One licence.
    Leaf(Leaf),
    /// Several, of which all or any one apply.
    Join(Operator, Vec<Expression>),
}

/// One licence with its exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) id: &'static str,
    pub(super) exception: Option<&'static str>,
}

/// One licence as it was written, before the rules of [`super::identifier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written<'a> {
    pub(super) id: &'a str,
    pub(super) plus: bool,
    pub(super) exception: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
}

impl Operator {
    fn token(self) -> Token<'static> {
        match self {
            Self::And => Token::And,
            Self::Or => Token::Or,
        }
    }
}

/// The rule that turns what was written into a licence.
type Rule = fn(&Written<'_>) -> Result<Leaf, LicenseError>;

impl Expression {
    pub(super) fn parse(text: &str, rule: Rule) -> Result<Self, LicenseError> {
        let tokens: Vec<Token<'_>> = Lexer::new_mode(text, MODE)
            .map(|token| token.map(|token| token.token))
            .collect::<Result<_, _>>()
            .map_err(|error| problem(text, &error.reason.to_string()))?;
        let mut reader = Reader {
            text,
            tokens: tokens.into_iter().peekable(),
            rule,
        };
        let expression = reader.join(Operator::Or, 0)?;
        match reader.tokens.next() {
            None => Ok(expression),
            Some(Token::CloseParen) => Err(problem(text, "a parenthesis is closed that was never opened")),
            Some(_) => Err(problem(text, "expected `AND`, `OR` or the end")),
        }
    }

    pub(super) fn all_of(parts: impl IntoIterator<Item = Expression>) -> Option<Self> {
        let parts: Vec<_> = parts.into_iter().collect();
        if parts.is_empty() {
            None
        } else {
            Some(Self::joined(Operator::And, parts))
        }
    }

    fn joined(operator: Operator, parts: Vec<Expression>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Join(inner, parts) if inner == operator => flat.extend(parts),
                part => flat.push(part),
            }
        }
        match <[Expression; 1]>::try_from(flat) {
            Ok([single]) => single,
            Err(flat) => Self::Join(operator, flat),
        }
    }

    pub(super) fn for_each_id(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Self::Leaf(leaf) => visit(leaf.id),
            Self::Join(_, parts) => parts.iter().for_each(|part| part.for_each_id(visit)),
        }
    }
}

struct Reader<'a, Tokens: Iterator<Item = Token<'a>>> {
    text: &'a str,
    tokens: std::iter::Peekable<Tokens>,
    rule: Rule,
}

impl<'a, Tokens: Iterator<Item = Token<'a>>> Reader<'a, Tokens> {
    fn join(&mut self, operator: Operator, depth: usize) -> Result<Expression, LicenseError> {
        let mut parts = Vec::new();
        loop {
            parts.push(match operator {
                Operator::Or => self.join(Operator::And, depth)?,
                Operator::And => self.single(depth)?,
            });
            if self.tokens.next_if_eq(&operator.token()).is_none() {
                return Ok(Expression::joined(operator, parts));
            }
        }
    }

    fn single(&mut self, depth: usize) -> Result<Expression, LicenseError> {
        let expected = "expected a licence identifier";
        let id = match self.tokens.next() {
            Some(Token::OpenParen) if depth >= MAX_DEPTH => {
                return Err(problem(self.text, "the parentheses are nested too deeply"));
            }
            Some(Token::OpenParen) => {
                let inner = self.join(Operator::Or, depth + 1)?;
                return match self.tokens.next() {
                    Some(Token::CloseParen) => Ok(inner),
                    _ => Err(problem(self.text, "a parenthesis is not closed")),
                };
            }
            Some(Token::Spdx(id)) => id.name,
            Some(Token::Unknown(id)) => id,
            Some(Token::LicenseRef { lic_ref, .. }) => {
                return Err(LicenseError::Unknown {
                    id: format!("LicenseRef-{lic_ref}"),
                });
            }
            _ => return Err(problem(self.text, expected)),
        };
        let plus = self.tokens.next_if_eq(&Token::Plus).is_some();
        let exception = match self.tokens.next_if_eq(&Token::With) {
            None => None,
            Some(_) => match self.tokens.next() {
                Some(Token::Exception(id)) => Some(id.name),
                Some(Token::Unknown(id)) => Some(id),
                _ => {
                    return Err(problem(
                        self.text,
                        "expected an exception identifier after `WITH`",
                    ));
                }
            },
        };
        (self.rule)(&Written { id, plus, exception }).map(Expression::Leaf)
    }
}

fn problem(text: &str, problem: &str) -> LicenseError {
    LicenseError::Syntax {
        text: text.chars().take(100).collect(),
        problem: problem.to_owned(),
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => write!(f, "{leaf}"),
            Self::Join(operator, parts) => {
                let word = match operator {
                    Operator::And => " AND ",
                    Operator::Or => " OR ",
                };
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        f.write_str(word)?;
                    }
                    match part {
                        // `AND` binds tighter, so only an `OR` inside an `AND` needs them.
                        Self::Join(Operator::Or, _) => write!(f, "({part})")?,
                        part => write!(f, "{part}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)?;
        match self.exception {
            Some(exception) => write!(f, " WITH {exception}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, if self.plus { "+" } else { "" })?;
        match self.exception {
            Some(exception) => write!(f, " WITH {exception}"),
            None => Ok(()),
        }
    }
}
