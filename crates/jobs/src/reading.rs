//! Reading a job's log: page by page, filtered here and not by whoever asked, wherever its lines are (see [`crate::archive`]).

use docket_core::time::Timestamp;
use docket_db::{Error, Tx};

use crate::{
    JobId, Jobs, Level, LogError, LogLine, Order, Search,
    store::{
        archive::{self, PartRow},
        rows::{self, MAX_ROWS},
    },
};

/// About how many bytes one page of a search looks through: whoever searches a long log for what is rare goes on with the next page.
const SEARCH_BYTES: usize = 16 << 20;

/// What a row costs beside its lines, in bytes: rows may be short.
const ROW_OVERHEAD: usize = 256;

/// Which lines to read.
#[derive(Debug, Clone)]
pub struct LineFilter {
    /// Only lines with a greater `seq`.
    pub after_seq: i64,
    /// Only lines up to this `seq`.
    pub up_to_seq: i64,
    /// Only lines written at this time or later.
    pub since: Timestamp,
    /// Only lines written before this time.
    pub until: Timestamp,
    /// Only lines of this level or above.
    pub level: Level,
    /// Only lines that hold this text.
    pub search: Option<Search>,
    /// By `seq`.
    pub order: Order,
    /// How many at most.
    pub limit: usize,
    /// Whether a page may hold a few more than `limit`: the rest of what had to be read for them anyway. For those who read everything.
    pub whole_rows: bool,
}

impl LineFilter {
    /// Every line after `after_seq` of `level` or above, oldest first, at most `limit`.
    pub fn after(after_seq: i64, level: Level, limit: usize) -> Self {
        Self {
            after_seq,
            up_to_seq: i64::MAX,
            since: Timestamp::from_millis(0),
            until: Timestamp::MAX,
            level,
            search: None,
            order: Order::Ascending,
            limit,
            whole_rows: false,
        }
    }

    fn admits(&self, line: &LogLine) -> bool {
        line.seq > self.after_seq
            && line.seq <= self.up_to_seq
            && line.at >= self.since
            && line.at < self.until
            && self.wants(line)
    }

    /// True when the line has the level and holds the text.
    pub(crate) fn wants(&self, line: &LogLine) -> bool {
        line.level >= self.level
            && self
                .search
                .as_ref()
                .is_none_or(|search| search.finds(&line.message))
    }
}

/// Lines that pass a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePage {
    /// In the order of the filter.
    pub lines: Vec<LogLine>,
    /// How far the log was looked through: the next page begins behind this `seq`, or before it when the order is descending.
    pub seq: i64,
    /// Whether all that is stored was looked through. Otherwise there may be more, also when this page has no line.
    pub is_last: bool,
    /// The last line of those looked at that was removed for good, because the job ended long ago.
    pub removed_seq: Option<i64>,
}

impl Jobs {
    /// Returns a page of the lines of `job` that pass `filter`.
    ///
    /// A page costs what it holds: rows without a line of the level are not read, and a search in ascending order looks through 16 MiB at most,
    /// so a page may hold fewer lines than were asked for, or none, and not be the last.
    ///
    /// # Errors
    /// When the database or, for archived lines, the storage fails.
    pub async fn read_log(&self, job: JobId, filter: &LineFilter) -> Result<LinePage, LogError> {
        let mut page = Gathering::new(filter);
        match filter.order {
            Order::Ascending => loop {
                let mut tx = self.db().read().await?;
                let parts = archive::list(&mut tx, job, filter, page.edge).await?;
                if parts.is_empty() {
                    // In the transaction that saw no part: what follows is in rows.
                    page.read_rows(&mut tx, job).await?;
                    break;
                }
                // Storage may be slow, and connections are few.
                drop(tx);
                page.read_parts(self, job, parts).await?;
                if page.is_done() {
                    break;
                }
            },
            Order::Descending => {
                let mut tx = self.db().read().await?;
                page.read_rows(&mut tx, job).await?;
                drop(tx);
                while !page.is_done() {
                    let mut tx = self.db().read().await?;
                    let parts = archive::list(&mut tx, job, filter, page.edge).await?;
                    drop(tx);
                    if parts.is_empty() {
                        break;
                    }
                    page.read_parts(self, job, parts).await?;
                }
            }
        }
        Ok(page.into_page())
    }

