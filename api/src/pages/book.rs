//! `GET /book/…`: the documentation. Its pages are the files of `docs/` that mdBook makes a book of, in the order of `docs/SUMMARY.md`.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, header},
    response::Redirect,
    routing::get,
};

use super::{
    Card, FixedText,
    fixed::{Content, Fixed},
    markdown,
};
use crate::ApiState;

/// A page of the book.
struct Source {
    /// Where it lies below `docs/`.
    path: &'static str,
    markdown: &'static str,
}

macro_rules! source {
    ($path:literal) => {
        Source {
            path: $path,
            markdown: include_str!(concat!("../../../docs/", $path)),
        }
    };
}

const SUMMARY: &str = include_str!("../../../docs/SUMMARY.md");

static SOURCES: &[Source] = &[
    source!("index.md"),
    source!("tutorial.md"),
    source!("deployment.md"),
    source!("how-to/scale-out.md"),
    source!("backup.md"),
    source!("how-to/import.md"),
    source!("how-to/github.md"),
    source!("how-to/compilers.md"),
    source!("reference/configuration.md"),
    source!("command-line.md"),
    source!("reference/docketd.md"),
    source!("reference/docket.md"),
    source!("reference/api.md"),
    source!("logs.md"),
    source!("server-log.md"),
    source!("reference/metrics.md"),
    source!("problems.md"),
    source!("explanation/architecture.md"),
    source!("jobs.md"),
    source!("explanation/trust.md"),
    source!("storage.md"),
    source!("benchmarks/README.md"),
    source!("benchmarks/queue.md"),
    source!("benchmarks/queue-profile.md"),
    source!("benchmarks/registry.md"),
    source!("benchmarks/log.md"),
    source!("benchmarks/watch.md"),
    source!("benchmarks/pages.md"),
    source!("benchmarks/soak.md"),
    source!("benchmarks/footprint.md"),
];

/// A chart on a page.
struct Chart {
    /// Where it lies below `docs/`.
    path: &'static str,
    bytes: &'static [u8],
}

macro_rules! chart {
    ($path:literal) => {
        Chart {
            path: $path,
            bytes: include_bytes!(concat!("../../../docs/", $path)),
        }
    };
}

static CHARTS: &[Chart] = &[
    chart!("benchmarks/log-append.svg"),
    chart!("benchmarks/log-read.svg"),
    chart!("benchmarks/queue-cpu.svg"),
    chart!("benchmarks/queue-enqueue.svg"),
    chart!("benchmarks/queue-rate.svg"),
    chart!("benchmarks/soak.svg"),
    chart!("benchmarks/watch-latency.svg"),
];

