#!/usr/bin/env python3
"""Fills a collection with daily quotes in the shape of TradingAgents-CN `stock_daily_quotes`, with its indexes.

The same arguments always make the same documents, their _id included. Needs pymongo.

    load.py mongodb://127.0.0.1:27017 --documents 1000000 --bad 82631 --compact 30000
"""

import argparse
import datetime as dt
import random
import struct
import time

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient

SOURCES = ["tushare", "akshare", "baostock"]
FIRST_DAY = dt.date(2021, 11, 1)
DAYS = 1000  # sessions of a symbol: every weekday, holidays do not matter here
FRAME = 250  # rows of the frame whose index was taken for its dates
COMPACT_DAYS = 500
UPDATED = dt.datetime(2025, 10, 20, 8, 30)

INDEXES = [
    ([("symbol", 1), ("trade_date", 1), ("data_source", 1), ("period", 1)],
     {"unique": True, "name": "symbol_date_source_period_unique"}),
    ([("symbol", ASCENDING)], {}),
    ([("trade_date", DESCENDING)], {}),
    ([("data_source", ASCENDING)], {}),
    ([("symbol", ASCENDING), ("trade_date", DESCENDING)], {}),
    ([("market", ASCENDING)], {}),
    ([("updated_at", DESCENDING)], {}),
    ([("market", ASCENDING), ("trade_date", DESCENDING)], {}),
    ([("data_source", ASCENDING), ("updated_at", DESCENDING)], {}),
    ([("volume", ASCENDING)], {"sparse": True}),
    ([("period", ASCENDING)], {}),
    ([("symbol", ASCENDING), ("period", ASCENDING), ("trade_date", DESCENDING)], {}),
]


def weekdays(count):
    day, days = FIRST_DAY, []
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day += dt.timedelta(days=1)
    return days


def code(number):
    """A code of a Shenzhen, ChiNext or Shanghai share."""
    return f"{[0, 300_000, 600_000][number % 3] + number // 3 + 1:06d}"


def object_id(number):
    """The number-th _id; their order is that of the documents."""
    return ObjectId(struct.pack(">IQ", 1_700_000_000 + number // 5000, number))


class Walk:
    """Prices of one symbol, day after day."""

    def __init__(self, symbol):
        self.random = random.Random(symbol)
        self.close = round(5 + self.random.random() * 50, 2)

    def bar(self, number, symbol, trade_date, source):
        pick = self.random.random
        pre_close = self.close
        open_ = round(pre_close * (1 + (pick() - 0.5) * 0.02), 2)
        close = round(pre_close * (1 + (pick() - 0.5) * 0.06), 2)
        high = round(max(open_, close) * (1 + pick() * 0.01), 2)
        low = round(min(open_, close) * (1 - pick() * 0.01), 2)
        volume = float(int(1_000_000 * (0.5 + pick()))) * 100
        self.close = close
        return {
            "_id": object_id(number),
            "symbol": symbol,
            "code": symbol,
            "full_symbol": f"{symbol}.{'SH' if symbol.startswith('6') else 'SZ'}",
            "market": "CN",
            "trade_date": trade_date,
            "period": "daily",
            "data_source": source,
            "created_at": UPDATED,
            "updated_at": UPDATED + dt.timedelta(seconds=number % 86_400),
            "version": 1,
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "pre_close": pre_close,
            "volume": volume,
            "amount": round(volume * (low + high) / 2, 2),
            "change": round(close - pre_close, 4),
            "pct_chg": round((close / pre_close - 1) * 100, 4),
            "turnover_rate": round(pick() * 5, 4),
        }


def rows(count, first, per_symbol, dates, numbers, source_of):
    """`count` documents: `per_symbol` for each symbol, with the dates in turn."""
    walk = None
    for number in range(count):
        at, day = divmod(number, per_symbol)
        symbol_number = numbers(at)
        symbol = code(symbol_number)
        if day == 0:
            walk = Walk(symbol_number)
        yield walk.bar(first + number, symbol, dates[day], source_of(symbol_number))


def documents(total, bad, compact):
    days = weekdays(max(DAYS, COMPACT_DAYS))
    iso = [day.isoformat() for day in days]
    good = total - bad - compact
    akshare = lambda at: at * 3 + 1  # symbols whose source is akshare
    yield from rows(good, 0, DAYS, iso, lambda at: at, lambda number: SOURCES[number % 3])
    yield from rows(bad, good, FRAME, [str(n) for n in range(FRAME)], akshare, lambda _: "akshare")
    short = [day.strftime("%Y%m%d") for day in days]
    yield from rows(compact, good + bad, COMPACT_DAYS, short, akshare, lambda _: "akshare")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri")
    parser.add_argument("--database", default="tradingagents")
    parser.add_argument("--collection", default="stock_daily_quotes")
    parser.add_argument("--documents", type=int, default=1_000_000, help="of which bad and compact ones are a part")
    parser.add_argument("--bad", type=int, default=0, help='with "0", "1", ... as dates')
    parser.add_argument("--compact", type=int, default=0, help='with valid dates as "20251016"')
    arguments = parser.parse_args()

    collection = MongoClient(arguments.uri)[arguments.database][arguments.collection]
    collection.drop()
    start, batch, written = time.monotonic(), [], 0
    for document in documents(arguments.documents, arguments.bad, arguments.compact):
        batch.append(document)
        if len(batch) == 5000:
            written += len(collection.insert_many(batch, ordered=False).inserted_ids)
            batch = []
    if batch:
        written += len(collection.insert_many(batch, ordered=False).inserted_ids)
    loaded = time.monotonic()
    for keys, options in INDEXES:
        collection.create_index(keys, **options)
    print(f"{written:,} documents in {loaded - start:.1f} s, {len(INDEXES)} indexes in {time.monotonic() - loaded:.1f} s")


if __name__ == "__main__":
    main()
