//! Which column is which field, by its name.

use super::table::{Column, Table};
use super::time::Found;
use crate::bars::number::read_number;

/// Which columns the fields are.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    pub(super) symbol: Option<usize>,
    /// Usual names and the columns that hold them.
    pub(super) fields: Vec<(&'static str, usize)>,
}

impl Roles {
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, at)| *at)
    }
}

const SYMBOL: &[&str] = &[
    "symbol",
    "ticker",
    "tscode",
    "code",
    "instrument",
    "sym",
    "secid",
    "pair",
    "stock",
    "股票代码",
    "证券代码",
    "代码",
    "合约代码",
    "name",
];
const FIELDS: [(&str, &[&str]); 6] = [
    ("open", &["open", "openprice", "o", "erster", "eröffnung", "开盘", "开盘价", "openpr", "opn"]),
    ("high", &["high", "highprice", "h", "hoch", "最高", "最高价", "max"]),
    ("low", &["low", "lowprice", "l", "tief", "最低", "最低价", "min"]),
    ("close", &["close", "closeprice", "c", "schlusskurs", "schluss", "收盘", "收盘价", "last", "price"]),
    (
        "volume",
        &[
            "volume",
            "vol",
            "v",
            "tickvol",
            "stuecke",
            "stücke",
            "成交量",
            "ttltrdqnty",
            "qty",
            "tradedvolume",
            "tickvolume",
            "volumen",
        ],
    ),
    ("amount", &["amount", "turnover", "成交额"]),
];

/// A name without case, blanks and signs, and without the number that some interfaces put before it (`1. open`).
fn plain(name: &str) -> String {
    let behind = name.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = if behind.len() < name.len() { behind.strip_prefix(". ").unwrap_or(name) } else { name };
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The field that a column of this name usually is.
pub(super) fn usual(name: &str) -> Option<&'static str> {
    let name = plain(name);
    FIELDS.iter().find(|(_, usual)| usual.contains(&name.as_str())).map(|(field, _)| *field)
}

/// Which columns the fields are, by their names.
pub(super) fn assign(table: &Table) -> Roles {
    let own = |column: &Column| {
        let name = column.name.rsplit('.').next().filter(|_| column.nested);
        plain(name.unwrap_or(&column.name))
    };
    let names: Vec<String> = table.columns.iter().map(own).collect();
    let called = |usual: &&str| names.iter().position(|name| name == usual);
    let mut fields: Vec<(&'static str, usize)> = Vec::new();
    for (field, usual) in FIELDS {
        let candidates: Vec<usize> = usual.iter().filter_map(called).collect();
        let mut found = candidates.iter().copied().find(|at| !all_zero(table, *at)).or(candidates.first().copied());
        if field == "volume" && found.is_none() {
            found = names.iter().position(|name| name.starts_with("volume"));
        }
        fields.extend(found.filter(|at| !fields.iter().any(|(_, other)| other == at)).map(|at| (field, at)));
    }
    let codes = |at: &usize| {
        let cells = table.columns[*at].cells.iter().flatten();
        names[*at] != "name" || cells.take(50).all(|cell| !cell.contains(' ') && cell.len() <= 12)
    };
    Roles { symbol: SYMBOL.iter().filter_map(called).find(codes), fields }
}

fn all_zero(table: &Table, at: usize) -> bool {
    table.columns[at].cells.iter().flatten().all(|cell| read_number(cell) == Ok(0.0))
}

/// The fields without a column that turned out to be the timestamp.
pub(super) fn without_time(table: &Table, mut roles: Roles, time: &Found) -> Roles {
    roles.fields.retain(|(_, at)| !time.fields.contains(&table.columns[*at].name));
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_known_by_their_usual_names_and_by_those_of_vendors() {
        let column = |name: &str, cell: &str| Column {
            name: name.to_owned(),
            cells: vec![Some(cell.to_owned())],
            ..Column::default()
        };
        let named = |names: &[(&str, &str)]| {
            let columns = names.iter().map(|(name, cell)| column(name, cell)).collect();
            let roles = assign(&Table { columns, ..Table::default() });
            let name = |at: usize| names[at].0.to_owned();
            (roles.symbol.map(name), roles.of("open").map(name), roles.of("volume").map(name))
        };
        assert_eq!(
            named(&[("ts_code", "A"), ("open", "1"), ("vol", "2")]),
            (Some("ts_code".to_owned()), Some("open".to_owned()), Some("vol".to_owned()))
        );
        assert_eq!(
            named(&[("<OPEN>", "1"), ("<TICKVOL>", "5"), ("<VOL>", "0")]),
            (None, Some("<OPEN>".to_owned()), Some("<TICKVOL>".to_owned()))
        );
        assert_eq!(
            named(&[("股票代码", "1"), ("开盘", "1"), ("成交量", "2")]),
            (Some("股票代码".to_owned()), Some("开盘".to_owned()), Some("成交量".to_owned()))
        );
        assert_eq!(named(&[("Name", "AAPL")]).0.as_deref(), Some("Name"));
        assert_eq!(named(&[("name", "Apple Inc")]).0, None);
    }
}
