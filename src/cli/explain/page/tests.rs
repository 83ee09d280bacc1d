use super::*;
use crate::market::{DAY_US, Interval};
use crate::run::explain::{Answer, Finding, Measured, OfRows, RuleAnswer};

/// 2024-01-01.
const FIRST: i64 = 19_723 * DAY_US;
const ASKED: i64 = FIRST + 30 * DAY_US;

fn answer(rule: &str, answer: Answer) -> RuleAnswer {
    RuleAnswer {
        rule: rule.to_owned(),
        check: Some("outlier"),
        severity: "error",
        action: "quarantine",
        why: None,
        window: Some((20, 20)),
        answer,
        rows: OfRows { evaluated: 1, ..OfRows::default() },
        findings: Vec::new(),
        measured: None,
    }
}

/// Sixty bars around 100 that sway, of which one has a close far above.
fn explanation() -> Explanation {
    let bar = |number: i64| {
        let sway = [0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0, -1.0][usize::try_from(number % 8).unwrap()];
        let (open, close) = (100.0 + sway, 100.5 + sway);
        let values = match number {
            30 => [Some(open), Some(118.0), Some(99.0), Some(118.0), Some(900.0)],
            _ => {
                [Some(open), Some(close + 1.0), Some(open - 1.0), Some(close), Some(100.0 + 10.0 * (number % 5) as f64)]
            }
        };
        Bar { time: FIRST + number * DAY_US, values, place: format!("bars.csv:{}", number + 2) }
    };
    let finding = Finding {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        message: "close 118 is 31.2 scales from its neighbours' median 100.5 (allowed 96.6 to 104.6)".to_owned(),
        span: (Some(ASKED), None),
        field: Some("close".to_owned()),
        observed: Some(118.0),
        observed_text: None,
        expected: [Some(96.6), Some(104.6)],
        expected_text: None,
        score: Some(31.2),
        bars: 1,
        cause: None,
        evidence: serde_json::Value::Null,
        place: Some("bars.csv:32".to_owned()),
        action: "quarantine",
        label: Some("known"),
    };
    let flagged = RuleAnswer {
        findings: vec![finding],
        why: Some("far from its neighbours on both sides".to_owned()),
        ..answer("close-outlier", Answer::Flagged)
    };
    let measured = Measured {
        key: "limit",
        limit: 8.0,
        flagged_at: Some(2.18),
        observed: Some((Some("volume".to_owned()), 900.0)),
    };
    let within = RuleAnswer { measured: Some(measured), ..answer("volume-outlier", Answer::Within) };
    Explanation {
        job: "demo".to_owned(),
        series: "贵州茅台|x".to_owned(),
        interval: Interval::Day,
        time: ASKED,
        session: None,
        calendar: Some("XSHG".to_owned()),
        by_calendar: ByCalendar::Expected,
        bars: (0..60).map(bar).collect(),
        rules: vec![
            within,
            flagged,
            answer("gap", Answer::Within),
            answer("stale", Answer::Insufficient),
            answer("spike", Answer::Excused(vec!["suspended".to_owned()])),
            answer("late", Answer::NotChosen("where = volume > 5000".to_owned())),
            answer("freshness", Answer::OfAllSeries { run: true }),
        ],
        read: 60,
    }
}

