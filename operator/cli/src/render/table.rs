//! Columns as kubectl aligns them, made to fit the terminal.

use super::{plain, style::paint};
use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: usize = 3;

/// A column: its head, and when it is left out to fit a narrow terminal. The highest rank goes first, 0 never.
pub type Column = (&'static str, u8);

/// Rows under heads.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A text in a style.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { style, ..Self::from(text.into()) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text: plain(&text).replace(['\n', '\t'], " "), style: Style::new() }
    }
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// How wide the whole table is.
    pub fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    /// The text, each column as wide as its widest cell and three spaces. On a terminal of `width` columns no line is
    /// longer: columns are left out by their rank, then the ends of lines.
    pub fn text(&self, width: Option<usize>) -> String {
        let widths = self.widths();
        let shown = self.fitting(&widths, width);
        let heads = self.columns.iter().map(|(head, _)| Cell::from((*head).to_owned())).collect::<Vec<_>>();
        let rows = std::iter::once(&heads).chain(&self.rows);
        rows.map(|row| line(row, &shown, &widths, width.unwrap_or(usize::MAX)) + "\n").collect()
    }

    fn widths(&self) -> Vec<usize> {
        let of = |(i, (head, _)): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.text.width());
            cells.max().unwrap_or(0).max(head.width())
        };
        self.columns.iter().enumerate().map(of).collect()
    }

    /// Indexes of the columns that are shown.
    fn fitting(&self, widths: &[usize], width: Option<usize>) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let rank = |i: &usize| self.columns.get(*i).map_or(0, |(_, rank)| *rank);
        let total = |shown: &[usize]| {
            shown.iter().filter_map(|i| widths.get(*i)).sum::<usize>() + GAP * shown.len().saturating_sub(1)
        };
        while width.is_some_and(|w| total(&shown) > w) {
            let highest = shown.iter().copied().max_by_key(rank);
            let Some(first) = highest.filter(|i| rank(i) > 0) else { break };
            shown.retain(|i| *i != first);
        }
        shown
    }
}

fn line(row: &[Cell], shown: &[usize], widths: &[usize], limit: usize) -> String {
    let last = shown.iter().rev().find(|i| row.get(**i).is_some_and(|c| !c.text.is_empty()));
    let (mut text, mut used) = (String::new(), 0);
    for index in shown {
        let Some(cell) = row.get(*index) else { break };
        let clipped = clip(&cell.text, limit.saturating_sub(used));
        text += &paint(cell.style, &clipped);
        if Some(index) == last {
            break;
        }
        let column = widths.get(*index).copied().unwrap_or(0) + GAP;
        let pad = column.saturating_sub(clipped.width());
        if used.saturating_add(column) >= limit {
            break;
        }
        text += &" ".repeat(pad);
        used += column;
    }
    text.truncate(text.trim_end().len());
    text
}

/// `text` in at most `width` columns; what is cut off leaves an ellipsis.
pub fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut clipped, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        clipped.push(c);
    }
    if width > 0 {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("NAME", 0), ("NODE", 2), ("AGE", 1), ("MESSAGE", 0)]);
        let row = |cells: [&str; 4]| cells.map(|c| Cell::from(c.to_owned())).to_vec();
        table.row(row(["co2", "node-1", "5s", "all is well"]));
        table.row(row(["气候", "node-12", "", "月"]));
        table
    }

    #[test]
    fn columns_fit_the_terminal() {
        insta::assert_snapshot!(table().text(None), @r"
        NAME   NODE      AGE   MESSAGE
        co2    node-1    5s    all is well
        气候   node-12         月
        ");
        assert_eq!(table().text(Some(34)), table().text(None), "it fits as it is");
        insta::assert_snapshot!(table().text(Some(30)), @r"
        NAME   AGE   MESSAGE
        co2    5s    all is well
        气候         月
        ");
        insta::assert_snapshot!(table().text(Some(14)), @r"
        NAME   MESSAGE
        co2    all is…
        气候   月
        ");
        for width in 0..40 {
            assert!(table().text(Some(width)).lines().all(|l| l.width() <= width), "{width}");
        }
    }

    #[test]
    fn what_is_cut_leaves_an_ellipsis() {
        assert_eq!((clip("abc", 3).as_str(), clip("abcd", 3).as_str(), clip("ab", 0).as_str()), ("abc", "ab…", ""));
        assert_eq!(clip("气候变化", 5), "气候…");
    }
}
