use super::*;

const HOUR: i64 = 3_600_000_000;

fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn shown(spans: &[Closed]) -> Vec<String> {
    spans.iter().map(|(since, until)| format!("{} {}", UtcMicros(*since), UtcMicros(*until))).collect()
}

#[test]
fn windows_follow_each_other_and_the_last_one_is_shorter() {
    let spans = spans((at("2024-01-01T00:00:00Z"), at("2024-03-10T00:00:00Z")), 30 * DAY_US, None);
    assert_eq!(
        shown(&spans),
        [
            "2024-01-01T00:00:00Z 2024-01-31T00:00:00Z",
            "2024-01-31T00:00:00Z 2024-03-01T00:00:00Z",
            "2024-03-01T00:00:00Z 2024-03-10T00:00:00Z",
        ]
    );
}

#[test]
fn whole_days_are_days_of_the_zone_where_clocks_change() {
    let days = |since: &str, until: &str, step, zone| shown(&spans((at(since), at(until)), step, Some(zone)));
    let new_york = Tz::America__New_York;
    assert_eq!(
        days("2024-03-09T05:00:00Z", "2024-03-12T04:00:00Z", DAY_US, new_york),
        [
            "2024-03-09T05:00:00Z 2024-03-10T05:00:00Z",
            "2024-03-10T05:00:00Z 2024-03-11T04:00:00Z",
            "2024-03-11T04:00:00Z 2024-03-12T04:00:00Z",
        ]
    );
    assert_eq!(
        days("2024-11-02T05:30:00Z", "2024-11-04T06:30:00Z", DAY_US, new_york),
        ["2024-11-02T05:30:00Z 2024-11-03T05:30:00Z", "2024-11-03T05:30:00Z 2024-11-04T06:30:00Z"],
        "the first of two equal times"
    );
    assert_eq!(
        days("2024-03-09T07:30:00Z", "2024-03-11T06:30:00Z", DAY_US, new_york),
        ["2024-03-09T07:30:00Z 2024-03-10T07:00:00Z", "2024-03-10T07:00:00Z 2024-03-11T06:30:00Z"],
        "02:30 is skipped, and the day begins at 03:00"
    );
    assert_eq!(
        days("2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z", DAY_US, Tz::Pacific__Apia),
        [
            "2011-12-29T10:00:00Z 2011-12-30T10:00:00Z",
            "2011-12-30T10:00:00Z 2011-12-31T10:00:00Z",
            "2011-12-31T10:00:00Z 2012-01-01T10:00:00Z",
        ],
        "the zone skipped a date"
    );
    assert_eq!(
        days("2024-03-10T05:00:00Z", "2024-03-10T09:00:00Z", 2 * HOUR, new_york),
        ["2024-03-10T05:00:00Z 2024-03-10T07:00:00Z", "2024-03-10T07:00:00Z 2024-03-10T09:00:00Z"],
        "hours are hours that pass"
    );
}

#[test]
fn what_is_done_is_done_by_the_same_job_and_rules() {
    let end = |finished: bool, job: &str, rules: &str| WindowEnd {
        run: "20261120T010000Z-aaaa".to_owned(),
        finished,
        job_sha256: job.to_owned(),
        rules_sha256: rules.to_owned(),
    };
    let known = BTreeMap::from([
        ((0, 1), end(true, "j", "r")),
        ((1, 2), end(true, "other", "r")),
        ((2, 3), end(true, "j", "other")),
        ((3, 4), end(false, "j", "r")),
        ((4, 5), end(false, "j", "")),
    ]);
    let due = |reprocess| {
        let spans = (0..6).map(|since| (since, since + 1));
        let due = spans.filter(|span| is_due(reprocess, span, &known, ("j", "r")));
        due.map(|span| span.0).collect::<Vec<_>>()
    };
    assert_eq!(due(Reprocess::Missing), [1, 2, 3, 4, 5]);
    assert_eq!(due(Reprocess::Failed), [3, 4]);
    assert_eq!(due(Reprocess::All), [0, 1, 2, 3, 4, 5]);
}