fn shown(explanation: &Explanation, width: usize, drawn: bool) -> String {
    let lines = text(explanation, Look { width, drawn, colour: false });
    for line in &lines {
        assert!(crate::text::columns::columns(line) <= width, "{width}: {line}");
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bar_is_drawn_eighty_columns_wide() {
    insta::assert_snapshot!(shown(&explanation(), 80, true), @r"
    贵州茅台|x   2024-01-31   XSHG expects a bar there
      open 98  high 118  low 99  close 118  volume 900   bars.csv:32

      118 ┤                              ┃
          ┤                              ┃
          ┤                              ┃
          ┤                              ┃
          ┤                              ┃
          ┤                              ┃
    106.8 ┤                              ┃
          ┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┃┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
          ┤ ╷╽╷     ╷╽╷     ╷╽╷     ╷╽╷  ┃  ╷╽╷     ╷╽╷     ╷╽╷     ╷╽╷
          ┤╽╿╵╿╽╷ ╷╽╿╵╿╽╷ ╷╽╿╵╿╽╷ ╷╽╿╵╿╽╷┃╷╽╿╵╿╽╷ ╷╽╿╵╿╽╷ ╷╽╿╵╿╽╷ ╷╽╿╵╿
          ┤╵   ╵╿╽╿╵   ╵╿╽╿╵   ╵╿╽╿╵   ╵╿┃╿╵   ╵╿╽╿╵   ╵╿╽╿╵   ╵╿╽╿╵
     96.6 ┤┈┈┈┈┈┈│┈┈┈┈┈┈┈│┈┈┈┈┈┈┈│┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈│┈┈┈┈┈┈┈│┈┈┈┈┈┈┈│┈┈┈┈┈
      900 ┤                              █
          ┤▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃█▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃
                                         ▲
           2024-01-01               2024-01-31               2024-02-29
           ┈ close that close-outlier allows: 96.6 to 104.6

    FLAGGED     close-outlier   close 118 is 31.2 scales from its neighbours' median
                                100.5 (allowed 96.6 to 104.6) (bars.csv:32);
                                labelled known
                                error, quarantine
                                why: far from its neighbours on both sides
    ok          volume-outlier  volume 900; limit 8, it would be flagged from 2.18
                                on
    ok          gap             nothing found
    no history  stale           too few bars around it: it looks at 20 bars before
                                and 20 after
    excused     spike           what would be a finding is explained: suspended
    not chosen  late            its condition does not choose the bar: where =
                                volume > 5000
    not one bar freshness       it evaluates all series together: nothing it found
                                holds the bar
    ");
}

#[test]
fn a_bar_is_drawn_forty_columns_wide() {
    insta::assert_snapshot!(shown(&explanation(), 40, true), @r"
    贵州茅台|x 2024-01-31 XSHG expects a bar
    there
    open 98 high 118 low 99 close 118 volume
    900 bars.csv:32

      118 ┤               ┃
          ┤               ┃
          ┤               ┃
          ┤               ┃
          ┤               ┃
          ┤               ┃
    106.8 ┤               ┃
          ┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┃┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
          ┤  ╷╽╷     ╷╽╷  ┃  ╷╽╷     ╷╽╷
          ┤╷╽╿╵╿╽╷ ╷╽╿╵╿╽╷┃╷╽╿╵╿╽╷ ╷╽╿╵╿╽╷
          ┤╿╵   ╵╿╽╿╵   ╵╿┃╿╵   ╵╿╽╿╵   ╵╿
     96.6 ┤┈┈┈┈┈┈┈│┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈│┈┈┈┈┈┈┈
      900 ┤               █
          ┤▂▂▃▃▃▂▂▃▃▃▂▂▃▃▃█▂▃▃▃▂▂▃▃▃▂▂▃▃▃▂
                          ▲
                     2024-01-31 2024-02-15
    ┈ close that close-outlier allows: 96.6
    to 104.6

    FLAGGED     close-outlier
      close 118 is 31.2 scales from its
      neighbours' median 100.5 (allowed 96.6
      to 104.6) (bars.csv:32); labelled
      known
      error, quarantine
      why: far from its neighbours on both
      sides
    ok          volume-outlier
      volume 900; limit 8, it would be
      flagged from 2.18 on
    ok          gap
      nothing found
    no history  stale
      too few bars around it: it looks at 20
      bars before and 20 after
    excused     spike
      what would be a finding is explained:
      suspended
    not chosen  late
      its condition does not choose the bar:
      where = volume > 5000
    not one bar freshness
      it evaluates all series together:
      nothing it found holds the bar
    ");
}

#[test]
fn a_terminal_that_draws_nothing_gets_a_table() {
    insta::assert_snapshot!(shown(&explanation(), 40, false), @r"
    贵州茅台|x 2024-01-31 XSHG expects a bar
    there
    open 98 high 118 low 99 close 118 volume
    900 bars.csv:32

      time        open   high  low  close
      2024-01-26   101  102.5  100  101.5
      2024-01-27   102  103.5  101  102.5
      2024-01-28   101  102.5  100  101.5
      2024-01-29   100  101.5   99  100.5
      2024-01-30    99  100.5   98   99.5
    > 2024-01-31    98    118   99    118
      2024-02-01    99  100.5   98   99.5
      2024-02-02   100  101.5   99  100.5
      2024-02-03   101  102.5  100  101.5
      2024-02-04   102  103.5  101  102.5
      2024-02-05   101  102.5  100  101.5

    FLAGGED     close-outlier
      close 118 is 31.2 scales from its
      neighbours' median 100.5 (allowed 96.6
      to 104.6) (bars.csv:32); labelled
      known
      error, quarantine
      why: far from its neighbours on both
      sides
    ok          volume-outlier
      volume 900; limit 8, it would be
      flagged from 2.18 on
    ok          gap
      nothing found
    no history  stale
      too few bars around it: it looks at 20
      bars before and 20 after
    excused     spike
      what would be a finding is explained:
      suspended
    not chosen  late
      its condition does not choose the bar:
      where = volume > 5000
    not one bar freshness
      it evaluates all series together:
      nothing it found holds the bar
    ");
}

#[test]
fn colour_only_decorates() {
    let plain = text(&explanation(), Look { width: 80, drawn: true, colour: false }).join("\n");
    let mut coloured = text(&explanation(), Look { width: 80, drawn: true, colour: true }).join("\n");
    assert!(coloured.contains("\u{1b}[1;31mFLAGGED"));
    for code in ["1;31", "1;33", "31", "32", "0"] {
        coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(coloured, plain);
}

#[test]
fn bars_without_prices_or_with_one_price_draw_what_there_is() {
    let mut odd = explanation();
    for bar in &mut odd.bars {
        bar.values = [None, None, None, Some(7.0), None];
    }
    odd.bars[3].values = [None; 5];
    odd.bars[4].values = [Some(f64::INFINITY), Some(f64::NAN), None, None, Some(f64::NAN)];
    odd.rules.clear();
    for width in [40, 80, 300] {
        assert!(shown(&odd, width, true).contains('▲'));
    }
    odd.bars.iter_mut().for_each(|bar| bar.values = [None; 5]);
    assert!(!shown(&odd, 40, true).contains('┤'), "nothing is drawn where no bar has a price");
    odd.bars.clear();
    let none = shown(&odd, 40, true);
    assert!(none.contains("no bar of") && none.contains("nearest: none before, none behind"), "{none}");
}
