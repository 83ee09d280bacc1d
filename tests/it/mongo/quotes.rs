//! Documents of the shape that daily quotes have in a collection of a real loader, its indexes, and its faults.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{DateTime, Document, doc, rawdoc};

/// The collection.
pub(crate) const QUOTES: &str = "stock_daily_quotes";

/// Quotes of symbols over weekdays: `good` ones under dashed dates, then `compact` good ones, then `bad` ones whose date
/// is the number of a row.
pub(crate) fn quotes(good: usize, compact: usize, bad: usize) -> Vec<RawDocumentBuf> {
    let mut days = Days::default();
    let mut documents = Vec::with_capacity(good + compact + bad);
    for n in 0..good + compact {
        let (symbol, day) = (n / 500, days.nth(n % 500));
        let date = if n < good { day.format("%Y-%m-%d") } else { day.format("%Y%m%d") };
        documents.push(quote(n, symbol, &date.to_string(), "tushare"));
    }
    for n in 0..bad {
        documents.push(quote(good + compact + n, n / 120, &(n % 120).to_string(), "akshare"));
    }
    documents
}

/// Weekdays from 2022-01-03 on.
#[derive(Default)]
struct Days(Vec<chrono::NaiveDate>);

impl Days {
    fn nth(&mut self, n: usize) -> chrono::NaiveDate {
        use chrono::Datelike;
        let mut next =
            self.0.last().map_or(chrono::NaiveDate::from_ymd_opt(2022, 1, 3).unwrap(), |day| day.succ_opt().unwrap());
        while self.0.len() <= n {
            if next.weekday().num_days_from_monday() < 5 {
                self.0.push(next);
            }
            next = next.succ_opt().unwrap();
        }
        self.0[n]
    }
}

/// One quote; the number makes its `_id` and its prices.
pub(crate) fn quote(n: usize, symbol: usize, date: &str, source: &str) -> RawDocumentBuf {
    let number = u32::try_from(n).unwrap();
    let mut id = [0x65; 12];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let code = format!("{symbol:06}");
    let close = f64::from(1000 + number % 977) / 100.0;
    let volume = f64::from(10_000 + number % 5000 * 100);
    let at = DateTime::from_millis(1_761_156_300_000);
    rawdoc! {
        "_id": ObjectId::from_bytes(id), "symbol": code.as_str(), "code": code.as_str(),
        "full_symbol": format!("{code}.SZ"), "market": "CN", "trade_date": date, "period": "daily",
        "data_source": source, "open": close - 0.05, "high": close + 0.1, "low": close - 0.1, "close": close,
        "pre_close": close - 0.02, "volume": volume, "amount": volume * close, "change": 0.02, "pct_chg": 0.1996,
        "turnover_rate": 0.7, "created_at": at, "updated_at": at, "version": 1_i32,
    }
}

/// The command that makes the collection's indexes.
pub(crate) fn indexes() -> Document {
    let index = |name: &str, key: Document| doc! { "name": name, "key": key };
    let mut unique =
        index("symbol_date_source_period_unique", doc! { "symbol": 1, "trade_date": 1, "data_source": 1, "period": 1 });
    unique.insert("unique", true);
    doc! { "createIndexes": QUOTES, "indexes": [
        unique,
        index("symbol", doc! { "symbol": 1 }),
        index("date", doc! { "trade_date": -1 }),
        index("source", doc! { "data_source": 1 }),
        index("symbol_period_date", doc! { "symbol": 1, "period": 1, "trade_date": -1 }),
    ] }
}
