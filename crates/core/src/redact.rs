//! Secrets in texts: what they look like, and what stands in their place.
//!
//! Texts of others, such as what git and compilers say, may hold secrets of ours or of authors. Wherever such a text is stored or shown it passes through a
//! [`Redactor`], which knows the secrets of the configuration by value and all others by shape.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of a secret.
pub const MARK: &str = "[redacted]";

/// The shortest value that is taken for a secret: a shorter one would be found in ordinary words.
const MIN_KNOWN_BYTES: usize = 6;

/// How many lines of a private key may follow its first one.
const MAX_KEY_LINES: usize = 200;

/// Finds secrets. One without known values finds those that have a shape of their own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    /// Longest first, so that nothing is left of one that begins with another.
    known: Vec<String>,
}

/// Tells how many values it knows, and none of them.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.known.len())
    }
}

impl Redactor {
    /// Knows these values beside the shapes. Values of less than 6 bytes are left out.
    pub fn new(known: impl IntoIterator<Item = String>) -> Self {
        let mut known: Vec<String> = known
            .into_iter()
            .map(|value| value.trim().to_owned())
            .filter(|value| value.len() >= MIN_KNOWN_BYTES)
            .collect();
        known.sort_by_key(|value| std::cmp::Reverse(value.len()));
        known.dedup();
        Self { known }
    }

    /// Returns the text with [`MARK`] in the place of each secret.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for value in &self.known {
            if text.contains(value) {
                text = Cow::Owned(text.replace(value, MARK));
            }
        }
        match redact_shapes(&text) {
            Some(redacted) => Cow::Owned(redacted),
            None => text,
        }
    }
}

impl Redactor {
    /// Redacts every text in a JSON document, but not the keys.
    pub fn redact_json(&self, document: &mut Value) {
        match document {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_json(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Redacts a text that comes line by line: a private key is known by its first line.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// How many more lines may belong to a private key.
    key_lines: usize,
}

impl Lines {
    /// Returns the next line with [`MARK`] in the place of each secret; it is borrowed when there are none.
    pub fn redact<'t>(&mut self, redactor: &Redactor, line: &'t str) -> Cow<'t, str> {
        if self.key_lines > 0 && line.lines().all(is_key_line) {
            self.key_lines = if line.contains(KEY_END) {
                0
            } else {
                self.key_lines - 1
            };
            return Cow::Owned(MARK.to_owned());
        }
        let begin = line
            .rfind(KEY_BEGIN)
            .filter(|at| line[*at..].contains(PRIVATE_KEY));
        let open = begin.is_some_and(|at| !line[at..].contains(KEY_END));
        self.key_lines = if open { MAX_KEY_LINES } else { 0 };
        redactor.redact(line)
    }
}

/// How far the words may reach that say which kind of private key it is.
const MAX_LABEL_BYTES: usize = 60;

const KEY_BEGIN: &str = "-----BEGIN ";
const PRIVATE_KEY: &str = "PRIVATE KEY-----";
const KEY_END: &str = "-----END ";

/// Whether a line can be one of a private key after its first: base64, a header, its last line, or nothing.
fn is_key_line(line: &str) -> bool {
    let line = line.trim();
    let is_base64 = |char: char| char.is_ascii_alphanumeric() || "+/=".contains(char);
    line.starts_with(KEY_END)
        || line.starts_with("Proc-Type:")
        || line.starts_with("DEK-Info:")
        || line.chars().all(is_base64)
}

/// `None` when there is nothing to redact.
fn redact_shapes(text: &str) -> Option<String> {
    let (mut redacted, mut kept, mut at) = (String::new(), 0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        // Each shape begins with one of these, which are ASCII: so what is cut is text.
        let found = match bytes[at] {
            b'g' | b'A' => starts_word(bytes, at)
                .then(|| token(&text[at..]).map(|end| (0, end)))
                .flatten(),
            b'-' => private_key(&text[at..]).map(|end| (0, end)),
            b':' => user_info(text, at),
            _ => None,
        };
        let found = found.or_else(|| {
            let may_be_header = matches!(bytes[at], b'a' | b'A' | b'b' | b'B');
            (may_be_header && starts_word(bytes, at))
                .then(|| header(&text[at..]))
                .flatten()
        });
        match found {
            Some((from, to)) => {
                redacted.push_str(&text[kept..at + from]);
                redacted.push_str(MARK);
                at += to;
                kept = at;
            }
            None => at += 1,
        }
    }
    if kept == 0 {
        return None;
    }
    redacted.push_str(&text[kept..]);
    Some(redacted)
}

/// Whether no word goes on here.
fn starts_word(bytes: &[u8], at: usize) -> bool {
    at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// How many bytes at the start of `text` are such characters.
fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(*byte)).count()
}

