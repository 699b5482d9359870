//! What stands on a terminal once everything that was written to it has done its work.

/// Returns the lines of the screen, without the spaces at their ends and without empty lines at the bottom.
///
/// Knows what our programs write: line ends, returns, moves up and down, the erasing of lines, and colours.
pub(crate) fn lines(written: &str) -> Vec<String> {
    let mut screen = Screen::default();
    let mut rest = written.chars();
    while let Some(char) = rest.next() {
        match char {
            '\r' => screen.column = 0,
            '\n' => screen.row += 1,
            '\u{1b}' => screen.obey(&mut rest),
            char => screen.put(char),
        }
    }
    let mut lines: Vec<String> = screen
        .rows
        .iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_owned())
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[derive(Default)]
struct Screen {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    fn row(&mut self) -> &mut Vec<char> {
        if self.rows.len() <= self.row {
            self.rows.resize(self.row + 1, Vec::new());
        }
        &mut self.rows[self.row]
    }

    fn put(&mut self, char: char) {
        let column = self.column;
        let row = self.row();
        if row.len() <= column {
            row.resize(column + 1, ' ');
        }
        row[column] = char;
        self.column += 1;
    }

    /// Reads what follows an escape character, and does it.
    fn obey(&mut self, rest: &mut impl Iterator<Item = char>) {
        assert_eq!(rest.next(), Some('['), "a sequence of another kind");
        let mut parameter = String::new();
        let command = loop {
            match rest.next().expect("a sequence has an end") {
                char if char.is_ascii_alphabetic() => break char,
                char => parameter.push(char),
            }
        };
        let count = parameter.parse().unwrap_or(1);
        match (command, parameter.as_str()) {
            ('A', _) => self.row = self.row.saturating_sub(count),
            ('B', _) => self.row += count,
            ('K', "2") => self.row().clear(),
            ('K', _) => {
                let column = self.column;
                self.row().truncate(column);
            }
            // Colours, and whether the cursor is seen.
            ('m', _) | ('h' | 'l', _) => {}
            _ => panic!("what does ESC [ {parameter} {command} do?"),
        }
    }
}

#[test]
fn what_is_written_over_is_gone() {
    assert_eq!(
        lines("one\r\ntwo\r\u{1b}[2K\u{1b}[1Athree\r\n\u{1b}[36mfour\u{1b}[0m\n"),
        ["three", "four"]
    );
}
