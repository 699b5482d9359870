//! The start of a PureScript module: its name and what it imports.
//!
//! Enough to check module names before compiling, and to find the packages a source uses, without a compiler. The
//! lexical rules are those of the compiler: a block comment ends at the first `-}`, two hyphens always start a
//! comment, and what is not indented deeper than `import` belongs to the next declaration.

mod lexer;

use lexer::{Lexer, Token};

/// What a module says before its first declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleHeader {
    /// The name, such as `Data.Maybe`.
    pub name: String,
    /// The imported modules in the order of the source, each once.
    pub imports: Vec<String>,
}

/// Why the start of a module cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct HeaderError {
    /// Line, from 1.
    pub line: usize,
    /// What was expected or found.
    pub message: String,
}

/// Names that packages may not use for their modules, since every program has its own (registry spec, section 3.5).
const FORBIDDEN: &[&str] = &["Main", "Test.Main"];

impl ModuleHeader {
    /// Tells whether a package may not publish a module of this name.
    pub fn is_forbidden(&self) -> bool {
        FORBIDDEN.contains(&self.name.as_str())
    }
}

/// Reads the start of a module, up to its first declaration that is not an import.
///
/// # Errors
/// [`HeaderError`] when there is no `module NAME … where`, or an import is malformed.
pub fn parse_header(source: &str) -> Result<ModuleHeader, HeaderError> {
    let mut reader = Reader {
        lexer: Lexer::new(source),
    };
    reader.expect_word("module", "expected `module`")?;
    let name = reader.module_name()?;
    if reader.lexer.peek()? == Some(Token::Open) {
        reader.list("the export list")?;
    }
    reader.expect_word("where", "expected `where` after the module name and its exports")?;

    let mut imports = Vec::new();
    while let Some(column) = reader.next_import() {
        let import = reader.import(column)?;
        if !imports.contains(&import) {
            imports.push(import);
        }
    }
    Ok(ModuleHeader { name, imports })
}

struct Reader<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Reader<'a> {
    fn expect_word(&mut self, word: &str, message: &str) -> Result<(), HeaderError> {
        match self.lexer.next()? {
            Some(Token::Lower(found)) if found == word => Ok(()),
            found => Err(self.unexpected(message, found)),
        }
    }

    fn module_name(&mut self) -> Result<String, HeaderError> {
        match self.lexer.next()? {
            Some(Token::Module(name)) => Ok(name.to_owned()),
            found => Err(self.unexpected("expected a module name such as `Data.Maybe`", found)),
        }
    }

    /// Skips a list in parentheses. What it lists is the compiler's business.
    fn list(&mut self, what: &str) -> Result<(), HeaderError> {
        let start = self.lexer.line();
        let mut depth = 0_usize;
        loop {
            match self.lexer.next()? {
                Some(Token::Open) => depth += 1,
                Some(Token::Close) if depth <= 1 => return Ok(()),
                Some(Token::Close) => depth -= 1,
                Some(Token::Lower(word @ ("where" | "import"))) => {
                    return Err(self.lexer.error(format!("{what} is not closed before `{word}`")));
                }
                Some(_) => {}
                None => {
                    return Err(HeaderError {
                        line: start,
                        message: format!("{what} is never closed"),
                    });
                }
            }
        }
    }

    /// Takes the next `import` and returns its column; `None` at the first other declaration, whatever it holds.
    fn next_import(&mut self) -> Option<usize> {
        let Ok(Some(Token::Lower("import"))) = self.lexer.peek() else {
            return None;
        };
        let column = self.lexer.column();
        self.lexer.next().ok()?;
        Some(column)
    }

    /// `import NAME`, then perhaps `hiding`, a list, and `as ALIAS`.
    fn import(&mut self, column: usize) -> Result<String, HeaderError> {
        let name = self.module_name()?;
        let mut hiding = false;
        if self.peek_inside(column) == Some(Token::Lower("hiding")) {
            self.lexer.next()?;
            hiding = true;
        }
        match self.peek_inside(column) {
            Some(Token::Open) => self.list("the import list")?,
            found if hiding => {
                return Err(self.unexpected("expected a list in parentheses after `hiding`", found));
            }
            _ => {}
        }
        if self.peek_inside(column) == Some(Token::Lower("as")) {
            self.lexer.next()?;
            self.module_name()?;
        }
        Ok(name)
    }

    /// The next token, if its indentation says that it still belongs to the import. An unreadable one does not.
    fn peek_inside(&mut self, column: usize) -> Option<Token<'a>> {
        let inside = self.lexer.peek().is_ok() && self.lexer.column() > column;
        if inside {
            self.lexer.peek().ok().flatten()
        } else {
            None
        }
    }

    fn unexpected(&self, message: &str, found: Option<Token<'_>>) -> HeaderError {
        let found = match found {
            Some(token) => format!(", found {token}"),
            None => ", found nothing more".to_owned(),
        };
        self.lexer.error(format!("{message}{found}"))
    }
}

#[cfg(test)]
mod tests;