/// Where a token ends that `text` begins with: of GitHub (classic ones and those of its apps, fine-grained ones), of GitLab, or the id of a key of AWS.
fn token(text: &str) -> Option<usize> {
    let alphanumeric = |byte: u8| byte.is_ascii_alphanumeric();
    for prefix in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            let length = run(rest, |byte| alphanumeric(byte) || byte == b'_');
            return (length >= 30).then_some(prefix.len() + length);
        }
    }
    if let Some(rest) = text.strip_prefix("github_pat_") {
        let length = run(rest, |byte| alphanumeric(byte) || byte == b'_');
        return (length >= 22).then_some("github_pat_".len() + length);
    }
    if let Some(rest) = text.strip_prefix("glpat-") {
        let length = run(rest, |byte| alphanumeric(byte) || b"_-.".contains(&byte));
        // A dot at its end is that of a sentence.
        let length = rest[..length].trim_end_matches('.').len();
        return (length >= 20).then_some("glpat-".len() + length);
    }
    let rest = text.strip_prefix("AKIA").or_else(|| text.strip_prefix("ASIA"))?;
    let length = run(rest, |byte| alphanumeric(byte) || byte == b'_');
    let is_id = length == 16
        && rest[..16]
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_id.then_some(20)
}

/// Where a private key ends that `text` begins with; without an end, that of the text.
fn private_key(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(KEY_BEGIN)?;
    let start = &rest.as_bytes()[..rest.len().min(MAX_LABEL_BYTES)];
    if !start
        .windows(PRIVATE_KEY.len())
        .any(|found| found == PRIVATE_KEY.as_bytes())
    {
        return None;
    }
    let end = text.find(KEY_END).map(|at| {
        let after = &text[at + KEY_END.len()..];
        let dashes = after.find("-----").map_or(after.len(), |dashes| dashes + 5);
        at + KEY_END.len() + dashes
    });
    Some(end.unwrap_or(text.len()))
}

