//! Wide tables: dates by tickers, and tables whose header rows name fields and tickers.

use super::columns::usual;
use super::header::is_data;

/// A wide table, as rows of a long one.
pub(super) struct Long {
    /// `wide` as jobs write it.
    pub(super) setting: &'static str,
    /// Header rows that `wide` speaks of.
    pub(super) heads: usize,
    /// The names of the columns of the long table.
    pub(super) columns: Vec<String>,
    pub(super) records: Vec<Vec<String>>,
}

/// What a column of the wide table is.
struct Cell {
    at: usize,
    symbol: String,
    field: usize,
}

/// The long table that `records` under the header rows `heads` are, where they are a wide one.
pub(super) fn find(heads: &[Vec<String>], records: &[Vec<String>]) -> Option<Long> {
    two_rows(heads, records).or_else(|| one_row(heads, records))
}

/// One header row names the fields, the other the tickers.
fn two_rows(heads: &[Vec<String>], records: &[Vec<String>]) -> Option<Long> {
    let [first, second, ..] = heads else { return None };
    let is_fields = |row: &[String]| {
        let names: Vec<Option<&str>> = row.iter().skip(1).map(|name| usual(name)).collect();
        ["open", "high", "low", "close"].iter().all(|field| names.contains(&Some(field)))
    };
    let (fields, symbols, setting) = match (is_fields(first), is_fields(second)) {
        (true, false) => (first, second, "[\"field\", \"symbol\"]"),
        (false, true) => (second, first, "[\"symbol\", \"field\"]"),
        _ => return None,
    };
    let shared = [first, second].into_iter().filter_map(|row| row.first()).find(|name| !name.is_empty())?.clone();
    let mut names: Vec<String> = Vec::new();
    let mut cells = Vec::new();
    for at in 1..fields.len().min(symbols.len()) {
        let field = names.iter().position(|name| *name == fields[at]).unwrap_or_else(|| {
            names.push(fields[at].clone());
            names.len() - 1
        });
        cells.push(Cell { at, symbol: symbols[at].clone(), field });
    }
    let alone = cells.iter().all(|cell| cell.symbol == cells[0].symbol);
    // The fields of one ticker need no wide table, and each column must have a ticker.
    if alone || cells.iter().any(|cell| cell.symbol.is_empty()) {
        return None;
    }
    Some(long(setting, 2, (shared, names), &cells, records))
}

/// The only header row names tickers, and each cell is a close.
fn one_row(heads: &[Vec<String>], records: &[Vec<String>]) -> Option<Long> {
    let [head] = heads else { return None };
    let (shared, symbols) = head.split_first()?;
    let is_ticker = |name: &String| {
        let sign = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b".-^=/_".contains(&byte);
        (1..=12).contains(&name.len()) && name.bytes().all(sign) && usual(name).is_none()
    };
    let is_number = |cell: &String| cell.is_empty() || cell.parse::<f64>().is_ok();
    let fits = symbols.len() >= 2
        && !shared.is_empty()
        && symbols.iter().all(is_ticker)
        && records.iter().all(|record| record.first().is_some_and(|cell| is_data(cell)))
        && records.iter().flat_map(|record| record.iter().skip(1)).all(is_number);
    let cells: Vec<Cell> =
        symbols.iter().enumerate().map(|(at, symbol)| Cell { at: at + 1, symbol: symbol.clone(), field: 0 }).collect();
    let names = (shared.clone(), vec!["close".to_owned()]);
    fits.then(|| long("{ names = \"symbol\", values = \"close\" }", 1, names, &cells, records))
}

/// A row for each ticker that has a value.
fn long(
    setting: &'static str,
    heads: usize,
    (shared, fields): (String, Vec<String>),
    cells: &[Cell],
    records: &[Vec<String>],
) -> Long {
    let mut symbols: Vec<&str> = Vec::new();
    for cell in cells {
        if !symbols.contains(&cell.symbol.as_str()) {
            symbols.push(&cell.symbol);
        }
    }
    let mut out = Vec::new();
    for record in records {
        for symbol in &symbols {
            let mut row = vec![record.first().cloned().unwrap_or_default(), (*symbol).to_owned()];
            row.resize(2 + fields.len(), String::new());
            for cell in cells.iter().filter(|cell| cell.symbol == *symbol) {
                row[2 + cell.field] = record.get(cell.at).cloned().unwrap_or_default();
            }
            if row.iter().skip(2).any(|cell| !cell.is_empty()) {
                out.push(row);
            }
        }
    }
    let columns = [shared, "symbol".to_owned()].into_iter().chain(fields).collect();
    Long { setting, heads, columns, records: out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    fn found(heads: &str, body: &str) -> Option<(&'static str, String, String)> {
        let long = find(&table(heads), &table(body))?;
        Some((long.setting, long.columns.join(","), long.records[0].join(",")))
    }

    #[test]
    fn header_rows_may_name_fields_and_tickers_in_either_order() {
        let body = "2024-01-02,1,2,3,4,5,6,7,8";
        let one = found("Price,Open,Open,High,High,Low,Low,Close,Close\nTicker,A,B,A,B,A,B,A,B", body).unwrap();
        assert_eq!(one.0, "[\"field\", \"symbol\"]");
        assert_eq!((one.1.as_str(), one.2.as_str()), ("Price,symbol,Open,High,Low,Close", "2024-01-02,A,1,3,5,7"));
        let other = found("Ticker,A,A,A,A,B,B,B,B\nPrice,Open,High,Low,Close,Open,High,Low,Close", body).unwrap();
        assert_eq!((other.0, other.2.as_str()), ("[\"symbol\", \"field\"]", "2024-01-02,A,1,2,3,4"));
        assert!(found("Price,Open,High,Low,Close\nTicker,A,A,A,A", body).is_none(), "one ticker");
    }

    #[test]
    fn dates_by_tickers_are_closes() {
        let closes = found("Date,AAPL,BRK-B", "2024-01-02,186.4,\n2024-01-03,185,357").unwrap();
        assert_eq!(closes.0, "{ names = \"symbol\", values = \"close\" }");
        assert_eq!((closes.1.as_str(), closes.2.as_str()), ("Date,symbol,close", "2024-01-02,AAPL,186.4"));
        assert!(found("Date,O,H,L,C", "2024-01-02,1,2,3,4").is_none());
        assert!(found("Date,price,size", "2024-01-02,1,2").is_none());
        assert!(found("Date,AAPL,NAME", "2024-01-02,1,Apple").is_none());
    }
}
