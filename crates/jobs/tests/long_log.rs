//! What reading promises where a log is long.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "queue/fixture.rs"]
#[allow(dead_code, reason = "shared with `queue`, which needs more of it")]
mod fixture;

use docket_jobs::{JobId, Jobs, Level, LineFilter, LinePage, Order, Run, worker::Handler};
use docket_test_support::on_both_databases;
use fixture::{Worker, enqueue, finished, job, lines, open};

/// How many lines a long log has here.
const LINES: i64 = 100_000;

/// Where its few errors are.
const ERRORS: [i64; 3] = [17, 50_000, 99_999];

/// How much of a log one page of a search looks through, in bytes; rows cost a little more than their lines.
const SEARCH_BYTES: usize = 16 << 20;

/// What each line holds besides its number: all of them are more than one page of a search looks through, and less than two.
const PADDING: usize = 200;

/// Runs a job that writes so many lines, nearly all of them DEBUG.
async fn write(jobs: &Jobs, count: i64, padding: usize) -> JobId {
    let handler = Handler::new("publish", 600, 1, move |run: Run| async move {
        for number in 1..=count {
            let level = if ERRORS.contains(&number) {
                Level::Error
            } else {
                Level::Debug
            };
            run.log
                .write(level, format!("Line {number}; {}", "x".repeat(padding)));
            if number % 1000 == 0 {
                run.log.flush().await;
            }
        }
        Ok(())
    });
    let worker = Worker::start_leasing(jobs, "writer", 60, handler);
    let id = enqueue(jobs, &job("long", &[])).await;
    finished(jobs, id).await;
    worker.stop().await;
    id
}

/// All pages, one after the other.
async fn pages(jobs: &Jobs, id: JobId, mut filter: LineFilter) -> Vec<LinePage> {
    let mut pages: Vec<LinePage> = Vec::new();
    while pages.last().is_none_or(|page| !page.is_last) {
        let page = jobs.read_log(id, &filter).await.unwrap();
        assert!(
            page.is_last || page.seq > filter.after_seq,
            "each page comes further: {filter:?}"
        );
        filter.after_seq = page.seq;
        pages.push(page);
    }
    pages
}

fn seqs(pages: &[LinePage]) -> Vec<i64> {
    let lines = pages.iter().flat_map(|page| &page.lines);
    lines.map(|line| line.seq).collect()
}

