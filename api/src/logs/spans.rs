//! A message as a page shows it: colours of terminals as classes, and everything else that is not text made visible.

use serde::Serialize;

use super::render::is_harmless;

/// How much of a line is shown unless the whole of it is asked for, in characters.
pub(super) const SHOWN_CHARS: usize = 4_000;

/// A piece of a message that looks the same all over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Span {
    pub(super) text: String,
    /// Classes of `web/styles/log.css`; empty for plain text.
    pub(super) class: String,
}

/// What a terminal would do to the text that follows (ECMA-48, "SGR").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    /// One of the 16 colours.
    ink: Option<u8>,
    paper: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    struck: bool,
    inverse: bool,
}

impl Look {
    fn class(self) -> String {
        let (ink, paper) = match self.inverse {
            false => (self.ink, self.paper),
            true => (self.paper, self.ink),
        };
        let mut words = Vec::new();
        words.extend(ink.map(|number| format!("ink-{number}")));
        words.extend(paper.map(|number| format!("paper-{number}")));
        // Without colours of its own, what is inverse has those of the page, exchanged.
        let is_plain = self.inverse && self.ink.is_none() && self.paper.is_none();
        let named = [
            (self.bold, "bold"),
            (self.dim, "dim"),
            (self.italic, "italic"),
            (self.underline, "underline"),
            (self.struck, "struck"),
            (is_plain, "inverse"),
        ];
        words.extend(
            named
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, word)| (*word).to_owned()),
        );
        words.join(" ")
    }

    /// Takes the parameters of one sequence, such as `1;31`. What it does not know changes nothing.
    fn take(&mut self, parameters: &str) {
        let mut numbers = parameters
            .split([';', ':'])
            .map(|text| text.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.inverse = true,
                9 => self.struck = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.inverse = false,
                29 => self.struck = false,
                30..=37 => self.ink = Some((number - 30) as u8),
                39 => self.ink = None,
                40..=47 => self.paper = Some((number - 40) as u8),
                49 => self.paper = None,
                90..=97 => self.ink = Some((number - 90 + 8) as u8),
                100..=107 => self.paper = Some((number - 100 + 8) as u8),
                38 => self.ink = palette(&mut numbers),
                48 => self.paper = palette(&mut numbers),
                _ => {}
            }
        }
    }
}

/// The colour that `38` or `48` begins: one of the 16, which a page can show in light and dark. What is outside of them is left out.
fn palette(numbers: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match numbers.next()? {
        5 => numbers
            .next()
            .filter(|number| *number < 16)
            .map(|number| number as u8),
        2 => {
            numbers.nth(2);
            None
        }
        _ => None,
    }
}

/// Returns the pieces of the first `limit` characters of `message`.
pub(super) fn spans(message: &str, limit: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut add = |class: &str, text: &str| match spans.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.class == class => last.text.push_str(text),
        _ => spans.push(Span {
            text: text.to_owned(),
            class: class.to_owned(),
        }),
    };
    let (mut look, mut class) = (Look::default(), String::new());
    let mut rest = match message.char_indices().nth(limit) {
        Some((end, _)) => &message[..end],
        None => message,
    };
    while let Some(place) = rest.find(|character| !is_harmless(character)) {
        let (plain, behind) = rest.split_at(place);
        add(&class, plain);
        if let Some((parameters, behind)) = colour(behind) {
            look.take(parameters);
            class = look.class();
            rest = behind;
            continue;
        }
        let strange = behind.chars().next().expect("something was found there");
        add("escape", &strange.escape_unicode().to_string());
        rest = &behind[strange.len_utf8()..];
    }
    add(&class, rest);
    spans
}

/// Splits what follows a sequence that sets the look from its parameters.
fn colour(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("\u{1b}[")?;
    let end = text.find(|character: char| !matches!(character, '0'..='9' | ';' | ':'))?;
    Some((&text[..end], text[end..].strip_prefix('m')?))
}

/// How many characters of `message` are not shown.
pub(super) fn cut_chars(message: &str, limit: usize) -> usize {
    if message.len() <= limit {
        return 0;
    }
    message.chars().count().saturating_sub(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str) -> Vec<(String, String)> {
        let spans = spans(message, SHOWN_CHARS).into_iter();
        spans.map(|span| (span.class, span.text)).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(class, text)| ((*class).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn colours_become_classes() {
        assert_eq!(
            told("a \u{1b}[1;31mred\u{1b}[22m thin\u{1b}[0m b\u{1b}[92;44mbright\u{1b}[39;49m c"),
            pairs(&[
                ("", "a "),
                ("ink-1 bold", "red"),
                ("ink-1", " thin"),
                ("", " b"),
                ("ink-10 paper-4", "bright"),
                ("", " c")
            ])
        );
        assert_eq!(told("\u{1b}[mplain\u{1b}[0m"), pairs(&[("", "plain")]));
        assert_eq!(
            told("\u{1b}[7minverse\u{1b}[31mred"),
            pairs(&[("inverse", "inverse"), ("paper-1", "red")])
        );
    }

    #[test]
    fn colours_outside_of_the_sixteen_do_not_spoil_what_follows() {
        assert_eq!(
            told("\u{1b}[38;5;9ma\u{1b}[38;5;200mb\u{1b}[38;2;1;2;3;1mc\u{1b}[38md\u{1b}[77me"),
            pairs(&[("ink-9", "a"), ("", "b"), ("bold", "cde")])
        );
    }

    #[test]
    fn everything_else_is_shown_and_does_nothing() {
        assert_eq!(
            told("\u{1b}]0;t\u{7}\u{1b}[2J\u{202e}x\r\u{1b}[31"),
            pairs(&[
                ("escape", "\\u{1b}"),
                ("", "]0;t"),
                ("escape", "\\u{7}\\u{1b}"),
                ("", "[2J"),
                ("escape", "\\u{202e}"),
                ("", "x"),
                ("escape", "\\u{d}\\u{1b}"),
                ("", "[31")
            ])
        );
        assert_eq!(told("<b>\n\t&"), pairs(&[("", "<b>\n\t&")]));
        assert_eq!(told(""), []);
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        assert_eq!(spans("äöü", 2)[0].text, "äö");
        assert_eq!(
            [cut_chars("äöü", 2), cut_chars("äöü", 3), cut_chars("", 0)],
            [1, 0, 0]
        );
    }
}