/// Where user and password are in a URL whose `://` is at `at`, from there. The user of a URL alone is a token where it is of the web, but for `git`.
fn user_info(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text[at..].strip_prefix("://")?;
    let ends = |char: char| char.is_whitespace() || "/?#\"'<>\\".contains(char);
    let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
    let user = &authority[..authority.rfind('@')?];
    let scheme = |name: &str| {
        let start = at.checked_sub(name.len()).and_then(|from| text.get(from..at));
        start.is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    let of_the_web = scheme("http") || scheme("https");
    let is_secret = user.contains(':') || (of_the_web && user != "git");
    (is_secret && !user.is_empty() && user != MARK).then_some((3, 3 + user.len()))
}

/// Where the credentials are in an `Authorization` header, or behind the word `Bearer` or `Basic`, that `text` begins with.
fn header(text: &str) -> Option<(usize, usize)> {
    let starts = |word: &str| {
        let start = text.get(..word.len())?;
        start.eq_ignore_ascii_case(word).then_some(word.len())
    };
    let is_credential = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if let Some(mut from) = starts("authorization") {
        let joined = run(&text[from..], |byte| b" \t:=\"'\\>".contains(&byte));
        let is_header = text[from..from + joined].contains([':', '=']);
        from += joined;
        if !is_header {
            return None;
        }
        for scheme in ["bearer ", "basic ", "token ", "digest ", "aws4-hmac-sha256 "] {
            if text
                .get(from..from + scheme.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(scheme))
            {
                from += scheme.len();
                break;
            }
        }
        let length = run(&text[from..], is_credential);
        return (length > 0).then_some((from, from + length));
    }
    for word in ["bearer ", "basic "] {
        let Some(from) = starts(word) else { continue };
        let length = run(&text[from..], is_credential);
        let credential = &text[from..from + length];
        let has_digit = credential.bytes().any(|byte| byte.is_ascii_digit());
        return (length >= 16 && has_digit).then_some((from, from + length));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(text: &str) -> String {
        Redactor::default().redact(text).into_owned()
    }

    /// Made here, so that nobody who searches sources for secrets finds any.
    fn made(prefix: &str, letters: usize) -> String {
        format!("{prefix}{}", "aB3".repeat(letters).split_at(letters).0)
    }

    #[test]
    fn tokens_are_known_by_their_shape() {
        for token in [
            made("ghp_", 36),
            made("gho_", 36),
            made("ghs_", 36),
            made("github_pat_", 22) + "_" + &made("", 59),
            made("glpat-", 20),
            "AKIA".to_owned() + &"ABC4".repeat(4),
            "ASIA".to_owned() + &"ABC4".repeat(4),
        ] {
            for (before, after) in [("", ""), ("token ", "."), ("\"", "\""), ("ä=", "ä"), ("(", ")")] {
                let text = format!("{before}{token}{after}");
                assert_eq!(shapes(&text), format!("{before}{MARK}{after}"), "{text}");
            }
        }
    }

    #[test]
    fn what_only_looks_a_little_like_a_secret_stays() {
        for text in [
            "ghp_ is how a token begins",
            "ghp_short",
            "the option glpat-x",
            "AKIA and ASIA",
            "AKIAabcdefghijklmnop",
            "XAKIAABCDABCDABCDABCD",
            "MAKIAABC4ABC4ABC4ABC4X",
            "https://example.org/a@b",
            "ssh://git@example.org/x.git",
            "https://git@example.org/x.git",
            "a@b.example.org: see x://y",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "Basic types and bearer tokens",
            "Bearer of bad news",
            "this needs authorization: ",
            "the authorization of a request",
            "",
            "ä",
        ] {
            assert!(
                matches!(Redactor::default().redact(text), Cow::Borrowed(_)),
                "{text}"
            );
        }
    }

    #[test]
    fn users_and_passwords_leave_addresses() {
        for (text, expected) in [
            (
                "https://me:geheim@example.org/x",
                "https://[redacted]@example.org/x",
            ),
            ("postgres://me:ge@heim@db/x", "postgres://[redacted]@db/x"),
            ("https://geheim@example.org", "https://[redacted]@example.org"),
            ("HTTPS://:geheim@example.org", "HTTPS://[redacted]@example.org"),
            ("postgres://docket@db/docket", "postgres://docket@db/docket"),
            (
                "from https://a:b@c.org to https://d:e@f.org/",
                "from https://[redacted]@c.org to https://[redacted]@f.org/",
            ),
        ] {
            assert_eq!(shapes(text), expected);
        }
    }

    #[test]
    fn headers_lose_their_credentials() {
        for (text, expected) in [
            ("Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
            ("authorization: basic YTpi", "authorization: basic [redacted]"),
            (
                "{\"authorization\": \"token abc\"}",
                "{\"authorization\": \"token [redacted]\"}",
            ),
            ("AUTHORIZATION: abc def", "AUTHORIZATION: [redacted] def"),
            ("> authorization=abc", "> authorization=[redacted]"),
            ("curl -H 'Bearer abcdefgh12345678'", "curl -H 'Bearer [redacted]'"),
        ] {
            assert_eq!(shapes(text), expected);
        }
    }

    #[test]
    fn a_private_key_goes_as_a_whole() {
        let key =
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXk=\n-----END OPENSSH PRIVATE KEY-----";
        assert_eq!(shapes(&format!("a {key} b")), format!("a {MARK} b"));
        let escaped = key.replace('\n', "\\n");
        assert_eq!(shapes(&format!("\"{escaped}\"")), format!("\"{MARK}\""));
        assert_eq!(shapes(&key[..60]), MARK);
        assert_eq!(shapes("-----BEGIN PRIVATE KEY-----\nMII"), MARK);
    }

    #[test]
    fn a_private_key_is_known_line_by_line() {
        let (redactor, mut lines) = (Redactor::default(), Lines::default());
        let text = "before\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEow==\n-----END RSA PRIVATE KEY-----\nafter";
        let told: Vec<_> = text
            .lines()
            .map(|line| lines.redact(&redactor, line).into_owned())
            .collect();
        assert_eq!(told, ["before", MARK, MARK, MARK, MARK, MARK, "after"]);
        let text = "-----BEGIN PRIVATE KEY-----\nThis is no key.\nMIIEow";
        let told: Vec<_> = text
            .lines()
            .map(|line| lines.redact(&redactor, line).into_owned())
            .collect();
        assert_eq!(told, [MARK, "This is no key.", "MIIEow"]);
        // A line may hold several.
        let told = lines
            .redact(&redactor, "x\n-----BEGIN PRIVATE KEY-----\nMII")
            .into_owned();
        assert_eq!(told, format!("x\n{MARK}"));
        assert_eq!(lines.redact(&redactor, "MIIEow\n-----END PRIVATE KEY-----"), MARK);
        assert_eq!(lines.redact(&redactor, "MIIEow"), "MIIEow");
    }

    #[test]
    fn values_that_are_known_go_wherever_they_stand() {
        let redactor = Redactor::new([
            "geheim".to_owned(),
            "geheimer\n".to_owned(),
            "no".to_owned(),
            String::new(),
        ]);
        assert_eq!(
            redactor.redact("no xgeheimy, geheimer"),
            format!("no x{MARK}y, {MARK}")
        );
        assert_eq!(format!("{redactor:?}"), "Redactor(2 values)");
    }

    #[test]
    fn every_text_of_a_document_is_redacted() {
        let mut document =
            serde_json::json!({"a": ["geheim", 1, null], "b": {"geheim": "x", "c": "geheim!"}});
        Redactor::new(["geheim".to_owned()]).redact_json(&mut document);
        let expected = serde_json::json!({"a": [MARK, 1, null], "b": {"geheim": "x", "c": "[redacted]!"}});
        assert_eq!(document, expected);
    }

    #[test]
    fn a_long_text_without_secrets_is_not_copied() {
        let text = "warning: g A - : a b B in src/Main.purs at https://example.org/page ".repeat(20_000);
        assert!(matches!(Redactor::default().redact(&text), Cow::Borrowed(_)));
    }
}
