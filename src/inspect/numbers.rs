//! How numbers are written that are text.

use super::columns::Roles;
use super::sample::Sample;
use super::time::Found;
use crate::bars::layout::Delimiter;
use crate::bars::number::{NumberFormat, Scale, read_number};

/// What was seen of the numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// `numbers` as jobs write it.
    pub(super) setting: Option<String>,
    /// Texts that stand for no number.
    pub(super) nulls: Vec<String>,
    /// What prices are probably counted in, where they are whole, and who counts so.
    pub(super) scale: Option<(&'static str, &'static str)>,
}

const UNITS: &str = "units = { K = \"1e3\", M = \"1e6\", B = \"1e9\" }";

/// The first way of writing by which all prices and volumes are numbers.
pub(super) fn choose(sample: &Sample, roles: &Roles, time: &Found) -> Numbers {
    let table = &sample.table;
    let cells = |names: &[&str]| -> Vec<&str> {
        let columns = roles.fields.iter().filter(|(name, _)| names.contains(name)).map(|(_, at)| &table.columns[*at]);
        columns.flat_map(|column| column.cells.iter().flatten().map(|cell| cell.trim())).collect()
    };
    let prices = cells(&["open", "high", "low", "close"]);
    let all: Vec<&str> = cells(&["open", "high", "low", "close", "volume"]);
    let dashes: Vec<String> =
        ["-", "--", "n/a"].iter().filter(|null| all.contains(null)).map(|null| (*null).to_owned()).collect();
    let known = ["null", "NULL", "None", "N/A"];
    let all: Vec<&str> =
        all.into_iter().filter(|cell| !known.contains(cell) && !dashes.iter().any(|null| null == cell)).collect();
    let whole: Option<Vec<i64>> = prices.iter().map(|cell| cell.parse().ok()).collect();
    let scale = whole.and_then(|whole| match () {
        () if are_billionths(&whole) => Some(("1e-9", "billionths, as Databento writes them")),
        () if is_lean(sample, time) && whole.iter().all(|price| *price >= 1000) => {
            Some(("1e-4", "ten-thousandths, as LEAN writes them"))
        }
        () => None,
    });
    Numbers { setting: written(&all), nulls: dashes, scale }
}

/// Whether whole prices are counts of billionths: huge, and, unlike prices in a currency without cents, multiples of a step
/// that no such currency has, or beyond every price.
pub(super) fn are_billionths(prices: &[i64]) -> bool {
    const HUGE: i64 = 10_000_000;
    const STEP: i64 = 100_000;
    const BEYOND: i64 = 10_000_000_000;
    let all = |fits: &dyn Fn(i64) -> bool| prices.iter().all(|price| fits(*price));
    !prices.is_empty()
        && all(&|price| price >= HUGE)
        && (all(&|price| price % STEP == 0) || all(&|price| price >= BEYOND))
}

/// Whether files are as LEAN writes daily bars: without a header, and with a time of day behind a date of digits.
fn is_lean(sample: &Sample, time: &Found) -> bool {
    sample.layout.header == "none" && sample.layout.columns.len() == 6 && time.formats == ["%Y%m%d %H:%M"]
}

/// How `texts` are written, none of which is read as it is; `None` where nothing reads them all.
pub(super) fn as_written(texts: &[String], delimiter: Delimiter) -> Option<String> {
    let texts: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
    let written = written(&texts)?;
    let taken = delimiter == Delimiter::Byte(b',') && written.contains("decimal = \",\"");
    (!taken).then_some(written)
}

/// How `cells` are written; `None` where they are plain, or nothing fits.
fn written(cells: &[&str]) -> Option<String> {
    let share = |format: &NumberFormat| {
        let read = |cell: &&&str| if format.is_plain() { read_number(cell).is_ok() } else { format.read(cell).is_ok() };
        cells.iter().filter(read).count() as f64 / cells.len().max(1) as f64
    };
    if share(&NumberFormat::default()) > 0.98 {
        return None;
    }
    let units: Vec<(String, Scale)> = [("K", "1e3"), ("M", "1e6"), ("B", "1e9")]
        .iter()
        .filter_map(|(unit, factor)| Some(((*unit).to_owned(), Scale::parse(factor)?)))
        .collect();
    let used: Vec<String> = ["$", "€", "£", "¥", "%"]
        .iter()
        .filter(|sign| cells.iter().any(|cell| cell.contains(*sign)))
        .map(|sign| (*sign).to_owned())
        .collect();
    let marks = [
        ('.', Some(',')),
        (',', Some('.')),
        (',', None),
        ('.', Some(' ')),
        (',', Some(' ')),
        ('.', None),
        ('.', Some('\'')),
    ];
    for with_units in [false, true] {
        for (decimal, thousands) in marks {
            let units = if with_units { units.clone() } else { Vec::new() };
            let format = NumberFormat { decimal, thousands, units, around: used.clone() };
            if share(&format) > 0.98 {
                let mut parts = Vec::new();
                parts.extend((decimal != '.').then(|| format!("decimal = \"{decimal}\"")));
                parts.extend(thousands.map(|mark| format!("thousands = \"{mark}\"")));
                parts.extend(with_units.then(|| UNITS.to_owned()));
                parts.extend((!used.is_empty()).then(|| format!("around = {used:?}")));
                return Some(format!("{{ {} }}", parts.join(", ")));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        assert_eq!(written(&["1.5", "2", "1e6"]), None);
        assert_eq!(written(&["1,233.37", "870,495"]).unwrap(), "{ thousands = \",\" }");
        assert_eq!(written(&["1.233,37", "870.495"]).unwrap(), "{ decimal = \",\", thousands = \".\" }");
        assert_eq!(written(&["4,740.50", "40.47M"]).unwrap(), format!("{{ thousands = \",\", {UNITS} }}"));
        assert_eq!(written(&["$1.50", "$2"]).unwrap(), "{ thousands = \",\", around = [\"$\"] }");
    }
}
