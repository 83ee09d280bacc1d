//! The counts that leave the operator, each kind in columns of its own.
//!
//! One list a kind gives the struct that is counted in, the columns it travels in and how it is read back.

/// Counts of one kind, as columns `Int64`.
pub trait Counts: Sized {
    /// The names of its columns.
    const COLUMNS: &'static [&'static str];

    /// What stands in its columns, in their order; `None` is NULL.
    fn values(&self) -> Vec<Option<i64>>;

    /// The counts that `value` gives by column.
    fn read(value: impl FnMut(usize) -> Option<i64>) -> Self;
}

/// A count, or one that is not known where it has no meaning.
trait Count {
    fn value(self) -> Option<i64>;
    fn read(value: Option<i64>) -> Self;
}

impl Count for i64 {
    fn value(self) -> Option<i64> {
        Some(self)
    }

    fn read(value: Option<i64>) -> Self {
        value.unwrap_or(0)
    }
}

impl Count for Option<i64> {
    fn value(self) -> Option<i64> {
        self
    }

    fn read(value: Option<i64>) -> Self {
        value
    }
}

macro_rules! counts {
    ($(#[$doc:meta])* $name:ident in $prefix:literal { $($(#[$of_field:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
        }

        impl Counts for $name {
            const COLUMNS: &'static [&'static str] = &[$(concat!($prefix, stringify!($field))),*];

            fn values(&self) -> Vec<Option<i64>> {
                vec![$(self.$field.value()),*]
            }

            fn read(value: impl FnMut(usize) -> Option<i64>) -> Self {
                let mut values = (0..Self::COLUMNS.len()).map(value);
                Self { $($field: Count::read(values.next().flatten())),* }
            }
        }
    };
}

counts! {
    /// Counts of one rule over one series.
    RuleCounts in "rule_" {
        /// Rows that got a verdict.
        evaluated: i64,
        /// Rows without enough history.
        insufficient: i64,
        /// Rows that were excused.
        excused: i64,
        /// Rows it does not look at: those that its `where` leaves out, that were rejected or are further copies, or that
        /// lack what it needs.
        stepped_over: i64,
        /// Findings.
        findings: i64,
        /// Bars the findings concern.
        bars: i64,
        /// Rows flagged.
        rows: i64,
    }
}

counts! {
    /// Where the rows of one series went; each row is counted once.
    SeriesCounts in "series_" {
        /// Rows read.
        read: i64,
        /// Rows without a finding.
        clean: i64,
        /// Rows with findings that are only reported.
        flagged: i64,
        /// Rows to be quarantined.
        to_quarantine: i64,
        /// Rows to be deleted.
        to_delete: i64,
        /// Rows whose only fault is a value that does not parse.
        parse_errors: i64,
        /// Sessions with at least one bar, where the job has a calendar.
        sessions: i64,
        /// Rows before those, which were read because verdicts depend on them.
        context: i64,
    }
}

counts! {
    /// The bars of one series in one month.
    MonthCounts in "month_" {
        /// Bars with a timestamp in the month.
        bars: i64,
        /// Bars the calendar wants between the first and the last bar of the series; `None` without a calendar.
        expected: Option<i64>,
        /// Expected bars that are missing.
        missing: Option<i64>,
        /// Bars whose timestamp an earlier bar has.
        duplicates: i64,
        /// Bars with volume 0.
        zero_volume: i64,
        /// Bars that lack a price (open, high, low or close is NULL), counted once for each price.
        null_prices: i64,
        /// Bars whose volume is NULL.
        null_volume: i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_as_they_left() {
        let months = MonthCounts { bars: 3, missing: Some(1), null_volume: 2, ..MonthCounts::default() };
        let values = months.values();
        assert_eq!(values[..3], [Some(3), None, Some(1)]);
        assert_eq!(MonthCounts::read(|column| values[column]), months);
        assert_eq!(MonthCounts::COLUMNS[1], "month_expected");
        let rule =
            RuleCounts { evaluated: 1, insufficient: 2, excused: 3, stepped_over: 7, findings: 4, bars: 5, rows: 6 };
        assert_eq!(RuleCounts::read(|column| rule.values()[column]), rule);
        assert_eq!(SeriesCounts::read(|_| None), SeriesCounts::default());
    }
}