on_both_databases! {
    /// Every line is read once, in pages of exactly as many as were asked for, or of a few more for who says that this is fine.
    async fn a_long_log_is_read_page_by_page(db: TestDb) {
        let jobs = open(&db).await;
        let id = write(&jobs, LINES, PADDING).await;
        let exact = pages(&jobs, id, LineFilter::after(0, Level::Debug, 20_000)).await;
        assert_eq!(seqs(&exact), (1..=LINES).collect::<Vec<_>>());
        assert!(exact.iter().all(|page| page.lines.len() == 20_000), "the fifth page knows that it is the last");
        let whole_rows = LineFilter { whole_rows: true, ..LineFilter::after(0, Level::Debug, 20_000) };
        let whole_rows = pages(&jobs, id, whole_rows).await;
        assert_eq!(seqs(&whole_rows), (1..=LINES).collect::<Vec<_>>());
        assert!(whole_rows.iter().all(|page| page.lines.len() < 21_000));
        let end = LineFilter { order: Order::Descending, ..LineFilter::after(0, Level::Debug, 2) };
        let end = jobs.read_log(id, &end).await.unwrap();
        assert_eq!((seqs(std::slice::from_ref(&end)), end.seq, end.is_last), (vec![LINES, LINES - 1], LINES - 1, false));
        let time = |line: i64| exact[0].lines[line as usize - 1].at;
        for (since, until, expected) in [(1_500, 1_503, vec![1_500, 1_501, 1_502]), (9, 9, vec![]), (1, 2, vec![1])] {
            let part = LineFilter { since: time(since), until: time(until), ..LineFilter::after(0, Level::Debug, 10) };
            let page = jobs.read_log(id, &part).await.unwrap();
            assert_eq!((seqs(std::slice::from_ref(&page)), page.is_last), (expected.clone(), true));
            let newest_first = LineFilter { order: Order::Descending, ..part };
            let newest_first = jobs.lines(id, &newest_first).await.unwrap();
            assert_eq!(newest_first.iter().rev().map(|line| line.seq).collect::<Vec<_>>(), expected);
        }
        let part = LineFilter { up_to_seq: 1_500, ..LineFilter::after(1_490, Level::Debug, 1_000) };
        let part = jobs.read_log(id, &part).await.unwrap();
        assert_eq!((seqs(std::slice::from_ref(&part)), part.seq, part.is_last), ((1_491..=1_500).collect(), 1_500, true));
    }

    /// The few lines of a level are one page, however many others there are.
    async fn a_level_is_read_without_the_rest(db: TestDb) {
        let jobs = open(&db).await;
        let id = write(&jobs, LINES, PADDING).await;
        let errors = pages(&jobs, id, LineFilter::after(0, Level::Error, 100)).await;
        assert_eq!((seqs(&errors), errors.len()), (ERRORS.to_vec(), 1));
        let newest = LineFilter { order: Order::Descending, ..LineFilter::after(0, Level::Error, 1) };
        assert_eq!(seqs(&[jobs.read_log(id, &newest).await.unwrap()]), [ERRORS[2]]);
        let two = pages(&jobs, id, LineFilter::after(0, Level::Error, 2)).await;
        assert_eq!((seqs(&two), two.len()), (ERRORS.to_vec(), 2));
    }

    /// A search finds lines in any case of letters. One page looks through 16 MiB and says where the next one goes on.
    async fn one_page_of_a_search_looks_through_so_much_and_no_more(db: TestDb) {
        let jobs = open(&db).await;
        let id = write(&jobs, LINES, PADDING).await;
        let search = |text: &str, limit| LineFilter {
            search: Some(text.parse().unwrap()),
            ..LineFilter::after(0, Level::Debug, limit)
        };
        let near_the_end = pages(&jobs, id, search("LINE 99998;", 10)).await;
        assert_eq!((seqs(&near_the_end), near_the_end.len()), (vec![99_998], 2));
        let nowhere = pages(&jobs, id, search("line 100001", 10)).await;
        assert_eq!((seqs(&nowhere), nowhere.len()), (vec![], 2));
        let looked_through = usize::try_from(nowhere[0].seq).unwrap() * (PADDING + 30);
        assert!((SEARCH_BYTES * 9 / 10..SEARCH_BYTES * 11 / 10).contains(&looked_through), "{looked_through}");
        let many = pages(&jobs, id, search("line 9", 5_000)).await;
        assert_eq!(seqs(&many).len(), 11_111);
        assert!(many.iter().all(|page| page.lines.len() <= 5_000));
        let with_level = LineFilter { level: Level::Error, ..search("line 5", 10) };
        assert_eq!(seqs(&pages(&jobs, id, with_level).await), [50_000]);
        assert_eq!(jobs.lines(id, &search("line 99", 10_000)).await.unwrap().len(), 1_111, "who wants all gets all");
    }

    /// What fits into the work of one page is searched in one page.
    async fn a_search_in_a_shorter_log_is_one_page(db: TestDb) {
        let jobs = open(&db).await;
        let id = write(&jobs, 20_000, PADDING).await;
        let nowhere = LineFilter { search: Some("nowhere".parse().unwrap()), ..LineFilter::after(0, Level::Debug, 10) };
        let page = jobs.read_log(id, &nowhere).await.unwrap();
        assert!(page.is_last && page.lines.is_empty(), "{page:?}");
    }

    /// A watcher gets the lines it searches for and then the end, also where it searches through several pages of nothing.
    async fn a_watcher_follows_what_it_searches_for(db: TestDb) {
        let jobs = open(&db).await;
        let id = write(&jobs, LINES, PADDING).await;
        for (text, found) in [("LINE 99998;", vec![99_998]), ("nowhere", vec![])] {
            let mut tail = jobs.tail(id, 0, Level::Debug).searching(Some(text.parse().unwrap()));
            let mut seen = Vec::new();
            loop {
                let page = tail.next().await.unwrap().unwrap();
                seen.extend(page.lines.iter().map(|line| line.seq));
                if let Some(success) = page.finished {
                    assert!(success);
                    break;
                }
            }
            assert_eq!(seen, found, "{text}");
        }
        assert_eq!(lines(&jobs, id).await.len() as i64, LINES);
    }
}