pub(super) fn routes() -> Router<ApiState> {
    let router = Router::new().route("/book", get(|| async { Redirect::permanent("/book/") }));
    let router = CHARTS.iter().fold(router, |router, chart| {
        let fixed = Arc::new(Fixed::new(|| Content {
            headers: vec![
                (header::CONTENT_TYPE, "image/svg+xml"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            bytes: Bytes::from_static(chart.bytes),
        }));
        router.route(
            &format!("/book/{}", chart.path),
            get(async move |headers: HeaderMap| fixed.answer(&headers).await),
        )
    });
    SOURCES.iter().fold(router, |router, source| {
        let fixed = Arc::new(FixedText::new(source.markdown, || source.template()));
        router.route(
            &address(source.path),
            get(async move |headers: HeaderMap| fixed.answer(&headers).await),
        )
    })
}

/// Where a page is: `how-to/import.md` at `/book/how-to/import`.
fn address(path: &str) -> String {
    let path = path.strip_suffix(".md").unwrap_or(path);
    let path = match path.rsplit_once('/') {
        Some((folder, "README")) => format!("{folder}/"),
        _ if path == "index" => String::new(),
        _ => path.to_owned(),
    };
    format!("/book/{path}")
}

/// A chapter, as the summary lists it.
#[derive(Debug, PartialEq, Eq)]
struct Chapter {
    title: &'static str,
    path: &'static str,
    /// Whether it is part of the chapter before it.
    is_inner: bool,
}

/// Chapters under a common heading, which the first ones lack.
struct Part {
    title: &'static str,
    chapters: Vec<Chapter>,
}

/// Reads the summary: headings, and lines such as `- [Title](path.md)`.
fn parts() -> Vec<Part> {
    let mut parts = vec![Part {
        title: "",
        chapters: Vec::new(),
    }];
    for line in SUMMARY.lines().filter(|line| *line != "# Summary") {
        if let Some(title) = line.strip_prefix("# ") {
            parts.push(Part {
                title,
                chapters: Vec::new(),
            });
        }
        let item = line.trim_start().trim_start_matches("- ");
        let link = item.strip_prefix('[').and_then(|rest| rest.strip_suffix(')'));
        if let Some((title, path)) = link.and_then(|link| link.split_once("](")) {
            let chapters = &mut parts.last_mut().expect("there is a first part").chapters;
            chapters.push(Chapter {
                title,
                path,
                is_inner: line.starts_with(' '),
            });
        }
    }
    parts
}

#[derive(Template)]
#[template(path = "book.html")]
struct BookTemplate {
    card: Card,
    parts: Vec<PartView>,
    html: String,
    previous: Option<ChapterView>,
    next: Option<ChapterView>,
}

struct PartView {
    title: &'static str,
    chapters: Vec<ChapterView>,
}

#[derive(Clone)]
struct ChapterView {
    title: &'static str,
    address: String,
    is_inner: bool,
    is_here: bool,
}

impl Source {
    fn template(&self) -> BookTemplate {
        let view = |chapter: &Chapter| ChapterView {
            title: chapter.title,
            address: address(chapter.path),
            is_inner: chapter.is_inner,
            is_here: chapter.path == self.path,
        };
        let parts: Vec<_> = parts()
            .iter()
            .map(|part| PartView {
                title: part.title,
                chapters: part.chapters.iter().map(view).collect(),
            })
            .collect();
        let chapters: Vec<_> = parts.iter().flat_map(|part| &part.chapters).cloned().collect();
        let here = chapters.iter().position(|chapter| chapter.is_here);
        let here = here.expect("the summary lists every page");
        BookTemplate {
            card: Card {
                title: chapters[here].title.to_owned(),
                about: "The documentation of Docket, a package registry that shows its work.".to_owned(),
            },
            html: markdown::render_own_with(self.markdown, |target| self.resolve(target)),
            previous: here.checked_sub(1).map(|before| chapters[before].clone()),
            next: chapters.get(here + 1).cloned(),
            parts,
        }
    }

    /// Where a link of this page leads on a server. Links between pages name files, as mdBook wants them.
    fn resolve(&self, target: &str) -> String {
        let (path, place) = match target.split_once('#') {
            Some((path, place)) => (path, format!("#{place}")),
            None => (target, String::new()),
        };
        if path.is_empty() || path.starts_with('/') || path.contains(':') {
            return target.to_owned();
        }
        let mut folders: Vec<_> = self.path.split('/').collect();
        folders.pop();
        for part in path.split('/') {
            match part {
                ".." => drop(folders.pop()),
                "." => {}
                part => folders.push(part),
            }
        }
        let path = folders.join("/");
        if path == "openapi.json" {
            return format!("/{path}");
        }
        format!("{}{place}", address(&path))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_summary_lists_exactly_the_pages_of_the_book() {
        let listed: Vec<_> = parts()
            .iter()
            .flat_map(|part| part.chapters.iter().map(|chapter| chapter.path))
            .collect();
        let ours: Vec<_> = SOURCES.iter().map(|source| source.path).collect();
        assert_eq!(listed, ours, "SOURCES in the order of docs/SUMMARY.md");
    }

    #[test]
    fn a_page_is_where_its_file_is() {
        for (path, at) in [
            ("index.md", "/book/"),
            ("how-to/import.md", "/book/how-to/import"),
            ("benchmarks/README.md", "/book/benchmarks/"),
        ] {
            assert_eq!(address(path), at);
        }
    }

    /// The values of an attribute.
    fn values<'a>(html: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
        let start = format!("{attribute}=\"");
        let rests: Vec<_> = html.split(&start).skip(1).collect();
        rests.into_iter().filter_map(|rest| rest.split('"').next())
    }

    /// Links to other sites cannot be checked here; all others lead to a page, and to a place on it.
    #[test]
    fn every_link_between_pages_leads_somewhere() {
        let pages: BTreeMap<String, String> = SOURCES
            .iter()
            .map(|source| (address(source.path), source.template().html))
            .collect();
        let beside = ["/openapi.json", "/docs", "/docs/problems"];
        for (page, html) in &pages {
            let places: Vec<_> = values(html, "id").collect();
            let distinct: BTreeSet<_> = places.iter().collect();
            assert_eq!(places.len(), distinct.len(), "{page}: two places of one name");
            // Charts lie beside their page, as its links say.
            let (folder, _) = page.rsplit_once('/').expect("an address has a slash");
            for chart in values(html, "src").map(|name| format!("{folder}/{name}")) {
                let is_ours = |ours: &Chart| format!("/book/{}", ours.path) == chart;
                assert!(CHARTS.iter().any(is_ours), "{page} shows {chart}");
            }
            for link in values(html, "href").filter(|link| !link.contains("://")) {
                let (path, place) = link.split_once('#').unwrap_or((link, ""));
                let path = if path.is_empty() { page } else { path };
                if beside.contains(&path) {
                    continue;
                }
                let there = pages
                    .get(path)
                    .unwrap_or_else(|| panic!("{page} leads to {link}"));
                assert!(
                    place.is_empty() || there.contains(&format!("id=\"{place}\"")),
                    "{page} leads to {link}"
                );
            }
        }
    }
}
