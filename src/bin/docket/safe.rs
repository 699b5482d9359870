//! Makes text of others harmless before a terminal sees it.
//!
//! A log carries what compilers and package authors wrote. Escape sequences could recolour or overwrite what stands on the
//! screen, retitle the window or fill the clipboard; bidirectional controls can make a line read differently from what it is.
//! Each such character is shown as text that names it, so nothing is hidden and nothing happens.

use std::fmt::Write;

/// Returns `text` with everything but tabs and line ends made visible.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if is_harmful(c) && (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_harmful(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// Returns `text` like [`harmless`], on one line and at most `width` characters long.
pub(crate) fn harmless_line(text: &str, width: usize) -> String {
    let line = harmless(text).replace(['\n', '\t'], " ");
    if line.chars().count() <= width {
        return line;
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Control characters, and the invisible ones that change how others are shown.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_is_shown_and_does_nothing() {
        assert_eq!(harmless("\u{1b}[31mred\u{1b}[0m"), "\\x1b[31mred\\x1b[0m");
        assert_eq!(harmless("\u{9b}31m"), "\\x9b31m", "the one-character form too");
        assert_eq!(harmless("\u{1b}]0;title\u{7}"), "\\x1b]0;title\\x07");
    }

    #[test]
    fn lines_cannot_be_overwritten_or_turned_around() {
        assert_eq!(harmless("all good\rfailed"), "all good\\x0dfailed");
        assert_eq!(harmless("user\u{202e}nimda"), "user\\u{202e}nimda");
        assert_eq!(harmless("del\u{8}\u{7f}"), "del\\x08\\x7f");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = "→ Müller, 日本語 and a\ttab\nsecond line";
        assert_eq!(harmless(text), text);
        assert_eq!(harmless("windows\r\nlines"), "windows\nlines");
    }

    #[test]
    fn a_long_line_is_cut_with_a_mark() {
        assert_eq!(harmless_line("one\ntwo three", 7), "one tw…");
        assert_eq!(harmless_line("short", 7), "short");
    }
}
