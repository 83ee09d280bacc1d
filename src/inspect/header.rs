//! Names for columns that no header names, by what they hold.

use super::time;
use crate::bars::number::read_number;

/// Names for the columns of records that have no header.
pub(super) fn names_without_header(records: &[Vec<String>]) -> Vec<String> {
    let width = records.first().map_or(0, Vec::len);
    let column = |at: usize| -> Vec<&str> {
        records.iter().take(100).filter_map(|record| record.get(at)).map(String::as_str).collect()
    };
    let mut names: Vec<String> = Vec::new();
    for at in 0..width {
        let cells = column(at);
        let named = |name: &str| names.iter().any(|known| known == name);
        let name = match () {
            () if named("open") => break,
            () if time::is_moment(&cells) && !named("time") => "time",
            () if named("time") && !named("clock") && time::is_clock(&cells) && width - at > 5 => "clock",
            () if cells.iter().all(|cell| read_number(cell).is_ok()) && at + 4 <= width => {
                names.extend(prices(&[column(at), column(at + 1), column(at + 2), column(at + 3)]).map(str::to_owned));
                if at + 4 < width {
                    names.push("volume".to_owned());
                }
                let next = column(names.len().min(width - 1));
                continue_after(&mut names, width, &next);
                return names;
            }
            () if !named("symbol") => "symbol",
            () => "",
        };
        names.push(if name.is_empty() { format!("column{}", at + 1) } else { name.to_owned() });
    }
    continue_after(&mut names, width, &[]);
    names
}

/// Names for what stands behind the volume.
fn continue_after(names: &mut Vec<String>, width: usize, next: &[&str]) {
    let binance = ["close_time", "quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"];
    let more: Vec<String> = match names.len() {
        6 if width == 12 && time::is_moment(next) => binance.map(str::to_owned).to_vec(),
        at => (at..width).map(|at| format!("column{}", at + 1)).collect(),
    };
    names.extend(more);
}

/// The order of four prices: the high is never below, and the low never above the others.
fn prices(columns: &[Vec<&str>; 4]) -> [&'static str; 4] {
    let orders = [["open", "high", "low", "close"], ["open", "close", "high", "low"], ["close", "open", "high", "low"]];
    let fits = |order: &&[&'static str; 4]| {
        let at = |name| order.iter().position(|own| *own == name).unwrap_or_default();
        let (high, low) = (at("high"), at("low"));
        let rows = columns[0].len();
        let good = |row: &usize| {
            let price = |at: usize| columns[at].get(*row).and_then(|cell| read_number(cell).ok()).unwrap_or(f64::NAN);
            (0..4).all(|at| price(high) >= price(at) && price(low) <= price(at))
        };
        (0..rows).filter(good).count() * 10 >= rows * 9
    };
    orders.iter().find(fits).copied().unwrap_or(orders[0])
}

/// Whether a cell is a number or begins with a date, as no column name does.
pub(super) fn is_data(cell: &str) -> bool {
    let cell = cell.trim();
    let date =
        cell.len() >= 8 && cell.as_bytes()[0].is_ascii_digit() && cell.bytes().filter(u8::is_ascii_digit).count() >= 6;
    date || read_number(cell).is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(line: &str) -> Vec<String> {
        let record: Vec<String> = line.split(',').map(str::to_owned).collect();
        names_without_header(&[record.clone(), record])
    }

    #[test]
    fn columns_without_a_header_are_named_by_what_they_hold() {
        assert_eq!(named("1704067200,1,3,1,2,9,7"), ["time", "open", "high", "low", "close", "volume", "column7"]);
        assert_eq!(named("2024-01-02,1,2,3,1,9"), ["time", "open", "close", "high", "low", "volume"]);
        assert_eq!(named("AAPL,20240102,093000,1,3,1,2,9")[..4], ["symbol", "time", "clock", "open"]);
        assert_eq!(named("1704067200000,1,3,1,2,9,1704067259999,1,1,1,1,0")[6..8], ["close_time", "quote_volume"]);
    }
}
