//! Rows as a table of text, as wide as there is room.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::escape::visible;

/// Fewest columns that a cell is cut to.
const FEWEST: usize = 8;
/// What stands for what was left out.
const CUT: &str = "…";

/// Lines of a table, and the columns that did not fit.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) lines: Vec<String>,
    pub(super) left_out: Vec<String>,
}

struct Column {
    name: String,
    cells: Vec<String>,
    is_number: bool,
    width: usize,
}

/// `batches`, of one schema and not empty, in at most `width` columns of a terminal, or as they are.
pub(super) fn grid(batches: &[RecordBatch], width: Option<usize>) -> Result<Grid, ArrowError> {
    let mut columns = columns(batches)?;
    let left_out = width.map(|width| fit(&mut columns, width)).unwrap_or_default();
    let rule: String = columns.iter().map(|column| format!("+{}", "-".repeat(column.width + 2))).collect();
    let rule = rule + "+";
    let line = |cells: &dyn Fn(&Column) -> String| {
        let cells: String = columns.iter().map(|column| format!("| {} ", padded(&cells(column), column))).collect();
        cells + "|"
    };
    let mut lines = vec![rule.clone(), line(&|column| column.name.clone()), rule.clone()];
    let rows = columns.first().map_or(0, |column| column.cells.len());
    lines.extend((0..rows).map(|row| line(&|column| column.cells[row].clone())));
    lines.push(rule);
    Ok(Grid { lines, left_out })
}

fn columns(batches: &[RecordBatch]) -> Result<Vec<Column>, ArrowError> {
    let options = FormatOptions::default().with_display_error(true);
    let schema = batches.first().map(RecordBatch::schema);
    let fields = schema.iter().flat_map(|schema| schema.fields().iter().enumerate());
    fields
        .map(|(index, field)| {
            let mut cells = Vec::new();
            for batch in batches {
                let column = ArrayFormatter::try_new(batch.column(index), &options)?;
                cells.extend((0..batch.num_rows()).map(|row| visible(&column.value(row).to_string()).into_owned()));
            }
            let name = visible(field.name()).into_owned();
            let width = cells.iter().map(|cell| cell.width()).chain([name.width()]).max().unwrap_or(0);
            Ok(Column { name, cells, is_number: field.data_type().is_numeric(), width })
        })
        .collect()
}

/// Makes the widest columns narrower, and leaves out those in the middle where that is not enough; returns their names.
fn fit(columns: &mut Vec<Column>, width: usize) -> Vec<String> {
    let taken = |columns: &[Column]| columns.iter().map(|column| column.width + 3).sum::<usize>() + 1;
    let least = |columns: &[Column]| columns.iter().map(|column| column.width.min(FEWEST) + 3).sum::<usize>() + 1;
    let mut left_out = Vec::new();
    while columns.len() > 1 && least(columns) > width {
        let middle = columns.len() / 2;
        left_out.push(columns.remove(middle).name);
    }
    left_out.reverse();
    while taken(columns) > width {
        let over = taken(columns) - width;
        let most = columns.iter().map(|column| column.width).max().unwrap_or(0);
        let next = columns.iter().map(|column| column.width).filter(|width| *width < most).max().unwrap_or(0);
        if most <= FEWEST {
            break;
        }
        let widest = columns.iter().filter(|column| column.width == most).count();
        let to = next.max(FEWEST).max(most.saturating_sub(over.div_ceil(widest)));
        // All of the widest alike: none of them is worth more than the others.
        columns.iter_mut().filter(|column| column.width == most).for_each(|column| column.width = to);
    }
    left_out
}

/// A cell in the width of its column; numbers to the right.
fn padded(cell: &str, column: &Column) -> String {
    let cell = if cell.width() > column.width { shortened(cell, column.width) } else { cell.to_owned() };
    let room = " ".repeat(column.width - cell.width());
    if column.is_number { room + &cell } else { cell + &room }
}

fn shortened(cell: &str, width: usize) -> String {
    let mut text = String::new();
    let mut taken = 0;
    for c in cell.chars() {
        let wide = c.width().unwrap_or(0);
        if taken + wide + 1 > width {
            break;
        }
        taken += wide;
        text.push(c);
    }
    text + CUT
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch() -> RecordBatch {
        let series: ArrayRef = Arc::new(StringArray::from(vec![Some("600519"), Some("贵州茅台"), None]));
        let rows: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), Some(12_345), None]));
        let message: ArrayRef = Arc::new(StringArray::from(vec!["close 1520.5 is ten times those before", "a\nb", ""]));
        let score: ArrayRef = Arc::new(Float64Array::from(vec![0.5, -1.0, f64::NAN]));
        RecordBatch::try_from_iter_with_nullable([
            ("series", series, true),
            ("rows", rows, true),
            ("message", message, true),
            ("score", score, true),
        ])
        .unwrap()
    }

    fn shown(width: Option<usize>) -> (String, Vec<String>) {
        let Grid { lines, left_out } = grid(&[batch()], width).unwrap();
        (lines.join("\n"), left_out)
    }

    #[test]
    fn without_a_width_all_is_shown() {
        insta::assert_snapshot!(shown(None).0, @r"
        +----------+-------+----------------------------------------+-------+
        | series   |  rows | message                                | score |
        +----------+-------+----------------------------------------+-------+
        | 600519   |     7 | close 1520.5 is ten times those before |   0.5 |
        | 贵州茅台 | 12345 | a\nb                                   |  -1.0 |
        |          |       |                                        |   NaN |
        +----------+-------+----------------------------------------+-------+
        ");
    }

    #[test]
    fn the_widest_column_is_cut_first() {
        let (text, left_out) = shown(Some(50));
        insta::assert_snapshot!(text, @r"
        +----------+-------+---------------------+-------+
        | series   |  rows | message             | score |
        +----------+-------+---------------------+-------+
        | 600519   |     7 | close 1520.5 is te… |   0.5 |
        | 贵州茅台 | 12345 | a\nb                |  -1.0 |
        |          |       |                     |   NaN |
        +----------+-------+---------------------+-------+
        ");
        assert_eq!(left_out, Vec::<String>::new());
    }

    #[test]
    fn where_there_is_no_room_columns_in_the_middle_are_left_out_and_named() {
        let (text, left_out) = shown(Some(24));
        assert_eq!(left_out, ["rows", "message"]);
        assert!(text.lines().all(|line| line.width() <= 24), "{text}");
    }

    #[test]
    fn every_width_is_kept_as_far_as_one_column_allows() {
        for width in 0..90 {
            let (text, _) = shown(Some(width));
            let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= width.max(FEWEST + 4), "{width}: {widest}\n{text}");
        }
    }
}
