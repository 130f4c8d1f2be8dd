//! Rows of cells under a head, as markdown or for a terminal.

use std::fmt;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table that has a head and nothing else.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Table {
        Table { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. What it lacks of the head's length is left empty.
    pub fn push<S: Into<String>>(&mut self, row: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = row.into_iter().map(Into::into).collect();
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same without columns in which every cell is empty.
    #[must_use]
    pub fn without_empty_columns(self) -> Table {
        let kept: Vec<usize> = (0..self.head.len())
            .filter(|&column| self.rows.iter().any(|row| !row[column].is_empty()))
            .collect();
        let keep = |row: &Vec<String>| kept.iter().map(|&column| row[column].clone()).collect();
        Table { head: keep(&self.head), rows: self.rows.iter().map(keep).collect() }
    }

    /// As markdown. Columns whose cells begin like numbers stand to the right.
    pub fn markdown(&self) -> String {
        let line = |row: &[String]| format!("| {} |\n", row.join(" | "));
        let rule = |column| if self.is_number(column) { "---:|" } else { "---|" };
        let rules: String = (0..self.head.len()).map(rule).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}|{rules}\n{rows}", line(&self.head))
    }

    fn is_number(&self, column: usize) -> bool {
        // What is long is a sentence that begins with a number.
        let begins = |cell: &str| {
            cell.starts_with(|first: char| first.is_ascii_digit() || first == '-')
                && cell.len() < 24
        };
        let cells = || self.rows.iter().map(|row| row[column].trim_matches('*'));
        cells().all(|cell| cell.is_empty() || begins(cell)) && cells().any(|cell| !cell.is_empty())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let columns: Vec<(usize, bool)> =
            (0..self.head.len()).map(|column| (width(column), self.is_number(column))).collect();
        for row in all() {
            let cell = |(cell, &(width, number)): (&String, &(usize, bool))| {
                if number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            };
            let cells: Vec<String> = row.iter().zip(&columns).map(cell).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_empty_columns_go() {
        let mut table = Table::new(["who", "ns", "nothing"]);
        table.push(["**smd**", "9.1"]);
        table.push(["bus", "104.0"]);
        let table = table.without_empty_columns();
        assert_eq!(
            table.markdown(),
            "| who | ns |\n|---|---:|\n| **smd** | 9.1 |\n| bus | 104.0 |\n"
        );
        assert_eq!(table.to_string(), "who         ns\n**smd**    9.1\nbus      104.0\n");
    }
}
