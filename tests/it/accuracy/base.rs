//! The real files that faults are put into, each with the job that checks it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone as _};
use chrono_tz::America::New_York;

/// How timestamps are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clock {
    /// Dates in this format.
    Date(&'static str),
    /// Instants, `2018-04-04T00:00:00Z`.
    Utc,
    /// The time of New York without an offset, `2007-11-23T11:00:00`.
    NewYork,
}

const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

impl Clock {
    /// The cell of a timestamp in seconds UTC.
    pub(super) fn text(self, at: i64) -> String {
        let utc = DateTime::from_timestamp(at, 0).unwrap();
        match self {
            Self::Date(format) => utc.format(format).to_string(),
            Self::Utc => utc.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::NewYork => utc.with_timezone(&New_York).format(LOCAL).to_string(),
        }
    }

    /// The timestamp that a cell of the real file stands for, in seconds UTC.
    pub(super) fn seconds(self, text: &str) -> i64 {
        match self {
            Self::Date(format) => {
                NaiveDate::parse_from_str(text, format).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp()
            }
            Self::Utc => DateTime::parse_from_rfc3339(text).unwrap().timestamp(),
            Self::NewYork => {
                let local = NaiveDateTime::parse_from_str(text, LOCAL).unwrap();
                New_York.from_local_datetime(&local).earliest().unwrap().timestamp()
            }
        }
    }
}

/// A real file, or a part of one, and how it is checked.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) name: &'static str,
    /// What it holds, for the document.
    pub(super) what: &'static str,
    pub(super) file: &'static str,
    /// A column and the text that the rows have in it.
    pub(super) filter: Option<(&'static str, &'static str)>,
    pub(super) time: &'static str,
    pub(super) clock: Clock,
    pub(super) volume: &'static str,
    /// Columns besides prices and volume.
    pub(super) others: &'static [&'static str],
    /// Bars of a piece, where the series are cut in pieces so that there are more of them.
    pub(super) piece: Option<usize>,
    /// Bars from one fault to the next, where a series has several.
    pub(super) every: usize,
    /// Whether volumes are in hands of 100 shares and amounts in thousands, which the rules want in shares and yuan.
    pub(super) hands: bool,
    /// Set of rules of its market.
    pub(super) sets: &'static [&'static str],
    /// Lines of `[bars]`.
    pub(super) bars: &'static str,
}

impl Base {
    /// The job over `bars.csv` with the rules that ship.
    pub(super) fn job(&self) -> String {
        let sets: Vec<String> = self.sets.iter().map(|set| format!("\"../rules/{set}.toml\"")).collect();
        format!(
            "name = \"accuracy\"\nrules = [\"../rules/ohlcv.toml\", {}]\n\
             [source.files]\npath = \"../bars.csv\"\n[bars]\n{}\n[report]\ndir = \"../reports\"\n",
            sets.join(", "),
            self.bars
        )
    }
}

const SHARES: &str = r#"series = ["symbol"]
interval = "1d"
calendar = "XNYS"
time = { field = "trade_date", formats = ["%Y-%m-%d"] }"#;

/// Daily American shares, as they are.
pub(super) const US_DAILY: Base = Base {
    name: "us-daily",
    what: "`us_equity_daily.csv`: AAPL, GOOG, IBM and WMI, 18,661 daily bars of 1998 to 2021",
    file: "us_equity_daily.csv",
    filter: None,
    time: "trade_date",
    clock: Clock::Date("%Y-%m-%d"),
    volume: "volume",
    others: &[],
    piece: None,
    every: 390,
    hands: false,
    sets: &["us-equities", "across-series"],
    bars: SHARES,
};

/// The same in pieces, for faults of which a series has one.
pub(super) const US_PIECES: Base = Base {
    name: "us-pieces",
    what: "the same in 44 series of 400 bars, for faults of which a series has one",
    piece: Some(400),
    ..US_DAILY
};

/// One-minute bars of pairs.
pub(super) const MINUTES: Base = Base {
    name: "crypto-1m",
    what: "`crypto_coinbase.csv`: BTCEUR, BTCUSD, ETHUSD and LTCUSD, 13,886 one-minute bars of three days",
    file: "crypto_coinbase.csv",
    filter: Some(("timeframe", "1m")),
    time: "ts",
    clock: Clock::Utc,
    every: 330,
    sets: &["crypto"],
    bars: "series = [\"symbol\"]\ninterval = \"1m\"\ncalendar = \"24/7\"\ntime = { field = \"ts\" }",
    ..US_DAILY
};

/// Daily bars of a pair.
pub(super) const DAYS: Base = Base {
    name: "crypto-1d",
    what: "`crypto_coinbase.csv`: BTCUSD, 1,318 daily bars of 2014 to 2018",
    filter: Some(("timeframe", "1d")),
    every: 60,
    bars: "series = [\"symbol\"]\ninterval = \"1d\"\ncalendar = \"24/7\"\ntime = { field = \"ts\", formats = [\"rfc3339\"] }",
    ..MINUTES
};

/// Hourly bars of a share.
pub(super) const HOURS: Base = Base {
    name: "us-hourly",
    what: "`us_equity_hourly.csv`: SPWR, 1,700 hourly bars",
    file: "us_equity_hourly.csv",
    time: "ts_local",
    clock: Clock::NewYork,
    every: 70,
    sets: &["us-equities"],
    bars: r#"series = ["symbol"]
interval = "1h"
calendar = "XNYS"
align = "clock"
time = { field = "ts_local", formats = ["%Y-%m-%dT%H:%M:%S"], zone = "America/New_York", label = "start" }"#,
    ..US_DAILY
};

/// Daily Chinese shares, in shares and yuan.
pub(super) const CN_DAILY: Base = Base {
    name: "cn-daily",
    what: "`ashare_tushare_daily.csv`: 000001.SZ and 600000.SH, 2,944 daily bars of 2014 to 2020, in \
           shares and yuan; most are adjusted, which `cn-turnover` and `cn-tick` say of each without any fault",
    file: "ashare_tushare_daily.csv",
    clock: Clock::Date("%Y%m%d"),
    volume: "vol",
    others: &["pre_close", "pct_chg", "amount", "full_symbol"],
    every: 140,
    hands: true,
    sets: &["cn-equities"],
    bars: r#"series = ["symbol"]
interval = "1d"
calendar = "XSHG"
time = { field = "trade_date", formats = ["%Y%m%d"] }"#,
    ..US_DAILY
};

/// The same in pieces.
pub(super) const CN_PIECES: Base =
    Base { name: "cn-pieces", what: "the same in 18 series of 150 bars", piece: Some(150), ..CN_DAILY };

/// All of them.
pub(super) const BASES: [&Base; 7] = [&US_DAILY, &US_PIECES, &MINUTES, &DAYS, &HOURS, &CN_DAILY, &CN_PIECES];
