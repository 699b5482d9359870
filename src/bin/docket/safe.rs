//! Makes text of others harmless before a terminal, or the service that runs a workflow, sees it.
//!
//! A log carries what compilers and package authors wrote. Escape sequences could recolour or overwrite what stands on the
//! screen, retitle the window or fill the clipboard; bidirectional controls can make a line read differently from what it is.
//! Each such character is shown as text that names it, so nothing is hidden and nothing happens.
//!
//! Services that run workflows obey lines of their output: GitHub those that begin with `::name::`, and older ones, Azure and
//! TeamCity whatever has `##[`, `##vso[` or `##teamcity[` in it. One character of each is shown as its number, too.

use std::fmt::Write;

/// Returns `text` with everything but tabs and line ends made visible, and without commands to whoever reads the output of workflows.
pub(crate) fn harmless(text: &str) -> String {
    let visible = visible(text);
    if !visible.contains("::") && !visible.contains("##") {
        return visible;
    }
    let mut out = String::with_capacity(visible.len() + 8);
    for line in visible.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(indent);
        out.push_str(indent);
        let rest = match rest.strip_prefix("::") {
            Some(command) if is_command(command) => {
                out.push_str("\\x3a:");
                command
            }
            _ => rest,
        };
        without_hash_commands(rest, &mut out);
    }
    out
}

/// Returns JSON that means the same and is as harmless, by escapes of its own.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut last = ' ';
    for c in json.chars() {
        // Such characters stand in strings only.
        if is_harmful(c) || (c == '#' && last == '#') {
            let _ = write!(out, "\\u{:04x}", c as u32);
        } else {
            out.push(c);
        }
        last = c;
    }
    out
}

/// Whether a line that begins with `::` and goes on like this is a command to GitHub. Types in the messages of compilers are none: behind their `::`
/// is a space.
fn is_command(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.contains("::")
}

/// Appends `text` to `out`, with the second `#` of `##[`, `##vso[` and the like as a number.
fn without_hash_commands(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find("##") {
        let (before, command) = rest.split_at(at);
        let name = command[2..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        out.push_str(before);
        if name.starts_with('[') {
            out.push_str("#\\x23");
            rest = &command[2..];
        } else {
            out.push('#');
            rest = &command[1..];
        }
    }
    out.push_str(rest);
}

fn visible(text: &str) -> String {
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
    fn commands_to_workflows_are_shown_and_not_obeyed() {
        assert_eq!(harmless("::error file=a::no"), "\\x3a:error file=a::no");
        assert_eq!(
            harmless("fine\n  ::set-output name=a::b\r\n"),
            "fine\n  \\x3a:set-output name=a::b\n"
        );
        assert_eq!(harmless("see ##[error]no"), "see #\\x23[error]no");
        assert_eq!(
            harmless("##vso[task.x] ##teamcity[y]"),
            "#\\x23vso[task.x] #\\x23teamcity[y]"
        );
        assert_eq!(harmless("###[a]"), "##\\x23[a]", "wherever the two are found");
        for text in [
            "value\n  :: forall a. (a :: Type)",
            "a ::b:: c",
            "## Heading",
            "::",
        ] {
            assert_eq!(harmless(text), text);
        }
        assert_eq!(harmless(&harmless("::a::\n##[b]")), harmless("::a::\n##[b]"));
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "a": "##[error] \u{9b}31m \u{202e} \u{1b}[0m ü" });
        let text = harmless_json(&value.to_string());
        assert!(
            !text.contains("##") && !text.contains(['\u{9b}', '\u{202e}', '\u{1b}']),
            "{text}"
        );
        assert!(text.contains('ü'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_long_line_is_cut_with_a_mark() {
        assert_eq!(harmless_line("one\ntwo three", 7), "one tw…");
        assert_eq!(harmless_line("short", 7), "short");
    }
}
