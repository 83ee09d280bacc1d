//! Rows of files as texts, in columns.

use crate::bars::time::Parsed;

/// One column of the rows that were read.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) cells: Vec<Option<String>>,
    /// Dates and times that have such a type.
    pub(super) typed: Option<Vec<Option<Parsed>>>,
    /// It holds times of day by its type.
    pub(super) clock: bool,
    /// It is a field inside of another, and its name the dotted path to it.
    pub(super) nested: bool,
}

/// Rows of several files, put together.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// The file of each row.
    pub(super) file: Vec<usize>,
    /// Whether some files lack columns that others have.
    pub(super) drift: bool,
}

impl Table {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Adds the rows of a file.
    pub(super) fn append(&mut self, file: usize, columns: Vec<Column>) {
        let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or_default();
        let before = self.file.len();
        self.drift |= before > 0
            && (columns.len() != self.columns.len()
                || columns.iter().any(|column| self.position(&column.name).is_none()));
        for column in columns {
            let at = self.position(&column.name).unwrap_or_else(|| {
                let (name, clock, nested) = (column.name.clone(), column.clock, column.nested);
                let empty = Column { name, clock, nested, ..Column::default() };
                self.columns.push(Column { cells: vec![None; before], ..empty });
                self.columns.len() - 1
            });
            let known = &mut self.columns[at];
            known.cells.extend(column.cells);
            if let Some(typed) = column.typed {
                known.typed.get_or_insert_with(|| vec![None; before]).extend(typed);
            }
        }
        self.file.extend(std::iter::repeat_n(file, rows));
        let all = self.file.len();
        for column in &mut self.columns {
            column.cells.resize(all, None);
            column.typed.iter_mut().for_each(|typed| typed.resize(all, None));
        }
    }
}
