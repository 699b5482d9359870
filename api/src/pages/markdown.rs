//! Markdown of others as HTML that runs nothing, loads nothing and leads only where it says.
//!
//! Two sieves stand behind each other: what Markdown gives is changed as events (images become their texts, relative links point to where the
//! package comes from), and of the HTML that comes out of it only a list of harmless elements passes.

use std::collections::{HashMap, HashSet};

use docket_core::location::Location;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Where relative links of a README lead: the files of its package at its host.
#[derive(Debug, Clone)]
pub(super) struct Files(Option<String>);

impl Files {
    /// The files of `location` at `git_ref`.
    pub(super) fn new(location: &Location, git_ref: &str) -> Self {
        // A ref is text of others: only one that can stand in an address as it is gives links.
        let plain = |text: &str| {
            !text.is_empty()
                && !text.contains("..")
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-/+".contains(&byte))
        };
        let Location::GitHub { owner, repo, subdir } = location else {
            return Self(None);
        };
        let folder = subdir.as_deref().unwrap_or_default();
        if !plain(git_ref) || !(folder.is_empty() || plain(folder)) {
            return Self(None);
        }
        let folder = folder.trim_matches('/');
        let slash = if folder.is_empty() { "" } else { "/" };
        Self(Some(format!(
            "https://github.com/{owner}/{repo}/blob/{git_ref}/{folder}{slash}"
        )))
    }

    /// Where `target` leads; `None` when it leads nowhere.
    fn resolve(&self, target: &str) -> Option<String> {
        let target = target.trim();
        let lower = target.to_ascii_lowercase();
        if ["https://", "http://", "mailto:"]
            .iter()
            .any(|scheme| lower.starts_with(scheme))
        {
            return Some(target.to_owned());
        }
        // A scheme, another host, or a place on this page, which has none.
        let first = target.split(['/', '?', '#']).next().unwrap_or_default();
        if target.is_empty() || target.starts_with("//") || target.starts_with('#') || first.contains(':') {
            return None;
        }
        let base = self.0.as_ref()?;
        Some(format!(
            "{base}{}",
            target.trim_start_matches("./").trim_start_matches('/')
        ))
    }
}

/// Turns Markdown into HTML. Its headings begin at the third level, below those of the page.
pub(super) fn render(markdown: &str, files: &Files) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(markdown, options).map(|event| tame(event, files));
    let mut raw = String::new();
    html::push_html(&mut raw, events);
    sieve(&raw, files)
}

/// Turns a text of our own into HTML, in which each heading has a place by its words: `log-damaged` is at `#log-damaged`.
pub(super) fn render_own(markdown: &str) -> String {
    render_own_with(markdown, ToOwned::to_owned)
}

/// The same, with each link led to where `resolve` says.
pub(super) fn render_own_with(markdown: &str, resolve: impl Fn(&str) -> String) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let mut taken: HashMap<String, usize> = HashMap::new();
    for start in 0..events.len() {
        if let Event::Start(Tag::Link { dest_url, .. }) = &mut events[start] {
            *dest_url = CowStr::from(resolve(dest_url));
        }
        if !matches!(events[start], Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let words = events[start..]
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let words: String = words
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let mut place = place_of(&words);
        let before = taken.entry(place.clone()).or_default();
        if *before > 0 {
            place = format!("{place}-{before}");
        }
        *before += 1;
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
            *id = Some(CowStr::from(place));
        }
    }
    let mut text = String::new();
    html::push_html(&mut text, events.into_iter());
    // A code block that is too wide scrolls, and who has only a keyboard must reach it. A heading of a column that says nothing is none.
    text.replace("<pre>", "<pre tabindex=\"0\">")
        .replace("<th></th>", "<td></td>")
}

/// The place of a heading, by the same rule as mdBook, so that links to it hold in both.
fn place_of(words: &str) -> String {
    words
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

fn tame<'a>(event: Event<'a>, files: &Files) -> Event<'a> {
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: CowStr::from(files.resolve(&dest_url).unwrap_or_default()),
            title,
            id,
        }),
        // Its text, which follows, stays; a picture from elsewhere would tell that host who reads this.
        Event::Start(Tag::Image { .. }) => Event::Text(CowStr::Borrowed("")),
        Event::End(TagEnd::Image) => Event::Text(CowStr::Borrowed("")),
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        // Without the box, which nobody can tick here.
        Event::TaskListMarker(done) => Event::Text(CowStr::Borrowed(if done { "☑ " } else { "☐ " })),
        other => other,
    }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