    /// Returns the lines of `job` that pass `filter`, however many pages that takes.
    ///
    /// # Errors
    /// As [`Jobs::read_log`].
    pub async fn lines(&self, job: JobId, filter: &LineFilter) -> Result<Vec<LogLine>, LogError> {
        let mut filter = filter.clone();
        let mut lines = Vec::new();
        loop {
            let page = self.read_log(job, &filter).await?;
            filter.limit -= page.lines.len().min(filter.limit);
            match filter.order {
                Order::Ascending => filter.after_seq = page.seq,
                Order::Descending => filter.up_to_seq = page.seq - 1,
            }
            lines.extend(page.lines);
            if page.is_last || filter.limit == 0 {
                return Ok(lines);
            }
        }
    }
}

/// A page that grows row by row.
struct Gathering<'a> {
    filter: &'a LineFilter,
    lines: Vec<LogLine>,
    /// The last `seq` looked at.
    edge: i64,
    /// How many bytes were looked through.
    bytes: usize,
    is_full: bool,
    /// Whether an end that was set is reached.
    is_over: bool,
    removed_seq: Option<i64>,
}

impl<'a> Gathering<'a> {
    fn new(filter: &'a LineFilter) -> Self {
        let edge = match filter.order {
            Order::Ascending => filter.after_seq,
            Order::Descending => i64::MAX,
        };
        Self {
            filter,
            lines: Vec::new(),
            edge,
            bytes: 0,
            is_full: false,
            is_over: false,
            removed_seq: None,
        }
    }

    fn is_done(&self) -> bool {
        self.is_full || self.is_over
    }

    /// Reads on in the rows of the log, to its end or until the page is done.
    async fn read_rows(&mut self, tx: &mut Tx, job: JobId) -> Result<(), Error> {
        // One row may be enough, or there may be a line in each: few at first, so that a short page does not read what it has no room for.
        let mut limit = 4;
        loop {
            let rows = rows::list(tx, job, self.filter, self.edge, limit).await?;
            let is_end = rows.len() < limit;
            limit = (limit * 4).min(MAX_ROWS);
            for row in rows {
                self.take(row.decode(job)?, row.bytes());
                if self.is_done() {
                    return Ok(());
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    /// Reads on in these parts of the archive.
    async fn read_parts(&mut self, jobs: &Jobs, job: JobId, parts: Vec<PartRow>) -> Result<(), LogError> {
        for part in parts {
            match jobs.read_part(job, &part).await? {
                Some((lines, bytes)) => self.take(lines, bytes),
                None => {
                    self.removed_seq = self.removed_seq.max(Some(part.last_seq));
                    self.edge = match self.filter.order {
                        Order::Ascending => part.last_seq,
                        Order::Descending => part.first_seq,
                    };
                }
            }
            if self.is_done() {
                break;
            }
        }
        Ok(())
    }

    /// Takes what passes the filter from the lines of the next row, which are oldest first and `bytes` long.
    fn take(&mut self, mut row: Vec<LogLine>, bytes: usize) {
        let ascending = self.filter.order == Order::Ascending;
        if !ascending {
            row.reverse();
        }
        let Some((last, at)) = row.last().map(|line| (line.seq, line.at)) else {
            return;
        };
        self.is_over = ascending && (last >= self.filter.up_to_seq || at >= self.filter.until);
        for line in row {
            if !self.filter.admits(&line) {
                continue;
            }
            // One line more than fits shows that there are more.
            if self.lines.len() == self.filter.limit && !self.filter.whole_rows {
                self.edge = self.lines.last().map_or(self.edge, |line| line.seq);
                self.is_full = true;
                return;
            }
            self.lines.push(line);
        }
        self.edge = if ascending {
            last.min(self.filter.up_to_seq)
        } else {
            last.max(self.filter.after_seq)
        };
        self.bytes += bytes + ROW_OVERHEAD;
        let is_searched = self.filter.search.is_some() && ascending && self.bytes >= SEARCH_BYTES;
        self.is_full = is_searched || self.filter.whole_rows && self.lines.len() >= self.filter.limit;
    }

    fn into_page(self) -> LinePage {
        LinePage {
            lines: self.lines,
            seq: self.edge,
            is_last: !self.is_full,
            removed_seq: self.removed_seq,
        }
    }
}
