//! Where the series of a wide table are, by its header rows. Pure.

use std::collections::BTreeSet;

use super::error::quoted;
use crate::bars::wide::{FIELD, WideTable};

/// The columns of a wide table.
#[derive(Debug)]
pub(super) struct Wide {
    /// The cells that a record has.
    pub(super) width: usize,
    /// Columns that all series have in common: name and position.
    pub(super) shared: Vec<(String, usize)>,
    /// The text fields that tell series apart.
    pub(super) levels: Vec<String>,
    /// Fields whose values stand in cells.
    pub(super) fields: Vec<String>,
    /// The series, in the order of their first columns.
    pub(super) series: Vec<Series>,
}

/// One series of a wide table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// What its text fields are, in the order of the levels.
    pub(super) names: Vec<String>,
    /// Its columns: index of the field and position.
    pub(super) cells: Vec<(usize, usize)>,
}

impl Wide {
    /// Reads the `headers` of a table, from the top; `first_line` is where they begin.
    ///
    /// # Errors
    /// No column is shared, a column has no name, or two are the same.
    pub(super) fn read(table: &WideTable, headers: &[Vec<String>], first_line: u64) -> Result<Self, String> {
        let width = headers.iter().map(Vec::len).max().unwrap_or_default();
        let cell = |row: usize, at: usize| headers[row].get(at).map_or("", String::as_str);
        let is_shared = |at: usize| {
            (0..headers.len()).map(|row| cell(row, at)).find(|name| table.shared.iter().any(|shared| shared == name))
        };
        let first = (0..width).find(|at| is_shared(*at).is_some()).ok_or_else(|| {
            let (names, wanted) = (headers.first().into_iter().flatten(), table.shared.iter());
            format!(
                "none of its columns is {}, as `[bars] time` says; line {first_line} has {}",
                quoted(wanted.map(String::as_str)),
                quoted(names.map(String::as_str))
            )
        })?;
        let shared: Vec<(String, usize)> =
            (first..width).map_while(|at| Some((is_shared(at)?.to_owned(), at))).collect();
        let levels = table.rows.iter().filter(|row| *row != FIELD).cloned().collect();
        let mut wide = Self { width, levels, fields: Vec::new(), series: Vec::new(), shared };
        for at in first + wide.shared.len()..width {
            wide.add(table, at, |row| cell(row, at), first_line)?;
        }
        Ok(wide)
    }

    fn add<'h>(
        &mut self,
        table: &WideTable,
        at: usize,
        cell: impl Fn(usize) -> &'h str,
        first_line: u64,
    ) -> Result<(), String> {
        let (mut names, mut field) = (Vec::new(), table.values.as_deref().unwrap_or_default());
        for (row, level) in table.rows.iter().enumerate() {
            let name = cell(row);
            if name.is_empty() {
                return Err(format!("column {} has no name in line {}", at + 1, first_line + row as u64));
            }
            if level == FIELD { field = name } else { names.push(name.to_owned()) }
        }
        let field = self.fields.iter().position(|known| known == field).unwrap_or_else(|| {
            self.fields.push(field.to_owned());
            self.fields.len() - 1
        });
        let series = self.series.iter().position(|series| series.names == names).unwrap_or_else(|| {
            self.series.push(Series { names, cells: Vec::new() });
            self.series.len() - 1
        });
        let series = &mut self.series[series];
        if series.cells.iter().any(|(known, _)| *known == field) {
            let name = series.names.join(", ");
            let field = &self.fields[field];
            return Err(format!("column {} is `{field}` of `{name}` once more; leave one of them out", at + 1));
        }
        series.cells.push((field, at));
        Ok(())
    }

    /// The columns of the table as if it were long: shared ones, what tells series apart, fields.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let shared = self.shared.iter().map(|(name, _)| name.as_str());
        shared.chain(self.levels.iter().chain(&self.fields).map(String::as_str))
    }

    /// Fails where two of these columns have one name.
    pub(super) fn check_distinct(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        match self.columns().find(|name| !seen.insert(*name)) {
            Some(name) => {
                Err(format!("`{name}` is what two of its columns are called, by the header and `wide`; rename one"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[&str], values: Option<&str>, headers: &[&str]) -> Result<Wide, String> {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let table = WideTable { rows: texts(rows), values: values.map(str::to_owned), shared: texts(&["Date"]) };
        let headers: Vec<Vec<String>> =
            headers.iter().map(|header| header.split(',').map(str::to_owned).collect()).collect();
        Wide::read(&table, &headers, 1)
    }

    #[test]
    fn one_header_row_names_series() {
        let wide = read(&["symbol"], Some("close"), &[",Date,AAPL,600519"]).unwrap();
        assert_eq!(wide.columns().collect::<Vec<_>>(), ["Date", "symbol", "close"]);
        let series: Vec<_> = wide.series.iter().map(|series| (series.names.join(" "), series.cells.clone())).collect();
        assert_eq!(series, [("AAPL".to_owned(), vec![(0, 2)]), ("600519".to_owned(), vec![(0, 3)])]);
    }

    #[test]
    fn several_header_rows_name_fields_and_series() {
        let wide = read(&["field", "symbol"], None, &["Price,Close,Close,Open", "Date,A,B,A"]).unwrap();
        assert_eq!(wide.columns().collect::<Vec<_>>(), ["Date", "symbol", "Close", "Open"]);
        assert_eq!(wide.series[0], Series { names: vec!["A".to_owned()], cells: vec![(0, 1), (1, 3)] });
        assert_eq!(wide.series[1], Series { names: vec!["B".to_owned()], cells: vec![(0, 2)] });
    }

    #[test]
    fn headers_that_say_too_little_or_one_thing_twice_are_reported() {
        let two = read(&["symbol"], Some("close"), &["Date,A,B,A"]).unwrap_err();
        assert_eq!(two, "column 4 is `close` of `A` once more; leave one of them out");
        assert!(read(&["symbol"], Some("close"), &["day,A"]).unwrap_err().contains("line 1 has `day`, `A`"));
        assert_eq!(read(&["symbol"], Some("close"), &["Date,A,,B"]).unwrap_err(), "column 3 has no name in line 1");
        let twice = read(&["symbol"], Some("Date"), &["Date,A"]).unwrap().check_distinct();
        assert!(twice.unwrap_err().contains("`Date`"));
    }
}
