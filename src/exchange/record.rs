//! Records of a file before anything is known of their table.

/// One record: its cells as text, and the line where it starts.
#[derive(Debug, Default)]
pub struct Record {
    /// Header = 1. In a sheet, the number of the row.
    pub line: u64,
    /// Holds bytes that are no UTF-8 (or a NUL, which no text may hold); the cells are then of no use.
    pub bad_encoding: bool,
    text: String,
    ends: Vec<usize>,
}

impl Record {
    /// Empties the record for the next one, keeping its memory.
    pub(super) fn begin(&mut self, line: u64) {
        self.line = line;
        self.bad_encoding = false;
        self.text.clear();
        self.ends.clear();
    }

    /// Adds a cell.
    pub(super) fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no cell at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cell at `index`; empty where there is none.
    pub fn cell(&self, index: usize) -> &str {
        let Some(&end) = self.ends.get(index) else { return "" };
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..end).unwrap_or("")
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.cell(index))
    }
}
