//! Several literal series for the tests of checks across series.

use std::collections::BTreeMap;

use super::{Evaluated, Fixture, compile, counts_by_row, rendered};
use crate::checks::{
    ALL_SERIES, AcrossSink, Check, Finding, FindingSink, Note, PeerValues, Peers, Series, Totals, to_pieces,
};

/// What the rule that `rule` writes makes of the series of `csv`, which the column `symbol` tells apart; the lines begin
/// with the series.
pub(crate) fn evaluate(bars: &str, csv: &str, rule: &str) -> Evaluated {
    let mut lines = csv.lines().map(str::trim).filter(|line| !line.is_empty());
    let header = lines.next().expect("a header");
    let mut series: BTreeMap<&str, String> = BTreeMap::new();
    for line in lines {
        let symbol = line.split(',').nth(1).expect("a symbol");
        let rows = series.entry(symbol).or_insert_with(|| header.to_owned());
        *rows += "\n";
        *rows += line;
    }
    let fixtures: Vec<(&str, Fixture)> =
        series.iter().map(|(symbol, rows)| (*symbol, Fixture::new(bars, rows))).collect();
    let spec = fixtures.first().map_or_else(|| Fixture::new(bars, header).spec, |(_, fixture)| fixture.spec.clone());
    let check = compile(rule, &spec).unwrap_or_else(|mistakes| panic!("{}", rendered(&mistakes)));
    if let Some(peers) = check.peers() {
        return beside(check.as_ref(), peers, &fixtures);
    }
    let across = check.across().expect("a check across series");
    let note = |(key, fixture): &(&str, Fixture)| {
        let noted = fixture.with_series_called((key, None), |series| across.note(series))?;
        let symbol = key.split('|').next().map(str::to_owned);
        Some(Note { series: (*key).to_owned(), symbol, bytes: noted.bytes, locator: None, id: None })
    };
    let notes: Vec<Note> = fixtures.iter().filter_map(note).collect();
    let mut sink = AcrossSink::default();
    across.conclude(&notes, &mut sink);
    let any = Fixture::new(bars, header);
    let line = |found: &crate::checks::OfSeries| {
        let series = found.note.map_or(ALL_SERIES, |note| notes[note].series.as_str());
        format!("{series} {}", any.render(&found.finding))
    };
    let mut lines: Vec<String> = sink.findings.iter().map(line).collect();
    lines.sort();
    let mut totals = sink.totals;
    let mut findings: Vec<Finding> = sink.findings.into_iter().map(|found| found.finding).collect();
    // Some evaluate each series by itself too.
    let open_days = across.open_days(&notes, None);
    for (key, fixture) in &fixtures {
        let mut sink = FindingSink::default();
        fixture.with_series_called((key, None), |series| {
            let series = Series { open_days: &open_days, ..*series };
            check.check(&series, &mut sink);
            check.merge(&series, &mut sink);
        });
        lines.extend(sink.findings.iter().map(|finding| format!("{key} {}", fixture.render(finding))));
        findings.append(&mut sink.findings);
        totals += sink.totals;
    }
    Evaluated { lines, totals, findings }
}

/// What `check`, which has to know of other series, makes of each series beside the others.
fn beside(check: &dyn Check, peers: &dyn Peers, series: &[(&str, Fixture)]) -> Evaluated {
    let mut values = PeerValues::default();
    for (_, fixture) in series {
        let pieces = fixture.with_series(|series| to_pieces(series.time, &peers.values(series)));
        for piece in &pieces {
            values.take(piece);
        }
    }
    let table = values.table();
    let (mut lines, mut findings, mut totals) = (Vec::new(), Vec::new(), Totals::default());
    for (key, fixture) in series {
        let mut sink = FindingSink::default();
        fixture.with_series_called((key, Some(&table)), |series| {
            counts_by_row(check, series);
            check.check(series, &mut sink);
        });
        lines.extend(sink.findings.iter().map(|finding| format!("{key} {}", fixture.render(finding))));
        findings.append(&mut sink.findings);
        totals += sink.totals;
    }
    Evaluated { lines, totals, findings }
}