fn sieve(html: &str, files: &Files) -> String {
    const TAGS: [&str; 37] = [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "samp",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    let files = files.clone();
    ammonia::Builder::new()
        .tags(HashSet::from(TAGS))
        .generic_attributes(HashSet::new())
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "title"])),
            ("ol", HashSet::from(["start"])),
        ]))
        // A code block that is too wide scrolls, and who has only a keyboard must reach it.
        .set_tag_attribute_value("pre", "tabindex", "0")
        .link_rel(Some("nofollow noopener noreferrer ugc"))
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("a", "href") => files.resolve(value).map(Into::into),
            _ => Some(value.into()),
        })
        .clean(html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(markdown: &str) -> String {
        let location = Location::github("lab", "purescript-x", None).unwrap();
        render(markdown, &Files::new(&location, "v1.0.0"))
    }

    #[test]
    fn markdown_becomes_html_below_the_headings_of_the_page() {
        let html =
            rendered("# Title\n\nSome *text* and `code`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done");
        for part in [
            "<h3>Title</h3>",
            "<em>text</em>",
            "<code>code</code>",
            "<td>1</td>",
            "☑ done",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn headings_of_our_own_texts_have_places() {
        let html = render_own("# Problems\n\n### `log-damaged`\n\nText.");
        assert!(
            html.contains("<h3 id=\"log-damaged\"><code>log-damaged</code></h3>"),
            "{html}"
        );
        assert!(html.contains("<h1 id=\"problems\">"), "{html}");
        let html = render_own("| Key | |\n| --- | --- |\n| a | b |");
        assert!(html.contains("<th>Key</th><td></td>"), "{html}");
        let html = render_own("## Where it is, and why\n\n## Twice\n\n## Twice");
        for place in ["where-it-is-and-why", "twice", "twice-1"] {
            assert!(html.contains(&format!("id=\"{place}\"")), "{html}");
        }
    }

    #[test]
    fn nothing_runs_and_nothing_loads() {
        for markdown in [
            "<script>alert(1)</script>",
            "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
            "<img src=x onerror=alert(1)>",
            "![alt](https://evil.example/x.png)",
            "<svg><script>alert(1)</script></svg>",
            "<iframe src=https://evil.example></iframe>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "<p style=\"background:url(//evil.example)\" onclick=\"x()\" id=\"main\" class=\"notice\">x</p>",
            "<form action=//evil.example><input name=q></form>",
            "<style>body{display:none}</style>",
            "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
            "<details ontoggle=alert(1) open>x</details>",
            "<base href=//evil.example><link rel=stylesheet href=//evil.example>",
            "<meta http-equiv=refresh content=0>",
            "```<img src=x onerror=alert(1)>\nx\n```",
        ] {
            let html = rendered(markdown).to_lowercase();
            // What stands outside of tags is text, whatever it looks like.
            for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
                let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
                assert!(
                    ["a", "p", "details", "pre", "code"].contains(&name),
                    "{markdown}: {html}"
                );
                for bad in ["javascript:", "data:", "style=", "class=", "id=", "src=", " on"] {
                    assert!(!tag.contains(bad), "{markdown}: {html}");
                }
            }
        }
    }

    #[test]
    fn a_picture_is_its_text() {
        let html = rendered("[![build](https://ci.example/badge.svg)](https://ci.example/job)");
        assert!(
            html.contains("href=\"https://ci.example/job\"") && html.contains(">build</a>"),
            "{html}"
        );
        assert!(!html.contains("badge.svg"), "{html}");
    }

    #[test]
    fn relative_links_lead_to_the_host() {
        for (target, leads_to) in [
            ("docs/guide.md", Some("docs/guide.md")),
            ("./docs/guide.md#part", Some("docs/guide.md#part")),
            ("/LICENSE", Some("LICENSE")),
            ("#install", None),
            ("//evil.example/x", None),
            ("vbscript:x", None),
        ] {
            let html = rendered(&format!("[x]({target})"));
            let expected =
                leads_to.map(|path| format!("https://github.com/lab/purescript-x/blob/v1.0.0/{path}"));
            match expected {
                Some(url) => assert!(html.contains(&format!("href=\"{url}\"")), "{html}"),
                None => assert!(!html.contains("href"), "{target}: {html}"),
            }
        }
        let html = rendered("<a href=\"docs/x.md\">x</a>");
        assert!(
            html.contains("https://github.com/lab/purescript-x/blob/v1.0.0/docs/x.md"),
            "{html}"
        );
    }

    #[test]
    fn a_ref_that_is_no_plain_word_gives_no_links() {
        let location = Location::github("lab", "purescript-x", Some("packages/core")).unwrap();
        let html = render("[x](y.md)", &Files::new(&location, "v1.0.0"));
        assert!(html.contains("blob/v1.0.0/packages/core/y.md"), "{html}");
        for git_ref in ["", "a\"b", "a b", "../../x", "a?b", "a#b"] {
            let html = render("[x](y.md)", &Files::new(&location, git_ref));
            assert!(!html.contains("href"), "{git_ref}: {html}");
        }
        let elsewhere = Location::git("https://git.example/x.git", None).unwrap();
        assert!(!render("[x](y.md)", &Files::new(&elsewhere, "v1.0.0")).contains("href"));
    }
}
