//! Finds the JSON in a text of Markdown.

use serde_json::{Map, Value};

use super::sloppy;

/// So many attempts at reading something in braces are made in one text.
const MAX_ATTEMPTS: usize = 64;

/// A text, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// What stands outside fences, without quotations of others and without what GitHub does not show.
    pub prose: String,
    /// The content of each fence.
    pub fences: Vec<String>,
}

/// An object that was found.
#[derive(Debug)]
pub(super) struct Object {
    pub fields: Map<String, Value>,
    /// Its JSON text; what was sloppy is tidied up.
    pub text: String,
    /// It was JSON as it stood.
    pub strict: bool,
}

/// Takes a text apart. A fence that is never closed ends with the text, as in Markdown.
pub(super) fn split(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut fence: Option<(char, usize, String)> = None;
    for line in without_comments(text).lines() {
        match &mut fence {
            Some((mark, length, content)) => {
                if closes(line, *mark, *length) {
                    parts.fences.push(std::mem::take(content));
                    fence = None;
                } else {
                    content.push_str(line);
                    content.push('\n');
                }
            }
            None => match opens(line) {
                Some((mark, length)) => fence = Some((mark, length, String::new())),
                // What somebody quotes was said by somebody else.
                None if line.trim_start().starts_with('>') => {}
                None => {
                    parts.prose.push_str(line);
                    parts.prose.push('\n');
                }
            },
        }
    }
    if let Some((_, _, content)) = fence {
        parts.fences.push(content);
    }
    parts
}

/// Removes `<!-- … -->`, which GitHub does not show; templates hold their hints so. One in a fence is shown, and stays.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut fence: Option<(char, usize)> = None;
    let mut hidden = false;
    for line in text.lines() {
        if !hidden {
            match fence {
                Some((mark, length)) if closes(line, mark, length) => fence = None,
                Some(_) => {}
                None => fence = opens(line),
            }
            if fence.is_some() {
                kept.push_str(line);
                kept.push('\n');
                continue;
            }
        }
        let mut rest = line;
        loop {
            let mark = if hidden { "-->" } else { "<!--" };
            let Some(at) = rest.find(mark) else { break };
            if !hidden {
                kept.push_str(&rest[..at]);
            }
            hidden = !hidden;
            rest = &rest[at + mark.len()..];
        }
        if !hidden {
            kept.push_str(rest);
        }
        kept.push('\n');
    }
    kept
}

/// Reads an opening fence: its character and length.
fn opens(line: &str) -> Option<(char, usize)> {
    let trimmed = line.trim_start_matches(' ');
    if line.len() - trimmed.len() > 3 {
        return None;
    }
    let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = trimmed.chars().take_while(|c| *c == mark).count();
    let info = &trimmed[length..];
    // Three backticks within a line of prose open nothing.
    (length >= 3 && !(mark == '`' && info.contains('`'))).then_some((mark, length))
}

fn closes(line: &str, mark: char, length: usize) -> bool {
    let trimmed = line.trim();
    trimmed.chars().count() >= length && trimmed.chars().all(|c| c == mark)
}

/// Finds the objects: those in fences first. An error says what is wrong with something in braces.
pub(super) fn objects(parts: &Parts) -> Vec<Result<Object, String>> {
    let mut attempts = MAX_ATTEMPTS;
    let regions = parts.fences.iter().chain([&parts.prose]);
    regions
        .flat_map(|region| objects_in(region, &mut attempts))
        .collect()
}

fn objects_in(region: &str, attempts: &mut usize) -> Vec<Result<Object, String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = region[at..].find('{').map(|offset| at + offset) {
        if *attempts == 0 {
            break;
        }
        *attempts -= 1;
        // Braces within strings count for nothing, unless quotes are what is sloppy here.
        let ends = [
            end_outside_strings(&region[start..]),
            end_by_count(&region[start..]),
        ];
        let Some(last) = ends.iter().flatten().max() else {
            at = start + 1;
            continue;
        };
        let read = ends
            .iter()
            .flatten()
            .find_map(|end| Some((*end, sloppy::read(&region[start..start + end]).ok()?)));
        match read {
            Some((end, object)) => {
                found.push(Ok(object));
                at = start + end;
            }
            None => {
                // Not what is inside: the location of a broken operation is no operation.
                let reason = sloppy::read(&region[start..start + last]).map(|_| String::new());
                found.push(Err(reason.unwrap_or_else(|reason| reason)));
                at = start + last;
            }
        }
    }
    if !found.iter().any(Result::is_ok)
        && let (Some(first), Some(last)) = (region.find('{'), region.rfind('}'))
        && first < last
        && let Ok(object) = sloppy::read(&region[first..=last])
    {
        return vec![Ok(object)];
    }
    found
}

/// Returns the length of the object that `text` begins with; braces in double quotes do not count.
fn end_outside_strings(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The same, where every brace counts.
fn end_by_count(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
