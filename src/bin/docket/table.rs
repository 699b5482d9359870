//! Tables for people: columns as wide as what stands in them.

use console::measure_text_width;

use crate::safe::harmless_line;

/// No cell is wider: a name of a thousand letters would push everything else off the screen.
const MAX_CELL: usize = 400;
/// What stands between two columns.
const GAP: &str = "  ";

/// Rows below a head.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without rows.
    pub(crate) fn new<const COLUMNS: usize>(head: [&'static str; COLUMNS]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, which has as many cells as the head.
    pub(crate) fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        assert_eq!(COLUMNS, self.head.len(), "every row has the columns of the head");
        self.rows
            .push(cells.iter().map(|cell| harmless_line(cell, MAX_CELL)).collect());
    }

    /// Takes a column away in which nothing of interest stands.
    pub(crate) fn remove(&mut self, title: &str) {
        let Some(column) = self.head.iter().position(|&own| own == title) else {
            return;
        };
        self.head.remove(column);
        self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
    }

    /// Returns the head and the rows, cut to `width` columns if there is one.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let head: Vec<String> = self.head.iter().map(|&title| title.to_owned()).collect();
        let rows = || std::iter::once(&head).chain(&self.rows);
        let last = head.len() - 1;
        let widths: Vec<usize> = (0..last)
            .map(|column| {
                rows()
                    .map(|row| measure_text_width(&row[column]))
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        rows()
            .map(|row| {
                let mut line = String::new();
                for (cell, width) in row.iter().zip(&widths) {
                    let padding = width - measure_text_width(cell);
                    line.push_str(cell);
                    line.extend(std::iter::repeat_n(' ', padding));
                    line.push_str(GAP);
                }
                let left = width.map_or(MAX_CELL, |width| {
                    width.saturating_sub(measure_text_width(&line)).max(8)
                });
                line.push_str(&cut(&row[last], left));
                line.trim_end().to_owned()
            })
            .collect()
    }
}

/// Cuts a text to `width` columns, with a mark.
fn cut(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for char in text.chars() {
        used += measure_text_width(char.encode_utf8(&mut [0; 4]));
        if used >= width {
            break;
        }
        out.push(char);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["NAME", "ABOUT"]);
        table.row(["slug".to_owned(), "Turns text into slugs".to_owned()]);
        table.row(["日本".to_owned(), "two\nlines \u{1b}[31m".to_owned()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        assert_eq!(
            table().lines(None),
            [
                "NAME  ABOUT",
                "slug  Turns text into slugs",
                "日本  two lines \\x1b[31m"
            ]
        );
    }

    #[test]
    fn on_a_screen_the_last_column_is_cut() {
        assert_eq!(
            table().lines(Some(16)),
            ["NAME  ABOUT", "slug  Turns tex…", "日本  two lines…"]
        );
        assert_eq!(
            table().lines(Some(3))[1],
            "slug  Turns t…",
            "a few letters always stand there"
        );
    }
}
