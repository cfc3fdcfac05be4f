//! Where everything stands on pages of A4; points from the top left.

use super::error::StatementError;
use super::font::{measure, wrap};
use super::paper::{Paper, Table};

pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 42.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Below this nothing of the tables stands.
const BOTTOM: f32 = HEIGHT - 58.0;
const TITLE: f32 = 18.0;
const HEADING: f32 = 11.0;
const BODY: f32 = 8.5;
const SMALL: f32 = 6.5;
const LINE: f32 = 12.0;
const PADDING: f32 = 3.0;

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// From the left end of its base line.
    Text { x: f32, y: f32, size: f32, text: String },
    /// A grey ground.
    Ground { x: f32, y: f32, width: f32, height: f32 },
    /// A thin line across the page.
    Rule { y: f32 },
}

/// A page's marks.
pub(super) type Page = Vec<Mark>;

/// Lays out the paper; each page has its foot and number.
///
/// # Errors
/// [`StatementError::NotInFont`].
pub(super) fn pages(paper: &Paper) -> Result<Vec<Page>, StatementError> {
    let mut sheet = Sheet { pages: vec![Vec::new()], y: MARGIN };
    sheet.y += TITLE;
    sheet.text(MARGIN, TITLE, &paper.title);
    sheet.y += 14.0;
    sheet.facts(paper)?;
    for table in &paper.tables {
        sheet.table(table)?;
    }
    let count = sheet.pages.len();
    for (number, page) in sheet.pages.iter_mut().enumerate() {
        foot(page, &paper.foot, &format!("第 {} 页 / 共 {count} 页", number + 1))?;
    }
    Ok(sheet.pages)
}

/// Across from `x`.
pub(super) const RULE: (f32, f32) = (MARGIN, MARGIN + INNER);

fn foot(page: &mut Page, words: &str, number: &str) -> Result<(), StatementError> {
    let y = HEIGHT - 40.0;
    page.push(Mark::Rule { y: y - 10.0 });
    let right = measure(number, SMALL)?;
    page.push(Mark::Text { x: MARGIN + INNER - right, y, size: SMALL, text: number.to_owned() });
    for (line, at) in wrap(words, SMALL, INNER - 80.0)?.into_iter().zip(0_u8..2) {
        page.push(Mark::Text { x: MARGIN, y: y + f32::from(at) * 9.0, size: SMALL, text: line });
    }
    Ok(())
}

struct Sheet {
    pages: Vec<Page>,
    /// How far down the last page is used.
    y: f32,
}

impl Sheet {
    fn push(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    fn text(&mut self, x: f32, size: f32, text: &str) {
        if !text.is_empty() {
            let y = self.y;
            self.push(Mark::Text { x, y, size, text: text.to_owned() });
        }
    }

    /// Two beside each other.
    fn facts(&mut self, paper: &Paper) -> Result<(), StatementError> {
        const LABEL: f32 = 64.0;
        let half = INNER / 2.0;
        for pair in paper.facts.chunks(2) {
            let mut tallest = 1;
            let top = self.y;
            for ((label, value), x) in pair.iter().zip([MARGIN, MARGIN + half]) {
                self.y = top + LINE;
                self.text(x, BODY, label);
                let lines = wrap(&value.words(), BODY, half - LABEL - 8.0)?;
                tallest = tallest.max(lines.len());
                for line in lines {
                    self.text(x + LABEL, BODY, &line);
                    self.y += LINE;
                }
            }
            self.y = lines_below(top, tallest) + 2.0;
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<(), StatementError> {
        self.y += 20.0;
        if self.y + 4.0 * LINE > BOTTOM {
            self.next_page();
        }
        self.text(MARGIN, HEADING, table.heading);
        self.y += 7.0;
        let widths = widths(table);
        self.header(table, &widths)?;
        for row in &table.rows {
            let cells: Vec<Vec<String>> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| wrap(&cell.words(), BODY, width - 2.0 * PADDING))
                .collect::<Result<_, _>>()?;
            let tallest = cells.iter().map(Vec::len).max().unwrap_or(1);
            if lines_below(self.y, tallest) + PADDING > BOTTOM {
                self.next_page();
                self.header(table, &widths)?;
            }
            self.row(table, &widths, &cells)?;
            let y = self.y;
            self.push(Mark::Rule { y });
        }
        if table.rows.is_empty() {
            self.y += LINE + PADDING;
            self.text(MARGIN + PADDING, BODY, table.empty);
        }
        Ok(())
    }

    fn next_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
    }

    fn header(&mut self, table: &Table, widths: &[f32]) -> Result<(), StatementError> {
        let (y, height) = (self.y, LINE + PADDING);
        self.push(Mark::Ground { x: MARGIN, y, width: INNER, height });
        let names: Vec<_> = table.columns.iter().map(|column| vec![column.name.to_owned()]).collect();
        self.row(table, widths, &names)
    }

    /// Draws the lines of each cell; numbers at the right.
    fn row(&mut self, table: &Table, widths: &[f32], cells: &[Vec<String>]) -> Result<(), StatementError> {
        let (top, mut x) = (self.y, MARGIN);
        for ((column, lines), width) in table.columns.iter().zip(cells).zip(widths) {
            self.y = top;
            for line in lines {
                self.y += LINE - PADDING / 2.0 + if self.y > top { PADDING / 2.0 } else { 0.0 };
                let indent = if column.numbers { width - PADDING - measure(line, BODY)? } else { PADDING };
                self.text(x + indent, BODY, line);
            }
            x += width;
        }
        let tallest = cells.iter().map(Vec::len).max().unwrap_or(1);
        self.y = lines_below(top, tallest) + PADDING;
        Ok(())
    }
}

fn lines_below(y: f32, lines: usize) -> f32 {
    y + LINE * f32::from(u16::try_from(lines).unwrap_or(u16::MAX))
}

fn widths(table: &Table) -> Vec<f32> {
    let shares: u16 = table.columns.iter().map(|column| column.share).sum();
    table.columns.iter().map(|column| INNER * f32::from(column.share) / f32::from(shares.max(1))).collect()
}
